//! Run directories: the temporary folder of each run, which also shows other processes whether the run is
//! gone.
//!
//! A killed process cannot clean up. So each run holds a lock in its run directory, which the kernel releases
//! with the process, and writes the name of the container that it is about to start there. If nothing holds
//! the lock, the run is gone, and the run directory and its container can be removed.

use std::collections::HashSet;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use crate::error::{self, Problem, SandboxError};

/// The start of the names of run directories.
const PREFIX: &str = "rlmesh-sandbox-run-";
const LOCK: &str = "lock";
const CONTAINER: &str = "container";

/// A run directory. Other users cannot read it. It is removed when this value is dropped.
#[derive(Debug)]
pub(crate) struct RunDir {
    path: PathBuf,
    _lock: File,
    is_kept: AtomicBool,
}

impl Drop for RunDir {
    /// Removes the lock last, so that a run directory whose removal is interrupted still counts as abandoned.
    fn drop(&mut self) {
        if self.is_kept() {
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
    /// Creates a run directory in `parent`.
    ///
    /// # Errors
    /// [`SandboxError::System`].
    pub(crate) fn create(parent: &Path) -> Result<Self, SandboxError> {
        Self::try_create(parent).map_err(|error| {
            SandboxError::System(Problem::new(
                format!("cannot create a run directory in {}: {error}", parent.display()),
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
            // Another process may have removed it before it was locked.
            if lock.try_lock().is_ok() && path.join(LOCK).exists() {
                return Ok(Self { path, _lock: lock, is_kept: AtomicBool::new(false) });
            }
        }
        Err(io::Error::other("another process removes it as soon as it is created"))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Records that a container of this name is about to be started, and on which engine, if that is known.
    ///
    /// # Errors
    /// [`SandboxError::System`].
    pub(crate) fn set_container(&self, container: &str, engine: Option<&str>) -> Result<(), SandboxError> {
        let file = self.path.join(CONTAINER);
        fs::write(&file, format!("{container}\n{}", engine.unwrap_or_default()))
            .map_err(|error| cannot_write(&file, &error))
    }

    /// Removes the record: the container may outlive the run, or is gone.
    ///
    /// # Errors
    /// [`SandboxError::System`].
    pub(crate) fn clear_container(&self) -> Result<(), SandboxError> {
        let file = self.path.join(CONTAINER);
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(cannot_write(&file, &error)),
            _ => Ok(()),
        }
    }

    /// Keeps the run directory for `reap` when this value is dropped.
    pub(crate) fn keep(&self) {
        self.is_kept.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_kept(&self) -> bool {
        self.is_kept.load(Ordering::SeqCst)
    }
}

/// The error for a file of a run directory that could not be written.
pub(crate) fn cannot_write(file: &Path, error: &io::Error) -> SandboxError {
    error::cannot_write(file, error, "free some space there, or set TMPDIR to another folder")
}

/// Writes a new file that only this user can read.
///
/// # Errors
/// [`SandboxError::System`].
pub(crate) fn write_private(file: &Path, text: &str) -> Result<(), SandboxError> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .and_then(|mut opened| opened.write_all(text.as_bytes()))
        .map_err(|error| cannot_write(file, &error))
}

/// The state of the run directories in a folder.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// Run directories whose run is gone.
    pub(crate) abandoned: Vec<Abandoned>,
    /// Containers that runs are starting now.
    pub(crate) starting: Vec<String>,
    /// Run directories of other engines, and those engines. Only a `reap` there can remove their containers.
    pub(crate) elsewhere: Vec<(PathBuf, String)>,
    /// Whether a run directory is too young to decide. Look again after the `lock_wait` of [`survey`].
    pub(crate) is_unsettled: bool,
    seen: HashSet<PathBuf>,
}

/// A run directory whose run is gone. This value holds its lock, so that only one process removes it.
#[derive(Debug)]
pub(crate) struct Abandoned {
    pub(crate) path: PathBuf,
    /// The container that the run may have started.
    pub(crate) container: Option<String>,
    /// How long ago the run recorded its container.
    pub(crate) age: Duration,
    _lock: Option<File>,
}

impl Abandoned {
    /// The name of the folder, which no other run has.
    pub(crate) fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Removes the run directory.
    ///
    /// # Errors
    /// [`SandboxError::System`]. A run directory that no longer exists is not an error.
    pub(crate) fn remove(self) -> Result<(), SandboxError> {
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(SandboxError::System(Problem::new(
                format!("cannot remove the run directory {}: {error}", self.path.display()),
                "check the permissions of the run directory",
            ))),
            _ => Ok(()),
        }
    }
}

/// Checks every run directory of this user in `parent`. Those of other engines than `engine` are left out, as far as
/// that is known.
///
/// One without a lock that is younger than `lock_wait` may be about to get it.
pub(crate) fn survey(parent: &Path, engine: Option<&str>, lock_wait: Duration) -> Survey {
    let mut survey = Survey::default();
    let Ok(entries) = fs::read_dir(parent) else { return survey };
    for entry in entries.flatten() {
        survey.add(&entry.path(), engine, lock_wait);
    }
    survey
}

impl Survey {
    /// Checks one run directory, unless it was checked before. A path that is not a run directory of this user is
    /// left out.
    pub(crate) fn add(&mut self, path: &Path, engine: Option<&str>, lock_wait: Duration) {
        let has_name = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX));
        // In a shared folder, another user can create a link or folder with such a name.
        let is_folder = || fs::symlink_metadata(path).is_ok_and(|found| found.is_dir());
        let Ok(known_as) = path.parent().unwrap_or(path).canonicalize() else { return };
        let known_as = known_as.join(path.file_name().unwrap_or_default());
        if !has_name || !is_folder() || !is_ours(path) || !self.seen.insert(known_as) {
            return;
        }
        let record = fs::read_to_string(path.join(CONTAINER)).unwrap_or_default();
        let (name, of_engine) = record.split_once('\n').unwrap_or((&record, ""));
        if !of_engine.is_empty() && engine.is_some_and(|engine| engine != of_engine) {
            self.elsewhere.push((path.to_owned(), of_engine.to_owned()));
            return;
        }
        let path = path.to_owned();
        let container = Some(name.to_owned()).filter(|name| !name.is_empty());
        let age = age(&path.join(CONTAINER)).or_else(|| age(&path)).unwrap_or_default();
        match File::open(path.join(LOCK)).map(|lock| (lock.try_lock(), lock)) {
            Ok((Ok(()), lock)) => {
                self.abandoned.push(Abandoned { path, container, age, _lock: Some(lock) });
            }
            Ok((Err(TryLockError::WouldBlock), _)) => self.starting.extend(container),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if age >= lock_wait {
                    self.abandoned.push(Abandoned { path, container, age, _lock: None });
                } else {
                    self.is_unsettled = true;
                }
            }
            Ok((Err(TryLockError::Error(_)), _)) | Err(_) => {}
        }
    }
}

