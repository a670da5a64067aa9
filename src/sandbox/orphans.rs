//! Finds and removes what killed runs left behind: orphaned containers and run directories.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant, SystemTime};

use crate::contract::label;
use crate::engine::docker::Docker;
use crate::engine::docker::inspection::Inspection;
use crate::error::SandboxError;
use crate::host::interrupt::Signals;
use crate::host::process::{self, Host};
use crate::host::run_dir::{self, Abandoned, Survey};
use crate::host::socket_dir;
use crate::sandbox::listing::{OwnerState, Sandbox};
use crate::sandbox::owner::{self, Decision, Owner, Proof, Reason};

/// How long after its creation a container without an owner may still be starting.
const STARTING: Duration = Duration::from_secs(120);

/// How many containers are removed with one docker command.
const BATCH: usize = 100;

/// A container, and what to do with it.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) sandbox: Sandbox,
    pub(crate) decision: Decision,
}

/// Everything that was found. Nothing is removed before [`Findings::remove`].
#[derive(Debug)]
pub(crate) struct Findings {
    pub(crate) containers: Vec<Candidate>,
    /// Run directories whose run is gone.
    pub(crate) folders: Vec<Abandoned>,
    /// Run directories of starts on other engines, and those engines.
    pub(crate) elsewhere: Vec<(PathBuf, String)>,
    temp_folder: PathBuf,
}

/// Why orphans are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    /// In the background, while another container starts: containers that may still be starting are left
    /// alone.
    Sweep,
    /// For the user: waits for containers that the engine may still be creating for killed runs.
    Reap,
}

/// Checks every sandbox of the engine and every run directory of this user in `temp_folder`.
///
/// # Errors
/// [`SandboxError::Docker`].
pub(crate) fn find(docker: &Docker, temp_folder: &Path, request: Request) -> Result<Findings, SandboxError> {
    let (engine, lock_wait) = (docker.engine_name.as_deref(), docker.waits.run_folder_lock);
    let mut survey = run_dir::survey(temp_folder, engine, lock_wait);
    if survey.is_unsettled && request == Request::Reap {
        std::thread::sleep(lock_wait);
        // The first survey holds the locks of what it found, so the second one only finds the rest.
        let second = run_dir::survey(temp_folder, engine, lock_wait);
        survey.abandoned.extend(second.abandoned);
        survey.starting = second.starting;
    }
    // A sweep leaves out containers that other runs are starting: they stay anyway.
    let list = || match request {
        Request::Sweep => docker.sandboxes_except(&survey.starting),
        Request::Reap => docker.sandboxes(),
    };
    let mut sandboxes = list()?;
    if request == Request::Reap {
        let deadline = Instant::now() + docker.waits.unfinished_container;
        while Instant::now() < deadline && expects_container(&survey, &sandboxes) {
            docker.interrupt.check()?;
            std::thread::sleep(Duration::from_millis(100));
            sandboxes = list()?;
        }
    }
    if request == Request::Sweep {
        // Only the run directory names a container that the engine may still be creating. A sweep does not wait for it.
        survey.abandoned.retain(|folder| !is_expected(folder, &sandboxes));
    }
    // Runs with another TMPDIR have their run directories elsewhere.
    for folder in sandboxes.iter().filter_map(|container| container.label(label::RUN_DIR)) {
        survey.add(Path::new(folder), engine, lock_wait);
    }
    let check = OrphanCheck::new(docker, request, &survey);
    let containers = sandboxes.into_iter().map(|container| check.decide(container)).collect();
    Ok(Findings {
        containers,
        folders: survey.abandoned,
        elsewhere: survey.elsewhere,
        temp_folder: temp_folder.to_owned(),
    })
}

/// Decides about the containers of one engine.
struct OrphanCheck<'a> {
    docker: &'a Docker,
    request: Request,
    here: Host,
    /// Containers that runs are starting now.
    starting: HashSet<String>,
    /// Containers that killed runs were starting, and the names of the runs' folders.
    abandoned: HashMap<String, String>,
    /// The time on the engine's clock, which may differ from this machine's.
    engine_time: OnceCell<Option<SystemTime>>,
}

impl<'a> OrphanCheck<'a> {
    fn new(docker: &'a Docker, request: Request, survey: &Survey) -> Self {
        let starting = survey.starting.iter().cloned().collect();
        let run = |folder: &Abandoned| Some((folder.container.clone()?, folder.name()));
        let abandoned = survey.abandoned.iter().filter_map(run).collect();
        Self { docker, request, here: Host::here(), starting, abandoned, engine_time: OnceCell::new() }
    }

    fn decide(&self, container: Inspection) -> Candidate {
        let owner = Owner::from_labels(|name| container.label(name));
        let site = || self.docker.site();
        let decision = match owner::decide(&owner, container.phase(), &self.here, site, process::liveness) {
            // Another run, whose run directory is not visible here, may be starting the container or reading
            // its log. A sweep must not remove it; the user may, with `reap`.
            Decision::Orphan(Proof::NeverStarted | Proof::EndedUnowned)
                if self.request == Request::Sweep
                    && !self.is_abandoned(&container)
                    && self.is_young(&container) =>
            {
                Decision::Keep(Reason::Starting)
            }
            Decision::Orphan(_) if self.starting.contains(container.name()) => {
                Decision::Keep(Reason::Starting)
            }
            Decision::Keep(reason) if self.is_abandoned(&container) && reason != Reason::BeingRemoved => {
                Decision::Orphan(Proof::StartAbandoned)
            }
            decision => decision,
        };
        let owner = OwnerState::of(&container, decision);
        Candidate { sandbox: Sandbox { container, owner }, decision }
    }

