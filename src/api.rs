//! The functions that both the program's commands and library users call.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::engine::docker::{Docker, Trace};
use crate::error::{SandboxError, Signal};
use crate::host::interrupt::Interrupt;
use crate::hub::Hub;
use crate::image::{self, Image, ImageRequest};
use crate::plan::Plan;
use crate::plan::resolve::{self, Lookups, Purpose};
use crate::progress::{Event, Listener};
use crate::sandbox::check::CheckReport;
use crate::sandbox::handshake::Handshake;
use crate::sandbox::manifest::{self, Manifest, ManifestOptions};
use crate::sandbox::orphans::{self, Findings, Sweep};
use crate::sandbox::start::{self, Running};
use crate::sandbox::stop::{self, Stopped, Which};
use crate::settings::Settings;
use crate::settings::build::{BuildOptions, PublishOptions};
use crate::settings::sandbox::{RunOptions, SandboxOptions};
use crate::source::{EnvironmentSourceRef, HfSourceRef};

/// How long a container may take to stop before it is killed.
const STOP_GRACE: Duration = Duration::from_secs(10);

/// An environment that is up and has answered.
///
/// Dropping it stops nothing: call [`stop_container`] with its `container_id`.
#[derive(Debug, Clone)]
#[must_use = "the container runs until stop_container is called with its id"]
#[non_exhaustive]
pub struct RunResult {
    /// The requested source in its canonical form.
    pub requested_source: String,
    /// The source after all lookups: a Hugging Face source has its full commit id.
    pub resolved_source: String,
    /// The address for rlmesh's clients: `tcp://127.0.0.1:49153`.
    pub address: String,
    /// Docker's full id of the container.
    pub container_id: String,
    /// The container's name.
    pub container_name: String,
    /// The image that it was started from.
    pub image: String,
    /// What the environment reported about itself.
    pub handshake: Handshake,
    /// The time from the first command to the first answer.
    pub took: Duration,
    /// What a client saw; `None` unless [`RunOptions::check`] is set.
    pub check: Option<CheckReport>,
}

/// An image that the engine has.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BuildResult {
    /// Its tag.
    pub image: String,
    /// The engine's id of the image.
    pub image_id: String,
    /// How long the build took; `None` if the image already existed.
    pub built_in: Option<Duration>,
}

/// Builds, starts and stops sandboxes with your own settings. The functions of this crate are shorthands for
/// it.
///
/// PATH, where it looks for docker, is the only environment variable that it reads;
/// [`Settings::from_variables`] reads the others. It starts no background work and installs no signal
/// handlers.
#[derive(Clone)]
pub struct Client {
    settings: Settings,
    interrupt: Interrupt,
    trace: Trace,
    docker: Arc<OnceLock<Docker>>,
}

impl Client {
    /// Creates a client. It looks for docker on first use.
    pub fn new(settings: Settings) -> Self {
        Self { settings, interrupt: Interrupt::default(), trace: Arc::new(|_| {}), docker: Arc::default() }
    }

    /// Stops work when `interrupt` is raised. When it is raised a second time, the client also stops waiting
    /// for a container to end.
    #[must_use]
    pub fn with_interrupt(self, interrupt: Interrupt) -> Self {
        Self { interrupt, docker: Arc::default(), ..self }
    }

    /// Calls `on_command` with every docker command before it runs.
    #[must_use]
    pub fn with_trace(self, on_command: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { trace: Arc::new(on_command), docker: Arc::default(), ..self }
    }

    /// Builds the image of a source, unless the engine already has it, then tags and pushes it as requested.
    ///
    /// # Errors
    /// Every kind of [`SandboxError`] except ContainerStartup.
    pub fn build_image(
        &self,
        source: &EnvironmentSourceRef,
        options: SandboxOptions,
        build: BuildOptions,
        publish: PublishOptions,
        on_event: &mut Listener<'_>,
    ) -> Result<BuildResult, SandboxError> {
        let (build, publish) = (build.checked()?, publish.checked()?);
        let plan = self.plan(source, options, Purpose::Run, on_event)?;
        let image = self.build(&plan, &build, &publish, on_event)?;
        Ok(BuildResult { image: image.tag, image_id: image.id, built_in: image.built_in })
    }

