//! Lock files that say whether something of this user's is in use, and when it last was; they know nothing of what they stand for.
//!
//! Whoever uses a thing shares its lock, whoever changes or removes it holds the lock alone. The kernel drops
//! a lock with its process, and the file's time is that of the last use.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use crate::error::{Problem, SandboxError};
use crate::host::interrupt::Interrupt;

/// How often a wait looks again.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A lock that is held as long as this value lives.
#[derive(Debug)]
pub(crate) struct FileLock {
    file: File,
    path: PathBuf,
}

/// Who else may hold a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Company {
    Users,
    Nobody,
}

impl FileLock {
    /// Says that the thing is used, and waits while somebody changes it.
    ///
    /// # Errors
    /// Interrupted; [`SandboxError::System`] where the file can't be made or locked.
    pub(crate) fn share(path: &Path, interrupt: &Interrupt) -> Result<Self, SandboxError> {
        loop {
            if let Some(lock) = Self::attempt(path, Company::Users)? {
                // The time of use; on a file that is ours it cannot fail in a way that matters.
                let _ = lock.file.set_modified(SystemTime::now());
                return Ok(lock);
            }
            interrupt.check()?;
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    /// Keeps everybody else off, or returns `None` where somebody uses the thing for longer than `patience`.
    ///
    /// # Errors
    /// As [`Self::share`].
    pub(crate) fn alone(
        path: &Path,
        patience: Duration,
        interrupt: &Interrupt,
    ) -> Result<Option<Self>, SandboxError> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(lock) = Self::attempt(path, Company::Nobody)? {
                return Ok(Some(lock));
            }
            interrupt.check()?;
            if Instant::now() >= deadline {
                return Ok(None);
            }
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    fn attempt(path: &Path, company: Company) -> Result<Option<Self>, SandboxError> {
        let failed = |error: &io::Error| unlockable(path, error);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| failed(&error))?;
        }
        let opened = OpenOptions::new().read(true).create(true).append(true).open(path);
        let file = opened.map_err(|error| failed(&error))?;
        let locked = match company {
            Company::Users => file.try_lock_shared(),
            Company::Nobody => file.try_lock(),
        };
        match locked {
            // Between the two calls whoever held it may have removed it: then the lock is that of a file
            // which nobody else will ever see.
            Ok(()) => Ok(is_still_at(&file, path).then(|| Self { file, path: path.to_owned() })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(failed(&error)),
        }
    }

    /// The locked file, open for reading and appending.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Removes the file of a lock that is held alone: there is nothing left to use.
    pub(crate) fn remove(self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// When the thing was last used; `None` where no use of it is known.
pub(crate) fn last_use(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}

/// Whether somebody uses the thing, or changes it, just now. Nothing is made for the question.
///
/// # Errors
/// [`SandboxError::System`].
pub(crate) fn is_in_use(path: &Path) -> Result<bool, SandboxError> {
    let asked = match File::open(path) {
        Ok(file) => file.try_lock(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => Err(TryLockError::Error(error)),
    };
    match asked {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(unlockable(path, &error)),
    }
}

fn unlockable(path: &Path, error: &io::Error) -> SandboxError {
    SandboxError::System(Problem::new(
        format!("{} cannot be locked: {error}", path.display()),
        "set XDG_CACHE_HOME to a folder of yours that can be written",
    ))
}

fn is_still_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_share_and_whoever_changes_it_is_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (path, interrupt) = (folder.path().join("deep/x.lock"), Interrupt::default());
        let alone = |patience| FileLock::alone(&path, patience, &interrupt).unwrap();
        let first = FileLock::share(&path, &interrupt).unwrap();
        let second = FileLock::share(&path, &interrupt).unwrap();
        assert!(alone(Duration::ZERO).is_none());
        assert!(is_in_use(&path).unwrap());
        drop(first);
        assert!(alone(Duration::from_millis(60)).is_none());
        drop(second);
        let held = alone(Duration::ZERO).unwrap();
        assert!(FileLock::attempt(&path, Company::Users).unwrap().is_none());
        held.remove();
        assert!(!path.exists() && !is_in_use(&path).unwrap() && !path.exists());
        drop(FileLock::share(&path, &interrupt).unwrap());
        assert!(last_use(&path).is_some());
    }

    #[test]
    fn a_lock_on_a_file_that_was_removed_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let file = File::create(&path).unwrap();
        assert!(is_still_at(&file, &path));
        fs::remove_file(&path).unwrap();
        assert!(!is_still_at(&file, &path));
        File::create(&path).unwrap();
        assert!(!is_still_at(&file, &path));
    }

    #[test]
    fn a_wait_gives_way_to_an_interrupt() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let _held = FileLock::alone(&path, Duration::ZERO, &Interrupt::default()).unwrap();
        let interrupt = Interrupt::default();
        interrupt.raise(crate::error::Signal::Interrupt);
        assert!(matches!(FileLock::share(&path, &interrupt), Err(SandboxError::Interrupted(_))));
    }
}
