//! Why a bounded build failed: its ceiling, its builder, or what any build can fail of; evidence in, cause and hints out.

use crate::engine::docker::build::BuildFailure;
use crate::engine::docker::events::OomEvidence;
use crate::engine::docker::invocation::Cause;
use crate::error::{Problem, SandboxError};
use crate::image::build_context::step_title::title;
use crate::image::failure::build_error;
use crate::settings::size::Ceiling;

/// How many lines of a step's output an error quotes.
const QUOTED_LINES: usize = 20;

/// The step in which buildx starts a builder's container.
const BOOTING: &str = "[internal] booting buildkit";

/// The builder that a build failed on.
pub(crate) struct Bounds<'a> {
    pub(crate) builder: &'a str,
    pub(crate) ceiling: Ceiling,
}

/// The failure as the user meets it.
///
/// A build that failed while its builder ran out of memory has met its ceiling. Nothing else says so reliably:
/// the step may show 137, 247 or any other code, none at all, or BuildKit itself may be gone.
pub(crate) fn bounded_error(
    failed: BuildFailure,
    bounds: &Bounds<'_>,
    evidence: &OomEvidence,
) -> SandboxError {
    match (&failed.failure.cause, evidence) {
        (Cause::Interrupted(_) | Cause::NotStarted(_), _) => build_error(failed),
        (_, OomEvidence::Seen) => out_of_memory(&failed, bounds),
        _ if failed.step.as_ref().is_some_and(|step| step.name == BOOTING) => not_booted(&failed, bounds),
        (_, OomEvidence::NotSeen) if is_killed(&failed) => build_error(failed).map_problem(|problem| {
            problem.hint(format!(
                "it did not meet its ceiling of {}: the engine saw the builder run out of no memory",
                bounds.ceiling
            ))
        }),
        (_, OomEvidence::NotSeen) => build_error(failed),
        (_, OomEvidence::Unknown(failure)) => {
            let unknown = format!("whether it met its ceiling of {} is not known: {failure}", bounds.ceiling);
            build_error(failed).map_problem(|problem| problem.hint(unknown))
        }
    }
}

/// Whether the failure looks like one of memory, and somebody will ask.
fn is_killed(failed: &BuildFailure) -> bool {
    let Some(step) = &failed.step else { return false };
    let by_itself = ["exit code: 137", "exit code: 247", "cannot allocate memory"];
    // What an installer says of the process that it ran.
    let below = ["exit status: 137", "signal: 9 (SIGKILL)", "Killed signal terminated program"];
    by_itself.iter().any(|sign| step.error.contains(sign))
        || below.iter().any(|sign| step.output.contains(sign))
}

fn out_of_memory(failed: &BuildFailure, bounds: &Bounds<'_>) -> SandboxError {
    let mut problem = Problem::new(
        format!("the image was not built: the build met its memory ceiling of {}", bounds.ceiling),
        "give it more with --build-memory SIZE, or leave it to the engine: --build-memory off",
    )
    .hint("have less compiled at a time: packages or versions with wheels for this Python, or a base image that sets MAX_JOBS=1 and CMAKE_BUILD_PARALLEL_LEVEL=1")
    .hint("builds that run at the same time under the same ceiling share it: run them one after the other");
    match &failed.step {
        Some(step) if !step.error.contains("context canceled") => {
            // BuildKit repeats the whole command before it says how that ended.
            let (_, end) =
                step.error.rsplit_once(" did not complete successfully: ").unwrap_or(("", &step.error));
            problem = problem.details(format!("failing step: {} ({end})", title(&step.name)));
            problem = problem.details(end_of(&step.output));
        }
        _ if !failed.unfinished.is_empty() => {
            let titles: Vec<String> = failed.unfinished.iter().map(|name| title(name)).collect();
            problem = problem.details(format!("under way were: {}", titles.join("; ")));
        }
        _ => {}
    }
    SandboxError::MemoryCeiling(problem.details(last(&failed.messages)))
}

/// The builder's own container did not come up: the Dockerfile has nothing to do with it.
fn not_booted(failed: &BuildFailure, bounds: &Bounds<'_>) -> SandboxError {
    if let Some(error) = failed.failure.as_docker_error() {
        return error;
    }
    let (builder, ceiling) = (bounds.builder, bounds.ceiling);
    let said = failed.step.as_ref().map_or("", |step| step.error.as_str());
    let said = said.trim_start_matches("Error response from daemon: ");
    let message = format!("the image was not built: the builder {builder} did not start: {said}");
    let problem = if said.to_lowercase().contains("minimum memory") {
        Problem::new(
            message,
            "give the build more with --build-memory SIZE: docker runs no container in so little",
        )
    } else {
        Problem::new(
            message,
            "it runs the image moby/buildkit:buildx-stable-1: have the engine pull it, or bring it there with `docker save` and `docker load`",
        )
        .hint(format!(
            "from a mirror: docker buildx rm {builder}; docker buildx create --name {builder} --driver docker-container --driver-opt memory={ceiling},memory-swap={ceiling},image=MIRROR/moby/buildkit:buildx-stable-1"
        ))
        .hint("or build without a ceiling: --build-memory off")
    };
    SandboxError::ImageBuild(problem.details(format!("failing step: {BOOTING}")))
}

