//! An image that differs from another one in its labels alone is made of it, without a build; what may be built instead is `image`'s to say.

use std::path::Path;

use crate::engine::docker::Docker;
use crate::engine::docker::commit::{ImageConfig, is_plain};
use crate::engine::docker::invocation::{Cause, Failure};
use crate::error::SandboxError;
use crate::host::run_dir::RunDir;
use crate::image::labels::RECIPE;
use crate::progress::{Event, Listener};
use crate::sandbox::orphans;

/// The names that images get which this tool or the SDK makes; an image that was pulled has a slash in its own.
const OWN_NAMES: &str = "rlmesh-sandbox-*";

/// What the Dockerfile adds to the environment that its base image has.
const OWN_VARIABLES: [&str; 2] = ["RLMESH_PORT=", "PYTHONUNBUFFERED="];

/// What the Dockerfile leaves as it is in the base image's configuration.
const INHERITED: [&str; 6] = ["User", "Volumes", "StopSignal", "StopTimeout", "Shell", "Healthcheck"];

/// An image to be had of another one.
pub(crate) struct Wanted<'a> {
    pub(crate) tag: &'a str,
    /// [`crate::image::build_context::recipe::digest`].
    pub(crate) recipe: &'a str,
    pub(crate) base_image: &'a str,
    /// All of its labels but the base image's.
    pub(crate) labels: &'a [(String, String)],
}

/// Makes the image if the engine has one by the same recipe on the base image as it is now, and returns its id.
/// Whatever stands in the way, a build will do, or tell.
///
/// # Errors
/// Interrupted; System, where there is no room for a temporary folder.
pub(crate) fn make(
    docker: &Docker,
    wanted: &Wanted<'_>,
    temp_dir: &Path,
    on_event: &mut Listener<'_>,
) -> Result<Option<String>, SandboxError> {
    if !wanted.labels.iter().all(|(name, value)| is_plain(name) && is_plain(value)) {
        return Ok(None);
    }
    // Anybody's image can bear the label; the name says that it was made here, as it does of any image that is
    // not built since it is there.
    let found = or_build(docker, docker.images_with_label((RECIPE, wanted.recipe), OWN_NAMES))?;
    // The newest: whoever has had one built anew wants what is in it.
    let Some(twin) = found.and_then(|ids| ids.into_iter().next()) else { return Ok(None) };
    let folder = RunDir::create(temp_dir)?;
    let container = format!("{}{}", orphans::IDLE_PREFIX, uuid::Uuid::new_v4().simple());
    folder.announce(&container)?;
    let created = docker.create_idle(&container, &twin);
    if created.as_ref().is_err_and(was_killed) {
        orphans::await_container(docker, &container);
    }
    let made = match or_build(docker, created) {
        Ok(Some(())) => relabel(docker, wanted, &twin, &container),
        Ok(None) => Ok(None),
        Err(error) => Err(error),
    };
    if let Err(failure) = docker.remove_containers(std::slice::from_ref(&container)) {
        // What names the container stays for `reap`.
        folder.leave();
        on_event(Event::Warning(format!(
            "the container {container} could not be removed ({failure}): run `rlmesh-sandbox reap`"
        )));
    }
    docker.interrupt.check()?;
    made
}

/// Whether the engine may still be making the container.
fn was_killed(failure: &Failure) -> bool {
    !matches!(failure.cause, Cause::Status(_) | Cause::NotStarted(_))
}

/// The image of a container of the other one, if they are what they should be.
fn relabel(
    docker: &Docker,
    wanted: &Wanted<'_>,
    twin: &str,
    container: &str,
) -> Result<Option<String>, SandboxError> {
    // Asked about in one go, since every command takes as long as making the image.
    let found = or_build(docker, docker.image_config(&[wanted.base_image, twin, container]))?;
    let Some([base, twin, idle]) = found.as_deref() else { return Ok(None) };
    if !is_twin(twin, base, wanted.labels) {
        docker.note("the image by the same recipe is on another base image: building");
        return Ok(None);
    }
    // A proxy in the client's configuration becomes part of every container's environment, and must not
    // become part of an image.
    if idle.config.env != twin.config.env {
        docker.note("the docker client adds to the environment of containers: building");
        return Ok(None);
    }
    docker.interrupt.check()?;
    or_build(docker, docker.commit(container, wanted.tag, wanted.labels))
}

