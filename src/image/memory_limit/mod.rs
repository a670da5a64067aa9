//! A build with a memory limit: on a builder of its own, whose container cannot use more.

pub(crate) mod base_image;
pub(crate) mod builder;
pub(crate) mod failure;
pub(crate) mod prune;

use std::path::Path;

use crate::engine::docker::Docker;
use crate::engine::docker::build::BuildRequest;
use crate::engine::docker::builder::container_of;
use crate::engine::docker::events::{OomEvidence, OomWatch};
use crate::engine::docker::invocation::Cause;
use crate::error::{Problem, SandboxError};
use crate::image::failure::build_error;
use crate::image::memory_limit::base_image::base_image_location;
use crate::image::memory_limit::builder::ensure_builder;
use crate::image::memory_limit::failure::limited_build_error;
use crate::progress::{Event, Listener};
use crate::settings::size::{BuildMemory, Ceiling};

/// What a build with a memory limit needs beside the request.
pub(crate) struct LimitedBuild<'a> {
    pub(crate) docker: &'a Docker,
    pub(crate) memory: BuildMemory,
    /// This tool's folder for what can be made again.
    pub(crate) cache: &'a Path,
    /// The version of buildx.
    pub(crate) buildx: &'a str,
    /// The image in the Dockerfile's FROM, where the engine's own is the one to use.
    pub(crate) base_image: Option<&'a str>,
    /// A folder that is removed after the build.
    pub(crate) folder: &'a Path,
}

impl LimitedBuild<'_> {
    /// Builds the image on a builder with the limit, and loads it into the engine's store.
    ///
    /// # Errors
    /// MemoryCeiling; ImageBuild; Docker, where the engine or buildx lacks something; System; Interrupted.
    pub(crate) fn run(
        &self,
        request: &BuildRequest<'_>,
        on_event: &mut Listener<'_>,
    ) -> Result<(), SandboxError> {
        let docker = self.docker;
        let resources = docker.resources()?;
        let Some(ceiling) = self.memory.ceiling(resources.memory) else {
            let built = docker.build(request, &mut |event| on_event(Event::Build(event)));
            return built.map_err(|failed| build_error(*failed));
        };
        if !resources.limits_memory {
            return Err(cannot_limit(ceiling));
        }
        if ceiling.0 >= resources.memory {
            on_event(Event::Warning(format!(
                "a memory limit of {ceiling} protects nothing: the engine itself does not have more"
            )));
        }
        if !resources.limits_swap {
            on_event(Event::Warning(format!(
                "the engine cannot limit swap: where it has some, a build can use more than {ceiling}"
            )));
        }
        let builder = ensure_builder(docker, ceiling, resources.limits_swap, self.cache)?;
        let mut images = Vec::new();
        if let Some(image) = self.base_image {
            let location =
                base_image_location(docker, image, resources.major, self.buildx, self.folder, on_event)?;
            images.extend(location.map(|location| (image.to_owned(), location)));
        }
        let request = BuildRequest { builder: Some(&builder.name), images: &images, ..*request };
        // The time just before the build: events before that belong to other builds.
        let now = docker.resources()?.time;
        let watch = OomWatch::start(docker, &container_of(&builder.name), now);
        docker.build(&request, &mut |event| on_event(Event::Build(event))).map_err(|failed| {
            let evidence = match failed.failure.cause {
                Cause::Interrupted(_) | Cause::NotStarted(_) => OomEvidence::NotSeen,
                _ => watch.finish(docker),
            };
            limited_build_error(*failed, &builder.name, ceiling, &evidence)
        })
    }
}

fn cannot_limit(ceiling: Ceiling) -> SandboxError {
    SandboxError::Docker(Problem::new(
        format!("the engine cannot limit memory, so a build cannot be kept within {ceiling}"),
        "give it the memory controller (rootless Docker needs cgroup v2 with delegation), or build without a memory limit: --build-memory off",
    ))
}
