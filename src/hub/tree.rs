//! The files of a commit, as far as they may be written to a disk: pure checks of names and sizes; it trusts no listing.

use std::collections::HashMap;
use std::fmt;

use serde::Deserialize;

use crate::hub::digest::{Content, Digest};

/// How many entries a repository may have: the Hub itself advises against more.
pub(crate) const MOST_ENTRIES: usize = 100_000;

/// The longest path in bytes; with what stands before it here and in the image, systems take twice that.
const LONGEST_PATH: usize = 2048;

/// The longest name in bytes that file systems take.
const LONGEST_NAME: usize = 255;

/// One entry of the Hub's listing, as it comes.
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

/// What the listing says of a file in LFS.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ListedLfs {
    pub(crate) oid: String,
    pub(crate) size: u64,
}

/// A file of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TreeFile {
    /// Relative, with slashes, safe to write.
    pub(crate) path: String,
    /// What the file holds.
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

    /// The bytes that all files have together.
    pub(crate) fn size(&self) -> u64 {
        self.files.iter().fold(0, |sum: u64, file| sum.saturating_add(file.content.size))
    }
}

/// Why a listing is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hostile {
    TooMany,
    /// The path, and what is wrong with it.
    Path(String, &'static str),
    /// Two paths that are one on some file systems.
    Clash(String, String),
    /// A path whose entry is malformed, and how.
    Entry(String, &'static str),
}

impl fmt::Display for Hostile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hostile::TooMany => write!(f, "it has more than {MOST_ENTRIES} files and folders"),
            Hostile::Path(path, problem) => write!(f, "the path {} {problem}", shown(path)),
            Hostile::Clash(one, other) => {
                write!(f, "the paths {} and {} are one on some file systems", shown(one), shown(other))
            }
            Hostile::Entry(path, problem) => write!(f, "the entry {} {problem}", shown(path)),
        }
    }
}

/// A name that nobody vouches for, short and with nothing in it that a terminal would act on.
fn shown(path: &str) -> String {
    let mut text: String = path.chars().take(120).flat_map(char::escape_debug).collect();
    if path.chars().nth(120).is_some() {
        text.push('…');
    }
    format!("'{text}'")
}

/// Takes entries in one by one and refuses the first that must not be written.
#[derive(Default)]
pub(crate) struct TreeBuilder {
    files: Vec<TreeFile>,
    /// Every path and every folder on the way to one, folded as file systems without case fold it.
    taken: HashMap<String, Taken>,
    entries: usize,
}

struct Taken {
    path: String,
    kind: Kind,
    /// Whether the listing has it, or only something in it.
    is_listed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Folder,
}

