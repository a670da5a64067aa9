//! Files of this machine that go into an image: which files of a folder, their digest, and copies of them.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};

use rustix::fs::OFlags;
use sha2::{Digest as _, Sha256};

use crate::error::{Change, Problem, SandboxError};
use crate::host::interrupt::Interrupt;
use crate::host::run_dir::cannot_write;
use crate::plan::ignore_rules::{GitRules, IgnoreRules};
use crate::settings::size::HumanSize;

/// The most files and links that a folder may have.
const MOST_FILES: usize = 100_000;

/// How files are read.
#[derive(Clone, Copy)]
pub(crate) struct Reading<'a> {
    /// The limit for the total size of a folder's files, in bytes.
    pub(crate) limit: u64,
    pub(crate) interrupt: &'a Interrupt,
    /// The kind of the errors.
    pub(crate) kind: fn(Problem) -> SandboxError,
}

/// The files of a folder that go into an image.
#[derive(Debug)]
pub(crate) struct FolderFiles {
    folder: PathBuf,
    /// Sorted by their paths.
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    /// The path from the folder, in UTF-8, with slashes.
    path: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    File { is_executable: bool, size: u64 },
    Link { target: PathBuf },
}

impl Reading<'_> {
    /// Lists the files of a folder, without those that [`IgnoreRules`] exclude. Empty folders do not count, as for
    /// git.
    ///
    /// # Errors
    /// Of this kind: a file that cannot be read or is neither a file nor a link, a link that leads out of the
    /// folder, a name that is not UTF-8, too many files, or files that are too large together.
    pub(crate) fn list(&self, folder: &Path) -> Result<FolderFiles, SandboxError> {
        let rules = IgnoreRules::of(folder).map_err(|failed| self.unreadable_rules(failed))?;
        let git = rules.at_the_top(folder).map_err(|failed| self.unreadable_rules(failed))?;
        let mut files = FolderFiles { folder: folder.to_owned(), entries: Vec::new() };
        self.walk(&rules, &git, folder, &mut files)?;
        files.entries.sort_by(|a, b| a.path.cmp(&b.path));
        let size = files.entries.iter().map(Entry::size).fold(0, u64::saturating_add);
        if size > self.limit {
            return Err((self.kind)(
                Problem::new(
                    format!(
                        "the files of {} have a size of {}, more than the limit of {}",
                        folder.display(),
                        HumanSize(size),
                        HumanSize(self.limit)
                    ),
                    "list files that the environment does not need in .dockerignore, or raise the limit",
                )
                .changes([Change::Add("--max-source-size", format!("{}g", (size >> 30) + 1))]),
            ));
        }
        Ok(files)
    }

    fn walk(
        &self,
        rules: &IgnoreRules,
        git: &GitRules,
        folder: &Path,
        files: &mut FolderFiles,
    ) -> Result<(), SandboxError> {
        self.interrupt.check()?;
        for entry in fs::read_dir(folder).map_err(|error| self.unreadable(folder, &error))? {
            let entry = entry.map_err(|error| self.unreadable(folder, &error))?;
            let path = entry.path();
            let metadata = entry.metadata().map_err(|error| self.unreadable(&path, &error))?;
            if metadata.is_dir() {
                let inside = rules.inside(git, &path).map_err(|failed| self.unreadable_rules(failed))?;
                if let Some(git) = inside {
                    self.walk(rules, &git, &path, files)?;
                }
                continue;
            }
            if rules.exclude_file(git, &path) {
                continue;
            }
            let relative = path.strip_prefix(&files.folder).unwrap_or(&path);
            let Some(name) = relative.to_str() else {
                return Err(self.refused(&path, "has a name that is not valid UTF-8", "rename it"));
            };
            let kind = if metadata.is_symlink() {
                let target = fs::read_link(&path).map_err(|error| self.unreadable(&path, &error))?;
                if leads_out(relative, &target) {
                    let what = format!("is a link to {}, which is not in the folder", target.display());
                    return Err(self.refused(&path, &what, "copy what it leads to into the folder"));
                }
                Kind::Link { target }
            } else if metadata.is_file() {
                let is_executable = metadata.permissions().mode() & 0o100 != 0;
                Kind::File { is_executable, size: metadata.len() }
            } else {
                return Err(self.refused(&path, "is not a file, folder or link", "remove it"));
            };
            if files.entries.len() >= MOST_FILES {
                return Err((self.kind)(Problem::new(
                    format!("{} has more than {MOST_FILES} files", files.folder.display()),
                    "list files that the environment does not need in .dockerignore",
                )));
            }
            files.entries.push(Entry { path: name.to_owned(), kind });
        }
        Ok(())
    }

    /// The digest of the files' paths, contents and executable bits, and of the links' targets, in lower-case hex.
    ///
    /// # Errors
    /// Of this kind: a file that cannot be read, or changes meanwhile.
    pub(crate) fn digest(&self, files: &FolderFiles) -> Result<String, SandboxError> {
        self.digest_and(files, None)
    }

    /// Copies the files to a new folder, where any user can read them.
    ///
    /// # Errors
    /// Of this kind: as [`Self::digest`], also if their digest is no longer `sha256`. [`SandboxError::System`]
    /// if a copy cannot be written.
    pub(crate) fn copy(&self, folder: &Path, to: &Path, sha256: &str) -> Result<(), SandboxError> {
        let files = self.list(folder)?;
        if self.digest_and(&files, Some(to))? == sha256 { Ok(()) } else { Err(self.changed(folder)) }
    }

    fn digest_and(&self, files: &FolderFiles, copies: Option<&Path>) -> Result<String, SandboxError> {
        let mut digest = Sha256::new();
        let mut made = BTreeSet::new();
        if let Some(copies) = copies {
            make_folder(copies, Path::new(""), &mut made)?;
        }
        for Entry { path, kind } in &files.entries {
            let copy = copies.map(|copies| copies.join(path));
            if let (Some(copies), Some(parent)) = (copies, Path::new(path).parent()) {
                make_folder(copies, parent, &mut made)?;
            }
            // No part can be taken for another: a path has no NUL byte, and a digest has a fixed length.
            let (kind, content) = match kind {
                Kind::Link { target } => {
                    if let Some(copy) = &copy {
                        std::os::unix::fs::symlink(target, copy)
                            .map_err(|error| cannot_write(copy, &error))?;
                    }
                    ("link", hex::encode(Sha256::digest(target.as_os_str().as_bytes())))
                }
                Kind::File { is_executable, size } => {
                    let file = files.folder.join(path);
                    let content = self.digest_file(&file, *size, copy.as_deref(), *is_executable)?;
                    (if *is_executable { "executable" } else { "file" }, content)
                }
            };
            digest.update(format!("{kind} {content} {path}\0"));
        }
        Ok(hex::encode(digest.finalize()))
    }

    /// The digest of one file, in lower-case hex.
    ///
    /// # Errors
    /// As [`Self::digest`].
    pub(crate) fn digest_of_file(&self, file: &Path) -> Result<String, SandboxError> {
        let metadata = fs::metadata(file).map_err(|error| self.unreadable(file, &error))?;
        self.digest_file(file, metadata.len(), None, false)
    }

    /// Copies one file.
    ///
    /// # Errors
    /// As [`Self::copy`].
    pub(crate) fn copy_file(&self, file: &Path, to: &Path, sha256: &str) -> Result<(), SandboxError> {
        let metadata = fs::metadata(file).map_err(|error| self.unreadable(file, &error))?;
        let digest = self.digest_file(file, metadata.len(), Some(to), false)?;
        if digest == sha256 { Ok(()) } else { Err(self.changed(file)) }
    }

    fn digest_file(
        &self,
        file: &Path,
        size: u64,
        copy: Option<&Path>,
        is_executable: bool,
    ) -> Result<String, SandboxError> {
        let unreadable = |error: io::Error| self.unreadable(file, &error);
        // The file may meanwhile be a link, or a pipe, which must not block.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let mut from = OpenOptions::new()
            .read(true)
            .custom_flags(flags.bits().cast_signed())
            .open(file)
            .map_err(unreadable)?;
        if !from.metadata().map_err(unreadable)?.is_file() {
            return Err(self.changed(file));
        }
        let mut to = copy.map(|copy| create(copy, is_executable)).transpose()?;
        let (mut digest, mut rest) = (Sha256::new(), size);
        let mut buffer = vec![0; 128 * 1024];
        loop {
            self.interrupt.check()?;
            let count = from.read(&mut buffer).map_err(unreadable)?;
            if count as u64 > rest || (count == 0 && rest > 0) {
                return Err(self.changed(file));
            }
            if count == 0 {
                return Ok(hex::encode(digest.finalize()));
            }
            rest -= count as u64;
            digest.update(&buffer[..count]);
            if let (Some(to), Some(copy)) = (&mut to, copy) {
                to.write_all(&buffer[..count]).map_err(|error| cannot_write(copy, &error))?;
            }
        }
    }

    fn unreadable_rules(&self, (file, error): (PathBuf, io::Error)) -> SandboxError {
        self.unreadable(&file, &error)
    }

    fn unreadable(&self, path: &Path, error: &io::Error) -> SandboxError {
        (self.kind)(Problem::new(
            format!("{} cannot be read: {error}", path.display()),
            "check its permissions, or list it in .dockerignore",
        ))
    }

    fn refused(&self, path: &Path, what: &str, hint: &str) -> SandboxError {
        (self.kind)(Problem::new(
            format!("{} {what}", path.display()),
            format!("{hint}, or list it in .dockerignore"),
        ))
    }

    fn changed(&self, path: &Path) -> SandboxError {
        (self.kind)(Problem::new(
            format!("{} changed while it was read", path.display()),
            "run it again once nothing writes to it",
        ))
    }
}

