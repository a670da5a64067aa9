//! Source and options → plan. All lookups happen here, before anything is built or started.

use std::path::Path;

use crate::contract::DEFAULT_BASE_IMAGE;
use crate::error::{Field, Problem, SandboxError, invalid_option};
use crate::host::interrupt::Interrupt;
use crate::hub::Retries;
use crate::plan::additions::Additions;
use crate::plan::folder::{self, Places};
use crate::plan::local_files::Reading;
use crate::plan::{
    BuildPlan, EffectiveSpec, Plan, PlannedImage, ResolvedSource, Serving, local_package, lockfile,
    rlmesh_package,
};
use crate::settings::sandbox::{DEFAULT_MAX_SOURCE_SIZE, SandboxOptions};
use crate::source::{EnvironmentSourceRef, HfSourceRef, known_ids};

/// The lookups that resolving needs, so that tests can replace them.
pub(crate) struct Lookups<'a> {
    /// The folder that relative paths start from.
    pub(crate) folder: &'a Path,
    /// The folder that `~` names.
    pub(crate) home: Option<&'a Path>,
    /// Stops the reading of local files.
    pub(crate) interrupt: &'a Interrupt,
    /// The engine's architecture in Docker's naming; only called for `--rlmesh-package local`.
    pub(crate) architecture: &'a dyn Fn() -> Result<String, SandboxError>,
    /// Looks up the current commit of an hf source's revision.
    pub(crate) commit: &'a dyn Fn(&HfSourceRef, Retries) -> Result<String, SandboxError>,
}

/// What the plan is for. It decides whether a Hugging Face source needs consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To print the build hash: no code of the repository is fetched or run.
    Hash,
    /// To print what would be built, without running docker.
    DryRun,
    /// To build and run the image.
    Run,
}

/// Resolves a source with its options into a plan.
///
/// # Errors
/// InvalidSource, InvalidOption, HuggingFacePolicy, SourceResolution, Wheel.
pub(crate) fn resolve(
    source: &EnvironmentSourceRef,
    options: SandboxOptions,
    purpose: Purpose,
    lookups: &Lookups<'_>,
) -> Result<Plan, SandboxError> {
    let mut options = options.checked()?;
    if purpose != Purpose::Hash {
        judge_id(source, &options)?;
    }
    let additions = Additions::of(source, &options);
    additions.add_to(&mut options);
    let max_source_size = options.max_source_size.unwrap_or(DEFAULT_MAX_SOURCE_SIZE);
    let places = Places { folder: lookups.folder, home: lookups.home };
    let reading = |kind| Reading { limit: max_source_size, interrupt: lookups.interrupt, kind };
    let resolved = match source {
        EnvironmentSourceRef::Image(image) => {
            refuse_build_options(&options)?;
            let image = PlannedImage::Prebuilt(image.reference.clone());
            return Ok(Plan { image, serving: serving(options, &additions), additions });
        }
        EnvironmentSourceRef::Gym(gym) => ResolvedSource::Gym { env_id: gym.env_id.clone() },
        EnvironmentSourceRef::Hf(hf) => resolve_hf(hf, &options, purpose, lookups)?,
        EnvironmentSourceRef::Folder(folder) => {
            let reading = reading(SandboxError::SourceResolution);
            ResolvedSource::Folder(folder::resolve(folder, &places, &reading)?)
        }
    };
    let (packages, local_packages) =
        local_package::resolve(&options.packages, &places, &reading(SandboxError::InvalidOption))?;
    let is_package = matches!(&resolved, ResolvedSource::Folder(folder) if folder.is_package);
    if options.lock.is_some() && (is_package || !local_packages.is_empty()) {
        return Err(invalid_option(
            format!("{}: a lockfile cannot list packages of this machine", Field::LOCK),
            "remove --lock, or install the package from an index (-p NAME==VERSION)",
        ));
    }
    let base_image = options.base_image.clone().unwrap_or_else(|| DEFAULT_BASE_IMAGE.to_owned());
    let package = options.rlmesh_package.clone().unwrap_or_else(rlmesh_package::default_rlmesh_package);
    let rlmesh_package =
        rlmesh_package::resolve(&package, &base_image, lookups.folder, lookups.architecture)?;
    let lock = options.lock.as_ref().map(|file| lookups.folder.join(file));
    let lockfile = match &lock {
        Some(file) => lockfile::read(file, &rlmesh_package, &packages)?,
        None => None,
    };
    let build = BuildPlan {
        max_source_size,
        build_memory: options.build_memory.unwrap_or_default(),
        lockfile_to_write: lock.filter(|_| lockfile.is_none()),
        spec: EffectiveSpec {
            source: resolved,
            base_image,
            rlmesh_package,
            packages,
            imports: options.imports.clone(),
            apt: options.apt.clone(),
            lockfile,
            wrap: options.wrap.clone(),
            as_of: options.as_of.clone(),
            local_packages,
        },
    };
    let image = PlannedImage::Built(Box::new(build));
    let plan = Plan { image, serving: serving(options, &additions), additions };
    if purpose == Purpose::Hash || plan.image_name_fits() {
        Ok(plan)
    } else {
        Err(SandboxError::InvalidSource(Problem::new(
            "the source is too long for the name of an image",
            "use an environment id of less than 240 characters",
        )))
    }
}

