//! The cache of Hub files, which all runs of a user share: contents by digest.
//!
//! The cache is not trusted: contents are verified when they are used, unless they are large and have not
//! changed since they were verified.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::Serialize;
use tempfile::{NamedTempFile, TempPath};

use crate::error::SandboxError;
use crate::host::file_lock::FileLock;
use crate::host::interrupt::Interrupt;
use crate::host::link::link_or_copy;
use crate::host::run_dir::{RunDir, cannot_write};
use crate::hub::digest::{Content, Digest, Hasher, hash_file};
use crate::hub::failure::Fault;
use crate::hub::part::{Part, PartPath, cannot_keep};
use crate::hub::stamp::Stamp;

/// The folders of the cache: complete contents, partial contents, listings, revisions, and the stamps of
/// verified contents.
pub(crate) const FILES: &str = "files";
pub(crate) const PARTS: &str = "parts";
pub(crate) const TREES: &str = "trees";
pub(crate) const REFS: &str = "refs";
const STAMPS: &str = "stamps";

/// All folders of the cache.
pub(crate) const FOLDERS: [&str; 5] = [FILES, PARTS, TREES, REFS, STAMPS];

/// The lock of the cache. Each run holds it as shared; it is held exclusively while the whole cache is
/// removed.
pub(crate) const LOCK: &str = "lock";

/// The time of the last use is only updated if it is older than this.
const USE_INTERVAL: Duration = Duration::from_secs(600);

/// The open cache. While this value exists, the cache as a whole is not removed, but single files may be.
pub(crate) struct Cache {
    root: PathBuf,
    interrupt: Interrupt,
    _in_use: FileLock,
    /// Set if the user's cache folder cannot be used.
    _temporary: Option<RunDir>,
}

