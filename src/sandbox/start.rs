//! Starts a plan's container and waits for the handshake. A failed start leaves nothing behind.

mod conditions;
pub(crate) mod container;
mod running;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::contract::CONTAINER_PREFIX;
use crate::engine::docker::Docker;
use crate::engine::docker::container::{Left, StartFailure, StartFailureReason};
use crate::engine::{Isolation, Reach};
use crate::error::{Field, InvalidValue, Problem, SandboxError, invalid_option};
use crate::host::logs;
use crate::host::process::{self, Host, Liveness};
use crate::host::run_dir::RunDir;
use crate::host::socket_dir::SocketDir;
use crate::image::{Image, ImageRequest};
use crate::progress::{Event, Listener};
use crate::sandbox::check::{self, CheckReport};
use crate::sandbox::handshake;
use crate::sandbox::owner::Owner;
use crate::sandbox::ready::{self, Ready, Subject};
use crate::sandbox::{isolation, orphans};
use crate::settings::Settings;
use crate::settings::isolation::{ContainerOptions, Network, Transport};
use crate::settings::sandbox::{Ownership, RunOptions};
pub(crate) use conditions::check_first;
use conditions::decide;
pub(crate) use running::Running;

/// How many names are tried if names are taken.
const NAMES_TRIED: usize = 3;

/// How many starts are tried if ports on the host are taken.
const PORTS_TRIED: usize = 30;
/// How many starts are tried if the engine lacks something that can be replaced.
const STARTS_TRIED: usize = 4;

/// Makes sure that the engine has the plan's image, starts its container, and waits for the handshake.
///
/// # Errors
/// ImageBuild; ContainerStartup, with the end of the log; Docker; Interrupted; InvalidOption for an owner
/// that does not exist. After an error, the container is removed, or a hint says that it may still exist.
pub(crate) fn launch(
    image: ImageRequest<'_>,
    options: &RunOptions,
    on_event: &mut Listener<'_>,
) -> Result<Running, SandboxError> {
    let began = Instant::now();
    let (mut isolation, notes) = decide(&image, options)?;
    notes.into_iter().for_each(|note| on_event(Event::Note(note)));
    let mut has_init = true;
    // One limit for all that docker does for a start: the build has its own.
    let limit = image.docker.waits.start + time_to_answer(image.docker, options);
    let request = image;
    let mut start = |built_in, on_event: &mut Listener<'_>| {
        let docker = request.docker.until(Instant::now() + limit);
        let image = ImageRequest { docker: &docker, ..request };
        let mut start = Start { image, options, isolation: isolation.clone(), has_init, began };
        let started = start.attempt(built_in, on_event);
        (isolation, has_init) = (start.isolation, start.has_init);
        started
    };
    let image = if image.takes_existing() {
        // The image usually exists, and starting a container is faster than checking first.
        match start(None, on_event) {
            Ok(running) => return Ok(running),
            Err(failed) => match failed.reason {
                StartFailureReason::NoImage if image.build.platform.is_none() => image.make(on_event)?,
                // The image that exists may be for another platform.
                StartFailureReason::NoImage | StartFailureReason::OtherPlatform => image.ensure(on_event)?,
                _ => return Err(failed.error),
            },
        }
    } else {
        image.ensure(on_event)?
    };
    on_event(Event::Starting);
    start(image.built_in, on_event).map_err(|failed| failed.error)
}

/// How long a container may take to answer, and to be checked.
fn time_to_answer(docker: &Docker, options: &RunOptions) -> Duration {
    let check = if options.check { check_limit(docker, options) } else { Duration::ZERO };
    options.ready_timeout.saturating_add(check)
}

fn check_limit(docker: &Docker, options: &RunOptions) -> Duration {
    docker.waits.check.max(options.ready_timeout)
}

/// Checks that the owner exists.
///
/// # Errors
/// [`SandboxError::InvalidOption`].
pub(crate) fn check_owner(ownership: Ownership) -> Result<(), SandboxError> {
    owner(ownership).map(drop)
}

fn owner(ownership: Ownership) -> Result<Owner, SandboxError> {
    let pid = match ownership {
        Ownership::ThisProcess => std::process::id(),
        Ownership::Process(pid) => pid,
        Ownership::Detached => return Ok(Owner::unowned(Host::here())),
    };
    match process::liveness(pid) {
        Liveness::Alive { start } => Ok(Owner { pid: Some(pid), start, host: Host::here() }),
        Liveness::Gone => {
            let hint = "use the id of a running process, such as $$";
            let invalid = InvalidValue::new("no process has this id", hint);
            Err(Field::OWNER_PID.invalid(&pid.to_string(), &invalid))
        }
    }
}

/// Keeps the log of a container in a file. `None` if there is no folder for it.
pub(crate) fn keep_log(settings: &Settings, name: &str, log: &str) -> Option<PathBuf> {
    logs::write(&settings.logs_folder()?, "start", name, log)
}

