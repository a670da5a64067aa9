//! Stops sandboxes. All of them are found before the first one is stopped.

use std::time::Duration;

use crate::engine::docker::Docker;
use crate::engine::docker::inspection::{Inspection, not_a_sandbox};
use crate::error::{Problem, SandboxError};
use crate::host::interrupt::Signals;
use crate::host::process::Host;
use crate::sandbox::listing::{self, Sandbox};
use crate::sandbox::select::Selector;

/// Which sandboxes to stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Which {
    All,
    /// Those that belong to no other process: see [`Sandbox::is_mine`].
    Mine,
    /// By id, name, address or source, or the start of an id or name.
    These {
        texts: Vec<String>,
        are_several_allowed: bool,
    },
}

/// The sandboxes to stop.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub(crate) sandboxes: Vec<Sandbox>,
    /// Whole ids without a container.
    pub(crate) gone: Vec<String>,
}

/// The process that started this one.
pub(crate) fn parent() -> Option<u32> {
    let parent = rustix::process::getppid()?;
    u32::try_from(parent.as_raw_nonzero().get()).ok()
}

/// Finds the sandboxes to stop.
///
/// # Errors
/// InvalidOption for a text that names no sandbox, or several, or a container that is not a sandbox. Docker.
pub(crate) fn choose(docker: &Docker, which: &Which) -> Result<Chosen, SandboxError> {
    let (texts, are_several_allowed) = match which {
        Which::All => return Ok(Chosen { sandboxes: listing::list(docker)?, gone: Vec::new() }),
        Which::Mine => {
            let (here, parent) = (Host::here(), parent());
            let mut sandboxes = listing::list(docker)?;
            sandboxes.retain(|sandbox| sandbox.is_mine(&here, parent));
            return Ok(Chosen { sandboxes, gone: Vec::new() });
        }
        Which::These { texts, are_several_allowed } => (texts, *are_several_allowed),
    };
    let selectors = texts.iter().map(|text| Selector::new(text)).collect::<Result<Vec<_>, _>>()?;
    let all = listing::list(docker)?;
    let mut chosen = Chosen { sandboxes: Vec::new(), gone: Vec::new() };
    for selector in &selectors {
        let found = selector.matches(&all);
        match found[..] {
            [] => {
                refuse_other_container(docker, selector)?;
                if !selector.is_full_id() {
                    return Err(selector.no_match(&all));
                }
                chosen.gone.push(selector.text().to_owned());
            }
            [_, _, ..] if !are_several_allowed => return Err(selector.several_to_stop(&found)),
            _ => {
                for sandbox in found {
                    if !chosen.sandboxes.iter().any(|known| known.id() == sandbox.id()) {
                        chosen.sandboxes.push(sandbox.clone());
                    }
                }
            }
        }
    }
    Ok(chosen)
}

/// Refuses a text that names a container that is not a sandbox.
///
/// # Errors
/// [`SandboxError::InvalidOption`], [`SandboxError::Docker`].
pub(crate) fn refuse_other_container(docker: &Docker, selector: &Selector) -> Result<(), SandboxError> {
    let Ok(name) = container_name(selector.text()) else { return Ok(()) };
    match docker.inspect(&[name.to_owned()])?.first() {
        Some(container) if !container.is_sandbox() => Err(not_a_sandbox(container)),
        _ => Ok(()),
    }
}

/// Stops a sandbox by its id or name and removes it. One that does not exist is not an error.
///
/// # Errors
/// InvalidOption for a container that is not a sandbox, or a text that is not an id or name; Docker.
pub(crate) fn stop_container(docker: &Docker, name: &str, grace: Duration) -> Result<(), SandboxError> {
    let found = docker.inspect(&[container_name(name)?.to_owned()])?;
    if let Some(other) = found.iter().find(|container| !container.is_sandbox()) {
        return Err(not_a_sandbox(other));
    }
    stop(docker, &found.iter().collect::<Vec<_>>(), grace)
}

/// Checks the id or name of a container. An empty one would match every id.
fn container_name(name: &str) -> Result<&str, SandboxError> {
    let name = name.trim();
    let name = name.strip_prefix('/').unwrap_or(name);
    let is_possible = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if name.is_empty() || name.starts_with('-') || !name.chars().all(is_possible) {
        return Err(SandboxError::InvalidOption(Problem::new(
            format!("{name:?} is not a valid container id or name"),
            "run `rlmesh-sandbox ps` to list the sandboxes",
        )));
    }
    Ok(name)
}

/// Stops sandboxes in parallel, kills those that do not stop within `grace`, and removes them.
///
/// # Errors
/// [`SandboxError::Docker`].
pub(crate) fn stop(docker: &Docker, containers: &[&Inspection], grace: Duration) -> Result<(), SandboxError> {
    if containers.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = containers.iter().map(|container| container.id.clone()).collect();
    if let Err(failure) = docker.stop_containers(&ids, grace, Signals::First)
        && let Some(error) = failure.as_docker_error()
    {
        return Err(error);
    }
    docker.remove_containers(&ids).map_err(|failure| {
        failure.into_error("the containers could not be removed", "run it again", SandboxError::Docker)
    })?;
    containers.iter().for_each(|container| container.remove_socket_directory());
    Ok(())
}
