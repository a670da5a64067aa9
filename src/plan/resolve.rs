//! Options → resolved source → plan: every look-up that can fail, before Docker is asked for anything.

use std::path::Path;

use crate::contract::DEFAULT_BASE_IMAGE;
use crate::error::{Problem, SandboxError, invalid_option};
use crate::hub::Patience;
use crate::plan::{
    BuildPlan, EffectiveSpec, Plan, PlannedImage, ResolvedSource, Serving, lockfile, rlmesh_package,
};
use crate::settings::sandbox::{DEFAULT_MAX_SOURCE_SIZE, SandboxOptions};
use crate::source::{EnvironmentSourceRef, HfSourceRef};

/// What resolving asks others for, so that a test decides the answers.
pub(crate) struct Lookups<'a> {
    /// Where relative paths start.
    pub(crate) folder: &'a Path,
    /// The engine's processor in Docker's naming; asked only for `--rlmesh-package local`.
    pub(crate) processor: &'a dyn Fn() -> Result<String, SandboxError>,
    /// The commit that an hf source's revision stands for now.
    pub(crate) commit: &'a dyn Fn(&HfSourceRef, Patience) -> Result<String, SandboxError>,
}

/// What the plan is for, and so whether a Hugging Face source needs consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To know its hash: no code of the repository is fetched or run.
    Hash,
    /// To show what would be built, without asking docker for anything.
    DryRun,
    /// To build and run it.
    Run,
}

/// Resolves a source with its options into a plan.
///
/// # Errors
/// The kinds that mean the user's input: InvalidSource, InvalidOption, HuggingFacePolicy, SourceResolution, Wheel.
pub(crate) fn resolve(
    source: &EnvironmentSourceRef,
    options: SandboxOptions,
    purpose: Purpose,
    lookups: &Lookups<'_>,
) -> Result<Plan, SandboxError> {
    let options = options.checked()?;
    let resolved = match source {
        EnvironmentSourceRef::Image(image) => {
            refuse_build_options(&options)?;
            let image = PlannedImage::Prebuilt(image.reference.clone());
            return Ok(Plan { image, serving: serving(options) });
        }
        EnvironmentSourceRef::Gym(gym) => ResolvedSource::Gym { env_id: gym.env_id.clone() },
        EnvironmentSourceRef::Hf(hf) => resolve_hf(hf, &options, purpose, lookups)?,
    };
    let base_image = options.base_image.clone().unwrap_or_else(|| DEFAULT_BASE_IMAGE.to_owned());
    let package = options.rlmesh_package.clone().unwrap_or_else(rlmesh_package::default_rlmesh_package);
    let rlmesh_package = rlmesh_package::resolve(&package, &base_image, lookups.folder, lookups.processor)?;
    let lock = options.lock.as_ref().map(|file| lookups.folder.join(file));
    let lockfile = match &lock {
        Some(file) => lockfile::read(file, &rlmesh_package, &options.packages)?,
        None => None,
    };
    let build = BuildPlan {
        max_source_size: options.max_source_size.unwrap_or(DEFAULT_MAX_SOURCE_SIZE),
        build_memory: options.build_memory.unwrap_or_default(),
        lockfile_to_write: lock.filter(|_| lockfile.is_none()),
        spec: EffectiveSpec {
            source: resolved,
            base_image,
            rlmesh_package,
            packages: options.packages.clone(),
            imports: options.imports.clone(),
            apt: options.apt.clone(),
            lockfile,
        },
    };
    let plan = Plan { image: PlannedImage::Built(Box::new(build)), serving: serving(options) };
    if purpose == Purpose::Hash || plan.image_name_fits() {
        Ok(plan)
    } else {
        Err(SandboxError::InvalidSource(Problem::new(
            "the source is too long: docker cannot hold an image of that name",
            "use an env id of less than 240 characters",
        )))
    }
}

fn serving(options: SandboxOptions) -> Serving {
    Serving {
        kwargs: options.kwargs,
        num_envs: options.num_envs.unwrap_or(1),
        vectorization_mode: options.vectorization_mode,
    }
}

/// A prebuilt image is not built: what would change the build, and above all consent to code, must not
/// look as if it had an effect. The base image and the package may come from variables, and are ignored.
fn refuse_build_options(options: &SandboxOptions) -> Result<(), SandboxError> {
    let given = [
        ("packages (--package)", !options.packages.is_empty()),
        ("apt (--apt)", !options.apt.is_empty()),
        ("imports (--import)", !options.imports.is_empty()),
        ("lock (--lock)", options.lock.is_some()),
        ("trust_remote_code (--trust-remote-code)", options.trust_remote_code),
        ("allow_unpinned_hf (--allow-unpinned-hf)", options.allow_unpinned_hf),
    ];
    match given.iter().find(|(_, is_given)| *is_given) {
        Some((name, _)) => Err(invalid_option(
            format!("{name} has no effect on a prebuilt image"),
            "leave it out, or name a source that is built: a Gymnasium id or hf://org/repo@commit",
        )),
        None => Ok(()),
    }
}

