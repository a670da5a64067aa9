//! Plan → image → container → answered handshake. Whatever goes wrong on the way, nothing is left behind.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::contract::{CONTAINER_PREFIX, IMAGE_FOLDER, PROTOCOL_GENERATION, label, variable};
use crate::engine::docker::Docker;
use crate::engine::docker::container::{Left, StartFailure, StartFailureReason};
use crate::engine::{NewContainer, Platform};
use crate::error::{Field, InvalidValue, SandboxError, invalid_option};
use crate::host::interrupt::Signals;
use crate::host::process::{self, Host, Liveness};
use crate::host::run_dir::RunDir;
use crate::image::{Image, ImageRequest, build_context};
use crate::plan::bootstrap::bootstrap_json;
use crate::plan::{Plan, PlannedImage};
use crate::progress::{Event, Listener};
use crate::sandbox::handshake::Handshake;
use crate::sandbox::owner::Owner;
use crate::sandbox::{isolation, orphans, ready};
use crate::settings::sandbox::{Ownership, RunOptions};

/// The largest payload that goes through a variable: Linux takes none beyond 128 KiB.
const LARGEST_VARIABLE: usize = 100 * 1024;

/// How many names are tried where others have them.
const NAMES_TRIED: usize = 3;

/// A container that has answered.
#[derive(Debug, Clone)]
pub(crate) struct Running {
    pub(crate) id: String,
    pub(crate) name: String,
    /// As rlmesh's clients take it: `tcp://127.0.0.1:49153`.
    pub(crate) address: String,
    pub(crate) image: Image,
    pub(crate) handshake: Handshake,
    /// From the first command to the answered handshake.
    pub(crate) took: Duration,
    /// Names the container as long as it must not outlive this process.
    folder: Arc<RunDir>,
}

/// Brings the plan up: its image, unless the engine has it, its container, and its first answer.
///
/// # Errors
/// ImageBuild; ContainerStartup, with the end of the log; Docker; Interrupted; InvalidOption for an owner
/// that does not exist. The container is gone then, or the error says that it is not.
pub(crate) fn launch(
    image: ImageRequest<'_>,
    options: RunOptions,
    on_event: &mut Listener<'_>,
) -> Result<Running, SandboxError> {
    let start = Start { image, options, began: Instant::now() };
    let image = if image.takes_existing() {
        // Most often the image exists, and asking for it first would take longer than starting without it.
        match start.attempt(None, on_event) {
            Ok(running) => return Ok(running),
            Err(failed) => match failed.reason {
                StartFailureReason::NoImage if image.build.platform.is_none() => image.make(on_event)?,
                // The image that exists may be for another platform.
                StartFailureReason::NoImage | StartFailureReason::OtherPlatform => image.ensure(on_event)?,
                StartFailureReason::NameTaken | StartFailureReason::Other => return Err(failed.error),
            },
        }
    } else {
        image.ensure(on_event)?
    };
    on_event(Event::Starting);
    start.attempt(image.built_in, on_event).map_err(|failed| failed.error)
}

/// Makes sure that an owner that was named exists, before anything is built for it.
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
            let hint = "give it the number of a running process, such as $$";
            let invalid = InvalidValue::new("there is no such process", hint);
            Err(Field::OWNER_PID.refuses(&pid.to_string(), &invalid))
        }
    }
}

/// Why nothing came up. Nothing is left of the attempt, or the error says what is.
struct NotUp {
    reason: StartFailureReason,
    error: SandboxError,
}

impl From<SandboxError> for NotUp {
    fn from(error: SandboxError) -> Self {
        Self { reason: StartFailureReason::Other, error }
    }
}

/// One start, and what it works with.
struct Start<'a> {
    image: ImageRequest<'a>,
    options: RunOptions,
    began: Instant,
}

