//! Files and folders as candidates.

use std::path::{Path, PathBuf};

use super::Candidate;

/// The most entries of a folder that are read.
const MOST_ENTRIES: usize = 10_000;

/// What a path is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Any file.
    File,
    /// Any folder.
    Folder,
    /// A file that can be executed.
    Program,
    /// A folder that can be a source.
    Environment,
    /// A folder with a Python package, or the archive of one.
    Package,
    Wheel,
}

impl Wanted {
    /// What an entry is, if it is wanted.
    fn description(self, path: &Path, is_folder: bool) -> Option<&'static str> {
        let has = |files: &[&'static str]| files.iter().find(|file| path.join(file).is_file()).copied();
        let name = || path.file_name().unwrap_or_default().to_string_lossy();
        match self {
            Self::File => (!is_folder).then_some(""),
            Self::Folder => is_folder.then_some(""),
            Self::Program => (!is_folder && which::which(path).is_ok()).then_some(""),
            Self::Environment if is_folder => has(&["env.py", "pyproject.toml", "setup.py"]),
            Self::Package if is_folder => has(&["pyproject.toml", "setup.py"]),
            Self::Package => [".whl", ".tar.gz"].iter().any(|end| name().ends_with(end)).then_some(""),
            Self::Wheel => (!is_folder && name().ends_with(".whl")).then_some(""),
            Self::Environment => None,
        }
    }
}

/// The paths that continue the word. Folders end in a slash, and are also there to lead to others: only the wanted
/// ones have a description. `home` is what `~` stands for.
pub(super) fn paths(word: &str, wanted: Wanted, home: Option<&Path>) -> Vec<Candidate> {
    if word == "~" {
        return vec![Candidate::new("~/", "")];
    }
    let (folder, start) = match word.rfind('/') {
        Some(slash) => word.split_at(slash + 1),
        None => ("", word),
    };
    let mut candidates: Vec<Candidate> = entries(folder, start, home)
        .filter_map(|(name, path)| {
            let is_folder = path.is_dir();
            let description = wanted.description(&path, is_folder);
            let end = if is_folder { "/" } else { "" };
            (is_folder || description.is_some())
                .then(|| Candidate::new(format!("{folder}{name}{end}"), description.unwrap_or_default()))
        })
        .collect();
    // `..` is not an entry, but leads to others.
    if start == ".." {
        candidates.push(Candidate::new(format!("{folder}../"), ""));
    }
    candidates.sort_by(|a, b| a.value.cmp(&b.value));
    candidates
}

/// The wanted entries of the current folder, as `./NAME`. The folder itself is `.`.
pub(super) fn here(wanted: Wanted) -> Vec<Candidate> {
    let own = wanted.description(Path::new("."), true).map(|description| Candidate::new(".", description));
    let mut candidates = paths("./", wanted, None);
    candidates.retain(|candidate| !candidate.value.ends_with('/') || !candidate.description.is_empty());
    candidates.extend(own);
    candidates
}

fn entries(folder: &str, start: &str, home: Option<&Path>) -> impl Iterator<Item = (String, PathBuf)> {
    let path = match (folder.strip_prefix("~/"), home) {
        (Some(below), Some(home)) => home.join(below),
        _ if folder.is_empty() => PathBuf::from("."),
        _ => PathBuf::from(folder),
    };
    let entries = std::fs::read_dir(path).into_iter().flatten().filter_map(Result::ok).take(MOST_ENTRIES);
    entries
        .filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())))
        // As in every shell, a dot must be typed to see hidden files.
        .filter(move |(name, _)| {
            name.starts_with(start) && (start.starts_with('.') || !name.starts_with('.'))
        })
        .collect::<Vec<_>>()
        .into_iter()
}