/// Whether this user owns the folder. Even root must not remove another user's folder.
pub(super) fn is_ours(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.uid() == rustix::process::geteuid().as_raw())
}

/// The time since the last change of a file or folder.
pub(super) fn age(path: &Path) -> Option<Duration> {
    let modified = fs::symlink_metadata(path).ok()?.modified().ok()?;
    Some(SystemTime::now().duration_since(modified).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK_WAIT: Duration = Duration::from_secs(1);

    fn survey(parent: &Path) -> Survey {
        super::survey(parent, Some("here"), LOCK_WAIT)
    }

    #[test]
    fn a_live_run_is_seen_starting_and_a_gone_one_abandoned() {
        let parent = tempfile::tempdir().unwrap();
        let run = RunDir::create(parent.path()).unwrap();
        run.set_container("box", Some("here")).unwrap();
        let seen = survey(parent.path());
        assert_eq!((seen.starting, seen.abandoned.len()), (vec!["box".to_owned()], 0));
        run.clear_container().unwrap();
        run.clear_container().unwrap();
        assert_eq!(survey(parent.path()).starting, Vec::<String>::new());

        run.set_container("box", Some("here")).unwrap();
        let path = run.path().to_owned();
        // As if the process had been killed.
        run.keep();
        drop(run);
        let mut seen = survey(parent.path());
        let abandoned = seen.abandoned.pop().unwrap();
        assert_eq!(abandoned.container.as_deref(), Some("box"));
        assert!(survey(parent.path()).abandoned.is_empty(), "one process removes it");
        abandoned.remove().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn a_run_directory_of_another_engine_stays() {
        let parent = tempfile::tempdir().unwrap();
        for engine in [Some("there"), None] {
            let run = RunDir::create(parent.path()).unwrap();
            run.set_container("box", engine).unwrap();
            run.keep();
        }
        let seen = survey(parent.path());
        let engines: Vec<&str> = seen.elsewhere.iter().map(|(_, engine)| engine.as_str()).collect();
        assert_eq!((engines, seen.abandoned.len()), (vec!["there"], 1));
        drop(seen);
        assert_eq!(super::survey(parent.path(), None, LOCK_WAIT).abandoned.len(), 2, "not known here");
    }

    #[test]
    fn a_run_directory_is_checked_once() {
        let parent = tempfile::tempdir().unwrap();
        let run = RunDir::create(parent.path()).unwrap();
        run.set_container("box", None).unwrap();
        run.keep();
        let path = run.path().to_owned();
        drop(run);
        let mut seen = Survey::default();
        for path in [&path, &path, &parent.path().join("."), &parent.path().join("nothing")] {
            seen.add(path, None, LOCK_WAIT);
        }
        assert_eq!((seen.abandoned.len(), seen.starting.len(), seen.is_unsettled), (1, 0, false));
    }

    #[test]
    fn nothing_is_kept_of_a_run_that_ends() {
        let parent = tempfile::tempdir().unwrap();
        drop(RunDir::create(parent.path()).unwrap());
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_may_be_about_to_get_its_lock_is_kept_alone() {
        let parent = tempfile::tempdir().unwrap();
        let young = parent.path().join(format!("{PREFIX}young"));
        fs::create_dir(&young).unwrap();
        let seen = survey(parent.path());
        assert!(seen.abandoned.is_empty() && seen.is_unsettled);
        let old = SystemTime::now() - 2 * LOCK_WAIT;
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
