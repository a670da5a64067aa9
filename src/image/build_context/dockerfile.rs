//! The Dockerfile of a spec, as pure text; it knows nothing of folders on this machine.

use crate::image::build_context::install;
use crate::image::build_context::lockfile::{self, LOCK_FILE};
use crate::image::build_context::{PACKAGES_FOLDER, REQUIREMENTS_FOLDER};
use crate::plan::bootstrap::SOURCE_SUBDIR;
use crate::plan::lockfile::Locking;
use crate::plan::rlmesh_package::RlmeshPackage;
use crate::plan::{EffectiveSpec, ResolvedSource};
use crate::settings::build::Installer;
use crate::settings::package_index::Secrets;

/// The folder of all of rlmesh's files in the image. The SDK relies on it.
pub(crate) const IMAGE_FOLDER: &str = "/opt/rlmesh";

/// The port that the server listens on inside the container. The SDK relies on it.
pub(crate) const CONTAINER_PORT: u16 = 50051;

/// The folder of a build step's mounts. Nothing in it stays in the image.
pub(crate) const MOUNTS: &str = "/run/rlmesh-sandbox";

/// The build secrets: the settings of the installers, and certificates to trust beside the system's.
pub(crate) const SETTINGS_SECRET: &str = "rlmesh-sandbox-settings";
pub(crate) const CERTIFICATES_SECRET: &str = "rlmesh-sandbox-certificates";

/// How the steps of a build install packages. Nothing of it enters the image or its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Steps {
    pub(crate) installer: Installer,
    pub(crate) secrets: Secrets,
}

/// Which cache of downloads a step uses. A repository's requirements run code, which could change the cache for
/// later builds: each repository has its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Downloads<'a> {
    OfAll,
    /// The repository as `org/repo`.
    OfRepository(&'a str),
}

impl<'a> Downloads<'a> {
    /// The cache of the steps in which the source's code may run.
    fn after_the_source(spec: &'a EffectiveSpec) -> Self {
        match &spec.source {
            ResolvedSource::Hf { repo, .. } => Downloads::OfRepository(repo),
            ResolvedSource::Gym { .. } => Downloads::OfAll,
        }
    }

    fn mounts(self) -> String {
        const ALL: &str = "rlmesh-sandbox-python";
        match self {
            Downloads::OfAll => format!("--mount=type=cache,id={ALL},target={MOUNTS}/cache"),
            // uv itself comes from the cache of all builds, which this step cannot change.
            Downloads::OfRepository(repo) => format!(
                "--mount=type=cache,id={ALL}-{},target={MOUNTS}/cache \
                 --mount=type=cache,id={ALL},target={MOUNTS}/shared,readonly",
                repo.replace('/', "--")
            ),
        }
    }
}

/// The Dockerfile that builds `spec`.
///
/// It has no `# syntax=` line: a frontend image would need a registry at every build. What environments
/// have in common comes first, so that they share its layers; what changes most often comes last.
pub(crate) fn dockerfile(spec: &EffectiveSpec, steps: Steps) -> String {
    let wheels =
        format!("--mount=type=bind,source={PACKAGES_FOLDER},target={IMAGE_FOLDER}/{PACKAGES_FOLDER} ");
    let (rlmesh, wheel) = match &spec.rlmesh_package {
        RlmeshPackage::Pip { spec } => (spec.as_str(), None),
        RlmeshPackage::Wheel { install_path, .. } => (install_path.as_str(), Some(wheels.as_str())),
    };
    let is_repository = matches!(spec.source, ResolvedSource::Hf { .. });
    let source = format!("{IMAGE_FOLDER}/{SOURCE_SUBDIR}");
    let step = |downloads, mount: &str, arguments: &[&str]| install_step(steps, downloads, mount, arguments);
    let after_the_source = Downloads::after_the_source(spec);

    let mut text = format!(
        "FROM {base}\n\
         WORKDIR {IMAGE_FOLDER}\n\
         ENV RLMESH_PORT={CONTAINER_PORT} PYTHONUNBUFFERED=1\n",
        base = spec.base_image
    );
    if let Locking::Install(_) = &spec.locking {
        // The lock lists all packages, so there is no common part.
        text += &apt_step(steps.secrets, &spec.apt);
        let lock = format!("{MOUNTS}/{LOCK_FILE}");
        let mount = format!("--mount=type=bind,source={LOCK_FILE},target={lock} ");
        text += &step(after_the_source, &mount, &["--lock", &lock]);
        if let Some(mount) = wheel {
            text += &step(after_the_source, mount, &["--no-deps", rlmesh]);
        }
    } else {
        text += &step(Downloads::OfAll, wheel.unwrap_or_default(), &[rlmesh, "gymnasium"]);
        text += &apt_step(steps.secrets, &spec.apt);
        if is_repository {
            // Without the rest of the repository, so that a change there installs nothing again. Files of the
            // repository that the requirements name are at their later path.
            let mount = format!("--mount=type=bind,source={REQUIREMENTS_FOLDER},target={source},rw ");
            text += &step(after_the_source, &mount, &["--requirements", &source]);
        }
        if !spec.packages.is_empty() {
            let packages: Vec<&str> = spec.packages.iter().map(String::as_str).collect();
            text += &step(after_the_source, "", &packages);
        }
    }
    if is_repository {
        text += &format!("COPY {SOURCE_SUBDIR}/ {source}/\n");
    }
    text += &format!(
        "EXPOSE {CONTAINER_PORT}\n\
         ENTRYPOINT [\"python\",\"-m\",\"rlmesh._bootstrap.sandbox_env\"]\n"
    );
    text
}

