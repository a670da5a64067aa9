//! What killed runs left behind, found and removed: orphaned containers and run folders.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant, SystemTime};

use crate::engine::docker::Docker;
use crate::engine::docker::inspection::Inspection;
use crate::error::SandboxError;
use crate::host::interrupt::Signals;
use crate::host::process::{self, Host};
use crate::host::run_dir::{self, Abandoned, Survey};
use crate::sandbox::owner::{self, Owner, Proof, Reason, Verdict};

/// How long an engine may take to finish making a container whose client was killed.
const IN_FLIGHT: Duration = Duration::from_secs(2);

/// How long after its creation a container without an owner may still be part of a start.
const STARTING: Duration = Duration::from_secs(120);

/// How long the engine is left to the start of a container before it is asked for others' orphans.
const HEAD_START: Duration = Duration::from_millis(400);

/// How many containers go on one command line.
const BATCH: usize = 100;

/// A container, and what is to be done with it.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) container: Inspection,
    pub(crate) verdict: Verdict,
}

/// Everything that was found. Until [`Findings::remove`], nothing has changed.
#[derive(Debug)]
pub(crate) struct Findings {
    pub(crate) containers: Vec<Judged>,
    /// Run folders whose run is gone.
    pub(crate) folders: Vec<Abandoned>,
}

/// Who asks for orphans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    /// Another start, in the background: it takes what it can see now, and leaves what is in doubt.
    Sweep,
    /// The user: wait for what a killed run may still be making, so that nothing is left afterwards.
    Reap,
}

/// Looks at every sandbox of the engine and every run folder of this user in `temp_folder`.
///
/// # Errors
/// [`SandboxError::Docker`].
pub(crate) fn find(docker: &Docker, temp_folder: &Path, request: Request) -> Result<Findings, SandboxError> {
    let mut survey = run_dir::survey(temp_folder);
    if survey.is_unsettled && request == Request::Reap {
        std::thread::sleep(run_dir::SETTLED);
        // What the first look has locked, the second cannot lock: both together are everything.
        let second = run_dir::survey(temp_folder);
        survey.abandoned.extend(second.abandoned);
        survey.starting = second.starting;
    }
    // A sweep asks nothing of containers that others are starting: they stay.
    let list = || match request {
        Request::Sweep => docker.sandboxes_but(&survey.starting),
        Request::Reap => docker.sandboxes(),
    };
    let mut sandboxes = list()?;
    if request == Request::Reap {
        let deadline = Instant::now() + IN_FLIGHT;
        while Instant::now() < deadline && expects_container(&survey, &sandboxes) {
            docker.interrupt.check()?;
            std::thread::sleep(Duration::from_millis(100));
            sandboxes = list()?;
        }
    }
    let judge = Judge::new(docker, request, &survey);
    let containers = sandboxes.into_iter().map(|container| judge.judge(container)).collect();
    Ok(Findings { containers, folders: survey.abandoned })
}

/// Decides about the containers of one engine.
struct Judge<'a> {
    docker: &'a Docker,
    request: Request,
    here: Host,
    /// Containers that runs are starting now.
    starting: HashSet<String>,
    /// Containers that runs which are gone were starting.
    abandoned: HashSet<String>,
    /// The time on the engine's clock, which need not be this machine's.
    engine_time: OnceCell<Option<SystemTime>>,
}

impl<'a> Judge<'a> {
    fn new(docker: &'a Docker, request: Request, survey: &Survey) -> Self {
        let starting = survey.starting.iter().cloned().collect();
        let abandoned = survey.abandoned.iter().filter_map(|folder| folder.container.clone()).collect();
        Self { docker, request, here: Host::here(), starting, abandoned, engine_time: OnceCell::new() }
    }

