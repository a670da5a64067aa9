//! The whole plan as one immutable value, its canonical JSON, build hash and image tag; it reads no disk, network or clock.

pub(crate) mod bootstrap;
pub(crate) mod lockfile;
pub(crate) mod resolve;
pub(crate) mod rlmesh_package;

use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::plan::lockfile::Locking;
use crate::plan::rlmesh_package::RlmeshPackage;
use crate::settings::sandbox::VectorizationMode;
use crate::settings::size::BuildMemory;
use crate::source::{EnvironmentSourceRef, GymSourceRef, HfSourceRef, ImageSourceRef};

/// The version of the JSON that the build hash is taken of, shared with the rlmesh SDK.
pub const BOOTSTRAP_SCHEMA_VERSION: u32 = 1;

/// What image names start with; the slug and the hash follow.
const IMAGE_PREFIX: &str = "rlmesh-sandbox-";

/// Docker's own limit for the name of an image, without its tag.
const LONGEST_IMAGE_NAME: usize = 255;

/// Everything that decides what is built and what is served from it, validated and resolved.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EffectiveSpec {
    pub(crate) source: ResolvedSource,
    pub(crate) base_image: String,
    pub(crate) rlmesh_package: RlmeshPackage,
    pub(crate) packages: Vec<String>,
    pub(crate) imports: Vec<String>,
    /// Debian packages.
    pub(crate) apt: Vec<String>,
    pub(crate) serving: Serving,
    pub(crate) locking: Locking,
    /// The most that an hf source's files may have together, in bytes. It decides whether there is an image, not which.
    pub(crate) source_limit: u64,
    /// What the build may use. Never part of the image, nor of its hash.
    pub(crate) build_memory: BuildMemory,
}

/// A source of which nothing is left to look up, in the form that enters the build hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum ResolvedSource {
    Gym {
        env_id: String,
    },
    Hf {
        repo: String,
        /// A full commit id, in the case in which the user wrote it.
        resolved_revision: String,
        suite: Option<String>,
        task: Option<String>,
    },
}

/// What the container is told when it starts. Never part of the image, nor of its hash.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Serving {
    pub(crate) kwargs: Map<String, Value>,
    pub(crate) num_envs: usize,
    /// `None` where the user named none: a built image then serves `sync`, a prebuilt one decides by itself.
    pub(crate) vectorization_mode: Option<VectorizationMode>,
}

/// What is run: an image made from a spec, or one that somebody else made.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Plan {
    Build(Box<EffectiveSpec>),
    Prebuilt { reference: String, serving: Serving },
}

impl ResolvedSource {
    /// The same source as a user would write it; its `Display` is the canonical text.
    pub(crate) fn to_ref(&self) -> EnvironmentSourceRef {
        match self.clone() {
            ResolvedSource::Gym { env_id } => EnvironmentSourceRef::Gym(GymSourceRef { env_id }),
            ResolvedSource::Hf { repo, resolved_revision, suite, task } => {
                EnvironmentSourceRef::Hf(HfSourceRef { repo, revision: Some(resolved_revision), suite, task })
            }
        }
    }
}

/// The object that is hashed. Field order is part of the format; a later field joins at the end, and only
/// when it is not empty, so that no existing hash changes.
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
}

impl EffectiveSpec {
    /// The compact JSON that the build hash is taken of.
    pub(crate) fn canonical_json(&self) -> String {
        let inputs = BuildInputs {
            schema_version: BOOTSTRAP_SCHEMA_VERSION,
            source: &self.source,
            base_image: &self.base_image,
            rlmesh_package: &self.rlmesh_package,
            packages: &self.packages,
            imports: &self.imports,
            apt: &self.apt,
            lock: self.locking.digest(),
        };
        serde_json::to_string(&inputs).unwrap_or_else(|error| unreachable!("texts always serialize: {error}"))
    }

    /// 64 lower-case hex digits: SHA-256 of [`Self::canonical_json`].
    pub(crate) fn build_hash(&self) -> String {
        hex::encode(Sha256::digest(self.canonical_json()))
    }

