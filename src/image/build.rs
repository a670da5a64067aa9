//! Runs one build of an image, with or without a memory limit, and writes its lockfile.

use std::path::Path;

use crate::engine::docker::build::{BuildRequest, Goal};
use crate::error::{SandboxError, cannot_read};
use crate::image::build_context::lockfile::{LOCK_DOCKERFILE, LOCK_FILE};
use crate::image::build_log::BuildLog;
use crate::image::{ImageRequest, failure, memory_limit};
use crate::plan::{BuildPlan, EffectiveSpec, lockfile};
use crate::progress::{BuildEvent, Event, Listener};
use crate::settings::size::BuildMemory;

/// One build, and what it needs.
pub(super) struct Build<'a> {
    pub(super) request: &'a ImageRequest<'a>,
    pub(super) plan: &'a BuildPlan,
    /// The version of buildx, if it was checked.
    pub(super) buildx: Option<&'a str>,
    /// A folder that is removed after the build.
    pub(super) folder: &'a Path,
}

impl Build<'_> {
    /// Builds, within the memory limit if there is one, and keeps the log of a failed build.
    pub(super) fn run(
        &self,
        request: &BuildRequest<'_>,
        on_event: &mut Listener<'_>,
    ) -> Result<(), SandboxError> {
        let logs = self.request.settings.logs_folder();
        let mut log = BuildLog::begin(logs.as_deref(), request.tag);
        let mut on_event = |event| {
            if let (Some(log), Event::Build(event)) = (&mut log, &event) {
                log.add(event);
            }
            on_event(event);
        };
        let built = if self.plan.build_memory == BuildMemory::Off {
            self.run_without_limit(request, &mut |event| on_event(Event::Build(event)))
        } else {
            self.run_with_limit(request, &mut on_event)
        };
        built.map_err(|error| match error {
            SandboxError::ImageBuild(_) | SandboxError::MemoryCeiling(_) => {
                let file = log.take().and_then(BuildLog::keep);
                error.map_problem(|problem| problem.log_file(file))
            }
            // Other errors, such as an interrupt, are not explained by the log.
            error => error,
        })
    }

    fn run_without_limit(
        &self,
        request: &BuildRequest<'_>,
        on_event: &mut dyn FnMut(BuildEvent),
    ) -> Result<(), SandboxError> {
        let docker = self.request.docker;
        docker.build(request, on_event).map_err(|failed| {
            if let Some(error) = failure::engine_lost(&failed) {
                return error;
            }
            let has_started = failed.step.is_some() || !failed.unfinished.is_empty();
            // A buildx that is missing or too old fails before the first step.
            if !has_started
                && self.buildx.is_none()
                && let Err(error) = docker.buildx()
            {
                return error;
            }
            failure::build_error(*failed)
        })
    }

    fn run_with_limit(
        &self,
        request: &BuildRequest<'_>,
        on_event: &mut Listener<'_>,
    ) -> Result<(), SandboxError> {
        let local_base = self.request.build.uses_local_base_image();
        memory_limit::LimitedBuild {
            docker: self.request.docker,
            memory: self.plan.build_memory,
            cache: self.request.settings.needed_cache_folder()?,
            buildx: self.buildx.unwrap_or_default(),
            base_image: local_base.then_some(self.plan.spec.base_image.as_str()),
            folder: self.folder,
        }
        .run(request, on_event)
    }

    /// Lists the packages that the image has in addition to its base image, in another stage, and writes the
    /// lockfile.
    pub(super) fn write_lockfile(
        &self,
        file: &Path,
        request: &BuildRequest<'_>,
        on_event: &mut Listener<'_>,
    ) -> Result<(), SandboxError> {
        let dockerfile = request.context.join(LOCK_DOCKERFILE);
        let folder = request.context.with_file_name("found");
        let request =
            BuildRequest { goal: Goal::Files { dockerfile: &dockerfile, folder: &folder }, ..*request };
        // The image's steps come from the cache, so they are not shown again.
        self.run(&request, &mut |_| {})?;
        let found = folder.join(LOCK_FILE);
        let text = std::fs::read_to_string(&found).map_err(|error| {
            cannot_read(
                &found,
                &error,
                "check `docker buildx ls` and BUILDX_BUILDER: the builder may be on another machine",
            )
        })?;
        let lockfile = lockfile::write(file, &text, &self.plan.spec)?;
        let locked = EffectiveSpec { lockfile: Some(lockfile), ..self.plan.spec.clone() };
        on_event(Event::Locked { file: file.display().to_string(), image: locked.image_tag() });
        Ok(())
    }
}