/// The Dockerfile of an image, continued by the stage that writes its lock. That stage runs the image's own
/// Python, which a repository's requirements may have changed: it uses the same downloads as they do.
pub(crate) fn lock_dockerfile(spec: &EffectiveSpec, steps: Steps) -> String {
    let downloads = Downloads::after_the_source(spec);
    let run = |base: &str, file: &str| {
        let command = exec(&["/bin/sh", &script("install.sh"), "--write-lock", base, file]);
        format!("{} {command}", install_mounts(steps.secrets, downloads))
    };
    lockfile::lock_dockerfile(&dockerfile(spec, steps), &spec.base_image, &run)
}

fn install_step(steps: Steps, downloads: Downloads<'_>, mount: &str, arguments: &[&str]) -> String {
    let script = script("install.sh");
    let mut command = vec!["/bin/sh", &script];
    if steps.installer == Installer::Pip {
        command.extend(["--installer", "pip"]);
    }
    command.extend(arguments);
    // The exec form keeps every requirement apart from any shell.
    format!("RUN {mount}{} {}\n", install_mounts(steps.secrets, downloads), exec(&command))
}

/// The mounts of an install step: the scripts, their cache, their settings.
///
/// The cache belongs to root, as mounts do by default: for another mode or owner, BuildKit makes a layer that the
/// cache depends on, and pruning that layer loses the cache. Other users have folders of their own in it.
fn install_mounts(secrets: Secrets, downloads: Downloads<'_>) -> String {
    format!("{} {}{}", script_mount(), downloads.mounts(), secret_mounts(secrets))
}

fn script_mount() -> String {
    format!("--mount=type=bind,source={folder},target={MOUNTS}/{folder}", folder = install::FOLDER)
}

/// BuildKit's cache does not depend on a secret's content, but on whether a step has one. A secret also makes
/// BuildKit read every file of the layers below: only steps that need a secret have one.
fn secret_mounts(secrets: Secrets) -> String {
    let mut mounts = String::new();
    if secrets.settings {
        mounts += &format!(" --mount=type=secret,id={SETTINGS_SECRET},target={MOUNTS}/settings,mode=0444");
    }
    if secrets.certificates {
        mounts +=
            &format!(" --mount=type=secret,id={CERTIFICATES_SECRET},target={MOUNTS}/certificates,mode=0444");
    }
    mounts
}

/// System packages. Two apt processes cannot share their folders at the same time.
fn apt_step(secrets: Secrets, names: &[String]) -> String {
    if names.is_empty() {
        return String::new();
    }
    let script = script("apt.sh");
    let mut command = vec!["/bin/sh", &script];
    command.extend(names.iter().map(String::as_str));
    format!(
        "RUN {}{} --mount=type=cache,id=rlmesh-sandbox-apt,target=/var/cache/apt,sharing=locked \
         --mount=type=cache,id=rlmesh-sandbox-apt-lists,target=/var/lib/apt/lists,sharing=locked {}\n",
        script_mount(),
        secret_mounts(secrets),
        exec(&command)
    )
}

fn script(name: &str) -> String {
    format!("{MOUNTS}/{}/{name}", install::FOLDER)
}

