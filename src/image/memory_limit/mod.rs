//! A build with a memory limit: on a builder of its own, whose container cannot use more.

pub(crate) mod base_image;
pub(crate) mod builder;
pub(crate) mod failure;
pub(crate) mod prune;

use std::path::Path;
use std::time::Duration;

use crate::engine::docker::Docker;
use crate::engine::docker::build::{BuildFailure, BuildRequest};
use crate::engine::docker::builder::container_of;
use crate::engine::docker::child::Cause;
use crate::engine::docker::events::{OomEvidence, OomWatch};
use crate::error::{Problem, SandboxError};
use crate::image::failure::build_error;
use crate::image::memory_limit::base_image::base_image_location;
use crate::image::memory_limit::builder::ensure_builder;
use crate::image::memory_limit::failure::limited_build_error;
use crate::progress::{Event, Listener};
use crate::settings::size::{BuildMemory, MemoryLimit};

/// How often a build is tried on a builder that another build is starting, and the pause before each further try.
const START_ATTEMPTS: u32 = 5;
const START_PAUSE: Duration = Duration::from_secs(1);

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
        let Some(limit) = self.memory.limit(resources.memory) else {
            let built = docker.build(request, &mut |event| on_event(Event::Build(event)));
            return built.map_err(|failed| build_error(*failed));
        };
        if !resources.limits_memory {
            return Err(cannot_limit(limit));
        }
        if limit.0 >= resources.memory {
            on_event(Event::Warning(format!(
                "a memory limit of {limit} protects nothing: the engine itself does not have more"
            )));
        }
        if !resources.limits_swap {
            on_event(Event::Warning(format!(
                "the engine cannot limit swap: where it has some, a build can use more than {limit}"
            )));
        }
        let builder = ensure_builder(docker, limit, resources.limits_swap, self.cache)?;
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
        let mut attempt = 1;
        let built = loop {
            match docker.build(&request, &mut |event| on_event(Event::Build(event))) {
                Err(failed) if attempt < START_ATTEMPTS && is_starting(&failed) => {
                    attempt += 1;
                    docker.interrupt.check()?;
                    std::thread::sleep(START_PAUSE);
                }
                built => break built,
            }
        };
        built.map_err(|failed| {
            let evidence = match failed.failure.cause {
                Cause::Interrupted(_) | Cause::NotStarted(_) => OomEvidence::NotSeen,
                _ => watch.finish(docker),
            };
            limited_build_error(*failed, &builder.name, limit, &evidence)
        })
    }
}

/// What buildx says about a builder whose container is only just starting, for another build or because BuildKit was
/// killed.
const STARTING: [&str; 4] =
    ["failed to list workers", "listing workers", "is restarting", "connect: connection refused"];

/// Whether the build failed before its first step because the builder did not answer yet.
fn is_starting(failed: &BuildFailure) -> bool {
    let has_begun = failed.step.is_some() || !failed.unfinished.is_empty();
    !has_begun && STARTING.iter().any(|text| failed.failure.stderr.contains(text))
}

fn cannot_limit(limit: MemoryLimit) -> SandboxError {
    SandboxError::Docker(Problem::new(
        format!("the engine cannot limit memory, so a build cannot be kept within {limit}"),
        "give it the memory controller (rootless Docker needs cgroup v2 with delegation), or build without a memory limit: --build-memory off",
    ))
}
