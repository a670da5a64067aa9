//! The builder of a bounded build, found, made or mended, and held against removal while it builds; it builds nothing.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::engine::docker::Docker;
use crate::engine::docker::builder::{Endpoint, Fault, builder_name, container_of};
use crate::engine::docker::buildx::{BuilderCache, BuilderContainer};
use crate::engine::docker::info::Resources;
use crate::error::{Problem, SandboxError};
use crate::host::file_lock::FileLock;
use crate::settings::Settings;
use crate::settings::size::Ceiling;

/// How often a builder that others make and remove at the same time is looked at anew.
const ATTEMPTS: usize = 10;

/// How long to wait for others who only look at a builder; whoever builds on it takes longer than that.
const PATIENCE: Duration = Duration::from_secs(5);

/// A builder that is as it should be, and stays so as long as this value lives.
#[derive(Debug)]
pub(crate) struct Builder {
    pub(crate) name: String,
    _in_use: FileLock,
}

/// The builder that is wanted.
struct Wanted<'a> {
    name: String,
    ceiling: Ceiling,
    endpoint: Endpoint,
    /// Whether the engine can limit swap; one that cannot says that there is no limit.
    limits_swap: bool,
    docker: &'a Docker,
    lock: PathBuf,
}

/// What is wrong with what is there.
#[derive(Debug, PartialEq, Eq)]
enum Wrong {
    Builder(Fault),
    /// The builder is right, but its container has another limit: bytes, 0 for none.
    Container(i64),
}

/// The builder with that ceiling on the client's engine, made on first use.
///
/// # Errors
/// [`SandboxError::Docker`] where it cannot be had, or is wrong and in use; Interrupted; System.
pub(crate) fn ensure(
    docker: &Docker,
    ceiling: Ceiling,
    resources: &Resources,
    settings: &Settings,
) -> Result<Builder, SandboxError> {
    let endpoint = docker.endpoint()?;
    let name = builder_name(ceiling, &endpoint);
    let lock = lock(&folder(settings)?, &name);
    Wanted { name, ceiling, endpoint, limits_swap: resources.limits_swap, docker, lock }.ensure()
}

