//! The cache's records of repositories: the listings of commits, and the commits of revisions.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::error::SandboxError;
use crate::hub::cache::{Cache, REFS, TREES, note_use};
use crate::hub::digest::Digest;
use crate::hub::tree::{ListedEntry, ListedLfs, Tree, TreeBuilder};

impl Cache {
    /// The listing of a commit; `None` if the cache does not have it, or it is not valid.
    pub(crate) fn tree(&self, endpoint: &str, repo: &str, commit: &str) -> Option<Tree> {
        let path = self.root().join(TREES).join(key(&[endpoint, repo, commit]));
        let kept: KeptTree = serde_json::from_slice(&fs::read(&path).ok()?).ok()?;
        if (kept.repo.as_str(), kept.commit.as_str()) != (repo, commit) {
            return None;
        }
        let mut builder = TreeBuilder::default();
        for file in kept.files {
            let KeptFile { path, digest, size, is_lfs } = file;
            let lfs = is_lfs.then(|| ListedLfs { oid: digest.clone(), size });
            builder.add(ListedEntry { kind: "file".to_owned(), path, oid: digest, size, lfs }).ok()?;
        }
        note_use(&path);
        Some(builder.finish())
    }

    /// Stores the listing of a commit.
    ///
    /// # Errors
    /// [`SandboxError::System`]; [`SandboxError::Interrupted`].
    pub(crate) fn keep_tree(
        &self,
        endpoint: &str,
        repo: &str,
        commit: &str,
        tree: &Tree,
    ) -> Result<(), SandboxError> {
        let files = tree.files().iter().map(|file| KeptFile {
            path: file.path.clone(),
            digest: match file.content.digest {
                Digest::GitBlob(bytes) => hex::encode(bytes),
                Digest::Sha256(bytes) => hex::encode(bytes),
            },
            size: file.content.size,
            is_lfs: file.is_lfs,
        });
        let kept = KeptTree { repo: repo.to_owned(), commit: commit.to_owned(), files: files.collect() };
        self.write(TREES, &key(&[endpoint, repo, commit]), &kept)
    }

    /// The commit of a revision when it was last looked up; without a revision, that of the default branch.
    pub(crate) fn commit(&self, endpoint: &str, repo: &str, revision: Option<&str>) -> Option<String> {
        let path = self.root().join(REFS).join(key(&[endpoint, repo, revision.unwrap_or_default()]));
        let kept: KeptRef = serde_json::from_slice(&fs::read(&path).ok()?).ok()?;
        note_use(&path);
        (kept.repo == repo && kept.revision.as_deref() == revision).then_some(kept.commit)
    }

    /// Stores the commit of a revision.
    ///
    /// # Errors
    /// [`SandboxError::System`]; [`SandboxError::Interrupted`].
    pub(crate) fn keep_commit(
        &self,
        endpoint: &str,
        repo: &str,
        revision: Option<&str>,
        commit: &str,
    ) -> Result<(), SandboxError> {
        let kept = KeptRef {
            repo: repo.to_owned(),
            revision: revision.map(str::to_owned),
            commit: commit.to_owned(),
        };
        self.write(REFS, &key(&[endpoint, repo, revision.unwrap_or_default()]), &kept)
    }
}

#[derive(Serialize, Deserialize)]
struct KeptTree {
    repo: String,
    commit: String,
    files: Vec<KeptFile>,
}

#[derive(Serialize, Deserialize)]
struct KeptFile {
    path: String,
    /// Git's id, or LFS's digest: 40 or 64 hex digits.
    digest: String,
    size: u64,
    is_lfs: bool,
}

#[derive(Serialize, Deserialize)]
struct KeptRef {
    repo: String,
    revision: Option<String>,
    commit: String,
}

/// The most files of the cache that [`repositories`] reads, and how much of each, in bytes.
const MOST_READ: usize = 500;
const READ_OF_EACH: u64 = 4096;

/// The repositories in a cache folder, and the commits of them that it has. The folder may be missing.
pub(crate) fn repositories(root: &Path) -> BTreeSet<(String, String)> {
    let entries = [REFS, TREES].into_iter().filter_map(|folder| fs::read_dir(root.join(folder)).ok());
    let files = entries.flat_map(|entries| entries.filter_map(Result::ok).take(MOST_READ));
    files.filter_map(|file| repository(&file.path())).collect()
}

/// The repository and the commit that a listing or a revision starts with.
fn repository(path: &Path) -> Option<(String, String)> {
    let mut start = Vec::new();
    File::open(path).ok()?.take(READ_OF_EACH).read_to_end(&mut start).ok()?;
    let mut start = String::from_utf8_lossy(&start).into_owned();
    // A listing may be long; its files come last.
    if let Some((before, _)) = start.split_once(",\"files\":") {
        start = format!("{before}}}");
    }
    let kept: KeptCommit = serde_json::from_str(&start).ok()?;
    Some((kept.repo, kept.commit))
}

#[derive(Deserialize)]
struct KeptCommit {
    repo: String,
    commit: String,
}

fn key(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    format!("{}.json", hex::encode(&hasher.finalize()[..16]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::interrupt::Interrupt;
    use crate::hub::cache::PARTS;

    #[test]
    fn listings_and_revisions_are_read_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(Some(folder.path()), folder.path(), &Interrupt::default()).unwrap();
        let mut builder = TreeBuilder::default();
        let oid = "ce013625030ba8dba906f756967f9e9ca394464a".to_owned();
        let lfs = ListedLfs {
            oid: "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03".into(),
            size: 9,
        };
        let entry = |path: &str, size, lfs| ListedEntry {
            kind: "file".into(),
            path: path.into(),
            oid: oid.clone(),
            size,
            lfs,
        };
        builder.add(entry("a", 6, None)).unwrap();
        builder.add(entry("b", 9, Some(lfs))).unwrap();
        let tree = builder.finish();
        cache.keep_tree("e", "o/r", "c", &tree).unwrap();
        assert_eq!(cache.tree("e", "o/r", "c"), Some(tree));
        assert_eq!(cache.tree("e2", "o/r", "c"), None);
        cache.keep_commit("e", "o/r", None, "c").unwrap();
        assert_eq!(cache.commit("e", "o/r", None).as_deref(), Some("c"));
        assert_eq!(cache.commit("e", "o/r", Some("main")), None);
        cache.keep_commit("e", "o/s", Some("main"), "d").unwrap();
        let pairs = [("o/r", "c"), ("o/s", "d")].map(|(repo, commit)| (repo.to_owned(), commit.to_owned()));
        assert_eq!(repositories(folder.path()), BTreeSet::from(pairs));
        assert!(repositories(&folder.path().join("missing")).is_empty());
        assert_eq!(fs::read_dir(cache.root().join(PARTS)).unwrap().count(), 0);
    }
}
