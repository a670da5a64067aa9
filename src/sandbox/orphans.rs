//! What killed runs left behind, found and removed: orphaned containers and run folders; who is an orphan is `owner`'s to decide.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant, SystemTime};

use crate::engine::docker::Docker;
use crate::engine::docker::inspection::Inspection;
use crate::engine::{EngineSite, Phase};
use crate::error::SandboxError;
use crate::host::interrupt::Signals;
use crate::host::process::{self, Host};
use crate::host::run_dir::{self, Abandoned, Survey};
use crate::sandbox::owner::{self, Owner, Proof, Reason, Verdict};
use crate::settings::variables::Variables;

/// How long an engine may take to finish making a container whose client was killed.
pub(crate) const IN_FLIGHT: Duration = Duration::from_secs(2);

/// How long after its making a container that nobody owns may still be somebody's start.
const STARTING: Duration = Duration::from_secs(120);

/// What the names of containers start with that never run and bear no label: an image is made of them.
pub(crate) const IDLE_PREFIX: &str = "rlmesh-sandbox-idle-";

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

/// Everything that was looked at. Until [`Findings::remove`], nothing has changed.
#[derive(Debug)]
pub(crate) struct Findings {
    pub(crate) containers: Vec<Judged>,
    /// Run folders whose run is gone.
    pub(crate) folders: Vec<Abandoned>,
}

/// How much patience looking may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Care {
    /// See what can be seen now; the next one sees the rest.
    Quick,
    /// Wait for what a killed run may still have on the way, so that nothing is left afterwards.
    Thorough,
}

/// Looks at every sandbox of the engine and every run folder of this user.
///
/// # Errors
/// [`SandboxError::Docker`].
pub(crate) fn look(docker: &Docker, variables: &Variables, care: Care) -> Result<Findings, SandboxError> {
    let parent = variables.temp_dir();
    let mut survey = run_dir::survey(&parent);
    if survey.is_unsettled && care == Care::Thorough {
        std::thread::sleep(run_dir::SETTLED);
        // What the first look locked, the second can't: both together are the whole.
        let second = run_dir::survey(&parent);
        survey.abandoned.extend(second.abandoned);
        survey.starting = second.starting;
    }
    let seen = || {
        // Beside a start, nothing is asked of containers that others are starting too: they stay.
        let mut seen = match care {
            Care::Quick => docker.sandboxes_but(&survey.starting)?,
            Care::Thorough => docker.sandboxes()?,
        };
        seen.extend(idle(docker, &survey)?);
        Ok::<_, SandboxError>(seen)
    };
    let mut sandboxes = seen()?;
    if care == Care::Thorough {
        let deadline = Instant::now() + IN_FLIGHT;
        while Instant::now() < deadline && is_expecting(&survey, &sandboxes) {
            docker.interrupt.check()?;
            std::thread::sleep(Duration::from_millis(100));
            sandboxes = seen()?;
        }
    }
    let here = Host::here();
    let site = OnceCell::new();
    let starting: HashSet<&str> = survey.starting.iter().map(String::as_str).collect();
    let abandoned: HashSet<&str> =
        survey.abandoned.iter().filter_map(|folder| folder.container.as_deref()).collect();
    let containers = sandboxes
        .into_iter()
        .map(|container| {
            let owner = Owner::from_labels(|name| container.label(name));
            // Only an owner who names no machine makes it matter where the engine is.
            let site = if owner.pid.is_some() && owner.host.host.is_none() {
                *site.get_or_init(|| docker.site())
            } else {
                EngineSite::Elsewhere
            };
            let verdict = owner::judge(&owner, container.phase(), &here, site, process::liveness);
            let verdict = match verdict {
                // Nobody but a run that is gone knew its name.
                Verdict::Orphan(_) if !container.is_sandbox() => Verdict::Orphan(Proof::StartAbandoned),
                // Somebody whose run folder can't be seen from here may be about to start it, or to read why
                // it ended. Who asks for `reap` knows better; a sweep that nobody asked for must not guess.
                Verdict::Orphan(Proof::NeverStarted | Proof::EndedUnowned)
                    if care == Care::Quick && is_young(&container) =>
                {
                    Verdict::Keep(Reason::Starting)
                }
                Verdict::Orphan(_) if starting.contains(container.name()) => Verdict::Keep(Reason::Starting),
                Verdict::Keep(reason)
                    if abandoned.contains(container.name()) && reason != Reason::BeingRemoved =>
                {
                    Verdict::Orphan(Proof::StartAbandoned)
                }
                verdict => verdict,
            };
            Judged { container, verdict }
        })
        .collect();
    Ok(Findings { containers, folders: survey.abandoned })
}

