//! Plans: the result of all lookups, before anything is started. A plan's spec decides the image's content,
//! build hash and tag.

pub(crate) mod additions;
pub(crate) mod bootstrap;
pub(crate) mod folder;
mod ignore_rules;
pub(crate) mod local_files;
pub(crate) mod local_package;
pub(crate) mod lockfile;
pub(crate) mod project;
pub(crate) mod resolve;
pub(crate) mod rlmesh_package;
pub(crate) mod startup;

use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::contract::{BOOTSTRAP_SCHEMA_VERSION, IMAGE_PREFIX};
use crate::plan::additions::Additions;
use crate::plan::folder::LocalFolder;
use crate::plan::local_package::LocalPackage;
use crate::plan::lockfile::Lockfile;
use crate::plan::rlmesh_package::RlmeshPackage;
use crate::settings::sandbox::VectorizationMode;
use crate::settings::size::BuildMemory;
use crate::source::{EnvironmentSourceRef, FolderSourceRef, GymSourceRef, HfSourceRef, ImageSourceRef};

/// Docker's limit for the length of an image's name, without its tag.
const LONGEST_IMAGE_NAME: usize = 255;

/// What to run: the image, and the parameters of its container.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    pub(crate) image: PlannedImage,
    pub(crate) serving: Serving,
    /// What was added because the environment is known to need it.
    pub(crate) additions: Additions,
}

/// Where the image comes from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum PlannedImage {
    /// This tool builds the image.
    Built(Box<BuildPlan>),
    /// The reference of an image that is run unchanged.
    Prebuilt(String),
}

/// What to build, and how.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BuildPlan {
    pub(crate) spec: EffectiveSpec,
    /// The limit for the total size of a Hugging Face repository's or a folder's files, in bytes.
    pub(crate) max_source_size: u64,
    pub(crate) build_memory: BuildMemory,
    /// The lockfile to write after the build.
    pub(crate) lockfile_to_write: Option<PathBuf>,
}

/// Everything that decides the content of the image, validated and resolved. The build hash is computed from
/// it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EffectiveSpec {
    pub(crate) source: ResolvedSource,
    pub(crate) base_image: String,
    pub(crate) rlmesh_package: RlmeshPackage,
    pub(crate) packages: Vec<String>,
    pub(crate) imports: Vec<String>,
    /// Debian packages.
    pub(crate) apt: Vec<String>,
    /// If set, only its packages are installed.
    pub(crate) lockfile: Option<Lockfile>,
    /// Wrappers, as `MODULE:CLASS`.
    pub(crate) wrap: Vec<String>,
    /// The date of which the newest packages are installed: `2025-03-31`.
    pub(crate) as_of: Option<String>,
    /// Those of `packages` that are files and folders of this machine.
    pub(crate) local_packages: Vec<LocalPackage>,
}

/// A source after all lookups, in the form that is part of the build hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum ResolvedSource {
    Gym {
        env_id: String,
    },
    Hf {
        repo: String,
        /// A full commit id, in upper or lower case as the user wrote it.
        resolved_revision: String,
        suite: Option<String>,
        task: Option<String>,
    },
    Folder(LocalFolder),
}

/// The parameters of a container. They are not part of the image or its hash.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Serving {
    pub(crate) kwargs: Map<String, Value>,
    /// Variables that the environment's family needs. The user's own win.
    pub(crate) variables: Vec<(String, String)>,
    pub(crate) num_envs: u32,
    /// `None` if the user did not choose: a built image then uses `sync`, and a prebuilt image its own
    /// default.
    pub(crate) vectorization_mode: Option<VectorizationMode>,
}

impl ResolvedSource {
    /// The same source as a user would write it; its `Display` is the canonical text.
    pub(crate) fn to_ref(&self) -> EnvironmentSourceRef {
        match self.clone() {
            ResolvedSource::Gym { env_id } => EnvironmentSourceRef::Gym(GymSourceRef { env_id }),
            ResolvedSource::Hf { repo, resolved_revision, suite, task } => {
                EnvironmentSourceRef::Hf(HfSourceRef { repo, revision: Some(resolved_revision), suite, task })
            }
            ResolvedSource::Folder(folder) => {
                EnvironmentSourceRef::Folder(FolderSourceRef { path: folder.path })
            }
        }
    }
}