impl Cache {
    /// Opens the cache in `folder`, or a temporary one in `temporary_folder` if `folder` is `None` or not
    /// writable.
    ///
    /// # Errors
    /// [`SandboxError::Interrupted`]; [`SandboxError::System`] if a temporary one cannot be created either.
    pub(crate) fn open(
        folder: Option<&Path>,
        temporary_folder: &Path,
        interrupt: &Interrupt,
    ) -> Result<Self, SandboxError> {
        let interrupt = interrupt.clone();
        if let Some(root) = folder {
            match use_folder(root, &interrupt) {
                Ok(in_use) => {
                    return Ok(Self { root: root.to_owned(), interrupt, _in_use: in_use, _temporary: None });
                }
                Err(SandboxError::Interrupted(signal)) => return Err(SandboxError::Interrupted(signal)),
                Err(_) => {}
            }
        }
        let temporary = RunDir::create(temporary_folder)?;
        let root = temporary.path().join("hub");
        let in_use = use_folder(&root, &interrupt)?;
        Ok(Self { root, interrupt, _in_use: in_use, _temporary: Some(temporary) })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Places a content at each destination and verifies it; false if the cache does not have it. The
    /// destinations must not exist. Without destinations, it only checks whether the cache has the content.
    ///
    /// # Errors
    /// [`Fault::Occupied`]; [`Fault::System`].
    pub(crate) fn place(&self, content: Content, destinations: &[PathBuf]) -> Result<bool, Fault> {
        let path = self.path_of(content);
        let before = stamp(&path);
        // The content is placed first and verified at its destination, because another run may remove it from
        // the cache at any time.
        let (placed, others) = match destinations.split_first() {
            None => (&path, destinations),
            Some((first, others)) => match link_or_copy(&path, first) {
                Ok(()) => (first, others),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
                Err(error) => return Err(cannot_place(first, &error)),
            },
        };
        let is_verified = self.is_verified(content, before.as_ref())
            && stamp(&path) == before
            && fs::metadata(placed).is_ok_and(|metadata| metadata.len() == content.size);
        if !is_verified && !File::open(placed).is_ok_and(|mut file| is_intact(&mut file, content)) {
            for damaged in [placed, &path] {
                let _ = fs::remove_file(damaged);
            }
            return Ok(false);
        }
        self.note_use_of(content, before.as_ref(), is_verified);
        place_all(placed, others)?;
        Ok(true)
    }

    /// Opens a content for reading, and verifies it; `None` if the cache does not have it.
    pub(crate) fn open_content(&self, content: Content) -> Option<File> {
        let path = self.path_of(content);
        let mut file = File::open(&path).ok()?;
        let before = file.metadata().ok().as_ref().and_then(Stamp::of);
        let is_verified = self.is_verified(content, before.as_ref());
        if !is_verified && !is_intact(&mut file, content) {
            return None;
        }
        self.note_use_of(content, before.as_ref(), is_verified);
        file.rewind().ok().map(|()| file)
    }

    /// Whether a file with this stamp has been verified to have this content.
    fn is_verified(&self, content: Content, stamp: Option<&Stamp>) -> bool {
        let read = || serde_json::from_slice(&fs::read(self.stamp_path(content)).ok()?).ok();
        stamp.is_some_and(|stamp| stamp.size == content.size && read().as_ref() == Some(stamp))
    }

    /// Notes that a content was used, and that it was verified when it had the stamp `before`. Only later uses
    /// need the notes, so an error does not matter.
    fn note_use_of(&self, content: Content, before: Option<&Stamp>, is_noted: bool) {
        let path = self.path_of(content);
        let is_same = before.is_some() && stamp(&path).as_ref() == before;
        note_use(&path);
        let after = stamp(&path);
        if let Some(stamp) = after.as_ref().filter(|_| is_same && (!is_noted || after.as_ref() != before)) {
            let _ = self.write(STAMPS, &file_name(content.digest), stamp);
        }
    }

    fn stamp_path(&self, content: Content) -> PathBuf {
        self.root.join(STAMPS).join(file_name(content.digest))
    }

    /// Opens the part of a content, to which missing bytes are added.
    ///
    /// # Errors
    /// [`SandboxError::System`]; [`SandboxError::Interrupted`].
    pub(crate) fn part(&self, content: Content) -> Result<Part, SandboxError> {
        let path = self.folder(PARTS)?.join(file_name(content.digest));
        match FileLock::exclusive(&path, Duration::ZERO, &self.interrupt)? {
            Some(lock) => Part::resume(content, lock, PartPath::Lasting(path)),
            // Another run is fetching the same content. With another file, neither run waits for the other.
            None => {
                let (lock, path) = self.temporary_file()?;
                Part::resume(content, lock, PartPath::Temporary(path))
            }
        }
    }

    /// Places a complete and verified part at each destination, and moves it into the cache.
    ///
    /// # Errors
    /// [`Fault::Occupied`]; [`Fault::System`].
    pub(crate) fn adopt(&self, part: Part, destinations: &[PathBuf]) -> Result<(), Fault> {
        let failed = |error: &io::Error| cannot_keep(part.path(), error);
        // Any user of the image can read it, independent of the umask.
        part.lock.file().set_permissions(Permissions::from_mode(0o644)).map_err(|error| failed(&error))?;
        // While it is a part, its lock prevents other runs from removing it.
        place_all(part.path(), destinations)?;
        let path = self.path_of(part.content);
        make_folder(path.parent().unwrap_or(&self.root))?;
        let content = part.content;
        let verified = part.lock.file().metadata().ok().as_ref().and_then(Stamp::of);
        match part.path {
            PartPath::Lasting(part) => fs::rename(part, &path),
            PartPath::Temporary(part) => part.persist(&path).map_err(|error| error.error),
        }
        .map_err(|error| cannot_keep(&path, &error))?;
        self.note_use_of(content, verified.as_ref(), false);
        Ok(())
    }

    /// The path of a content in the cache.
    pub(crate) fn path_of(&self, content: Content) -> PathBuf {
        let name = file_name(content.digest);
        let hex = name.split_once('-').map_or("", |(_, hex)| &hex[..2]);
        self.root.join(FILES).join(hex).join(&name)
    }

    /// Writes a file atomically: other runs see the old file or the complete new one.
    pub(super) fn write(&self, folder: &str, name: &str, kept: &impl Serialize) -> Result<(), SandboxError> {
        let path = self.folder(folder)?.join(name);
        let (lock, temporary) = self.temporary_file()?;
        serde_json::to_vec(kept)
            .map_err(io::Error::from)
            .and_then(|bytes| lock.file().write_all(&bytes))
            .and_then(|()| temporary.persist(&path).map_err(|error| error.error))
            .map_err(|error| cannot_keep(&path, &error))
    }

    /// Creates a file among the parts. Its lock prevents other runs from removing it.
    fn temporary_file(&self) -> Result<(FileLock, TempPath), SandboxError> {
        let folder = self.folder(PARTS)?;
        loop {
            let path = NamedTempFile::new_in(&folder)
                .map_err(|error| cannot_keep(&folder, &error))?
                .into_temp_path();
            if let Some(lock) = FileLock::exclusive(&path, Duration::ZERO, &self.interrupt)? {
                return Ok((lock, path));
            }
        }
    }

    fn folder(&self, name: &str) -> Result<PathBuf, SandboxError> {
        let folder = self.root.join(name);
        make_folder(&folder).map(|()| folder)
    }
}

/// Creates the folder if it does not exist, and returns its shared lock.
fn use_folder(root: &Path, interrupt: &Interrupt) -> Result<FileLock, SandboxError> {
    make_folder(root)?;
    let lock = FileLock::shared(&root.join(LOCK), interrupt)?;
    // Check that the folder is writable: an existing lock file can be locked even if it is not.
    tempfile::tempfile_in(root).map_err(|error| cannot_keep(root, &error))?;
    Ok(lock)
}

/// Creates a folder if it does not exist. Other users cannot read it, because files may be from a private
/// repository.
fn make_folder(folder: &Path) -> Result<(), SandboxError> {
    if folder.is_dir() {
        return Ok(());
    }
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| cannot_keep(folder, &error))
}

