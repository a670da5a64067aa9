//! The builder of a build with a memory limit: found, created or recreated, and kept from removal while it builds.

use std::path::{Path, PathBuf};

use crate::engine::docker::Docker;
use crate::engine::docker::builder::{Endpoint, builder_name};
use crate::engine::docker::buildx::BuilderContainer;
use crate::error::{Problem, SandboxError};
use crate::host::file_lock::FileLock;
use crate::settings::size::MemoryLimit;

/// How often to start over where other processes create and remove the builder at the same time.
const ATTEMPTS: usize = 10;

/// A builder with the right limit, which no other process of this tool removes as long as this value lives.
#[derive(Debug)]
pub(crate) struct Builder {
    pub(crate) name: String,
    _lock: FileLock,
}

/// The builder that a build needs.
struct Required<'a> {
    docker: &'a Docker,
    name: String,
    limit: MemoryLimit,
    endpoint: Endpoint,
    /// Whether the engine can limit swap; where it cannot, it reports no limit.
    limits_swap: bool,
    lock: PathBuf,
}

/// What there is under the required builder's name.
enum State {
    Missing,
    Usable,
    /// Why it cannot be used, as the rest of a sentence about it.
    Wrong(String),
}

/// The builder with that limit on the client's engine, created where it is missing. `cache` is this tool's
/// folder for what can be made again.
///
/// # Errors
/// [`SandboxError::Docker`] where it can't be created, or is wrong and in use; Interrupted; System.
pub(crate) fn ensure_builder(
    docker: &Docker,
    limit: MemoryLimit,
    limits_swap: bool,
    cache: &Path,
) -> Result<Builder, SandboxError> {
    let endpoint = docker.endpoint()?;
    let name = builder_name(limit, &endpoint);
    let lock = lock_file(cache, &name);
    Required { docker, name, limit, endpoint, limits_swap, lock }.ensure()
}

impl Required<'_> {
    fn ensure(self) -> Result<Builder, SandboxError> {
        let mut why = "it was removed each time that it was created".to_owned();
        for _ in 0..ATTEMPTS {
            self.docker.interrupt.check()?;
            let lock = FileLock::shared(&self.lock, &self.docker.interrupt)?;
            match self.state()? {
                State::Usable => return Ok(Builder { name: self.name, _lock: lock }),
                State::Missing => self.docker.create_builder(&self.name, self.limit)?,
                State::Wrong(reason) => {
                    drop(lock);
                    self.remove_wrong()?;
                    why = reason;
                }
            }
        }
        Err(SandboxError::Docker(Problem::new(
            format!("the builder {} cannot be used: {why}", self.name),
            format!("remove it with `docker buildx rm {}`, and check `docker buildx ls`", self.name),
        )))
    }

    fn state(&self) -> Result<State, SandboxError> {
        let Some(info) = self.docker.builder(&self.name)? else { return Ok(State::Missing) };
        if let Some(reason) = info.mismatch(self.limit, &self.endpoint) {
            return Ok(State::Wrong(reason));
        }
        // What counts is the limit of the container that builds; it is created at the first build.
        let Some(container) = self.docker.builder_container(&self.name)? else { return Ok(State::Usable) };
        Ok(if has_limit(&container, self.limit, self.limits_swap) {
            State::Usable
        } else {
            let (memory, swap) = (container.memory, container.memory_swap);
            State::Wrong(format!(
                "its container is limited to {memory} bytes, {swap} with swap, not {}",
                self.limit
            ))
        })
    }

    /// Removes a wrong builder, unless a build uses it or another process has recreated it in the meantime.
    /// Its cache stays: it is as good as before.
    fn remove_wrong(&self) -> Result<(), SandboxError> {
        let lock = FileLock::exclusive(&self.lock, self.docker.waits.builder_lock, &self.docker.interrupt)?;
        let State::Wrong(reason) = self.state()? else { return Ok(()) };
        // Clients other than this tool do not take our lock.
        if lock.is_none() || self.docker.is_builder_in_use(&self.name)? {
            return Err(SandboxError::Docker(Problem::new(
                format!("the builder {} cannot be used ({reason}), and a build is using it", self.name),
                "wait until that build is over, or use another --build-memory",
            )));
        }
        self.docker.note(&format!("recreate the builder {}: {reason}", self.name));
        match self.docker.remove_builder(&self.name) {
            Ok(()) => Ok(()),
            // An endpoint that is gone cannot remove its container, but buildx has forgotten the builder.
            Err(_) if self.docker.builder(&self.name)?.is_none() => Ok(()),
            Err(failure) => Err(failure.into_error(
                &format!("the builder {} cannot be used ({reason}), nor removed", self.name),
                &format!("once no build uses it, remove it with `docker buildx rm {}`", self.name),
                SandboxError::Docker,
            )),
        }
    }
}

/// Whether a container really has the limit.
fn has_limit(container: &BuilderContainer, limit: MemoryLimit, limits_swap: bool) -> bool {
    let is_limit = |bytes: i64| u64::try_from(bytes) == Ok(limit.0);
    is_limit(container.memory) && (is_limit(container.memory_swap) || !limits_swap)
}

/// The lock of a builder, in this tool's cache.
pub(super) fn lock_file(cache: &Path, builder: &str) -> PathBuf {
    cache.join("builders").join(format!("{builder}.lock"))
}
