//! Options of a sandbox: what to serve, the content of its image, and how its container runs.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{Field, InvalidValue, SandboxError};
use crate::settings::isolation::ContainerOptions;
use crate::settings::kwargs::check_kwargs;
use crate::settings::size::{BuildMemory, size_of};
use crate::settings::values::{base_image, date, debian_package, each, import, one, requirement, wrapper};
use crate::settings::variables::Variables;

/// The most copies in one sandbox. Each needs memory, and the process that serves them creates all of them at the start.
const LARGEST_NUM_ENVS: u32 = 65_536;

/// The default limit for the total size of a Hugging Face repository's files, in bytes.
pub(crate) const DEFAULT_MAX_SOURCE_SIZE: u64 = 10 << 30;

/// How the copies of a vector environment are stepped, in Gymnasium's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum VectorizationMode {
    /// One after the other, in one process (`SyncVectorEnv`).
    #[default]
    Sync,
    /// Each in its own process (`AsyncVectorEnv`).
    Async,
}

impl VectorizationMode {
    /// The name that Gymnasium and rlmesh use.
    pub fn as_str(self) -> &'static str {
        match self {
            VectorizationMode::Sync => "sync",
            VectorizationMode::Async => "async",
        }
    }
}

impl fmt::Display for VectorizationMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What to serve, and the content of the image.
///
/// `None` and empty mean the default. `Default` reads no environment variables;
/// [`SandboxOptions::from_variables`] does.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct SandboxOptions {
    /// The image to build on. Default: [`crate::DEFAULT_BASE_IMAGE`].
    pub base_image: Option<String>,
    /// A pip requirement, the path of a wheel file, or `local`. Default: [`crate::default_rlmesh_package`].
    pub rlmesh_package: Option<String>,
    /// Pip requirements to install in addition to rlmesh and gymnasium, in this order.
    pub packages: Vec<String>,
    /// Debian packages to install: `NAME` or `NAME=VERSION`.
    pub apt: Vec<String>,
    /// Modules to import before the environment is created: `MODULE`, or `MODULE:FUNCTION` to call a function that
    /// registers environments.
    pub imports: Vec<String>,
    /// Wrappers to apply to the environment, as `MODULE:CLASS`: the first one is the innermost.
    pub wrap: Vec<String>,
    /// Leave out what known environments need: by default, their packages, imports, system packages, variables,
    /// arguments and wrappers are added as if they were given.
    pub no_auto: bool,
    /// Install the packages that were the newest on this date (`2025-03-31`). rlmesh itself may be newer.
    pub as_of: Option<String>,
    /// Keyword arguments for the environment: any JSON values.
    pub kwargs: Map<String, Value>,
    /// How many copies to serve as one vector environment. Default: 1; 0 is refused.
    pub num_envs: Option<u32>,
    /// How the copies are stepped. Default: [`VectorizationMode::Sync`].
    pub vectorization_mode: Option<VectorizationMode>,
    /// A lockfile with the exact packages to install and their hashes. If it does not exist, a build writes
    /// it.
    pub lock: Option<PathBuf>,
    /// Consent to run code from a Hugging Face repository.
    pub trust_remote_code: bool,
    /// Consent to a Hugging Face revision that can change under its name.
    pub allow_unpinned_hf: bool,
    /// The limit for the total size of a Hugging Face repository's files, in bytes. Default: 10 GiB.
    pub max_source_size: Option<u64>,
    /// The memory limit of the build. Default: [`BuildMemory::Off`].
    pub build_memory: Option<BuildMemory>,
}

impl SandboxOptions {
    /// The defaults, changed by the RLMESH_SANDBOX_* variables.
    ///
    /// # Errors
    /// [`SandboxError::InvalidOption`] if a variable is not UTF-8 or its value is not valid.
    pub fn from_variables(variables: &Variables) -> Result<Self, SandboxError> {
        Ok(Self {
            base_image: variables.parsed("RLMESH_SANDBOX_BASE_IMAGE", base_image)?,
            rlmesh_package: variables.parsed("RLMESH_SANDBOX_RLMESH_PACKAGE", requirement)?,
            max_source_size: variables.parsed("RLMESH_SANDBOX_MAX_SOURCE_SIZE", size_of)?,
            build_memory: variables.parsed("RLMESH_SANDBOX_BUILD_MEMORY", str::parse)?,
            ..Self::default()
        })
    }

