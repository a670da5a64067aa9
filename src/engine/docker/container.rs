//! Containers: run, inspect, stop, remove, list.

use std::path::Path;
use std::time::Duration;

use crate::contract::label;
use crate::engine::docker::child::Cause;
use crate::engine::docker::info::{not_docker, unreadable};
use crate::engine::docker::inspection::Inspection;
use crate::engine::docker::invocation::{Failure, Invocation, Printed};
use crate::engine::docker::run_arguments::run_arguments;
use crate::engine::docker::{DISK_FULL, Docker, NO_SPACE};
use crate::engine::{NewContainer, Platform};
use crate::error::{Problem, SandboxError};
use crate::host::interrupt::Signals;
use crate::host::waits::Waits;

/// How much longer each further container may take to be removed.
const REMOVAL: Duration = Duration::from_secs(1);

/// How long docker may take to report that a container has stopped.
const STOP_REPORT: Duration = Duration::from_secs(5);

/// A failed start.
#[derive(Debug)]
pub(crate) struct StartFailure {
    pub(crate) reason: StartFailureReason,
    pub(crate) error: SandboxError,
    /// What may be left of the container.
    pub(crate) left: Left,
}

/// What the caller can do about a failed start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StartFailureReason {
    /// Another container has the name.
    NameTaken,
    /// The engine does not have the image.
    NoImage,
    /// The image is for another platform than the engine's.
    OtherPlatform,
    /// Another program has the port on the host that docker chose.
    PortTaken,
    /// The network does not exist.
    NoNetwork,
    /// The engine does not see a folder of this machine.
    NoFolder,
    /// The engine has no init program.
    NoInit,
    Other,
}

/// What a failed start may have left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    Nothing,
    /// A container, which the caller must remove.
    Container,
    /// The client was killed, and the engine may still be creating the container.
    ContainerSoon,
}

impl Docker {
    /// Starts a container and returns its id. The container is not removed when it ends, so that its log can
    /// be read. Docker writes the id to `id_file`, which must not exist, as soon as the container is created.
    ///
    /// # Errors
    /// [`StartFailure`].
    pub(crate) fn run_container<'a>(
        &'a self,
        new: &NewContainer<'_>,
        id_file: &Path,
    ) -> Result<String, StartFailure> {
        // A start is short. If it is killed, it is not known what it leaves behind.
        let Waits { start, start_after_signal, .. } = self.waits;
        let patient = |invocation: Invocation<'a>| invocation.limit(start).after_signal(start_after_signal);
        let mut invocation = patient(self.command(run_arguments(new, id_file)));
        for (name, value) in new.variables {
            invocation = invocation.environment(name, value);
        }
        let is_created = || std::fs::metadata(id_file).is_ok_and(|file| file.len() > 0);
        let id = match invocation.run() {
            Ok(Printed { stderr, .. }) | Err(Failure { stderr, .. })
                if new.platform == Platform::Engines
                    && stderr.contains("does not match the detected host platform") =>
            {
                return Err(StartFailure::other_platform(new.image));
            }
            Ok(printed) => printed.stdout.lines().last().unwrap_or_default().trim().to_owned(),
            Err(failure) => return Err(StartFailure::of(failure, is_created())),
        };
        for (file, target) in new.files {
            let copy = [file.as_os_str().to_owned(), format!("{}:{target}", new.name).into()];
            patient(self.command([vec!["cp".into(), "--quiet".into()], copy.to_vec()].concat()))
                .run()
                .map_err(|failure| StartFailure::of(failure, true))?;
        }
        if !new.files.is_empty() {
            patient(self.command(["start", new.name]))
                .run()
                .map_err(|failure| StartFailure::of(failure, true))?;
        }
        if id.len() < 12 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let error = not_docker("docker run", &id);
            return Err(StartFailure { reason: StartFailureReason::Other, error, left: Left::Container });
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
                    "docker cannot inspect the containers",
                    "check that `docker ps` works",
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
                "docker cannot inspect the container",
                "check that `docker ps` works",
                SandboxError::Docker,
            )),
        }
    }

    /// Every sandbox, in any state.
    ///
    /// # Errors
    /// [`SandboxError::Docker`].
    pub(crate) fn sandboxes(&self) -> Result<Vec<Inspection>, SandboxError> {
        self.sandboxes_except(&[])
    }

    /// Every sandbox, in any state, except for those with one of `names`.
    ///
    /// # Errors
    /// [`SandboxError::Docker`].
    pub(crate) fn sandboxes_except(&self, names: &[String]) -> Result<Vec<Inspection>, SandboxError> {
        let mark = format!("label={}={}", label::MARK.0, label::MARK.1);
        let list = ["ps", "--all", "--no-trunc", "--filter", &mark, "--format", "{{.ID}} {{.Names}}"];
        let printed = self.command(list).run().map_err(|failure| {
            failure.into_error(
                "docker cannot list the sandboxes",
                "check that `docker ps` works",
                SandboxError::Docker,
            )
        })?;
        let lines = printed.stdout.lines().map(|line| line.split_once(' ').unwrap_or((line, "")));
        let wanted = lines.filter(|(_, name)| !names.iter().any(|other| other == name));
        let ids: Vec<String> = wanted.map(|(id, _)| id.to_owned()).collect();
        let mut found = self.inspect(&ids)?;
        found.retain(Inspection::is_sandbox);
        Ok(found)
    }

    /// Waits until a container ends, or until the interrupt.
    ///
    /// # Errors
    /// A failed docker command. It does not mean that the container has ended.
    pub(crate) fn wait_for_end(&self, container: &str) -> Result<(), Failure> {
        self.command(["wait", container]).long().run().map(|_| ())
    }

    /// Stops containers, and kills them after `grace`. One that does not exist is not a failure.
    ///
    /// # Errors
    /// A failed docker command.
    pub(crate) fn stop_containers(
        &self,
        containers: &[String],
        grace: Duration,
        ends_at: Signals,
    ) -> Result<(), Failure> {
        // Docker only accepts whole seconds. Round up, so that half a second does not become 0.
        let seconds = grace.as_secs() + u64::from(grace.subsec_nanos() > 0);
        // The long form of this option depends on the version of the client.
        let mut arguments = vec!["stop".to_owned(), "-t".to_owned(), seconds.to_string()];
        arguments.extend_from_slice(containers);
        let stopped = self.command(arguments).limit(grace + STOP_REPORT).ends_at(ends_at).run();
        forgive_missing(stopped.map(|_| ()))
    }

    /// Removes containers with their anonymous volumes, even if they run. One that does not exist is not a
    /// failure.
    ///
    /// # Errors
    /// A failed docker command.
    pub(crate) fn remove_containers(&self, containers: &[String]) -> Result<(), Failure> {
        let mut arguments = vec!["rm".to_owned(), "--force".to_owned(), "--volumes".to_owned()];
        arguments.extend_from_slice(containers);
        let more = u32::try_from(containers.len().saturating_sub(1)).unwrap_or(u32::MAX);
        let limit = self.waits.clean_up.saturating_add(REMOVAL.saturating_mul(more));
        forgive_missing(self.clean_up(arguments).limit(limit).run().map(|_| ()))
    }
}

