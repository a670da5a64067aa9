//! Containers: run, inspect, list, wait, stop, remove.

use std::path::Path;
use std::time::Duration;

use crate::engine::docker::info::{not_docker, unreadable};
use crate::engine::docker::inspection::Inspection;
use crate::engine::docker::invocation::{Cause, Failure, Invocation, Printed};
use crate::engine::docker::{DISK_FULL, Docker, NO_SPACE};
use crate::error::SandboxError;
use crate::host::interrupt::Signals;
use crate::sandbox::owner::MARK;

/// How long a start may take, without a pull.
const START_LIMIT: Duration = Duration::from_secs(300);

/// A container to create.
#[derive(Debug, Clone)]
pub(crate) struct NewContainer<'a> {
    pub(crate) image: &'a str,
    pub(crate) name: &'a str,
    pub(crate) labels: &'a [(&'static str, String)],
    /// The variables inside. No command line shows their values.
    pub(crate) environment: &'a [(&'static str, String)],
    /// The port inside. Docker publishes it on the loopback interface, at a port of its choice.
    pub(crate) port: u16,
    /// A file to copy into the container before it starts, and its path there, which the entrypoint gets as
    /// its argument.
    pub(crate) file: Option<(&'a Path, &'a str)>,
    pub(crate) platform: Platform<'a>,
}

/// The platform that a container's image must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Platform<'a> {
    /// Any: the engine may emulate it.
    Any,
    /// The engine's own, without emulation.
    Engines,
    /// `linux/arm64`.
    Named(&'a str),
}

/// Why `docker run` started no container.
pub(crate) enum StartFailure {
    /// Another container has the name: there is nothing to remove.
    NameTaken(Failure),
    /// The engine does not have the image: there is nothing to remove.
    NoImage(Failure),
    /// The image is for another platform than the engine's: there may be a container.
    OtherPlatform,
    /// It did not print a container's id.
    NotDocker(SandboxError),
    Other(Failure),
}

