//! Lock files that show whether something is in use, and when it was last used.
//!
//! A user of a thing holds its lock shared; a process that changes or removes the thing holds the lock
//! exclusively. The kernel releases a lock when its process ends. A lock file's modification time is that of
//! the last use.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use crate::error::{Problem, SandboxError};
use crate::host::interrupt::Interrupt;

const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// How long a user of a thing waits for a process that changes or removes it.
const LONGEST_CHANGE: Duration = Duration::from_secs(600);

/// A lock that is held as long as this value lives.
#[derive(Debug)]
pub(crate) struct FileLock {
    file: File,
    path: PathBuf,
}

impl FileLock {
    /// Marks the thing as used from now on, once no process changes it.
    ///
    /// # Errors
    /// Interrupted; [`SandboxError::System`] if the file cannot be created or locked, or is locked for minutes.
    pub(crate) fn shared(path: &Path, interrupt: &Interrupt) -> Result<Self, SandboxError> {
        let Some(lock) = Self::acquire(path, File::try_lock_shared, LONGEST_CHANGE, interrupt)? else {
            return Err(SandboxError::System(Problem::new(
                format!("another process has locked {} for minutes", path.display()),
                "run it again once that process has ended",
            )));
        };
        // The time of use; on a file that is ours it cannot fail in a way that matters.
        let _ = lock.file.set_modified(SystemTime::now());
        Ok(lock)
    }

    /// Waits until no other process uses the thing, and locks it; `None` if that takes longer than `patience`.
    ///
    /// # Errors
    /// As [`Self::shared`].
    pub(crate) fn exclusive(
        path: &Path,
        patience: Duration,
        interrupt: &Interrupt,
    ) -> Result<Option<Self>, SandboxError> {
        Self::acquire(path, File::try_lock, patience, interrupt)
    }

    fn acquire(
        path: &Path,
        try_lock: fn(&File) -> Result<(), TryLockError>,
        patience: Duration,
        interrupt: &Interrupt,
    ) -> Result<Option<Self>, SandboxError> {
        let began = Instant::now();
        loop {
            let file = open(path).map_err(|error| cannot_lock(path, &error))?;
            match try_lock(&file) {
                // The holder before may have removed the file in the meantime: then no other process will ever
                // see this one.
                Ok(()) if is_still_at(&file, path) => return Ok(Some(Self { file, path: path.to_owned() })),
                Ok(()) | Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(cannot_lock(path, &error)),
            }
            interrupt.check()?;
            if began.elapsed() >= patience {
                return Ok(None);
            }
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    /// The locked file, open for reading and appending.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Removes the file of a lock that is held exclusively, once there is nothing left to use.
    pub(crate) fn remove(self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// When the thing was last used; `None` if that is not known.
pub(crate) fn last_use(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}

/// Whether a process uses or changes the thing now. It creates no file.
///
/// # Errors
/// [`SandboxError::System`].
pub(crate) fn is_in_use(path: &Path) -> Result<bool, SandboxError> {
    let locked = match File::open(path) {
        Ok(file) => file.try_lock(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => Err(TryLockError::Error(error)),
    };
    match locked {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(cannot_lock(path, &error)),
    }
}

fn open(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    OpenOptions::new().read(true).create(true).append(true).open(path)
}

fn cannot_lock(path: &Path, error: &io::Error) -> SandboxError {
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
    fn users_share_a_lock_and_a_change_needs_it_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (path, interrupt) = (folder.path().join("deep/x.lock"), Interrupt::default());
        let shared = || FileLock::shared(&path, &interrupt).unwrap();
        let exclusive = |patience| FileLock::exclusive(&path, patience, &interrupt).unwrap();
        let (first, second) = (shared(), shared());
        assert!(exclusive(Duration::ZERO).is_none());
        assert!(is_in_use(&path).unwrap());
        drop(first);
        assert!(exclusive(Duration::from_millis(60)).is_none());
        drop(second);
        let held = exclusive(Duration::ZERO).unwrap();
        assert!(exclusive(Duration::ZERO).is_none() && is_in_use(&path).unwrap());
        held.remove();
        assert!(!path.exists() && !is_in_use(&path).unwrap() && !path.exists());
        drop(shared());
        assert!(last_use(&path).is_some());
    }

    #[test]
    fn the_lock_of_a_removed_file_is_not_taken_for_the_things() {
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
    fn an_interrupt_ends_the_wait() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let _held = FileLock::exclusive(&path, Duration::ZERO, &Interrupt::default()).unwrap();
        let interrupt = Interrupt::default();
        interrupt.raise(crate::error::Signal::Interrupt);
        let waited = FileLock::shared(&path, &interrupt);
        assert!(matches!(waited, Err(SandboxError::Interrupted(_))));
    }
}
