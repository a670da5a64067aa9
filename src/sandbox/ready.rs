//! A started container → its answered handshake, or the reason why there is none.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::contract::CONTAINER_PORT;
use crate::engine::docker::Docker;
use crate::engine::docker::inspection::Inspection;
use crate::engine::docker::log::{Follow, LogLines, Tail};
use crate::engine::{EngineSite, Phase};
use crate::error::{Problem, SandboxError, Signal};
use crate::host::interrupt::Interrupt;
use crate::plan::Plan;
use crate::sandbox::failure::{ContainerEnd, startup};
use crate::sandbox::handshake::{self, Handshake, NotReady};

/// How long the container alone may have the processor before anything else is started to watch it.
const WATCH_DELAY: Duration = Duration::from_millis(400);

/// How long to wait before docker is asked again, after it failed.
const RETRY: Duration = Duration::from_millis(200);

/// An environment that has answered.
pub(crate) struct Ready {
    /// As rlmesh's clients take it.
    pub(crate) address: String,
    pub(crate) image_id: String,
    pub(crate) handshake: Handshake,
}

/// Waits until the environment in the container `id` answers.
///
/// # Errors
/// ContainerStartup, with the end of the log, as soon as the container ends, or when `limit` is over;
/// Docker; Interrupted.
pub(crate) fn until_ready(
    docker: &Docker,
    plan: &Plan,
    id: &str,
    limit: Duration,
) -> Result<Ready, SandboxError> {
    let wait =
        Wait { docker, plan, id, limit, deadline: Instant::now() + limit, watch: Watch::start(docker, id) };
    let container = wait.container()?;
    let Some(address) = container.published(CONTAINER_PORT) else { return Err(wait.no_port(&container)) };
    let left = wait.deadline.saturating_duration_since(Instant::now());
    let answer = handshake::wait(&address, left, &docker.interrupt, || wait.watch.has_ended());
    match on_a_runtime(answer)? {
        Ok(handshake) => {
            Ok(Ready { address: format!("tcp://{address}"), image_id: container.image, handshake })
        }
        Err(NotReady::Interrupted(signal)) => Err(SandboxError::Interrupted(signal)),
        Err(reason) => Err(wait.not_ready(&reason)),
    }
}

/// One container that is waited for.
struct Wait<'a> {
    docker: &'a Docker,
    plan: &'a Plan,
    id: &'a str,
    limit: Duration,
    deadline: Instant,
    watch: Watch,
}

impl Wait<'_> {
    /// What docker knows of the container. Docker may fail now and then: it is asked until the time is over.
    fn container(&self) -> Result<Inspection, SandboxError> {
        loop {
            match self.docker.inspect(&[self.id.to_owned()]) {
                Ok(mut found) => return found.pop().ok_or_else(|| self.removed()),
                Err(error) if Instant::now() + RETRY >= self.deadline => return Err(error),
                Err(_) => {
                    self.docker.interrupt.check()?;
                    std::thread::sleep(RETRY);
                }
            }
        }
    }

    /// A container without its port: ended already, or not as it was asked for.
    fn no_port(&self, container: &Inspection) -> SandboxError {
        if is_over(container) {
            return self.ended(container);
        }
        SandboxError::ContainerStartup(
            Problem::new(
                format!("docker publishes no port {CONTAINER_PORT} of the container {}", container.name()),
                "check that the engine can publish ports on the loopback interface (`docker run -p 127.0.0.1::80 …`)",
            )
            .details(self.log()),
        )
    }

    fn not_ready(&self, reason: &NotReady) -> SandboxError {
        // Docker may not answer now: what is known already is reported all the same.
        match self.docker.inspect(&[self.id.to_owned()]) {
            Ok(found) => match found.first() {
                Some(container) if is_over(container) => return self.ended(container),
                Some(_) => {}
                None => return self.removed(),
            },
            Err(_) if self.watch.has_ended() => return self.removed(),
            Err(_) => {}
        }
        let log = self.log();
        let diagnosis = startup(self.plan, None, &log);
        let message = match reason {
            NotReady::NotRlmesh(said) => {
                format!("what answers in the container is not an rlmesh environment: {said}")
            }
            NotReady::TimedOut(last) => {
                format!(
                    "the container did not answer within {}: {last}",
                    humantime::format_duration(self.limit)
                )
            }
            NotReady::Ended => "docker reported that the container ended, but it is still running".to_owned(),
            NotReady::Interrupted(signal) => return SandboxError::Interrupted(*signal),
        };
        let mut problem = problem(message, &diagnosis.hints);
        if self.docker.site() == EngineSite::Elsewhere {
            problem = problem.hint(
                "the engine is on another machine, and the port is open only there: forward it, or run this there",
            );
        }
        SandboxError::ContainerStartup(with_log(problem, &log))
    }

    fn ended(&self, container: &Inspection) -> SandboxError {
        let state = &container.state;
        let end = ContainerEnd { exit_code: state.exit_code, is_out_of_memory: state.oom_killed };
        let how = format!(
            "the container ended while it started (state {}, exit code {})",
            state.status, state.exit_code
        );
        self.dead(&how, Some(end), Some(state.error.as_str()).filter(|error| !error.is_empty()))
    }

    /// Another program's clean-up, or a person, has removed the container.
    fn removed(&self) -> SandboxError {
        if self.watch.log().is_empty() {
            return SandboxError::ContainerStartup(Problem::new(
                "the container was removed while it started",
                "run it again; did another program, or `docker system prune`, remove it?",
            ));
        }
        let end = ContainerEnd { exit_code: 1, is_out_of_memory: false };
        self.dead("the container ended while it started, and was removed", Some(end), None)
    }

    fn dead(&self, how: &str, end: Option<ContainerEnd>, said: Option<&str>) -> SandboxError {
        let log = self.log();
        let diagnosis = startup(self.plan, end, &log);
        let message = match diagnosis.cause.as_deref().or(said) {
            Some(cause) => format!("{how}: {cause}"),
            None => how.to_owned(),
        };
        SandboxError::ContainerStartup(with_log(problem(message, &diagnosis.hints), &log))
    }

    /// The end of the log: docker's, or what was read of it before the container was gone.
    fn log(&self) -> String {
        match self.docker.log_tail(self.id) {
            Ok(log) => log,
            Err(failure) => match self.watch.log() {
                log if log.is_empty() => format!("(no log: {failure})"),
                log => log,
            },
        }
    }
}