/// Refuses an id that neither Gymnasium nor a known family has, unless an option of the user may register it.
fn judge_id(source: &EnvironmentSourceRef, options: &SandboxOptions) -> Result<(), SandboxError> {
    let EnvironmentSourceRef::Gym(gym) = source else { return Ok(()) };
    let is_users =
        [&options.packages, &options.imports, &options.wrap].iter().any(|values| !values.is_empty());
    match known_ids::judge(&gym.env_id) {
        Some(problem) if !is_users && !options.no_auto => Err(SandboxError::InvalidSource(problem)),
        _ => Ok(()),
    }
}

fn serving(options: SandboxOptions, additions: &Additions) -> Serving {
    Serving {
        variables: additions.variables.clone(),
        kwargs: options.kwargs,
        num_envs: options.num_envs.unwrap_or(1),
        vectorization_mode: options.vectorization_mode,
    }
}

/// Refuses build options and consent for a prebuilt image, because they would have no effect. The base image
/// and the rlmesh package are ignored instead, because they may come from environment variables.
fn refuse_build_options(options: &SandboxOptions) -> Result<(), SandboxError> {
    let given = [
        ("packages (--package)", !options.packages.is_empty()),
        ("apt (--apt)", !options.apt.is_empty()),
        ("imports (--import)", !options.imports.is_empty()),
        ("wrap (--wrap)", !options.wrap.is_empty()),
        ("lock (--lock)", options.lock.is_some()),
        ("as_of (--as-of)", options.as_of.is_some()),
        ("trust_remote_code (--trust-remote-code)", options.trust_remote_code),
        ("allow_unpinned_hf (--allow-unpinned-hf)", options.allow_unpinned_hf),
    ];
    match given.iter().find(|(_, is_given)| *is_given) {
        Some((name, _)) => Err(invalid_option(
            format!("{name} has no effect on a prebuilt image"),
            "remove the option, or use a Gymnasium id or hf://org/repo@commit as the source",
        )),
        None => Ok(()),
    }
}

/// Checks consent and pinning before anything is fetched.
fn resolve_hf(
    hf: &HfSourceRef,
    options: &SandboxOptions,
    purpose: Purpose,
    lookups: &Lookups<'_>,
) -> Result<ResolvedSource, SandboxError> {
    if purpose == Purpose::Run && !options.trust_remote_code {
        return Err(SandboxError::HuggingFacePolicy(Problem::new(
            format!("{hf} runs code from its repository (env.py, requirements.txt)"),
            format!(
                "read the code with `rlmesh-sandbox ls {hf} --show env.py`; if you trust it, pass --trust-remote-code"
            ),
        )));
    }
    let resolved_revision = match hf.commit() {
        Some(commit) => commit.to_owned(),
        None if options.allow_unpinned_hf => (lookups.commit)(hf, Retries::Usual)?,
        None => return Err(not_pinned(hf, options, lookups)),
    };
    Ok(ResolvedSource::Hf {
        repo: hf.repo.clone(),
        resolved_revision,
        suite: hf.suite.clone(),
        task: hf.task.clone(),
    })
}

