//! The functions of the public library: the program's own steps without a command line; they print nothing and take over no signals.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::docker::Docker;
use crate::error::{SandboxError, Signal};
use crate::host::interrupt::Interrupt;
use crate::hub::Hub;
use crate::plan::resolve::{self, Consent, World};
use crate::sandbox::handshake::Handshake;
use crate::sandbox::orphans::{self, Care, Sweep};
use crate::sandbox::start::{self, Request, Running};
use crate::sandbox::stop::{self, Which};
use crate::settings::build::BuildOptions;
use crate::settings::hub::HubSettings;
use crate::settings::sandbox::{RunOptions, SandboxOptions};
use crate::settings::variables::Variables;
use crate::source::{EnvironmentSourceRef, HfSourceRef};

/// How long a container may take to end by itself.
const STOP_GRACE: Duration = Duration::from_secs(10);

/// An environment that is up and has answered.
///
/// Dropping it stops nothing: call [`stop_container`] with its `container_id`.
#[derive(Debug, Clone)]
#[must_use = "the container runs until stop_container is called with its id"]
#[non_exhaustive]
pub struct RunResult {
    /// The source in its canonical form, as it was asked for.
    pub requested_source: String,
    /// The same, with nothing left to look up: a Hugging Face source has its full commit id.
    pub resolved_source: String,
    /// As rlmesh's clients take it: `tcp://127.0.0.1:49153`.
    pub address: String,
    /// Docker's full id of the container.
    pub container_id: String,
    /// The container's name.
    pub container_name: String,
    /// The image that it was started from.
    pub image: String,
    /// What the environment said of itself.
    pub handshake: Handshake,
    /// From the start of the work to the first answer.
    pub took: Duration,
}

/// Starts an environment and blocks until it answers, for at most 30 seconds after its container started.
///
/// May be called from inside an async runtime, whose thread it then blocks; [`start_env_async`] does not.
///
/// # Errors
/// Every kind of [`SandboxError`]; nothing that was started is left behind then.
#[expect(clippy::needless_pass_by_value, reason = "the same signature as start_env_async")]
pub fn start_env(source: EnvironmentSourceRef, options: SandboxOptions) -> Result<RunResult, SandboxError> {
    let interrupt = Interrupt::default();
    let docker = docker(interrupt)?;
    Ok(started(&source, &docker, options)?.0)
}

/// Starts an environment without blocking, on any async runtime.
///
/// Dropping the future gives the start up: the build or container that is under way ends, and is removed.
///
/// # Errors
/// As [`start_env`].
pub async fn start_env_async(
    source: EnvironmentSourceRef,
    options: SandboxOptions,
) -> Result<RunResult, SandboxError> {
    let interrupt = Interrupt::default();
    let docker = docker(interrupt.clone())?;
    let (tell, on_event) = tokio::sync::oneshot::channel();
    let given_up = GiveUpOnDrop(interrupt);
    std::thread::Builder::new()
        .name("rlmesh-sandbox-start".to_owned())
        .spawn(move || {
            let outcome = started(&source, &docker, options);
            // Nobody waits any more: what has started all the same must end.
            if let Err(Ok((_, running))) = tell.send(outcome) {
                let docker = docker.with_interrupt(Interrupt::default());
                let _ = running.stop(&docker, Duration::ZERO);
            }
        })
        .map_err(anyhow::Error::from)?;
    let outcome = on_event.await;
    drop(given_up);
    match outcome {
        Ok(outcome) => Ok(outcome?.0),
        Err(_) => {
            Err(SandboxError::Other(anyhow::anyhow!("the thread that started the environment panicked")))
        }
    }
}

/// Asks the work to end when the future that waits for it is dropped. Once the work is done nobody hears it.
struct GiveUpOnDrop(Interrupt);

impl Drop for GiveUpOnDrop {
    fn drop(&mut self) {
        self.0.raise(Signal::Terminate);
    }
}

fn started(
    source: &EnvironmentSourceRef,
    docker: &Docker,
    options: SandboxOptions,
) -> Result<(RunResult, Running), SandboxError> {
    let variables = Variables::of_this_process();
    let folder = std::env::current_dir().map_err(anyhow::Error::from)?;
    let processor = || Ok(docker.engine()?.arch);
    let commit = |hf: &HfSourceRef, patience| {
        let hub = Hub::new(&HubSettings::from_variables(&variables)?, docker.interrupt.clone());
        hub.commit(hf, patience, &mut |_| {})
    };
    let world = World { folder: &folder, processor: &processor, commit: &commit };
    let plan = resolve::resolve(source, options, Consent::ToRun, &world)?;
    let _sweep = Sweep::begin(docker, &variables);
    let on_event = &mut |_| {};
    let build = BuildOptions::default();
    let request = Request { build: &build, options: RunOptions::default() };
    let running = start::launch(docker, &plan, request, &variables, on_event)?;
    // From here on the owner's labels speak for the container.
    running.keep()?;
    let result = RunResult {
        requested_source: source.to_string(),
        resolved_source: plan.resolved_source(),
        address: running.address.clone(),
        container_id: running.id.clone(),
        container_name: running.name.clone(),
        image: running.image.tag.clone(),
        handshake: running.handshake.clone(),
        took: running.took,
    };
    Ok((result, running))
}

/// Stops a sandbox, by its id or name, and removes it. One that is gone already is no error.
///
/// # Errors
/// [`SandboxError::InvalidOption`] for a container that is not a sandbox; [`SandboxError::Docker`].
pub fn stop_container(container_id: &str) -> Result<(), SandboxError> {
    let docker = docker(Interrupt::default())?;
    stop::stop(&docker, &Which::These(vec![container_id.to_owned()]), STOP_GRACE).map(|_| ())
}

/// Removes every sandbox whose owner is proven gone, and returns the ids of those removed.
///
/// # Errors
/// [`SandboxError::Docker`].
pub fn reap_orphaned_containers() -> Result<Vec<String>, SandboxError> {
    let docker = docker(Interrupt::default())?;
    let mut removed = Vec::new();
    orphans::look(&docker, &Variables::of_this_process(), Care::Thorough)?
        .remove(&docker, &mut |judged| removed.push(judged.container.id.clone()))?;
    Ok(removed)
}

fn docker(interrupt: Interrupt) -> Result<Docker, SandboxError> {
    Docker::find(None, &Variables::of_this_process(), interrupt, Arc::new(|_| {}))
}
