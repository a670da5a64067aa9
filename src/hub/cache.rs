//! What was fetched before, by content: files, listings and what names stood for. It believes nothing that it holds without taking its digest again.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tempfile::{NamedTempFile, TempPath};

use crate::error::SandboxError;
use crate::host::run_dir::{RunDir, cannot_write};
use crate::hub::digest::{Content, Digest, Hasher};
use crate::hub::tree::{ListedEntry, ListedLfs, Tree, TreeBuilder};
use crate::settings::variables::Variables;

/// The folder below the program's own cache folder.
const FOLDER: &str = "hub";

/// How recently used something must be for its use not to be noted again.
const FRESH: Duration = Duration::from_secs(600);

/// A place for files, held against removal as long as this value lives.
pub(crate) struct Cache {
    root: PathBuf,
    _held: File,
    /// Set where the user's own cache folder cannot be used.
    _temporary: Option<RunDir>,
}

impl Cache {
    /// The user's cache, or one that goes with this value where that cannot be written.
    ///
    /// # Errors
    /// [`SandboxError::System`] where no temporary one can be made either.
    pub(crate) fn open(variables: &Variables) -> Result<Self, SandboxError> {
        if let Some(root) = root(variables)
            && let Ok(held) = hold(&root)
        {
            return Ok(Self { root, _held: held, _temporary: None });
        }
        let temporary = RunDir::create(&variables.temp_dir())?;
        let root = temporary.path().join(FOLDER);
        let held = hold(&root).map_err(|error| cannot_write(&root, &error))?;
        Ok(Self { root, _held: held, _temporary: Some(temporary) })
    }

    /// Whether this cache has a content, looked at byte by byte. What is damaged is removed.
    pub(crate) fn holds(&self, content: Content) -> bool {
        let path = self.path_of(content);
        match is_intact(&path, content) {
            Ok(true) => {
                note_use(&path);
                true
            }
            Ok(false) => {
                let _ = fs::remove_file(&path);
                false
            }
            Err(_) => false,
        }
    }

    /// A content that was found to be right, for reading.
    ///
    /// # Errors
    /// The file system's own.
    pub(crate) fn open_file(&self, content: Content) -> io::Result<File> {
        File::open(self.path_of(content))
    }

    /// Puts a content that is held at another path, which must not exist: as a link where the file system
    /// has these, else as a copy.
    ///
    /// # Errors
    /// [`SandboxError::System`].
    pub(crate) fn place(&self, content: Content, destination: &Path) -> Result<(), SandboxError> {
        let held = self.path_of(content);
        if fs::hard_link(&held, destination).is_ok() {
            return Ok(());
        }
        fs::copy(&held, destination).map(drop).map_err(|error| cannot_write(destination, &error))
    }

    /// Keeps a content that has been found to be right.
    ///
    /// # Errors
    /// The file system's own.
    pub(crate) fn keep(&self, content: Content, bytes: &[u8]) -> io::Result<()> {
        let path = self.path_of(content);
        let folder = path.parent().unwrap_or(&self.root);
        made(folder)?;
        let mut file = NamedTempFile::new_in(folder)?;
        file.write_all(bytes)?;
        settle(file.as_file())?;
        file.persist(path).map(drop).map_err(|error| error.error)
    }

    /// The part of a content that is there already; the rest is to be added.
    ///
    /// # Errors
    /// The file system's own.
    pub(crate) fn part(&self, content: Content) -> io::Result<Part> {
        let folder = self.root.join("parts");
        made(&folder)?;
        let path = folder.join(file_name(content.digest));
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
        if file.try_lock().is_ok() && path.exists() {
            return Part::resume(content, file, Place::Known(path));
        }
        // Somebody else is fetching the same: a place of our own, so that neither waits for the other.
        let (file, path) = NamedTempFile::new_in(&folder)?.into_parts();
        Part::resume(content, file, Place::Passing(path))
    }

    /// Keeps a whole part as what it turned out to be.
    ///
    /// # Errors
    /// The file system's own.
    pub(crate) fn adopt(&self, part: Part) -> io::Result<()> {
        let path = self.path_of(part.content);
        made(path.parent().unwrap_or(&self.root))?;
        settle(&part.file)?;
        match part.place {
            Place::Known(part) => fs::rename(part, path),
            Place::Passing(part) => part.persist(path).map_err(|error| error.error),
        }
    }

