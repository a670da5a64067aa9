//! Tests of the explanations of failed builds.

mod hints;
mod recorded;
mod requirements;
mod untrusted;

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

/// The step that installs what a user asked for with `-p`.
fn packages(packages: &[&str]) -> String {
    let words: Vec<String> = packages.iter().map(|package| format!("{package:?}")).collect();
    format!(r#"[4/5] RUN --mount=x ["/bin/sh","/run/rlmesh-sandbox/install/install.sh",{}]"#, words.join(","))
}
