//! Out-of-memory events of one container: watched while a build runs, and asked for once it has failed.
//!
//! The engine keeps only its last 256 events, of all containers: on a busy one that is a minute. A build can go
//! on for longer than that after a compiler was killed, until the step gives up, so the events are streamed
//! from the start. And since the stream may be late when the build ends, the engine is asked once more then;
//! either way of seeing one counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use crate::engine::docker::Docker;
use crate::engine::docker::child::Cause;
use crate::engine::docker::child::Streams;
use crate::engine::docker::inspection::Inspection;
use crate::engine::docker::invocation::Failure;
use crate::engine::docker::tail::LOG_TAIL;
use crate::error::Signal;
use crate::host::interrupt::Interrupt;

/// How often the stream is looked at.
const POLL: Duration = Duration::from_millis(20);

/// Whether a container ran out of memory within a span of time.
#[derive(Debug)]
pub(crate) enum OomEvidence {
    Seen,
    NotSeen,
    /// The engine could not be asked.
    Unknown(Failure),
}

/// Watches a container until it is finished or dropped.
pub(crate) struct OomWatch {
    container: String,
    /// On the engine's clock, which may differ from this machine's.
    since: String,
    is_seen: Arc<AtomicBool>,
    end: Interrupt,
    thread: Option<JoinHandle<()>>,
}

impl OomWatch {
    /// Starts to watch a container, which need not exist yet. `now` is the time on the engine's clock.
    pub(crate) fn start(docker: &Docker, container: &str, now: Option<String>) -> Self {
        let since = now.unwrap_or_else(time_here);
        let is_seen = Arc::new(AtomicBool::new(false));
        let end = Interrupt::default();
        let (docker, arguments) = (docker.with_interrupt(end.clone()), arguments(container, &since, None));
        let (name, seen) = (container.to_owned(), Arc::clone(&is_seen));
        let thread = std::thread::Builder::new().name("oom".to_owned()).spawn(move || {
            let mut pending = Vec::new();
            let watched = docker.command(arguments).long().stream(Streams::Both, &mut |chunk| {
                pending.extend_from_slice(chunk);
                while let Some(newline) = pending.iter().position(|byte| *byte == b'\n') {
                    if pending[..newline].trim_ascii() == name.as_bytes() {
                        seen.store(true, Ordering::SeqCst);
                    }
                    pending.drain(..=newline);
                }
                // A line this long is not an event.
                if pending.len() > LOG_TAIL {
                    pending.clear();
                }
            });
            match watched {
                Err(Failure { cause: Cause::Interrupted(_), .. }) | Ok(()) => {}
                Err(failure) => docker.note(&format!("events: {failure}")),
            }
        });
        Self { container: container.to_owned(), since, is_seen, end, thread: thread.ok() }
    }

    /// Whether the container has run out of memory since the watch started.
    pub(crate) fn finish(self, docker: &Docker) -> OomEvidence {
        if self.is_seen.load(Ordering::SeqCst) {
            return OomEvidence::Seen;
        }
        let until = docker.resources().ok().and_then(|resources| resources.time).unwrap_or_else(time_here);
        let asked = docker.command(arguments(&self.container, &self.since, Some(&until))).run();
        match asked {
            Ok(printed) if printed.stdout.lines().any(|name| name.trim() == self.container) => {
                OomEvidence::Seen
            }
            // The engine may report the event only after the end of the process.
            _ if self.is_seen_within(docker.waits.late_event) => OomEvidence::Seen,
            Ok(_) => OomEvidence::NotSeen,
            Err(failure) => OomEvidence::Unknown(failure),
        }
    }

    /// Whether the stream reports the event within that time.
    fn is_seen_within(&self, time: Duration) -> bool {
        let end = Instant::now() + time;
        while !self.is_seen.load(Ordering::SeqCst) && Instant::now() < end {
            std::thread::sleep(POLL);
        }
        self.is_seen.load(Ordering::SeqCst)
    }
}

impl Docker {
    /// Whether something sent a signal to a container that has ended, as `docker stop` and `docker kill` do. False if
    /// that is not known.
    pub(crate) fn was_signalled(&self, container: &Inspection) -> bool {
        let (id, state) = (format!("container={}", container.id), &container.state);
        let mut arguments =
            vec!["events", "--format", "{{.Action}}", "--filter", &id, "--filter", "event=kill"];
        arguments.extend(["--since", &container.created, "--until", &state.finished_at]);
        let has_time = humantime::parse_rfc3339_weak(&state.finished_at).is_ok();
        has_time && self.command(arguments).run().is_ok_and(|printed| !printed.stdout.trim().is_empty())
    }
}

impl Drop for OomWatch {
    fn drop(&mut self) {
        // The second one kills it at once.
        self.end.raise(Signal::Terminate);
        self.end.raise(Signal::Terminate);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Each event prints the container's whole name: the engine's filter also lets longer names through.
fn arguments(container: &str, since: &str, until: Option<&str>) -> Vec<String> {
    let container = format!("container={container}");
    let mut arguments = vec!["events", "--format", "{{.Actor.Attributes.name}}"];
    arguments.extend(["--filter", &container, "--filter", "event=oom", "--since", since]);
    arguments.extend(until.iter().flat_map(|until| ["--until", until]));
    arguments.into_iter().map(str::to_owned).collect()
}

/// For an engine that does not report its time.
fn time_here() -> String {
    humantime::format_rfc3339_nanos(SystemTime::now()).to_string()
}
