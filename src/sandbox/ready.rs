//! Waits until a started container answers the handshake, or finds out why it does not.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::contract::CONTAINER_PORT;
use crate::engine::docker::Docker;
use crate::engine::docker::inspection::Inspection;
use crate::engine::docker::log::LogLines;
use crate::engine::docker::tail::Tail;
use crate::engine::{EngineSite, Isolation, Phase, Reach};
use crate::error::{Change, Problem, SandboxError, Signal};
use crate::host::interrupt::Interrupt;
use crate::host::socket_dir::{self, SocketDir};
use crate::plan::Plan;
use crate::sandbox::failure::{ContainerEnd, Facts, question, startup};
use crate::sandbox::handshake::{self, Handshake, NotReady};
use crate::sandbox::probe;
use crate::settings::isolation::Transport;

/// An environment that has answered.
pub(crate) struct Ready {
    /// The address for rlmesh's clients.
    pub(crate) address: String,
    pub(crate) image_id: String,
    /// When the container was created, in RFC 3339.
    pub(crate) created: String,
    pub(crate) handshake: Handshake,
}

/// A container to wait for.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) id: &'a str,
    pub(crate) isolation: &'a Isolation,
    /// The socket directory, if it serves on a Unix socket.
    pub(crate) socket: Option<&'a SocketDir>,
}

/// Waits until the environment in a container answers.
///
/// # Errors
/// ContainerStartup, with the end of the log, if the container ends or does not answer within `limit`;
/// Docker; Interrupted.
pub(crate) fn until_ready(
    docker: &Docker,
    plan: &Plan,
    subject: Subject<'_>,
    limit: Duration,
) -> Result<Ready, SandboxError> {
    let Subject { id, isolation, socket } = subject;
    let deadline = Instant::now() + limit;
    let wait = Wait { docker, plan, isolation, id, limit, deadline, watch: Watch::start(docker, id) };
    let container = wait.container()?;
    let address = match (socket, container.published(CONTAINER_PORT)) {
        (Some(dir), _) => format!("unix://{}", socket_dir::socket(&dir.shared()).display()),
        (None, Some(address)) => format!("tcp://{address}"),
        (None, None) => return Err(wait.no_port(&container)),
    };
    let left = wait.deadline.saturating_duration_since(Instant::now());
    let answer = handshake::wait(&address, left, &docker.interrupt, || wait.watch.has_ended());
    match on_a_runtime(answer)? {
        Ok(handshake) => {
            if let Some(dir) = socket {
                dir.seal().context("cannot change the socket directory")?;
            }
            let (image_id, created) = (container.image, container.created);
            Ok(Ready { address, image_id, created, handshake })
        }
        Err(NotReady::Interrupted(signal)) => Err(SandboxError::Interrupted(signal)),
        Err(reason) => Err(wait.not_ready(&reason)),
    }
}

/// Asks a running environment once more what it is. The inner error says why there is no answer.
///
/// # Errors
/// Interrupted, or a runtime that cannot be started.
pub(crate) fn ask(
    address: &str,
    limit: Duration,
    interrupt: &Interrupt,
) -> Result<Result<Handshake, String>, SandboxError> {
    match on_a_runtime(handshake::wait(address, limit, interrupt, || false))? {
        Ok(handshake) => Ok(Ok(handshake)),
        Err(NotReady::Interrupted(signal)) => Err(SandboxError::Interrupted(signal)),
        Err(NotReady::TimedOut(reason) | NotReady::NotRlmesh(reason)) => Ok(Err(reason)),
        Err(NotReady::Ended) => Ok(Err("it has ended".to_owned())),
    }
}

/// The wait for one container.
struct Wait<'a> {
    docker: &'a Docker,
    plan: &'a Plan,
    isolation: &'a Isolation,
    id: &'a str,
    limit: Duration,
    deadline: Instant,
    watch: Watch,
}

