//! Options → resolved source → plan: every look-up that can fail, before Docker is asked for anything; it starts nothing.

use std::path::Path;

use crate::error::{Problem, SandboxError};
use crate::options::{DEFAULT_BASE_IMAGE, SandboxOptions};
use crate::package;
use crate::source::{EnvironmentSourceRef, HfSourceRef};
use crate::spec::{EffectiveSpec, Plan, ResolvedSource, Serving};

/// What resolving may need of the world, so that a test decides what that is.
pub(crate) struct World<'a> {
    /// Where relative paths start.
    pub(crate) folder: &'a Path,
    /// The engine's processor in Docker's naming; asked only for `--rlmesh-package local`.
    pub(crate) processor: &'a dyn Fn() -> Result<String, SandboxError>,
}

/// What the plan is wanted for, and so what a Hugging Face source needs consent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consent {
    /// To know its hash: no code of the repository is fetched or run.
    ToLookUp,
    /// To build and run it.
    ToRun,
}

/// Resolves a source with its options into a plan.
///
/// # Errors
/// The kinds that mean the user's input: InvalidOption, HuggingFacePolicy, SourceResolution, Wheel.
pub(crate) fn resolve(
    source: &EnvironmentSourceRef,
    options: SandboxOptions,
    consent: Consent,
    world: &World<'_>,
) -> Result<Plan, SandboxError> {
    let options = options.checked()?;
    let resolved = match source {
        EnvironmentSourceRef::Image(image) => {
            refuse_build_options(&options)?;
            return Ok(Plan::Prebuilt { reference: image.reference.clone(), serving: serving(options) });
        }
        EnvironmentSourceRef::Gym(gym) => ResolvedSource::Gym { env_id: gym.env_id.clone() },
        EnvironmentSourceRef::Hf(hf) => resolve_hf(hf, &options, consent)?,
    };
    let base_image = options.base_image.clone().unwrap_or_else(|| DEFAULT_BASE_IMAGE.to_owned());
    let package = options.rlmesh_package.clone().unwrap_or_else(package::default_rlmesh_package);
    let rlmesh_package = package::resolve(&package, &base_image, world.folder, world.processor)?;
    Ok(Plan::Build(Box::new(EffectiveSpec {
        source: resolved,
        base_image,
        rlmesh_package,
        packages: options.packages.clone(),
        imports: options.imports.clone(),
        build_memory: options.memory()?,
        serving: serving(options),
    })))
}

fn serving(options: SandboxOptions) -> Serving {
    Serving {
        kwargs: options.kwargs,
        num_envs: options.num_envs.unwrap_or(1),
        vectorization_mode: options.vectorization_mode,
    }
}

/// A prebuilt image is not built: what would change the build, and above all consent to code, must not
/// look as if it had an effect. The base image and the package may come from the environment, and are let be.
fn refuse_build_options(options: &SandboxOptions) -> Result<(), SandboxError> {
    let given = [
        ("packages (--package)", !options.packages.is_empty()),
        ("imports (--import)", !options.imports.is_empty()),
        ("trust_remote_code (--trust-remote-code)", options.trust_remote_code),
        ("allow_unpinned_hf (--allow-unpinned-hf)", options.allow_unpinned_hf),
    ];
    match given.iter().find(|(_, is_given)| *is_given) {
        Some((name, _)) => Err(SandboxError::InvalidOption(Problem::new(
            format!("{name} has no effect on a prebuilt image"),
            "leave it out, or name a source that is built: a Gymnasium id or hf://org/repo@commit",
        ))),
        None => Ok(()),
    }
}