    /// `rlmesh-sandbox-<slug>:<first 12 digits of the hash>`.
    pub(crate) fn image_tag(&self) -> String {
        format!("{IMAGE_PREFIX}{}:{}", self.source.to_ref().slug(), &self.build_hash()[..12])
    }
}

impl Plan {
    /// The source with nothing left to look up, in its canonical form.
    pub(crate) fn resolved_source(&self) -> String {
        match self {
            Plan::Build(spec) => spec.source.to_ref().to_string(),
            Plan::Prebuilt { reference, .. } => format!("image://{reference}"),
        }
    }

    /// The part of names that tells people what is inside.
    pub(crate) fn slug(&self) -> String {
        match self {
            Plan::Build(spec) => spec.source.to_ref().slug(),
            Plan::Prebuilt { reference, .. } => {
                EnvironmentSourceRef::Image(ImageSourceRef { reference: reference.clone() }).slug()
            }
        }
    }

    /// The image that the container is started from.
    pub(crate) fn image(&self) -> String {
        match self {
            Plan::Build(spec) => spec.image_tag(),
            Plan::Prebuilt { reference, .. } => reference.clone(),
        }
    }

    /// Whether a lock is to be written of what the build installs.
    pub(crate) fn is_to_be_locked(&self) -> bool {
        matches!(self, Plan::Build(spec) if matches!(spec.locking, Locking::Write(_)))
    }

    /// Whether Docker can hold an image of that name at all.
    pub(crate) fn image_name_fits(&self) -> bool {
        match self {
            Plan::Build(_) => IMAGE_PREFIX.len() + self.slug().len() <= LONGEST_IMAGE_NAME,
            Plan::Prebuilt { .. } => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(source: ResolvedSource) -> EffectiveSpec {
        EffectiveSpec {
            source,
            base_image: "python:3.11-slim".to_owned(),
            rlmesh_package: RlmeshPackage::Pip { spec: "rlmesh==0.1.0".to_owned() },
            packages: Vec::new(),
            imports: Vec::new(),
            apt: Vec::new(),
            serving: Serving { kwargs: Map::new(), num_envs: 1, vectorization_mode: None },
            locking: Locking::Unlocked,
            source_limit: 0,
            build_memory: BuildMemory::Off,
        }
    }

    fn cartpole() -> EffectiveSpec {
        spec(ResolvedSource::Gym { env_id: "CartPole-v1".to_owned() })
    }

    #[test]
    fn what_is_only_said_at_run_time_changes_nothing() {
        let mut changed = cartpole();
        changed.serving.num_envs = 8;
        changed.serving.vectorization_mode = Some(VectorizationMode::Async);
        changed.build_memory = BuildMemory::Within(crate::settings::size::Bound::Auto);
        changed.source_limit = 7;
        changed.serving.kwargs.insert("render_mode".to_owned(), Value::from("rgb_array"));
        assert_eq!(changed.build_hash(), cartpole().build_hash());
    }

    #[test]
    fn text_beyond_ascii_is_hashed_as_it_is() {
        let spec = spec(ResolvedSource::Gym { env_id: "Ünï\"-v0".to_owned() });
        assert!(spec.canonical_json().contains(r#""env_id":"Ünï\"-v0""#), "{}", spec.canonical_json());
    }

    #[test]
    fn a_wheel_enters_the_hash_with_its_path_and_digest() {
        let mut spec = cartpole();
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
    fn system_packages_join_only_where_there_are_some() {
        let mut spec = cartpole();
        assert!(spec.canonical_json().ends_with(r#""imports":[]}"#));
        spec.apt = vec!["libgl1".to_owned()];
        assert!(spec.canonical_json().ends_with(r#""imports":[],"apt":["libgl1"]}"#));
    }

    #[test]
    fn an_id_can_be_too_long_for_an_image_name() {
        assert!(Plan::Build(Box::new(cartpole())).image_name_fits());
        let long = spec(ResolvedSource::Gym { env_id: "x".repeat(300) });
        assert!(!Plan::Build(Box::new(long)).image_name_fits());
    }
}
