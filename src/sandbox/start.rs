//! Starts a plan's container and waits for the handshake. A failed start leaves nothing behind.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::contract::{CONTAINER_PREFIX, IMAGE_FOLDER, label, variable};
use crate::engine::docker::Docker;
use crate::engine::docker::container::{Left, StartFailure, StartFailureReason};
use crate::engine::{NewContainer, Platform};
use crate::error::{Field, InvalidValue, SandboxError, invalid_option};
use crate::host::interrupt::Signals;
use crate::host::logs;
use crate::host::process::{self, Host, Liveness};
use crate::host::run_dir::{RunDir, write_private};
use crate::image::{Image, ImageRequest, build_context};
use crate::plan::bootstrap::bootstrap_json;
use crate::plan::{Plan, PlannedImage, Serving};
use crate::progress::{Event, Listener};
use crate::sandbox::check::{self, CheckReport};
use crate::sandbox::handshake::{self, Handshake};
use crate::sandbox::owner::Owner;
use crate::sandbox::ready::{self, Ready};
use crate::sandbox::{isolation, orphans};
use crate::settings::sandbox::{Ownership, RunOptions};

/// Makes Python print a stack when it crashes.
pub(crate) const FAULT_HANDLER: (&str, &str) = ("PYTHONFAULTHANDLER", "1");

/// The largest payload that is passed in an environment variable, in bytes: Linux's limit is 128 KiB.
pub(crate) const LARGEST_VARIABLE: usize = 100 * 1024;

/// How many names are tried if names are taken.
const NAMES_TRIED: usize = 3;

/// A container that has answered.
#[derive(Debug, Clone)]
pub(crate) struct Running {
    pub(crate) id: String,
    pub(crate) name: String,
    /// The address for rlmesh's clients: `tcp://127.0.0.1:49153`.
    pub(crate) address: String,
    pub(crate) image: Image,
    pub(crate) handshake: Handshake,
    /// The time from the first command to the answered handshake.
    pub(crate) took: Duration,
    /// What a client saw, if the environment was to be checked.
    pub(crate) check: Option<CheckReport>,
    /// The run directory. It names the container as long as the container must not outlive this process.
    folder: Arc<RunDir>,
}

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
    let start = Start { image, options, began: Instant::now() };
    let image = if image.takes_existing() {
        // The image usually exists, and starting a container is faster than checking first.
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

/// Checks that the owner exists, before anything is built for it.
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

/// One start, and what it needs.
struct Start<'a> {
    image: ImageRequest<'a>,
    options: &'a RunOptions,
    began: Instant,
}

impl Start<'_> {
    /// Starts a container from the engine's current image, and waits for the handshake.
    fn attempt(
        &self,
        built_in: Option<Duration>,
        on_event: &mut Listener<'_>,
    ) -> Result<Running, FailedStart> {
        let (docker, plan) = (self.image.docker, self.image.plan);
        let owner = owner(self.options.ownership)?;
        let folder = RunDir::create(&self.image.settings.temp_folder)?;
        let (name, id) = self.container(&owner, &folder)?;
        on_event(Event::Waiting { name: name.clone(), id: id.clone() });
        let ready = docker.interrupt.check().and_then(|()| self.until_ready(&id, on_event));
        let (ready, took, check) = match ready {
            Ok(ready) => ready,
            Err(error) => return Err(discard(docker, &name, &folder, self.with_log_file(error)).into()),
        };
        Ok(Running {
            id,
            name,
            address: ready.address,
            image: Image { tag: plan.image_name(), id: ready.image_id, built_in },
            handshake: ready.handshake,
            took,
            check,
            folder: Arc::new(folder),
        })
    }

    /// Keeps the log of a failed start in a file, which the error names.
    fn with_log_file(&self, error: SandboxError) -> SandboxError {
        let name = self.image.plan.resolved_source().slug();
        let folder = self.image.settings.state_folder.as_ref().map(|state| state.join("logs"));
        let file = match (folder, error.log()) {
            (Some(folder), Some(log)) => logs::write(&folder, "start", &name, log),
            _ => None,
        };
        error.map_problem(|problem| problem.log_file(file))
    }

    /// Waits for the handshake, looks at what it says, and checks the environment if that was requested. Returns
    /// the time to the handshake, too.
    fn until_ready(
        &self,
        id: &str,
        on_event: &mut Listener<'_>,
    ) -> Result<(Ready, Duration, Option<CheckReport>), SandboxError> {
        let (docker, plan, options) = (self.image.docker, self.image.plan, &self.options);
        let ready = ready::until_ready(docker, plan, id, options.ready_timeout)?;
        let took = self.began.elapsed();
        for warning in handshake::review(plan, &ready.handshake)? {
            on_event(Event::Warning(warning));
        }
        if !options.check {
            return Ok((ready, took, None));
        }
        on_event(Event::Checking);
        let limit = docker.waits.check.max(options.ready_timeout);
        let report = check::check(docker, plan, id, &ready.handshake, limit)?;
        Ok((ready, took, Some(report)))
    }

    /// The variables that the environment's family needs, and the user's, which win.
    fn users_variables(&self) -> BTreeMap<&str, &str> {
        let needed = self.image.plan.serving.variables.iter();
        needed.chain(&self.options.env).map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    /// Starts the container, and returns its name and id.
    fn container(&self, owner: &Owner, folder: &RunDir) -> Result<(String, String), FailedStart> {
        let (docker, plan) = (self.image.docker, self.image.plan);
        let source = plan.resolved_source();
        let mut labels = vec![(label::MARK.0, label::MARK.1.to_owned()), (label::SOURCE, source.to_string())];
        labels.extend(plan.build_hash().map(|hash| (label::BUILD_HASH, hash)));
        labels.extend(owner.labels());
        let (mut variables, file) = payload(plan, folder.path())?;
        let users_variables = self.users_variables();
        if !users_variables.iter().any(|(name, _)| *name == FAULT_HANDLER.0) {
            variables.push((FAULT_HANDLER.0, FAULT_HANDLER.1.to_owned()));
        }
        let env_file = write_env_file(folder.path(), &users_variables)?;
        let target = format!("{IMAGE_FOLDER}/bootstrap.json");
        let (image, slug) = (plan.image_name(), source.slug());
        let mut attempt = 1;
        loop {
            let name = format!("{CONTAINER_PREFIX}{slug}-{}", uuid::Uuid::new_v4().simple());
            folder.set_container(&name)?;
            let new = NewContainer {
                image: &image,
                name: &name,
                labels: &labels,
                variables: &variables,
                env_file: env_file.as_deref(),
                shm_size: self.options.shm_size,
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
                // The container of that name is not ours: it must not be removed.
                Err(failed) if failed.reason == StartFailureReason::NameTaken => {
                    folder.clear_container()?;
                    if attempt == NAMES_TRIED {
                        return Err(FailedStart { reason: failed.reason, error: failed.error });
                    }
                    attempt += 1;
                }
                Err(failed) => return Err(clean_up(docker, &name, folder, failed)),
            }
        }
    }
}