impl Docker {
    /// Starts a container without capabilities or new privileges, and with one port on the loopback
    /// interface. It is not removed at its end, so that its log can be read.
    pub(crate) fn run_container<'a>(&'a self, new: &NewContainer<'_>) -> Result<String, StartFailure> {
        let verb: &[&str] = if new.file.is_some() { &["create"] } else { &["run", "-d"] };
        let mut arguments: Vec<String> = verb.iter().map(|&word| word.to_owned()).collect();
        let mut option = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
        option("--name", new.name.to_owned());
        option("--pull", "never".to_owned());
        option("--cap-drop", "ALL".to_owned());
        option("--security-opt", "no-new-privileges".to_owned());
        option("--publish", format!("127.0.0.1::{}", new.port));
        if let Platform::Named(platform) = new.platform {
            option("--platform", platform.to_owned());
        }
        for (name, value) in new.labels {
            option("--label", format!("{name}={value}"));
        }
        // By name alone: the client takes the value from its own environment, so that no command line shows it.
        for (name, _) in new.environment {
            option("--env", (*name).to_owned());
        }
        arguments.push(new.image.to_owned());
        arguments.extend(new.file.map(|(_, target)| target.to_owned()));
        // A start takes a moment, and a client killed halfway may still leave a container: it takes a second signal.
        let patient = |invocation: Invocation<'a>| invocation.limit(START_LIMIT).ends_at(Signals::Second);
        let mut invocation = patient(self.command(arguments));
        for (name, value) in new.environment {
            invocation = invocation.environment(name, value);
        }
        let id = match invocation.run() {
            Ok(Printed { stderr, .. }) | Err(Failure { stderr, .. })
                if new.platform == Platform::Engines
                    && stderr.contains("does not match the detected host platform") =>
            {
                return Err(StartFailure::OtherPlatform);
            }
            Ok(printed) => printed.stdout.lines().last().unwrap_or_default().trim().to_owned(),
            Err(failure) if is_name_conflict(&failure) => return Err(StartFailure::NameTaken(failure)),
            Err(failure) if is_image_missing(&failure.stderr) => {
                return Err(StartFailure::NoImage(failure));
            }
            Err(failure) => return Err(StartFailure::Other(failure)),
        };
        if let Some((file, target)) = new.file {
            let copy = [file.as_os_str().to_owned(), format!("{}:{target}", new.name).into()];
            let copied =
                patient(self.command([vec!["cp".into(), "--quiet".into()], copy.to_vec()].concat())).run();
            copied
                .and_then(|_| patient(self.command(["start", new.name])).run())
                .map_err(StartFailure::Other)?;
        }
        if id.len() < 12 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(StartFailure::NotDocker(not_docker("docker run", &id)));
        }
        Ok(id)
    }

    /// Inspects containers by id or name. Those that do not exist are left out.
    ///
    /// # Errors
    /// [`SandboxError::Docker`].
    pub(crate) fn inspect(&self, containers: &[String]) -> Result<Vec<Inspection>, SandboxError> {
        if containers.is_empty() {
            return Ok(Vec::new());
        }
        let mut arguments = vec!["container".to_owned(), "inspect".to_owned(), "--".to_owned()];
        arguments.extend_from_slice(containers);
        let printed = match self.command(arguments).run() {
            Ok(printed) => printed.stdout,
            Err(failure) if matches!(failure.cause, Cause::Status(_)) && only_missing(&failure.stderr) => {
                failure.stdout
            }
            Err(failure) => {
                return Err(failure.into_error(
                    "docker could not inspect the containers",
                    "check `docker ps`",
                    SandboxError::Docker,
                ));
            }
        };
        if printed.trim().is_empty() {
            return Ok(Vec::new());
        }
        serde_json::from_str(&printed).map_err(|error| unreadable("docker inspect", &error, &printed))
    }

    /// Whether a container of that name or id exists, in any state.
    ///
    /// # Errors
    /// [`SandboxError::Docker`].
    pub(crate) fn exists(&self, container: &str) -> Result<bool, SandboxError> {
        let found = self.clean_up(["container", "inspect", "--format", "{{.Id}}", "--", container]).run();
        match found {
            Ok(_) => Ok(true),
            Err(failure) if only_missing(&failure.stderr) => Ok(false),
            Err(failure) => Err(failure.into_error(
                "docker could not look for the container",
                "check `docker ps`",
                SandboxError::Docker,
            )),
        }
    }

    /// Every container with the sandbox label, in any state.
    ///
    /// # Errors
    /// [`SandboxError::Docker`].
    pub(crate) fn sandboxes(&self) -> Result<Vec<Inspection>, SandboxError> {
        self.sandboxes_but(&[])
    }

    /// Every container with the sandbox label, in any state, except for those of these names.
    ///
    /// # Errors
    /// [`SandboxError::Docker`].
    pub(crate) fn sandboxes_but(&self, names: &[String]) -> Result<Vec<Inspection>, SandboxError> {
        let mark = format!("label={}={}", MARK.0, MARK.1);
        let list = ["ps", "--all", "--no-trunc", "--filter", &mark, "--format", "{{.ID}} {{.Names}}"];
        let printed = self.command(list).run().map_err(|failure| {
            failure.into_error(
                "docker could not list the sandboxes",
                "check `docker ps`",
                SandboxError::Docker,
            )
        })?;
        let lines = printed.stdout.lines().map(|line| line.split_once(' ').unwrap_or((line, "")));
        let wanted = lines.filter(|(_, name)| !names.iter().any(|other| other == name));
        let ids: Vec<String> = wanted.map(|(id, _)| id.to_owned()).collect();
        self.inspect(&ids)
    }

    /// Waits until a container ends, or for the interrupt.
    ///
    /// # Errors
    /// Docker's own: they say nothing about the container.
    pub(crate) fn wait_for_end(&self, container: &str) -> Result<(), Failure> {
        self.command(["wait", container]).unlimited().run().map(|_| ())
    }

    /// Stops containers, and kills them after `grace`. One that does not exist is not a failure.
    ///
    /// # Errors
    /// Docker's own.
    pub(crate) fn stop_containers(
        &self,
        containers: &[String],
        grace: Duration,
        ends_at: Signals,
    ) -> Result<(), Failure> {
        // Docker takes whole seconds, and half a second must not become none.
        let seconds = grace.as_secs() + u64::from(grace.subsec_nanos() > 0);
        // The short form: its long name changed between versions of the client.
        let mut arguments = vec!["stop".to_owned(), "-t".to_owned(), seconds.to_string()];
        arguments.extend_from_slice(containers);
        let limit = grace + Duration::from_secs(60);
        let stopped = self.command(arguments).limit(limit).ends_at(ends_at).run();
        forgive_missing(stopped.map(|_| ()))
    }

    /// Removes containers with their anonymous volumes, even if they run. One that does not exist is not a
    /// failure.
    ///
    /// # Errors
    /// Docker's own.
    pub(crate) fn remove_containers(&self, containers: &[String]) -> Result<(), Failure> {
        let mut arguments = vec!["rm".to_owned(), "--force".to_owned(), "--volumes".to_owned()];
        arguments.extend_from_slice(containers);
        forgive_missing(self.clean_up(arguments).limit(START_LIMIT).run().map(|_| ()))
    }
}