/// The error for a revision that can change. It names the commit to pin if the user already trusts the code.
fn not_pinned(hf: &HfSourceRef, options: &SandboxOptions, lookups: &Lookups<'_>) -> SandboxError {
    let named = match &hf.revision {
        Some(revision) => format!("the revision {revision} is a name that can point to another commit later"),
        None => "it has no revision, and the default branch can change".to_owned(),
    };
    // One request without retries. If it fails, the error does not name the commit.
    let commit = options.trust_remote_code.then(|| (lookups.commit)(hf, Retries::None));
    let pinned = match commit {
        Some(Ok(commit)) => {
            let pinned = HfSourceRef { revision: Some(commit), ..hf.clone() };
            format!("pin it to the current commit: {pinned}")
        }
        Some(Err(SandboxError::Interrupted(signal))) => return SandboxError::Interrupted(signal),
        Some(Err(_)) | None => "pin it to a full commit id: hf://org/repo@<40 hex digits>".to_owned(),
    };
    SandboxError::HuggingFacePolicy(
        Problem::new(format!("{hf} is not pinned: {named}"), pinned)
            .hint("or pass --allow-unpinned-hf to use the current commit at each run"),
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
            home: None,
            interrupt: &Interrupt::default(),
            architecture: &|| unreachable!("not local"),
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

    /// Compares with hashes of the rlmesh SDK: see tests/fixtures/README.md.
    #[test]
    fn build_hashes_equal_those_of_the_sdk() {
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
    fn a_misspelt_id_is_refused_unless_a_package_or_an_import_may_register_it() {
        let error = plan("CartPol-v1", |_| {}).unwrap_err();
        assert_eq!((error.kind(), error.exit().code()), ("InvalidSource", 2));
        assert_eq!(error.hints().last().unwrap(), "use CartPole-v1");
        assert!(plan("CartPol-v1", |options| options.packages = vec!["mine".to_owned()]).is_ok());
        assert!(plan("CartPol-v1", |options| options.imports = vec!["mine".to_owned()]).is_ok());
        assert!(plan("CartPol-v1", |options| options.no_auto = true).is_ok());
        assert!(plan("mine:CartPol-v1", |_| {}).is_ok());
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
    fn an_unpinned_source_is_resolved_to_its_current_commit() {
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
    fn run_time_options_do_not_change_the_hash() {
        let changed = plan("CartPole-v1", |options| {
            options.num_envs = Some(8);
            options.vectorization_mode = Some(crate::settings::sandbox::VectorizationMode::Async);
            options.build_memory = Some(crate::settings::size::BuildMemory::Auto);
            options.max_source_size = Some(7);
            options.kwargs.insert("max_episode_steps".to_owned(), 50.into());
        });
        let plain = plan("CartPole-v1", |_| {});
        assert_eq!(changed.unwrap().build_hash(), plain.unwrap().build_hash());
    }

    #[test]
    fn build_options_of_a_prebuilt_image_are_refused() {
        assert!(plan("image://x", |options| options.num_envs = Some(2)).is_ok());
        for change in [
            (|options| options.packages = vec!["x".into()]) as fn(&mut SandboxOptions),
            |options| options.imports = vec!["x".into()],
            |options| options.wrap = vec!["x:Y".into()],
            |options| options.trust_remote_code = true,
            |options| options.allow_unpinned_hf = true,
        ] {
            assert_eq!(plan("image://x", change).unwrap_err().kind(), "InvalidOption");
        }
    }
}