fn place_all(file: &Path, destinations: &[PathBuf]) -> Result<(), Fault> {
    destinations.iter().try_for_each(|destination| {
        link_or_copy(file, destination).map_err(|error| cannot_place(destination, &error))
    })
}

fn cannot_place(destination: &Path, error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::AlreadyExists => Fault::Occupied(destination.to_owned()),
        _ => Fault::System(cannot_write(destination, error)),
    }
}

fn file_name(digest: Digest) -> String {
    digest.to_string().replace(':', "-")
}

fn is_intact(file: &mut File, content: Content) -> bool {
    if !file.metadata().is_ok_and(|metadata| metadata.len() == content.size) {
        return false;
    }
    let mut hasher = Hasher::of(content);
    hash_file(file, &mut hasher).is_ok_and(|size| size == content.size && hasher.finish() == content.digest)
}

fn stamp(path: &Path) -> Option<Stamp> {
    Stamp::of(&fs::metadata(path).ok()?)
}

/// Updates the time of the last use, which [`crate::hub::eviction::trim`] reads.
pub(super) fn note_use(path: &Path) {
    let Ok(file) = File::open(path) else { return };
    let age = file.metadata().and_then(|metadata| metadata.modified()).map(|time| time.elapsed());
    if !matches!(age, Ok(Ok(age)) if age < USE_INTERVAL) {
        let _ = file.set_modified(SystemTime::now());
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use sha2::{Digest as _, Sha256};

    use super::*;

    fn cache(root: &Path) -> Cache {
        Cache::open(Some(root), Path::new("/nonexistent"), &Interrupt::default()).unwrap()
    }

    fn content(bytes: &[u8]) -> Content {
        Content { digest: Digest::Sha256(Sha256::digest(bytes).into()), size: bytes.len() as u64 }
    }

    fn keep(cache: &Cache, bytes: &[u8]) -> Content {
        let mut part = cache.part(content(bytes)).unwrap();
        part.add(bytes).unwrap();
        assert!(part.is_whole());
        cache.adopt(part, &[]).unwrap();
        content(bytes)
    }

    fn parts(cache: &Cache) -> usize {
        fs::read_dir(cache.root().join(PARTS)).unwrap().count()
    }

    #[test]
    fn a_large_content_is_hashed_again_only_if_its_file_changed() {
        use crate::hub::stamp::SMALLEST;
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(&folder.path().join("hub"));
        let bytes = vec![7; SMALLEST as usize];
        let mut other = bytes.clone();
        other[9] = 8;
        let mut count = 0;
        let mut place = || {
            count += 1;
            cache.place(content(&bytes), &[folder.path().join(count.to_string())]).unwrap()
        };
        let path = cache.path_of(content(&bytes));
        let modified = || fs::metadata(&path).unwrap().modified().unwrap();
        let set_modified =
            |time| File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();

        keep(&cache, &bytes);
        // Only a file that is not read can have another content.
        let time = modified();
        fs::write(&path, &other).unwrap();
        set_modified(time);
        assert!(place() && cache.open_content(content(&bytes)).is_some());
        assert!(!cache.place(Content { size: 1, ..content(&bytes) }, &[]).unwrap());

        for change in ["written", "replaced", "shortened", "not noted"] {
            keep(&cache, &bytes);
            assert!(place());
            let time = modified();
            match change {
                "written" => fs::write(&path, &other).unwrap(),
                "replaced" => {
                    fs::write(folder.path().join("new"), &other).unwrap();
                    fs::rename(folder.path().join("new"), &path).unwrap();
                    set_modified(time);
                }
                "shortened" => {
                    fs::write(&path, &other[1..]).unwrap();
                    set_modified(time);
                }
                _ => {
                    fs::write(&path, &other).unwrap();
                    set_modified(time);
                    fs::remove_dir_all(cache.root().join(STAMPS)).unwrap();
                }
            }
            assert!(cache.open_content(content(&bytes)).is_none(), "{change}");
            assert!(!place(), "{change}");
        }

        // Verified again after the time of the last use was updated, it is noted again.
        keep(&cache, &bytes);
        set_modified(SystemTime::now() - 2 * USE_INTERVAL);
        assert!(place());
        let time = modified();
        fs::write(&path, &other).unwrap();
        set_modified(time);
        assert!(place());
    }

    #[test]
    fn a_content_is_kept_until_it_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(&folder.path().join("hub"));
        let place = |names: &[&str]| {
            let paths: Vec<PathBuf> = names.iter().map(|name| folder.path().join(name)).collect();
            cache.place(content(b"hello\n"), &paths).unwrap()
        };
        assert!(!place(&[]) && !place(&["a"]));
        let hello = keep(&cache, b"hello\n");
        assert!(place(&[]) && place(&["a", "b"]));
        let mut text = String::new();
        cache.open_content(hello).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello\n");
        for name in ["a", "b"] {
            let path = folder.path().join(name);
            assert_eq!(fs::read(&path).unwrap(), b"hello\n");
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
        }
        fs::write(cache.path_of(hello), b"HELLO\n").unwrap();
        assert!(cache.open_content(hello).is_none());
        assert!(!place(&["c"]), "it is damaged");
        assert!(!cache.path_of(hello).exists() && !folder.path().join("c").exists());
    }

    #[test]
    fn a_destination_that_exists_is_not_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(&folder.path().join("hub"));
        let (other, hello) = (keep(&cache, b"other\n"), keep(&cache, b"hello\n"));
        let taken = folder.path().join("taken");
        assert!(cache.place(other, std::slice::from_ref(&taken)).unwrap());
        for destinations in [vec![taken.clone()], vec![folder.path().join("free"), taken.clone()]] {
            let placed = cache.place(hello, &destinations);
            assert!(matches!(placed, Err(Fault::Occupied(path)) if path == taken));
        }
        let part = cache.part(content(b"")).unwrap();
        assert!(matches!(cache.adopt(part, std::slice::from_ref(&taken)), Err(Fault::Occupied(_))));
        assert_eq!(fs::read(&taken).unwrap(), b"other\n");
        assert!(cache.place(other, &[]).unwrap());
    }

    #[test]
    fn a_part_continues_where_it_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(folder.path());
        let hello = content(b"hello\n");
        cache.part(hello).unwrap().add(b"hel").unwrap();
        let mut part = cache.part(hello).unwrap();
        assert_eq!(part.done(), 3);
        let mut other = cache.part(hello).unwrap();
        assert_eq!(other.done(), 0, "another run has one of its own");
        other.add(b"HELLO\n").unwrap();
        assert!(!other.is_whole());
        other.restart().unwrap();
        other.add(b"hello\n").unwrap();
        part.add(b"lo\n").unwrap();
        assert!(part.is_whole() && other.is_whole());
        drop(cache.part(hello).unwrap());
        assert_eq!(parts(&cache), 2, "those that are still being fetched");
        cache.adopt(part, &[]).unwrap();
        cache.adopt(other, &[]).unwrap();
        assert!(cache.place(hello, &[]).unwrap());
        assert_eq!(parts(&cache), 0);
    }

    /// Each thread pauses after half of the content: the cache must only ever have the whole.
    #[test]
    fn runs_that_fetch_the_same_content_never_adopt_the_part_of_another_run() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(folder.path());
        let content = content(b"hello\n");
        let is_over = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            let fetchers: [_; 4] = std::array::from_fn(|_| {
                scope.spawn(|| {
                    for _ in 0..500 {
                        let mut part = cache.part(content).unwrap();
                        part.restart().unwrap();
                        part.add(b"hel").unwrap();
                        std::thread::yield_now();
                        part.add(b"lo\n").unwrap();
                        cache.adopt(part, &[]).unwrap();
                    }
                })
            });
            scope.spawn(|| {
                while !is_over.load(std::sync::atomic::Ordering::SeqCst) {
                    if let Ok(bytes) = fs::read(cache.path_of(content)) {
                        assert_eq!(bytes, b"hello\n");
                    }
                }
            });
            let ended = fetchers.map(|fetcher| fetcher.join().is_ok());
            is_over.store(true, std::sync::atomic::Ordering::SeqCst);
            assert_eq!(ended, [true; 4]);
        });
        assert_eq!(parts(&cache), 0);
    }

    #[test]
    fn without_a_cache_folder_a_temporary_one_is_used() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        for unusable in [None, Some(file.as_path()), Some(Path::new("/dev/null/x"))] {
            let cache = Cache::open(unusable, folder.path(), &Interrupt::default()).unwrap();
            let kept = keep(&cache, b"x");
            assert!(cache.place(kept, &[]).unwrap());
            drop(cache);
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn an_interrupt_ends_the_wait_for_a_cache_that_is_being_removed() {
        let folder = tempfile::tempdir().unwrap();
        let lock = folder.path().join(LOCK);
        let _removing = FileLock::exclusive(&lock, Duration::ZERO, &Interrupt::default()).unwrap().unwrap();
        let interrupt = Interrupt::default();
        interrupt.raise(crate::error::Signal::Interrupt);
        let opened = Cache::open(Some(folder.path()), folder.path(), &interrupt);
        assert!(matches!(opened, Err(SandboxError::Interrupted(_))));
    }
}
