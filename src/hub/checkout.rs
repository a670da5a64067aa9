//! Prepares a folder for a commit's files: checks the commit, creates the folders, and lists the downloads.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use url::Url;

use crate::error::{Problem, SandboxError};
use crate::host::run_dir::cannot_write;
use crate::hub::ENV_FILE;
use crate::hub::digest::Content;
use crate::hub::failure::{Fault, Request};
use crate::hub::fetch::Download;
use crate::hub::tree::{Tree, quote};
use crate::settings::size::HumanSize;

/// The commit to check out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Checkout<'a> {
    /// `org/repo`.
    pub(crate) repo: &'a str,
    /// A full commit id, in upper or lower case.
    pub(crate) commit: &'a str,
    /// The limit for the total size of the files, in bytes.
    pub(crate) limit: u64,
}

/// Checks a commit before anything is fetched.
///
/// # Errors
/// [`SandboxError::SourceResolution`] for a commit that is not an environment, or larger than `limit`.
pub(crate) fn check(tree: &Tree, limit: u64, request: &Request<'_>) -> Result<(), SandboxError> {
    if tree.file(ENV_FILE).is_none() {
        let problem = Problem::new(
            format!("{} is not an environment: it has no {ENV_FILE} at its root", request.what()),
            format!("run `rlmesh-sandbox ls {}` to list its files", request.what()),
        );
        let elsewhere = tree.files().iter().find(|file| file.path.ends_with("/env.py"));
        return Err(SandboxError::SourceResolution(match elsewhere {
            Some(file) => problem.hint(format!("it has {}, which must be at the root", file.path)),
            None => problem,
        }));
    }
    let size = tree.size();
    if size > limit {
        return Err(SandboxError::SourceResolution(Problem::new(
            format!(
                "{} has a size of {}, more than the limit of {}",
                request.what(),
                HumanSize(size),
                HumanSize(limit)
            ),
            format!("raise the limit with --max-source-size {}g", (size >> 30) + 1),
        )));
    }
    Ok(())
}

/// Creates the folder and its subfolders for the files. Any user of the image can read them.
///
/// # Errors
/// [`SandboxError::System`], also if two of the folders have the same name on the file system.
pub(crate) fn make_folders(tree: &Tree, root: &Path, request: &Request<'_>) -> Result<(), SandboxError> {
    let folders: BTreeSet<&Path> =
        tree.files().iter().flat_map(|file| Path::new(&file.path).ancestors().skip(1)).collect();
    // Sorted, so that a folder comes before its subfolders. The first is the empty path, which is the root.
    for folder in folders {
        let path = root.join(folder);
        fs::create_dir(&path)
            // Independent of the umask.
            .and_then(|()| fs::set_permissions(&path, Permissions::from_mode(0o755)))
            .map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => clash(tree, root, &path, request),
                _ => cannot_write(&path, &error),
            })?;
    }
    Ok(())
}

/// One download for each content: a file that a commit has under several paths is fetched once.
pub(crate) fn downloads(tree: &Tree, root: &Path, address: &dyn Fn(&str) -> Url) -> Vec<Download> {
    let mut indexes: HashMap<Content, usize> = HashMap::new();
    let mut downloads: Vec<Download> = Vec::new();
    for file in tree.files() {
        let destination = root.join(&file.path);
        match indexes.get(&file.content) {
            Some(&index) => downloads[index].destinations.push(destination),
            None => {
                indexes.insert(file.content, downloads.len());
                downloads.push(Download {
                    content: file.content,
                    path: file.path.clone(),
                    address: address(&file.path),
                    destinations: vec![destination],
                });
            }
        }
    }
    // Start the largest first, because they take the longest.
    downloads.sort_by_key(|download| std::cmp::Reverse(download.content.size));
    downloads
}