/// Consent and pinning first: nothing is fetched without them.
fn resolve_hf(
    hf: &HfSourceRef,
    options: &SandboxOptions,
    purpose: Purpose,
    lookups: &Lookups<'_>,
) -> Result<ResolvedSource, SandboxError> {
    if purpose == Purpose::Run && !options.trust_remote_code {
        return Err(SandboxError::HuggingFacePolicy(Problem::new(
            format!("{hf} runs code from its repository (env.py, requirements.txt)"),
            "read the code; if you trust it, pass --trust-remote-code",
        )));
    }
    let resolved_revision = match hf.commit() {
        Some(commit) => commit.to_owned(),
        None if options.allow_unpinned_hf => (lookups.commit)(hf, Patience::Usual)?,
        None => return Err(not_pinned(hf, options, lookups)),
    };
    Ok(ResolvedSource::Hf {
        repo: hf.repo.clone(),
        resolved_revision,
        suite: hf.suite.clone(),
        task: hf.task.clone(),
    })
}

/// The refusal of a revision that can change, with the commit to pin where the user trusts the code anyway.
fn not_pinned(hf: &HfSourceRef, options: &SandboxOptions, lookups: &Lookups<'_>) -> SandboxError {
    let named = match &hf.revision {
        Some(revision) => format!("the revision {revision} is a name, whose content can change"),
        None => "it names no revision, and the default branch can change".to_owned(),
    };
    // One request; where it fails, the refusal stands without the commit.
    let commit = options.trust_remote_code.then(|| (lookups.commit)(hf, Patience::None));
    let pinned = match commit {
        Some(Ok(commit)) => {
            let pinned = HfSourceRef { revision: Some(commit), ..hf.clone() };
            format!("pin it to the current commit: {pinned}")
        }
        Some(Err(SandboxError::Interrupted(signal))) => return SandboxError::Interrupted(signal),
        Some(Err(_)) | None => "pin it to a full commit id (hf://org/repo@<40 hex digits>)".to_owned(),
    };
    SandboxError::HuggingFacePolicy(
        Problem::new(format!("{hf} is not pinned: {named}"), pinned)
            .hint("or pass --allow-unpinned-hf to use whichever commit it stands for at each run"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    fn plan(source: &str, change: impl FnOnce(&mut SandboxOptions)) -> Result<Plan, SandboxError> {
        let mut options = SandboxOptions::default();
        change(&mut options);
        let lookups = Lookups {
            folder: Path::new("/"),
            processor: &|| unreachable!("not local"),
            commit: &|hf, _| match hf.revision.as_deref() {
                Some("gone") => Err(SandboxError::SourceResolution(Problem::new("no such revision", ""))),
                _ if !options.trust_remote_code => unreachable!("no consent"),
                _ => Ok(COMMIT.to_owned()),
            },
        };
        resolve(&source.parse().unwrap(), options.clone(), Purpose::Run, &lookups)
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
        let vectors: Vec<Vector> =
            serde_json::from_str(include_str!("../../tests/fixtures/hash.json")).unwrap();
        assert!(vectors.len() >= 9);
        for vector in vectors {
            let plan = plan(&vector.source, |options| {
                options.base_image = vector.base_image.clone();
                options.rlmesh_package = vector.rlmesh_package.clone();
                options.packages = vector.packages.clone();
                options.imports = vector.imports.clone();
                options.trust_remote_code = vector.source.starts_with("hf://");
            });
            let Ok(plan) = plan else { panic!("{}: {plan:?}", vector.source) };
            let spec = &plan.build().unwrap().spec;
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
            assert_eq!(error.hints()[0], format!("pin it to the current commit: {pinned}"));
            assert_eq!(plan(unpinned, |_| {}).unwrap_err().kind(), "HuggingFacePolicy");
        }
        let error = plan("hf://org/repo@gone", |options| options.trust_remote_code = true).unwrap_err();
        assert_eq!((error.kind(), error.hints()[0].contains("40 hex")), ("HuggingFacePolicy", true));
    }

    #[test]
    fn an_unpinned_source_is_served_at_the_commit_that_it_stands_for() {
        let allowed = plan("hf://org/repo@main:suite/0", |options| {
            options.trust_remote_code = true;
            options.allow_unpinned_hf = true;
        });
        assert_eq!(allowed.unwrap().resolved_source().to_string(), format!("hf://org/repo@{COMMIT}:suite/0"));
        let upper = format!("hf://org/repo@{}", COMMIT.to_ascii_uppercase());
        let kept = plan(&upper, |options| options.trust_remote_code = true).unwrap();
        assert_eq!(kept.resolved_source().to_string(), upper, "the SDK hashes it as it is written");
    }

    #[test]
    fn what_is_only_said_at_run_time_changes_nothing() {
        let changed = plan("CartPole-v1", |options| {
            options.num_envs = Some(8);
            options.vectorization_mode = Some(crate::VectorizationMode::Async);
            options.build_memory = Some(crate::settings::size::BuildMemory::Auto);
            options.max_source_size = Some(7);
            options.kwargs.insert("render_mode".to_owned(), "rgb_array".into());
        });
        let plain = plan("CartPole-v1", |_| {});
        assert_eq!(changed.unwrap().build_hash(), plain.unwrap().build_hash());
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