/// Writes the user's variables to a file that only this user can read. Docker reads them from there rather than
/// from its own environment, because it takes settings of its own from that: `DOCKER_HOST`, `PATH`.
fn write_env_file(folder: &Path, variables: &BTreeMap<&str, &str>) -> Result<Option<PathBuf>, SandboxError> {
    if variables.is_empty() {
        return Ok(None);
    }
    let file = folder.join("variables");
    let lines: String = variables.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    write_private(&file, &lines)?;
    Ok(Some(file))
}

/// Removes what a failed start may have left behind.
fn clean_up(docker: &Docker, name: &str, folder: &RunDir, failed: StartFailure) -> FailedStart {
    let StartFailure { reason, error, left } = failed;
    if left == Left::ContainerSoon {
        orphans::await_container(docker, name);
    }
    if left == Left::Nothing {
        return FailedStart { reason, error };
    }
    let error = discard(docker, name, folder, error);
    // If the container could not be removed, report that instead of trying again.
    let reason = if folder.is_kept() { StartFailureReason::Other } else { reason };
    FailedStart { reason, error }
}

/// Removes a container after an error, and adds a hint if that fails.
fn discard(docker: &Docker, name: &str, folder: &RunDir, error: SandboxError) -> SandboxError {
    match docker.remove_containers(&[name.to_owned()]) {
        Ok(()) => error,
        Err(failure) => {
            // The run directory names the container for `reap`.
            folder.keep();
            error.map_problem(|problem| {
                problem.hint(format!(
                    "the container {name} may still exist ({failure}): run `rlmesh-sandbox reap` once docker answers"
                ))
            })
        }
    }
}

type ContainerVariables = Vec<(&'static str, String)>;

/// The parameters of the container: in environment variables, or in a file if they are too large.
fn payload(plan: &Plan, folder: &Path) -> Result<(ContainerVariables, Option<PathBuf>), SandboxError> {
    let serving = &plan.serving;
    if let Some(build) = plan.build() {
        let payload = bootstrap_json(&build.spec, serving);
        if payload.len() <= LARGEST_VARIABLE {
            return Ok((vec![(variable::BOOTSTRAP_JSON, payload)], None));
        }
        return Ok((Vec::new(), Some(build_context::write_bootstrap(folder, &payload)?)));
    }
    Ok((variables_of_prebuilt(serving)?, None))
}

/// The parameters of a prebuilt image's container.
///
/// # Errors
/// [`SandboxError::InvalidOption`] for kwargs that are too large.
pub(crate) fn variables_of_prebuilt(serving: &Serving) -> Result<ContainerVariables, SandboxError> {
    let mut variables = Vec::new();
    if !serving.kwargs.is_empty() {
        let kwargs = serde_json::to_string(&serving.kwargs).context("cannot write the kwargs as JSON")?;
        if kwargs.len() > LARGEST_VARIABLE {
            return Err(invalid_option(
                format!(
                    "{} are {} bytes long; for a prebuilt image, the limit is {LARGEST_VARIABLE}",
                    Field::KWARGS,
                    kwargs.len()
                ),
                "put the data into the image, or use a Gymnasium id or hf://org/repo@commit as the source",
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
    Ok(variables)
}

impl Running {
    /// The time from the start of the container to the answered handshake.
    pub(crate) fn started_in(&self) -> Duration {
        self.took.saturating_sub(self.image.built_in.unwrap_or_default())
    }

    /// Keeps the container after this process has ended.
    ///
    /// # Errors
    /// [`SandboxError::System`].
    pub(crate) fn keep(&self) -> Result<(), SandboxError> {
        self.folder.clear_container()
    }

    /// Stops the container and removes it. It is killed after `grace`, or at once after a second signal.
    ///
    /// # Errors
    /// [`SandboxError::Docker`] if the container may still exist.
    pub(crate) fn stop(&self, docker: &Docker, grace: Duration) -> Result<(), SandboxError> {
        let container = [self.id.clone()];
        if docker.interrupt.reached(Signals::Second).is_none() {
            // If it fails, the removal below kills the container.
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
