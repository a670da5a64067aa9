//! The docker client: finds it, runs its commands, and explains their failures.

pub(crate) mod build;
pub(crate) mod builder;
pub(crate) mod buildx;
pub(crate) mod child;
pub(crate) mod container;
pub(crate) mod events;
pub(crate) mod exec;
#[cfg(feature = "cli")]
pub(crate) mod facts;
pub(crate) mod image;
pub(crate) mod info;
pub(crate) mod inspection;
pub(crate) mod invocation;
pub(crate) mod log;
pub(crate) mod names;
pub(crate) mod network;
pub(crate) mod oci;
pub(crate) mod probe;
pub(crate) mod rawjson;
mod run_arguments;
pub(crate) mod tail;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use crate::error::{Problem, SandboxError};
use crate::host::interrupt::{Interrupt, Signals};
use crate::host::waits::Waits;
use child::Cause;
use info::IS_IT_DOCKER;
use invocation::{Failure, Invocation};
use log::quoted;

const INSTALL: &str =
    "install Docker Engine or Docker Desktop: https://docs.docker.com/get-started/get-docker/";

/// The hint for a full disk of the engine.
pub(crate) const DISK_FULL: &str =
    "the engine's disk is full: free some space, for example with `docker system prune`";

/// What the engine prints if its disk is full, in lower case.
pub(crate) const NO_SPACE: &str = "no space left on device";

/// The docker client.
///
/// Its commands inherit this process's environment, so DOCKER_HOST, DOCKER_CONTEXT and docker's configuration
/// apply.
#[derive(Clone)]
pub(crate) struct Docker {
    program: PathBuf,
    pub(crate) waits: Waits,
    pub(crate) interrupt: Interrupt,
    trace: Trace,
    is_low_priority: bool,
    /// The engine that the user selected, for the run directories of starts; `None` if that is not known.
    pub(crate) engine_name: Option<String>,
    /// When all of its commands end, whatever their own limits are.
    deadline: Option<Instant>,
}

/// A callback that receives each command before it runs, and notes for `-v`.
pub(crate) type Trace = Arc<dyn Fn(&str) + Send + Sync>;

impl Docker {
    /// Finds the client: `program`, or else `docker` on PATH.
    ///
    /// # Errors
    /// [`SandboxError::Docker`] if there is none.
    pub(crate) fn find(
        program: Option<&Path>,
        waits: Waits,
        interrupt: Interrupt,
        trace: Trace,
    ) -> Result<Self, SandboxError> {
        let program = match program {
            // A name without a slash is looked up on PATH.
            Some(program) => which::which(program).map_err(|error| {
                SandboxError::Docker(Problem::new(
                    format!("the docker client {} cannot be run: {error}", program.display()),
                    "set --docker or RLMESH_SANDBOX_DOCKER to an executable, or leave both unset",
                ))
            })?,
            None => which::which("docker").map_err(|_| {
                SandboxError::Docker(
                    Problem::new("docker is not installed, or not on PATH", INSTALL)
                        .hint("if it is installed elsewhere, pass --docker PATH"),
                )
            })?,
        };
        Ok(Self {
            program,
            waits,
            interrupt,
            trace,
            is_low_priority: false,
            engine_name: None,
            deadline: None,
        })
    }

    /// The same client, whose commands run at the lowest priority.
    pub(crate) fn low_priority(&self) -> Self {
        Self { is_low_priority: true, ..self.clone() }
    }

    /// The same client, whose commands are ended by another interrupt.
    pub(crate) fn with_interrupt(&self, interrupt: Interrupt) -> Self {
        Self { interrupt, ..self.clone() }
    }

    /// The same client, whose commands end at `deadline`.
    pub(crate) fn until(&self, deadline: Instant) -> Self {
        Self { deadline: Some(deadline), ..self.clone() }
    }

    /// The same client for clean-up: after the wait for it, what is left is for `reap`. After a signal, the wait
    /// began with that.
    pub(crate) fn for_clean_up(&self) -> Self {
        let waited = self.interrupt.since_first().unwrap_or_default().min(self.waits.clean_up / 2);
        self.until(Instant::now() + self.waits.clean_up - waited)
    }

    /// Adds a line to the trace, which `-v` shows.
    pub(crate) fn note(&self, text: &str) {
        (self.trace)(text);
    }

    /// A docker command that has not run yet.
    pub(crate) fn command<I>(&self, arguments: I) -> Invocation<'_>
    where
        I: IntoIterator,
        I::Item: Into<OsString>,
    {
        Invocation::new(self, arguments)
    }

    /// A docker command that cleans up: it may end a second after the second signal.
    pub(crate) fn clean_up<I>(&self, arguments: I) -> Invocation<'_>
    where
        I: IntoIterator,
        I::Item: Into<OsString>,
    {
        self.command(arguments).ends_at(Signals::Third)
    }
}

impl Failure {
    /// The error for the user. `wrap` makes it an error of the right kind, unless docker itself does not
    /// work.
    pub(crate) fn into_error(
        self,
        what: &str,
        hint: &str,
        wrap: fn(Problem) -> SandboxError,
    ) -> SandboxError {
        if let Some(error) = self.as_docker_error() {
            return error;
        }
        let reason = last_line(&self.stderr);
        let message = if reason.is_empty() { format!("{what}: {self}") } else { format!("{what}: {reason}") };
        wrap(with_stderr(Problem::new(message, hint), &self.stderr))
    }