/// Consent and pinning first: nothing is fetched without them.
fn resolve_hf(
    hf: &HfSourceRef,
    options: &SandboxOptions,
    consent: Consent,
) -> Result<ResolvedSource, SandboxError> {
    if consent == Consent::ToRun && !options.trust_remote_code {
        return Err(SandboxError::HuggingFacePolicy(Problem::new(
            format!(
                "{hf} runs code from its repository (env.py, requirements.txt), and nothing says that you trust it"
            ),
            "read the code; if you trust it, pass --trust-remote-code",
        )));
    }
    let Some(commit) = hf.commit() else {
        if !options.allow_unpinned_hf {
            let named = match &hf.revision {
                Some(revision) => format!("the revision {revision} is a name, whose content can change"),
                None => "it names no revision, and the default branch can change".to_owned(),
            };
            return Err(SandboxError::HuggingFacePolicy(Problem::new(
                format!("{hf} is not pinned: {named}"),
                "pin it to a full commit id (hf://org/repo@<40 hex digits>), or pass --allow-unpinned-hf",
            )));
        }
        return Err(SandboxError::SourceResolution(Problem::new(
            format!("{hf} cannot be looked up: this version fetches nothing from the Hub"),
            "pin it to a full commit id",
        )));
    };
    Ok(ResolvedSource::Hf {
        repo: hf.repo.clone(),
        resolved_revision: commit.to_owned(),
        suite: hf.suite.clone(),
        task: hf.task.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    fn plan(source: &str, change: impl FnOnce(&mut SandboxOptions)) -> Result<Plan, SandboxError> {
        let mut options = SandboxOptions::default();
        change(&mut options);
        let world = World { folder: Path::new("/"), processor: &|| unreachable!("nobody said local") };
        resolve(&source.parse().unwrap(), options, Consent::ToRun, &world)
    }

    #[derive(serde::Deserialize)]
    struct Vector {
        source: String,
        base_image: Option<String>,
        rlmesh_package: Option<String>,
        packages: Vec<String>,
        imports: Vec<String>,
        canonical_json: String,
        build_hash: String,
        image_tag: String,
    }

    /// The hashes that the rlmesh SDK takes: see tests/fixtures/README.md.
    #[test]
    fn the_sdk_takes_the_same_hash() {
        let vectors: Vec<Vector> = serde_json::from_str(include_str!("../tests/fixtures/hash.json")).unwrap();
        assert!(vectors.len() >= 9);
        for vector in vectors {
            let plan = plan(&vector.source, |options| {
                options.base_image = vector.base_image.clone();
                options.rlmesh_package = vector.rlmesh_package.clone();
                options.packages = vector.packages.clone();
                options.imports = vector.imports.clone();
                options.trust_remote_code = vector.source.starts_with("hf://");
            });
            let Ok(Plan::Build(spec)) = plan else { panic!("{}: {plan:?}", vector.source) };
            assert_eq!(spec.canonical_json(), vector.canonical_json);
            assert_eq!(spec.build_hash(), vector.build_hash);
            assert_eq!(spec.image_tag(), vector.image_tag);
        }
    }

    #[test]
    fn hub_sources_need_consent_and_then_a_commit() {
        let pinned = format!("hf://org/repo@{COMMIT}");
        assert_eq!(plan(&pinned, |_| {}).unwrap_err().kind(), "HuggingFacePolicy");
        assert!(plan(&pinned, |options| options.trust_remote_code = true).is_ok());
        for unpinned in ["hf://org/repo", "hf://org/repo@main"] {
            let error = plan(unpinned, |options| options.trust_remote_code = true).unwrap_err();
            assert_eq!(error.kind(), "HuggingFacePolicy");
            assert!(error.hints().iter().any(|hint| hint.contains("--allow-unpinned-hf")));
        }
    }

    #[test]
    fn a_prebuilt_image_takes_no_build_options() {
        assert!(plan("image://x", |options| options.num_envs = Some(2)).is_ok());
        for change in [
            (|options| options.packages = vec!["x".into()]) as fn(&mut SandboxOptions),
            |options| options.imports = vec!["x".into()],
            |options| options.trust_remote_code = true,
            |options| options.allow_unpinned_hf = true,
        ] {
            assert_eq!(plan("image://x", change).unwrap_err().kind(), "InvalidOption");
        }
    }
}