fn exec(words: &[&str]) -> String {
    serde_json::to_string(words).unwrap_or_else(|error| unreachable!("texts always serialize: {error}"))
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::Map;

    use super::*;
    use crate::hub::Lfs;
    use crate::plan::Serving;
    use crate::settings::size::BuildMemory;

    fn spec(source: ResolvedSource) -> EffectiveSpec {
        EffectiveSpec {
            source,
            base_image: "python:3.11-slim".to_owned(),
            rlmesh_package: RlmeshPackage::Pip { spec: "rlmesh==0.1.0".to_owned() },
            packages: Vec::new(),
            imports: Vec::new(),
            apt: Vec::new(),
            locking: Locking::Unlocked,
            serving: Serving { kwargs: Map::new(), num_envs: 1, vectorization_mode: None },
            lfs: Lfs::Files,
            source_limit: 0,
            build_memory: BuildMemory::Off,
        }
    }

    pub(in crate::image::build_context) fn gym() -> EffectiveSpec {
        spec(ResolvedSource::Gym { env_id: "CartPole-v1".to_owned() })
    }

    pub(in crate::image::build_context) fn hf() -> EffectiveSpec {
        let (repo, resolved_revision) = ("org/repo".to_owned(), "0".repeat(40));
        spec(ResolvedSource::Hf { repo, resolved_revision, suite: None, task: None })
    }

    /// The instructions, each without its mounts and with the arguments of its script.
    fn instructions(spec: &EffectiveSpec) -> Vec<String> {
        let short = |line: &str| {
            let words: Vec<&str> = line.split(' ').filter(|word| !word.starts_with("--mount")).collect();
            words.join(" ").replace("\"/bin/sh\",\"/run/rlmesh-sandbox/install/", "")
        };
        dockerfile(spec, Steps::default()).lines().map(short).collect()
    }

    #[test]
    fn what_is_common_comes_first_and_what_changes_most_often_last() {
        let mut full = hf();
        full.apt = vec!["libgl1".to_owned()];
        full.packages = vec!["six".to_owned()];
        assert_eq!(
            instructions(&full),
            [
                "FROM python:3.11-slim",
                "WORKDIR /opt/rlmesh",
                "ENV RLMESH_PORT=50051 PYTHONUNBUFFERED=1",
                r#"RUN [install.sh","rlmesh==0.1.0","gymnasium"]"#,
                r#"RUN [apt.sh","libgl1"]"#,
                r#"RUN [install.sh","--requirements","/opt/rlmesh/source"]"#,
                r#"RUN [install.sh","six"]"#,
                "COPY source/ /opt/rlmesh/source/",
                "EXPOSE 50051",
                r#"ENTRYPOINT ["python","-m","rlmesh._bootstrap.sandbox_env"]"#,
            ]
        );
        let (gym, hf) = (dockerfile(&gym(), Steps::default()), dockerfile(&hf(), Steps::default()));
        let common = |text: &str| text.lines().take(4).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(common(&gym), common(&hf), "the layers with rlmesh are one");
        assert!(!gym.contains("syntax=") && !gym.contains("source/"));
    }

    #[test]
    fn steps_that_may_run_a_repositorys_code_have_downloads_of_their_own() {
        let mut full = hf();
        full.packages = vec!["six".to_owned()];
        let ids: Vec<String> = dockerfile(&full, Steps::default())
            .split("--mount=type=cache,id=")
            .skip(1)
            .filter_map(|rest| rest.split(' ').next().map(str::to_owned))
            .collect();
        let (all, own) = ("rlmesh-sandbox-python", "rlmesh-sandbox-python-org--repo");
        let writable = |id: &str| format!("{id},target=/run/rlmesh-sandbox/cache");
        let readable = format!("{all},target=/run/rlmesh-sandbox/shared,readonly");
        assert_eq!(ids, [writable(all), writable(own), readable.clone(), writable(own), readable]);
        let text = lock_dockerfile(&full, Steps::default());
        let line = text.lines().find(|line| line.contains("--write-lock")).unwrap();
        assert_eq!(line.matches("rlmesh-sandbox-python-org--repo").count(), 1, "{line}");
        assert!(line.contains(&writable(own)) && !line.contains(&writable(all)), "{line}");
    }

    #[test]
    fn only_steps_with_secrets_have_mounts_for_them() {
        let mut spec = gym();
        spec.apt = vec!["libgl1".to_owned()];
        let mounts = |settings, certificates| {
            let steps = Steps { secrets: Secrets { settings, certificates }, ..Steps::default() };
            let text = dockerfile(&spec, steps);
            assert!(!text.contains("  ") && !text.contains("\"] "), "{text}");
            [SETTINGS_SECRET, CERTIFICATES_SECRET]
                .map(|id| text.matches(&format!(" --mount=type=secret,id={id},")).count())
        };
        assert_eq!(mounts(false, false), [0, 0]);
        assert_eq!(mounts(true, false), [2, 0]);
        assert_eq!(mounts(false, true), [0, 2]);
        assert_eq!(mounts(true, true), [2, 2]);
    }

    #[test]
    fn a_requirement_reaches_no_shell() {
        let mut hostile = gym();
        hostile.packages = vec!["x; rm -rf / && \"$HOME\"".to_owned()];
        let steps = Steps { installer: Installer::Pip, ..Steps::default() };
        assert!(
            dockerfile(&hostile, steps)
                .contains(r#"install.sh","--installer","pip","x; rm -rf / && \"$HOME\""]"#)
        );
    }
}
