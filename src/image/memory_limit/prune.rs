//! Bounded builders and copies of base images that nobody uses any more: found, judged, removed; it shows nothing.

use std::fmt;
use std::fs;
use std::time::{Duration, SystemTime};

use crate::engine::docker::Docker;
use crate::engine::docker::builder::{Endpoint, SeenBuilder, volume_of};
use crate::engine::docker::buildx::BuilderCache;
use crate::error::SandboxError;
use crate::host::file_lock::{self, FileLock};
use crate::image::memory_limit::base_image::{self, Copy};
use crate::image::memory_limit::builder;
use crate::settings::Settings;

/// Something that takes disk, and what is to be done with it.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) thing: Prunable,
    /// How much disk it takes; `None` where that could not be found out.
    pub(crate) bytes: Option<u64>,
    pub(crate) verdict: Verdict,
}

/// What bounded builds leave for the next one.
#[derive(Debug)]
pub(crate) enum Prunable {
    /// By its name.
    Builder(String),
    Copy(Copy),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Not used for so long; `None` where no use is known.
    Go(Option<Duration>),
    Stay(Reason),
}

/// Why something stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reason {
    InUse,
    UsedLately(Duration),
    UseUnknown,
    /// It builds there, with that driver.
    Elsewhere(String),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Go(Some(idle)) => write!(f, "it has not been used for {}", rounded(*idle)),
            Verdict::Go(None) => f.write_str("no use of it is known"),
            Verdict::Stay(reason) => reason.fmt(f),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::InUse => f.write_str("a build is using it"),
            Reason::UsedLately(idle) => write!(f, "it was used {} ago", rounded(*idle)),
            Reason::UseUnknown => {
                f.write_str("when it was last used is not known: --older-than 0 removes it all the same")
            }
            Reason::Elsewhere(place) => write!(f, "it is not a bounded builder of this engine ({place})"),
        }
    }
}

/// A time as people care for it: no more than its largest unit.
fn rounded(time: Duration) -> humantime::FormattedDuration {
    let seconds = time.as_secs();
    let unit = [24 * 3600, 3600, 60].into_iter().find(|unit| seconds >= *unit).unwrap_or(1);
    humantime::format_duration(Duration::from_secs(seconds / unit * unit))
}

/// Decides about something of this engine.
fn judge(is_in_use: bool, last_use: Option<SystemTime>, now: SystemTime, older_than: Duration) -> Verdict {
    let idle = last_use.map(|used| now.duration_since(used).unwrap_or_default());
    match idle {
        _ if is_in_use => Verdict::Stay(Reason::InUse),
        Some(idle) if idle >= older_than => Verdict::Go(Some(idle)),
        Some(idle) => Verdict::Stay(Reason::UsedLately(idle)),
        None if older_than.is_zero() => Verdict::Go(None),
        None => Verdict::Stay(Reason::UseUnknown),
    }
}

/// Looks at every bounded builder and every copy of this user; nothing changes.
///
/// # Errors
/// [`SandboxError::Docker`], [`SandboxError::System`].
pub(crate) fn look(
    docker: &Docker,
    settings: &Settings,
    older_than: Duration,
) -> Result<Vec<Judged>, SandboxError> {
    docker.buildx()?;
    let (endpoint, now) = (docker.endpoint()?, SystemTime::now());
    let mut found = Vec::new();
    for name in docker.builder_names()? {
        let Some(seen) = docker.builder(&name)? else { continue };
        let verdict = judge_builder(docker, settings, &name, &seen, &endpoint, now, older_than)?;
        found.push(Judged { thing: Prunable::Builder(name), bytes: None, verdict });
    }
    let is_here = |judged: &Judged| !matches!(judged.verdict, Verdict::Stay(Reason::Elsewhere(_)));
    // The engine counts all of its volumes for it: only where there is something to tell.
    if found.iter().any(is_here) {
        match docker.volume_sizes() {
            Ok(sizes) => {
                for judged in found.iter_mut().filter(|judged| is_here(judged)) {
                    let Prunable::Builder(name) = &judged.thing else { continue };
                    // One that has built nothing yet has no volume.
                    judged.bytes = Some(sizes.get(&volume_of(name)).copied().unwrap_or_default());
                }
            }
            Err(failure) => docker.note(&format!("sizes: {failure}")),
        }
    }
    for copy in base_image::copies(&base_image::store(settings)?) {
        let verdict = judge(copy.is_in_use()?, copy.last_use, now, older_than);
        found.push(Judged { bytes: Some(copy.bytes()), verdict, thing: Prunable::Copy(copy) });
    }
    Ok(found)
}