/// The error for a path that already exists although the folder was new: on a file system that ignores case
/// or the form of accents, it is another path of the commit.
pub(crate) fn clash(tree: &Tree, root: &Path, taken: &Path, request: &Request<'_>) -> SandboxError {
    let relative = taken.strip_prefix(root).unwrap_or(taken);
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let others: BTreeSet<&Path> = tree
        .files()
        .iter()
        .flat_map(|file| Path::new(&file.path).ancestors())
        .filter(|path| *path != relative && path.parent().is_some())
        .collect();
    let folded = text(relative).to_lowercase();
    let inode = |path: &Path| fs::symlink_metadata(path).ok().map(|found| (found.dev(), found.ino()));
    let inode_there = inode(taken);
    let other = others.iter().find(|path| text(path).to_lowercase() == folded).or_else(|| {
        others
            .iter()
            .find(|path| path.parent() == relative.parent() && inode(&root.join(path)) == inode_there)
    });
    let Some(other) = other else { return request.error(Fault::Occupied(taken.to_owned())) };
    SandboxError::System(Problem::new(
        format!(
            "{} has both {} and {}, which are the same name on the file system of {}",
            request.what(),
            quote(&text(other)),
            quote(&text(relative)),
            root.display()
        ),
        "set TMPDIR to a folder on a case-sensitive file system",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::interrupt::Interrupt;
    use crate::hub::cache::Cache;
    use crate::hub::digest::Digest;
    use crate::hub::tree::{ListedEntry, TreeBuilder};
    use crate::settings::hub::HubSettings;

    const EMPTY: &str = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";

    fn tree(paths: &[&str]) -> Tree {
        let mut builder = TreeBuilder::default();
        for path in paths {
            let (path, oid) = ((*path).to_owned(), EMPTY.to_owned());
            builder.add(ListedEntry { kind: "file".to_owned(), path, oid, size: 0, lfs: None }).unwrap();
        }
        builder.finish()
    }

    fn with_request<T>(work: impl FnOnce(&Request<'_>) -> T) -> T {
        let settings = HubSettings::default();
        work(&Request { settings: &settings, repo: "o/r", revision: Some("c"), file: None })
    }

    #[test]
    fn folders_are_made_once_each_for_any_user() {
        let parent = tempfile::tempdir().unwrap();
        let root = parent.path().join("source");
        let tree = tree(&["a/b/c/d", "a/b/e", "a.b/c", "env.py"]);
        with_request(|request| make_folders(&tree, &root, request)).unwrap();
        for folder in ["", "a", "a/b", "a/b/c", "a.b"] {
            let mode = fs::metadata(root.join(folder)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o755, "{folder}");
        }
    }

    /// Simulates a file system that ignores case.
    #[test]
    fn names_that_are_the_same_on_the_file_system_are_both_reported() {
        let parent = tempfile::tempdir().unwrap();
        let root = parent.path().join("source");
        fs::create_dir(&root).unwrap();
        let clash = |paths: &[&str], taken: &str| {
            with_request(|request| clash(&tree(paths), &root, &root.join(taken), request)).to_string()
        };
        let said = clash(&["env.py", "Assets/a", "assets/b"], "assets");
        assert!(said.contains("hf://o/r@c has both 'Assets' and 'assets'"), "{said}");
        let said = clash(&["x/A", "x/a", "a"], "x/a");
        assert!(said.contains("both 'x/A' and 'x/a'"), "{said}");
        // Different forms of an accent are found by the inode of the existing file.
        let (composed, decomposed) = ("caf\u{e9}", "cafe\u{301}");
        fs::write(root.join(composed), "").unwrap();
        fs::hard_link(root.join(composed), root.join(decomposed)).unwrap();
        let said = clash(&[composed, decomposed, "env.py"], decomposed);
        assert!(said.contains("both 'caf\u{e9}' and 'cafe"), "{said}");
        assert!(clash(&["env.py"], "env.py").contains("already exists"));
    }

    #[test]
    fn an_existing_file_is_not_overwritten() {
        let parent = tempfile::tempdir().unwrap();
        let root = parent.path().join("source");
        let cache =
            Cache::open(Some(&parent.path().join("hub")), parent.path(), &Interrupt::default()).unwrap();
        let tree = tree(&["A", "a"]);
        with_request(|request| make_folders(&tree, &root, request)).unwrap();
        fs::write(root.join("a"), "of another name").unwrap();
        let downloads = downloads(&tree, &root, &|_| Url::parse("http://127.0.0.1").unwrap());
        assert_eq!(downloads.len(), 1);
        let failed = crate::hub::fetch::fetch(None, &cache, "c", downloads, &mut |_| {}).unwrap_err();
        assert!(matches!(failed.fault, Fault::Occupied(path) if path == root.join("a")));
        assert_eq!(fs::read(root.join("a")).unwrap(), b"of another name");
        let said = with_request(|request| make_folders(&tree, &root, request)).unwrap_err().to_string();
        assert!(said.contains("already exists"), "{said}");
        assert_eq!(Digest::git_blob(EMPTY).unwrap(), tree.files()[0].content.digest);
    }
}
