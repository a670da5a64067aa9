//! Looks into the image of a failed start, and at a container that does not answer, for what explains it.

use std::time::Duration;

use crate::contract::CONTAINER_PREFIX;
use crate::engine::docker::Docker;
use crate::plan::{Plan, ResolvedSource};
use crate::sandbox::failure::{Facts, Question};

/// The script that looks into the image.
const SCRIPT: &str = include_str!("probe.py");

/// How often the log of an aborted container is read until it has the stack.
const READINGS: u32 = 10;

/// Looks into an image. What cannot be found out is left out.
pub(crate) fn look(docker: &Docker, image: &str, plan: &Plan, question: Question) -> Facts {
    let Some(build) = plan.build() else { return Facts::default() };
    let arguments = match question {
        Question::Libraries => vec!["libraries".to_owned()],
        Question::Environments => {
            let env_id = match &build.spec.source {
                ResolvedSource::Gym { env_id } => env_id.as_str(),
                ResolvedSource::Hf { .. } | ResolvedSource::Folder(_) => return Facts::default(),
            };
            let module = |import: &String| import.split(':').next().unwrap_or_default().to_owned();
            let imports: Vec<String> = build.spec.imports.iter().map(module).collect();
            let wanted = serde_json::json!([env_id, imports, build.spec.packages]);
            vec!["environments".to_owned(), wanted.to_string()]
        }
    };
    let name = format!("{CONTAINER_PREFIX}look-{}", uuid::Uuid::new_v4().simple());
    docker.note("looking into the image for what explains the failure");
    let answer = docker.look_into(image, &name, SCRIPT, &arguments).unwrap_or_default();
    answer
        .lines()
        .last()
        .and_then(|line| serde_json::from_str::<Facts>(line).ok())
        .unwrap_or_default()
        .checked()
}

/// Looks at a container that does not answer within `limit`: whether it computes, and where. This ends it: the stack
/// becomes part of its log.
pub(crate) fn look_at(docker: &Docker, container: &str, limit: Duration) -> Facts {
    let cpu = docker.cpu_use(container);
    if docker.abort(container).is_ok() {
        for _ in 0..READINGS {
            let has_stack = |log: String| log.contains("(most recent call first)");
            if docker.interrupt.check().is_err() || docker.log_tail(container).is_ok_and(has_stack) {
                break;
            }
            std::thread::sleep(docker.waits.inspect_retry);
        }
    }
    Facts { cpu, limit: Some(limit), ..Facts::default() }
}
