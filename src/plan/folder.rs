//! A folder of this machine as a source: its files' digest, and what they serve.

use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::error::{Change, Problem, SandboxError};
use crate::hub::{ENV_FILE, REQUIREMENTS_FILE};
use crate::plan::local_files::Reading;
use crate::plan::project;
use crate::source::{FolderSourceRef, is_path};

/// The `env.py` of a package that has none. It serves the environment that the package registers.
pub(crate) const PACKAGE_ENV: &str = include_str!("package_env.py");

/// The folder of a source, in the form that is part of the build hash. Two copies of a folder have the same hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct LocalFolder {
    /// The absolute path without links.
    #[serde(skip)]
    pub(crate) path: String,
    /// The digest of its files, in lower-case hex: see [`Reading::digest`].
    pub(crate) sha256: String,
    /// The digest of the `env.py` that is added to a package without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) added_env: Option<String>,
    /// Whether it has a `requirements.txt`.
    #[serde(skip)]
    pub(crate) has_requirements: bool,
    /// Whether it is a package, which is installed.
    #[serde(skip)]
    pub(crate) is_package: bool,
}

/// Where paths on this machine start from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Places<'a> {
    /// The folder of relative paths.
    pub(crate) folder: &'a Path,
    /// The folder of `~`.
    pub(crate) home: Option<&'a Path>,
}

impl Places<'_> {
    /// The path that a user wrote.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn path(&self, text: &str) -> Result<PathBuf, Problem> {
        let Some(below) = text.strip_prefix('~') else { return Ok(self.folder.join(text)) };
        match (below.strip_prefix('/').or(below.is_empty().then_some("")), self.home) {
            (Some(below), Some(home)) => Ok(home.join(below.trim_start_matches('/'))),
            _ => Err(Problem::new(
                format!("{text} does not name a folder: the home folder is not known"),
                "use an absolute path",
            )),
        }
    }
}

/// Looks up the folder of a source, and reads all its files.
///
/// # Errors
/// SourceResolution: the folder cannot be read, or is not an environment. Interrupted.
pub(crate) fn resolve(
    source: &FolderSourceRef,
    places: &Places<'_>,
    reading: &Reading<'_>,
) -> Result<LocalFolder, SandboxError> {
    let shown = &source.path;
    let failed = SandboxError::SourceResolution;
    let path = places.path(shown).map_err(failed)?;
    let path = path.canonicalize().map_err(|error| failed(not_found(shown, &error)))?;
    if !path.is_dir() {
        return Err(failed(not_a_folder(shown)));
    }
    let Some(text) = path.to_str().filter(|text| !text.chars().any(char::is_control)) else {
        return Err(failed(Problem::new(
            format!("the path of the folder {shown} is not valid UTF-8, or contains a control character"),
            "rename or move the folder",
        )));
    };
    let files = reading.list(&path)?;
    let has_env = files.has(ENV_FILE);
    let is_package = if files.has("setup.py") {
        true
    } else {
        files.has(project::FILE) && project::read(&path)?.is_some_and(|project| project.is_package(!has_env))
    };
    if !has_env && !is_package {
        let problem = if files.is_empty() {
            Problem::new(
                format!("the folder {shown} is empty, or git or docker ignores all its files"),
                format!("to create an environment, run `rlmesh-sandbox init {shown}`"),
            )
        } else if path.join(ENV_FILE).is_file() {
            Problem::new(
                format!("{ENV_FILE} of the folder {shown} is excluded"),
                format!("add the line !{ENV_FILE} to {shown}/.dockerignore"),
            )
        } else {
            let problem = Problem::new(
                format!(
                    "the folder {shown} is not an environment: it has neither {ENV_FILE} nor a Python package"
                ),
                format!("add {ENV_FILE} with a function make_env, or run `rlmesh-sandbox init {shown}`"),
            );
            match files.ending("/env.py").and_then(|file| file.strip_suffix("/env.py")) {
                Some(folder) => problem
                    .hint(format!("it has {folder}/{ENV_FILE}"))
                    .changes([Change::Source(format!("{}/{folder}", shown.trim_end_matches('/')))]),
                None => problem,
            }
        };
        return Err(failed(problem));
    }
    Ok(LocalFolder {
        path: text.to_owned(),
        sha256: reading.digest(&files)?,
        added_env: (!has_env).then(|| hex::encode(Sha256::digest(PACKAGE_ENV))),
        has_requirements: files.has(REQUIREMENTS_FILE),
        is_package,
    })
}

fn not_found(shown: &str, error: &std::io::Error) -> Problem {
    if error.kind() == std::io::ErrorKind::NotFound {
        return Problem::new(
            format!("the folder {shown} does not exist"),
            format!("check the path; to create an environment there, run `rlmesh-sandbox init {shown}`"),
        );
    }
    Problem::new(format!("the folder {shown} cannot be read: {error}"), "check the path and its permissions")
}

