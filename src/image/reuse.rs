//! Reuses an image for another environment with the same packages and base image, under another tag.

use crate::engine::docker::Docker;
use crate::engine::docker::child::Cause;
use crate::engine::docker::invocation::Failure;
use crate::error::SandboxError;
use crate::image::build_context::dockerfile::Steps;
use crate::image::build_context::recipe;
use crate::image::labels::RECIPE;
use crate::plan::EffectiveSpec;

/// The filter for image names that this tool and the SDK use. `*` does not match a slash, which the name of a pulled
/// image contains.
pub(super) const OWN_TAGS: &str = "reference=rlmesh-sandbox-*";

/// The digest of everything that the image of `spec` is built from, including the engine's base image. `None`
/// if the engine does not have the base image, or if the image contains a repository's files.
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

/// Tags the newest image with this recipe, and returns its id; `None` if there is no such image, or if docker
/// fails: the build that follows then reports what is wrong.
///
/// # Errors
/// [`SandboxError::Interrupted`].
pub(crate) fn tag(docker: &Docker, recipe: &str, tag: &str) -> Result<Option<String>, SandboxError> {
    let with_recipe = format!("label={RECIPE}={recipe}");
    let tagged = docker.image_ids(&[&with_recipe, OWN_TAGS]).and_then(|ids| {
        let Some(id) = ids.into_iter().next() else { return Ok(None) };
        docker.command(["tag", &id, tag]).run().map(|_| Some(id))
    });
    match tagged {
        Ok(id) => Ok(id),
        Err(Failure { cause: Cause::Interrupted(signal), .. }) => Err(SandboxError::Interrupted(signal)),
        Err(failure) => {
            docker.note(&format!("no existing image can be reused: {failure}"));
            Ok(None)
        }
    }
}