    /// Where a content is, or would be.
    pub(crate) fn path_of(&self, content: Content) -> PathBuf {
        let name = file_name(content.digest);
        let hex = name.split_once('-').map_or("", |(_, hex)| &hex[..2]);
        self.root.join("files").join(hex).join(&name)
    }

    /// The listing of a commit; `None` where it is not held, or not as it was kept.
    pub(crate) fn tree(&self, endpoint: &str, repo: &str, commit: &str) -> Option<Tree> {
        let path = self.root.join("trees").join(key(&[endpoint, repo, commit]));
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

    /// Keeps the listing of a commit.
    ///
    /// # Errors
    /// The file system's own.
    pub(crate) fn keep_tree(&self, endpoint: &str, repo: &str, commit: &str, tree: &Tree) -> io::Result<()> {
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
        self.write("trees", &key(&[endpoint, repo, commit]), &serde_json::to_vec(&kept)?)
    }

    /// The commit that a name stood for when the Hub was last asked; `None` for the name is the default branch.
    pub(crate) fn commit(&self, endpoint: &str, repo: &str, revision: Option<&str>) -> Option<String> {
        let path = self.root.join("refs").join(key(&[endpoint, repo, revision.unwrap_or_default()]));
        let kept: KeptName = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
        (kept.repo == repo && kept.revision.as_deref() == revision).then_some(kept.commit)
    }

    /// # Errors
    /// The file system's own.
    pub(crate) fn keep_commit(
        &self,
        endpoint: &str,
        repo: &str,
        revision: Option<&str>,
        commit: &str,
    ) -> io::Result<()> {
        let name = KeptName {
            repo: repo.to_owned(),
            revision: revision.map(str::to_owned),
            commit: commit.to_owned(),
        };
        self.write("refs", &key(&[endpoint, repo, revision.unwrap_or_default()]), &serde_json::to_vec(&name)?)
    }

    fn write(&self, folder: &str, name: &str, bytes: &[u8]) -> io::Result<()> {
        let folder = self.root.join(folder);
        made(&folder)?;
        let mut file = NamedTempFile::new_in(&folder)?;
        file.write_all(bytes)?;
        file.persist(folder.join(name)).map(drop).map_err(|error| error.error)
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
struct KeptName {
    repo: String,
    revision: Option<String>,
    commit: String,
}

/// A content that is not whole yet.
pub(crate) struct Part {
    content: Content,
    file: File,
    place: Place,
    hasher: Hasher,
    /// The bytes that are there.
    pub(crate) done: u64,
}

/// Where a part is.
enum Place {
    /// Where a later run finds it.
    Known(PathBuf),
    /// Where it goes with this value.
    Passing(TempPath),
}

impl Part {
    fn resume(content: Content, mut file: File, place: Place) -> io::Result<Self> {
        let mut hasher = Hasher::of(content);
        let done = digest_into(&mut file, &mut hasher)?;
        let mut part = Self { content, file, place, hasher, done };
        if done > content.size {
            part.restart()?;
        }
        Ok(part)
    }

    /// # Errors
    /// The file system's own: a full disk, above all.
    pub(crate) fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.hasher.update(bytes);
        self.done += bytes.len() as u64;
        Ok(())
    }

    /// Forgets what is there.
    ///
    /// # Errors
    /// The file system's own.
    pub(crate) fn restart(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.hasher = Hasher::of(self.content);
        self.done = 0;
        Ok(())
    }

    /// What the bytes that are there amount to.
    pub(crate) fn digest(&self) -> Digest {
        self.hasher.clone().finish()
    }

    pub(crate) fn path(&self) -> &Path {
        match &self.place {
            Place::Known(path) => path,
            Place::Passing(path) => path,
        }
    }
}

/// Where the user's own cache is; `None` where there is no home.
pub(crate) fn root(variables: &Variables) -> Option<PathBuf> {
    variables.cache_folder().map(|folder| folder.join(FOLDER))
}

/// Makes the folder where it is missing, and holds it against removal.
fn hold(root: &Path) -> io::Result<File> {
    made(root)?;
    let lock = OpenOptions::new().write(true).create(true).truncate(false).open(root.join("lock"))?;
    lock.lock_shared()?;
    // A folder that can be held but not written to is of no use.
    tempfile::tempfile_in(root)?;
    Ok(lock)
}

/// The folder, made if need be; nobody else's to read, since it may hold what is private on the Hub.
fn made(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// A file as it has to be in an image: readable by any user there, whatever this user's umask is.
fn settle(file: &File) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(0o644))
}

fn file_name(digest: Digest) -> String {
    digest.to_string().replace(':', "-")
}

fn key(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    format!("{}.json", hex::encode(&hasher.finalize()[..16]))
}

fn is_intact(path: &Path, content: Content) -> io::Result<bool> {
    let mut file = File::open(path)?;
    if file.metadata()?.len() != content.size {
        return Ok(false);
    }
    let mut hasher = Hasher::of(content);
    let size = digest_into(&mut file, &mut hasher)?;
    Ok(size == content.size && hasher.finish() == content.digest)
}

fn digest_into(file: &mut File, hasher: &mut Hasher) -> io::Result<u64> {
    let mut buffer = vec![0; 128 * 1024];
    let mut size = 0;
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(size),
            count => {
                hasher.update(&buffer[..count]);
                size += count as u64;
            }
        }
    }
}

