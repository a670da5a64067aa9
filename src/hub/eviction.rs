//! Removes the least recently used files of the cache, or the whole cache.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::error::SandboxError;
use crate::host::file_lock::{self, FileLock};
use crate::host::interrupt::Interrupt;
use crate::host::run_dir::cannot_write;
use crate::hub::cache::{FOLDERS, LOCK, PARTS};

/// How long a partial content is kept for a later run to continue.
const PART_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);

/// The content of a cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CacheContent {
    pub(crate) files: usize,
    /// In bytes.
    pub(crate) size: u64,
    /// Whether a run is using the cache.
    pub(crate) is_in_use: bool,
}

/// Removes the least recently used files until the rest is within `limit`, in bytes, and parts that no run
/// has continued for a week.
///
/// This does not disturb runs that use the cache at the same time: they link a file to its destination before
/// they use it, and fetch it if it is gone; the files that they are writing are locked.
pub(crate) fn trim(root: &Path, limit: u64, interrupt: &Interrupt) {
    remove_oldest(entries(root), limit, interrupt);
}

fn remove_oldest(mut entries: Vec<Entry>, limit: u64, interrupt: &Interrupt) {
    entries.sort_by_key(|entry| entry.last_use);
    let mut size: u64 = entries.iter().map(|entry| entry.size).sum();
    for entry in entries {
        let is_stale = entry.is_part && entry.last_use.elapsed().is_ok_and(|age| age > PART_LIFE);
        if (size > limit || is_stale) && entry.remove(interrupt) {
            size -= entry.size;
        }
    }
}

/// Measures the cache; `None` if it does not exist.
///
/// # Errors
/// [`SandboxError::System`].
fn survey(root: &Path) -> Result<Option<CacheContent>, SandboxError> {
    if !root.is_dir() {
        return Ok(None);
    }
    let entries = entries(root);
    Ok(Some(CacheContent {
        files: entries.len(),
        size: entries.iter().map(|entry| entry.size).sum(),
        is_in_use: file_lock::is_in_use(&root.join(LOCK))?,
    }))
}

/// Removes the whole cache, unless a run is using it, and returns what it contained.
///
/// # Errors
/// [`SandboxError::System`] if it cannot be removed.
fn clear(root: &Path, interrupt: &Interrupt) -> Result<Option<CacheContent>, SandboxError> {
    let Some(content) = survey(root)? else { return Ok(None) };
    let Some(_lock) = FileLock::exclusive(&root.join(LOCK), Duration::ZERO, interrupt)? else {
        return Ok(Some(CacheContent { is_in_use: true, ..content }));
    };
    for folder in FOLDERS {
        let folder = root.join(folder);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(cannot_write(&folder, &error));
            }
            _ => {}
        }
    }
    Ok(Some(content))
}

/// Removes the files that have not been used for `older_than`, or only measures them in a dry run, and returns what
/// they are; `None` if there is no cache. As for [`trim`], runs can use the cache at the same time.
///
/// # Errors
/// [`SandboxError::System`] if the whole cache cannot be removed.
pub(crate) fn prune(
    root: &Path,
    older_than: Duration,
    is_dry: bool,
    interrupt: &Interrupt,
) -> Result<Option<CacheContent>, SandboxError> {
    if older_than.is_zero() {
        return if is_dry { survey(root) } else { clear(root, interrupt) };
    }
    if !root.is_dir() {
        return Ok(None);
    }
    let is_old = |entry: &Entry| entry.last_use.elapsed().is_ok_and(|age| age >= older_than);
    let mut content = CacheContent { files: 0, size: 0, is_in_use: false };
    for entry in entries(root).into_iter().filter(is_old) {
        if is_dry || entry.remove(interrupt) {
            content.files += 1;
            content.size += entry.size;
        }
    }
    Ok(Some(content))
}

