//! Plan → image → container → answered handshake; whatever goes wrong on the way, nothing is left behind. It prints nothing.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::engine::docker::Docker;
use crate::engine::docker::container::{self, NewContainer, Platform, StartFailure};
use crate::engine::docker::invocation::Cause;
use crate::error::{Problem, SandboxError};
use crate::host::interrupt::Signals;
use crate::host::process::{self, Host, Liveness};
use crate::host::run_dir::RunDir;
use crate::image::build_context;
use crate::image::build_context::dockerfile::{CONTAINER_PORT, IMAGE_FOLDER};
use crate::image::{self, Image, Known};
use crate::plan::{Plan, bootstrap};
use crate::progress::{Event, Listener};
use crate::sandbox::handshake::{self, Handshake};
use crate::sandbox::orphans;
use crate::sandbox::owner::{self, Owner};
use crate::sandbox::ready;
use crate::settings::build::BuildOptions;
use crate::settings::sandbox::{Ownership, RunOptions};
use crate::settings::variables::Variables;

/// The largest payload that goes through the environment: Linux takes no variable beyond 128 KiB.
const LARGEST_VARIABLE: usize = 100 * 1024;

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

/// What is asked for, beside the plan.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) build: &'a BuildOptions,
    pub(crate) options: RunOptions,
}

/// Brings the plan up: its image, unless the engine has it, its container, and its first answer.
///
/// # Errors
/// ImageBuild; ContainerStartup, with the end of the log; Docker; Interrupted; InvalidOption for an owner
/// that is not there. The container is gone then, or the error says that it is not.
pub(crate) fn launch(
    docker: &Docker,
    plan: &Plan,
    request: Request<'_>,
    variables: &Variables,
    on_event: &mut Listener<'_>,
) -> Result<Running, SandboxError> {
    let began = Instant::now();
    image::check_name(plan)?;
    let mut known = Known::Nothing;
    if request.build.leaves_the_image_alone() && !plan.is_to_be_locked() {
        // Most often the image is there, and asking for it would take longer than being told that it is not.
        match start(docker, plan, None, request, variables, began, on_event) {
            // One for another platform than was named is there, and to be told about.
            Err(NotUp::NoImage(_)) if request.build.platform.is_none() => known = Known::Missing,
            Err(NotUp::NoImage(_) | NotUp::OtherPlatform(_)) => {}
            outcome => return outcome.map_err(NotUp::into_error),
        }
    }
    let image = image::ensure(docker, plan, request.build, variables, known, on_event)?;
    on_event(Event::Starting);
    start(docker, plan, image.built_in, request, variables, began, on_event).map_err(NotUp::into_error)
}

/// Why nothing came up. Nothing is left of the attempt.
enum NotUp {
    /// The engine does not have the image.
    NoImage(SandboxError),
    /// The one that the engine has is for another platform.
    OtherPlatform(SandboxError),
    Failed(SandboxError),
}

impl NotUp {
    fn into_error(self) -> SandboxError {
        match self {
            NotUp::NoImage(error) | NotUp::OtherPlatform(error) | NotUp::Failed(error) => error,
        }
    }
}

impl From<SandboxError> for NotUp {
    fn from(error: SandboxError) -> Self {
        NotUp::Failed(error)
    }
}

