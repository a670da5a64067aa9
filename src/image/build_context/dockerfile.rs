//! The Dockerfile of a spec, as text.

use crate::contract::{CONTAINER_PORT, ENTRYPOINT, IMAGE_FOLDER, PACKAGES_FOLDER, SOURCE_FOLDER, variable};
use crate::image::build_context::install;
use crate::image::build_context::lockfile::{self, LOCK_FILE};
use crate::image::build_context::{LOCAL_FOLDER, REQUIREMENTS_FOLDER};
use crate::plan::rlmesh_package::RlmeshPackage;
use crate::plan::startup;
use crate::plan::{EffectiveSpec, ResolvedSource};
use crate::settings::build::Installer;
use crate::settings::package_index::Secrets;

/// The folder for the mounts of build steps. It is not part of the image.
pub(crate) const MOUNTS: &str = "/run/rlmesh-sandbox";

/// The ids of the build secrets: the installers' settings, and the certificates that they trust in addition.
pub(crate) const SETTINGS_SECRET: &str = "rlmesh-sandbox-settings";
pub(crate) const CERTIFICATES_SECRET: &str = "rlmesh-sandbox-certificates";

/// How the steps of a build install packages. It is not part of the build hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Steps {
    pub(crate) installer: Installer,
    pub(crate) secrets: Secrets,
}