fn end_of(output: &str) -> String {
    let lines: Vec<&str> = output.lines().collect();
    lines[lines.len().saturating_sub(QUOTED_LINES)..].join("\n")
}

/// What buildx said last: of a builder that died, it is all there is.
fn last(said: &[String]) -> &str {
    said.last().map_or("", String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::docker::build::FailedStep;
    use crate::engine::docker::invocation::Failure;
    use crate::error::Signal;

    const BOUNDS: Bounds<'_> = Bounds { builder: "rlmesh-build-1g-default", ceiling: Ceiling(1 << 30) };

    fn failure(cause: Cause, stderr: &str) -> Failure {
        Failure { command: "docker x".to_owned(), cause, stdout: String::new(), stderr: stderr.to_owned() }
    }

    fn failed(step: Option<(&str, &str)>, said: &str) -> BuildFailure {
        BuildFailure {
            failure: failure(Cause::Status(1), if step.is_none() { said } else { "" }),
            step: step.map(|(name, error)| FailedStep {
                name: name.to_owned(),
                error: error.to_owned(),
                output: "cc1plus: working".to_owned(),
            }),
            unfinished: vec!["[2/3] RUN compile".to_owned()],
            messages: vec![said.to_owned()],
        }
    }

    const RUN: &str = "[3/3] RUN compile";

    /// Every way in which a build ends that ran out of memory, as it was seen on real engines.
    fn deaths() -> Vec<BuildFailure> {
        let run = |error| failed(Some((RUN, error)), "ERROR: failed to solve");
        vec![
            run("process \"/bin/sh -c compile\" did not complete successfully: exit code: 137"),
            run("process \"/bin/sh -c compile\" did not complete successfully: exit code: 247"),
            run("process \"/bin/sh -c compile\" did not complete successfully: exit code: 1"),
            run("process \"/bin/sh -c compile\" did not complete successfully: cannot allocate memory"),
            failed(
                None,
                "ERROR: failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF",
            ),
            failed(Some((RUN, "context canceled")), "ERROR: Unavailable: error reading from server: EOF"),
            failed(Some((BOOTING, "exited with 137")), "ERROR: exited"),
        ]
    }

    #[test]
    fn failed_and_out_of_memory_is_the_ceiling_whatever_it_looks_like() {
        for death in deaths() {
            let shown = format!("{death:?}");
            let error = bounded_error(death, &BOUNDS, &OomEvidence::Seen);
            assert_eq!((error.kind(), error.exit().code()), ("MemoryCeiling", 8), "{shown}");
            assert!(error.to_string().contains("ceiling of 1g"), "{error}");
            assert!(error.hints()[0].contains("--build-memory"), "{error:?}");
            let details = error.details().unwrap();
            assert!(details.contains("RUN compile") || details.contains(BOOTING), "{details}");
        }
    }

    #[test]
    fn without_the_event_it_is_an_ordinary_failure() {
        for death in deaths() {
            let shown = format!("{death:?}");
            let error = bounded_error(death, &BOUNDS, &OomEvidence::NotSeen);
            assert_eq!((error.kind(), error.exit().code()), ("ImageBuild", 5), "{shown}");
        }
        let killed = bounded_error(deaths().remove(0), &BOUNDS, &OomEvidence::NotSeen);
        assert!(
            killed.hints().iter().any(|hint| hint.contains("did not meet its ceiling of 1g")),
            "{killed:?}"
        );
    }

    #[test]
    fn where_the_engine_cannot_be_asked_that_is_said() {
        let unknown = OomEvidence::Unknown(failure(Cause::Status(1), "x"));
        let error = bounded_error(deaths().remove(0), &BOUNDS, &unknown);
        assert_eq!(error.kind(), "ImageBuild");
        assert!(error.hints().iter().any(|hint| hint.contains("is not known")), "{error:?}");
    }

    #[test]
    fn an_interrupt_is_no_failure_of_the_build() {
        let mut interrupted = deaths().remove(0);
        interrupted.failure.cause = Cause::Interrupted(Signal::Interrupt);
        interrupted.step = None;
        let error = bounded_error(interrupted, &BOUNDS, &OomEvidence::Seen);
        assert_eq!(error.kind(), "Interrupted");
    }

    #[test]
    fn a_builder_that_does_not_start_says_what_to_do() {
        let no_image = "Error response from daemon: Get \"https://registry-1.docker.io/v2/\": dial tcp: lookup registry-1.docker.io: no such host";
        let error =
            bounded_error(failed(Some((BOOTING, no_image)), "ERROR: x"), &BOUNDS, &OomEvidence::NotSeen);
        assert_eq!(error.kind(), "ImageBuild");
        assert!(error.to_string().contains("did not start: Get \"https://registry-1"), "{error}");
        assert!(error.hints()[0].contains("moby/buildkit:buildx-stable-1"), "{error:?}");
        assert!(error.hints()[1].contains("--name rlmesh-build-1g-default"), "{error:?}");
        let tiny = "Error response from daemon: Minimum memory limit allowed is 6MB";
        let error = bounded_error(failed(Some((BOOTING, tiny)), "ERROR: x"), &BOUNDS, &OomEvidence::NotSeen);
        assert!(error.hints()[0].contains("give the build more"), "{error:?}");
    }
}