/// A failed start. Nothing is left of it, or the error says what is left.
struct FailedStart {
    reason: StartFailureReason,
    error: SandboxError,
}

impl From<SandboxError> for FailedStart {
    fn from(error: SandboxError) -> Self {
        Self { reason: StartFailureReason::Other, error }
    }
}

/// The failure of a start whose image the engine does not have.
fn no_image(image: &str) -> FailedStart {
    let problem = Problem::new(format!("the engine does not have the image {image}"), "check its name");
    FailedStart { reason: StartFailureReason::NoImage, error: SandboxError::ContainerStartup(problem) }
}

/// One start, and what it needs.
struct Start<'a> {
    image: ImageRequest<'a>,
    options: &'a RunOptions,
    isolation: Isolation,
    has_init: bool,
    began: Instant,
}

impl Start<'_> {
    /// Starts a container from the engine's current image, and waits for the handshake.
    fn attempt(
        &mut self,
        built_in: Option<Duration>,
        on_event: &mut Listener<'_>,
    ) -> Result<Running, FailedStart> {
        let (docker, plan) = (self.image.docker, self.image.plan);
        let owner = owner(self.options.ownership)?;
        let folder = RunDir::create(&self.image.settings.temp_folder)?;
        let started = Instant::now();
        let (name, id, socket) = self.container(&owner, &folder, on_event)?;
        on_event(Event::Waiting { name: name.clone(), id: id.clone() });
        let ready = docker.interrupt.check().and_then(|()| self.until_ready(&id, socket.as_ref(), on_event));
        let (ready, took, check) = match ready {
            Ok(ready) => ready,
            Err(error) => {
                let error = self.with_log_file(error).map_problem(|problem| match self.options.ttl {
                    Some(time) if started.elapsed() >= time => {
                        problem.hint("its --ttl was over: allow more time")
                    }
                    _ => problem,
                });
                return Err(discard(docker, &name, &folder, error, on_event).into());
            }
        };
        Ok(Running {
            id,
            name,
            address: ready.address,
            isolation: self.isolation.clone(),
            created: ready.created,
            ownership: self.options.ownership,
            image: Image { tag: plan.image_name(), id: ready.image_id, built_in },
            handshake: ready.handshake,
            took,
            started,
            check,
            folder: Arc::new(folder),
            socket: socket.map(Arc::new),
        })
    }

    /// Keeps the log of a failed start in a file, which the error names.
    fn with_log_file(&self, error: SandboxError) -> SandboxError {
        let name = self.image.plan.resolved_source().slug();
        let file = error.log().and_then(|log| keep_log(self.image.settings, &name, log));
        error.map_problem(|problem| problem.log_file(file))
    }

    /// Waits for the handshake, looks at what it says, and checks the environment if that was requested. Returns
    /// the time to the handshake, too.
    fn until_ready(
        &self,
        id: &str,
        socket: Option<&SocketDir>,
        on_event: &mut Listener<'_>,
    ) -> Result<(Ready, Duration, Option<CheckReport>), SandboxError> {
        let (docker, plan, options) = (self.image.docker, self.image.plan, &self.options);
        let subject = Subject { id, isolation: &self.isolation, socket };
        let ready = ready::until_ready(docker, plan, subject, options.ready_timeout)?;
        let took = self.began.elapsed();
        for warning in handshake::review(plan, &ready.handshake)? {
            on_event(Event::Warning(warning));
        }
        if !options.check {
            return Ok((ready, took, None));
        }
        on_event(Event::Checking);
        let limit = check_limit(docker, options);
        let report = check::check(docker, plan, &self.isolation, id, &ready.handshake, limit)?;
        Ok((ready, took, Some(report)))
    }

    /// Starts the container, and returns its name, its id and its socket directory.
    fn container(
        &mut self,
        owner: &Owner,
        folder: &RunDir,
        on_event: &mut Listener<'_>,
    ) -> Result<(String, String, Option<SocketDir>), FailedStart> {
        let (docker, plan) = (self.image.docker, self.image.plan);
        let slug = plan.resolved_source().slug();
        let (mut attempt, mut names_taken) = (0, 0);
        loop {
            attempt += 1;
            let name = match &self.options.name {
                Some(name) => name.clone(),
                None => format!("{CONTAINER_PREFIX}{slug}-{}", name_end(uuid::Uuid::new_v4().as_u128())),
            };
            folder.set_container(&name, docker.engine_name.as_deref())?;
            let socket = match self.isolation.reach {
                Reach::Socket(_) => Some(SocketDir::create(&self.image.settings.temp_folder)?),
                Reach::Port(..) => None,
            };
            let id_file = folder.path().join(format!("container-id-{attempt}"));
            let failed = match self.run(owner, folder, &name, socket.as_ref(), &id_file)? {
                Ok(id) => return Ok((name, id, socket)),
                Err(failed) => failed,
            };
            match failed.reason {
                // The container of that name is not ours: it must not be removed.
                StartFailureReason::NameTaken => {
                    folder.clear_container()?;
                    if self.options.name.is_some() {
                        return Err(FailedStart { reason: failed.reason, error: name_taken(&name) });
                    }
                    names_taken += 1;
                    if names_taken == NAMES_TRIED {
                        return Err(FailedStart { reason: failed.reason, error: failed.error });
                    }
                }
                reason if attempt < STARTS_TRIED && self.can_adapt(reason, socket.is_some()) => {
                    let failed = clean_up(docker, &name, folder, failed, on_event);
                    if folder.is_kept() {
                        return Err(failed);
                    }
                    self.adapt(reason, on_event)?;
                }
                // Docker goes on from the port that was taken.
                StartFailureReason::PortTaken if attempt < PORTS_TRIED => {
                    let failed = clean_up(docker, &name, folder, failed, on_event);
                    if folder.is_kept() || docker.interrupt.check().is_err() {
                        return Err(failed);
                    }
                }
                _ => return Err(clean_up(docker, &name, folder, failed, on_event)),
            }
        }
    }

    /// Whether another start can do without what this one lacked.
    fn can_adapt(&self, reason: StartFailureReason, has_socket: bool) -> bool {
        let network = self.isolation.network.as_str();
        match reason {
            StartFailureReason::NoNetwork => {
                [isolation::NETWORK, isolation::NETWORK_WITHOUT_EGRESS].contains(&network)
            }
            StartFailureReason::NoFolder => {
                has_socket
                    && self.options.container.transport.is_none()
                    && self.options.container.network != Some(Network::None)
            }
            StartFailureReason::NoInit => self.has_init,
            _ => false,
        }
    }

    /// Prepares another start.
    fn adapt(&mut self, reason: StartFailureReason, on_event: &mut Listener<'_>) -> Result<(), SandboxError> {
        let docker = self.image.docker;
        match reason {
            StartFailureReason::NoNetwork => {
                let egress = self.isolation.network == isolation::NETWORK;
                docker.create_network(&self.isolation.network, egress)?;
            }
            StartFailureReason::NoInit => {
                on_event(Event::Warning(
                    "the engine has no docker-init: ended processes of the environment are not collected"
                        .to_owned(),
                ));
                self.has_init = false;
            }
            _ => {
                let elsewhere = RunOptions {
                    container: ContainerOptions {
                        transport: Some(Transport::Tcp),
                        ..self.options.container.clone()
                    },
                    ..self.options.clone()
                };
                on_event(Event::Note(
                    "the engine does not see this machine's folders: serving over TCP, in a network without egress"
                        .to_owned(),
                ));
                self.isolation = decide(&self.image, &elsewhere)?.0;
            }
        }
        Ok(())
    }
}

