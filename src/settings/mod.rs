//! The user's settings and options as plain values. Environment variables are only read here.
//!
//! The `Default` of these values does not depend on environment variables.

pub(crate) mod build;
pub(crate) mod container_variables;
pub(crate) mod duration;
mod endpoint;
pub(crate) mod hub;
pub(crate) mod isolation;
pub(crate) mod kwargs;
pub(crate) mod package_index;
#[cfg(feature = "cli")]
pub(crate) mod project_file;
pub(crate) mod requirement;
pub(crate) mod sandbox;
pub(crate) mod size;
#[cfg(feature = "cli")]
pub(crate) mod terminal;
pub(crate) mod values;
pub(crate) mod variables;

use std::path::PathBuf;

use crate::error::{Problem, SandboxError};
use crate::host::waits::Waits;
use crate::settings::hub::HubSettings;
use crate::settings::package_index::PackageIndex;
use crate::settings::variables::Variables;

/// The folders on this machine, and how to reach docker, the Hub and package indexes.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// The docker client: a path, or a name to look for on PATH. Default: `docker` on PATH.
    pub docker: Option<PathBuf>,
    /// Where temporary folders are created.
    pub temp_folder: PathBuf,
    /// The engine's endpoint, where it is known without asking docker: `unix:///var/run/docker.sock`.
    pub endpoint: Option<String>,
    /// Where downloads and locks are kept; `None` keeps none.
    pub cache_folder: Option<PathBuf>,
    /// Where logs of failed builds are kept; `None` keeps none.
    pub state_folder: Option<PathBuf>,
    /// The folder that `~` names in a source or a package; `None` if there is none.
    pub home_folder: Option<PathBuf>,
    /// How to reach the Hugging Face Hub.
    pub hub: HubSettings,
    /// Package indexes, proxies and certificates for the installers inside builds.
    pub package_index: PackageIndex,
    pub(crate) waits: Waits,
    /// The engine that the user selected; `None` if that is not known.
    pub(crate) engine: Option<String>,
}

impl Default for Settings {
    /// The system's temporary folder, the public Hub and PyPI, without a cache and without logs.
    fn default() -> Self {
        Self {
            docker: None,
            temp_folder: Variables::default().temp_folder(),
            endpoint: None,
            cache_folder: None,
            state_folder: None,
            home_folder: None,
            hub: HubSettings::default(),
            package_index: PackageIndex::default(),
            waits: Waits::default(),
            engine: None,
        }
    }
}

impl Settings {
    /// Reads the environment variables.
    ///
    /// # Errors
    /// [`SandboxError::InvalidOption`], which names the variable.
    pub fn from_variables(variables: &Variables) -> Result<Self, SandboxError> {
        let package_index = PackageIndex::with_ca_cert(None, variables)?;
        Ok(Self { hub: HubSettings::from_variables(variables)?, package_index, ..Self::local(variables)? })
    }

    /// Reads only the variables for docker and for folders, so that `stop` and `ps` work even if others are
    /// not valid.
    ///
    /// # Errors
    /// [`SandboxError::InvalidOption`] if the factor for waits is not valid.
    pub(crate) fn local(variables: &Variables) -> Result<Self, SandboxError> {
        Ok(Self {
            docker: variables.path("RLMESH_SANDBOX_DOCKER"),
            temp_folder: variables.temp_folder(),
            endpoint: endpoint::known(variables),
            cache_folder: variables.cache_folder(),
            state_folder: variables.state_folder(),
            home_folder: variables.path("HOME"),
            hub: HubSettings::default(),
            package_index: PackageIndex::default(),
            waits: variables.waits()?,
            engine: endpoint::selected(variables),
        })
    }

    /// The folder with the logs of failed builds and starts; `None` keeps none.
    pub(crate) fn logs_folder(&self) -> Option<PathBuf> {
        self.state_folder.as_ref().map(|state| state.join("logs"))
    }

    /// The cache folder, for features that need one.
    ///
    /// # Errors
    /// [`SandboxError::System`] if there is none.
    pub(crate) fn needed_cache_folder(&self) -> Result<&std::path::Path, SandboxError> {
        self.cache_folder.as_deref().ok_or_else(|| {
            SandboxError::System(Problem::new(
                "there is no cache folder: neither XDG_CACHE_HOME nor HOME is set",
                "set XDG_CACHE_HOME to a writable folder",
            ))
        })
    }
}
