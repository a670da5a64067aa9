//! The labels that an image carries, as pure text; none of them is one that containers are judged by, since they inherit them.

use crate::plan::rlmesh_package::RlmeshPackage;
use crate::plan::{EffectiveSpec, ResolvedSource};

/// The label that holds the digest of what an image was made by.
pub(crate) const RECIPE: &str = "rlmesh.image.recipe";

/// What an image says of itself, whoever holds it: OCI's own keys first.
///
/// They are given to the builder beside the Dockerfile, so that images share their layers all the same.
pub(crate) fn of(spec: &EffectiveSpec) -> Vec<(String, String)> {
    let source = spec.source.to_ref().to_string();
    let mut labels = vec![
        ("org.opencontainers.image.title", source.clone()),
        ("org.opencontainers.image.base.name", spec.base_image.clone()),
    ];
    if let ResolvedSource::Hf { repo, resolved_revision, .. } = &spec.source {
        labels.push(("org.opencontainers.image.source", hub_page(repo, resolved_revision)));
        labels.push(("org.opencontainers.image.revision", resolved_revision.clone()));
    }
    labels.extend([
        ("rlmesh.image.source", source),
        ("rlmesh.image.build-hash", spec.build_hash()),
        ("rlmesh.image.rlmesh-package", package(&spec.rlmesh_package)),
        ("rlmesh.image.created-by", concat!("rlmesh-sandbox ", env!("CARGO_PKG_VERSION")).to_owned()),
    ]);
    labels.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// Where people read a commit.
fn hub_page(repo: &str, commit: &str) -> String {
    format!("https://huggingface.co/{repo}/tree/{commit}")
}

/// A wheel by its name and digest: where it lay is this machine's matter.
fn package(package: &RlmeshPackage) -> String {
    match package {
        RlmeshPackage::Pip { spec } => without_credentials(spec),
        RlmeshPackage::Wheel { install_path, sha256, .. } => {
            format!("{} sha256:{sha256}", install_path.rsplit('/').next().unwrap_or_default())
        }
    }
}

/// The text without what stands between `://` and `@`: a label is read by everybody.
fn without_credentials(text: &str) -> String {
    let Some((before, rest)) = text.split_once("://") else { return text.to_owned() };
    let host_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..host_end].rfind('@') {
        Some(at) => format!("{before}://{}", &rest[at + 1..]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_no_label() {
        for (text, label) in [
            ("rlmesh==0.1.0", "rlmesh==0.1.0"),
            ("rlmesh @ https://me:pass@host/x.whl", "rlmesh @ https://host/x.whl"),
            ("rlmesh @ git+https://token@host/r@main", "rlmesh @ git+https://host/r@main"),
            ("rlmesh @ git+https://host/r@main", "rlmesh @ git+https://host/r@main"),
        ] {
            assert_eq!(without_credentials(text), label);
        }
    }
}
