//! Explains why a build failed, from the failed step and its output.

use crate::engine::docker::build::BuildFailure;
use crate::engine::docker::{DISK_FULL, NO_SPACE};
use crate::error::{Problem, SandboxError};
use crate::image::build_context::step_title::title;

/// How many lines of a step's output an error quotes.
const QUOTED_LINES: usize = 7;

/// The end of the note that the install script prints when it falls back from uv to pip.
const TAKEN_OVER: &str = "; installing with pip instead";

/// The most of a tool's error that goes into an error's first line, in characters: resolvers list every
/// version.
const LONGEST_CAUSE: usize = 360;

const UNREACHABLE: &str =
    "the package index cannot be reached from inside the build: check the engine's network and proxy";

/// Known failures of builds: texts that identify them, in lower case, and a hint. The first match wins.
const KNOWN: &[(&[&str], &str)] = &[
    (
        &["the base image has no python", "the base image has python ", "the base image has no `python`"],
        "use a base image with Python 3.10 or newer, such as python:3.11-slim",
    ),
    (
        &["the base image has no pip to install with"],
        "run it without --installer pip, because uv does not need pip, or use a base image that has pip",
    ),
    (
        &["the base image has no pip, and uv cannot be downloaded"],
        "use a base image that has pip, or a package index that has uv",
    ),
    (
        &["the base image has no apt-get"],
        "use a base image with apt-get, such as Debian or Ubuntu, or one that already has the packages that you need",
    ),
    (
        &["the base image's user is not root"],
        "use a base image whose user is root, or one that already has the packages that you need",
    ),
    (
        &["unable to locate package", "has no installation candidate"],
        "check the name that you pass to --apt: it must be a package of the base image's Debian or Ubuntu release",
    ),
    (
        &["exec: \"/bin/sh\"", "/bin/sh: no such file"],
        "use a base image that has a shell and Python, such as python:3.11-slim",
    ),
    (
        &["refuses the user or password", "401 unauthorized", "401 client error"],
        "check the user name and password in PIP_INDEX_URL or UV_DEFAULT_INDEX",
    ),
    (
        &["cache export is not supported"],
        "the engine's default builder can only export type=inline: enable Docker's containerd image store, or create another builder with `docker buildx create --use`",
    ),
    (
        &["do not match the hashes", "hash mismatch for"],
        "the package index has a different file than the lockfile lists: find out why, or remove the lockfile; the next build writes a new one",
    ),
    (
        &["in --require-hashes mode, all requirements must have"],
        "the lockfile lacks a package that another package needs: remove the lockfile; the next build writes a new one",
    ),
    (
        &["exec format error"],
        "the engine cannot run programs for this platform: install QEMU's binfmt handlers on its machine, or build on a machine of this platform",
    ),
    (
        &["so the lock was not written"],
        "a lockfile needs the hashes of a package index: check PIP_INDEX_URL and the engine's network, or run it without --lock",
    ),
    (
        &["of which there is no hash to lock"],
        "a lockfile can only list packages from a package index or an archive URL: install a released version, or run it without --lock",
    ),
    (
        &["failed to create endpoint", "failed to set up container networking"],
        "the engine cannot set up a container's network: restart Docker, and check that `docker run --rm IMAGE` works",
    ),
    (&[NO_SPACE], DISK_FULL),
    (
        &["certificate_verify_failed", "certificate verify failed", "invalid peer certificate"],
        "the certificate of the package index is not trusted in the build: pass your company's certificates with --ca-cert FILE",
    ),
    (
        &["is not a trusted or secure host and is being ignored"],
        "pip ignores a package index without TLS: add its host to PIP_TRUSTED_HOST, or use its https:// address",
    ),
    // pip ignores an index that it cannot reach, and then finds no versions.
    (&["retry(total=0"], UNREACHABLE),
    // A note of the install script after any failure on musl.
    (
        &["this python is linked against musl"],
        "a package has no wheel for musl (Alpine) and cannot be built there: use a Debian base image, such as python:3.11-slim",
    ),
    (
        &["incompatible with the current platform", "is not a supported wheel on this platform"],
        "a wheel is for another Python, architecture or libc than the base image's: use another wheel, or another base image (--base-image)",
    ),
    (
        &[
            "no matching distribution found",
            "could not find a version that satisfies",
            "was not found in the package registry",
            "there is no version of",
            "there are no versions of",
            "only the following versions of",
        ],
        "the package or version does not exist for this Python: check -p and --rlmesh-package, and the Python of the base image",
    ),
    (
        &["invalid requirement", "failed to parse: `"],
        "use a pip requirement for -p: NAME, NAME==1.2, 'NAME[extra]', a URL or git+https://…",
    ),
    (
        &["resolutionimpossible", "conflicting dependencies", "no solution found when resolving"],
        "the packages conflict: relax a version requirement, or use a version that is compatible",
    ),
    (
        &[
            "temporary failure in name resolution",
            "newconnectionerror",
            "failed to establish a new connection",
            "dns error",
            "proxyerror",
            "read timed out",
            "connection refused",
            "network is unreachable",
        ],
        UNREACHABLE,
    ),
    (
        &[
            "command 'gcc' failed",
            "command 'g++' failed",
            "gcc: not found",
            "unable to execute 'gcc'",
            "no such file or directory: 'gcc'",
            "no such file or directory: 'cmake'",
            "unknown compiler",
            "broken toolchain",
            "is not able to compile a simple test program",
        ],
        "a package has no wheel for this Python, and the base image has no compiler to build it: pass --apt build-essential (or --apt cmake), or use another base image (--base-image)",
    ),
    (
        &[
            "fatal error: ",
            "cannot find -l",
            "pkg-config: not found",
            "did not find pkg-config",
            "valid pkg-config name",
            "no such file or directory: 'pkg-config'",
        ],
        "a system library is missing to compile a package: install its Debian packages with --apt (libNAME-dev, and pkg-config), or use a base image that has it",
    ),
    (
        &["exec: \"python\"", "python: not found", "no module named pip"],
        "use a base image that has Python and pip, such as python:3.11-slim",
    ),
    (
        &["requires-python", "requires a different python", "requires python"],
        "the base image's Python is too old or too new for a package: use another base image (--base-image)",
    ),
    (
        &[
            "exit code: 137",
            "exit status: 137",
            "signal: 9 (sigkill)",
            "killed signal terminated program",
            "cannot allocate memory",
        ],
        "a process was killed or got no memory, most likely because the engine has too little: give Docker more memory",
    ),
    (
        &[
            "failed to build `",
            "the build backend returned an error",
            "subprocess-exited-with-error",
            "legacy-install-failure",
            "failed-wheel-build-for-install",
            "failed building wheel for",
        ],
        "a package has no wheel for this Python, and its build fails: install a compiler or a system library (--apt build-essential, --apt libNAME-dev), or use another version of the package or of Python",
    ),
    (
        &["permission denied"],
        "the base image's user cannot install packages: use a base image whose user is root",
    ),
];

