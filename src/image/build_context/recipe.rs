//! The digest of everything that an image is built from.

use sha2::{Digest as _, Sha256};

use crate::image::build_context::dockerfile::{Steps, dockerfile};
use crate::image::build_context::install;
use crate::plan::rlmesh_package::RlmeshPackage;
use crate::plan::startup;
use crate::plan::{EffectiveSpec, ResolvedSource};

/// Whether [`digest`] covers everything in the image. It does not cover a Hugging Face repository's files.
pub(crate) fn has_recipe(spec: &EffectiveSpec) -> bool {
    !matches!(spec.source, ResolvedSource::Hf { .. })
}

/// The digest, in lower-case hex, of the Dockerfile, the base image's id, the scripts, the wheel, the lockfile and
/// the files of this machine. Images with the same digest are identical.
pub(crate) fn digest(spec: &EffectiveSpec, steps: Steps, base_image_id: &str) -> String {
    let text = dockerfile(spec, steps);
    let mut parts = vec![("Dockerfile", text.as_str()), ("base", base_image_id)];
    parts.extend_from_slice(install::FILES);
    if let RlmeshPackage::Wheel { sha256, .. } = &spec.rlmesh_package {
        parts.push(("wheel", sha256));
    }
    if let Some(lockfile) = &spec.lockfile {
        parts.push(("lock", &lockfile.requirements));
    }
    if startup::is_needed(spec) {
        parts.extend_from_slice(startup::FILES);
    }
    if let ResolvedSource::Folder(folder) = &spec.source {
        parts.push(("source", &folder.sha256));
        parts.extend(folder.added_env.iter().map(|digest| ("env.py", digest.as_str())));
    }
    parts.extend(spec.local_packages.iter().map(|package| ("local", package.sha256.as_str())));
    let mut digest = Sha256::new();
    for (name, content) in parts {
        digest.update(format!("{name} {}\n", content.len()));
        digest.update(content);
    }
    hex::encode(digest.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::samples::{folder, gym, hf};
    use crate::settings::build::Installer;

    fn of(spec: &EffectiveSpec) -> String {
        digest(spec, Steps::default(), "sha256:base")
    }

    #[test]
    fn only_what_goes_into_the_image_counts() {
        let (one, mut other) = (gym("CartPole-v1"), gym("MountainCar-v0"));
        other.imports = vec!["x".to_owned()];
        let same = of(&one);
        assert_eq!((same.len(), &of(&other)), (64, &same));
        for change in [
            (|spec| spec.packages = vec!["six".to_owned()]) as fn(&mut EffectiveSpec),
            |spec| spec.apt = vec!["libgl1".to_owned()],
            |spec| spec.base_image = "python:3.12-slim".to_owned(),
            |spec| spec.rlmesh_package = RlmeshPackage::Pip { spec: "rlmesh".to_owned() },
        ] {
            let mut changed = gym("CartPole-v1");
            change(&mut changed);
            assert_ne!(of(&changed), same);
        }
        let pip = Steps { installer: Installer::Pip, ..Steps::default() };
        assert_ne!(digest(&one, pip, "sha256:base"), same);
        assert_ne!(digest(&one, Steps::default(), "sha256:other"), same, "another image under the same name");
    }

    #[test]
    fn what_the_startup_package_does_is_not_in_the_image() {
        let with = |change: fn(&mut EffectiveSpec)| {
            let mut spec = gym("CartPole-v1");
            change(&mut spec);
            of(&spec)
        };
        let wrapped = with(|spec| spec.wrap = vec!["a:B".to_owned()]);
        assert_ne!(wrapped, of(&gym("CartPole-v1")));
        assert_eq!(wrapped, with(|spec| spec.imports = vec!["a".to_owned(), "a:b".to_owned()]));
    }

    #[test]
    fn a_wheel_counts_by_its_content() {
        let with = |sha256: &str| {
            let mut spec = gym("CartPole-v1");
            let (source_path, install_path) = ("/x.whl".to_owned(), "/opt/rlmesh/packages/x.whl".to_owned());
            spec.rlmesh_package =
                RlmeshPackage::Wheel { source_path, install_path, sha256: sha256.to_owned() };
            of(&spec)
        };
        assert_ne!(with("1"), with("2"));
    }

    #[test]
    fn a_folder_counts_by_its_content() {
        let with = |sha256: &str, path: &str| {
            let mut spec = folder();
            let ResolvedSource::Folder(folder) = &mut spec.source else { unreachable!() };
            (folder.sha256, folder.path) = (sha256.to_owned(), path.to_owned());
            of(&spec)
        };
        assert_ne!(with("1", "/a"), with("2", "/a"));
        assert_eq!(with("1", "/a"), with("1", "/b"));
    }

    #[test]
    fn a_repository_has_no_recipe() {
        assert!(has_recipe(&gym("CartPole-v1")) && !has_recipe(&hf()));
    }
}
