//! Stops sandboxes. All of them are checked before the first one is stopped.

use std::time::Duration;

use crate::engine::docker::Docker;
use crate::engine::docker::inspection::{Inspection, not_a_sandbox};
use crate::error::{Problem, SandboxError};
use crate::host::interrupt::Signals;

/// Which sandboxes to stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Which {
    All,
    /// By id, start of an id, or name.
    These(Vec<String>),
}

/// The result.
#[derive(Debug)]
pub(crate) struct Stopped {
    pub(crate) containers: Vec<Inspection>,
    /// Names without a container.
    pub(crate) missing: Vec<String>,
}

/// Stops sandboxes in parallel, kills those that do not stop within `grace`, and removes them.
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
        found.iter().for_each(Inspection::remove_socket_directory);
    }
    Ok(Stopped { containers: found, missing })
}

/// Checks the name or id of a container. An empty one would match every id, and docker would take one that
/// starts with a dash as an option.
pub(crate) fn container_name(name: &str) -> Result<String, SandboxError> {
    let name = name.trim();
    let name = name.strip_prefix('/').unwrap_or(name);
    let is_possible = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if name.is_empty() || name.starts_with('-') || !name.chars().all(is_possible) {
        return Err(SandboxError::InvalidOption(Problem::new(
            format!("{name:?} is not a valid container id or name"),
            "run `rlmesh-sandbox ps` to list the sandboxes",
        )));
    }
    Ok(name.to_owned())
}

/// The error for a sandbox that does not exist.
pub(crate) fn no_such_sandbox(name: &str) -> SandboxError {
    SandboxError::InvalidOption(Problem::new(
        format!("there is no sandbox {name}"),
        "run `rlmesh-sandbox ps` to list the sandboxes",
    ))
}

fn is_named(container: &Inspection, name: &str) -> bool {
    container.name() == name || container.id.starts_with(name)
}

/// Stops and removes containers. Those that do not stop are killed.
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
    fn a_container_is_found_by_id_start_of_an_id_or_name() {
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