    fn judge(&self, container: Inspection) -> Judged {
        let owner = Owner::from_labels(|name| container.label(name));
        let site = || self.docker.site();
        let verdict = match owner::judge(&owner, container.phase(), &self.here, site, process::liveness) {
            // A run whose folder can't be seen from here may be about to start it, or to read why it ended. A
            // user who asks for `reap` knows better; a sweep must not guess.
            Verdict::Orphan(Proof::NeverStarted | Proof::EndedUnowned)
                if self.request == Request::Sweep && self.is_young(&container) =>
            {
                Verdict::Keep(Reason::Starting)
            }
            Verdict::Orphan(_) if self.starting.contains(container.name()) => Verdict::Keep(Reason::Starting),
            Verdict::Keep(reason)
                if self.abandoned.contains(container.name()) && reason != Reason::BeingRemoved =>
            {
                Verdict::Orphan(Proof::StartAbandoned)
            }
            verdict => verdict,
        };
        Judged { container, verdict }
    }

    /// Whether a container was made so recently that its start may still be under way. Where the engine's time is
    /// not known, it may.
    fn is_young(&self, container: &Inspection) -> bool {
        let parse = |text: &str| humantime::parse_rfc3339_weak(text).ok();
        let now = self.engine_time.get_or_init(|| parse(&self.docker.resources().ok()?.time?));
        match (now, parse(&container.created)) {
            (Some(now), Some(created)) => now.duration_since(created).unwrap_or_default() < STARTING,
            _ => true,
        }
    }
}

/// Whether a killed run may still get a container that is not there yet.
fn expects_container(survey: &Survey, sandboxes: &[Inspection]) -> bool {
    let is_there = |name: &str| sandboxes.iter().any(|container| container.name() == name);
    survey.abandoned.iter().any(|folder| {
        folder.age < Duration::from_secs(600)
            && folder.container.as_deref().is_some_and(|name| !is_there(name))
    })
}

impl Findings {
    /// Removes the orphans and the folders, many at once, and calls `on_removed` with each orphan that is gone.
    ///
    /// # Errors
    /// [`SandboxError::Docker`] where some could not be removed.
    pub(crate) fn remove(
        self,
        docker: &Docker,
        on_removed: &mut dyn FnMut(&Judged),
    ) -> Result<(), SandboxError> {
        let is_orphan = |judged: &Judged| matches!(judged.verdict, Verdict::Orphan(_));
        let orphans: Vec<Judged> = self.containers.into_iter().filter(is_orphan).collect();
        let mut failed = None;
        for batch in orphans.chunks(BATCH) {
            let ids: Vec<String> = batch.iter().map(|judged| judged.container.id.clone()).collect();
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
            batch.iter().filter(|judged| !left.contains(&judged.container.id)).for_each(&mut *on_removed);
        }
        if let Some((count, failure)) = failed {
            // The folders still name what could not be removed: they stay for the next time.
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
        Ok(())
    }
}

/// Gives the engine time to finish what a killed client had asked it for.
pub(crate) fn await_container(docker: &Docker, name: &str) {
    let deadline = Instant::now() + IN_FLIGHT;
    while Instant::now() < deadline && docker.interrupt.reached(Signals::Third).is_none() {
        match docker.exists(name) {
            Ok(false) => std::thread::sleep(Duration::from_millis(50)),
            Ok(true) | Err(_) => return,
        }
    }
}

/// A removal of orphans beside other work: what it can't do, the next one will.
pub(crate) struct Sweep {
    done: Receiver<()>,
}

impl Sweep {
    /// Begins to remove orphans, on a thread of its own.
    pub(crate) fn begin(docker: &Docker, temp_folder: &Path) -> Self {
        let (docker, temp_folder) = (docker.low_priority(), temp_folder.to_owned());
        let (sender, done) = channel();
        std::thread::spawn(move || {
            std::thread::sleep(HEAD_START);
            let swept = find(&docker, &temp_folder, Request::Sweep)
                .and_then(|found| found.remove(&docker, &mut |_| {}));
            if let Err(error) = swept {
                docker.note(&format!("sweep: {error}"));
            }
            let _ = sender.send(());
        });
        Self { done }
    }

    /// Waits for its end, for a process that is about to end itself.
    pub(crate) fn finish(self, limit: Duration) {
        let _ = self.done.recv_timeout(limit);
    }
}
