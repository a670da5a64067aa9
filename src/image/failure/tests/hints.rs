//! Failures that have hints of their own, and what is shown of others.

use super::*;

#[test]
fn known_failures_have_hints() {
    for (error, output, cause, hint) in [
        (
            "exit code: 1",
            "ERROR: Could not find a version that satisfies the requirement nope (from versions: none)\nERROR: No matching distribution found for nope",
            "nope is not on the package index",
            "check its spelling",
        ),
        (
            "exit code: 1",
            "WARNING: Retrying (Retry(total=0, connect=None)) after connection broken by 'NewConnectionError('…: [Errno -3] Temporary failure in name resolution')': /simple/nope/\nERROR: Could not find a version that satisfies the requirement nope (from versions: none)\nERROR: No matching distribution found for nope",
            "No matching distribution found for nope",
            "cannot be reached",
        ),
        (
            "exit code: 1",
            "WARNING: Retrying (Retry(total=4, connect=None)) after connection broken by 'ReadTimeoutError(…)': /simple/nope/\nERROR: No matching distribution found for nope==9",
            "nope==9 is not on the package index",
            "check its spelling",
        ),
        (
            "exit code: 1",
            "Could not fetch URL https://x/: There was a problem confirming the ssl certificate: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed - skipping\nERROR: No matching distribution found for nope",
            "No matching distribution found for nope",
            "--ca-cert",
        ),
        (
            "exit code: 1",
            "/bin/sh: 1: pkg-config: not found\nException: Can not find valid pkg-config name.\nerror: subprocess-exited-with-error\n\n× Getting requirements to build wheel did not run successfully.\n│ exit code: 1\n╰─> See above for output.\n\nnote: x",
            "pkg-config is missing",
            "so it is compiled",
        ),
        (
            "exit code: 1",
            "      [end of output]\n  note: x\nerror: legacy-install-failure\n\n× Encountered error while trying to install package.\n╰─> evdev\n\nhint: See above",
            "Encountered error while trying to install package: evdev",
            "has no wheel for this Python, and its build fails",
        ),
        (
            "exit code: 2",
            "error: Failed to parse: `a b`: Expected one of `@`, found `b`",
            "Failed to parse",
            "use a pip requirement",
        ),
        (
            "exit code: 127",
            "/bin/sh: 1: frob: not found",
            "frob is missing",
            "find the Debian package that has frob",
        ),
        (
            "exit code: 1",
            "error: Failed to download and build `ale-py==0.12.1`\n  cause: Failed to resolve requirements from `build-system.requires`\n  cause: Because only the following versions of jaxlib are available: x\nnote: this Python is linked against musl, for which few packages have wheels",
            "Failed to download and build `ale-py==0.12.1`",
            "use a Debian base image",
        ),
        (
            "exit code: 1",
            "error: Failed to build `x`\n  cause: The build backend returned an error\n  cause: Call to `be.build_wheel` failed (signal: 9 (SIGKILL))",
            "failed (signal: 9 (SIGKILL))",
            "was killed",
        ),
        (
            "exit code: 1",
            "error: Request failed after 3 retries\n  cause: Failed to fetch: x\nnote: the package index refuses what uv asks; installing with pip instead\nERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
            "built: Could not install packages due to an OSError: [Errno 28] No space left",
            "disk is full",
        ),
        ("exit code: 1", "OSError: [Errno 28] No space left on device", "exit code: 1", "disk is full"),
        ("exit code: 3", "something of its own", "exit code: 3", "read the end"),
    ] {
        let error = failed(Some(("[2/3] RUN x", error, output)), "");
        assert_eq!(error.kind(), "ImageBuild");
        assert!(error.to_string().contains(cause), "{error}");
        assert!(error.hints()[0].contains(hint), "{error:?}");
        assert!(error.details().unwrap().contains("[2/3] RUN x"));
    }
}

#[test]
fn the_install_scripts_print_the_sentences_that_are_looked_for() {
    const SCRIPTS: [&str; 6] = [
        include_str!("../../build_context/install/apt.sh"),
        include_str!("../../build_context/install/bytecode.py"),
        include_str!("../../build_context/install/install.py"),
        include_str!("../../build_context/install/install.sh"),
        include_str!("../../build_context/install/lock.py"),
        include_str!("../../build_context/install/uv.py"),
    ];
    // A shell's string has a backslash before a backtick.
    let printed = SCRIPTS.concat().to_lowercase().replace('\\', "");
    let known = || known::CERTAIN.iter().flat_map(|(sentences, ..)| sentences.iter().copied());
    let others = [
        "of which there is no hash to lock",
        "refuses the user or password",
        "so the lock was not written",
        "this python is linked against musl",
    ];
    for sentence in others {
        assert!(known().any(|known| known == sentence), "{sentence}");
    }
    let of_the_base = known().filter(|sentence| sentence.starts_with("the base image"));
    for sentence in of_the_base.chain(others).chain([TAKEN_OVER]) {
        assert!(printed.contains(sentence), "no script prints {sentence:?}");
    }
}

#[test]
fn known_failures_of_base_images_have_hints() {
    for (said, hint) in [
        ("docker.io/library/nope:1: not found", "the base image does not exist"),
        ("python:3.11-slim: no match for platform in manifest: not found", "does not support this platform"),
        ("failed to do request: dial tcp 127.0.0.1:5000: connect: connection refused", "registry cannot"),
        (
            "failed to do request: Head \"https://registry-1.docker.io/v2/\": dial tcp: lookup registry-1.docker.io: no such host",
            "registry cannot be reached",
        ),
    ] {
        for step in ["[internal] load metadata for docker.io/library/nope:1", "[1/3] FROM nope:1"] {
            let error = failed(Some((step, said, "")), "");
            assert!(error.hints()[0].contains(hint), "{error:?}");
        }
        let error = failed(None, &format!("ERROR: failed to solve: {said}"));
        assert!(error.hints()[0].contains(hint), "{error:?}");
        for step in ["[2/3] RUN x", "[stage-0 1/4] ONBUILD RUN x"] {
            let error = failed(Some((step, said, "")), "");
            assert!(!error.hints()[0].contains(hint), "{error:?}");
        }
    }
}

#[test]
fn an_engine_that_does_not_answer_is_not_a_failed_build() {
    let error = failed(
        None,
        "ERROR: Cannot connect to the Docker daemon at unix:///none. Is the docker daemon running?",
    );
    assert_eq!(error.kind(), "Docker");
    assert_eq!(failed(None, "ERROR: unknown flag: --x").kind(), "ImageBuild");
}

#[test]
fn a_long_cause_is_shortened_between_words() {
    let error = failed(Some(("x", "exit code: 1", &format!("error: {}", "ünd ".repeat(500)))), "");
    let said = error.to_string();
    assert!(said.ends_with("ünd …") && said.chars().count() < 420, "{said}");
}

#[test]
fn only_the_end_of_a_long_output_is_quoted() {
    let output: Vec<String> = (0..500).map(|number| format!("line {number}")).collect();
    let error = failed(Some(("x", "exit code: 1", &output.join("\n"))), "");
    let details = error.details().unwrap();
    assert!(details.lines().count() <= QUOTED_LINES + 1 && details.ends_with("line 499"), "{details}");
}