    /// Whether a killed run was starting this container. A later run may have used the name again.
    fn is_abandoned(&self, container: &Inspection) -> bool {
        let run = self.abandoned.get(container.name());
        run.is_some_and(|run| {
            container.label(label::RUN_DIR).is_none_or(|folder| Path::new(folder).ends_with(run))
        })
    }

    /// Whether a container was created so recently that it may still be starting; true if the engine's time
    /// is unknown.
    fn is_young(&self, container: &Inspection) -> bool {
        let parse = |text: &str| humantime::parse_rfc3339_weak(text).ok();
        let now = self.engine_time.get_or_init(|| parse(&self.docker.resources().ok()?.time?));
        match (now, parse(&container.created)) {
            (Some(now), Some(created)) => now.duration_since(created).unwrap_or_default() < STARTING,
            _ => true,
        }
    }
}

/// Whether the engine may still create a container for a killed run.
fn expects_container(survey: &Survey, sandboxes: &[Inspection]) -> bool {
    survey.abandoned.iter().any(|folder| is_expected(folder, sandboxes))
}

/// Whether the engine may still create the container that a run directory names.
fn is_expected(folder: &Abandoned, sandboxes: &[Inspection]) -> bool {
    let exists = |name: &str| sandboxes.iter().any(|container| container.name() == name);
    folder.age < Duration::from_secs(600) && folder.container.as_deref().is_some_and(|name| !exists(name))
}

impl Findings {
    /// Removes the orphans and the run directories, and calls `on_removed` with each removed orphan.
    ///
    /// # Errors
    /// [`SandboxError::Docker`] if some could not be removed.
    pub(crate) fn remove(
        self,
        docker: &Docker,
        on_removed: &mut dyn FnMut(&Candidate),
    ) -> Result<(), SandboxError> {
        let is_orphan = |candidate: &Candidate| matches!(candidate.decision, Decision::Orphan(_));
        let orphans: Vec<Candidate> = self.containers.into_iter().filter(is_orphan).collect();
        let mut failed = None;
        for batch in orphans.chunks(BATCH) {
            let ids: Vec<String> =
                batch.iter().map(|candidate| candidate.sandbox.container.id.clone()).collect();
            let left = match docker.remove_containers(&ids) {
                Ok(()) => HashSet::new(),
                Err(failure) => {
                    let left: HashSet<String> =
                        docker.inspect(&ids)?.into_iter().map(|container| container.id).collect();
                    if !left.is_empty() {
                        failed = Some((left.len(), failure));
                    }
                    left
                }
            };
            for candidate in batch.iter().filter(|candidate| !left.contains(candidate.sandbox.id())) {
                candidate.sandbox.container.remove_socket_directory();
                on_removed(candidate);
            }
        }
        if let Some((count, failure)) = failed {
            // The run directories name what could not be removed: keep them for the next `reap`.
            let what = if count == 1 { "container" } else { "containers" };
            return Err(failure.into_error(
                &format!("{count} orphaned {what} could not be removed"),
                "run `rlmesh-sandbox reap` again",
                SandboxError::Docker,
            ));
        }
        for folder in self.folders {
            folder.remove()?;
        }
        socket_dir::remove_abandoned(&self.temp_folder, docker.waits.run_folder_lock);
        Ok(())
    }
}

/// Waits for the engine to finish creating a container whose client was killed.
pub(crate) fn await_container(docker: &Docker, name: &str) {
    let deadline = Instant::now() + docker.waits.unfinished_container;
    let docker = docker.until(deadline);
    while Instant::now() < deadline && docker.interrupt.reached(Signals::Third).is_none() {
        match docker.exists(name) {
            Ok(false) => std::thread::sleep(Duration::from_millis(50)),
            Ok(true) | Err(_) => return,
        }
    }
}

/// Removes orphans in the background. Orphans that it cannot remove are left for the next sweep or `reap`.
pub(crate) struct Sweep {
    /// Ends the delay once it is dropped.
    start_now: Sender<()>,
    done: Receiver<()>,
}

impl Sweep {
    /// Starts to remove orphans on another thread.
    pub(crate) fn begin(docker: &Docker, temp_folder: &Path) -> Self {
        let (docker, temp_folder) = (docker.low_priority(), temp_folder.to_owned());
        let (start_now, delay) = channel::<()>();
        let (sender, done) = channel();
        std::thread::spawn(move || {
            let _ = delay.recv_timeout(docker.waits.sweep_delay);
            let swept = find(&docker, &temp_folder, Request::Sweep)
                .and_then(|found| found.remove(&docker, &mut |_| {}));
            if let Err(error) = swept {
                docker.note(&format!("sweep: {error}"));
            }
            let _ = sender.send(());
        });
        Self { start_now, done }
    }

    /// Ends the delay, since the run's own container has started, and waits for at most `limit` until the sweep
    /// has ended.
    pub(crate) fn finish(self, limit: Duration) {
        drop(self.start_now);
        let _ = self.done.recv_timeout(limit);
    }
}