/// The containers without a label that runs which are gone were making images of. Another user's may have such
/// a name too, and a started one is never ours.
fn idle(docker: &Docker, survey: &Survey) -> Result<Vec<Inspection>, SandboxError> {
    let named = survey.abandoned.iter().filter_map(|folder| folder.container.clone());
    let named: Vec<String> = named.filter(|name| name.starts_with(IDLE_PREFIX)).collect();
    let mut found = docker.inspect(&named)?;
    found.retain(|container| !container.is_sandbox() && container.phase() == Phase::Created);
    Ok(found)
}

/// Whether a container was made so lately that its start may still be under way.
fn is_young(container: &Inspection) -> bool {
    let created = humantime::parse_rfc3339_weak(&container.created);
    created.is_ok_and(|created| SystemTime::now().duration_since(created).unwrap_or_default() < STARTING)
}

/// Whether a killed run may still get a container that is not there yet.
fn is_expecting(survey: &Survey, sandboxes: &[Inspection]) -> bool {
    let is_there = |name: &str| sandboxes.iter().any(|container| container.name() == name);
    survey.abandoned.iter().any(|folder| {
        folder.age < Duration::from_secs(600)
            && folder.container.as_deref().is_some_and(|name| !is_there(name))
    })
}

impl Findings {
    /// Removes the orphans and the folders, many at once.
    ///
    /// # Errors
    /// [`SandboxError::Docker`] where some could not be removed; `removed` has been told the others.
    pub(crate) fn remove(
        self,
        docker: &Docker,
        removed: &mut dyn FnMut(&Judged),
    ) -> Result<(), SandboxError> {
        let orphans: Vec<Judged> = self
            .containers
            .into_iter()
            .filter(|judged| matches!(judged.verdict, Verdict::Orphan(_)))
            .collect();
        let mut failed = None;
        for batch in orphans.chunks(BATCH) {
            let ids: Vec<String> = batch.iter().map(|judged| judged.container.id.clone()).collect();
            match docker.remove_containers(&ids) {
                Ok(()) => batch.iter().for_each(&mut *removed),
                Err(failure) => {
                    let left: HashSet<String> =
                        docker.inspect(&ids)?.into_iter().map(|container| container.id).collect();
                    batch
                        .iter()
                        .filter(|judged| !left.contains(&judged.container.id))
                        .for_each(&mut *removed);
                    if !left.is_empty() {
                        failed = Some((left.len(), failure));
                    }
                }
            }
        }
        if let Some((count, failure)) = failed {
            // The folders still name what could not be removed: they stay for the next time.
            return Err(failure.into_error(
                &format!("{count} orphaned containers could not be removed"),
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
    let patience = Instant::now() + IN_FLIGHT;
    while Instant::now() < patience && docker.interrupt.reached(Signals::Third).is_none() {
        match docker.exists(name) {
            Ok(false) => std::thread::sleep(Duration::from_millis(50)),
            Ok(true) | Err(_) => return,
        }
    }
}

/// A sweep beside other work: what it can't do, the next one will.
pub(crate) struct Sweep {
    done: Receiver<()>,
}

impl Sweep {
    /// Begins to remove orphans, on a thread of its own.
    pub(crate) fn begin(docker: &Docker, variables: &Variables) -> Self {
        let (docker, variables) = (docker.low_priority(), variables.clone());
        let (tell, done) = channel();
        std::thread::spawn(move || {
            std::thread::sleep(HEAD_START);
            let swept =
                look(&docker, &variables, Care::Quick).and_then(|found| found.remove(&docker, &mut |_| {}));
            if let Err(error) = swept {
                docker.note(&format!("sweep: {error}"));
            }
            let _ = tell.send(());
        });
        Self { done }
    }

    /// Gives it a moment to end, for a process that is about to.
    pub(crate) fn finish(self, patience: Duration) {
        let _ = self.done.recv_timeout(patience);
    }
}
