//! What the user wants: flags over environment variables over defaults, read once into plain values.
//!
//! Nothing below this room reads a variable. `Default` of every value here reads none either.

pub(crate) mod build;
pub(crate) mod duration;
pub(crate) mod hub;
pub(crate) mod kwargs;
pub(crate) mod package_index;
pub(crate) mod sandbox;
pub(crate) mod size;
#[cfg(feature = "cli")]
pub(crate) mod terminal;
pub(crate) mod variables;

use std::path::PathBuf;

use crate::error::{Problem, SandboxError};
use crate::settings::hub::HubSettings;
use crate::settings::package_index::PackageIndex;
use crate::settings::variables::Variables;

/// Where this machine keeps things, and how docker, the Hub and package indexes are reached.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// The docker client: a path, or a name to look for on PATH. Default: `docker` on PATH.
    pub docker: Option<PathBuf>,
    /// Where temporary folders go.
    pub temp_folder: PathBuf,
    /// Where downloads and locks are kept: `None` keeps none.
    pub cache_folder: Option<PathBuf>,
    /// Where logs of failed builds are kept: `None` keeps none.
    pub state_folder: Option<PathBuf>,
    /// How to reach the Hugging Face Hub.
    pub hub: HubSettings,
    /// Package indexes, proxies and certificates for the installers inside builds.
    pub package_index: PackageIndex,
}

impl Default for Settings {
    /// The system's own temporary folder, the public Hub and PyPI; no cache and no logs.
    fn default() -> Self {
        Self {
            docker: None,
            temp_folder: Variables::default().temp_folder(),
            cache_folder: None,
            state_folder: None,
            hub: HubSettings::default(),
            package_index: PackageIndex::default(),
        }
    }
}

impl Settings {
    /// What the environment variables say.
    ///
    /// # Errors
    /// [`SandboxError::InvalidOption`], which names the variable.
    pub fn from_variables(variables: &Variables) -> Result<Self, SandboxError> {
        let index = PackageIndex::from_variables(variables)?;
        let package_index = match package_index::certificates_file(None, variables)? {
            Some(file) => index.with_certificates(&file)?,
            None => index,
        };
        Ok(Self { hub: HubSettings::from_variables(variables)?, package_index, ..Self::local(variables) })
    }

    /// What the variables say of this machine alone: where others are wrong, `stop` and `ps` still work.
    pub(crate) fn local(variables: &Variables) -> Self {
        Self {
            docker: variables.path("RLMESH_SANDBOX_DOCKER"),
            temp_folder: variables.temp_folder(),
            cache_folder: variables.cache_folder(),
            state_folder: variables.state_folder(),
            hub: HubSettings::default(),
            package_index: PackageIndex::default(),
        }
    }

    /// The cache folder, for what cannot do without one.
    ///
    /// # Errors
    /// [`SandboxError::System`] where there is none.
    pub(crate) fn needed_cache_folder(&self) -> Result<&std::path::Path, SandboxError> {
        self.cache_folder.as_deref().ok_or_else(|| {
            SandboxError::System(Problem::new(
                "there is no cache folder: neither XDG_CACHE_HOME nor HOME is set",
                "set XDG_CACHE_HOME to a writable folder",
            ))
        })
    }
}
