//! Why a build with a memory limit failed: the limit, the builder, or what any build can fail of.

use crate::engine::docker::build::BuildFailure;
use crate::engine::docker::child::Cause;
use crate::engine::docker::events::OomEvidence;
use crate::error::{Problem, SandboxError};
use crate::image::build_context::step_title::title;
use crate::image::failure::{build_error, last_lines};
use crate::settings::size::MemoryLimit;

/// The step in which buildx starts a builder's container.
const BOOTING: &str = "[internal] booting buildkit";

/// The failure as the user sees it.
///
/// A build that failed while its builder ran out of memory has reached its limit. Nothing else shows that
/// reliably: the step may end with 137, 247 or any other code, or with none, or BuildKit itself may be killed.
pub(crate) fn limited_build_error(
    failed: BuildFailure,
    builder: &str,
    limit: MemoryLimit,
    evidence: &OomEvidence,
) -> SandboxError {
    match (&failed.failure.cause, evidence) {
        (Cause::Interrupted(_) | Cause::NotStarted(_), _) => build_error(failed),
        (_, OomEvidence::Seen) => out_of_memory(&failed, limit),
        _ if failed.step.as_ref().is_some_and(|step| step.name == BOOTING) => {
            not_booted(&failed, builder, limit)
        }
        (_, OomEvidence::NotSeen) if is_killed(&failed) => build_error(failed).map_problem(|problem| {
            problem.hint(format!(
                "the memory limit of {limit} is not the cause: the engine did not report the builder as out of memory"
            ))
        }),
        (_, OomEvidence::NotSeen) if is_pull(&failed) => build_error(failed).map_problem(|problem| {
            problem.hint("the builder pulls the base image itself, without the engine's registry settings: --build-memory off leaves it to the engine")
        }),
        (_, OomEvidence::NotSeen) => build_error(failed),
        (_, OomEvidence::Unknown(failure)) => {
            let unknown = format!("it is not known whether the memory limit of {limit} is the cause: {failure}");
            build_error(failed).map_problem(|problem| problem.hint(unknown))
        }
    }
}

/// Whether the failure looks like one of memory.
fn is_killed(failed: &BuildFailure) -> bool {
    let Some(step) = &failed.step else { return false };
    let of_the_step = ["exit code: 137", "exit code: 247", "cannot allocate memory"];
    // What an installer prints about a process that it ran.
    let of_a_child = ["exit status: 137", "signal: 9 (SIGKILL)", "Killed signal terminated program"];
    of_the_step.iter().any(|sign| step.error.contains(sign))
        || of_a_child.iter().any(|sign| step.output.contains(sign))
}

/// Whether the builder could not find out about a base image.
fn is_pull(failed: &BuildFailure) -> bool {
    failed.step.as_ref().is_some_and(|step| step.name.contains("load metadata for "))
}

fn out_of_memory(failed: &BuildFailure, limit: MemoryLimit) -> SandboxError {
    let mut problem = Problem::new(
        format!("the image was not built: the build reached its memory limit of {limit}"),
        "raise the limit with --build-memory SIZE, or build without one: --build-memory off",
    )
    .hint("compile less at a time: use packages or versions with wheels for this Python, or a base image that sets MAX_JOBS=1 and CMAKE_BUILD_PARALLEL_LEVEL=1")
    .hint("builds with the same limit that run at the same time share it: run them one after the other");
    match &failed.step {
        Some(step) if !step.error.contains("context canceled") => {
            // BuildKit repeats the whole command before the way in which it ended.
            let (_, end) =
                step.error.rsplit_once(" did not complete successfully: ").unwrap_or(("", &step.error));
            problem = problem.details(format!("failing step: {} ({end})", title(&step.name)));
            problem = problem.details(last_lines(&step.output));
        }
        _ if !failed.unfinished.is_empty() => {
            let titles: Vec<String> = failed.unfinished.iter().map(|name| title(name)).collect();
            problem = problem.details(format!("unfinished steps: {}", titles.join("; ")));
        }
        _ => {}
    }
    // Of a builder that was killed, the last line of buildx is all there is.
    SandboxError::MemoryCeiling(problem.details(failed.messages.last().map_or("", String::as_str)))
}

