//! The files of a commit, out of a listing that is not trusted: each path is checked before it is written to a disk.

use std::collections::HashMap;
use std::fmt;

use serde::Deserialize;

use crate::hub::digest::{Content, Digest};

/// The most files and folders that a repository may have: the Hub advises against more.
const MOST_ENTRIES: usize = 100_000;

/// The longest path, in bytes. Systems allow twice that, with the folders before it here and in the image.
const LONGEST_PATH: usize = 2048;

/// The longest name that file systems allow, in bytes.
const LONGEST_NAME: usize = 255;

/// One entry of the Hub's listing, unchecked.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ListedEntry {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) path: String,
    #[serde(default)]
    pub(crate) oid: String,
    #[serde(default)]
    pub(crate) size: u64,
    #[serde(default)]
    pub(crate) lfs: Option<ListedLfs>,
}

/// What the listing says about a file in LFS.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ListedLfs {
    pub(crate) oid: String,
    pub(crate) size: u64,
}

/// A file of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TreeFile {
    /// Relative, with slashes, and safe to write.
    pub(crate) path: String,
    pub(crate) content: Content,
    /// Whether the repository keeps it in LFS, rather than in git itself.
    pub(crate) is_lfs: bool,
}

/// The files of a commit, sorted by path.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Tree {
    files: Vec<TreeFile>,
}

impl Tree {
    pub(crate) fn files(&self) -> &[TreeFile] {
        &self.files
    }

    pub(crate) fn file(&self, path: &str) -> Option<&TreeFile> {
        let at = self.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok()?;
        Some(&self.files[at])
    }

    /// The size of all files together, in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.files.iter().fold(0, |sum: u64, file| sum.saturating_add(file.content.size))
    }
}

/// Why a listing must not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ListingError {
    TooMany,
    /// A path, and what is wrong with it.
    Path(String, &'static str),
}

impl fmt::Display for ListingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListingError::TooMany => write!(f, "it has more than {MOST_ENTRIES} files and folders"),
            ListingError::Path(path, problem) => write!(f, "the path {} {problem}", quote(path)),
        }
    }
}

/// A path in quotes for messages: its start, with everything escaped that a terminal might act on.
pub(crate) fn quote(path: &str) -> String {
    const LONGEST: usize = 120;
    let mut text: String = path.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if path.chars().nth(LONGEST).is_some() {
        text.push('…');
    }
    format!("'{text}'")
}

/// Makes a tree of entries that are added one by one.
#[derive(Default)]
pub(crate) struct TreeBuilder {
    files: Vec<TreeFile>,
    /// Every path of an entry, and every folder that it is in.
    paths: HashMap<String, Taken>,
}

struct Taken {
    is_folder: bool,
    /// Whether it has an entry of its own, rather than being the folder of another one.
    is_listed: bool,
}

impl TreeBuilder {
    /// # Errors
    /// [`ListingError`]; nothing of the listing must be used then.
    pub(crate) fn add(&mut self, entry: ListedEntry) -> Result<(), ListingError> {
        check_path(&entry.path)?;
        let is_folder = match entry.kind.as_str() {
            "file" => false,
            "directory" => true,
            "symlink" | "link" => return Err(ListingError::Path(entry.path, "is a link")),
            "submodule" | "commit" => return Err(ListingError::Path(entry.path, "is a submodule")),
            _ => return Err(ListingError::Path(entry.path, "is neither a file nor a folder")),
        };
        for (end, _) in entry.path.match_indices('/') {
            self.take(&entry.path[..end], true, false)?;
        }
        self.take(&entry.path, is_folder, true)?;
        if !is_folder {
            self.files.push(tree_file(entry)?);
        }
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Tree {
        self.files.sort_by(|one, other| one.path.cmp(&other.path));
        Tree { files: self.files }
    }

    fn take(&mut self, path: &str, is_folder: bool, is_listed: bool) -> Result<(), ListingError> {
        if let Some(taken) = self.paths.get_mut(path) {
            if taken.is_folder != is_folder {
                return Err(ListingError::Path(path.to_owned(), "is both a file and a folder"));
            }
            if taken.is_listed && is_listed {
                return Err(ListingError::Path(path.to_owned(), "is listed twice"));
            }
            taken.is_listed |= is_listed;
            return Ok(());
        }
        // Folders count too: a few long paths could name any number of them.
        if self.paths.len() >= MOST_ENTRIES {
            return Err(ListingError::TooMany);
        }
        self.paths.insert(path.to_owned(), Taken { is_folder, is_listed });
        Ok(())
    }
}

fn tree_file(entry: ListedEntry) -> Result<TreeFile, ListingError> {
    let refused = |problem| ListingError::Path(entry.path.clone(), problem);
    let digest = match &entry.lfs {
        None => Digest::git_blob(&entry.oid).ok_or_else(|| refused("has no git id"))?,
        Some(lfs) if lfs.size != entry.size => return Err(refused("is listed with two sizes")),
        Some(lfs) => {
            let oid = lfs.oid.strip_prefix("sha256:").unwrap_or(&lfs.oid);
            Digest::sha256(oid).ok_or_else(|| refused("has no LFS digest"))?
        }
    };
    let content = Content { digest, size: entry.size };
    Ok(TreeFile { is_lfs: entry.lfs.is_some(), path: entry.path, content })
}

/// Refuses a path that is not one of a plain file below the folder that it is written to.
///
/// What only Windows gives a meaning to (`aux.py`, `a:b`, a dot or space at the end, a backslash) is an
/// ordinary name wherever this program runs, for docker, and in an image.
fn check_path(path: &str) -> Result<(), ListingError> {
    let problem = if path.is_empty() {
        "is empty"
    } else if path.len() > LONGEST_PATH {
        "is too long"
    } else if path.starts_with('/') {
        "is absolute"
    } else if path.chars().any(|c| c.is_control() || is_format_mark(c)) {
        "contains control characters"
    } else {
        match path.split('/').find_map(name_problem) {
            Some(problem) => problem,
            None => return Ok(()),
        }
    };
    Err(ListingError::Path(path.to_owned(), problem))
}

fn name_problem(name: &str) -> Option<&'static str> {
    Some(match name {
        "" => "contains an empty name",
        "." | ".." => "leaves its folder",
        _ if name.len() > LONGEST_NAME => "contains a name that is too long",
        // In any case, for file systems that ignore it.
        _ if name.eq_ignore_ascii_case(".git") => "belongs to git itself",
        _ => return None,
    })
}

