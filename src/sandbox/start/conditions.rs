//! What a start depends on: the owner, the name, what the engine has, and where it is.

use std::path::Path;

use crate::engine::docker::Docker;
use crate::engine::docker::info::is_on_this_machine;
use crate::engine::{EngineSite, Isolation};
use crate::error::{Field, InvalidValue, SandboxError};
use crate::host::process;
use crate::image::ImageRequest;
use crate::sandbox::isolation::{self, Circumstances};
use crate::sandbox::start::{name_taken, owner};
use crate::settings::sandbox::RunOptions;
use crate::source::EnvironmentSourceRef;

/// Checks what can be checked before anything is built: the owner, the name, and what the engine must have.
///
/// # Errors
/// [`SandboxError::InvalidOption`]; Docker.
pub(crate) fn check_first(docker: &Docker, options: &RunOptions) -> Result<(), SandboxError> {
    owner(options.ownership)?;
    check_name(docker, options.name.as_deref())?;
    let container = options.container.checked()?;
    if container.runtime.is_none() && container.gpus.is_none() {
        return Ok(());
    }
    let equipment = docker.equipment()?;
    if let Some(runtime) = &container.runtime
        // A name with dots is a shim, which the engine looks up when it starts the container.
        && !runtime.contains('.')
        && !equipment.runtimes().any(|name| name == runtime)
    {
        let known: Vec<&str> = equipment.runtimes().filter(|name| !name.contains('.')).collect();
        let invalid = InvalidValue::new(
            "the engine does not have this runtime",
            format!("install it and add it to the engine's settings; the engine has {}", known.join(", ")),
        );
        return Err(Field::RUNTIME.invalid(runtime, &invalid));
    }
    if let Some(gpus) = &container.gpus
        && !equipment.has_gpus()
        && (docker.site() == EngineSite::Elsewhere || !has_gpu_device())
    {
        let invalid = InvalidValue::new(
            "the engine has no GPUs for containers",
            "install the NVIDIA Container Toolkit on the engine's machine, or leave out --gpus",
        );
        return Err(Field::GPUS.invalid(gpus, &invalid));
    }
    Ok(())
}

/// Whether this machine has a GPU with its driver.
fn has_gpu_device() -> bool {
    ["/dev/nvidiactl", "/dev/dxg", "/dev/kfd"].iter().any(|device| Path::new(device).exists())
}

/// Checks that no container has the name.
///
/// # Errors
/// [`SandboxError::InvalidOption`], [`SandboxError::Docker`].
fn check_name(docker: &Docker, name: Option<&str>) -> Result<(), SandboxError> {
    match name {
        Some(name) if docker.exists(name)? => Err(name_taken(name)),
        _ => Ok(()),
    }
}

/// The isolation of the container, and what the user should know about it.
pub(super) fn decide(
    image: &ImageRequest<'_>,
    options: &RunOptions,
) -> Result<(Isolation, Vec<String>), SandboxError> {
    let (docker, plan) = (image.docker, image.plan);
    let endpoint = match &image.settings.endpoint {
        Some(endpoint) => Some(endpoint.clone()),
        // On other systems, an engine runs in a virtual machine.
        None if !cfg!(target_os = "linux") => None,
        None => docker.endpoint().ok().map(|endpoint| endpoint.host),
    };
    let is_on_this_machine = endpoint.is_some_and(|endpoint| is_on_this_machine(&endpoint));
    // Asking the engine would delay every start.
    let own_memory = || if is_on_this_machine { process::memory() } else { None };
    let memory = match options.container.memory {
        Some(_) => None,
        None => own_memory().or_else(|| docker.resources().ok().map(|resources| resources.memory)),
    };
    let processors = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let is_from_hub = matches!(plan.resolved_source(), EnvironmentSourceRef::Hf(_));
    let copies = plan.serving.num_envs;
    let around = Circumstances { is_from_hub, copies, processors, memory, is_on_this_machine };
    isolation::decide(&options.container, around)
}