impl Wait<'_> {
    /// Inspects the container. If docker fails, it is asked again until the deadline.
    fn container(&self) -> Result<Inspection, SandboxError> {
        let retry = self.docker.waits.inspect_retry;
        loop {
            match self.docker.inspect(&[self.id.to_owned()]) {
                Ok(mut found) => return found.pop().ok_or_else(|| self.removed()),
                Err(error) if Instant::now() + retry >= self.deadline => return Err(error),
                Err(_) => {
                    self.docker.interrupt.check()?;
                    std::thread::sleep(retry);
                }
            }
        }
    }

    /// The error for a container that publishes no port: it has ended, or docker did not publish the port.
    fn no_port(&self, container: &Inspection) -> SandboxError {
        if is_over(container) {
            return self.ended(container);
        }
        SandboxError::ContainerStartup(
            Problem::new(
                format!("docker did not publish port {CONTAINER_PORT} of the container {}", container.name()),
                "check that the engine can publish ports on the loopback interface (`docker run -p 127.0.0.1::80 …`)",
            )
            .log(&self.log()),
        )
    }

    fn not_ready(&self, reason: &NotReady) -> SandboxError {
        match self.docker.inspect(&[self.id.to_owned()]) {
            Ok(found) => match found.first() {
                Some(container) if is_over(container) => return self.ended(container),
                Some(_) => {}
                None => return self.removed(),
            },
            Err(_) if self.watch.has_ended() => return self.removed(),
            Err(error) => return error,
        }
        let facts = match reason {
            NotReady::TimedOut(_) => probe::look_at(self.docker, self.id, self.limit),
            _ => Facts::default(),
        }
        .within(self.isolation);
        if let Err(interrupted) = self.docker.interrupt.check() {
            return interrupted;
        }
        let log = self.log();
        let diagnosis = startup(self.plan, None, &log, &facts);
        let message = match reason {
            NotReady::NotRlmesh(said) => {
                format!("the server in the container is not an rlmesh environment: {said}")
            }
            NotReady::TimedOut(last) => {
                self.docker.note(&format!("the last attempt to reach the environment: {last}"));
                let what = diagnosis.cause.as_deref().unwrap_or("nothing answered yet");
                format!(
                    "the container did not answer within {}: {what}",
                    humantime::format_duration(self.limit)
                )
            }
            NotReady::Ended => "docker reported that the container ended, but it still runs".to_owned(),
            NotReady::Interrupted(signal) => return SandboxError::Interrupted(*signal),
        };
        let mut problem = diagnosis.into_problem(message, &log);
        if self.plan.build().is_none() && matches!(self.isolation.reach, Reach::Socket(_)) {
            problem = problem
                .hint("an image whose server does not read RLMESH_ADDRESS serves on its port alone")
                .changes([Change::Add("--transport", Transport::Tcp.to_string())]);
        }
        if matches!(self.isolation.reach, Reach::Port(..)) && self.docker.site() == EngineSite::Elsewhere {
            problem = problem.hint(
                "the engine is on another machine, and the port is only open there: forward the port, or run rlmesh-sandbox on that machine",
            );
        }
        SandboxError::ContainerStartup(problem)
    }

    fn ended(&self, container: &Inspection) -> SandboxError {
        let state = &container.state;
        let end = ContainerEnd { exit_code: state.exit_code, is_out_of_memory: state.oom_killed };
        let how = format!(
            "the container ended while it started (state {}, exit code {})",
            state.status, state.exit_code
        );
        let said = Some(state.error.as_str()).filter(|error| !error.is_empty());
        self.ended_error(&container.image, &how, end, said)
    }

    /// The error for a container that something else removed.
    fn removed(&self) -> SandboxError {
        if self.watch.log().is_empty() {
            return SandboxError::ContainerStartup(Problem::new(
                "the container was removed while it started",
                "run it again; make sure that nothing else removes containers, such as `docker system prune`",
            ));
        }
        let end = ContainerEnd { exit_code: 1, is_out_of_memory: false };
        let image = self.plan.image_name();
        self.ended_error(&image, "the container ended while it started and was removed", end, None)
    }

    fn ended_error(&self, image: &str, how: &str, end: ContainerEnd, said: Option<&str>) -> SandboxError {
        let log = self.log();
        let facts = match question(self.plan, &log) {
            Some(question) => probe::look(self.docker, image, self.plan, question),
            None => Facts::default(),
        }
        .within(self.isolation);
        if let Err(interrupted) = self.docker.interrupt.check() {
            return interrupted;
        }
        let diagnosis = startup(self.plan, Some(end), &log, &facts);
        let message = match diagnosis.cause.as_deref().or(said) {
            Some(cause) => format!("{how}: {cause}"),
            None => how.to_owned(),
        };
        SandboxError::ContainerStartup(diagnosis.into_problem(message, &log))
    }

    /// The end of the log: from docker, or else what the watch has read.
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

/// Runs a future on another thread, because the caller's thread may already have a runtime.
fn on_a_runtime<T: Send>(future: impl Future<Output = T> + Send) -> Result<T, SandboxError> {
    let run = || -> Result<T, SandboxError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Ok(runtime.context("cannot start a runtime for the handshake")?.block_on(future))
    };
    let joined = std::thread::scope(|scope| scope.spawn(run).join());
    joined.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Follows a container's log in the background. It notices the container's end early, and keeps the log even
/// if the container is removed.
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
            // Most environments have answered by then.
            if pause(&docker.interrupt, docker.waits.watch_delay).is_err() {
                return;
            }
            let mut keep = |chunk: &[u8]| log.lock().unwrap_or_else(PoisonError::into_inner).push(chunk);
            let everything = LogLines::ALL;
            let mut followed = docker.follow_log(&id, everything, &mut keep);
            while docker.interrupt.check().is_ok() {
                // A log can end early or be unreadable; only the container's state is reliable.
                if docker.inspect(std::slice::from_ref(&id)).is_ok_and(|found| found.iter().all(is_over)) {
                    has_ended.store(true, Ordering::SeqCst);
                    return;
                }
                if followed.is_err() {
                    std::thread::sleep(docker.waits.inspect_retry);
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