    /// Starts an environment and blocks until it answers.
    ///
    /// # Errors
    /// Every kind of [`SandboxError`]. After an error, nothing that was started is left behind.
    pub fn start_env(
        &self,
        source: &EnvironmentSourceRef,
        options: SandboxOptions,
        build: BuildOptions,
        run: &RunOptions,
        on_event: &mut Listener<'_>,
    ) -> Result<RunResult, SandboxError> {
        let build = build.checked()?;
        let plan = self.plan(source, options, Purpose::Run, on_event)?;
        let running = self.start(&plan, &build, run, on_event)?;
        // From here on, the container's labels name its owner.
        running.keep()?;
        Ok(RunResult {
            requested_source: source.to_string(),
            resolved_source: plan.resolved_source().to_string(),
            address: running.address,
            container_id: running.id,
            container_name: running.name,
            image: running.image.tag,
            handshake: running.handshake,
            took: running.took,
            check: running.check,
        })
    }

    /// Describes containers of a source for Kubernetes or Compose. It neither builds nor starts anything.
    ///
    /// # Errors
    /// InvalidOption, SourceResolution, HuggingFacePolicy, Wheel; Docker only for a wheel that depends on the engine's
    /// architecture.
    pub fn manifest(
        &self,
        source: &EnvironmentSourceRef,
        options: SandboxOptions,
        manifest: &ManifestOptions,
        on_event: &mut Listener<'_>,
    ) -> Result<Manifest, SandboxError> {
        manifest::manifest(&self.plan(source, options, Purpose::Hash, on_event)?, manifest)
    }

    /// Stops a sandbox, by its id or name, and removes it. A sandbox that does not stop within `grace` is
    /// killed. One that does not exist is not an error.
    ///
    /// # Errors
    /// [`SandboxError::InvalidOption`] for a container that is not a sandbox; [`SandboxError::Docker`].
    pub fn stop_container(&self, container: &str, grace: Duration) -> Result<(), SandboxError> {
        self.stop(&Which::These(vec![container.to_owned()]), grace).map(drop)
    }

    /// Removes every sandbox whose owner is proven gone, and returns the ids of the removed containers.
    ///
    /// # Errors
    /// [`SandboxError::Docker`].
    pub fn reap_orphaned_containers(&self) -> Result<Vec<String>, SandboxError> {
        let mut removed = Vec::new();
        self.orphans()?
            .remove(self.docker()?, &mut |candidate| removed.push(candidate.container.id.clone()))?;
        Ok(removed)
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Finds the docker client. It runs no docker command.
    pub(crate) fn docker(&self) -> Result<&Docker, SandboxError> {
        if let Some(docker) = self.docker.get() {
            return Ok(docker);
        }
        let docker = Docker::find(
            self.settings.docker.as_deref(),
            self.settings.waits,
            self.interrupt.clone(),
            Arc::clone(&self.trace),
        )?;
        Ok(self.docker.get_or_init(|| docker))
    }

    pub(crate) fn hub(&self) -> Hub {
        Hub::new(&self.settings.hub, self.interrupt.clone())
    }

    /// Source and options → plan. Docker is asked only for the engine's architecture, and only for `local`.
    pub(crate) fn plan(
        &self,
        source: &EnvironmentSourceRef,
        options: SandboxOptions,
        purpose: Purpose,
        on_event: &mut Listener<'_>,
    ) -> Result<Plan, SandboxError> {
        let folder = std::env::current_dir().map_err(anyhow::Error::from)?;
        let architecture = || match purpose {
            Purpose::DryRun => Ok(own_architecture().to_owned()),
            Purpose::Hash | Purpose::Run => Ok(self.docker()?.engine()?.arch),
        };
        let on_event = std::cell::RefCell::new(on_event);
        let commit = |hf: &HfSourceRef, retries| {
            self.hub().commit(hf, retries, &mut |event: Event| (*on_event.borrow_mut())(event))
        };
        let lookups = Lookups {
            folder: &folder,
            home: self.settings.home_folder.as_deref(),
            interrupt: &self.interrupt,
            architecture: &architecture,
            commit: &commit,
        };
        let plan = resolve::resolve(source, options, purpose, &lookups)?;
        if !plan.additions.is_empty() {
            let note = format!(
                "added for {}: {} (--no-auto adds nothing)",
                source.to_string().trim_start_matches("gym://"),
                plan.additions
            );
            (*on_event.borrow_mut())(Event::Note(note));
        }
        Ok(plan)
    }

    /// Makes sure that the engine has the plan's image.
    pub(crate) fn build(
        &self,
        plan: &Plan,
        build: &BuildOptions,
        publish: &PublishOptions,
        on_event: &mut Listener<'_>,
    ) -> Result<Image, SandboxError> {
        image::check(plan, build)?;
        self.image(plan, build, publish)?.ensure(on_event)
    }

    /// Starts the plan's container and waits for its first answer.
    pub(crate) fn start(
        &self,
        plan: &Plan,
        build: &BuildOptions,
        run: &RunOptions,
        on_event: &mut Listener<'_>,
    ) -> Result<Running, SandboxError> {
        start::check_owner(run.ownership)?;
        image::check(plan, build)?;
        start::launch(self.image(plan, build, &PublishOptions::default())?, run, on_event)
    }

    fn image<'a>(
        &'a self,
        plan: &'a Plan,
        build: &'a BuildOptions,
        publish: &'a PublishOptions,
    ) -> Result<ImageRequest<'a>, SandboxError> {
        Ok(ImageRequest { docker: self.docker()?, settings: &self.settings, plan, build, publish })
    }

    pub(crate) fn stop(&self, which: &Which, grace: Duration) -> Result<Stopped, SandboxError> {
        stop::stop(self.docker()?, which, grace)
    }

    pub(crate) fn orphans(&self) -> Result<Findings, SandboxError> {
        orphans::find(self.docker()?, &self.settings.temp_folder, orphans::Request::Reap)
    }

    /// Starts to remove orphans in the background.
    pub(crate) fn sweep(&self) -> Result<Sweep, SandboxError> {
        Ok(Sweep::begin(self.docker()?, &self.settings.temp_folder))
    }
}