fn start(
    docker: &Docker,
    plan: &Plan,
    built_in: Option<Duration>,
    request: Request<'_>,
    variables: &Variables,
    began: Instant,
    on_event: &mut Listener<'_>,
) -> Result<Running, NotUp> {
    let owner = owner(request.options.ownership)?;
    let folder = RunDir::create(&variables.temp_dir())?;
    let (id, name) = match start_container(docker, plan, request.build, &owner, &folder) {
        Ok(started) => started,
        Err(NoStart::Nothing(error)) => return Err(NotUp::Failed(error)),
        Err(NoStart::NoImage(error)) => return Err(NotUp::NoImage(error)),
        Err(NoStart::OtherPlatform(name, error)) => {
            return Err(match discard(docker, &name, folder, error) {
                error @ SandboxError::ContainerStartup(_) => NotUp::OtherPlatform(error),
                error => NotUp::Failed(error),
            });
        }
        Err(NoStart::Perhaps(name, error)) => return Err(discard(docker, &name, folder, error).into()),
        Err(NoStart::Soon(name, error)) => {
            orphans::await_container(docker, &name);
            return Err(discard(docker, &name, folder, error).into());
        }
    };
    on_event(Event::Waiting { name: name.clone(), id: id.clone() });
    let ready = docker
        .interrupt
        .check()
        .and_then(|()| ready::until_ready(docker, plan, &id, request.options.ready_timeout));
    match ready {
        Ok(ready) => {
            if let Some(reason) = &ready.handshake.mismatch {
                on_event(Event::Warning(format!(
                    "the container's rlmesh speaks another protocol than this tool ({}): {reason}",
                    handshake::PROTOCOL_GENERATION
                )));
            }
            let image = Image { tag: plan.image(), id: ready.image_id, built_in };
            let (address, handshake) = (ready.address, ready.handshake);
            Ok(Running {
                id,
                name,
                address,
                image,
                handshake,
                took: began.elapsed(),
                folder: Arc::new(folder),
            })
        }
        Err(error) => Err(discard(docker, &name, folder, error).into()),
    }
}

/// Why no container runs, and what may be there all the same.
enum NoStart {
    Nothing(SandboxError),
    NoImage(SandboxError),
    /// The image cannot be used, and a container of that name may be there.
    OtherPlatform(String, SandboxError),
    /// A container of that name may be there.
    Perhaps(String, SandboxError),
    /// The client was killed, and the engine may still be making the container of that name.
    Soon(String, SandboxError),
}

/// Removes a container that must not outlive an error, and says so where that fails.
fn discard(docker: &Docker, name: &str, folder: RunDir, error: SandboxError) -> SandboxError {
    match docker.remove_containers(&[name.to_owned()]) {
        Ok(()) => error,
        Err(failure) => {
            // What names the container stays for `reap`.
            folder.leave();
            error.map_problem(|problem| {
                problem.hint(format!(
                    "the container {name} could not be removed ({failure}): run `rlmesh-sandbox reap`"
                ))
            })
        }
    }
}

/// Makes sure that an owner that was named is there, before anything is built for it.
///
/// # Errors
/// [`SandboxError::InvalidOption`].
pub(crate) fn check_owner(ownership: Ownership) -> Result<(), SandboxError> {
    owner(ownership).map(|_| ())
}

fn owner(ownership: Ownership) -> Result<Owner, SandboxError> {
    let pid = match ownership {
        Ownership::ThisProcess => std::process::id(),
        Ownership::Process(pid) => pid,
        Ownership::Detached => return Ok(Owner::nobody(Host::here())),
    };
    match process::liveness(pid) {
        Liveness::Alive { start } => Ok(Owner { pid: Some(pid), start, host: Host::here() }),
        Liveness::Gone => Err(SandboxError::InvalidOption(Problem::new(
            format!("owner_pid (--owner-pid) is {pid}, and no such process runs"),
            "give it the number of a running process, such as $$",
        ))),
    }
}

