//! The labels of built images. They must not be labels that decide what happens to containers, because
//! containers inherit their image's labels.

use crate::contract::label;
use crate::host::redact::without_logins;
use crate::plan::rlmesh_package::RlmeshPackage;
use crate::plan::{EffectiveSpec, ResolvedSource};

/// The label with the digest of everything that the image was built from: see [`crate::image::reuse`].
pub(crate) const RECIPE: &str = "rlmesh.image.recipe";

/// The labels of an image: OCI's keys first.
///
/// The image of a Gymnasium source does not name its environment, because other environments with the same
/// packages use the same image under another tag. The container's labels name the environment.
pub(crate) fn of(spec: &EffectiveSpec) -> Vec<(String, String)> {
    let mut labels = vec![("org.opencontainers.image.base.name", spec.base_image.clone())];
    if let ResolvedSource::Hf { repo, resolved_revision, .. } = &spec.source {
        let source = spec.source.to_ref().to_string();
        let page = format!("https://huggingface.co/{repo}/tree/{resolved_revision}");
        labels.extend([
            ("org.opencontainers.image.title", source.clone()),
            ("org.opencontainers.image.source", page),
            ("org.opencontainers.image.revision", resolved_revision.clone()),
            ("rlmesh.image.source", source),
            ("rlmesh.image.build-hash", spec.build_hash()),
        ]);
    }
    labels.extend([
        ("rlmesh.image.rlmesh-package", package(&spec.rlmesh_package)),
        (label::CREATED_BY, concat!("rlmesh-sandbox ", env!("CARGO_PKG_VERSION")).to_owned()),
    ]);
    labels.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// The rlmesh package, for a label: a wheel by its file name and digest, and an address without its password.
fn package(package: &RlmeshPackage) -> String {
    match package {
        RlmeshPackage::Pip { spec } => without_logins(spec),
        RlmeshPackage::Wheel { install_path, sha256, .. } => {
            format!("{} sha256:{sha256}", install_path.rsplit('/').next().unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::samples;

    #[test]
    fn images_of_environments_with_the_same_packages_have_the_same_labels() {
        assert_eq!(of(&samples::gym("CartPole-v1")), of(&samples::gym("MountainCar-v0")));
        let hf = of(&samples::hf());
        assert!(hf.iter().any(|(key, value)| key == "rlmesh.image.source" && value.starts_with("hf://")));
    }

    #[test]
    fn a_label_shows_no_password() {
        let mut spec = samples::gym("CartPole-v1");
        spec.rlmesh_package = RlmeshPackage::Pip { spec: "rlmesh @ https://me:pass@host/x.whl".to_owned() };
        assert!(of(&spec).iter().any(|(_, value)| value == "rlmesh @ https://host/x.whl"));
    }
}