    /// The error if docker itself does not work; `None` if only this command failed.
    pub(crate) fn as_docker_error(&self) -> Option<SandboxError> {
        let problem = match &self.cause {
            Cause::Interrupted(signal) => return Some(SandboxError::Interrupted(*signal)),
            Cause::NotStarted(_) => {
                Problem::new(self.to_string(), "check that --docker names a working docker client")
            }
            Cause::TookTooLong(_) => Problem::new(
                self.to_string(),
                "the engine does not respond in time: check that `docker info` works, or restart Docker",
            ),
            Cause::PrintedTooMuch(_) => Problem::new(self.to_string(), IS_IT_DOCKER),
            Cause::Killed(_) => Problem::new(
                self.to_string(),
                "run it again; if that does not help, check that this machine has enough free memory",
            ),
            Cause::Status(_) => engine_out_of_reach(&self.stderr)?,
        };
        Some(SandboxError::Docker(with_stderr(problem, &self.stderr)))
    }
}

/// The problem if the client cannot reach the engine. Only the text of its messages shows that, and the text
/// depends on the client's version.
fn engine_out_of_reach(stderr: &str) -> Option<Problem> {
    let line = |needle: &str| stderr.lines().find(|line| line.contains(needle));
    if line("permission denied while trying to connect").is_some() {
        return Some(Problem::new(
            "the docker engine refuses this user: permission denied on its socket",
            "add yourself to the docker group (sudo usermod -aG docker $USER, then log in again), or use rootless Docker",
        ));
    }
    let needles = [
        "Cannot connect to the Docker daemon",
        "Is the docker daemon running",
        "failed to connect to the docker API",
        "error during connect",
        "unable to resolve docker endpoint",
    ];
    let reason = needles.iter().find_map(|needle| line(needle))?.trim();
    let reason = ["docker: ", "ERROR: ", "error: "]
        .iter()
        .fold(reason, |reason, start| reason.strip_prefix(start).unwrap_or(reason));
    Some(Problem::new(
        format!(
            "the docker engine does not answer: {}",
            reason.trim_end_matches("See 'docker run --help'.").trim()
        ),
        "start Docker (Docker Desktop, or sudo systemctl start docker), or check DOCKER_HOST and `docker context ls`",
    ))
}

/// Adds the end of stderr to a problem, unless it has nothing that the message does not say.
fn with_stderr(problem: Problem, stderr: &str) -> Problem {
    let lines: Vec<&str> = stderr.lines().map(str::trim).filter(is_reason).collect();
    match lines[..] {
        [_] if problem.to_string().contains(&last_line(stderr)) => problem,
        _ => problem.details(quoted(stderr)),
    }
}

/// Whether a line says why a command failed.
fn is_reason(line: &&str) -> bool {
    !line.is_empty() && !line.starts_with("See '") && !line.starts_with("Run 'docker")
}

/// The last line of an error, without docker's `See 'docker run --help'.`.
fn last_line(text: &str) -> String {
    let line = text.lines().map(str::trim).rfind(is_reason).unwrap_or_default();
    let line = ["docker: ", "Error response from daemon: ", "ERROR: "]
        .iter()
        .fold(line, |line, start| line.strip_prefix(start).unwrap_or(line));
    line.trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(status: i32, stderr: &str) -> Failure {
        Failure {
            command: "docker run x".to_owned(),
            cause: Cause::Status(status),
            stdout: String::new(),
            stderr: stderr.to_owned(),
        }
    }

    #[test]
    fn an_unreachable_engine_is_an_error_of_docker_for_every_command() {
        for stderr in [
            "Cannot connect to the Docker daemon at unix:///nonexistent. Is the docker daemon running?",
            "ERROR: Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?",
            "docker: Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?\n\nRun 'docker run --help' for more information",
            "error during connect: Get \"http://h/v1.45/info\": dial tcp: lookup h: no such host",
            "failed to connect to the docker API at unix:///x; check if the path is correct",
            "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: x",
        ] {
            let error = failure(125, stderr).into_error("x", "y", SandboxError::ContainerStartup);
            assert!(matches!(error, SandboxError::Docker(_)), "{stderr}: {error:?}");
            assert!(!error.to_string().contains('\n') && !error.hints().is_empty());
        }
    }

    #[test]
    fn the_last_line_of_stderr_is_the_reason() {
        let error = failure(
            125,
            "docker: Error response from daemon: Conflict. The name is taken.\nSee 'docker run --help'.\n",
        )
        .into_error("the container did not start", "h", SandboxError::ContainerStartup);
        assert_eq!(error.to_string(), "the container did not start: Conflict. The name is taken");
        assert_eq!(error.kind(), "ContainerStartup");
    }

    #[test]
    fn only_the_end_of_a_long_stderr_is_shown() {
        let stderr: String = (0..100_000).map(|number| format!("line {number}\n")).collect();
        let error = failure(1, &stderr).into_error("x", "y", SandboxError::ImageBuild);
        assert_eq!(error.to_string(), "x: line 99999");
        let details = error.details().unwrap();
        assert!(details.starts_with("…\nline 99993\n") && details.ends_with("line 99999"), "{details}");
        let error = failure(1, &"x".repeat(1_000_000)).into_error("x", "y", SandboxError::ImageBuild);
        assert!(error.details().unwrap().len() < 2000);
    }

    #[test]
    fn a_silent_failure_still_names_its_command() {
        let error = failure(3, "").into_error("x", "y", SandboxError::ImageBuild);
        assert_eq!(error.to_string(), "x: docker run x ended with status 3");
    }
}