/// Characters that make one name look like another: marks of the writing direction, and the line breaks that are
/// not control characters.
fn is_format_mark(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    const OID: &str = "ce013625030ba8dba906f756967f9e9ca394464a";

    fn entry(path: &str) -> ListedEntry {
        ListedEntry { kind: "file".into(), path: path.into(), oid: OID.into(), size: 6, lfs: None }
    }

    fn refusal(entries: Vec<ListedEntry>) -> Option<String> {
        let mut builder = TreeBuilder::default();
        entries.into_iter().find_map(|entry| builder.add(entry).err()).map(|hostile| hostile.to_string())
    }

    #[test]
    fn ordinary_trees_are_complete() {
        let mut builder = TreeBuilder::default();
        builder.add(ListedEntry { kind: "directory".into(), ..entry("assets") }).unwrap();
        let paths = [
            "assets/näme with space.bin",
            "env.py",
            ".gitattributes",
            "a.b/c-d_e+f/@g",
            "...x/..y",
            // What Windows does not allow, or gives a meaning to.
            "aux.py",
            "con/nul",
            "a:b.json",
            "c:/x",
            "ends with a dot./and a space ",
            "<x>|*?\"",
            "back\\slash",
            "..\\x",
            "git~1/x",
            // What is one name on some file systems.
            "ENV.py",
            "Assets/x",
            "É",
            "é",
            "e\u{301}",
        ];
        for path in paths {
            builder.add(entry(path)).unwrap_or_else(|error| panic!("{error}"));
        }
        let tree = builder.finish();
        assert_eq!(tree.files().len(), paths.len());
        assert_eq!(tree.file("env.py").unwrap().content.size, 6);
        assert!(tree.file("assets").is_none());
        assert_eq!(tree.size(), 6 * paths.len() as u64);
    }

    #[test]
    fn paths_that_are_not_those_of_plain_files_are_refused() {
        for path in [
            "",
            "/etc/passwd",
            "../x",
            "a/../../x",
            "a/./b",
            "a//b",
            "a/",
            "..",
            "a\nb",
            "a\u{1b}[2J",
            "a\u{202e}b",
            "a\u{2028}b",
            ".git/config",
            "x/.GIT/hooks",
            &"x".repeat(256),
            &"x/".repeat(1200),
        ] {
            let refused = refusal(vec![entry(path)]);
            assert!(refused.is_some(), "{path:?}");
            assert!(!refused.unwrap().contains(['\n', '\u{1b}', '\u{202e}']), "{path:?}");
        }
    }

    #[test]
    fn a_path_is_one_file_or_one_folder() {
        for (one, other, problem) in [
            ("a", "a/b", "the path 'a' is both a file and a folder"),
            ("a/b", "a", "the path 'a' is both a file and a folder"),
            ("a/B/c", "a/B", "the path 'a/B' is both a file and a folder"),
            ("a", "a", "the path 'a' is listed twice"),
        ] {
            assert_eq!(refusal(vec![entry(one), entry(other)]).as_deref(), Some(problem));
        }
        assert_eq!(refusal(vec![entry("x/a"), entry("x/b"), entry("y/a")]), None);
    }

    #[test]
    fn what_is_not_a_file_is_refused() {
        for kind in ["symlink", "submodule", "commit", "fifo", ""] {
            assert!(refusal(vec![ListedEntry { kind: kind.into(), ..entry("a") }]).is_some(), "{kind}");
        }
        let oid = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        let lfs = |oid: &str, size| Some(ListedLfs { oid: oid.into(), size });
        assert_eq!(refusal(vec![ListedEntry { lfs: lfs(oid, 6), ..entry("a") }]), None);
        for lfs in [lfs("12", 6), lfs(oid, 7)] {
            assert!(refusal(vec![ListedEntry { lfs, ..entry("a") }]).is_some());
        }
        assert!(refusal(vec![ListedEntry { oid: "12".into(), ..entry("a") }]).is_some());
    }

    #[test]
    fn a_million_entries_are_not_even_read() {
        let mut builder = TreeBuilder::default();
        let taken =
            (0..1_000_000).take_while(|number| builder.add(entry(&format!("f{number}"))).is_ok()).count();
        assert_eq!(taken, MOST_ENTRIES);
    }

    #[test]
    fn folders_count_as_entries() {
        let mut builder = TreeBuilder::default();
        let deep = "/x".repeat(900);
        let taken =
            (0..1000).take_while(|number| builder.add(entry(&format!("f{number}{deep}"))).is_ok()).count();
        assert_eq!(taken, MOST_ENTRIES / 901);
    }
}