/// The object that is hashed. The order of its fields is part of the format. Add new fields at the end, and
/// skip them when they are empty, so that no existing hash changes.
#[derive(Serialize)]
struct BuildInputs<'a> {
    schema_version: u32,
    source: &'a ResolvedSource,
    base_image: &'a str,
    rlmesh_package: &'a RlmeshPackage,
    packages: &'a [String],
    imports: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    apt: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    lock: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    wrap: &'a [String],
    /// The digest of the startup package, if the image needs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    startup: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of: Option<&'a str>,
    /// The digests of the local packages, in their order among the packages.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    local: Vec<&'a str>,
}

impl EffectiveSpec {
    /// The compact JSON from which the build hash is computed.
    pub(crate) fn canonical_json(&self) -> String {
        let inputs = BuildInputs {
            schema_version: BOOTSTRAP_SCHEMA_VERSION,
            source: &self.source,
            base_image: &self.base_image,
            rlmesh_package: &self.rlmesh_package,
            packages: &self.packages,
            imports: &self.imports,
            apt: &self.apt,
            lock: self.lockfile.as_ref().map(|lockfile| lockfile.sha256.as_str()),
            wrap: &self.wrap,
            startup: startup::is_needed(self).then(startup::digest),
            as_of: self.as_of.as_deref(),
            local: self.local_packages.iter().map(|package| package.sha256.as_str()).collect(),
        };
        serde_json::to_string(&inputs).unwrap_or_else(|error| unreachable!("texts always serialize: {error}"))
    }

    /// 64 lower-case hex digits: SHA-256 of [`Self::canonical_json`].
    pub(crate) fn build_hash(&self) -> String {
        hex::encode(Sha256::digest(self.canonical_json()))
    }

    /// The packages as arguments of the installer, where the local ones are in a folder of the build.
    pub(crate) fn packages_in(&self, folder: &str) -> Vec<String> {
        let mut packages = self.packages.clone();
        for local in &self.local_packages {
            packages[local.position] = local.requirement_in(folder);
        }
        packages
    }

    /// `rlmesh-sandbox-<slug>:<first 12 digits of the hash>`.
    pub(crate) fn image_tag(&self) -> String {
        format!("{IMAGE_PREFIX}{}:{}", self.source.to_ref().slug(), &self.build_hash()[..12])
    }
}

impl Plan {
    /// The source after all lookups.
    pub(crate) fn resolved_source(&self) -> EnvironmentSourceRef {
        match &self.image {
            PlannedImage::Built(build) => build.spec.source.to_ref(),
            PlannedImage::Prebuilt(reference) => {
                EnvironmentSourceRef::Image(ImageSourceRef { reference: reference.clone() })
            }
        }
    }

    /// The name of the image that the container is started from.
    pub(crate) fn image_name(&self) -> String {
        match &self.image {
            PlannedImage::Built(build) => build.spec.image_tag(),
            PlannedImage::Prebuilt(reference) => reference.clone(),
        }
    }

    /// The build hash; a prebuilt image has none.
    pub(crate) fn build_hash(&self) -> Option<String> {
        self.build().map(|build| build.spec.build_hash())
    }

    pub(crate) fn build(&self) -> Option<&BuildPlan> {
        match &self.image {
            PlannedImage::Built(build) => Some(build),
            PlannedImage::Prebuilt(_) => None,
        }
    }

    /// Whether the build writes a lockfile.
    pub(crate) fn writes_lockfile(&self) -> bool {
        self.build().is_some_and(|build| build.lockfile_to_write.is_some())
    }

    /// Whether the image's name is short enough for Docker.
    pub(crate) fn image_name_fits(&self) -> bool {
        match &self.image {
            PlannedImage::Built(_) => {
                IMAGE_PREFIX.len() + self.resolved_source().slug().len() <= LONGEST_IMAGE_NAME
            }
            PlannedImage::Prebuilt(_) => true,
        }
    }
}

/// Specs and plans for tests.
#[cfg(test)]
pub(crate) mod samples {
    use super::*;

    /// The spec of `gym://ENV_ID` with the defaults.
    pub(crate) fn gym(env_id: &str) -> EffectiveSpec {
        spec(ResolvedSource::Gym { env_id: env_id.to_owned() })
    }

