//! The images that this tool and the SDK built: listed, and removed if nothing needs them.

use std::time::{Duration, SystemTime};

use crate::contract::label::CREATED_BY;
use crate::contract::{ENTRYPOINT, IMAGE_PREFIX};
use crate::engine::docker::Docker;
use crate::engine::docker::image::ImageDetails;
use crate::error::SandboxError;
use crate::image::reuse::OWN_TAGS;

/// How many hex digits of the build hash are an image's tag.
const TAG_LENGTH: usize = 12;

/// An image of this tool or the SDK.
#[derive(Debug, Clone)]
pub(crate) struct OwnImage {
    pub(crate) details: ImageDetails,
    /// Its names in the form of this tool's tags.
    pub(crate) tags: Vec<String>,
    /// How many containers, in any state, were created from it.
    pub(crate) containers: usize,
}

/// Every image with a tag of this tool or the SDK, the newest first.
///
/// # Errors
/// [`SandboxError::Docker`].
pub(crate) fn list(docker: &Docker) -> Result<Vec<OwnImage>, SandboxError> {
    let tagged = tagged(docker)?;
    with_containers(docker, tagged)
}

/// The same, and the images that have lost their tag to a later build.
///
/// # Errors
/// [`SandboxError::Docker`].
pub(crate) fn list_with_untagged(docker: &Docker) -> Result<Vec<OwnImage>, SandboxError> {
    let mut images = tagged(docker)?;
    let untagged = docker.images(&["dangling=true", &format!("label={CREATED_BY}")])?;
    images.extend(untagged.into_iter().filter(|image| image.repo_tags.is_empty()));
    with_containers(docker, images)
}

fn tagged(docker: &Docker) -> Result<Vec<ImageDetails>, SandboxError> {
    let mut images = docker.images(&[OWN_TAGS])?;
    images.retain(|image| image.repo_tags.iter().any(|tag| is_own_tag(tag)));
    Ok(images)
}

/// Those of the images that have the entrypoint of this tool and the SDK.
fn with_containers(docker: &Docker, mut images: Vec<ImageDetails>) -> Result<Vec<OwnImage>, SandboxError> {
    images.retain(|details| details.entrypoint() == ENTRYPOINT);
    if images.is_empty() {
        return Ok(Vec::new());
    }
    let containers = docker.containers_of_images()?;
    let with_containers = |details: ImageDetails| {
        let tags = details.repo_tags.iter().filter(|tag| is_own_tag(tag)).cloned().collect();
        let containers = containers.get(&details.id).copied().unwrap_or_default();
        OwnImage { details, tags, containers }
    };
    Ok(images.into_iter().map(with_containers).collect())
}

/// Whether an image is as this tool or the SDK built it: the entrypoint is the last instruction of their
/// Dockerfiles. An image that was built on top of it has its labels and entrypoint, too.
///
/// # Errors
/// [`SandboxError::Docker`].
pub(crate) fn is_as_built(docker: &Docker, image: &OwnImage) -> Result<bool, SandboxError> {
    let last = docker.last_instruction(&image.details.id)?;
    let words = ENTRYPOINT.map(|word| format!("\"{word}\"")).join(" ");
    Ok(last.contains(&format!("ENTRYPOINT [{words}]")))
}

/// Whether a name has the form that this tool and the SDK give their images: `rlmesh-sandbox-<slug>:<build hash>`.
fn is_own_tag(name: &str) -> bool {
    let Some((name, tag)) = name.strip_prefix(IMAGE_PREFIX).and_then(|rest| rest.split_once(':')) else {
        return false;
    };
    let is_slug = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_digest = |c: char| c.is_ascii_digit() || matches!(c, 'a'..='f');
    !name.is_empty() && name.chars().all(is_slug) && tag.len() == TAG_LENGTH && tag.chars().all(is_digest)
}

/// Whether an image can be removed, and why or why not.
pub(crate) fn decide(image: &OwnImage, now: SystemTime, older_than: Duration) -> (bool, String) {
    if image.containers > 0 {
        let count = image.containers;
        return (false, format!("{count} container{} it", if count == 1 { " uses" } else { "s use" }));
    }
    if let Some(other) = image.details.repo_tags.iter().find(|tag| !image.tags.contains(tag)) {
        return (false, format!("it also has the name {other}"));
    }
    let age = image.details.last_change().map(|change| now.duration_since(change).unwrap_or_default());
    match age {
        Some(age) if age >= older_than => (true, "no container uses it".to_owned()),
        Some(_) => (false, "it was built or tagged a short time ago".to_owned()),
        None if older_than.is_zero() => (true, "no container uses it".to_owned()),
        None => (false, "its age is not known: --older-than 0 removes it all the same".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(tags: &[&str], created: &str, containers: usize) -> OwnImage {
        let details: ImageDetails = serde_json::from_value(serde_json::json!({
            "Id": "sha256:0", "RepoTags": tags, "Created": created, "Size": 1,
            "Config": null, "Metadata": {"LastTagTime": "0001-01-01T00:00:00Z"}
        }))
        .unwrap();
        let tags = details.repo_tags.iter().filter(|tag| is_own_tag(tag)).cloned().collect();
        OwnImage { details, tags, containers }
    }

    #[test]
    fn only_tags_of_our_form_are_ours() {
        assert!(is_own_tag("rlmesh-sandbox-cartpole-v1:8495cd30524a"));
        for name in [
            "rlmesh-sandbox-cartpole-v1:latest",
            "rlmesh-sandbox-cartpole-v1:8495CD30524A",
            "rlmesh-sandbox-cartpole-v1:8495cd30524a0",
            "rlmesh-sandbox-:8495cd30524a",
            "registry.example/rlmesh-sandbox-x:8495cd30524a",
            "rlmesh-sandbox-x/y:8495cd30524a",
            "python:3.11-slim",
        ] {
            assert!(!is_own_tag(name), "{name}");
        }
    }

    #[test]
    fn what_is_used_has_another_name_or_is_new_stays() {
        const TAG: &str = "rlmesh-sandbox-cartpole-v1:8495cd30524a";
        let now = humantime::parse_rfc3339("2026-11-25T12:00:00Z").unwrap();
        let day = Duration::from_secs(24 * 3600);
        let (old, new) = ("2026-11-20T12:00:00Z", "2026-11-25T11:00:00Z");
        for (image, older_than, is_removed) in [
            (image(&[TAG], old, 0), day, true),
            (image(&[TAG, "rlmesh-sandbox-acrobot-v1:0495cd30524a"], old, 0), day, true),
            (image(&[TAG], new, 0), day, false),
            (image(&[TAG], new, 0), Duration::ZERO, true),
            (image(&[TAG], old, 1), Duration::ZERO, false),
            (image(&[TAG, "me/mine:1"], old, 0), Duration::ZERO, false),
            (image(&[TAG, "rlmesh-sandbox-mine:dev"], old, 0), Duration::ZERO, false),
            (image(&[TAG], "", 0), day, false),
            (image(&[TAG], "", 0), Duration::ZERO, true),
        ] {
            assert_eq!(decide(&image, now, older_than).0, is_removed, "{image:?}");
        }
    }
}
