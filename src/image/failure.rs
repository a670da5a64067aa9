//! Why a build failed: the failing step and what it printed in, cause and hints out.

use crate::engine::docker::build::BuildFailure;
use crate::engine::docker::{DISK_FULL, NO_SPACE};
use crate::error::{Problem, SandboxError};
use crate::image::build_context::step_title::title;

/// How many lines of a step's output an error quotes.
const QUOTED_LINES: usize = 20;

/// The end of what our own script notes where pip goes on instead of uv.
const TAKEN_OVER: &str = "; installing with pip instead";

/// How much of what a tool says is wrong stands in an error's first line, in characters: resolvers list every
/// version that there is.
const LONGEST_CAUSE: usize = 360;

const UNREACHABLE: &str =
    "the package index cannot be reached from inside the build: check network and proxy of the engine";

/// What is known to go wrong in builds: a text that gives it away, and what to do. The first match is the
/// likeliest; texts are compared in lower case.
const KNOWN: &[(&[&str], &str)] = &[
    (
        &["the base image has no python", "the base image has python ", "the base image has no `python`"],
        "use a base image with Python 3.10 or newer, such as python:3.11-slim",
    ),
    (
        &["the base image has no pip to install with"],
        "leave --installer pip out: uv needs none; or use a base image that has pip",
    ),
    (
        &["the base image has no pip, and uv cannot be had"],
        "use a base image that has pip, or let the build reach a package index that has uv",
    ),
    (
        &["the base image has no apt-get"],
        "--apt is for Debian and its kin: use such a --base-image, or one that has what you need",
    ),
    (
        &["the base image's user is not root"],
        "use a base image whose user is root, or one that has what you need",
    ),
    (
        &["unable to locate package", "has no installation candidate"],
        "check the name given with --apt: it is that of a package of the base image's own Debian release",
    ),
    (
        &["exec: \"/bin/sh\"", "/bin/sh: no such file"],
        "the base image has no shell: use one that has a shell and Python, such as python:3.11-slim",
    ),
    (
        &["refuses the user or password", "401 unauthorized", "401 client error"],
        "the package index refuses the login: check the user and password in PIP_INDEX_URL or UV_DEFAULT_INDEX",
    ),
    (
        &["cache export is not supported"],
        "the engine's own builder exports no cache but type=inline: turn on Docker's containerd image store, or use a builder of your own (`docker buildx create --use`)",
    ),
    (
        &["do not match the hashes", "hash mismatch for"],
        "the index has another file than the one that --lock lists: find out why, or remove the lock to have it written anew",
    ),
    (
        &["in --require-hashes mode, all requirements must have"],
        "the lock lacks a package that another one needs: remove it to have it written anew",
    ),
    (
        &["exec format error"],
        "this engine cannot run programs of that platform: build on a machine that can, or install QEMU's binfmt handlers there",
    ),
    (
        &["so the lock was not written"],
        "a lock needs every package from an index: check PIP_INDEX_URL and the network of the engine, or leave --lock out",
    ),
    (
        &["of which there is no hash to lock"],
        "a lock holds packages from an index or an archive's address: leave --lock out, or install a release of it",
    ),
    (
        &["failed to create endpoint", "failed to set up container networking"],
        "the engine's own network is out of order: restart Docker, and check that `docker run --rm IMAGE` works",
    ),
    (&[NO_SPACE], DISK_FULL),
    (
        &["certificate_verify_failed", "certificate verify failed", "invalid peer certificate"],
        "the index's certificate is not trusted inside the build: name your company's certificates with --ca-cert",
    ),
    (
        &["is not a trusted or secure host and is being ignored"],
        "pip leaves out an index without TLS: name its host in PIP_TRUSTED_HOST, or give its https:// address",
    ),
    // pip goes on without an index that it cannot reach, and then finds nothing.
    (&["retry(total=0"], UNREACHABLE),
    // What our own script notes where a build has failed, whatever that says: it need not come to a compiler.
    (
        &["this python is linked against musl"],
        "a package has no wheel for musl (Alpine), and cannot be built there: use a Debian base image, such as python:3.11-slim",
    ),
    (
        &["incompatible with the current platform", "is not a supported wheel on this platform"],
        "a wheel is made for another Python, processor or libc than the base image's: name one that fits, or use another --base-image",
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
        "no such package or version for this Python: check -p and --rlmesh-package, and the Python of --base-image",
    ),
    (
        &["invalid requirement", "failed to parse: `"],
        "write -p as pip takes it: NAME, NAME==1.2, 'NAME[extra]', a URL or git+https://…",
    ),
    (
        &["resolutionimpossible", "conflicting dependencies", "no solution found when resolving"],
        "the packages do not fit together: loosen a version, or name one that fits",
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
        "a package has no wheel for this Python and no compiler to build it with: pass --apt build-essential (or --apt cmake), use another Python, or a base image that has one",
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
        "a package is compiled and lacks a system library: install its Debian packages with --apt (libNAME-dev, and pkg-config), or use a base image that has it",
    ),
    (
        &["exec: \"python\"", "python: not found", "no module named pip"],
        "the base image lacks Python or pip: use one that has both, such as python:3.11-slim",
    ),
    (
        &["requires-python", "requires a different python", "requires python"],
        "the base image's Python is too old or too new for a package: use another --base-image",
    ),
    (
        &[
            "exit code: 137",
            "exit status: 137",
            "signal: 9 (sigkill)",
            "killed signal terminated program",
            "cannot allocate memory",
        ],
        "a process was killed or refused memory: most often the engine has too little of it",
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
        "a package has no wheel for this Python, and what it is built with fails: it may lack a compiler or a system library (--apt build-essential, --apt libNAME-dev), or want another version or Python",
    ),
    (&["permission denied"], "the base image's user may not install packages: use one whose user is root"),
];

