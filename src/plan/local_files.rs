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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn put(folder: &Path, path: &str, content: &str) {
        let file = folder.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
    }

    fn reading(interrupt: &Interrupt) -> Reading<'_> {
        Reading { limit: 1000, interrupt, kind: SandboxError::SourceResolution }
    }

    fn digest(folder: &Path) -> String {
        let interrupt = Interrupt::default();
        let reading = reading(&interrupt);
        reading.digest(&reading.list(folder).unwrap()).unwrap()
    }

    fn refusal(folder: &Path) -> String {
        match reading(&Interrupt::default()).list(folder) {
            Err(error @ SandboxError::SourceResolution(_)) => error.to_string(),
            other => panic!("{other:?}"),
        }
    }

    /// A folder with a file, a program, and a link.
    fn sample() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), "env.py", "code");
        put(folder.path(), "sub/tool.sh", "#!/bin/sh");
        fs::set_permissions(folder.path().join("sub/tool.sh"), Permissions::from_mode(0o700)).unwrap();
        symlink("../env.py", folder.path().join("sub/link")).unwrap();
        folder
    }

    /// The value was computed with hashlib. Another one would build every folder again.
    #[test]
    fn the_digest_is_the_same_on_every_machine() {
        let (one, other) = (sample(), sample());
        assert_eq!(digest(one.path()), "241fd6d8515c54e5931105c06d75bbeffd01fef1b073f492e25ec05c3d86efbe");
        fs::set_permissions(other.path().join("env.py"), Permissions::from_mode(0o600)).unwrap();
        let old = std::time::SystemTime::now() - std::time::Duration::from_secs(1000);
        File::options().write(true).open(other.path().join("env.py")).unwrap().set_modified(old).unwrap();
        fs::create_dir(other.path().join("empty")).unwrap();
        put(other.path(), ".git/HEAD", "x");
        assert_eq!(digest(other.path()), digest(one.path()));
    }

    #[test]
    fn every_change_of_the_files_changes_the_digest() {
        let plain = digest(sample().path());
        let changes: [fn(&Path); 6] = [
            |folder| put(folder, "env.py", "Code"),
            |folder| put(folder, "new", ""),
            |folder| fs::remove_file(folder.join("sub/link")).unwrap(),
            |folder| fs::rename(folder.join("env.py"), folder.join("env2.py")).unwrap(),
            |folder| fs::set_permissions(folder.join("env.py"), Permissions::from_mode(0o755)).unwrap(),
            |folder| {
                fs::remove_file(folder.join("sub/link")).unwrap();
                symlink("tool.sh", folder.join("sub/link")).unwrap();
            },
        ];
        let mut seen = BTreeSet::from([plain]);
        for change in changes {
            let folder = sample();
            change(folder.path());
            assert!(seen.insert(digest(folder.path())));
        }
    }

    #[test]
    fn a_copy_has_the_same_files_readable_by_anyone() {
        let (folder, parent) = (sample(), tempfile::tempdir().unwrap());
        fs::set_permissions(folder.path().join("env.py"), Permissions::from_mode(0o600)).unwrap();
        let (interrupt, copy) = (Interrupt::default(), parent.path().join("copy"));
        reading(&interrupt).copy(folder.path(), &copy, &digest(folder.path())).unwrap();
        assert_eq!(digest(&copy), digest(folder.path()));
        let mode = |path: &str| fs::symlink_metadata(copy.join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("env.py"), mode("sub/tool.sh"), mode("sub")), (0o644, 0o755, 0o755));
        assert_eq!(fs::read_link(copy.join("sub/link")).unwrap(), Path::new("../env.py"));
    }

    #[test]
    fn files_that_changed_since_the_plan_are_an_error() {
        let (folder, parent) = (sample(), tempfile::tempdir().unwrap());
        let planned = digest(folder.path());
        put(folder.path(), "env.py", "more");
        let interrupt = Interrupt::default();
        let error =
            reading(&interrupt).copy(folder.path(), &parent.path().join("copy"), &planned).unwrap_err();
        assert!(error.to_string().ends_with("changed while it was read"), "{error}");
    }

    #[test]
    fn links_must_stay_in_the_folder() {
        for (link, target, is_kept) in [
            ("a", "env.py", true),
            ("sub/a", "../env.py", true),
            ("a", "sub/../env.py", true),
            ("a", "missing", true),
            ("a", "../env.py", false),
            ("sub/a", "../../env.py", false),
            ("a", "/etc/passwd", false),
        ] {
            let folder = sample();
            symlink(target, folder.path().join(link)).unwrap();
            if is_kept {
                digest(folder.path());
            } else {
                let said = refusal(folder.path());
                assert!(said.contains(link) && said.contains(&format!("a link to {target}")), "{said}");
            }
        }
    }

    #[test]
    fn what_cannot_go_into_an_image_is_named() {
        let folder = sample();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            folder.path().join("pipe"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RWXU,
            0,
        )
        .unwrap();
        assert!(refusal(folder.path()).ends_with("pipe is not a file, folder or link"));
        put(folder.path(), ".dockerignore", "pipe");
        digest(folder.path());
        let name = std::ffi::OsStr::from_bytes(b"x\xff");
        if fs::write(folder.path().join(name), "").is_ok() {
            assert!(refusal(folder.path()).contains("not valid UTF-8"));
        }
    }

    #[test]
    fn the_size_is_limited() {
        let folder = sample();
        put(folder.path(), "large", &"x".repeat(1001));
        let error = reading(&Interrupt::default()).list(folder.path()).unwrap_err();
        assert!(error.to_string().contains("more than the limit of 1000 B"), "{error}");
        assert_eq!(error.hints().last().unwrap(), "pass --max-source-size 1g");
    }
}