    /// Trims and checks every text. The values of a library user have not been parsed before.
    ///
    /// # Errors
    /// [`SandboxError::InvalidOption`], which names the field.
    pub(crate) fn checked(self) -> Result<Self, SandboxError> {
        match self.num_envs {
            Some(0) => {
                let invalid = InvalidValue::new("it must be 1 or more", "use a whole number, 1 or more");
                return Err(Field::NUM_ENVS.invalid("0", &invalid));
            }
            Some(count) if count > LARGEST_NUM_ENVS => {
                let invalid = InvalidValue::new(
                    format!("one sandbox serves at most {LARGEST_NUM_ENVS} copies"),
                    "use fewer copies, and start several sandboxes if you need more",
                );
                return Err(Field::NUM_ENVS.invalid(&count.to_string(), &invalid));
            }
            _ => {}
        }
        check_kwargs(&self.kwargs)?;
        Ok(Self {
            base_image: one(Field::BASE_IMAGE, self.base_image.as_ref(), base_image)?,
            rlmesh_package: one(Field::RLMESH_PACKAGE, self.rlmesh_package.as_ref(), requirement)?,
            packages: each(Field::PACKAGES, &self.packages, requirement)?,
            apt: each(Field::APT, &self.apt, debian_package)?,
            imports: each(Field::IMPORTS, &self.imports, import)?,
            wrap: each(Field::WRAP, &self.wrap, wrapper)?,
            as_of: one(Field::AS_OF, self.as_of.as_ref(), date)?,
            ..self
        })
    }
}

/// Which process a container belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Ownership {
    /// The process that starts it.
    #[default]
    ThisProcess,
    /// Another process, by its id. It must exist.
    Process(u32),
    /// No process: the container runs until it is stopped.
    Detached,
}

/// How a container is started and stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunOptions {
    /// Which process the container belongs to.
    pub ownership: Ownership,
    /// The container's name. Default: `rlmesh-sandbox-`, the environment, and four characters.
    pub name: Option<String>,
    /// Environment variables of the container. They are not part of the image, its hash, or any command line. The
    /// last one with a name wins.
    pub env: Vec<(String, String)>,
    /// The size of `/dev/shm` in bytes. Default: Docker's, 64 MiB.
    pub shm_size: Option<u64>,
    /// What the container may do, and what it is given.
    pub container: ContainerOptions,
    /// How long it may run; then it is ended, even if the process that started it is gone. Default: no limit.
    pub ttl: Option<Duration>,
    /// How long to wait until it answers the handshake. Default: 30 s.
    pub ready_timeout: Duration,
    /// How long to wait until it stops before it is killed. Default: 10 s.
    pub stop_timeout: Duration,
    /// Whether to reset, step and render the environment once, and to stop it again if that fails. Each check may
    /// take a minute, or `ready_timeout` if that is longer. Default: no.
    pub check: bool,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            ownership: Ownership::ThisProcess,
            name: None,
            env: Vec::new(),
            shm_size: None,
            container: ContainerOptions::default(),
            ttl: None,
            ready_timeout: Duration::from_secs(30),
            stop_timeout: Duration::from_secs(10),
            check: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_read_and_blank_ones_are_ignored() {
        let variables: Variables =
            [("RLMESH_SANDBOX_BASE_IMAGE", " python:3.12 "), ("RLMESH_SANDBOX_RLMESH_PACKAGE", " \t")]
                .into_iter()
                .collect();
        let options = SandboxOptions::from_variables(&variables).unwrap();
        assert_eq!(options.base_image.as_deref(), Some("python:3.12"));
        assert_eq!(options.rlmesh_package, None);
        let wrong: Variables = [("RLMESH_SANDBOX_BASE_IMAGE", "--help")].into_iter().collect();
        let error = SandboxOptions::from_variables(&wrong).unwrap_err();
        assert!(error.to_string().starts_with("RLMESH_SANDBOX_BASE_IMAGE \"--help\""), "{error}");
    }

    #[test]
    fn texts_are_trimmed_and_a_bad_one_names_its_field() {
        let with = |change: fn(&mut SandboxOptions)| {
            let mut options = SandboxOptions::default();
            change(&mut options);
            options.checked()
        };
        let refusal = |change| {
            let error = with(change).unwrap_err();
            assert_eq!(error.kind(), "InvalidOption");
            error.to_string()
        };
        assert_eq!(with(|o| o.packages = vec![" numpy<2\n".into()]).unwrap().packages, ["numpy<2"]);
        assert!(refusal(|o| o.base_image = Some("  ".into())).starts_with("base_image (--base-image)"));
        assert!(refusal(|o| o.packages = vec!["a\nb".into()]).starts_with("packages"));
        assert!(refusal(|o| o.imports = vec!["a".into(), String::new()]).starts_with("imports"));
        assert!(refusal(|o| o.rlmesh_package = Some("a\rb".into())).starts_with("rlmesh_package"));
        for count in [0, LARGEST_NUM_ENVS + 1, u32::MAX] {
            let options = SandboxOptions { num_envs: Some(count), ..SandboxOptions::default() };
            assert!(options.checked().unwrap_err().to_string().starts_with("num_envs"), "{count}");
        }
    }
}