/// The same for the base image. What a step's own process prints says nothing of that.
const KNOWN_OF_THE_BASE: &[(&[&str], &str)] = &[
    (
        &["no match for platform", "does not provide the specified platform"],
        "the base image is not made for that platform: check --platform and --base-image",
    ),
    (
        &["pull access denied", "repository does not exist", "manifest unknown", ": not found"],
        "the base image does not exist, or is private: check --base-image, and `docker login`",
    ),
    (
        &["failed to do request", "failed to resolve source metadata", "registry-1.docker.io"],
        "the registry cannot be reached: check network and proxy, or name a --base-image that the engine has (`docker image ls`)",
    ),
];

/// The failure as the user meets it.
pub(crate) fn build_error(failed: BuildFailure) -> SandboxError {
    // Where BuildKit named no step, it was docker that failed.
    let Some(step) = &failed.step else {
        let said = &failed.failure.stderr;
        let hint = known_hint(KNOWN_OF_THE_BASE, said)
            .or_else(|| known_hint(KNOWN, said))
            .unwrap_or("check `docker buildx ls`, and run it again with -v");
        return failed.failure.into_error("the image was not built", hint, SandboxError::ImageBuild);
    };
    if let Some(error) = failed.failure.as_docker_error() {
        return error;
    }
    // What uv said before pip took over is overcome.
    let output = step.output.rsplit_once(TAKEN_OVER).map_or(step.output.as_str(), |(_, output)| output);
    let cause = cause(output, &step.error);
    // uv breaks its sentences anywhere; the cause has them whole.
    let evidence = format!("{cause}\n{output}\n{}\n{}", step.error, failed.said.join("\n"));
    let of_the_base = if has_a_process(&step.name) { &[] } else { KNOWN_OF_THE_BASE };
    let hint = known_hint(of_the_base, &evidence)
        .or_else(|| known_hint(KNOWN, &evidence))
        .unwrap_or("read the end of the step's output below");
    let quoted: Vec<&str> = step.output.lines().rev().take(QUOTED_LINES).collect();
    let quoted = quoted.into_iter().rev().collect::<Vec<_>>().join("\n");
    let problem = Problem::new(format!("the image was not built: {}", shortened(&cause)), hint)
        .details(format!("failing step: {}", title(&step.name)))
        .details(quoted);
    SandboxError::ImageBuild(problem)
}

/// Whether a step runs something in the image, by its name: `[stage-0 3/4] RUN …`, `[1/4] ONBUILD RUN …`.
fn has_a_process(step: &str) -> bool {
    let instruction = step.split_once("] ").map_or(step, |(_, instruction)| instruction);
    instruction.trim_start_matches("ONBUILD ").starts_with("RUN ")
}