    /// The spec of `hf://org/repo` at commit 0….
    pub(crate) fn hf() -> EffectiveSpec {
        let (repo, resolved_revision) = ("org/repo".to_owned(), "0".repeat(40));
        spec(ResolvedSource::Hf { repo, resolved_revision, suite: None, task: None })
    }

    fn spec(source: ResolvedSource) -> EffectiveSpec {
        EffectiveSpec {
            source,
            base_image: "python:3.11-slim".to_owned(),
            rlmesh_package: RlmeshPackage::Pip { spec: "rlmesh==0.1.0".to_owned() },
            packages: Vec::new(),
            imports: Vec::new(),
            apt: Vec::new(),
            lockfile: None,
            wrap: Vec::new(),
            as_of: None,
            local_packages: Vec::new(),
        }
    }

    /// The spec of a folder with an `env.py`.
    pub(crate) fn folder() -> EffectiveSpec {
        spec(ResolvedSource::Folder(LocalFolder {
            path: "/home/me/my_env".to_owned(),
            sha256: "ab".repeat(32),
            added_env: None,
            has_requirements: false,
            is_package: false,
        }))
    }

    pub(crate) fn serving() -> Serving {
        Serving { kwargs: Map::new(), variables: Vec::new(), num_envs: 1, vectorization_mode: None }
    }

    /// The plan to build and serve a spec.
    pub(crate) fn plan(spec: EffectiveSpec) -> Plan {
        let build =
            BuildPlan { spec, max_source_size: 0, build_memory: BuildMemory::Off, lockfile_to_write: None };
        let image = PlannedImage::Built(Box::new(build));
        Plan { image, serving: serving(), additions: Additions::default() }
    }

    /// The plan to serve a prebuilt image.
    pub(crate) fn prebuilt(reference: &str) -> Plan {
        let image = PlannedImage::Prebuilt(reference.to_owned());
        Plan { image, serving: serving(), additions: Additions::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_beyond_ascii_is_hashed_as_it_is() {
        let spec = samples::gym("Ünï\"-v0");
        assert!(spec.canonical_json().contains(r#""env_id":"Ünï\"-v0""#), "{}", spec.canonical_json());
    }

    #[test]
    fn a_wheel_enters_the_hash_with_its_path_and_digest() {
        let mut spec = samples::gym("CartPole-v1");
        spec.rlmesh_package = RlmeshPackage::Wheel {
            source_path: "/w/a.whl".to_owned(),
            install_path: "/opt/rlmesh/packages/a.whl".to_owned(),
            sha256: "00".to_owned(),
        };
        assert!(spec.canonical_json().contains(
            r#""rlmesh_package":{"kind":"wheel","source_path":"/w/a.whl","install_path":"/opt/rlmesh/packages/a.whl","sha256":"00"},"packages":[]"#
        ));
    }

    #[test]
    fn later_inputs_are_skipped_when_empty() {
        let mut spec = samples::gym("CartPole-v1");
        assert!(spec.canonical_json().ends_with(r#""imports":[]}"#));
        spec.apt = vec!["libgl1".to_owned()];
        spec.lockfile = Some(Lockfile { requirements: "x".to_owned(), sha256: "00".to_owned() });
        assert!(spec.canonical_json().ends_with(r#""imports":[],"apt":["libgl1"],"lock":"00"}"#));
        spec.wrap = vec!["a.b:C".to_owned()];
        spec.as_of = Some("2025-03-31".to_owned());
        let end = format!(
            r#""lock":"00","wrap":["a.b:C"],"startup":"{}","as_of":"2025-03-31"}}"#,
            startup::digest()
        );
        assert!(spec.canonical_json().ends_with(&end), "{}", spec.canonical_json());
        let mut calls = samples::gym("CartPole-v1");
        calls.imports = vec!["a:b".to_owned()];
        assert!(calls.canonical_json().contains(r#""imports":["a:b"],"startup":""#));
    }

    #[test]
    fn an_id_can_be_too_long_for_an_image_name() {
        assert!(samples::plan(samples::gym("CartPole-v1")).image_name_fits());
        assert!(!samples::plan(samples::gym(&"x".repeat(300))).image_name_fits());
    }
}
