//! Builders with a memory limit that no build has used for a while: found and removed.

use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::engine::docker::Docker;
use crate::engine::docker::builder::volume_of;
use crate::error::SandboxError;
use crate::host::file_lock::{self, FileLock};
use crate::image::memory_limit::builder::lock_file;

/// A builder of this tool, and what is to become of it.
#[derive(Debug)]
pub(crate) struct FoundBuilder {
    pub(crate) name: String,
    /// How much disk its cache takes; `None` where that is not known.
    pub(crate) bytes: Option<u64>,
    pub(crate) decision: Decision,
    /// Why, as the rest of a sentence.
    pub(crate) reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    Remove,
    Keep,
}

/// Why a builder stays that a build is using.
pub(crate) const IN_USE: &str = "a build is using it";

/// A time in its largest unit.
fn rounded(time: Duration) -> humantime::FormattedDuration {
    let seconds = time.as_secs();
    let unit = [24 * 3600, 3600, 60].into_iter().find(|unit| seconds >= *unit).unwrap_or(1);
    humantime::format_duration(Duration::from_secs(seconds / unit * unit))
}

/// Decides about a builder of this engine by the time since its last use, where that is known.
fn decide(is_in_use: bool, idle: Option<Duration>, older_than: Duration) -> (Decision, String) {
    match idle {
        _ if is_in_use => (Decision::Keep, IN_USE.to_owned()),
        Some(idle) if idle >= older_than => {
            (Decision::Remove, format!("it has not been used for {}", rounded(idle)))
        }
        Some(idle) => (Decision::Keep, format!("it was used {} ago", rounded(idle))),
        None if older_than.is_zero() => (Decision::Remove, "its last use is not known".to_owned()),
        None => {
            (Decision::Keep, "its last use is not known: --older-than 0 removes it all the same".to_owned())
        }
    }
}

/// Finds every builder with a memory limit, and decides which ones to remove. Nothing changes. `cache` is this
/// tool's folder for what can be made again.
///
/// # Errors
/// [`SandboxError::Docker`], [`SandboxError::System`], Interrupted.
pub(crate) fn find_builders(
    docker: &Docker,
    cache: &Path,
    older_than: Duration,
) -> Result<Vec<FoundBuilder>, SandboxError> {
    docker.buildx()?;
    let (endpoint, now) = (docker.endpoint()?, SystemTime::now());
    let mut found = Vec::new();
    let mut sizes = None;
    for name in docker.builder_names()? {
        let Some(info) = docker.builder(&name)? else { continue };
        if !info.is_on(&endpoint) {
            let place = info.endpoints.join(" and ");
            let reason = format!("it does not belong to this engine (driver {}, on {place})", info.driver);
            found.push(FoundBuilder { name, bytes: None, decision: Decision::Keep, reason });
            continue;
        }
        let lock = lock_file(cache, &name);
        // The lock is that of our builds; the container's clients may be others.
        let is_in_use = file_lock::is_in_use(&lock)? || docker.is_builder_in_use(&name)?;
        let last_use = file_lock::last_use(&lock).max(info.last_activity);
        let idle = last_use.map(|used| now.duration_since(used).unwrap_or_default());
        let (decision, reason) = decide(is_in_use, idle, older_than);
        let sizes = sizes.get_or_insert_with(|| {
            docker.volume_sizes().inspect_err(|failure| docker.note(&format!("sizes: {failure}"))).ok()
        });
        // One that has built nothing yet has no volume.
        let bytes = sizes.as_ref().map(|sizes| sizes.get(&volume_of(&name)).copied().unwrap_or_default());
        found.push(FoundBuilder { name, bytes, decision, reason });
    }
    Ok(found)
}

/// Removes a builder and its cache, unless a build has started to use it; returns whether it did.
///
/// # Errors
/// [`SandboxError::Docker`], [`SandboxError::System`], Interrupted.
pub(crate) fn remove_builder(docker: &Docker, name: &str, cache: &Path) -> Result<bool, SandboxError> {
    docker.interrupt.check()?;
    let lock = lock_file(cache, name);
    let Some(lock) = FileLock::exclusive(&lock, Duration::ZERO, &docker.interrupt)? else { return Ok(false) };
    if docker.is_builder_in_use(name)? {
        return Ok(false);
    }
    docker.remove_builder(name).map_err(|failure| {
        failure.into_error(
            &format!("the builder {name} could not be removed"),
            &format!("try `docker buildx rm {name}`"),
            SandboxError::Docker,
        )
    })?;
    docker.remove_builder_cache(name).map_err(|failure| {
        failure.into_error(
            &format!("the builder {name} is removed, but not its cache"),
            &format!("try `docker volume rm {}`", volume_of(name)),
            SandboxError::Docker,
        )
    })?;
    lock.remove();
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_removed_and_what_stays() {
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        for (is_in_use, idle, older_than, decision, reason) in [
            (false, Some(hours(25)), hours(24), Decision::Remove, "it has not been used for 1day"),
            (false, Some(hours(24)), hours(24), Decision::Remove, "it has not been used for 1day"),
            (false, Some(hours(23)), hours(24), Decision::Keep, "it was used 23h ago"),
            (false, Some(hours(0)), hours(0), Decision::Remove, "it has not been used for 0s"),
            (true, Some(hours(99)), hours(24), Decision::Keep, IN_USE),
            (true, None, hours(0), Decision::Keep, IN_USE),
            (false, None, hours(0), Decision::Remove, "its last use is not known"),
            (
                false,
                None,
                hours(24),
                Decision::Keep,
                "its last use is not known: --older-than 0 removes it all the same",
            ),
        ] {
            assert_eq!(decide(is_in_use, idle, older_than), (decision, reason.to_owned()));
        }
        for (seconds, expected) in [(0, "0s"), (59, "59s"), (3599, "59m"), (7300, "2h")] {
            assert_eq!(rounded(Duration::from_secs(seconds)).to_string(), expected);
        }
    }
}
