//! The temporary folder of one run, and how other processes see that its run is gone.
//!
//! A killed process cleans up nothing, so each run leaves word beforehand: a folder that it holds a lock on
//! (the kernel drops it with the process) and that names the container which is about to start. A folder without
//! a lock has no run any more; it and the container that it names can go.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use crate::error::{self, Problem, SandboxError};

/// What the folders' names start with.
const PREFIX: &str = "rlmesh-sandbox-run-";
const LOCK: &str = "lock";
const CONTAINER: &str = "container";

/// How old a folder without a lock file must be: a younger one may be about to get it.
pub(crate) const SETTLED: Duration = Duration::from_secs(1);

/// A folder that other users cannot read, and that goes with this value.
#[derive(Debug)]
pub(crate) struct RunDir {
    path: PathBuf,
    _lock: File,
    is_left: AtomicBool,
}

impl Drop for RunDir {
    /// The lock file goes last: killed halfway, the folder must still be seen to be abandoned.
    fn drop(&mut self) {
        if self.is_left() {
            return;
        }
        for entry in fs::read_dir(&self.path).into_iter().flatten().flatten() {
            let path = entry.path();
            let _ = match entry.file_type() {
                _ if entry.file_name() == LOCK => Ok(()),
                Ok(kind) if kind.is_dir() => fs::remove_dir_all(path),
                _ => fs::remove_file(path),
            };
        }
        let _ = fs::remove_dir_all(&self.path);
    }
}

impl RunDir {
    /// A new folder in `parent`.
    ///
    /// # Errors
    /// [`SandboxError::System`].
    pub(crate) fn create(parent: &Path) -> Result<Self, SandboxError> {
        Self::try_create(parent).map_err(|error| {
            SandboxError::System(Problem::new(
                format!("cannot make a temporary folder in {}: {error}", parent.display()),
                "free some space there, or set TMPDIR to a writable folder",
            ))
        })
    }

    fn try_create(parent: &Path) -> io::Result<Self> {
        use std::os::unix::fs::PermissionsExt as _;
        for _ in 0..16 {
            // Otherwise it would be as open as the umask leaves it.
            let only_this_user = fs::Permissions::from_mode(0o700);
            let path = tempfile::Builder::new()
                .prefix(PREFIX)
                .permissions(only_this_user)
                .tempdir_in(parent)?
                .keep();
            let lock = File::create(path.join(LOCK))?;
            // Between the two lines, another process may have taken it for an abandoned one and removed it.
            if lock.try_lock().is_ok() && path.join(LOCK).exists() {
                return Ok(Self { path, _lock: lock, is_left: AtomicBool::new(false) });
            }
        }
        Err(io::Error::other("the temporary folder is removed as soon as it is made"))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves word that a container of this name is about to be started.
    ///
    /// # Errors
    /// [`SandboxError::System`].
    pub(crate) fn announce(&self, container: &str) -> Result<(), SandboxError> {
        let file = self.path.join(CONTAINER);
        fs::write(&file, container).map_err(|error| cannot_write(&file, &error))
    }

    /// Takes the word back: the container is where it should be, or gone.
    ///
    /// # Errors
    /// [`SandboxError::System`].
    pub(crate) fn settle(&self) -> Result<(), SandboxError> {
        let file = self.path.join(CONTAINER);
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(cannot_write(&file, &error)),
            _ => Ok(()),
        }
    }

    /// Leaves the folder, with its word, for `reap`.
    pub(crate) fn leave(&self) {
        self.is_left.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_left(&self) -> bool {
        self.is_left.load(Ordering::SeqCst)
    }
}

/// A file of a temporary folder that could not be written.
pub(crate) fn cannot_write(file: &Path, error: &io::Error) -> SandboxError {
    error::cannot_write(file, error, "free some space there, or set TMPDIR to another folder")
}

/// What the run folders on this machine show.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// Folders whose run is gone.
    pub(crate) abandoned: Vec<Abandoned>,
    /// Containers that runs are starting just now.
    pub(crate) starting: Vec<String>,
    /// Whether some folder is too young to judge; [`SETTLED`] later none of these is.
    pub(crate) is_unsettled: bool,
}