impl Wanted<'_> {
    fn ensure(self) -> Result<Builder, SandboxError> {
        let mut last = None;
        for _ in 0..ATTEMPTS {
            self.docker.interrupt.check()?;
            let in_use = FileLock::share(&self.lock, &self.docker.interrupt)?;
            match self.look()? {
                Look::Right => return Ok(Builder { name: self.name, _in_use: in_use }),
                Look::Missing => self.docker.create_builder(&self.name, self.ceiling)?,
                Look::Wrong(wrong) => {
                    drop(in_use);
                    self.mend()?;
                    last = Some(wrong);
                }
            }
        }
        let why = last.map_or("it is gone whenever it was made".to_owned(), |wrong| self.tell(&wrong));
        Err(SandboxError::Docker(Problem::new(
            format!("the builder {} cannot be had: {why}", self.name),
            format!("remove it with `docker buildx rm {}`, and check `docker buildx ls`", self.name),
        )))
    }

    fn look(&self) -> Result<Look, SandboxError> {
        let Some(seen) = self.docker.builder(&self.name)? else { return Ok(Look::Missing) };
        if let Some(fault) = seen.fault(self.ceiling, &self.endpoint) {
            return Ok(Look::Wrong(Wrong::Builder(fault)));
        }
        let container = self.docker.builder_container(&self.name)?;
        Ok(match container.filter(|container| !is_bounded(container, self.ceiling, self.limits_swap)) {
            Some(container) => Look::Wrong(Wrong::Container(container.memory)),
            None => Look::Right,
        })
    }

    /// Removes what is wrong, unless somebody builds on it or has mended it since.
    fn mend(&self) -> Result<(), SandboxError> {
        let Some(alone) = FileLock::alone(&self.lock, PATIENCE, &self.docker.interrupt)? else {
            let Look::Wrong(wrong) = self.look()? else { return Ok(()) };
            return Err(self.in_use(&wrong));
        };
        let Look::Wrong(wrong) = self.look()? else { return Ok(()) };
        // Somebody else's client, which knows nothing of our lock.
        if self.docker.is_builder_in_use(&self.name)? {
            return Err(self.in_use(&wrong));
        }
        self.docker.note(&format!("mend the builder {}: {}", self.name, self.tell(&wrong)));
        let removed = match &wrong {
            Wrong::Container(_) => self.docker.remove_containers(&[container_of(&self.name)]),
            // The cache is as good as before where only the limit was wrong.
            Wrong::Builder(Fault::Limit(..)) => self.docker.remove_builder(&self.name, BuilderCache::Keep),
            Wrong::Builder(_) => self.docker.remove_builder(&self.name, BuilderCache::Drop),
        };
        drop(alone);
        match removed {
            Ok(()) => Ok(()),
            // An endpoint that is gone cannot give its container back; what counts is that the name is free.
            Err(_) if self.docker.builder(&self.name)?.is_none() => Ok(()),
            Err(failure) => Err(failure.into_error(
                &format!(
                    "the builder {} is wrong ({}) and could not be removed",
                    self.name,
                    self.tell(&wrong)
                ),
                &format!("once no build uses it, remove it with `docker buildx rm {}`", self.name),
                SandboxError::Docker,
            )),
        }
    }

    fn in_use(&self, wrong: &Wrong) -> SandboxError {
        SandboxError::Docker(Problem::new(
            format!("the builder {} is wrong ({}), and a build is using it", self.name, self.tell(wrong)),
            "wait until that build is over, or use another --build-memory",
        ))
    }

    fn tell(&self, wrong: &Wrong) -> String {
        match wrong {
            Wrong::Builder(fault) => fault.to_string(),
            Wrong::Container(0) => format!("its container has no memory limit, not {}", self.ceiling),
            Wrong::Container(memory) => {
                format!("its container has {memory} bytes as limit, not {}", self.ceiling)
            }
        }
    }
}

enum Look {
    Right,
    Missing,
    Wrong(Wrong),
}

/// Whether a container really has the ceiling.
fn is_bounded(container: &BuilderContainer, ceiling: Ceiling, limits_swap: bool) -> bool {
    let is_ceiling = |bytes: i64| u64::try_from(bytes) == Ok(ceiling.0);
    is_ceiling(container.memory) && (is_ceiling(container.memory_swap) || !limits_swap)
}

/// Where the locks of builders are.
///
/// # Errors
/// [`SandboxError::System`] where there is no place for a cache.
pub(crate) fn folder(settings: &Settings) -> Result<PathBuf, SandboxError> {
    Ok(cache(settings)?.join("builders"))
}

/// The lock of a builder.
pub(crate) fn lock(folder: &Path, builder: &str) -> PathBuf {
    folder.join(format!("{builder}.lock"))
}

/// Where this program keeps what can be had again.
///
/// # Errors
/// [`SandboxError::System`] where there is no such place.
pub(crate) fn cache(settings: &Settings) -> Result<PathBuf, SandboxError> {
    settings.cache_folder.clone().ok_or_else(|| {
        SandboxError::System(Problem::new(
            "there is no place for a cache: neither XDG_CACHE_HOME nor HOME is set",
            "set XDG_CACHE_HOME to a folder of yours that can be written",
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_is_bounded_by_its_real_limits() {
        let g = 1 << 30;
        for (memory, memory_swap, limits_swap, is_right) in [
            (g, g, true, true),
            (g, 2 * g, true, false),
            (g, -1, true, false),
            (g, 0, true, false),
            (g, -1, false, true),
            (0, 0, false, false),
            (0, 0, true, false),
            (2 * g, 2 * g, true, false),
        ] {
            let container = BuilderContainer { memory, memory_swap, is_in_use: false };
            assert_eq!(is_bounded(&container, Ceiling(1 << 30), limits_swap), is_right, "{container:?}");
        }
    }
}