/// This machine's architecture in Docker's naming.
fn own_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// Starts an environment and blocks until it answers, for at most 30 seconds after its container started.
///
/// It can be called inside an async runtime, but blocks that runtime's thread; use [`start_env_async`] there.
/// It uses the default [`Settings`]; use a [`Client`] to change them.
///
/// # Errors
/// Every kind of [`SandboxError`]. After an error, nothing that was started is left behind.
#[expect(clippy::needless_pass_by_value, reason = "the same signature as start_env_async")]
pub fn start_env(source: EnvironmentSourceRef, options: SandboxOptions) -> Result<RunResult, SandboxError> {
    let client = Client::new(Settings::default());
    client.start_env(&source, options, BuildOptions::default(), &RunOptions::default(), &mut |_| {})
}

/// Starts an environment without blocking, on any async runtime.
///
/// Dropping the future cancels the start: a running build ends, and a container that was started is removed.
///
/// # Errors
/// As [`start_env`].
pub async fn start_env_async(
    source: EnvironmentSourceRef,
    options: SandboxOptions,
) -> Result<RunResult, SandboxError> {
    let interrupt = Interrupt::default();
    let client = Client::new(Settings::default()).with_interrupt(interrupt.clone());
    let (sender, outcome) = tokio::sync::oneshot::channel();
    let interrupt_on_drop = InterruptOnDrop(interrupt);
    std::thread::Builder::new()
        .name("rlmesh-sandbox-start".to_owned())
        .spawn(move || {
            let (build, run) = (BuildOptions::default(), RunOptions::default());
            let started = client.start_env(&source, options, build, &run, &mut |_| {});
            // The future was dropped, but the environment started anyway: stop it.
            if let Err(Ok(result)) = sender.send(started) {
                let client = client.with_interrupt(Interrupt::default());
                let _ = client.stop_container(&result.container_id, Duration::ZERO);
            }
        })
        .map_err(anyhow::Error::from)?;
    let outcome = outcome.await;
    drop(interrupt_on_drop);
    outcome.unwrap_or_else(|_| {
        Err(SandboxError::Other(anyhow::anyhow!("the thread that started the environment panicked")))
    })
}

/// Stops the work when the future that waits for it is dropped. It has no effect after the work has ended.
struct InterruptOnDrop(Interrupt);

impl Drop for InterruptOnDrop {
    fn drop(&mut self) {
        self.0.raise(Signal::Terminate);
    }
}

/// Stops a sandbox, by its id or name, and removes it. One that no longer exists is not an error.
///
/// # Errors
/// [`SandboxError::InvalidOption`] for a container that is not a sandbox; [`SandboxError::Docker`].
pub fn stop_container(container_id: &str) -> Result<(), SandboxError> {
    Client::new(Settings::default()).stop_container(container_id, STOP_GRACE)
}

/// Removes every sandbox whose owner is proven gone, and returns the ids of the removed containers.
///
/// # Errors
/// [`SandboxError::Docker`].
pub fn reap_orphaned_containers() -> Result<Vec<String>, SandboxError> {
    Client::new(Settings::default()).reap_orphaned_containers()
}
