//! How large the cache may grow, and how it shrinks: never while a run is using it. It does not know what the files are.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::error::SandboxError;
use crate::host::run_dir::cannot_write;
use crate::hub::cache::root;
use crate::settings::size::size_of;
use crate::settings::variables::Variables;

/// How large the files may be together unless the user says otherwise.
const USUAL_LIMIT: u64 = 20 << 30;

/// How long a part of a file waits for its rest.
const PART_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);

/// What a cache holds, or held.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Holding {
    pub(crate) folder: PathBuf,
    pub(crate) files: usize,
    /// In bytes.
    pub(crate) size: u64,
    /// Whether a run is using it just now.
    pub(crate) is_in_use: bool,
}

/// How large the cache may be.
///
/// # Errors
/// [`SandboxError::InvalidOption`] for a variable that holds no size.
pub(crate) fn limit(variables: &Variables) -> Result<u64, SandboxError> {
    const NAME: &str = "RLMESH_SANDBOX_CACHE_LIMIT";
    variables.text(NAME)?.map_or(Ok(USUAL_LIMIT), |text| {
        size_of(text).map_err(|e| crate::error::invalid_option(e.reason, e.hint))
    })
}

/// Removes what was used least recently until the rest is within `limit`, unless a run is using the cache.
pub(crate) fn trim(variables: &Variables, limit: u64) {
    let Some(root) = root(variables) else { return };
    let Some(_alone) = alone(&root) else { return };
    let mut held = entries(&root);
    held.sort_by_key(|entry| entry.used);
    let mut size: u64 = held.iter().map(|entry| entry.size).sum();
    for entry in held {
        let is_stale_part = entry.is_part && entry.used.elapsed().is_ok_and(|age| age > PART_LIFE);
        if (size > limit || is_stale_part) && fs::remove_file(&entry.path).is_ok() {
            size -= entry.size;
        }
    }
}

/// What the cache holds; `None` where there is none.
pub(crate) fn survey(variables: &Variables) -> Option<Holding> {
    let root = root(variables).filter(|root| root.is_dir())?;
    let held = entries(&root);
    Some(Holding {
        files: held.len(),
        size: held.iter().map(|entry| entry.size).sum(),
        is_in_use: alone(&root).is_none(),
        folder: root,
    })
}

/// Removes the whole cache, unless a run is using it.
///
/// # Errors
/// [`SandboxError::System`] where it cannot be removed.
pub(crate) fn clear(variables: &Variables) -> Result<Option<Holding>, SandboxError> {
    let Some(holding) = survey(variables) else { return Ok(None) };
    let Some(_alone) = alone(&holding.folder) else {
        return Ok(Some(Holding { is_in_use: true, ..holding }));
    };
    for folder in ["files", "parts", "trees", "refs"] {
        let folder = holding.folder.join(folder);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(cannot_write(&folder, &error));
            }
            _ => {}
        }
    }
    Ok(Some(holding))
}

fn alone(root: &Path) -> Option<File> {
    let lock = OpenOptions::new().write(true).open(root.join("lock")).ok()?;
    lock.try_lock().ok().map(|()| lock)
}

struct Entry {
    path: PathBuf,
    size: u64,
    used: SystemTime,
    is_part: bool,
}

fn entries(root: &Path) -> Vec<Entry> {
    let mut found = Vec::new();
    for folder in ["files", "parts", "trees"] {
        let mut rest = vec![root.join(folder)];
        while let Some(folder_path) = rest.pop() {
            for entry in fs::read_dir(&folder_path).into_iter().flatten().flatten() {
                match entry.metadata() {
                    Ok(metadata) if metadata.is_dir() => rest.push(entry.path()),
                    Ok(metadata) => found.push(Entry {
                        path: entry.path(),
                        size: metadata.len(),
                        used: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
                        is_part: folder == "parts",
                    }),
                    Err(_) => {}
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;
    use crate::hub::cache::Cache;
    use crate::hub::digest::{Content, Digest};

    fn content(bytes: &[u8]) -> Content {
        Content { digest: Digest::Sha256(Sha256::digest(bytes).into()), size: bytes.len() as u64 }
    }

    #[test]
    fn the_least_recently_used_goes_first_and_nothing_goes_while_it_is_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let variables: Variables = [("XDG_CACHE_HOME", folder.path().as_os_str())].into_iter().collect();
        let cache = Cache::open(&variables).unwrap();
        let contents = [&b"old"[..], b"new"].map(|bytes| {
            cache.keep(content(bytes), bytes).unwrap();
            content(bytes)
        });
        let long_ago = SystemTime::now() - Duration::from_secs(100_000);
        File::options().write(true).open(cache.path_of(contents[0])).unwrap().set_modified(long_ago).unwrap();
        trim(&variables, 0);
        assert!(cache.holds(contents[1]), "it is in use");
        let path = cache.path_of(contents[0]);
        File::options().write(true).open(&path).unwrap().set_modified(long_ago).unwrap();
        assert!(survey(&variables).unwrap().is_in_use);
        assert_eq!(clear(&variables).unwrap().unwrap().files, 2);
        drop(cache);
        trim(&variables, 3);
        let cache = Cache::open(&variables).unwrap();
        assert!(!cache.holds(contents[0]) && cache.holds(contents[1]));
        drop(cache);
        let cleared = clear(&variables).unwrap().unwrap();
        assert_eq!((cleared.files, cleared.size, cleared.is_in_use), (1, 3, false));
        assert_eq!(survey(&variables).unwrap().files, 0);
    }
}
