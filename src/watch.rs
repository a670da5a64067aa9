//! A started container → its answered handshake, or the reason why there is none; it removes nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::context::dockerfile::CONTAINER_PORT;
use crate::diagnosis::startup::{ContainerEnd, startup};
use crate::docker::Docker;
use crate::docker::inspection::Inspection;
use crate::error::{Problem, SandboxError, Signal};
use crate::interrupt::Interrupt;
use crate::options::Environment;
use crate::owner::{EngineSite, Phase};
use crate::readiness::{self, Handshake, NotReady};
use crate::spec::Plan;

/// How long the container alone may have the processor before anything else is started to watch it.
const WATCH_DELAY: Duration = Duration::from_millis(150);

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
    environment: &Environment,
) -> Result<Ready, SandboxError> {
    let watch = Watch::start(docker, id);
    let began = Instant::now();
    let found = docker.inspect(&[id.to_owned()])?;
    let container = found.first().ok_or_else(removed_meanwhile)?;
    let Some(address) = container.published(CONTAINER_PORT) else {
        return Err(no_port(docker, plan, container));
    };
    let left = limit.saturating_sub(began.elapsed());
    let outcome = on_a_runtime(readiness::wait(&address, left, &docker.interrupt, || watch.has_ended()))?;
    drop(watch);
    match outcome {
        Ok(handshake) => {
            Ok(Ready { address: format!("tcp://{address}"), image_id: container.image.clone(), handshake })
        }
        Err(NotReady::Interrupted(signal)) => Err(SandboxError::Interrupted(signal)),
        Err(reason) => Err(not_ready(docker, plan, id, limit, &reason, environment)),
    }
}

/// Runs a future on a thread of its own, since the caller's may already have a runtime.
fn on_a_runtime<T: Send>(future: impl Future<Output = T> + Send) -> Result<T, SandboxError> {
    let run = || -> Result<T, SandboxError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Ok(runtime.context("no runtime for the handshake")?.block_on(future))
    };
    let joined = std::thread::scope(|scope| scope.spawn(run).join());
    joined.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Learns of a container's end as soon as docker does.
struct Watch {
    has_ended: Arc<AtomicBool>,
    stop: Interrupt,
}

impl Watch {
    fn start(docker: &Docker, id: &str) -> Self {
        let watch = Self { has_ended: Arc::default(), stop: Interrupt::default() };
        let docker = docker.with_interrupt(watch.stop.clone()).aside();
        let has_ended = Arc::clone(&watch.has_ended);
        let id = id.to_owned();
        std::thread::spawn(move || {
            std::thread::sleep(WATCH_DELAY);
            while docker.interrupt.check().is_ok() {
                // That docker fails to wait says nothing of the container; that it does not know it does.
                let is_certain = match docker.wait_for_end(&id) {
                    Ok(()) => true,
                    Err(_) => {
                        docker.inspect(std::slice::from_ref(&id)).is_ok_and(|found| found.iter().all(is_over))
                    }
                };
                if is_certain {
                    has_ended.store(true, Ordering::SeqCst);
                    return;
                }
                std::thread::sleep(Duration::from_millis(250));
            }
        });
        watch
    }

    fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::SeqCst)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.raise(Signal::Terminate);
    }
}

fn is_over(container: &Inspection) -> bool {
    matches!(container.phase(), Phase::Ended | Phase::Removing)
}

fn removed_meanwhile() -> SandboxError {
    SandboxError::ContainerStartup(Problem::new(
        "the container was removed while it started",
        "run it again; did another program, or `docker system prune`, remove it?",
    ))
}

/// A container without its port: ended already, or not as it was asked for.
fn no_port(docker: &Docker, plan: &Plan, container: &Inspection) -> SandboxError {
    if is_over(container) {
        return ended(docker, plan, container);
    }
    SandboxError::ContainerStartup(
        Problem::new(
            format!("docker publishes no port {CONTAINER_PORT} of the container {}", container.name()),
            "check that the engine can publish ports on the loopback interface (`docker run -p 127.0.0.1::80 …`)",
        )
        .details(docker.log_tail(&container.id)),
    )
}

fn not_ready(
    docker: &Docker,
    plan: &Plan,
    id: &str,
    limit: Duration,
    reason: &NotReady,
    environment: &Environment,
) -> SandboxError {
    // A docker that does not answer now is no reason to lose what is known already.
    let container = docker.inspect(&[id.to_owned()]).ok().and_then(|mut found| found.pop());
    if let Some(container) = container.as_ref().filter(|container| is_over(container)) {
        return ended(docker, plan, container);
    }
    let log = docker.log_tail(id);
    let diagnosis = startup(plan, None, &log);
    let message = match reason {
        NotReady::NotRlmesh(said) => {
            format!("what answers in the container is no rlmesh environment: {said}")
        }
        NotReady::GivenUp => return removed_meanwhile(),
        NotReady::TimedOut(last) => {
            format!("the container did not answer within {}: {last}", humantime::format_duration(limit))
        }
        NotReady::Interrupted(signal) => return SandboxError::Interrupted(*signal),
    };
    let mut problem = problem(message, &diagnosis.hints);
    if docker.site(environment) == EngineSite::Elsewhere {
        problem = problem.hint("the engine is on another machine, and the port is open only there: forward it, or run this there");
    }
    SandboxError::ContainerStartup(with_log(problem, &log))
}

fn ended(docker: &Docker, plan: &Plan, container: &Inspection) -> SandboxError {
    let state = &container.state;
    let log = docker.log_tail(&container.id);
    let end = ContainerEnd { exit_code: state.exit_code, is_out_of_memory: state.oom_killed };
    let diagnosis = startup(plan, Some(end), &log);
    let how = format!(
        "the container ended while it started (state {}, exit code {})",
        state.status, state.exit_code
    );
    let message =
        match diagnosis.cause.or_else(|| Some(state.error.clone()).filter(|error| !error.is_empty())) {
            Some(cause) => format!("{how}: {cause}"),
            None => how,
        };
    SandboxError::ContainerStartup(with_log(problem(message, &diagnosis.hints), &log))
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