/// A failure that a build may not meet is nothing but a reason to build.
fn or_build<T>(docker: &Docker, result: Result<T, Failure>) -> Result<Option<T>, SandboxError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Failure { cause: Cause::Interrupted(signal), .. }) => Err(SandboxError::Interrupted(signal)),
        Err(failure) => {
            docker.note(&format!("no image to be had without a build: {failure}"));
            Ok(None)
        }
    }
}

/// Whether an image that was made by the recipe was made of this base image, and would differ from the one that
/// is wanted in nothing but labels that can be set anew.
fn is_twin(image: &ImageConfig, base: &ImageConfig, labels: &[(String, String)]) -> bool {
    let layers = |image_config: &ImageConfig| image_config.root_fs.layers.clone().unwrap_or_default();
    let variables = |image_config: &ImageConfig| -> Vec<String> {
        let is_inherited = |line: &&String| !OWN_VARIABLES.iter().any(|own| line.starts_with(own));
        image_config.config.env.iter().flatten().filter(is_inherited).cloned().collect()
    };
    let inherited = |image_config: &ImageConfig, name: &str| {
        let is_something = |value: &&serde_json::Value| {
            !(value.is_null()
                || value.as_str() == Some("")
                || value.as_array().is_some_and(Vec::is_empty)
                || value.as_object().is_some_and(serde_json::Map::is_empty))
        };
        image_config.config.rest.get(name).filter(is_something).cloned()
    };
    let is_accounted_for = |(name, value): (&String, &String)| {
        labels.iter().any(|(wanted, _)| wanted == name)
            || base.config.labels.as_ref().and_then(|labels| labels.get(name)) == Some(value)
    };
    !layers(base).is_empty()
        && layers(image).starts_with(&layers(base))
        && variables(image) == variables(base)
        && INHERITED.iter().all(|name| inherited(image, name) == inherited(base, name))
        && image.config.labels.iter().flatten().all(is_accounted_for)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn image(layers: &[&str], env: &[&str], rest: &serde_json::Value) -> ImageConfig {
        let mut config = json!({ "Env": env, "Labels": { "rlmesh.image.source": "gym://A" } });
        config.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        serde_json::from_value(json!({ "Id": "sha256:1", "RootFS": { "Layers": layers }, "Config": config }))
            .unwrap()
    }

    #[test]
    fn only_an_image_on_the_base_as_it_is_now_will_do() {
        let mut base = image(&["a", "b"], &["PATH=/bin"], &json!({ "User": "", "Shell": null }));
        base.config.labels = Some([("maker".to_owned(), "them".to_owned())].into());
        let labels = [("rlmesh.image.source".to_owned(), "gym://B".to_owned())];
        let env = ["PATH=/bin", "RLMESH_PORT=50051", "PYTHONUNBUFFERED=1"];
        let layers = ["a", "b", "c"];
        let is_twin = |image: &ImageConfig| super::is_twin(image, &base, &labels);
        assert!(is_twin(&image(&layers, &env, &json!({}))));
        assert!(is_twin(&image(&layers, &env, &json!({ "Labels": { "maker": "them" } }))));
        for other in [
            image(&["a", "x", "c"], &env, &json!({})),
            image(&["a"], &env, &json!({})),
            image(&layers, &["PATH=/usr/bin", "RLMESH_PORT=50051"], &json!({})),
            image(&layers, &["PATH=/bin", "HTTP_PROXY=http://x"], &json!({})),
            image(&layers, &env, &json!({ "User": "somebody" })),
            image(&layers, &env, &json!({ "Labels": { "maker": "us" } })),
            image(&layers, &env, &json!({ "Labels": { "team": "x" } })),
        ] {
            assert!(!is_twin(&other), "{other:?}");
        }
        assert!(!super::is_twin(&image(&layers, &env, &json!({})), &ImageConfig::default(), &labels));
    }
}
