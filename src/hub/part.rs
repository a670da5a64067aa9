//! The part of a file that has been fetched so far.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use crate::error::{Problem, SandboxError};
use crate::host::file_lock::FileLock;
use crate::hub::digest::{Content, Hasher, hash_file};

/// A content that is being fetched. This value holds the lock of its file.
pub(crate) struct Part {
    pub(crate) content: Content,
    pub(crate) lock: FileLock,
    pub(crate) path: PartPath,
    hasher: Hasher,
    done: u64,
}

/// The path of a part.
pub(crate) enum PartPath {
    /// A later run can continue this part.
    Lasting(PathBuf),
    /// Removed when this value is dropped.
    Temporary(TempPath),
}

impl Part {
    /// Continues after the bytes in the file.
    ///
    /// # Errors
    /// [`SandboxError::System`] if the file cannot be read.
    pub(crate) fn resume(content: Content, lock: FileLock, path: PartPath) -> Result<Self, SandboxError> {
        let mut part = Self { content, lock, path, hasher: Hasher::of(content), done: 0 };
        let done = hash_file(&mut part.lock.file(), &mut part.hasher);
        part.done = done.map_err(|error| cannot_keep(part.path(), &error))?;
        if part.done > content.size {
            part.restart()?;
        }
        Ok(part)
    }

    /// How many bytes have been fetched.
    pub(crate) fn done(&self) -> u64 {
        self.done
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// [`SandboxError::System`], for example if the disk is full.
    pub(crate) fn add(&mut self, bytes: &[u8]) -> Result<(), SandboxError> {
        self.lock.file().write_all(bytes).map_err(|error| cannot_keep(self.path(), &error))?;
        self.hasher.update(bytes);
        self.done += bytes.len() as u64;
        Ok(())
    }

    /// Removes all bytes.
    ///
    /// # Errors
    /// [`SandboxError::System`].
    pub(crate) fn restart(&mut self) -> Result<(), SandboxError> {
        self.lock.file().set_len(0).map_err(|error| cannot_keep(self.path(), &error))?;
        self.hasher = Hasher::of(self.content);
        self.done = 0;
        Ok(())
    }

    /// Whether the part is complete and its digest is right.
    pub(crate) fn is_whole(&self) -> bool {
        self.done == self.content.size && self.hasher.clone().finish() == self.content.digest
    }

    pub(crate) fn path(&self) -> &Path {
        match &self.path {
            PartPath::Lasting(path) => path,
            PartPath::Temporary(path) => path,
        }
    }
}

/// The error of a file or folder of the cache that cannot be written.
pub(crate) fn cannot_keep(path: &Path, error: &io::Error) -> SandboxError {
    SandboxError::System(Problem::new(
        format!("cannot write {}: {error}", path.display()),
        "free some space there, or set XDG_CACHE_HOME to another folder",
    ))
}