fn start_container(
    docker: &Docker,
    plan: &Plan,
    build: &BuildOptions,
    owner: &Owner,
    folder: &RunDir,
) -> Result<(String, String), NoStart> {
    let mut labels = vec![(owner::MARK.0, owner::MARK.1.to_owned()), (owner::SOURCE, plan.resolved_source())];
    if let Plan::Build(spec) = plan {
        labels.push((owner::BUILD_HASH, spec.build_hash()));
    }
    labels.extend(owner.labels());
    let (variables, file) = payload(plan, folder).map_err(NoStart::Nothing)?;
    let target = format!("{IMAGE_FOLDER}/bootstrap.json");
    let (image, slug) = (plan.image(), plan.slug());
    let mut attempts = 3;
    loop {
        let name = format!("rlmesh-sandbox-{slug}-{}", uuid::Uuid::new_v4().simple());
        folder.announce(&name).map_err(NoStart::Nothing)?;
        let new = NewContainer {
            image: &image,
            name: &name,
            labels: &labels,
            environment: &variables,
            port: CONTAINER_PORT,
            file: file.as_deref().map(|file| (file, target.as_str())),
            platform: match (&build.platform, plan) {
                (Some(platform), _) => Platform::Named(platform),
                (None, Plan::Build(_)) => Platform::Engines,
                (None, Plan::Prebuilt { .. }) => Platform::Any,
            },
        };
        attempts -= 1;
        match docker.run_container(&new) {
            Ok(id) => return Ok((id, name)),
            // The container of that name is not ours, and must not be taken for it.
            Err(StartFailure::NameTaken(failure)) if attempts == 0 => {
                let _ = folder.settle();
                return Err(NoStart::Nothing(container::name_taken(failure)));
            }
            Err(StartFailure::NameTaken(_)) => {}
            Err(StartFailure::NoImage(failure)) => {
                return Err(NoStart::NoImage(container::start_error(failure)));
            }
            Err(StartFailure::OtherPlatform) => {
                let error = SandboxError::ContainerStartup(Problem::new(
                    format!("the image {image} is for another platform than the engine's"),
                    "name the platform with --platform, or build it again with --rebuild",
                ));
                return Err(NoStart::OtherPlatform(name, error));
            }
            Err(StartFailure::NotDocker(error)) => return Err(NoStart::Perhaps(name, error)),
            Err(StartFailure::Other(failure)) => {
                let was_killed = !matches!(failure.cause, Cause::Status(_) | Cause::NotStarted(_));
                let error = container::start_error(failure);
                return Err(match error {
                    // An engine that does not answer has made nothing, and could remove nothing.
                    SandboxError::Docker(_) if !was_killed => NoStart::Nothing(error),
                    _ if was_killed => NoStart::Soon(name, error),
                    _ => NoStart::Perhaps(name, error),
                });
            }
        }
    }
}

type ContainerVariables = Vec<(&'static str, String)>;

/// What the container is told: through its environment, or, where that has no room, in a file.
fn payload(plan: &Plan, folder: &RunDir) -> Result<(ContainerVariables, Option<PathBuf>), SandboxError> {
    match plan {
        Plan::Build(spec) => {
            let payload = bootstrap::bootstrap_json(spec);
            if payload.len() <= LARGEST_VARIABLE {
                return Ok((vec![("RLMESH_BOOTSTRAP_JSON", payload)], None));
            }
            Ok((Vec::new(), Some(build_context::write_bootstrap(folder.path(), &payload)?)))
        }
        Plan::Prebuilt { serving, .. } => {
            let mut variables = Vec::new();
            if !serving.kwargs.is_empty() {
                let kwargs =
                    serde_json::to_string(&serving.kwargs).context("kwargs cannot be written as JSON")?;
                if kwargs.len() > LARGEST_VARIABLE {
                    return Err(SandboxError::InvalidOption(Problem::new(
                        format!(
                            "kwargs (--kwarg, --kwargs) are {} bytes long, and a prebuilt image takes {LARGEST_VARIABLE}",
                            kwargs.len()
                        ),
                        "put the data into the image, or into a built environment",
                    )));
                }
                variables.push(("RLMESH_MAKE_KWARGS", kwargs));
            }
            if serving.num_envs != 1 {
                variables.push(("RLMESH_NUM_ENVS", serving.num_envs.to_string()));
            }
            if let Some(mode) = serving.vectorization_mode {
                variables.push(("RLMESH_VECTORIZATION_MODE", mode.to_string()));
            }
            Ok((variables, None))
        }
    }
}

impl Running {
    /// Lets the container outlive this process.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn keep(&self) -> Result<(), SandboxError> {
        self.folder.settle()
    }

    /// Ends the container: it may take `grace` to do so by itself, unless a second signal is in a hurry.
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
