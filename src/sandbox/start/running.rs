//! A container that has answered: how it is kept, and how it is stopped.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::Isolation;
use crate::engine::docker::Docker;
use crate::error::{Problem, SandboxError};
use crate::host::interrupt::Signals;
use crate::host::run_dir::RunDir;
use crate::host::socket_dir::SocketDir;
use crate::image::Image;
use crate::sandbox::check::CheckReport;
use crate::sandbox::handshake::Handshake;
use crate::sandbox::start::REAP_LATER;
use crate::settings::sandbox::Ownership;

/// A container that has answered.
#[derive(Debug, Clone)]
pub(crate) struct Running {
    pub(crate) id: String,
    pub(crate) name: String,
    /// The address for rlmesh's clients: `tcp://127.0.0.1:49153`, or `unix:///…`.
    pub(crate) address: String,
    pub(crate) isolation: Isolation,
    /// When the container was created, in RFC 3339.
    pub(crate) created: String,
    pub(crate) ownership: Ownership,
    pub(crate) image: Image,
    pub(crate) handshake: Handshake,
    /// The time from the first command to the answered handshake.
    pub(crate) took: Duration,
    /// When its container was started.
    pub(crate) started: Instant,
    /// What a client saw, if the environment was to be checked.
    pub(crate) check: Option<CheckReport>,
    /// The run directory. It names the container as long as the container must not outlive this process.
    pub(super) folder: Arc<RunDir>,
    /// The folder of its Unix socket.
    pub(super) socket: Option<Arc<SocketDir>>,
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
        self.socket.iter().for_each(|socket| socket.keep());
        self.folder.clear_container()
    }

    /// Stops the container and removes it. It is killed after `grace`, or at once after a second signal.
    ///
    /// # Errors
    /// [`SandboxError::Docker`] if the container may still exist. It is left to `reap` then.
    pub(crate) fn stop(&self, docker: &Docker, grace: Duration) -> Result<(), SandboxError> {
        let container = [self.id.clone()];
        let docker = &docker.until(Instant::now() + grace + docker.waits.clean_up);
        if docker.interrupt.reached(Signals::Second).is_none() {
            // If it fails, the removal below kills the container.
            let _ = docker.stop_containers(&container, grace, Signals::Second);
        }
        docker.remove_containers(&container).map_err(|failure| {
            self.folder.keep();
            let problem = match failure.as_docker_error() {
                // An interrupt is why it was not removed, and the container is what the user must know about.
                None | Some(SandboxError::Interrupted(_)) => Problem::new(
                    format!("the container {} could not be removed: {failure}", self.name),
                    REAP_LATER,
                )
                .details(&failure.stderr),
                Some(error) => Problem::new(
                    format!("the container {} could not be removed: {error}", self.name),
                    REAP_LATER,
                ),
            };
            SandboxError::Docker(problem)
        })
    }
}