impl StartFailure {
    fn of(failure: Failure, is_created: bool) -> Self {
        let stderr = &failure.stderr;
        let left = match &failure.cause {
            // The engine was not reached, so it has not created a container.
            Cause::Status(_) if !is_created && is_not_connected(stderr) => Left::Nothing,
            Cause::NotStarted(_) if !is_created => Left::Nothing,
            Cause::Status(_) | Cause::NotStarted(_) => Left::Container,
            _ => Left::ContainerSoon,
        };
        if stderr.contains("Conflict") && stderr.contains("is already in use by container") {
            let error = failure.into_error(
                "the container did not start because its name is taken",
                "run it again; if that does not help, remove the container that has this name",
                SandboxError::ContainerStartup,
            );
            return Self { reason: StartFailureReason::NameTaken, error, left: Left::Nothing };
        }
        // The image does not exist, or not for the given platform.
        if stderr.contains("No such image")
            || stderr.contains("was found but does not match the specified platform")
        {
            let error = start_error(failure);
            return Self { reason: StartFailureReason::NoImage, error, left: Left::Nothing };
        }
        let reason = match stderr {
            text if is_network_missing(text) => StartFailureReason::NoNetwork,
            text if text.contains("docker-init") && text.contains("not found") => StartFailureReason::NoInit,
            text if is_folder_unseen(text) => StartFailureReason::NoFolder,
            text if is_port_taken(text) => StartFailureReason::PortTaken,
            _ => StartFailureReason::Other,
        };
        Self { reason, error: start_error(failure), left }
    }

    fn other_platform(image: &str) -> Self {
        let error = SandboxError::ContainerStartup(Problem::new(
            format!("the image {image} is for another platform than the engine's"),
            "pass its platform with --platform, or build the image again with --rebuild",
        ));
        Self { reason: StartFailureReason::OtherPlatform, error, left: Left::Container }
    }
}

/// Whether the client could not connect to the engine.
fn is_not_connected(stderr: &str) -> bool {
    [
        "Cannot connect to the Docker daemon",
        "failed to connect to the docker API",
        "permission denied while trying",
    ]
    .iter()
    .any(|text| stderr.contains(text))
}