impl TreeBuilder {
    /// # Errors
    /// [`Hostile`]; nothing of the listing is to be used then.
    pub(crate) fn add(&mut self, entry: ListedEntry) -> Result<(), Hostile> {
        self.entries += 1;
        if self.entries > MOST_ENTRIES {
            return Err(Hostile::TooMany);
        }
        check_path(&entry.path)?;
        let kind = match entry.kind.as_str() {
            "file" => Kind::File,
            "directory" => Kind::Folder,
            "symlink" | "link" => return Err(Hostile::Entry(entry.path, "is a link")),
            "submodule" | "commit" => return Err(Hostile::Entry(entry.path, "is another repository")),
            _ => return Err(Hostile::Entry(entry.path, "is neither a file nor a folder")),
        };
        self.take(&entry.path, kind)?;
        if kind == Kind::File {
            let file = tree_file(entry)?;
            self.files.push(file);
        }
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Tree {
        self.files.sort_by(|one, other| one.path.cmp(&other.path));
        Tree { files: self.files }
    }

    fn take(&mut self, path: &str, kind: Kind) -> Result<(), Hostile> {
        for (end, _) in path.match_indices('/') {
            self.take_one(&path[..end], Kind::Folder, false)?;
        }
        self.take_one(path, kind, true)
    }

    fn take_one(&mut self, path: &str, kind: Kind, is_listed: bool) -> Result<(), Hostile> {
        let folded = path.to_lowercase();
        match self.taken.get_mut(&folded) {
            Some(taken) if taken.path != path || taken.kind != kind => {
                Err(Hostile::Clash(taken.path.clone(), path.to_owned()))
            }
            Some(taken) if taken.is_listed && is_listed => {
                Err(Hostile::Entry(path.to_owned(), "is listed twice"))
            }
            Some(taken) => {
                taken.is_listed |= is_listed;
                Ok(())
            }
            None => {
                self.taken.insert(folded, Taken { path: path.to_owned(), kind, is_listed });
                Ok(())
            }
        }
    }
}

fn tree_file(entry: ListedEntry) -> Result<TreeFile, Hostile> {
    let refused = |problem| Hostile::Entry(entry.path.clone(), problem);
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

/// Refuses whatever would not be a plain file below the folder that it is written to, on any system.
fn check_path(path: &str) -> Result<(), Hostile> {
    let problem = if path.is_empty() {
        "is empty"
    } else if path.len() > LONGEST_PATH {
        "is too long"
    } else if path.starts_with('/') {
        "is absolute"
    } else if path.chars().any(|c| c.is_control() || turns_text(c)) {
        "holds control characters"
    } else if path.contains('\\') {
        "holds a backslash, which is a separator on Windows"
    } else {
        match path.split('/').find_map(name_problem) {
            Some(problem) => problem,
            None => return Ok(()),
        }
    };
    Err(Hostile::Path(path.to_owned(), problem))
}

fn name_problem(name: &str) -> Option<&'static str> {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let is_numbered = |start: &str| {
        stem.strip_prefix(start).is_some_and(|rest| {
            matches!(rest, "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³")
        })
    };
    Some(match name {
        "" => "holds an empty name",
        "." | ".." => "leaves its folder",
        _ if name.len() > LONGEST_NAME => "holds a name that is too long",
        _ if name.eq_ignore_ascii_case(".git") || name.eq_ignore_ascii_case("git~1") => {
            "belongs to git itself"
        }
        _ if name.ends_with([' ', '.']) => {
            "holds a name that ends with a space or a dot, which Windows drops"
        }
        _ if name.contains(['<', '>', ':', '"', '|', '?', '*']) => {
            "holds a character that no file's name has on Windows"
        }
        _ if matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$")
            || is_numbered("COM")
            || is_numbered("LPT") =>
        {
            "is the name of a device on Windows"
        }
        _ => return None,
    })
}

/// Characters that make a name look like another one: marks of direction, and line breaks that are no control characters.
fn turns_text(c: char) -> bool {
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
    fn ordinary_trees_are_taken_whole() {
        let mut builder = TreeBuilder::default();
        builder.add(ListedEntry { kind: "directory".into(), ..entry("assets") }).unwrap();
        for path in [
            "assets/näme with space.bin",
            "env.py",
            ".gitattributes",
            "a.b/c-d_e+f/@g",
            "...x/..y",
            "comma/com10",
        ] {
            builder.add(entry(path)).unwrap_or_else(|hostile| panic!("{hostile}"));
        }
        let tree = builder.finish();
        assert_eq!(tree.files().len(), 6);
        assert_eq!(tree.file("env.py").unwrap().content.size, 6);
        assert!(tree.file("assets").is_none());
        assert_eq!(tree.size(), 36);
    }

    #[test]
    fn paths_that_are_no_plain_files_anywhere_are_refused() {
        for path in [
            "",
            "/etc/passwd",
            "../x",
            "a/../../x",
            "a/./b",
            "a//b",
            "a/",
            "..",
            "a\\b",
            "C:\\x",
            "c:x",
            "a\nb",
            "a\u{1b}[2J",
            "a\u{202e}b",
            ".git/config",
            "x/.GIT/hooks",
            "GIT~1/x",
            "con",
            "aux.py",
            "x/Com1.txt",
            "lpt9",
            "nul .txt",
            "a.",
            "a ",
            "a?b",
            "a*b",
            "<x>",
            "a|b",
            "a\"b",
            &"x".repeat(256),
            &"x/".repeat(1200),
        ] {
            let refused = refusal(vec![entry(path)]);
            assert!(refused.is_some(), "{path:?}");
            assert!(!refused.unwrap().contains(['\n', '\u{1b}', '\u{202e}']), "{path:?}");
        }
    }

    #[test]
    fn names_that_are_one_somewhere_are_refused() {
        for (one, other) in
            [("a", "A"), ("x/a", "X/b"), ("É", "é"), ("a", "a/b"), ("a/b", "a"), ("a", "a"), ("a/B/c", "a/b")]
        {
            assert!(refusal(vec![entry(one), entry(other)]).is_some(), "{one} {other}");
        }
        assert_eq!(refusal(vec![entry("x/a"), entry("x/b"), entry("y/a")]), None);
    }

    #[test]
    fn what_is_no_file_is_refused() {
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
}
