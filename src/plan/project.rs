//! `pyproject.toml`: whether a folder is a package, and what it depends on.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use serde::Deserialize;

use crate::error::{SandboxError, cannot_read};

pub(crate) const FILE: &str = "pyproject.toml";

/// The most that is read of it, in bytes.
const LONGEST: u64 = 4 << 20;

/// The parts of a `pyproject.toml` that say how to install it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Project {
    build_system: Option<toml::Value>,
    project: Option<Metadata>,
}

#[derive(Debug, Default, Deserialize)]
struct Metadata {
    #[serde(default)]
    dependencies: Vec<String>,
    #[serde(default)]
    dynamic: Vec<String>,
}

impl Project {
    /// Whether it can be built and installed. Many only have the settings of tools, or list the dependencies of
    /// code that is not meant to be built. `alone` is for a folder that has nothing else to serve.
    pub(crate) fn is_package(&self, alone: bool) -> bool {
        self.build_system.is_some()
            || self
                .project
                .as_ref()
                .is_some_and(|project| alone || project.dynamic.iter().any(|field| field == "dependencies"))
    }

    /// The requirements that it lists, one on each line.
    pub(crate) fn requirements(&self) -> String {
        let listed = self.project.iter().flat_map(|project| &project.dependencies);
        listed.map(|requirement| requirement.replace(['\r', '\n'], " ") + "\n").collect()
    }
}

/// Reads the `pyproject.toml` of a folder; `None` if there is none. One that is not valid counts as a package, so
/// that the installer reports what is wrong with it.
///
/// # Errors
/// [`SandboxError::System`] if it cannot be read.
pub(crate) fn read(folder: &Path) -> Result<Option<Project>, SandboxError> {
    let file = folder.join(FILE);
    let mut bytes = Vec::new();
    match File::open(&file).and_then(|opened| opened.take(LONGEST).read_to_end(&mut bytes)) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cannot_read(&file, &error, "check its permissions")),
    }
    let parsed = toml::from_str(&String::from_utf8_lossy(&bytes));
    let invalid = Project { build_system: Some(toml::Value::Boolean(true)), project: None };
    Ok(Some(parsed.unwrap_or(invalid)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_told_from_settings_and_lists_of_dependencies() {
        for (text, beside_env, alone) in [
            ("[tool.ruff]\nline-length = 100\n", false, false),
            ("[project]\nname = 'x'\ndependencies = ['six']\n", false, true),
            ("[project]\nname = 'x'\ndynamic = ['dependencies']\n", true, true),
            ("[build-system]\nrequires = ['hatchling']\n", true, true),
            ("not valid", true, true),
        ] {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join(FILE), text).unwrap();
            let project = read(folder.path()).unwrap().unwrap();
            assert_eq!((project.is_package(false), project.is_package(true)), (beside_env, alone), "{text}");
        }
        assert!(read(Path::new("/nowhere")).unwrap().is_none());
    }

    #[test]
    fn dependencies_are_requirements() {
        let text = "[project]\ndependencies = ['six', \"numpy<3 ; python_version > '3'\"]\n";
        let project: Project = toml::from_str(text).unwrap();
        assert_eq!(project.requirements(), "six\nnumpy<3 ; python_version > '3'\n");
    }
}