/// Whether the port on the host is taken. The text depends on the engine's version.
fn is_port_taken(stderr: &str) -> bool {
    let is_about_ports = ["port is already allocated", "address already in use"];
    is_about_ports.iter().any(|text| stderr.contains(text))
}

/// Whether the network of a container does not exist.
fn is_network_missing(stderr: &str) -> bool {
    stderr.lines().any(|line| line.contains(": network ") && line.contains(" not found"))
}

/// Whether the engine does not see a folder that it should mount.
fn is_folder_unseen(stderr: &str) -> bool {
    ["bind source path does not exist", "mounts denied", "is not shared from the host"]
        .iter()
        .any(|text| stderr.to_lowercase().contains(text))
}

/// Whether all of a command's errors are about containers that do not exist.
fn only_missing(stderr: &str) -> bool {
    only_says(stderr, &["no such container"])
}

/// Whether every line of a command's errors contains one of these texts, which are in lower case.
fn only_says(stderr: &str, texts: &[&str]) -> bool {
    let stderr = stderr.to_lowercase();
    let mut lines = stderr.lines().filter(|line| !line.trim().is_empty()).peekable();
    lines.peek().is_some() && lines.all(|line| texts.iter().any(|text| line.contains(text)))
}

/// Turns a failure into success if it only reports containers that are gone or being removed.
fn forgive_missing(result: Result<(), Failure>) -> Result<(), Failure> {
    const FORGIVEN: [&str; 2] = ["no such container", "is already in progress"];
    match result {
        Err(failure)
            if matches!(failure.cause, Cause::Status(_)) && only_says(&failure.stderr, &FORGIVEN) =>
        {
            Ok(())
        }
        other => other,
    }
}

/// The error for a container that did not start.
fn start_error(failure: Failure) -> SandboxError {
    let hint = match &failure.cause {
        _ if failure.stderr.contains("could not select device driver") => {
            "the engine has no GPUs for containers: install the NVIDIA Container Toolkit, or leave out --gpus"
        }
        _ if is_network_missing(&failure.stderr) => "`docker network ls` lists the engine's networks",
        _ if failure.stderr.contains("marked read-only") => {
            "give --file a target in a folder, such as /data/FILE, or add --writable"
        }
        _ if is_folder_unseen(&failure.stderr) => {
            "check the paths of --volume: they are paths on the engine's machine"
        }
        _ if failure.stderr.to_lowercase().contains(NO_SPACE) => DISK_FULL,
        _ if failure.stderr.contains("exec: \"timeout\"") => {
            "--ttl needs the program `timeout`, which this image does not have: leave --ttl out"
        }
        Cause::Status(125) => "read docker's message, and check that `docker info` works",
        Cause::Status(126 | 127) => {
            "the image's entrypoint cannot be run: check that the image serves rlmesh"
        }
        _ => "check that `docker info` works, and run it again with -v",
    };
    failure.into_error("the container did not start", hint, SandboxError::ContainerStartup)
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
    fn a_failed_start_leaves_nothing_only_if_that_is_certain() {
        let left = |cause: Cause, stderr: &str, is_created: bool| {
            let (command, stdout) = ("docker run".to_owned(), String::new());
            StartFailure::of(Failure { command, cause, stdout, stderr: stderr.to_owned() }, is_created).left
        };
        let dead = "docker: Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?";
        assert_eq!(left(Cause::Status(125), dead, false), Left::Nothing);
        assert_eq!(left(Cause::Status(125), dead, true), Left::Container, "it died after the creation");
        assert_eq!(left(Cause::Status(125), "error during connect: EOF", false), Left::Container);
        assert_eq!(left(Cause::Status(125), "No such image: x", false), Left::Nothing);
        assert_eq!(left(Cause::Killed(9), "", false), Left::ContainerSoon);
    }

    #[test]
    fn what_a_start_lacks_is_known_by_dockers_texts() {
        let reason = |stderr: &str| {
            let (command, stdout) = ("docker run".to_owned(), String::new());
            StartFailure::of(
                Failure { command, cause: Cause::Status(125), stdout, stderr: stderr.to_owned() },
                true,
            )
            .reason
        };
        for (stderr, expected) in [
            (
                "docker: Error response from daemon: network rlmesh-sandbox not found",
                StartFailureReason::NoNetwork,
            ),
            (
                "docker: Error response from daemon: invalid mount config for type \"bind\": bind source path does not exist: /tmp/x",
                StartFailureReason::NoFolder,
            ),
            (
                "docker: Error response from daemon: exec: \"docker-init\": executable file not found in $PATH.",
                StartFailureReason::NoInit,
            ),
            ("docker: Error response from daemon: no.", StartFailureReason::Other),
        ] {
            assert_eq!(reason(stderr), expected, "{stderr}");
        }
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