impl FolderFiles {
    /// Whether a file is among them, by its path from the folder.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.entries.binary_search_by(|entry| entry.path.as_str().cmp(path)).is_ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The first path that ends like this.
    pub(crate) fn ending(&self, end: &str) -> Option<&str> {
        self.entries.iter().map(|entry| entry.path.as_str()).find(|path| path.ends_with(end))
    }
}

impl Entry {
    fn size(&self) -> u64 {
        match self.kind {
            Kind::File { size, .. } => size,
            Kind::Link { .. } => 0,
        }
    }
}

/// Whether a link leads out of the folder, or would not lead to the same file in another place.
fn leads_out(link: &Path, target: &Path) -> bool {
    let mut depth = link.components().count() as isize - 1;
    for part in target.components() {
        match part {
            Component::Prefix(_) | Component::RootDir => return true,
            Component::CurDir => {}
            Component::ParentDir => depth -= 1,
            Component::Normal(_) => depth += 1,
        }
        if depth < 0 {
            return true;
        }
    }
    false
}

/// Creates a folder and those above it, unless this was done before.
fn make_folder(top: &Path, path: &Path, made: &mut BTreeSet<PathBuf>) -> Result<(), SandboxError> {
    if made.contains(path) {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        make_folder(top, parent, made)?;
    }
    let folder = top.join(path);
    fs::create_dir(&folder)
        // Independent of the umask.
        .and_then(|()| fs::set_permissions(&folder, Permissions::from_mode(0o755)))
        .map_err(|error| cannot_write(&folder, &error))?;
    made.insert(path.to_owned());
    Ok(())
}

/// Creates a file with the same permissions under any umask.
fn create(file: &Path, is_executable: bool) -> Result<File, SandboxError> {
    let mode = if is_executable { 0o755 } else { 0o644 };
    File::create_new(file)
        .and_then(|created| created.set_permissions(Permissions::from_mode(mode)).map(|()| created))
        .map_err(|error| cannot_write(file, &error))
}
