//! Which files of a folder do not go into an image: those that `.gitignore` and `.dockerignore` name, and what
//! Python and version control leave behind.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

/// The most that is read of a file with rules, in bytes.
const LONGEST_RULES: u64 = 1 << 20;

/// The rules for the files of one folder.
///
/// `.gitignore` counts as for git, also in subfolders, and in the folders above up to the root of the
/// repository. The `.dockerignore` of the folder counts as for docker, and takes precedence: `!PATH` there keeps a
/// file that git ignores.
pub(crate) struct IgnoreRules {
    /// One matcher for each line of `.dockerignore`, because the last line that matches decides.
    docker: Vec<Gitignore>,
    /// Those of the folders above, the outermost first.
    above: Vec<Gitignore>,
}

/// The rules of `.gitignore` at one place while a folder is walked.
#[derive(Clone, Default)]
pub(crate) struct GitRules {
    /// Those of this folder and of the folders above, the outermost first.
    files: Vec<Gitignore>,
    /// Whether git ignores this folder as a whole.
    is_ignored: bool,
}

impl IgnoreRules {
    /// Reads the rules of a folder, given by its absolute path.
    ///
    /// # Errors
    /// The path of the file that cannot be read, and why.
    pub(crate) fn of(folder: &Path) -> Result<Self, (PathBuf, io::Error)> {
        let mut docker = Vec::new();
        for line in read(&folder.join(".dockerignore"))?.unwrap_or_default().lines() {
            docker.extend(docker_rule(folder, line));
        }
        let mut above = Vec::new();
        let is_root = |folder: &Path| folder.join(".git").exists();
        if let Some(root) = folder.ancestors().find(|folder| is_root(folder)) {
            let between = folder.ancestors().skip(1).take_while(|above| above.starts_with(root));
            for folder in between {
                above.extend(gitignore(folder)?);
            }
            above.reverse();
        }
        Ok(Self { docker, above })
    }

    /// The rules at the folder itself.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub(crate) fn at_the_top(&self, folder: &Path) -> Result<GitRules, (PathBuf, io::Error)> {
        GitRules { files: self.above.clone(), is_ignored: false }.below(folder)
    }

    /// Whether a file, given by its absolute path, stays out of the image.
    pub(crate) fn exclude_file(&self, git: &GitRules, file: &Path) -> bool {
        is_left_behind(file, false) || self.docker(file, false).unwrap_or_else(|| git.ignore(file, false))
    }

    /// The rules inside a folder, given by its absolute path; `None` if nothing in it goes into the image.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub(crate) fn inside(
        &self,
        git: &GitRules,
        folder: &Path,
    ) -> Result<Option<GitRules>, (PathBuf, io::Error)> {
        if is_left_behind(folder, true) {
            return Ok(None);
        }
        let is_ignored = git.ignore(folder, true);
        let is_excluded = self.docker(folder, true).unwrap_or(is_ignored);
        // `.dockerignore` may keep a file of a folder that is excluded otherwise.
        if is_excluded && !self.docker.iter().any(|rule| rule.num_whitelists() > 0) {
            return Ok(None);
        }
        GitRules { files: git.files.clone(), is_ignored }.below(folder).map(Some)
    }

    /// Whether `.dockerignore` excludes a path; `None` if it says nothing about it.
    fn docker(&self, path: &Path, is_folder: bool) -> Option<bool> {
        self.docker.iter().rev().find_map(|rule| match rule.matched_path_or_any_parents(path, is_folder) {
            Match::None => None,
            Match::Ignore(_) => Some(true),
            Match::Whitelist(_) => Some(false),
        })
    }
}

impl GitRules {
    /// Adds the rules of the folder's own `.gitignore`.
    fn below(mut self, folder: &Path) -> Result<Self, (PathBuf, io::Error)> {
        self.files.extend(gitignore(folder)?);
        Ok(self)
    }

    fn ignore(&self, path: &Path, is_folder: bool) -> bool {
        let decided = self.files.iter().rev().find_map(|rules| match rules.matched(path, is_folder) {
            Match::None => None,
            Match::Ignore(_) => Some(true),
            Match::Whitelist(_) => Some(false),
        });
        // Git does not look into a folder that it ignores.
        self.is_ignored || decided.unwrap_or_default()
    }
}

/// Whether this is something that Python, version control or the system writes beside the code.
fn is_left_behind(path: &Path, is_folder: bool) -> bool {
    let name = path.file_name().unwrap_or_default();
    if is_folder {
        let is_metadata = path.extension().is_some_and(|end| end == "egg-info");
        name == ".git" || name == "__pycache__" || is_metadata || path.join("pyvenv.cfg").exists()
    } else {
        name == ".git" || name == ".DS_Store" || path.extension().is_some_and(|end| end == "pyc")
    }
}

fn gitignore(folder: &Path) -> Result<Option<Gitignore>, (PathBuf, io::Error)> {
    let Some(text) = read(&folder.join(".gitignore"))? else { return Ok(None) };
    let mut rules = GitignoreBuilder::new(folder);
    for line in text.lines() {
        // Git skips a line that is not a valid pattern.
        let _ = rules.add_line(None, line);
    }
    Ok(rules.build().ok())
}