/// Whether the engine has no such image, or not for that platform.
fn is_image_missing(stderr: &str) -> bool {
    stderr.contains("No such image") || stderr.contains("was found but does not match the specified platform")
}

fn is_name_conflict(failure: &Failure) -> bool {
    failure.stderr.contains("Conflict") && failure.stderr.contains("is already in use by container")
}

/// Whether all of a command's errors are about containers that do not exist.
fn only_missing(stderr: &str) -> bool {
    let is_missing = |line: &str| line.to_lowercase().contains("no such container");
    let mut lines = stderr.lines().map(str::trim).filter(|line| !line.is_empty()).peekable();
    lines.peek().is_some() && lines.all(is_missing)
}

/// Turns a failure into success where each container is gone or being removed.
fn forgive_missing(result: Result<(), Failure>) -> Result<(), Failure> {
    let is_forgiven = |line: &str| {
        let line = line.to_lowercase();
        line.contains("no such container") || line.contains("is already in progress")
    };
    match result {
        Err(failure)
            if matches!(failure.cause, Cause::Status(_))
                && !failure.stderr.trim().is_empty()
                && failure.stderr.lines().filter(|line| !line.trim().is_empty()).all(is_forgiven) =>
        {
            Ok(())
        }
        other => other,
    }
}

/// The error for a container that did not start.
pub(crate) fn start_error(failure: Failure) -> SandboxError {
    let hint = match &failure.cause {
        _ if failure.stderr.to_lowercase().contains(NO_SPACE) => DISK_FULL,
        Cause::Status(125) => "docker refused to start it: read what it says, and check `docker info`",
        Cause::Status(126 | 127) => {
            "the image's entrypoint cannot be run: is it an image that serves rlmesh?"
        }
        _ => "check `docker info`, and run it again with -v",
    };
    failure.into_error("the container did not start", hint, SandboxError::ContainerStartup)
}

/// The error for a container whose name stays taken.
pub(crate) fn name_taken(failure: Failure) -> SandboxError {
    failure.into_error(
        "the container did not start, because its name is taken",
        "remove the container that has it, or run it again",
        SandboxError::ContainerStartup,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_has_its_own_hint() {
        let failure = |stderr: &str| Failure {
            command: "docker run".to_owned(),
            cause: Cause::Status(125),
            stdout: String::new(),
            stderr: stderr.to_owned(),
        };
        let full =
            "docker: Error response from daemon: mkdir /var/lib/docker/overlay2/x: No space left on device.";
        assert_eq!(start_error(failure(full)).hints(), [DISK_FULL]);
        assert!(start_error(failure("docker: x")).hints()[0].contains("docker info"));
    }

    #[test]
    fn only_containers_that_are_gone_are_forgiven() {
        assert!(only_missing(
            "Error response from daemon: No such container: a\nError: No such container: b\n"
        ));
        assert!(!only_missing("Error: No such container: a\nsomething else"));
        assert!(!only_missing(""));
    }
}