/// Four random characters that are easy to read and to type.
fn name_end(random: u128) -> String {
    // Without vowels and what looks like another character.
    const CHARACTERS: &[u8; 27] = b"23456789bcdfghjkmnpqrstvwxz";
    let count = CHARACTERS.len() as u128;
    let digit = |at: u32| CHARACTERS[((random / count.pow(at)) % count) as usize] as char;
    (0..4).map(digit).collect()
}

fn name_taken(name: &str) -> SandboxError {
    invalid_option(
        format!("there is already a container with the name {name}"),
        format!("use another --name, or stop that one with `rlmesh-sandbox stop {name}`"),
    )
}

/// Removes what a failed start may have left behind.
fn clean_up(
    docker: &Docker,
    name: &str,
    folder: &RunDir,
    failed: StartFailure,
    on_event: &mut Listener<'_>,
) -> FailedStart {
    let StartFailure { reason, error, left } = failed;
    if left == Left::ContainerSoon {
        orphans::await_container(docker, name);
    }
    if left == Left::Nothing {
        return FailedStart { reason, error };
    }
    let error = discard(docker, name, folder, error, on_event);
    // If the container could not be removed, report that instead of trying again.
    let reason = if folder.is_kept() { StartFailureReason::Other } else { reason };
    FailedStart { reason, error }
}

/// Removes a container after an error, and says so if that fails.
fn discard(
    docker: &Docker,
    name: &str,
    folder: &RunDir,
    error: SandboxError,
    on_event: &mut Listener<'_>,
) -> SandboxError {
    let Err(failure) = docker.for_clean_up().remove_containers(&[name.to_owned()]) else { return error };
    // The run directory names the container for `reap`.
    folder.keep();
    let (left, next) = (format!("the container {name} may still exist ({failure})"), REAP_LATER);
    if let SandboxError::Interrupted(_) = error {
        on_event(Event::Warning(format!("{left}: {next}")));
    }
    error.map_problem(|problem| problem.hint(format!("{left}: {next}")))
}

/// What to do about a container that could not be removed.
const REAP_LATER: &str = "run `rlmesh-sandbox reap` once docker answers";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_name_has_four_characters() {
        assert_eq!((name_end(0), name_end(1)), ("2222".to_owned(), "3222".to_owned()));
        let end = name_end(u128::MAX);
        assert!(end.len() == 4 && end.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{end}");
    }
}