/// A line of `.dockerignore`: a pattern is a whole path from the folder, with `**` for any number of folders.
fn docker_rule(folder: &Path, line: &str) -> Option<Gitignore> {
    let line = line.trim_start_matches('\u{feff}');
    if line.starts_with('#') {
        return None;
    }
    let (negation, pattern) = match line.trim().strip_prefix('!') {
        Some(rest) => ("!", rest.trim()),
        None => ("", line.trim()),
    };
    let parts: Vec<&str> = pattern.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.is_empty() {
        return None;
    }
    let mut rule = GitignoreBuilder::new(folder);
    rule.add_line(None, &format!("{negation}/{}", parts.join("/"))).ok()?;
    rule.build().ok()
}

/// The text of a file; `None` if it does not exist or is a folder.
fn read(file: &Path) -> Result<Option<String>, (PathBuf, io::Error)> {
    let failed = |error| Err((file.to_owned(), error));
    match std::fs::metadata(file) {
        Ok(found) if !found.is_file() => return Ok(None),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return failed(error),
    }
    let mut bytes = Vec::new();
    match File::open(file).and_then(|opened| opened.take(LONGEST_RULES).read_to_end(&mut bytes)) {
        Ok(_) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) => failed(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The files of a folder that are not excluded, sorted. Each path is written with its own name as its content,
    /// except those with rules.
    fn kept(folder: &Path, files: &[(&str, &str)]) -> String {
        for (path, content) in files {
            let file = folder.join(path);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, content).unwrap();
        }
        let rules = IgnoreRules::of(folder).unwrap();
        let mut found = Vec::new();
        walk(folder, folder, &rules, &rules.at_the_top(folder).unwrap(), &mut found);
        found.sort();
        found.join(" ")
    }

    fn walk(top: &Path, folder: &Path, rules: &IgnoreRules, git: &GitRules, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if let Some(git) = rules.inside(git, &path).unwrap() {
                    walk(top, &path, rules, &git, found);
                }
            } else if !rules.exclude_file(git, &path) {
                found.push(path.strip_prefix(top).unwrap().to_str().unwrap().to_owned());
            }
        }
    }

    #[test]
    fn gitignore_counts_as_for_git() {
        let folder = tempfile::tempdir().unwrap();
        let found = kept(
            folder.path(),
            &[
                (".gitignore", "*.log\n/out\ndata/\n!keep.log\n# a comment\n"),
                ("a.log", ""),
                ("keep.log", ""),
                ("out", ""),
                ("sub/out", ""),
                ("data/x", ""),
                ("data/keep.log", ""),
                ("sub/.gitignore", "!b.log\nsecret\n"),
                ("sub/b.log", ""),
                ("sub/secret", ""),
                ("secret", ""),
            ],
        );
        assert_eq!(found, ".gitignore keep.log secret sub/.gitignore sub/b.log sub/out");
    }

    #[test]
    fn gitignore_of_the_folders_above_counts_inside_a_repository_alone() {
        let parent = tempfile::tempdir().unwrap();
        std::fs::write(parent.path().join(".gitignore"), "*").unwrap();
        let repository = parent.path().join("repository");
        let folder = repository.join("envs/mine");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(repository.join(".gitignore"), "*.ckpt\nenvs/\n").unwrap();
        let files = [("env.py", ""), ("a.ckpt", "")];
        assert_eq!(kept(&folder, &files), "a.ckpt env.py", "there is no repository");
        std::fs::create_dir(repository.join(".git")).unwrap();
        assert_eq!(kept(&folder, &files), "env.py");
    }

    #[test]
    fn dockerignore_counts_as_for_docker_and_comes_first() {
        let folder = tempfile::tempdir().unwrap();
        let found = kept(
            folder.path(),
            &[
                (".dockerignore", "# a comment\n*.md\n./docs/\n**/*.tmp\n!data/model.bin\n!docs/a.txt\n"),
                (".gitignore", "data\n"),
                ("README.md", ""),
                ("sub/README.md", ""),
                ("docs/a.txt", ""),
                ("docs/b.txt", ""),
                ("x.tmp", ""),
                ("sub/deep/x.tmp", ""),
                ("data/model.bin", ""),
                ("data/other.bin", ""),
            ],
        );
        assert_eq!(found, ".dockerignore .gitignore data/model.bin docs/a.txt sub/README.md");
    }

    #[test]
    fn in_dockerignore_the_last_line_that_matches_decides() {
        for (lines, expected) in [("!a/b\na\n", ".dockerignore"), ("a\n!a/b\n", ".dockerignore a/b")] {
            let folder = tempfile::tempdir().unwrap();
            assert_eq!(kept(folder.path(), &[(".dockerignore", lines), ("a/b", ""), ("a/c", "")]), expected);
        }
    }

    #[test]
    fn what_is_left_behind_never_counts() {
        let folder = tempfile::tempdir().unwrap();
        let found = kept(
            folder.path(),
            &[
                ("env.py", ""),
                (".git/HEAD", ""),
                ("__pycache__/env.cpython-311.pyc", ""),
                ("sub/old.pyc", ""),
                ("my_env.egg-info/PKG-INFO", ""),
                (".venv/pyvenv.cfg", ""),
                (".venv/bin/python", ""),
                (".DS_Store", ""),
                (".dockerignore", "!**/*\n"),
            ],
        );
        assert_eq!(found, ".dockerignore env.py");
    }
}