/// Runs a future on a thread of its own, since the caller's may already have a runtime.
fn on_a_runtime<T: Send>(future: impl Future<Output = T> + Send) -> Result<T, SandboxError> {
    let run = || -> Result<T, SandboxError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Ok(runtime.context("cannot start a runtime for the handshake")?.block_on(future))
    };
    let joined = std::thread::scope(|scope| scope.spawn(run).join());
    joined.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Reads a container's log, and so learns of its end as soon as docker does, and keeps its text even where the
/// container is removed at once.
struct Watch {
    has_ended: Arc<AtomicBool>,
    log: Arc<Mutex<Tail>>,
    stop: Interrupt,
}

impl Watch {
    fn start(docker: &Docker, id: &str) -> Self {
        let watch = Self { has_ended: Arc::default(), log: Arc::default(), stop: Interrupt::default() };
        let docker = docker.with_interrupt(watch.stop.clone()).low_priority();
        let (has_ended, log) = (Arc::clone(&watch.has_ended), Arc::clone(&watch.log));
        let id = id.to_owned();
        std::thread::spawn(move || {
            // Most environments have answered by then, and need no watch.
            if pause(&docker.interrupt, WATCH_DELAY).is_err() {
                return;
            }
            let mut keep = |chunk: &[u8]| log.lock().unwrap_or_else(PoisonError::into_inner).push(chunk);
            let everything = LogLines { follow: Follow::UntilTheEnd, tail: None };
            let mut followed = docker.follow_log(&id, everything, &mut keep);
            while docker.interrupt.check().is_ok() {
                // A log can break off, or not be readable at all; only the container's state is certain.
                if docker.inspect(std::slice::from_ref(&id)).is_ok_and(|found| found.iter().all(is_over)) {
                    has_ended.store(true, Ordering::SeqCst);
                    return;
                }
                if followed.is_err() {
                    std::thread::sleep(RETRY);
                }
                followed = docker.wait_for_end(&id);
            }
        });
        watch
    }

    fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::SeqCst)
    }

    fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone().into_text()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.raise(Signal::Terminate);
    }
}

/// Sleeps, unless the interrupt is raised in the meantime.
fn pause(interrupt: &Interrupt, time: Duration) -> Result<(), SandboxError> {
    let end = Instant::now() + time;
    while Instant::now() < end {
        interrupt.check()?;
        std::thread::sleep(Duration::from_millis(10));
    }
    interrupt.check()
}

fn is_over(container: &Inspection) -> bool {
    matches!(container.phase(), Phase::Ended | Phase::Removing)
}

fn problem(message: String, hints: &[String]) -> Problem {
    let mut hints = hints.iter();
    let first = hints.next().map_or("read the end of its log below", String::as_str);
    hints.fold(Problem::new(message, first), |problem, hint| problem.hint(hint))
}

fn with_log(problem: Problem, log: &str) -> Problem {
    if log.is_empty() {
        problem.details("the container's log is empty")
    } else {
        problem.details("the end of its log:").details(log)
    }
}
