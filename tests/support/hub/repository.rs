//! A repository at one commit: its files, the names that stand for it, and who may read it.

use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};

use super::content::{Content, blob_id};

/// Who may read a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Public,
    Private,
    Gated,
    Disabled,
}

/// One commit of a repository.
#[derive(Debug, Clone)]
pub(crate) struct Repository {
    pub(crate) name: String,
    pub(crate) access: Access,
    /// The branches and tags that stand for this commit.
    pub(crate) names: Vec<String>,
    pub(crate) files: Vec<StoredFile>,
    /// Entries that the listing has beside the files: whatever a hostile Hub may say.
    pub(crate) raw: Vec<Value>,
    /// The name under which it goes now.
    pub(crate) moved_to: Option<String>,
    /// So many further entries, for listings without an end.
    pub(crate) made_entries: usize,
}

/// A file of a commit.
#[derive(Debug, Clone)]
pub(crate) struct StoredFile {
    pub(crate) path: String,
    pub(crate) content: Content,
    pub(crate) is_lfs: bool,
    /// What the file's ETag says: git's id, or LFS's digest.
    pub(crate) digest: String,
    /// What git holds: the content's id, or that of the pointer, and how long the pointer is.
    git_id: String,
    pointer_size: usize,
}

impl StoredFile {
    fn new(path: &str, content: Content, is_lfs: bool) -> Self {
        let path = path.to_owned();
        if !is_lfs {
            let git_id = blob_id(content.bytes());
            return Self { path, digest: git_id.clone(), git_id, pointer_size: 0, content, is_lfs };
        }
        let digest = content.sha256();
        let pointer = format!(
            "version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {}\n",
            content.len()
        );
        let git_id = blob_id(pointer.as_bytes());
        Self { path, digest, git_id, pointer_size: pointer.len(), content, is_lfs }
    }

    fn entry(&self) -> Value {
        let mut entry = json!({
            "type": "file", "oid": self.git_id, "size": self.content.len(), "path": self.path,
        });
        if self.is_lfs {
            entry["lfs"] =
                json!({ "oid": self.digest, "size": self.content.len(), "pointerSize": self.pointer_size });
        }
        entry
    }
}

impl Repository {
    /// An empty one, which `main` stands for and everybody may read.
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            access: Access::Public,
            names: vec!["main".to_owned()],
            files: Vec::new(),
            raw: Vec::new(),
            moved_to: None,
            made_entries: 0,
        }
    }

    /// The files of a folder of the fixtures.
    #[cfg(feature = "live")]
    pub(crate) fn fixture(name: &str, folder: &str) -> Self {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/hub").join(folder);
        let mut repository = Self::new(name);
        let mut rest = vec![root.clone()];
        while let Some(folder) = rest.pop() {
            for entry in
                std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
            {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    rest.push(path);
                } else {
                    let relative = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                    repository = repository.file(&relative, std::fs::read(&path).unwrap());
                }
            }
        }
        repository
    }

    pub(crate) fn file(self, path: &str, bytes: impl AsRef<[u8]>) -> Self {
        self.stored(path, bytes.as_ref(), false)
    }

    pub(crate) fn lfs(self, path: &str, bytes: impl AsRef<[u8]>) -> Self {
        self.stored(path, bytes.as_ref(), true)
    }

    fn stored(mut self, path: &str, bytes: &[u8], is_lfs: bool) -> Self {
        self.files.retain(|file| file.path != path);
        self.files.push(StoredFile::new(path, Content::new(bytes.to_vec()), is_lfs));
        self
    }

    /// The names that stand for this commit instead of `main`.
    pub(crate) fn named(mut self, names: &[&str]) -> Self {
        self.names = names.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    pub(crate) fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    pub(crate) fn moved_to(mut self, name: &str) -> Self {
        self.moved_to = Some(name.to_owned());
        self
    }

    /// An entry of the listing, as it is.
    pub(crate) fn raw(mut self, entry: Value) -> Self {
        self.raw.push(entry);
        self
    }

    /// A listing that claims a plain file at any path.
    pub(crate) fn claim(self, path: &str) -> Self {
        self.raw(json!({ "type": "file", "path": path, "oid": blob_id(b"x"), "size": 1 }))
    }

    pub(crate) fn made_entries(mut self, count: usize) -> Self {
        self.made_entries = count;
        self
    }

    /// Made of everything in it, as git's are.
    pub(crate) fn commit_id(&self) -> String {
        let mut hasher = Sha1::new();
        hasher.update(&self.name);
        for file in &self.files {
            hasher.update(format!("{}\0{}\0{}\0", file.path, file.digest, file.is_lfs));
        }
        hasher.update(format!("{:?}{}", self.raw, self.made_entries));
        hex::encode(hasher.finalize())
    }

    /// Whether a revision stands for this commit.
    pub(crate) fn is(&self, revision: &str) -> bool {
        self.commit_id() == revision || self.names.iter().any(|name| name == revision)
    }

    /// The entries from `start` on, at most `count`, and how many there are.
    pub(crate) fn entries(&self, start: usize, count: usize) -> (Vec<Value>, usize) {
        let mut folders: Vec<&str> = Vec::new();
        for file in &self.files {
            folders.extend(file.path.match_indices('/').map(|(end, _)| &file.path[..end]));
        }
        folders.sort_unstable();
        folders.dedup();
        let listed = folders.len() + self.files.len() + self.raw.len();
        let of = |at: usize| {
            if at < folders.len() {
                json!({ "type": "directory", "oid": blob_id(folders[at].as_bytes()), "size": 0, "path": folders[at] })
            } else if let Some(file) = self.files.get(at - folders.len()) {
                file.entry()
            } else if let Some(raw) = self.raw.get(at - folders.len() - self.files.len()) {
                raw.clone()
            } else {
                json!({ "type": "file", "path": format!("made/{at}"), "oid": blob_id(b"x"), "size": 1 })
            }
        };
        let total = listed + self.made_entries;
        ((start..total.min(start + count)).map(of).collect(), total)
    }
}