/// The builder's own container did not start: the Dockerfile has nothing to do with it.
fn not_booted(failed: &BuildFailure, builder: &str, limit: MemoryLimit) -> SandboxError {
    if let Some(error) = failed.failure.as_docker_error() {
        return error;
    }
    let said = failed.step.as_ref().map_or("", |step| step.error.as_str());
    let said = said.trim_start_matches("Error response from daemon: ");
    let message = format!("the image was not built: the builder {builder} did not start: {said}");
    let problem = if said.to_lowercase().contains("minimum memory") {
        Problem::new(
            message,
            "raise the limit with --build-memory SIZE: it is less than docker's minimum for a container",
        )
    } else {
        Problem::new(
            message,
            "it runs the image moby/buildkit:buildx-stable-1: let the engine pull it, or copy it there with `docker save` and `docker load`",
        )
        .hint(format!(
            "from a mirror: docker buildx rm {builder}; docker buildx create --name {builder} --driver docker-container --driver-opt memory={limit},memory-swap={limit},image=MIRROR/moby/buildkit:buildx-stable-1"
        ))
        .hint("or build without a memory limit: --build-memory off")
    };
    SandboxError::ImageBuild(problem.details(format!("failing step: {BOOTING}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::docker::build::FailedStep;
    use crate::engine::docker::invocation::Failure;

    const RUN: &str = "[3/3] RUN compile";

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

    fn error(failed: BuildFailure, evidence: &OomEvidence) -> SandboxError {
        limited_build_error(failed, "rlmesh-build-1g-default", MemoryLimit(1 << 30), evidence)
    }

    /// Every way in which a build that ran out of memory ended on real engines.
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
    fn only_the_engines_event_makes_a_failure_that_of_the_limit() {
        for (death, again) in deaths().into_iter().zip(deaths()) {
            let shown = format!("{death:?}");
            let seen = error(death, &OomEvidence::Seen);
            assert_eq!((seen.kind(), seen.exit().code()), ("MemoryCeiling", 8), "{shown}");
            assert!(seen.to_string().contains("memory limit of 1g"), "{seen}");
            assert!(seen.hints()[0].contains("--build-memory"), "{seen:?}");
            let details = seen.details().unwrap();
            assert!(details.contains("RUN compile") || details.contains(BOOTING), "{details}");
            let not_seen = error(again, &OomEvidence::NotSeen);
            assert_eq!((not_seen.kind(), not_seen.exit().code()), ("ImageBuild", 5), "{shown}");
        }
    }

    #[test]
    fn a_killed_step_without_the_event_says_what_is_known_of_the_limit() {
        for (evidence, hint) in [
            (OomEvidence::NotSeen, "the memory limit of 1g is not the cause"),
            (OomEvidence::Unknown(failure(Cause::Status(1), "x")), "it is not known whether"),
        ] {
            let error = error(deaths().remove(0), &evidence);
            assert_eq!(error.kind(), "ImageBuild");
            assert!(error.hints().iter().any(|known| known.starts_with(hint)), "{error:?}");
        }
    }

    #[test]
    fn a_base_image_that_the_builder_cannot_pull() {
        let step = "[internal] load metadata for python@sha256:2";
        let error = error(failed(Some((step, "failed to do request")), "ERROR: x"), &OomEvidence::NotSeen);
        assert!(error.hints()[1].contains("--build-memory off"), "{error:?}");
    }

    #[test]
    fn a_limit_below_dockers_minimum() {
        let tiny = "Error response from daemon: Minimum memory limit allowed is 6MB";
        let error = error(failed(Some((BOOTING, tiny)), "ERROR: x"), &OomEvidence::NotSeen);
        assert!(error.to_string().contains("did not start: Minimum memory"), "{error}");
        assert!(error.hints()[0].starts_with("raise the limit"), "{error:?}");
    }
}
