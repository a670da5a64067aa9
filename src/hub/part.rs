//! A file that is being fetched: its bytes so far, and whether they are the whole.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use crate::error::SandboxError;
use crate::host::file_lock::FileLock;
use crate::hub::cache::cannot_keep;
use crate::hub::digest::{Content, Hasher, hash_file};

/// A content that is being fetched. This value holds its file's lock.
pub(crate) struct Part {
    pub(crate) content: Content,
    pub(crate) lock: FileLock,
    pub(crate) path: PartPath,
    hasher: Hasher,
    done: u64,
}

/// Where a part is.
pub(crate) enum PartPath {
    /// Where a later run finds what this one has fetched.
    Lasting(PathBuf),
    /// Removed with this value.
    Temporary(TempPath),
}

impl Part {
    /// Goes on after the bytes that the file has.
    ///
    /// # Errors
    /// [`SandboxError::System`] where they cannot be read.
    pub(crate) fn resume(content: Content, lock: FileLock, path: PartPath) -> Result<Self, SandboxError> {
        let mut part = Self { content, lock, path, hasher: Hasher::of(content), done: 0 };
        let done = hash_file(&mut part.lock.file(), &mut part.hasher);
        part.done = done.map_err(|error| cannot_keep(part.path(), &error))?;
        if part.done > content.size {
            part.restart()?;
        }
        Ok(part)
    }

    /// How many bytes are there.
    pub(crate) fn done(&self) -> u64 {
        self.done
    }

    /// # Errors
    /// [`SandboxError::System`]: a full disk, above all.
    pub(crate) fn add(&mut self, bytes: &[u8]) -> Result<(), SandboxError> {
        self.lock.file().write_all(bytes).map_err(|error| cannot_keep(self.path(), &error))?;
        self.hasher.update(bytes);
        self.done += bytes.len() as u64;
        Ok(())
    }

    /// Removes all bytes that are there.
    ///
    /// # Errors
    /// [`SandboxError::System`].
    pub(crate) fn restart(&mut self) -> Result<(), SandboxError> {
        self.lock.file().set_len(0).map_err(|error| cannot_keep(self.path(), &error))?;
        self.hasher = Hasher::of(self.content);
        self.done = 0;
        Ok(())
    }

    /// Whether the bytes that are there are the content.
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