impl Start<'_> {
    /// Starts a container from the image as the engine has it now, and waits for its first answer.
    fn attempt(&self, built_in: Option<Duration>, on_event: &mut Listener<'_>) -> Result<Running, NotUp> {
        let (docker, plan) = (self.image.docker, self.image.plan);
        let owner = owner(self.options.ownership)?;
        let folder = RunDir::create(&self.image.settings.temp_folder)?;
        let (name, id) = self.container(&owner, &folder)?;
        on_event(Event::Waiting { name: name.clone(), id: id.clone() });
        let ready = docker
            .interrupt
            .check()
            .and_then(|()| ready::until_ready(docker, plan, &id, self.options.ready_timeout));
        let ready = match ready {
            Ok(ready) => ready,
            Err(error) => return Err(discard(docker, &name, &folder, error).into()),
        };
        if let Some(reason) = &ready.handshake.mismatch {
            on_event(Event::Warning(format!(
                "the container's rlmesh speaks another protocol than this tool ({PROTOCOL_GENERATION}): {reason}"
            )));
        }
        Ok(Running {
            id,
            name,
            address: ready.address,
            image: Image { tag: plan.image_name(), id: ready.image_id, built_in },
            handshake: ready.handshake,
            took: self.began.elapsed(),
            folder: Arc::new(folder),
        })
    }

    /// Starts the container, and returns its name and id.
    fn container(&self, owner: &Owner, folder: &RunDir) -> Result<(String, String), NotUp> {
        let (docker, plan) = (self.image.docker, self.image.plan);
        let source = plan.resolved_source();
        let mut labels = vec![(label::MARK.0, label::MARK.1.to_owned()), (label::SOURCE, source.to_string())];
        labels.extend(plan.build_hash().map(|hash| (label::BUILD_HASH, hash)));
        labels.extend(owner.labels());
        let (variables, file) = payload(plan, folder.path())?;
        let target = format!("{IMAGE_FOLDER}/bootstrap.json");
        let (image, slug) = (plan.image_name(), source.slug());
        let mut attempt = 1;
        loop {
            let name = format!("{CONTAINER_PREFIX}{slug}-{}", uuid::Uuid::new_v4().simple());
            folder.announce(&name)?;
            let new = NewContainer {
                image: &image,
                name: &name,
                labels: &labels,
                variables: &variables,
                file: file.as_deref().map(|file| (file, target.as_str())),
                platform: match (&self.image.build.platform, &plan.image) {
                    (Some(platform), _) => Platform::Named(platform),
                    (None, PlannedImage::Built(_)) => Platform::Engines,
                    (None, PlannedImage::Prebuilt(_)) => Platform::Any,
                },
                isolation: &isolation::standard(),
            };
            let id_file = folder.path().join(format!("container-id-{attempt}"));
            match docker.run_container(&new, &id_file) {
                Ok(id) => return Ok((name, id)),
                // The container of that name is not ours, and must not be taken for it.
                Err(failed) if failed.reason == StartFailureReason::NameTaken => {
                    folder.settle()?;
                    if attempt == NAMES_TRIED {
                        return Err(NotUp { reason: failed.reason, error: failed.error });
                    }
                    attempt += 1;
                }
                Err(failed) => return Err(clean_up(docker, &name, folder, failed)),
            }
        }
    }
}

/// Removes what a failed start may have left.
fn clean_up(docker: &Docker, name: &str, folder: &RunDir, failed: StartFailure) -> NotUp {
    let StartFailure { reason, error, left } = failed;
    if left == Left::ContainerSoon {
        orphans::await_container(docker, name);
    }
    if left == Left::Nothing {
        return NotUp { reason, error };
    }
    let error = discard(docker, name, folder, error);
    // A container that is still there is the user's first concern.
    let reason = if folder.is_left() { StartFailureReason::Other } else { reason };
    NotUp { reason, error }
}

/// Removes a container that must not outlive an error, and adds a hint where that fails.
fn discard(docker: &Docker, name: &str, folder: &RunDir, error: SandboxError) -> SandboxError {
    match docker.remove_containers(&[name.to_owned()]) {
        Ok(()) => error,
        Err(failure) => {
            // What names the container stays for `reap`.
            folder.leave();
            error.map_problem(|problem| {
                problem.hint(format!(
                    "the container {name} may still be there ({failure}): once docker answers, run `rlmesh-sandbox reap`"
                ))
            })
        }
    }
}

type ContainerVariables = Vec<(&'static str, String)>;

/// What the container is told: through variables, or, where these have no room, in a file.
fn payload(plan: &Plan, folder: &Path) -> Result<(ContainerVariables, Option<PathBuf>), SandboxError> {
    let serving = &plan.serving;
    if let Some(build) = plan.build() {
        let payload = bootstrap_json(&build.spec, serving);
        if payload.len() <= LARGEST_VARIABLE {
            return Ok((vec![(variable::BOOTSTRAP_JSON, payload)], None));
        }
        return Ok((Vec::new(), Some(build_context::write_bootstrap(folder, &payload)?)));
    }
    let mut variables = Vec::new();
    if !serving.kwargs.is_empty() {
        let kwargs = serde_json::to_string(&serving.kwargs).context("cannot write the kwargs as JSON")?;
        if kwargs.len() > LARGEST_VARIABLE {
            return Err(invalid_option(
                format!(
                    "{} are {} bytes long, and a prebuilt image takes at most {LARGEST_VARIABLE}",
                    Field::KWARGS,
                    kwargs.len()
                ),
                "put the data into the image, or use a source that is built",
            ));
        }
        variables.push((variable::MAKE_KWARGS, kwargs));
    }
    if serving.num_envs != 1 {
        variables.push((variable::NUM_ENVS, serving.num_envs.to_string()));
    }
    if let Some(mode) = serving.vectorization_mode {
        variables.push((variable::VECTORIZATION_MODE, mode.to_string()));
    }
    Ok((variables, None))
}

impl Running {
    /// Lets the container outlive this process.
    ///
    /// # Errors
    /// [`SandboxError::System`].
    pub(crate) fn keep(&self) -> Result<(), SandboxError> {
        self.folder.settle()
    }

    /// Stops the container, which may take `grace` to end by itself unless there was a second signal, and removes
    /// it.
    ///
    /// # Errors
    /// [`SandboxError::Docker`] where the container may still be there.
    pub(crate) fn stop(&self, docker: &Docker, grace: Duration) -> Result<(), SandboxError> {
        let container = [self.id.clone()];
        if docker.interrupt.reached(Signals::Second).is_none() {
            // Removal by force follows in any case.
            let _ = docker.stop_containers(&container, grace, Signals::Second);
        }
        docker.remove_containers(&container).map_err(|failure| {
            failure.into_error(
                &format!("the container {} could not be removed", self.name),
                "run `rlmesh-sandbox reap` once docker answers",
                SandboxError::Docker,
            )
        })
    }
}
