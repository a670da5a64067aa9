//! Stopping sandboxes: all of them are found and checked before the first one is touched.

use std::time::Duration;

use crate::engine::docker::Docker;
use crate::engine::docker::inspection::{Inspection, not_a_sandbox};
use crate::error::{Problem, SandboxError};
use crate::host::interrupt::Signals;

/// Which sandboxes are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Which {
    All,
    /// By id, start of an id, or name.
    These(Vec<String>),
}

/// What became of them.
#[derive(Debug)]
pub(crate) struct Stopped {
    pub(crate) containers: Vec<Inspection>,
    /// Names that are not those of a container.
    pub(crate) missing: Vec<String>,
}

/// Lets sandboxes end by themselves within `grace`, side by side, and removes them.
///
/// # Errors
/// InvalidOption for a container that is not a sandbox: nothing is stopped then. Docker.
pub(crate) fn stop(docker: &Docker, which: &Which, grace: Duration) -> Result<Stopped, SandboxError> {
    let (found, missing) = match which {
        Which::All => (docker.sandboxes()?, Vec::new()),
        Which::These(names) => {
            let names = names.iter().map(|name| container_name(name)).collect::<Result<Vec<String>, _>>()?;
            let mut found: Vec<Inspection> = Vec::new();
            let mut missing = Vec::new();
            for container in docker.inspect(&names)? {
                if !found.iter().any(|known| known.id == container.id) {
                    found.push(container);
                }
            }
            for name in &names {
                if !found.iter().any(|container| is_named(container, name)) {
                    missing.push(name.clone());
                }
            }
            (found, missing)
        }
    };
    if let Some(other) = found.iter().find(|container| !container.is_sandbox()) {
        return Err(not_a_sandbox(other));
    }
    let ids: Vec<String> = found.iter().map(|container| container.id.clone()).collect();
    if !ids.is_empty() {
        end(docker, &ids, grace)?;
    }
    Ok(Stopped { containers: found, missing })
}

/// A container's name as the user gave it, checked: an empty one would be the start of every id, and one
/// with a dash an option of docker's.
pub(crate) fn container_name(name: &str) -> Result<String, SandboxError> {
    let name = name.trim();
    let name = name.strip_prefix('/').unwrap_or(name);
    let is_possible = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if name.is_empty() || name.starts_with('-') || !name.chars().all(is_possible) {
        return Err(SandboxError::InvalidOption(Problem::new(
            format!("{name:?} is not a valid container id or name"),
            "`rlmesh-sandbox ps` lists the sandboxes",
        )));
    }
    Ok(name.to_owned())
}

/// A container that cannot be named, because none is there.
pub(crate) fn no_such_sandbox(name: &str) -> SandboxError {
    SandboxError::InvalidOption(Problem::new(
        format!("there is no sandbox {name}"),
        "`rlmesh-sandbox ps` lists the sandboxes",
    ))
}

fn is_named(container: &Inspection, name: &str) -> bool {
    container.name() == name || container.id.starts_with(name)
}

/// Stops and removes; what does not stop is removed by force.
fn end(docker: &Docker, ids: &[String], grace: Duration) -> Result<(), SandboxError> {
    if let Err(failure) = docker.stop_containers(ids, grace, Signals::First)
        && let Some(error) = failure.as_docker_error()
    {
        return Err(error);
    }
    docker.remove_containers(ids).map_err(|failure| {
        failure.into_error("the containers could not be removed", "run it again", SandboxError::Docker)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_answers_to_its_id_the_start_of_it_and_its_name() {
        let container: Inspection = serde_json::from_str(
            r#"{"Id":"1bdd31fd1274","Name":"/box","Created":"","Config":{"Image":"x","Labels":null},
            "State":{"Status":"running","ExitCode":0},"NetworkSettings":{"Ports":null}}"#,
        )
        .unwrap();
        for name in ["1bdd31fd1274", "1bdd", "box"] {
            assert!(is_named(&container, name), "{name}");
        }
        assert!(!is_named(&container, "bo"));
    }
}
