//! Tests of the explanations of failed builds.

use super::*;
use crate::engine::docker::build::FailedStep;
use crate::engine::docker::child::Cause;
use crate::engine::docker::invocation::Failure;
use crate::settings::values::{debian_package, requirement};
use proptest::strategy::Strategy as _;

fn failed(step: Option<(&str, &str, &str)>, stderr: &str) -> SandboxError {
    build_error(BuildFailure {
        failure: Failure {
            command: "docker buildx build".to_owned(),
            cause: Cause::Status(1),
            stdout: String::new(),
            stderr: stderr.to_owned(),
        },
        step: step.map(|(name, error, output)| FailedStep {
            name: name.to_owned(),
            error: error.to_owned(),
            output: output.to_owned(),
        }),
        unfinished: Vec::new(),
        messages: Vec::new(),
    })
}

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
        include_str!("../build_context/install/apt.sh"),
        include_str!("../build_context/install/bytecode.py"),
        include_str!("../build_context/install/install.py"),
        include_str!("../build_context/install/install.sh"),
        include_str!("../build_context/install/lock.py"),
        include_str!("../build_context/install/uv.py"),
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

/// As uv 0.13 prints them.
#[test]
fn causes_that_uv_lists_are_found() {
    for (output, cause, hint) in [
        (
            "error: Failed to fetch: `https://pypi.org/simple/x/`\n  cause: Request failed\n  cause: HTTP status server error (500)\n",
            "Failed to fetch: `https://pypi.org/simple/x/`: HTTP status server error (500)",
            "read the end",
        ),
        (
            "error: Request failed after 3 retries in 5.1s\n  cause: Failed to fetch: http://nohost.invalid/simple/six/\n  cause: error sending request for url (http://nohost.invalid/simple/six/)\n  cause: client error (Connect)\n  cause: dns error\n  cause: failed to lookup address information: Name or service not known\n",
            "Failed to fetch: http://nohost.invalid/simple/six/: failed to lookup address information: Name or service not known",
            "the package index cannot be reached",
        ),
        (
            "error: Failed to build `gym==0.21.0`\n  cause: The build backend returned an error\n  cause: Call to `x` failed (exit status: 1)\n\n         [stderr]\n         error: no idea\n\nhint: Build failures usually indicate a problem with the package or the build environment\n",
            "Failed to build `gym==0.21.0`: no idea",
            "its build fails",
        ),
        (
            "error: No solution found when resolving dependencies\n  cause: Because ½ holds and x,\n         we can conclude that y.\n         And z.\n",
            "No solution found when resolving dependencies: Because ½ holds and x, we can conclude that y. And z",
            "the packages conflict",
        ),
    ] {
        let error = failed(Some(("[2/3] RUN x", "exit code: 1", output)), "");
        assert_eq!(error.to_string(), format!("the image was not built: {cause}"));
        assert!(error.hints()[0].contains(hint), "{error:?}");
    }
}

/// As uv 0.9 prints them.
#[test]
fn causes_in_the_tree_of_uv_are_found() {
    let output = "Using Python 3.11.2 environment at: /usr\n  × No solution found when resolving dependencies:\n  ╰─▶ Because there is no version of six==99 and you require six==99, we can\n      conclude that your requirements are unsatisfiable.\n\n      hint: You require CPython 3.11 (`cp311`), but we only found wheels for\n      `six` (v99) with the following Python ABI tags: `cp39`, `cp310`\n";
    let error = failed(Some(("[2/3] RUN x", "exit code: 1", output)), "");
    assert_eq!(error.to_string(), "the image was not built: six 99 has no wheel for Python 3.11");
    assert_eq!(error.hints(), ["it has wheels for Python 3.10", "pass --base-image python:3.10-slim"]);
    let output = "  × Failed to build `numpy==1.19.5`\n  ├─▶ The build backend returned an error\n  ╰─▶ Call to `x` failed (exit status: 1)\n\n      [stderr]\n      RuntimeError: Broken toolchain: cannot link a simple C program\n";
    let error = failed(Some(("[2/3] RUN x", "exit code: 1", output)), "");
    assert_eq!(error.to_string(), "the image was not built: cc is missing to build numpy==1.19.5");
    assert_eq!(error.hints()[1], "pass --apt build-essential");
    let output = output.replace("Broken toolchain: cannot link a simple C program", "oh");
    let error = failed(Some(("[2/3] RUN x", "exit code: 1", &output)), "");
    assert!(
        error.to_string().ends_with("Failed to build `numpy==1.19.5`: Call to `x` failed (exit status: 1)"),
        "{error}"
    );
}