/// Known failures to get the base image. They are not looked for in the output of a step's process.
const KNOWN_FOR_BASE_IMAGES: &[(&[&str], &str)] = &[
    (
        &["no match for platform", "does not provide the specified platform"],
        "the base image does not support this platform: check --platform and --base-image",
    ),
    (
        &["pull access denied", "repository does not exist", "manifest unknown", ": not found"],
        "the base image does not exist or is private: check --base-image; for a private image, run `docker login REGISTRY`",
    ),
    (
        &["failed to do request", "failed to resolve source metadata", "registry-1.docker.io"],
        "the registry cannot be reached: check the engine's network and proxy, or use a base image that the engine has (see `docker image ls`)",
    ),
];

/// The error for the user.
pub(crate) fn build_error(failed: BuildFailure) -> SandboxError {
    // If BuildKit reported no failed step, docker itself failed.
    let Some(step) = &failed.step else {
        let stderr = &failed.failure.stderr;
        let hint = known_hint(KNOWN_FOR_BASE_IMAGES, stderr)
            .or_else(|| known_hint(KNOWN, stderr))
            .unwrap_or("check that `docker buildx ls` works, and run it again with -v");
        return failed.failure.into_error("the image was not built", hint, SandboxError::ImageBuild);
    };
    if let Some(error) = failed.failure.as_docker_error() {
        return error;
    }
    // Ignore what uv printed before the fallback to pip.
    let output = step.output.rsplit_once(TAKEN_OVER).map_or(step.output.as_str(), |(_, output)| output);
    let cause = cause(output, &step.error);
    // uv wraps its sentences; the cause has them without line breaks.
    let evidence = format!("{cause}\n{output}\n{}\n{}", step.error, failed.messages.join("\n"));
    let for_base_images = if runs_a_process(&step.name) { &[] } else { KNOWN_FOR_BASE_IMAGES };
    let hint = known_hint(for_base_images, &evidence)
        .or_else(|| known_hint(KNOWN, &evidence))
        .unwrap_or("read the end of the step's output below");
    let problem = Problem::new(format!("the image was not built: {}", shortened(&cause)), hint)
        .details(format!("failing step: {}", title(&step.name)))
        .details(last_lines(&step.output));
    SandboxError::ImageBuild(problem)
}

