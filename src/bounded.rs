//! A build under a memory ceiling: its builder, its base image, the watch over its memory, and the ruling if it fails; what any build does is `docker::build`'s.

use std::path::Path;

use crate::builders;
use crate::diagnosis::ceiling::{Bounds, bounded_error};
use crate::docker::Docker;
use crate::docker::build::BuildRequest;
use crate::docker::builder;
use crate::docker::invocation::Cause;
use crate::docker::oom::{OomEvidence, OomWatch};
use crate::environment::Environment;
use crate::error::{Problem, SandboxError};
use crate::handover::Hands;
use crate::memory::{Bound, Ceiling};
use crate::stage::{Listener, Stage};

/// What a bounded build works with, beside the request.
pub(crate) struct Bounded<'a> {
    pub(crate) docker: &'a Docker,
    pub(crate) environment: &'a Environment,
    pub(crate) memory: Bound,
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
        told: &mut Listener<'_>,
    ) -> Result<(), SandboxError> {
        let docker = self.docker;
        let resources = docker.resources()?;
        let ceiling = self.memory.on(resources.memory);
        if !resources.limits_memory {
            return Err(cannot_limit(ceiling));
        }
        if !resources.limits_swap {
            told(Stage::Warning(format!(
                "the engine cannot limit swap: where it has some, a build can use more than {ceiling}"
            )));
        }
        let builder = builders::ensure(docker, ceiling, &resources, self.environment)?;
        let hands = Hands {
            docker,
            environment: self.environment,
            engine: resources.major,
            buildx: self.buildx,
            folder: self.folder,
        };
        let base = match self.base_image {
            Some(image) => hands.over(image, told)?.map(|base| (image, base)),
            None => None,
        };
        let images: Vec<_> =
            base.iter().map(|(image, base)| ((*image).to_owned(), base.location.clone())).collect();
        let request = BuildRequest { builder: Some(&builder.name), images: &images, ..*request };
        // Now, and not earlier: until here the memory was somebody else's.
        let now = docker.resources()?.time;
        let watch = OomWatch::begin(docker, &builder::container(&builder.name), now);
        docker.build(&request, &mut |event| told(Stage::Build(event))).map_err(|failed| {
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