/// A folder whose run is gone. This value holds its lock, so that only one process removes it.
#[derive(Debug)]
pub(crate) struct Abandoned {
    pub(crate) path: PathBuf,
    /// The container that the run may have started.
    pub(crate) container: Option<String>,
    /// How long ago the run last left word.
    pub(crate) age: Duration,
    _lock: Option<File>,
}

impl Abandoned {
    /// Removes the folder.
    ///
    /// # Errors
    /// [`SandboxError::System`]; a folder that is gone already is none.
    pub(crate) fn remove(self) -> Result<(), SandboxError> {
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(SandboxError::System(Problem::new(
                format!("the temporary folder {} cannot be removed: {error}", self.path.display()),
                "check its permissions",
            ))),
            _ => Ok(()),
        }
    }
}

/// Looks at every run folder. Those that cannot be read (another user's) are passed over.
pub(crate) fn survey(parent: &Path) -> Survey {
    let mut survey = Survey::default();
    let Ok(entries) = fs::read_dir(parent) else { return survey };
    for entry in entries.flatten() {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        // Any user can make a link of that name in a shared folder: only real folders are looked into.
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) || !is_ours(&entry.path()) {
            continue;
        }
        let path = entry.path();
        let container = fs::read_to_string(path.join(CONTAINER)).ok().filter(|name| !name.is_empty());
        let age = age(&path.join(CONTAINER)).or_else(|| age(&path)).unwrap_or_default();
        match File::open(path.join(LOCK)).map(|lock| (lock.try_lock(), lock)) {
            Ok((Ok(()), lock)) => {
                survey.abandoned.push(Abandoned { path, container, age, _lock: Some(lock) });
            }
            Ok((Err(TryLockError::WouldBlock), _)) => survey.starting.extend(container),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if age >= SETTLED {
                    survey.abandoned.push(Abandoned { path, container, age, _lock: None });
                } else {
                    survey.is_unsettled = true;
                }
            }
            Ok((Err(TryLockError::Error(_)), _)) | Err(_) => {}
        }
    }
    survey
}

/// Whether this user made the folder: another user's is not ours to remove, not even as root.
fn is_ours(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.uid() == rustix::process::geteuid().as_raw())
}

fn age(path: &Path) -> Option<Duration> {
    let modified = fs::symlink_metadata(path).ok()?.modified().ok()?;
    Some(SystemTime::now().duration_since(modified).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_live_run_is_seen_starting_and_a_gone_one_abandoned() {
        let parent = tempfile::tempdir().unwrap();
        let run = RunDir::create(parent.path()).unwrap();
        run.announce("box").unwrap();
        let seen = survey(parent.path());
        assert_eq!((seen.starting, seen.abandoned.len()), (vec!["box".to_owned()], 0));
        run.settle().unwrap();
        run.settle().unwrap();
        assert_eq!(survey(parent.path()).starting, Vec::<String>::new());

        run.announce("box").unwrap();
        let path = run.path().to_owned();
        // As a kill leaves it.
        run.leave();
        drop(run);
        let mut seen = survey(parent.path());
        let abandoned = seen.abandoned.pop().unwrap();
        assert_eq!(abandoned.container.as_deref(), Some("box"));
        assert!(survey(parent.path()).abandoned.is_empty(), "one process removes it");
        abandoned.remove().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn nothing_is_left_of_a_run_that_ends() {
        let parent = tempfile::tempdir().unwrap();
        drop(RunDir::create(parent.path()).unwrap());
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_may_be_about_to_get_its_lock_is_left_alone() {
        let parent = tempfile::tempdir().unwrap();
        let young = parent.path().join(format!("{PREFIX}young"));
        fs::create_dir(&young).unwrap();
        let seen = survey(parent.path());
        assert!(seen.abandoned.is_empty() && seen.is_unsettled);
        let old = SystemTime::now() - 2 * SETTLED;
        File::open(&young).unwrap().set_modified(old).unwrap();
        assert_eq!(survey(parent.path()).abandoned.len(), 1);
    }

    #[test]
    fn links_and_other_names_are_not_looked_into() {
        let parent = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        fs::write(elsewhere.path().join(LOCK), "").unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), parent.path().join(format!("{PREFIX}link"))).unwrap();
        fs::create_dir(parent.path().join("rlmesh-other")).unwrap();
        let seen = survey(parent.path());
        assert!(seen.abandoned.is_empty() && seen.starting.is_empty());
    }
}
