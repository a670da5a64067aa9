//! Docker as this tool uses it: the client, and what its failures mean; it shows nothing and decides nothing about sandboxes.

pub(crate) mod build;
pub(crate) mod builder;
pub(crate) mod buildx;
pub(crate) mod commit;
pub(crate) mod container;
pub(crate) mod events;
pub(crate) mod image;
pub(crate) mod info;
pub(crate) mod inspection;
pub(crate) mod invocation;
pub(crate) mod log;
pub(crate) mod oci;
pub(crate) mod rawjson;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Problem, SandboxError};
use crate::host::interrupt::{Interrupt, Signals};
use invocation::{Cause, Failure, Invocation};

const INSTALL: &str =
    "install Docker Engine or Docker Desktop: https://docs.docker.com/get-started/get-docker/";

/// What to do where the engine has no room, whatever it was about to do.
pub(crate) const DISK_FULL: &str = "the engine's disk is full: make room, e.g. with `docker system prune`";

/// How the engine says that it has no room, in lower case.
pub(crate) const NO_SPACE: &str = "no space left on device";

/// The docker client, and what ends its commands.
///
/// DOCKER_HOST, DOCKER_CONTEXT and the client's own configuration reach it untouched.
#[derive(Clone)]
pub(crate) struct Docker {
    program: PathBuf,
    pub(crate) interrupt: Interrupt,
    trace: Trace,
    is_low_priority: bool,
}

/// Is told every command before it runs.
pub(crate) type Trace = Arc<dyn Fn(&str) + Send + Sync>;

impl Docker {
    /// The client to use: `program`, else `docker` on PATH.
    ///
    /// # Errors
    /// [`SandboxError::Docker`] where there is none.
    pub(crate) fn find(
        program: Option<&Path>,
        interrupt: Interrupt,
        trace: Trace,
    ) -> Result<Self, SandboxError> {
        let program = match program {
            // A name without a slash is looked for on PATH, like any command's.
            Some(program) => which::which(program).map_err(|error| {
                SandboxError::Docker(Problem::new(
                    format!("the docker client {} cannot be run: {error}", program.display()),
                    "name an executable with --docker or RLMESH_SANDBOX_DOCKER, or leave both out",
                ))
            })?,
            None => which::which("docker").map_err(|_| {
                SandboxError::Docker(
                    Problem::new("docker is not installed: there is no `docker` on PATH", INSTALL)
                        .hint("is it somewhere else? name it with --docker PATH"),
                )
            })?,
        };
        Ok(Self { program, interrupt, trace, is_low_priority: false })
    }

    /// The same client, whose commands leave the processor to everything else.
    pub(crate) fn low_priority(&self) -> Self {
        Self { is_low_priority: true, ..self.clone() }
    }

    /// The same client, whose commands give way to another interrupt.
    pub(crate) fn with_interrupt(&self, interrupt: Interrupt) -> Self {
        Self { interrupt, ..self.clone() }
    }

    /// Tells the trace something that is nobody's business but a curious user's.
    pub(crate) fn note(&self, text: &str) {
        (self.trace)(text);
    }

    /// A docker command; nothing happens before it is run.
    pub(crate) fn command<I>(&self, arguments: I) -> Invocation<'_>
    where
        I: IntoIterator,
        I::Item: Into<OsString>,
    {
        Invocation::new(self, arguments)
    }

    /// A command that cleans up, and so goes on after the first signal.
    pub(crate) fn clean_up<I>(&self, arguments: I) -> Invocation<'_>
    where
        I: IntoIterator,
        I::Item: Into<OsString>,
    {
        self.command(arguments).ends_at(Signals::Third)
    }
}

impl Failure {
    /// The failure as the user meets it: `wrap` decides the kind, unless docker itself is what failed.
    pub(crate) fn into_error(
        self,
        what: &str,
        hint: &str,
        wrap: fn(Problem) -> SandboxError,
    ) -> SandboxError {
        if let Some(error) = self.as_docker_error() {
            return error;
        }
        let said = last_line(&self.stderr);
        let message = if said.is_empty() { format!("{what}: {self}") } else { format!("{what}: {said}") };
        wrap(Problem::new(message, hint).details(self.stderr.trim()))
    }

    /// The failure, where it says that docker does not work rather than that a command was in vain.
    pub(crate) fn as_docker_error(&self) -> Option<SandboxError> {
        let problem = match &self.cause {
            Cause::Interrupted(signal) => return Some(SandboxError::Interrupted(*signal)),
            Cause::NotStarted(_) => {
                Problem::new(self.to_string(), "check the docker client that --docker names")
            }
            Cause::TookTooLong(_) => Problem::new(
                self.to_string(),
                "the engine seems stuck: check `docker info`, and restart Docker",
            ),
            Cause::Killed(_) => {
                Problem::new(self.to_string(), "run it again; is this machine short of memory?")
            }
            Cause::Status(_) => engine_out_of_reach(&self.stderr)?,
        };
        Some(SandboxError::Docker(problem.details(self.stderr.trim())))
    }
}

/// What the client prints when it can't talk to an engine, in all its spellings; its status tells nothing.
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
    let said = needles.iter().find_map(|needle| line(needle))?.trim();
    let said = ["docker: ", "ERROR: ", "error: "]
        .iter()
        .fold(said, |said, start| said.strip_prefix(start).unwrap_or(said));
    Some(Problem::new(
        format!(
            "the docker engine does not answer: {}",
            said.trim_end_matches("See 'docker run --help'.").trim()
        ),
        "start Docker (Docker Desktop, or sudo systemctl start docker), or check DOCKER_HOST and `docker context ls`",
    ))
}

/// The last line that says something: docker adds `See 'docker run --help'.` below its errors.
fn last_line(text: &str) -> String {
    let is_telling =
        |line: &&str| !line.is_empty() && !line.starts_with("See '") && !line.starts_with("Run 'docker");
    let line = text.lines().map(str::trim).rfind(is_telling).unwrap_or_default();
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
    fn an_engine_out_of_reach_is_dockers_failure_whichever_command_met_it() {
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
    fn what_docker_said_last_is_the_cause() {
        let error = failure(
            125,
            "docker: Error response from daemon: Conflict. The name is taken.\nSee 'docker run --help'.\n",
        )
        .into_error("the container did not start", "h", SandboxError::ContainerStartup);
        assert_eq!(error.to_string(), "the container did not start: Conflict. The name is taken");
        assert_eq!(error.kind(), "ContainerStartup");
    }

    #[test]
    fn a_silent_failure_still_names_its_command() {
        let error = failure(3, "").into_error("x", "y", SandboxError::ImageBuild);
        assert_eq!(error.to_string(), "x: docker run x ended with status 3");
    }
}