fn judge_builder(
    docker: &Docker,
    settings: &Settings,
    name: &str,
    seen: &SeenBuilder,
    endpoint: &Endpoint,
    now: SystemTime,
    older_than: Duration,
) -> Result<Verdict, SandboxError> {
    if !seen.is_on(endpoint) {
        let place = seen.nodes.first().map_or("nowhere", |node| node.endpoint.as_str());
        return Ok(Verdict::Stay(Reason::Elsewhere(format!("driver {}, on {place}", seen.driver))));
    }
    let lock = builder::lock(&builder::folder(settings)?, name);
    // Our own lock knows of our builds; the container's clients are anybody's, whatever they run.
    let is_in_use = file_lock::is_in_use(&lock)? || docker.is_builder_in_use(name)?;
    let last_use = file_lock::last_use(&lock).max(seen.last_activity);
    Ok(judge(is_in_use, last_use, now, older_than))
}

impl Judged {
    /// Removes it, unless somebody has come to use it since; says whether it did.
    ///
    /// # Errors
    /// [`SandboxError::Docker`], [`SandboxError::System`], Interrupted.
    pub(crate) fn remove(&self, docker: &Docker, settings: &Settings) -> Result<bool, SandboxError> {
        docker.interrupt.check()?;
        let name = match &self.thing {
            Prunable::Builder(name) => name,
            Prunable::Copy(copy) => return copy.remove(&docker.interrupt),
        };
        let lock = builder::lock(&builder::folder(settings)?, name);
        let Some(alone) = FileLock::alone(&lock, Duration::ZERO, &docker.interrupt)? else {
            return Ok(false);
        };
        if docker.is_builder_in_use(name)? {
            return Ok(false);
        }
        docker.remove_builder(name, BuilderCache::Drop).map_err(|failure| {
            failure.into_error(
                &format!("the builder {name} could not be removed"),
                &format!("try `docker buildx rm {name}`"),
                SandboxError::Docker,
            )
        })?;
        docker.remove_builder_cache(name).map_err(|failure| {
            let volume = volume_of(name);
            failure.into_error(
                &format!("the builder {name} is removed, but not its cache"),
                &format!("try `docker volume rm {volume}`"),
                SandboxError::Docker,
            )
        })?;
        alone.remove();
        Ok(true)
    }
}

/// Removes the locks of builders that are gone, such as those that somebody has removed by hand.
pub(crate) fn tidy_locks(docker: &Docker, settings: &Settings) -> Result<(), SandboxError> {
    let folder = builder::folder(settings)?;
    let Ok(entries) = fs::read_dir(&folder) else { return Ok(()) };
    let there = docker.builder_names()?;
    for name in entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()) {
        let Some(name) = name.strip_suffix(".lock").filter(|name| !there.iter().any(|other| other == name))
        else {
            continue;
        };
        let path = builder::lock(&folder, name);
        if let Some(alone) = FileLock::alone(&path, Duration::ZERO, &docker.interrupt)? {
            alone.remove();
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_and_what_stays() {
        let now = SystemTime::now();
        let ago = |hours: u64| Some(now - Duration::from_secs(hours * 3600));
        let day = Duration::from_secs(24 * 3600);
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        for (is_in_use, last_use, older_than, verdict) in [
            (false, ago(25), day, Verdict::Go(Some(hours(25)))),
            (false, ago(24), day, Verdict::Go(Some(day))),
            (false, ago(23), day, Verdict::Stay(Reason::UsedLately(hours(23)))),
            (false, ago(0), Duration::ZERO, Verdict::Go(Some(Duration::ZERO))),
            (true, ago(99), day, Verdict::Stay(Reason::InUse)),
            (true, None, Duration::ZERO, Verdict::Stay(Reason::InUse)),
            (false, None, day, Verdict::Stay(Reason::UseUnknown)),
            (false, None, Duration::ZERO, Verdict::Go(None)),
            // A clock that was set back.
            (false, Some(now + day), day, Verdict::Stay(Reason::UsedLately(Duration::ZERO))),
        ] {
            assert_eq!(judge(is_in_use, last_use, now, older_than), verdict);
        }
    }

    #[test]
    fn times_are_told_in_their_largest_unit() {
        for (seconds, error) in [(0, "0s"), (59, "59s"), (3599, "59m"), (90_000, "1day"), (7300, "2h")] {
            assert_eq!(rounded(Duration::from_secs(seconds)).to_string(), error);
        }
    }
}