/// Which package cache a step uses. Installing a repository's requirements runs its code, which could change
/// the cache for later builds. So each repository has its own cache.
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
            // The user's own code is trusted as much as the packages that the user chooses.
            ResolvedSource::Gym { .. } | ResolvedSource::Folder(_) => Downloads::OfAll,
        }
    }

    fn mounts(self) -> String {
        const ALL: &str = "rlmesh-sandbox-python";
        match self {
            Downloads::OfAll => format!("--mount=type=cache,id={ALL},target={MOUNTS}/cache"),
            // uv itself comes from the shared cache, which is mounted read-only.
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
/// It has no `# syntax=` line, because a frontend image would need a registry at every build. What
/// environments have in common comes first, so that they share its layers; what changes most often comes
/// last.
pub(crate) fn dockerfile(spec: &EffectiveSpec, steps: Steps) -> String {
    let wheels =
        format!("--mount=type=bind,source={PACKAGES_FOLDER},target={IMAGE_FOLDER}/{PACKAGES_FOLDER} ");
    let (rlmesh, wheel) = match &spec.rlmesh_package {
        RlmeshPackage::Pip { spec } => (spec.as_str(), None),
        RlmeshPackage::Wheel { install_path, .. } => (install_path.as_str(), Some(wheels.as_str())),
    };
    let has_files = !matches!(spec.source, ResolvedSource::Gym { .. });
    let source = format!("{IMAGE_FOLDER}/{SOURCE_FOLDER}");
    let step = |downloads, mount: &str, arguments: &[&str]| {
        let as_of = spec.as_of.as_deref().map(|date| ["--as-of", date]);
        let arguments: Vec<&str> = as_of.into_iter().flatten().chain(arguments.iter().copied()).collect();
        install_step(steps, downloads, mount, &arguments)
    };
    let after_the_source = Downloads::after_the_source(spec);

    let mut text = format!(
        "FROM {base}\n\
         WORKDIR {IMAGE_FOLDER}\n\
         ENV {port}={CONTAINER_PORT} PYTHONUNBUFFERED=1\n",
        base = spec.base_image,
        port = variable::PORT
    );
    if spec.lockfile.is_some() {
        // The lockfile lists all packages, so no part is common to all environments.
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
        if has_files {
            // Only the files that the requirements need, so that other changes do not install them again.
            // They are mounted at their final path, because requirements may refer to it.
            let mount = format!("--mount=type=bind,source={REQUIREMENTS_FOLDER},target={source},rw ");
            let (is_package, has_requirements) = match &spec.source {
                ResolvedSource::Folder(folder) => (folder.is_package, folder.has_requirements),
                ResolvedSource::Gym { .. } | ResolvedSource::Hf { .. } => (false, true),
            };
            if has_requirements || !is_package {
                text += &step(after_the_source, &mount, &["--requirements", &source]);
            }
            if is_package {
                text += &step(after_the_source, &mount, &[&source]);
            }
        }
        if !spec.packages.is_empty() {
            let local = format!("{MOUNTS}/{LOCAL_FOLDER}");
            let mount = format!("--mount=type=bind,source={LOCAL_FOLDER},target={local} ");
            let packages = spec.packages_in(&local);
            let packages: Vec<&str> = packages.iter().map(String::as_str).collect();
            text +=
                &step(after_the_source, if spec.local_packages.is_empty() { "" } else { &mount }, &packages);
        }
    }
    if has_files {
        text += &format!("COPY {SOURCE_FOLDER}/ {source}/\n");
    }
    if startup::is_needed(spec) {
        // The working directory is not searched for modules if the base image sets PYTHONSAFEPATH.
        text += &format!(
            "ENV PYTHONPATH={IMAGE_FOLDER}${{PYTHONPATH:+:$PYTHONPATH}}\n\
             COPY {folder}/ {IMAGE_FOLDER}/{folder}/\n",
            folder = startup::FOLDER
        );
    }
    text += &format!(
        "EXPOSE {CONTAINER_PORT}\n\
         ENTRYPOINT {}\n",
        exec(&ENTRYPOINT)
    );
    text
}

/// The Dockerfile of an image, followed by the stage that writes its lockfile. That stage runs the image's own
/// Python, which a repository's requirements may have changed, so it uses the package cache of the repository.
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
    // With the exec form, no shell interprets the requirements.
    format!("RUN {mount}{} {}\n", install_mounts(steps.secrets, downloads), exec(&command))
}

/// The mounts of an install step: the scripts, the package cache and the secrets.
///
/// The cache has the default owner and mode. With others, BuildKit would create a layer for it, and the cache
/// would be lost when that layer is pruned. A build as another user does not use the cache.
fn install_mounts(secrets: Secrets, downloads: Downloads<'_>) -> String {
    format!("{} {}{}", script_mount(), downloads.mounts(), secret_mounts(secrets))
}

fn script_mount() -> String {
    format!("--mount=type=bind,source={folder},target={MOUNTS}/{folder}", folder = install::FOLDER)
}

/// The mounts of the secrets that are set. The content of a secret does not invalidate a layer. The mount
/// does, and it makes BuildKit read every file of the layers below first, so it is only added if needed.
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

/// The step that installs Debian packages. The apt caches are locked, because two apt processes cannot share
/// them.
fn apt_step(secrets: Secrets, names: &[String]) -> String {
    if names.is_empty() {
        return String::new();
    }
    let script = script(install::APT_SCRIPT);
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
mod tests {
    use super::*;
    use crate::plan::samples::{self, hf};

    fn gym() -> EffectiveSpec {
        samples::gym("CartPole-v1")
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
    fn common_steps_come_first_and_those_that_change_most_often_last() {
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
    fn only_images_that_need_it_have_the_startup_package() {
        let mut called = hf();
        called.imports = vec!["a".to_owned()];
        assert_eq!(instructions(&called), instructions(&hf()));
        called.imports.push("a:b".to_owned());
        let lines = instructions(&called);
        let added = &lines[lines.len() - 4..lines.len() - 2];
        assert_eq!(
            added,
            [
                "ENV PYTHONPATH=/opt/rlmesh${PYTHONPATH:+:$PYTHONPATH}",
                "COPY rlmesh_sandbox/ /opt/rlmesh/rlmesh_sandbox/",
            ]
        );
        let mut wrapped = hf();
        wrapped.wrap = vec!["a:B".to_owned()];
        assert_eq!(instructions(&wrapped), lines);
        // Its own modules.
        let mut folder = samples::folder();
        assert!(!dockerfile(&folder, Steps::default()).contains("rlmesh_sandbox/"));
        folder.imports = vec!["a".to_owned()];
        assert!(dockerfile(&folder, Steps::default()).contains("COPY rlmesh_sandbox/ "));
    }

    #[test]
    fn the_files_of_a_folder_are_installed_and_copied_like_those_of_a_repository() {
        let requirements = r#"RUN [install.sh","--requirements","/opt/rlmesh/source"]"#;
        let package = r#"RUN [install.sh","/opt/rlmesh/source"]"#;
        let copy = "COPY source/ /opt/rlmesh/source/";
        let mut spec = samples::folder();
        assert_eq!(instructions(&spec)[4..6], [requirements, copy]);
        let ResolvedSource::Folder(folder) = &mut spec.source else { unreachable!() };
        folder.is_package = true;
        assert_eq!(instructions(&spec)[4..6], [package, copy]);
        let ResolvedSource::Folder(folder) = &mut spec.source else { unreachable!() };
        folder.has_requirements = true;
        assert_eq!(instructions(&spec)[4..7], [requirements, package, copy]);
        assert!(!dockerfile(&spec, Steps::default()).contains("/home/me"));
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