/// The end of a step's output, as far as an error quotes it.
pub(crate) fn last_lines(output: &str) -> String {
    let lines: Vec<&str> = output.lines().collect();
    lines[lines.len().saturating_sub(QUOTED_LINES)..].join("\n")
}

/// Whether a step runs a process, by its name: `[stage-0 3/4] RUN …`, `[1/4] ONBUILD RUN …`.
fn runs_a_process(step: &str) -> bool {
    let instruction = step.split_once("] ").map_or(step, |(_, instruction)| instruction);
    instruction.trim_start_matches("ONBUILD ").starts_with("RUN ")
}

fn known_hint(known: &[(&[&str], &'static str)], evidence: &str) -> Option<&'static str> {
    let evidence = evidence.to_lowercase();
    let is_known = |needles: &&[&str]| needles.iter().any(|needle| evidence.contains(needle));
    known.iter().find(|(needles, _)| is_known(needles)).map(|(_, hint)| *hint)
}

/// The error of pip, uv or the install scripts, or else BuildKit's.
fn cause(output: &str, error: &str) -> String {
    let found = last_error(output).or_else(|| uv_tree(output));
    found.unwrap_or_else(|| error.to_owned()).trim_end_matches('.').to_owned()
}

/// Shortens a text between words.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST_CAUSE) {
        Some((end, _)) => {
            format!("{} …", text[..end].rsplit_once(' ').map_or(&text[..end], |(words, _)| words))
        }
        None => text.to_owned(),
    }
}

/// The last line that starts with `error:`, with the innermost of the causes that newer versions of uv list
/// below it. The errors of a package's own build are indented, and follow uv's error about that package.
fn last_error(output: &str) -> Option<String> {
    let lines: Vec<&str> = output.lines().collect();
    let error = |line: &str| {
        let line = line.trim();
        let error = line.strip_prefix("error: ").or_else(|| line.strip_prefix("ERROR: "));
        error.map(str::to_owned)
    };
    let (at, last) =
        lines.iter().enumerate().rev().find_map(|(at, line)| error(line).map(|error| (at, error)))?;
    let Some(outer) = lines.iter().rposition(|line| line.starts_with("error: ")) else { return Some(last) };
    let mut headline = error(lines[outer]).unwrap_or_default();
    if !headline.contains(' ') {
        // pip's short name for the error. The description follows.
        return pip_tree(&lines[outer + 1..]).or(Some(headline));
    }
    let reason = |line: &&str| {
        let line = line.trim();
        line.strip_prefix("cause: ").or_else(|| line.strip_prefix("Caused by: ")).map(str::to_owned)
    };
    let mut reasons = lines[outer + 1..].iter().map_while(reason);
    if headline.starts_with("Request failed after ") {
        // The first cause names the request.
        headline = reasons.next().unwrap_or(headline);
    }
    let innermost = if at > outer { Some(last) } else { reasons.last() };
    Some(match innermost {
        Some(cause) => format!("{headline}: {cause}"),
        None => headline,
    })
}

/// The error in pip's tree: the failure after a cross, and the package or a reference below it after an
/// arrow.
fn pip_tree(lines: &[&str]) -> Option<String> {
    let mut lines = lines.iter().skip_while(|line| !line.starts_with('×'));
    let failed = lines.next()?.trim_start_matches(['×', ' ']).trim_end_matches('.');
    let arrow = lines.take_while(|line| !line.is_empty()).find_map(|line| line.strip_prefix("╰─> "));
    Some(match arrow.filter(|arrow| !arrow.starts_with("See above")) {
        Some(package) => format!("{failed}: {package}"),
        None => failed.to_owned(),
    })
}

/// The error in the tree of older versions of uv: the failure after a cross, and its causes below it after
/// arrows, each over several lines.
fn uv_tree(output: &str) -> Option<String> {
    let mut lines = output.lines().map(str::trim).skip_while(|line| !line.starts_with('×'));
    let failed = lines.next()?.trim_start_matches('×').trim();
    let mut why = String::new();
    for line in lines.take_while(|line| !line.is_empty() && !line.starts_with("hint:")) {
        let part = line.trim_start_matches(['│', '├', '╰', '─', '▶', ' ']);
        // Another arrow starts another cause.
        if !why.is_empty() {
            why.push_str(if line.contains('▶') { "; " } else { " " });
        }
        why.push_str(part);
    }
    let failed = failed.trim_end_matches(':');
    Some(if why.is_empty() { failed.to_owned() } else { format!("{failed}: {why}") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::docker::build::FailedStep;
    use crate::engine::docker::child::Cause;
    use crate::engine::docker::invocation::Failure;

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
                "No matching distribution found for nope",
                "does not exist for this Python",
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
                "No matching distribution found for nope==9",
                "does not exist for this Python",
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
                "Getting requirements to build wheel did not run successfully",
                "libNAME-dev",
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
                "use a pip requirement for -p",
            ),
            ("exit code: 127", "/bin/sh: 1: frob: not found", "exit code: 127", "read the end"),
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
            include_str!("build_context/install/apt.sh"),
            include_str!("build_context/install/bytecode.py"),
            include_str!("build_context/install/install.py"),
            include_str!("build_context/install/install.sh"),
            include_str!("build_context/install/lock.py"),
            include_str!("build_context/install/uv.py"),
        ];
        // A shell's string has a backslash before a backtick.
        let printed = SCRIPTS.concat().to_lowercase().replace('\\', "");
        let known = || KNOWN.iter().flat_map(|(sentences, _)| sentences.iter().copied());
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
            (
                "python:3.11-slim: no match for platform in manifest: not found",
                "does not support this platform",
            ),
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
                "Using Python 3.11.2 environment at: /usr\nerror: No solution found when resolving dependencies\n  cause: Because there is no version of six==99 and you require six==99, we can conclude that your requirements are unsatisfiable.\n",
                "No solution found when resolving dependencies: Because there is no version of six==99 and you require six==99, we can conclude that your requirements are unsatisfiable",
                "does not exist for this Python",
            ),
            (
                "error: Request failed after 3 retries in 5.1s\n  cause: Failed to fetch: http://nohost.invalid/simple/six/\n  cause: error sending request for url (http://nohost.invalid/simple/six/)\n  cause: client error (Connect)\n  cause: dns error\n  cause: failed to lookup address information: Name or service not known\n",
                "Failed to fetch: http://nohost.invalid/simple/six/: failed to lookup address information: Name or service not known",
                "the package index cannot be reached",
            ),
            (
                "error: Failed to build `evdev==1.6.0`\n  cause: The build backend returned an error\n  cause: Call to `x` failed (exit status: 1)\n\n         [stderr]\n         building 'evdev._input' extension\n         error: command 'gcc' failed: No such file or directory\n\nhint: Build failures usually indicate a problem with the package or the build environment\n",
                "Failed to build `evdev==1.6.0`: command 'gcc' failed: No such file or directory",
                "--apt build-essential",
            ),
            (
                "error: Failed to build `numpy==1.19.5`\n  cause: The build backend returned an error\n  cause: Call to `x` failed (exit status: 1)\n\n         [stderr]\n         RuntimeError: Broken toolchain: cannot link a simple C program\n",
                "Failed to build `numpy==1.19.5`: Call to `x` failed (exit status: 1)",
                "--apt build-essential",
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
        let output = "Using Python 3.11.2 environment at: /usr\n  × No solution found when resolving dependencies:\n  ╰─▶ Because there is no version of six==99 and you require six==99, we can\n      conclude that your requirements are unsatisfiable.\n";
        let error = failed(Some(("[2/3] RUN x", "exit code: 1", output)), "");
        assert_eq!(
            error.to_string(),
            "the image was not built: No solution found when resolving dependencies: Because there is no version of six==99 and you require six==99, we can conclude that your requirements are unsatisfiable"
        );
        assert!(error.hints()[0].contains("does not exist for this Python"), "{error:?}");
        let output = "  × Failed to build `numpy==1.19.5`\n  ├─▶ The build backend returned an error\n  ╰─▶ Call to `x` failed (exit status: 1)\n\n      [stderr]\n      RuntimeError: Broken toolchain: cannot link a simple C program\n";
        let error = failed(Some(("[2/3] RUN x", "exit code: 1", output)), "");
        assert!(error.to_string().ends_with("Failed to build `numpy==1.19.5`: The build backend returned an error; Call to `x` failed (exit status: 1)"), "{error}");
        assert!(error.hints()[0].contains("--apt build-essential"), "{error:?}");
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
}
