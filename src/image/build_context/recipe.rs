//! What an image is made by, as one digest; pure, and silent about what the base image holds.

use sha2::{Digest as _, Sha256};

use crate::image::build_context::dockerfile::{Steps, dockerfile};
use crate::image::build_context::install;
use crate::plan::lockfile::Locking;
use crate::plan::rlmesh_package::RlmeshPackage;
use crate::plan::{EffectiveSpec, ResolvedSource};

/// The digest, in lower-case hex, of everything that the builder is given but labels: images on one base with
/// the same digest differ in nothing else. `None` where files of a repository go into the image.
pub(crate) fn digest(spec: &EffectiveSpec, steps: Steps) -> Option<String> {
    if !matches!(spec.source, ResolvedSource::Gym { .. }) {
        return None;
    }
    let text = dockerfile(spec, steps);
    let mut parts = vec![("Dockerfile", text.as_str())];
    parts.extend_from_slice(install::FILES);
    if let RlmeshPackage::Wheel { sha256, .. } = &spec.rlmesh_package {
        parts.push(("wheel", sha256));
    }
    if let Locking::Install(lock) = &spec.locking {
        parts.push(("lock", &lock.requirements));
    }
    let mut digest = Sha256::new();
    for (name, content) in parts {
        digest.update(format!("{name} {}\n", content.len()));
        digest.update(content);
    }
    Some(hex::encode(digest.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::build_context::dockerfile::tests::{gym, hf};
    use crate::plan::bootstrap::bootstrap_json;
    use crate::settings::build::Installer;

    #[test]
    fn only_what_goes_into_the_image_counts() {
        let (one, mut other) = (gym(), gym());
        other.source = ResolvedSource::Gym { env_id: "MountainCar-v0".to_owned() };
        other.imports = vec!["x".to_owned()];
        assert_ne!(bootstrap_json(&one), bootstrap_json(&other));
        let same = digest(&one, Steps::default());
        assert_eq!((same.as_ref().map(String::len), &digest(&other, Steps::default())), (Some(64), &same));
        for change in [
            (|spec| spec.packages = vec!["six".to_owned()]) as fn(&mut EffectiveSpec),
            |spec| spec.apt = vec!["libgl1".to_owned()],
            |spec| spec.base_image = "python:3.12-slim".to_owned(),
            |spec| spec.rlmesh_package = RlmeshPackage::Pip { spec: "rlmesh".to_owned() },
        ] {
            let mut changed = gym();
            change(&mut changed);
            assert_ne!(digest(&changed, Steps::default()), same);
        }
        assert_ne!(digest(&one, Steps { installer: Installer::Pip, ..Steps::default() }), same);
    }

    #[test]
    fn a_wheel_counts_by_its_content() {
        let of = |sha256: &str| {
            let mut spec = gym();
            let (source_path, install_path) = ("/x.whl".to_owned(), "/opt/rlmesh/packages/x.whl".to_owned());
            spec.rlmesh_package =
                RlmeshPackage::Wheel { source_path, install_path, sha256: sha256.to_owned() };
            digest(&spec, Steps::default())
        };
        assert_ne!(of("1"), of("2"));
    }

    #[test]
    fn a_repository_is_no_recipe() {
        assert_eq!(digest(&hf(), Steps::default()), None);
    }
}
