//! The engine's out-of-memory events of one container: watched while a build runs, and asked for once it has failed; what they mean is not judged here.
//!
//! The engine keeps its last 256 events only, of all containers: on a busy one that is a minute. A build can
//! go on for longer than that after a compiler was killed, until the step gives up, so the events are
//! streamed from its beginning on. And since a stream may lag behind the end of the build, the engine is
//! asked once more right afterwards; either way of seeing one counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::SystemTime;

use crate::engine::docker::Docker;
use crate::engine::docker::child::Streams;
use crate::engine::docker::invocation::Failure;
use crate::engine::docker::log::LOG_TAIL;
use crate::error::Signal;
use crate::host::interrupt::Interrupt;

/// Whether a container ran out of memory within a span of time.
#[derive(Debug)]
pub(crate) enum OomEvidence {
    Seen,
    NotSeen,
    /// The engine could not be asked.
    Unknown(Failure),
}

/// A watch that goes on until it is asked for what it has seen, or dropped.
pub(crate) struct OomWatch {
    container: String,
    /// On the engine's clock, which need not be this machine's.
    since: String,
    is_seen: Arc<AtomicBool>,
    end: Interrupt,
    thread: Option<JoinHandle<()>>,
}

impl OomWatch {
    /// Begins to watch a container, which need not be there yet. `now` is the time on the engine's clock.
    pub(crate) fn begin(docker: &Docker, container: &str, now: Option<String>) -> Self {
        let since = now.unwrap_or_else(our_time);
        let is_seen = Arc::new(AtomicBool::new(false));
        let end = Interrupt::default();
        let (docker, arguments) = (docker.with_interrupt(end.clone()), arguments(container, &since, None));
        let (name, found) = (container.to_owned(), Arc::clone(&is_seen));
        let thread = std::thread::Builder::new().name("oom".to_owned()).spawn(move || {
            let mut pending = Vec::new();
            let watched = docker.command(arguments).unlimited().stream(Streams::Both, &mut |chunk| {
                pending.extend_from_slice(chunk);
                while let Some(newline) = pending.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = pending.drain(..=newline).collect();
                    if is_oom(&String::from_utf8_lossy(&line), &name) {
                        found.store(true, Ordering::SeqCst);
                    }
                }
                // A line this long is not an event.
                if pending.len() > LOG_TAIL {
                    pending.clear();
                }
            });
            if let Err(failure) = watched.or_else(|failure| match failure.as_docker_error() {
                Some(crate::error::SandboxError::Interrupted(_)) => Ok(()),
                _ => Err(failure),
            }) {
                docker.note(&format!("events: {failure}"));
            }
        });
        Self { container: container.to_owned(), since, is_seen, end, thread: thread.ok() }
    }

    /// Whether the container ran out of memory since the watch began.
    pub(crate) fn finish(self, docker: &Docker) -> OomEvidence {
        if self.is_seen.load(Ordering::SeqCst) {
            return OomEvidence::Seen;
        }
        let until = docker.resources().ok().and_then(|resources| resources.time).unwrap_or_else(our_time);
        let asked = docker.command(arguments(&self.container, &self.since, Some(&until))).run();
        match asked {
            Ok(printed) if printed.stdout.lines().any(|line| is_oom(line, &self.container)) => {
                OomEvidence::Seen
            }
            _ if self.is_seen.load(Ordering::SeqCst) => OomEvidence::Seen,
            Ok(_) => OomEvidence::NotSeen,
            Err(failure) => OomEvidence::Unknown(failure),
        }
    }
}

impl Drop for OomWatch {
    fn drop(&mut self) {
        self.end.raise(Signal::Terminate);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn arguments(container: &str, since: &str, until: Option<&str>) -> Vec<String> {
    let mut arguments = vec!["events".to_owned(), "--since".to_owned(), since.to_owned()];
    arguments.extend(until.iter().flat_map(|until| ["--until".to_owned(), (*until).to_owned()]));
    let filters = [format!("container={container}"), "event=oom".to_owned()];
    arguments.extend(filters.into_iter().flat_map(|filter| ["--filter".to_owned(), filter]));
    arguments
}

/// Whether a line tells that this container ran out of memory: the engine's filter takes the beginning of a
/// name for the whole.
fn is_oom(line: &str, container: &str) -> bool {
    let attributes =
        line.split_once(" (").map_or("", |(_, attributes)| attributes.trim_end().trim_end_matches(')'));
    let mut names = attributes.split(", ").filter_map(|attribute| attribute.strip_prefix("name="));
    line.contains(" oom ") && names.next().is_none_or(|name| name == container)
}

/// For an engine that does not tell its time.
fn our_time() -> String {
    humantime::format_rfc3339_nanos(SystemTime::now()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_containers_oom_counts() {
        let line = "2026-11-23T08:22:01.123456789Z container oom 0123abcd (image=moby/buildkit:buildx-stable-1, name=buildx_buildkit_rlmesh-build-1g-default0)\n";
        assert!(is_oom(line, "buildx_buildkit_rlmesh-build-1g-default0"));
        assert!(!is_oom(line, "buildx_buildkit_rlmesh-build-1g-default"));
        assert!(is_oom("2026-11-23T08:22:01Z container oom 0123abcd", "x"));
        assert!(!is_oom(&line.replace(" oom ", " die "), "buildx_buildkit_rlmesh-build-1g-default0"));
        assert!(!is_oom("error during connect", "x"));
    }

    #[test]
    fn the_question_has_a_beginning_and_an_end() {
        assert_eq!(
            arguments("c", "1", Some("2")).join(" "),
            "events --since 1 --until 2 --filter container=c --filter event=oom"
        );
        assert_eq!(
            arguments("c", "1", None).join(" "),
            "events --since 1 --filter container=c --filter event=oom"
        );
    }
}
