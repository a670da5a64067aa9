//! A second environment with the same packages on the same base image: another tag for the image that exists.

use crate::engine::docker::Docker;
use crate::engine::docker::invocation::{Cause, Failure};
use crate::error::SandboxError;
use crate::image::build_context::dockerfile::Steps;
use crate::image::build_context::recipe;
use crate::image::labels::RECIPE;
use crate::plan::EffectiveSpec;

/// The tags of images that this tool or the SDK makes. An image that was pulled has a slash in its name.
const OWN_TAGS: &str = "rlmesh-sandbox-*";

/// The digest of what the image of `spec` is made from, the base image that the engine has included. `None` where
/// that base image is not there, or a repository's files go into the image.
///
/// # Errors
/// [`SandboxError::Docker`].
pub(crate) fn recipe(
    docker: &Docker,
    spec: &EffectiveSpec,
    steps: Steps,
) -> Result<Option<String>, SandboxError> {
    if !recipe::has_recipe(spec) {
        return Ok(None);
    }
    let base = docker.image(&spec.base_image)?;
    Ok(base.map(|base| recipe::digest(spec, steps, &base.id)))
}

/// Gives the newest image by this recipe the tag, and returns its id; `None` where there is no such image.
/// Whatever else docker answers, a build is the way to find out what is wrong.
///
/// # Errors
/// [`SandboxError::Interrupted`].
pub(crate) fn tag(docker: &Docker, recipe: &str, tag: &str) -> Result<Option<String>, SandboxError> {
    let tagged = docker.images_with_label((RECIPE, recipe), OWN_TAGS).and_then(|ids| {
        let Some(id) = ids.into_iter().next() else { return Ok(None) };
        docker.command(["tag", &id, tag]).run().map(|_| Some(id))
    });
    match tagged {
        Ok(id) => Ok(id),
        Err(Failure { cause: Cause::Interrupted(signal), .. }) => Err(SandboxError::Interrupted(signal)),
        Err(failure) => {
            docker.note(&format!("no existing image can be used: {failure}"));
            Ok(None)
        }
    }
}