/// What was used last goes last.
fn note_use(path: &Path) {
    let Ok(file) = File::open(path) else { return };
    let age = file.metadata().and_then(|metadata| metadata.modified()).map(|time| time.elapsed());
    if !matches!(age, Ok(Ok(age)) if age < FRESH) {
        let _ = file.set_modified(SystemTime::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(folder: &Path) -> Variables {
        [("XDG_CACHE_HOME", folder.as_os_str()), ("TMPDIR", folder.as_os_str())].into_iter().collect()
    }

    fn content(bytes: &[u8]) -> Content {
        Content { digest: Digest::Sha256(Sha256::digest(bytes).into()), size: bytes.len() as u64 }
    }

    #[test]
    fn what_is_kept_is_held_until_it_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(&variables(folder.path())).unwrap();
        let hello = content(b"hello\n");
        assert!(!cache.holds(hello));
        cache.keep(hello, b"hello\n").unwrap();
        assert!(cache.holds(hello));
        cache.place(hello, &folder.path().join("placed")).unwrap();
        assert_eq!(fs::read(folder.path().join("placed")).unwrap(), b"hello\n");
        assert_eq!(fs::metadata(folder.path().join("placed")).unwrap().permissions().mode() & 0o777, 0o644);
        fs::write(cache.path_of(hello), b"HELLO\n").unwrap();
        assert!(!cache.holds(hello), "it was damaged");
        assert!(!cache.path_of(hello).exists());
    }

    #[test]
    fn a_part_goes_on_where_it_ended() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(&variables(folder.path())).unwrap();
        let hello = content(b"hello\n");
        cache.part(hello).unwrap().add(b"hel").unwrap();
        let mut part = cache.part(hello).unwrap();
        assert_eq!(part.done, 3);
        let mut other = cache.part(hello).unwrap();
        assert_eq!(other.done, 0, "another run has one of its own");
        other.add(b"HELLO\n").unwrap();
        assert_ne!(other.digest(), hello.digest);
        other.restart().unwrap();
        other.add(b"hello\n").unwrap();
        part.add(b"lo\n").unwrap();
        assert_eq!((part.digest(), other.digest()), (hello.digest, hello.digest));
        cache.adopt(part).unwrap();
        cache.adopt(other).unwrap();
        assert!(cache.holds(hello));
        assert_eq!(fs::read_dir(folder.path().join("rlmesh-sandbox/hub/parts")).unwrap().count(), 0);
    }

    #[test]
    fn listings_and_names_come_back_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(&variables(folder.path())).unwrap();
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
    }

    #[test]
    fn without_a_cache_folder_there_is_a_temporary_one() {
        let folder = tempfile::tempdir().unwrap();
        let variables: Variables = [("TMPDIR", folder.path().as_os_str())].into_iter().collect();
        let cache = Cache::open(&variables).unwrap();
        cache.keep(content(b"x"), b"x").unwrap();
        assert!(cache.holds(content(b"x")));
        drop(cache);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
