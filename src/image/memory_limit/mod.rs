//! A build under a memory ceiling: its builder, its base image, the watch over its memory, and the ruling if it fails; what any build does is `docker::build`'s.

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
use crate::image::memory_limit::base_image::Export;
use crate::image::memory_limit::failure::{Bounds, bounded_error};
use crate::progress::{Event, Listener};
use crate::settings::Settings;
use crate::settings::size::{BuildMemory, Ceiling};

/// What a bounded build works with, beside the request.
pub(crate) struct Bounded<'a> {
    pub(crate) docker: &'a Docker,
    pub(crate) settings: &'a Settings,
    pub(crate) memory: BuildMemory,
    /// The version of buildx.
    pub(crate) buildx: &'a str,
    /// The image that the Dockerfile begins with, as it is written there, if the engine's own is the one to take.
    pub(crate) base_image: Option<&'a str>,
    /// A folder that goes with the build.
    pub(crate) folder: &'a Path,
}

impl Bounded<'_> {
    /// Builds the image on a builder with the ceiling, and loads it into the engine's store.
    ///
    /// # Errors
    /// MemoryCeiling; ImageBuild; Docker, where the engine or buildx lacks what it takes; System; Interrupted.
    pub(crate) fn build(
        &self,
        request: &BuildRequest<'_>,
        on_event: &mut Listener<'_>,
    ) -> Result<(), SandboxError> {
        let docker = self.docker;
        let resources = docker.resources()?;
        let Some(ceiling) = self.memory.ceiling(resources.memory) else {
            return docker
                .build(request, &mut |event| on_event(Event::Build(event)))
                .map_err(|failed| crate::image::failure::build_error(*failed));
        };
        if !resources.limits_memory {
            return Err(cannot_limit(ceiling));
        }
        if !resources.limits_swap {
            on_event(Event::Warning(format!(
                "the engine cannot limit swap: where it has some, a build can use more than {ceiling}"
            )));
        }
        let builder = builder::ensure(docker, ceiling, &resources, self.settings)?;
        let hands = Export {
            docker,
            settings: self.settings,
            engine: resources.major,
            buildx: self.buildx,
            folder: self.folder,
        };
        let base = match self.base_image {
            Some(image) => hands.over(image, on_event)?.map(|base| (image, base)),
            None => None,
        };
        let images: Vec<_> =
            base.iter().map(|(image, base)| ((*image).to_owned(), base.location.clone())).collect();
        let request = BuildRequest { builder: Some(&builder.name), images: &images, ..*request };
        // Now, and not earlier: until here the memory was somebody else's.
        let now = docker.resources()?.time;
        let watch = OomWatch::begin(docker, &container_of(&builder.name), now);
        docker.build(&request, &mut |event| on_event(Event::Build(event))).map_err(|failed| {
            let evidence = match failed.failure.cause {
                Cause::Interrupted(_) | Cause::NotStarted(_) => OomEvidence::NotSeen,
                _ => watch.finish(docker),
            };
            bounded_error(*failed, &Bounds { builder: &builder.name, ceiling }, &evidence)
        })
    }
}

fn cannot_limit(ceiling: Ceiling) -> SandboxError {
    SandboxError::Docker(Problem::new(
        format!("the engine cannot limit memory, so a build cannot be kept within {ceiling}"),
        "give it the memory controller (rootless Docker needs cgroup v2 with delegation), or build without a ceiling: --build-memory off",
    ))
}
