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
        Some(folder) if shown.ends_with(".py") => problem.changes([Change::Source(folder.to_owned())]),
        _ => problem,
    }
}