struct Entry {
    path: PathBuf,
    /// In bytes.
    size: u64,
    last_use: SystemTime,
    is_part: bool,
}

impl Entry {
    /// Removes the file. Returns whether it is gone, by this call or by another run.
    fn remove(&self, interrupt: &Interrupt) -> bool {
        if !self.is_part {
            return match fs::remove_file(&self.path) {
                Ok(()) => true,
                Err(error) => error.kind() == io::ErrorKind::NotFound,
            };
        }
        match FileLock::exclusive(&self.path, Duration::ZERO, interrupt) {
            Ok(Some(lock)) => {
                lock.remove();
                true
            }
            _ => false,
        }
    }
}

fn entries(root: &Path) -> Vec<Entry> {
    let mut found = Vec::new();
    for name in FOLDERS {
        let mut folders = vec![root.join(name)];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                match entry.metadata() {
                    Ok(metadata) if metadata.is_dir() => folders.push(entry.path()),
                    Ok(metadata) => found.push(Entry {
                        path: entry.path(),
                        size: metadata.len(),
                        last_use: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
                        is_part: name == PARTS,
                    }),
                    // Removed by another run.
                    Err(_) => {}
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use sha2::{Digest as _, Sha256};

    use super::*;
    use crate::hub::cache::{Cache, REFS, TREES};
    use crate::hub::digest::{Content, Digest};
    use crate::hub::tree::Tree;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn content(bytes: &[u8]) -> Content {
        Content { digest: Digest::Sha256(Sha256::digest(bytes).into()), size: bytes.len() as u64 }
    }

    fn keep(cache: &Cache, bytes: &[u8]) -> PathBuf {
        let mut part = cache.part(content(bytes)).unwrap();
        part.add(bytes).unwrap();
        cache.adopt(part, &[]).unwrap();
        cache.path_of(content(bytes))
    }

    fn set_age(path: &Path, age: Duration) {
        File::options().write(true).open(path).unwrap().set_modified(SystemTime::now() - age).unwrap();
    }

    fn open(root: &Path) -> Cache {
        Cache::open(Some(root), root, &Interrupt::default()).unwrap()
    }

    /// The one file of a folder of the cache.
    fn only(root: &Path, folder: &str) -> PathBuf {
        fs::read_dir(root.join(folder)).unwrap().next().unwrap().unwrap().path()
    }

    #[test]
    fn what_has_not_been_used_for_a_time_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("hub");
        let interrupt = Interrupt::default();
        assert_eq!(prune(&root, DAY, false, &interrupt).unwrap(), None);
        let cache = open(&root);
        let [old, new] = [&b"old"[..], b"newer"].map(|bytes| keep(&cache, bytes));
        set_age(&old, 2 * DAY);
        let pruned = CacheContent { files: 1, size: 3, is_in_use: false };
        assert_eq!(prune(&root, DAY, true, &interrupt).unwrap(), Some(pruned.clone()));
        assert!(old.exists());
        assert_eq!(prune(&root, DAY, false, &interrupt).unwrap(), Some(pruned));
        assert!(!old.exists() && new.exists());
    }

    #[test]
    fn the_least_recently_used_is_removed_first_while_a_run_uses_the_cache() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("hub");
        let cache = open(&root);
        let [old, used, new] = [&b"old"[..], b"used", b"new"].map(|bytes| keep(&cache, bytes));
        set_age(&old, DAY);
        set_age(&used, 2 * DAY);
        assert!(cache.place(content(b"used"), &[folder.path().join("placed")]).unwrap());
        trim(&root, 7, &Interrupt::default());
        assert!(!old.exists() && used.exists() && new.exists());
        trim(&root, 0, &Interrupt::default());
        assert!(!used.exists() && !new.exists());
        assert_eq!(fs::read(folder.path().join("placed")).unwrap(), b"used", "a run has it");
        assert!(!cache.place(content(b"used"), &[folder.path().join("again")]).unwrap(), "so it is fetched");
    }

    #[test]
    fn listings_and_revisions_count_and_are_removed_like_files() {
        let folder = tempfile::tempdir().unwrap();
        let (root, cache) = (folder.path(), open(folder.path()));
        cache.keep_tree("e", "o/r", "c", &Tree::default()).unwrap();
        cache.keep_commit("e", "o/r", Some("main"), "c").unwrap();
        let (tree, revision) = (only(root, TREES), only(root, REFS));
        let size = |path: &Path| fs::metadata(path).unwrap().len();
        let content = survey(root).unwrap().unwrap();
        assert_eq!((content.files, content.size), (2, size(&tree) + size(&revision)));
        set_age(&revision, DAY);
        trim(root, size(&tree), &Interrupt::default());
        assert!(tree.exists() && !revision.exists());
        cache.keep_commit("e", "o/r", None, "c").unwrap();
        let revision = only(root, REFS);
        set_age(&tree, DAY);
        set_age(&revision, 2 * DAY);
        assert!(cache.commit("e", "o/r", None).is_some(), "this uses it");
        trim(root, size(&revision), &Interrupt::default());
        assert!(!tree.exists() && revision.exists());
    }

    #[test]
    fn a_part_is_removed_if_it_is_old_or_space_is_needed_but_not_while_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let (root, cache) = (folder.path(), open(folder.path()));
        let begin = |bytes: &[u8]| {
            let mut part = cache.part(content(bytes)).unwrap();
            part.add(&bytes[..1]).unwrap();
            part
        };
        let lasting = begin(b"part");
        let temporary = begin(b"part");
        trim(root, 0, &Interrupt::default());
        for mut part in [lasting, temporary] {
            part.add(b"art").unwrap();
            assert!(part.is_whole());
            cache.adopt(part, &[]).unwrap();
        }
        drop(begin(b"abandoned"));
        trim(root, 1 << 20, &Interrupt::default());
        set_age(&only(root, PARTS), 6 * DAY);
        trim(root, 1 << 20, &Interrupt::default());
        set_age(&only(root, PARTS), 8 * DAY);
        trim(root, 1 << 20, &Interrupt::default());
        assert_eq!(fs::read_dir(root.join(PARTS)).unwrap().count(), 0);
        drop(begin(b"abandoned"));
        trim(root, 0, &Interrupt::default());
        assert_eq!(survey(root).unwrap().unwrap().files, 0);
    }

    #[test]
    fn runs_that_trim_at_once_remove_no_more_than_one_does() {
        let folder = tempfile::tempdir().unwrap();
        let (root, cache) = (folder.path(), open(folder.path()));
        let files: Vec<PathBuf> = (0..100_u8).map(|number| keep(&cache, &[number])).collect();
        for (age, file) in files.iter().rev().enumerate() {
            set_age(file, Duration::from_secs(age as u64));
        }
        let found = [entries(root), entries(root)];
        for found in found {
            remove_oldest(found, 50, &Interrupt::default());
        }
        assert_eq!(files.iter().filter(|file| file.exists()).count(), 50);
    }

    #[test]
    fn the_whole_cache_is_removed_only_while_no_run_uses_it() {
        let folder = tempfile::tempdir().unwrap();
        let (root, interrupt) = (folder.path().join("hub"), Interrupt::default());
        assert_eq!(clear(&root, &interrupt).unwrap(), None);
        let cache = open(&root);
        let file = keep(&cache, b"new");
        assert!(survey(&root).unwrap().unwrap().is_in_use);
        assert!(clear(&root, &interrupt).unwrap().unwrap().is_in_use && file.exists());
        drop(cache);
        let cleared = clear(&root, &interrupt).unwrap();
        assert_eq!(cleared, Some(CacheContent { files: 1, size: 3, is_in_use: false }));
        assert_eq!(survey(&root).unwrap().unwrap().files, 0);
    }
}