fn known_hint(known: &[(&[&str], &'static str)], evidence: &str) -> Option<&'static str> {
    let evidence = evidence.to_lowercase();
    let is_known = |needles: &&[&str]| needles.iter().any(|needle| evidence.contains(needle));
    known.iter().find(|(needles, _)| is_known(needles)).map(|(_, hint)| *hint)
}

/// What pip, uv or our own scripts say is wrong, else BuildKit's own.
fn cause(output: &str, error: &str) -> String {
    let said = last_error(output).or_else(|| uvs_cause(output));
    said.unwrap_or_else(|| error.to_owned()).trim_end_matches('.').to_owned()
}

/// A text as far as it fits, whole words only.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST_CAUSE) {
        Some((end, _)) => {
            format!("{} …", text[..end].rsplit_once(' ').map_or(&text[..end], |(words, _)| words))
        }
        None => text.to_owned(),
    }
}

/// The last line that says that it is an error, with the deepest of the reasons that newer versions of uv list
/// below it. What a package's own build says is wrong comes indented, after what uv says of that package.
fn last_error(output: &str) -> Option<String> {
    let lines: Vec<&str> = output.lines().collect();
    let said = |line: &str| {
        let line = line.trim();
        let said = line.strip_prefix("error: ").or_else(|| line.strip_prefix("ERROR: "));
        said.map(str::to_owned)
    };
    let (at, last) =
        lines.iter().enumerate().rev().find_map(|(at, line)| said(line).map(|said| (at, said)))?;
    let Some(outer) = lines.iter().rposition(|line| line.starts_with("error: ")) else { return Some(last) };
    let mut headline = said(lines[outer]).unwrap_or_default();
    if !headline.contains(' ') {
        // A name that pip has for the error; in words it comes below.
        return pips_cause(&lines[outer + 1..]).or(Some(headline));
    }
    let reason = |line: &&str| {
        let line = line.trim();
        line.strip_prefix("cause: ").or_else(|| line.strip_prefix("Caused by: ")).map(str::to_owned)
    };
    let mut reasons = lines[outer + 1..].iter().map_while(reason);
    if headline.starts_with("Request failed after ") {
        // Which request that was comes first below it.
        headline = reasons.next().unwrap_or(headline);
    }
    let why = if at > outer { Some(last) } else { reasons.last() };
    Some(match why {
        Some(why) => format!("{headline}: {why}"),
        None => headline,
    })
}

/// pip's tree: what failed after a cross, and below it, after an arrow, the package or where to read on.
fn pips_cause(lines: &[&str]) -> Option<String> {
    let mut lines = lines.iter().skip_while(|line| !line.starts_with('×'));
    let failed = lines.next()?.trim_start_matches(['×', ' ']).trim_end_matches('.');
    let arrow = lines.take_while(|line| !line.is_empty()).find_map(|line| line.strip_prefix("╰─> "));
    Some(match arrow.filter(|arrow| !arrow.starts_with("See above")) {
        Some(package) => format!("{failed}: {package}"),
        None => failed.to_owned(),
    })
}

/// Older versions of uv draw a tree: what failed after a cross, and below it, after an arrow and over several
/// lines, why.
fn uvs_cause(output: &str) -> Option<String> {
    let mut lines = output.lines().map(str::trim).skip_while(|line| !line.starts_with('×'));
    let failed = lines.next()?.trim_start_matches('×').trim();
    let mut why = String::new();
    for line in lines.take_while(|line| !line.is_empty() && !line.starts_with("hint:")) {
        let part = line.trim_start_matches(['│', '├', '╰', '─', '▶', ' ']);
        // A second arrow begins another sentence.
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
    use crate::engine::docker::invocation::{Cause, Failure};

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
            said: Vec::new(),
        })
    }

    #[test]
    fn what_is_known_to_go_wrong_comes_with_what_to_do() {
        for (error, output, cause, hint) in [
            (
                "exit code: 1",
                "ERROR: Could not find a version that satisfies the requirement nope (from versions: none)\nERROR: No matching distribution found for nope",
                "No matching distribution found for nope",
                "no such package",
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
                "no such package",
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
                "has no wheel for this Python, and what it is built with fails",
            ),
            (
                "exit code: 2",
                "error: Failed to parse: `a b`: Expected one of `@`, found `b`",
                "Failed to parse",
                "write -p as",
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
    fn a_base_image_that_cannot_be_had_comes_with_what_to_do() {
        for (said, hint) in [
            ("docker.io/library/nope:1: not found", "the base image does not exist"),
            ("python:3.11-slim: no match for platform in manifest: not found", "not made for that platform"),
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
    fn a_dead_engine_is_no_failed_build() {
        let error = failed(
            None,
            "ERROR: Cannot connect to the Docker daemon at unix:///none. Is the docker daemon running?",
        );
        assert_eq!(error.kind(), "Docker");
        assert_eq!(failed(None, "ERROR: unknown flag: --x").kind(), "ImageBuild");
    }

    /// As uv 0.13 prints them.
    #[test]
    fn uv_lists_the_reasons_of_an_error() {
        for (output, cause, hint) in [
            (
                "Using Python 3.11.2 environment at: /usr\nerror: No solution found when resolving dependencies\n  cause: Because there is no version of six==99 and you require six==99, we can conclude that your requirements are unsatisfiable.\n",
                "No solution found when resolving dependencies: Because there is no version of six==99 and you require six==99, we can conclude that your requirements are unsatisfiable",
                "no such package or version",
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
    fn uv_says_what_is_wrong_in_a_tree() {
        let output = "Using Python 3.11.2 environment at: /usr\n  × No solution found when resolving dependencies:\n  ╰─▶ Because there is no version of six==99 and you require six==99, we can\n      conclude that your requirements are unsatisfiable.\n";
        let error = failed(Some(("[2/3] RUN x", "exit code: 1", output)), "");
        assert_eq!(
            error.to_string(),
            "the image was not built: No solution found when resolving dependencies: Because there is no version of six==99 and you require six==99, we can conclude that your requirements are unsatisfiable"
        );
        assert!(error.hints()[0].contains("no such package or version"), "{error:?}");
        let output = "  × Failed to build `numpy==1.19.5`\n  ├─▶ The build backend returned an error\n  ╰─▶ Call to `x` failed (exit status: 1)\n\n      [stderr]\n      RuntimeError: Broken toolchain: cannot link a simple C program\n";
        let error = failed(Some(("[2/3] RUN x", "exit code: 1", output)), "");
        assert!(error.to_string().ends_with("Failed to build `numpy==1.19.5`: The build backend returned an error; Call to `x` failed (exit status: 1)"), "{error}");
        assert!(error.hints()[0].contains("--apt build-essential"), "{error:?}");
    }

    #[test]
    fn a_cause_that_goes_on_and_on_is_cut_between_words() {
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