fn not_a_folder(shown: &str) -> Problem {
    let problem = Problem::new(format!("{shown} is not a folder"), "use the folder that contains env.py");
    let folder = Path::new(shown).parent().and_then(Path::to_str).filter(|folder| is_path(folder));
    match folder {
        Some(folder) if shown.ends_with("/env.py") => problem.changes([Change::Source(folder.to_owned())]),
        _ => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::interrupt::Interrupt;

    /// Resolves the folder `my_env` with these files.
    fn resolve_with(files: &[(&str, &str)]) -> Result<LocalFolder, SandboxError> {
        let world = tempfile::tempdir().unwrap();
        std::fs::create_dir(world.path().join("my_env")).unwrap();
        for (path, content) in files {
            let file = world.path().join("my_env").join(path);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, content).unwrap();
        }
        resolve_in(world.path(), "./my_env")
    }

    fn resolve_in(world: &Path, source: &str) -> Result<LocalFolder, SandboxError> {
        let interrupt = Interrupt::default();
        let reading = Reading { limit: 1000, interrupt: &interrupt, kind: SandboxError::SourceResolution };
        let source = FolderSourceRef { path: source.to_owned() };
        resolve(&source, &Places { folder: world, home: Some(world) }, &reading)
    }

    fn refusal(files: &[(&str, &str)]) -> (String, String) {
        let error = resolve_with(files).unwrap_err();
        assert_eq!(error.kind(), "SourceResolution");
        (error.to_string(), error.hints().last().unwrap().clone())
    }

    #[test]
    fn what_a_folder_serves() {
        const PACKAGE: (&str, &str) = ("pyproject.toml", "[build-system]\n");
        let shape = |files: &[(&str, &str)]| {
            let found = resolve_with(files).unwrap();
            (found.added_env.is_none(), found.has_requirements, found.is_package)
        };
        assert_eq!(shape(&[("env.py", "")]), (true, false, false));
        assert_eq!(shape(&[("env.py", ""), ("requirements.txt", ""), PACKAGE]), (true, true, true));
        assert_eq!(shape(&[("env.py", ""), ("pyproject.toml", "[project]\n")]), (true, false, false));
        assert_eq!(shape(&[PACKAGE]), (false, false, true));
        assert_eq!(shape(&[("pyproject.toml", "[project]\n")]), (false, false, true));
        assert_eq!(shape(&[("setup.py", "")]), (false, false, true));
    }

    #[test]
    fn the_path_is_not_part_of_the_hash() {
        let found = resolve_with(&[("env.py", "")]).unwrap();
        let text = serde_json::to_string(&crate::plan::ResolvedSource::Folder(found.clone())).unwrap();
        assert_eq!(text, format!(r#"{{"kind":"folder","sha256":"{}"}}"#, found.sha256));
        assert_eq!(
            found,
            LocalFolder { path: found.path.clone(), ..resolve_with(&[("env.py", "")]).unwrap() }
        );
        let package = resolve_with(&[("setup.py", "")]).unwrap();
        assert!(serde_json::to_string(&package).unwrap().contains(r#","added_env":""#));
    }

    #[test]
    fn a_folder_that_is_not_an_environment() {
        let (message, hint) = refusal(&[]);
        assert!(
            message.contains("is empty") && hint.contains("rlmesh-sandbox init ./my_env"),
            "{message} {hint}"
        );
        let (message, hint) = refusal(&[("pyproject.toml", "[tool.ruff]\n")]);
        assert!(message.contains("neither env.py nor") && hint.contains("init ./my_env"), "{message} {hint}");
        assert_eq!(refusal(&[("a/b/env.py", "")]).1, "use ./my_env/a/b");
        let (message, hint) = refusal(&[("env.py", ""), (".gitignore", "env.py"), ("x", "")]);
        assert!(message.contains("is excluded") && hint.contains("!env.py"), "{message} {hint}");
    }

    #[test]
    fn paths_are_found_from_the_current_folder_and_from_home() {
        let world = tempfile::tempdir().unwrap();
        std::fs::create_dir(world.path().join("mine")).unwrap();
        std::fs::write(world.path().join("mine/env.py"), "").unwrap();
        let real = world.path().join("mine").canonicalize().unwrap();
        for source in ["./mine", "~/mine", real.to_str().unwrap(), "./mine/../mine"] {
            assert_eq!(resolve_in(world.path(), source).unwrap().path, real.to_str().unwrap(), "{source}");
        }
        let error = resolve_in(world.path(), "./gone").unwrap_err();
        assert_eq!(error.to_string(), "the folder ./gone does not exist");
        let error = resolve_in(world.path(), "./mine/env.py").unwrap_err();
        assert_eq!(
            (error.to_string().as_str(), error.hints().last().unwrap().as_str()),
            ("./mine/env.py is not a folder", "use ./mine")
        );
        assert!(Places { folder: world.path(), home: None }.path("~/x").is_err());
    }
}