#[test]
fn an_old_release_that_does_not_build_needs_another_python() {
    let output = "Using Python 3.11.2 environment at: /usr\nerror: Failed to build `x==0.1`\n  cause: The build backend returned an error\n\n         [stderr]\n         error: command 'gcc' failed: No such file or directory\nnote: x 0.1 is an old release: 5.0 needs Python >=3.12\n";
    let error = failed(Some((&packages(&["x"]), "exit code: 1", output)), "");
    assert_eq!(error.to_string(), "the image was not built: x 0.1 could not be compiled");
    assert_eq!(
        error.hints(),
        ["it is an old release, because x 5.0 needs another Python", "pass --base-image python:3.12-slim"]
    );
}

#[test]
fn a_requirement_is_blamed_on_what_names_it() {
    let output = "error: No solution found when resolving dependencies\n  cause: Because rlmesh was not found in the package registry and you require rlmesh, we can conclude that your requirements are unsatisfiable.\n";
    let script =
        |arguments: &str| format!(r#"[4/5] RUN ["/bin/sh","/run/rlmesh-sandbox/install/{arguments}]"#);
    for (step, hint) in [
        (
            script(r#"install.sh","--requirements","/opt/rlmesh/source""#),
            "requirements.txt names it: check its spelling",
        ),
        (script(r#"install.sh","--lock","/x.txt""#), "the lockfile names it: check its spelling"),
        (script(r#"install.sh","rlmesh==9","gymnasium""#), "--rlmesh-package names it: check its spelling"),
        (script(r#"install.sh","RLMesh>1""#), "-p names it: check its spelling"),
        (script(r#"install.sh","six""#), "check its spelling"),
    ] {
        assert_eq!(failed(Some((&step, "exit code: 1", output)), "").hints(), [hint]);
    }
}

#[test]
fn packages_that_another_release_calls_differently_are_replaced() {
    let step = r#"[3/5] RUN ["/bin/sh","/run/rlmesh-sandbox/install/apt.sh","git","libgl1-mesa-glx"]"#;
    let error = failed(
        Some((step, "exit code: 100", "E: Package 'libgl1-mesa-glx' has no installation candidate")),
        "",
    );
    assert_eq!(error.hints()[1], "pass --apt libgl1");
    // Only what the user passed is repeated.
    let error = failed(Some((step, "exit code: 100", "E: Unable to locate package libgles2-mesa")), "");
    assert_eq!(error.hints().len(), 1, "{error:?}");
}

proptest::proptest! {
    #[test]
    fn any_output_is_explained_and_no_text_of_it_becomes_a_change(
        parts in proptest::collection::vec(
            proptest::prop_oneof![
                "\\PC{0,12}",
                proptest::sample::select(vec![
                    "error: ", "  cause: ", "Because ", " depends on ", " depends on Python", "you require ", " and ", "\n", "`", "'", "hint: ",
                    "does not satisfy Python", "we only found wheels for `x` (v1) with the following Python ABI tags: `cp3", " fatal error: ",
                    "No such file or directory", ": not found", "cannot find -l", "Package '", "', required by", "note: a 1 is an old release: 2 needs Python ",
                    ">=3.12", "$(x)", "; rm -rf /", "-", "E: Unable to locate package ", " was not found in the package registry", "No matching distribution found for ",
                    "Ignored the following versions that require a different python version: ", " Requires-Python ", "The conflict is caused by:\n\n", "The user requested ",
                    "  × ", "\n  ╰─▶ ", "re-releases are available for `x` (e.g., ", ")", "we can conclude that", " And because ",
                ]).prop_map(str::to_owned),
            ],
            0..24,
        ),
    ) {
        let output = parts.concat();
        let steps = [packages(&["x", "a b"]), r#"[3/5] RUN ["/bin/sh","/run/rlmesh-sandbox/install/apt.sh","git"]"#.to_owned()];
        for step in steps {
            let error = failed(Some((&step, "exit code: 1", &output)), "");
            for change in changes(&error) {
                match change {
                    Change::Add("--base-image", image) => assert!(image.starts_with("python:3.1"), "{image}"),
                    Change::Add("--apt", name) | Change::Replace { option: "--apt", new: name, .. } => {
                        assert_eq!(debian_package(&name).unwrap(), name);
                    }
                    Change::Replace { option: "-p", new, .. } => {
                        assert!(requirement(&new).is_ok() && new.starts_with("x=="), "{new}");
                    }
                    change => panic!("{change:?}"),
                }
            }
        }
    }
}

/// The changes of an error, before they become a hint.
fn changes(error: &SandboxError) -> Vec<Change> {
    let SandboxError::ImageBuild(problem) = error else { panic!("{error:?}") };
    let mut found = Vec::new();
    let _ = problem.clone().with_command(|changes| {
        found = changes.to_vec();
        None
    });
    found
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

/// The step that installs what a user asked for with `-p`.
fn packages(packages: &[&str]) -> String {
    let words: Vec<String> = packages.iter().map(|package| format!("{package:?}")).collect();
    format!(r#"[4/5] RUN --mount=x ["/bin/sh","/run/rlmesh-sandbox/install/install.sh",{}]"#, words.join(","))
}

macro_rules! recorded {
    ($name:literal) => {
        include_str!(concat!("../../../tests/fixtures/failed_builds/", $name, ".txt"))
    };
}

/// The outputs of real installations.
#[test]
fn recorded_failures_lead_on() {
    let requirements = r#"[4/5] RUN ["/bin/sh","/run/rlmesh-sandbox/install/install.sh","--requirements","/opt/rlmesh/source"]"#;
    let apt = |names: &str| format!(r#"[3/5] RUN ["/bin/sh","/run/rlmesh-sandbox/install/apt.sh",{names}]"#);
    let rows: &[(String, &str, &str, &str, &str)] = &[
        (
            packages(&["tensorflow==2.10.0"]),
            recorded!("abi"),
            "tensorflow 2.10.0 has no wheel for Python 3.11",
            "it has wheels for Python 3.10",
            "--base-image python:3.10-slim",
        ),
        (
            packages(&["tensorflow==2.7.0"]),
            recorded!("abi_none"),
            "tensorflow 2.7.0 has no wheel for Python 3.11",
            "its wheels are for cp37m, cp38, cp39, and rlmesh needs Python 3.10 or newer: use another version of tensorflow",
            "",
        ),
        (
            packages(&["pywin32"]),
            recorded!("platform"),
            "pywin32 312 has no wheel for this platform",
            "its wheels are for win32, win_amd64, win_arm64, and the package index has no source to compile",
            "",
        ),
        (
            packages(&["x @ git+https://github.com/Farama-Foundation/Minigrid"]),
            recorded!("git"),
            "git is missing to build x @ git+https://github.com/Farama-Foundation/Minigrid",
            "it is needed to download the package's source",
            "--apt git",
        ),
        (
            packages(&["nonexistent-pkg-xyz"]),
            recorded!("notfound"),
            "nonexistent-pkg-xyz is not on the package index",
            "-p names it: check its spelling",
            "",
        ),
        (
            packages(&["six==99"]),
            recorded!("notversion"),
            "the package index has no six==99",
            "-p asks for it: use a version that exists",
            "",
        ),
        (
            packages(&["minigrid==3.0.0", "gymnasium==0.26"]),
            recorded!("conflict"),
            "the requirements conflict: minigrid==3.0.0 needs gymnasium>=0.28.1, and -p asks for gymnasium==0.26",
            "change one of the two, or use another version of the package that needs it",
            "",
        ),
        (
            packages(&["numpy<2", "numpy>2"]),
            recorded!("conflict2"),
            "the requirements conflict: -p asks for numpy<2, and -p asks for numpy>2",
            "change one of the two, or use another version of the package that needs it",
            "",
        ),
        (
            packages(&["gymnasium>1.0.0a1,<1.0.0"]),
            recorded!("prerel2"),
            "the requirements conflict: -p asks for gymnasium>1.0.0a1, and -p asks for gymnasium<1.0.0",
            "change one of the two, or use another version of the package that needs it",
            "",
        ),
        (
            packages(&["gymnasium"]),
            recorded!("asof"),
            "gymnasium had no such version at the date of --as-of",
            "use a later date: its newest version was published on 2026-10-05",
            "",
        ),
        (
            packages(&["numpy==2.5.0"]),
            recorded!("reqpy"),
            "numpy==2.5.0 needs Python >=3.12",
            "the base image has Python 3.11, which is too old for it",
            "--base-image python:3.12-slim",
        ),
        (
            packages(&["scipy>=1.18"]),
            recorded!("reqpy_dep"),
            "scipy>=1.18.0 needs Python >=3.12",
            "the base image has Python 3.11, which is too old for it",
            "--base-image python:3.12-slim",
        ),
        (
            requirements.to_owned(),
            recorded!("req_notfound"),
            "nope-nope-xyz is not on the package index",
            "requirements.txt names it: check its spelling",
            "",
        ),
        (
            packages(&["evdev==1.6.0"]),
            recorded!("evdev2"),
            "Python.h is missing to build evdev==1.6.0",
            "the package has no wheel for this Python, so it is compiled",
            "--apt python3-dev",
        ),
        (
            packages(&["pyaudio==0.2.13"]),
            recorded!("portaudio"),
            "portaudio.h is missing to build pyaudio==0.2.13",
            "the package has no wheel for this Python, so it is compiled",
            "--apt portaudio19-dev",
        ),
        (
            packages(&["cffi==1.14.0"]),
            recorded!("cffi"),
            "ffi.h is missing to build cffi==1.14.0",
            "the package has no wheel for this Python, so it is compiled",
            "--apt libffi-dev",
        ),
        (
            packages(&["pygraphviz==1.11"]),
            recorded!("pygraphviz"),
            "graphviz/cgraph.h is missing to build pygraphviz==1.11",
            "the package has no wheel for this Python, so it is compiled",
            "--apt libgraphviz-dev",
        ),
        (
            packages(&["pillow==8.0.0"]),
            recorded!("pillow"),
            "jpeg is missing to build pillow==8.0.0",
            "the package has no wheel for this Python, so it is compiled",
            "--apt build-essential --apt libjpeg-dev --apt pkg-config --apt python3-dev",
        ),
        (
            packages(&["atari-py==0.2.9"]),
            recorded!("atari"),
            "cmake is missing to build atari-py==0.2.9",
            "the package has no wheel for this Python, so it is compiled",
            "--apt build-essential --apt cmake --apt python3-dev",
        ),
        (
            packages(&["psutil==5.8.0"]),
            recorded!("psutil"),
            "gcc is missing to build psutil==5.8.0",
            "the package has no wheel for this Python, so it is compiled",
            "--apt build-essential --apt python3-dev",
        ),
        (
            packages(&["pygame==2.1.0"]),
            recorded!("pygame"),
            "sdl2-config is missing to build pygame==2.1.0",
            "the package has no wheel for this Python, so it is compiled",
            "--apt build-essential --apt libsdl2-dev --apt python3-dev",
        ),
        (
            packages(&["dbus-python==1.3.2"]),
            recorded!("dbus"),
            "pkg-config is missing to build dbus-python==1.3.2",
            "the package has no wheel for this Python, so it is compiled",
            "--apt build-essential --apt pkg-config --apt python3-dev",
        ),
        (
            packages(&["lxml==4.8.0"]),
            recorded!("lxml"),
            "libxml2, libxslt are missing",
            "the package has no wheel for this Python, so it is compiled",
            "--apt build-essential --apt libxml2-dev --apt libxslt1-dev",
        ),
        (
            packages(&["dm-tree==0.1.7"]),
            recorded!("cmake"),
            "cmake is missing to build dm-tree==0.1.7",
            "the package has no wheel for this Python, so it is compiled",
            "--apt build-essential --apt cmake --apt python3-dev",
        ),
        (
            packages(&["tokenizers==0.10.3"]),
            recorded!("rust"),
            "cargo is missing to build tokenizers==0.10.3",
            "the package has no wheel for this Python, so it is compiled",
            "--apt build-essential --apt cargo --apt python3-dev",
        ),
        (
            packages(&["mysqlclient==2.2.0"]),
            recorded!("mysql"),
            "pkg-config is missing to build mysqlclient==2.2.0",
            "the package has no wheel for this Python, so it is compiled",
            "--apt build-essential --apt pkg-config --apt python3-dev",
        ),
        (
            packages(&["pycairo==1.25.0"]),
            recorded!("pycairo"),
            "pkg-config is missing to build pycairo==1.25.0",
            "the package has no wheel for this Python, so it is compiled",
            "--apt build-essential --apt pkg-config --apt python3-dev",
        ),
        (
            packages(&["box2d-py==2.3.8"]),
            recorded!("nogcc"),
            "swig is missing to build box2d-py==2.3.8",
            "the package has no wheel for this Python, so it is compiled",
            "--apt build-essential --apt python3-dev --apt swig",
        ),
        (
            packages(&["gym==0.21.0"]),
            recorded!("oldgym"),
            "Failed to build `gym==0.21.0`: Call to `setuptools.build_meta:__legacy__.get_requires_for_build_wheel` failed (exit status: 1)",
            "this release is too old for today's setuptools: use a newer release of the package",
            "",
        ),
        (
            packages(&["gfootball"]),
            recorded!("make"),
            "Failed to build `gfootball==2.10.2`: Google Research Football compilation failed",
            "a package has no wheel for this Python, and its build fails: use another version of the package, or a base image with another Python",
            "",
        ),
        (
            packages(&["six=>1"]),
            recorded!("badreq2"),
            "Failed to parse: `six=>1`: no such comparison operator \"=>\", must be one of ~= == != <= >= < > === six=>1 ^^^",
            "use a pip requirement: NAME, NAME==1.2, 'NAME[extra]', a URL or git+https://…",
            "",
        ),
        (
            packages(&["six"]),
            recorded!("nonet"),
            "Failed to fetch: https://pypi.org/simple/six/: failed to lookup address information: Try again",
            "the package index cannot be reached from inside the build: check the engine's network and proxy",
            "",
        ),
        (
            packages(&["six"]),
            recorded!("proxy"),
            "Failed to fetch: https://pypi.org/simple/six/: Connection refused (os error 111)",
            "the package index cannot be reached from inside the build: check the engine's network and proxy",
            "",
        ),
        (
            packages(&["six"]),
            recorded!("refused"),
            "Failed to fetch: http://127.0.0.1:9/simple/six/: Connection refused (os error 111)",
            "the package index cannot be reached from inside the build: check the engine's network and proxy",
            "",
        ),
        (
            packages(&["numpy"]),
            recorded!("disk"),
            "Failed to install: numpy-2.4.6-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl (numpy==2.4.6): failed to copy file from /run/rlmesh-sandbox/cache/0/packages/archive-v0/t8F_SC5iM0abKPJH/numpy.libs/libscipy_openblas64_-32a4b2a6.so to /usr/local/lib/python3.11/dist-packages/numpy.libs/.tmpiZxbGb: No space left on device (os error 28)",
            "the engine's disk is full: free some space, for example with `docker system prune`",
            "",
        ),
        (
            packages(&["six"]),
            recorded!("user"),
            "failed to create directory `/.local/lib/python3.11/site-packages`: Permission denied (os error 13)",
            "the base image's user cannot install packages: use a base image whose user is root",
            "",
        ),
        (
            packages(&["--lock", "/run/rlmesh-sandbox/lock.txt"]),
            recorded!("nohash"),
            "Failed to download `cffi==1.17.0`: Hash mismatch for `cffi==1.17.0`",
            "the package index has a different file than the lockfile lists: find out why, or remove the lockfile; the next build writes a new one",
            "",
        ),
        (
            packages(&["tensorflow==2.10.0"]),
            recorded!("pip_abi"),
            "there is no tensorflow==2.10.0 for this Python",
            "the index has 2.12.0rc0 to 2.22.0rc0 for it; -p asks for it",
            "",
        ),
        (
            packages(&["nonexistent-pkg-xyz"]),
            recorded!("pip_notfound"),
            "nonexistent-pkg-xyz is not on the package index, or not for this Python and platform",
            "-p names it: check its spelling",
            "",
        ),
        (
            packages(&["minigrid==3.0.0", "gymnasium==0.26"]),
            recorded!("pip_conflict"),
            "there is no gymnasium==0.26 for this Python",
            "the index has 0.0.1 to 1.4.0 for it; -p asks for it",
            "",
        ),
        (
            packages(&["minigrid==3.0.0", "gymnasium==0.28.0"]),
            recorded!("pip_conflict2"),
            "the requirements conflict: -p asks for gymnasium==0.28.0, and minigrid 3.0.0 needs gymnasium>=0.28.1",
            "change one of the two, or use another version of the package that needs it",
            "",
        ),
        (
            packages(&["numpy<2", "numpy>2"]),
            recorded!("pip_conflict3"),
            "the requirements conflict: -p asks for numpy<2, and -p asks for numpy>2",
            "change one of the two, or use another version of the package that needs it",
            "",
        ),
        (
            packages(&["x @ git+https://github.com/Farama-Foundation/Minigrid"]),
            recorded!("pip_git"),
            "git is missing",
            "it is needed to download the package's source",
            "--apt git",
        ),
        (
            packages(&["numba==0.55.0"]),
            recorded!("pip_reqpy"),
            "numba==0.55.0 needs Python >=3.7,<3.11",
            "the base image's Python is too old or too new for it",
            "--base-image python:3.10-slim",
        ),
        (
            requirements.to_owned(),
            recorded!("pip_req_notfound"),
            "nope-nope-xyz==1 is not on the package index, or not for this Python and platform",
            "requirements.txt names it: check its spelling",
            "",
        ),
        (
            packages(&["evdev==1.6.0"]),
            recorded!("pip_evdev"),
            "Python.h is missing to build evdev",
            "the package has no wheel for this Python, so it is compiled",
            "--apt python3-dev",
        ),
        (
            packages(&["box2d-py==2.3.8"]),
            recorded!("pip_nogcc"),
            "swig is missing to build box2d-py",
            "the package has no wheel for this Python, so it is compiled",
            "--apt build-essential --apt python3-dev --apt swig",
        ),
        (
            packages(&["six=>1"]),
            recorded!("pip_badreq2"),
            "Invalid requirement: 'six=>1'",
            "use a pip requirement: NAME, NAME==1.2, 'NAME[extra]', a URL or git+https://…",
            "",
        ),
        (
            apt(r#""libgl1","libnope1","libnope2""#),
            recorded!("apt_two"),
            "libnope1, libnope2 are not packages of the base image's Debian or Ubuntu release",
            "check the spelling of --apt; https://packages.debian.org finds names and files",
            "",
        ),
        (
            apt(r#""libgl1=99""#),
            recorded!("apt_virtual"),
            "the base image's Debian or Ubuntu release has no libgl1=99",
            "its servers only have the newest version of a package",
            "--apt libgl1",
        ),
        (
            packages(&["numba==0.55.0"]),
            recorded!("reqpy_lower"),
            "llvmlite==0.38.1 needs another Python",
            "it can be built with Python 3.10",
            "--base-image python:3.10-slim",
        ),
    ];
    for (step, output, message, hint, changes) in rows {
        let error = failed(Some((step, "exit code: 1", output)), "");
        let mut hints = error.hints();
        let pass = if changes.is_empty() { String::new() } else { hints.pop().unwrap() };
        let seen = (error.to_string(), hints.join(" | "), pass);
        let expected = (
            format!("the image was not built: {message}"),
            (*hint).to_owned(),
            if changes.is_empty() { String::new() } else { format!("pass {changes}") },
        );
        assert_eq!(seen, expected, "{step}");
        let details = error.details().unwrap();
        assert!(details.lines().count() <= QUOTED_LINES + 1, "{details}");
    }
}

/// Texts that must never be typed, many of them, and long lines.
#[test]
fn hostile_texts_and_long_lines_become_neither_changes_nor_long_errors() {
    const HOSTILE: [&str; 12] = [
        "$(touch x)",
        "`id`",
        "'; rm -rf / #",
        "a && b",
        "-p",
        "--privileged",
        "-v /:/host",
        "x\u{202e}txt",
        "\u{1b}[2J",
        "x\0y",
        "../../etc/passwd",
        "evil @ https://evil/x.whl",
    ];
    let templates = [
        "error: Failed to build `{}`\n  cause: {}",
        "error: No solution\n  cause: Because {} depends on {} and you require {}, we can conclude that x.",
        "error: No solution\n  cause: Because {} was not found in the package registry",
        "error: No solution\n  cause: Because there is no version of {}",
        "error: No solution\n  cause: Because {} depends on Python{} and the current Python version (3.{}) does not satisfy Python{}",
        "error: x y\nhint: You require CPython 3.{} (`cp3{}`), but we only found wheels for `{}` (v{}) with the following Python ABI tags: `{}`",
        "error: x y\nhint: re-releases are available for `x` (e.g., {})",
        "ERROR: No matching distribution found for {}",
        "The conflict is caused by:\n    The user requested {}\n    {} depends on {}",
        "fatal error: {}: No such file or directory",
        "/bin/sh: 1: {}: not found",
        "Package '{}', required by 'x', not found",
        "E: Unable to locate package {}",
        "note: {} {} is an old release: {} needs Python {}",
        "LookupError: setuptools-scm was unable to detect version for {}",
        "{}",
    ];
    // As much as is kept of the output of a step.
    let kept = crate::engine::docker::tail::LOG_TAIL;
    let (long, many) = ("A".repeat(kept), "a>1 depends on a<1 ".repeat(kept / 19));
    let texts = HOSTILE.iter().copied().chain([long.as_str(), &many]);
    let steps = [
        packages(&["x", "a b"]),
        r#"[3/5] RUN ["/bin/sh","/run/rlmesh-sandbox/install/apt.sh","git"]"#.to_owned(),
    ];
    for text in texts {
        for template in templates {
            let line = template.replace("{}", text) + "\n";
            let times = (kept / line.len()).max(1);
            for (output, step) in
                [line.clone(), line.repeat(times)].iter().flat_map(|o| steps.iter().map(move |s| (o, s)))
            {
                let error = failed(Some((step, "exit code: 1", output)), "");
                for change in changes(&error) {
                    let Some(typed) = shlex::split(&change.to_string()) else { panic!("{change:?}") };
                    assert!(
                        typed.len() == 2 && !typed.concat().contains(['$', '`', ';', '@', ' ']),
                        "{change:?}"
                    );
                }
                assert!(error.to_string().chars().count() <= 1100 && error.hints().len() < 6, "{error}");
                assert!(error.details().unwrap().lines().all(|line| line.chars().count() < 310));
            }
        }
    }
}
