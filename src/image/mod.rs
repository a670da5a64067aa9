//! Plan → image: finds, reuses, builds or pulls the image of a plan.

pub(crate) mod build_context;
pub(crate) mod build_log;
pub(crate) mod failure;
pub(crate) mod labels;
pub(crate) mod memory_limit;
pub(crate) mod one_build;
pub(crate) mod own_images;
pub(crate) mod reuse;

use std::path::Path;
use std::time::{Duration, Instant};

use crate::engine::docker::Docker;
use crate::engine::docker::build::{BuildRequest, Goal};
use crate::error::{Problem, SandboxError, cannot_read, invalid_option};
use crate::host::run_dir::RunDir;
use crate::hub::{Checkout, Hub};
use crate::image::build_context::dockerfile::Steps;
use crate::image::build_context::lockfile::{LOCK_DOCKERFILE, LOCK_FILE};
use crate::image::build_log::BuildLog;
use crate::plan::bootstrap::bootstrap_json;
use crate::plan::local_files::Reading;
use crate::plan::{BuildPlan, EffectiveSpec, Plan, PlannedImage, ResolvedSource, lockfile};
use crate::progress::{BuildEvent, Event, Listener};
use crate::settings::Settings;
use crate::settings::build::{BuildOptions, Installer, PublishOptions, is_for_platform};
use crate::settings::size::BuildMemory;

/// An image that the engine has.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    pub(crate) tag: String,
    /// The engine's id of the image.
    pub(crate) id: String,
    /// How long the build took; `None` if the image already existed.
    pub(crate) built_in: Option<Duration>,
}

/// A request for a plan's image, and what is needed to build it.
#[derive(Clone, Copy)]
pub(crate) struct ImageRequest<'a> {
    pub(crate) docker: &'a Docker,
    pub(crate) settings: &'a Settings,
    pub(crate) plan: &'a Plan,
    pub(crate) build: &'a BuildOptions,
    pub(crate) publish: &'a PublishOptions,
}

/// Refuses options that would have no effect.
///
/// # Errors
/// [`SandboxError::InvalidOption`].
pub(crate) fn check(plan: &Plan, build: &BuildOptions) -> Result<(), SandboxError> {
    if plan.build().is_none() && !build.cache_from.is_empty() {
        return Err(invalid_option(
            "--cache-from has no effect on a prebuilt image",
            "remove the option, or use a Gymnasium id or hf://org/repo@commit as the source",
        ));
    }
    if plan.build().is_some_and(|build| build.spec.as_of.is_some()) && build.installer == Installer::Pip {
        return Err(invalid_option("--as-of needs uv, and --installer is pip", "remove --installer pip"));
    }
    Ok(())
}

impl ImageRequest<'_> {
    /// Makes sure that the engine has the image, then tags and pushes it as requested.
    ///
    /// # Errors
    /// ImageBuild, ContainerStartup (an image that cannot be pulled), Docker, Interrupted.
    pub(crate) fn ensure(&self, on_event: &mut Listener<'_>) -> Result<Image, SandboxError> {
        let image = match self.find(on_event)? {
            Some(image) => image,
            None => self.make(on_event)?,
        };
        for name in self.publish.tags.iter().chain(&self.publish.pushes) {
            self.docker.tag_image(&image.tag, name)?;
        }
        for name in &self.publish.pushes {
            on_event(Event::Pushing { image: name.clone() });
            self.docker.push_image(name)?;
        }
        Ok(image)
    }

    /// Whether an existing image can be used.
    pub(crate) fn takes_existing(&self) -> bool {
        // A lockfile lists what a build installs, so it needs a build.
        !self.build.rebuild && !self.build.pull && !self.plan.writes_lockfile()
    }

    /// The existing image, if it can be used.
    fn find(&self, on_event: &mut Listener<'_>) -> Result<Option<Image>, SandboxError> {
        if !self.takes_existing() {
            return Ok(None);
        }
        let tag = self.plan.image_name();
        let Some(found) = self.docker.image(&tag)? else { return Ok(None) };
        // The tag does not depend on the platform, so the existing image may be for another one.
        let wanted = match (&self.build.platform, self.plan.build(), &found.platform) {
            (Some(platform), _, _) => Some(platform.clone()),
            (None, Some(_), Some(_)) => {
                let engine = self.docker.engine()?;
                Some(format!("{}/{}", engine.os, engine.arch))
            }
            (None, _, _) => None,
        };
        if let (Some(has), Some(wanted)) = (found.platform, wanted)
            && !is_for_platform(&has, &wanted)
        {
            on_event(Event::Warning(format!(
                "the image {tag} is for {has}; replacing it with one for {wanted}"
            )));
            return Ok(None);
        }
        Ok(Some(Image { tag, id: found.id, built_in: None }))
    }

    /// Builds or pulls the image, or reuses an identical one.
    ///
    /// # Errors
    /// As [`Self::ensure`].
    pub(crate) fn make(&self, on_event: &mut Listener<'_>) -> Result<Image, SandboxError> {
        let tag = self.plan.image_name();
        let lock = match &self.plan.image {
            PlannedImage::Built(_) => {
                one_build::lock(self.settings.cache_folder.as_deref(), &tag, self.docker, on_event)?
            }
            PlannedImage::Prebuilt(_) => None,
        };
        if lock.as_ref().is_some_and(|lock| lock.may_have_built)
            && let Some(image) = self.find(on_event)?
        {
            return Ok(image);
        }
        let started = Instant::now();
        let id = match &self.plan.image {
            PlannedImage::Built(build) => {
                on_event(Event::Building { tag: tag.clone() });
                self.reuse_or_build(build, &tag, on_event)?
            }
            PlannedImage::Prebuilt(reference) => {
                on_event(Event::Pulling { image: reference.clone() });
                self.docker.pull(reference, self.build.platform.as_deref())?;
                None
            }
        };
        let took = started.elapsed();
        on_event(Event::Built { seconds: took.as_secs_f64() });
        let id = match id {
            Some(id) => id,
            None => self.id_of(&tag)?,
        };
        Ok(Image { tag, id, built_in: Some(took) })
    }

    fn id_of(&self, tag: &str) -> Result<String, SandboxError> {
        let image = self.docker.image(tag)?.ok_or_else(|| {
            SandboxError::ImageBuild(Problem::new(
                format!("the build succeeded, but the engine has no image {tag}"),
                "check `docker buildx ls` and BUILDX_BUILDER: the builder may belong to another engine",
            ))
        })?;
        Ok(image.id)
    }

    /// Reuses an identical image and returns its id, or builds the image and returns `None`.
    fn reuse_or_build(
        &self,
        build: &BuildPlan,
        tag: &str,
        on_event: &mut Listener<'_>,
    ) -> Result<Option<String>, SandboxError> {
        // An image for another platform, or with the user's labels, must not be reused for other
        // environments.
        let recipe = if self.build.platform.is_none() && self.publish.labels.is_empty() {
            reuse::recipe(self.docker, &build.spec, self.steps())?
        } else {
            None
        };
        let must_build = !self.takes_existing()
            || !self.build.cache_from.is_empty()
            || !self.publish.cache_to.is_empty()
            || build.build_memory != BuildMemory::Off;
        if let (Some(recipe), false) = (&recipe, must_build)
            && let Some(id) = reuse::tag(self.docker, recipe, tag)?
        {
            return Ok(Some(id));
        }
        self.build(build, tag, recipe, on_event)?;
        Ok(None)
    }

    /// Builds the image, and writes its lockfile if requested.
    fn build(
        &self,
        build: &BuildPlan,
        tag: &str,
        recipe: Option<String>,
        on_event: &mut Listener<'_>,
    ) -> Result<(), SandboxError> {
        // Check buildx before long work. A short build would fail at once without it, so it skips the 20 ms
        // check.
        let is_long =
            matches!(build.spec.source, ResolvedSource::Hf { .. }) || build.build_memory != BuildMemory::Off;
        let buildx = if is_long { Some(self.docker.buildx()?) } else { None };
        let folder = RunDir::create(&self.settings.temp_folder)?;
        let payload = bootstrap_json(&build.spec, &self.plan.serving);
        let context = build_context::write(folder.path(), build, &payload, self.steps())?;
        self.fetch_source(build, &context, on_event)?;
        self.copy_local_files(build, &context)?;
        let secrets = self.secret_flags(build, folder.path(), on_event)?;
        let request = BuildRequest {
            tag,
            goal: Goal::Image,
            context: &context,
            builder: None,
            images: &[],
            redactor: &self.settings.package_index.redactor(),
            flags: &[self.flags(&build.spec, recipe), secrets.clone()].concat(),
        };
        let builder = Build { request: self, plan: build, buildx: buildx.as_deref(), folder: folder.path() };
        builder.run(&request, on_event)?;
        if let Some(file) = &build.lockfile_to_write {
            let flags = [self.shared_flags(), secrets].concat();
            builder.write_lockfile(file, &BuildRequest { flags: &flags, ..request }, on_event)?;
        }
        Ok(())
    }

    /// How the build's steps install packages.
    pub(crate) fn steps(&self) -> Steps {
        steps(self.build, self.settings)
    }

    /// Flags of `docker buildx build` that the build of the lockfile needs too.
    fn shared_flags(&self) -> Vec<String> {
        let platform = self.build.platform.iter().map(|platform| format!("--platform={platform}"));
        platform.chain(self.build.cache_from.iter().map(|spec| format!("--cache-from={spec}"))).collect()
    }

    /// Flags of `docker buildx build`.
    fn flags(&self, spec: &EffectiveSpec, recipe: Option<String>) -> Vec<String> {
        let mut flags = self.shared_flags();
        if self.build.pull {
            flags.push("--pull".to_owned());
        }
        flags.extend(self.publish.cache_to.iter().map(|spec| format!("--cache-to={spec}")));
        // Labels are not in the Dockerfile, so that images with different labels share their layers. The last
        // label with a key wins.
        let mut labels = labels::of(spec);
        // Without a recipe, that of the base image would count.
        labels.push((labels::RECIPE.to_owned(), recipe.unwrap_or_default()));
        labels.extend_from_slice(&self.publish.labels);
        flags.extend(labels.iter().map(|(key, value)| format!("--label={key}={value}")));
        flags
    }

    /// Flags that pass the user's indexes, proxies and certificates to the installers.
    fn secret_flags(
        &self,
        build: &BuildPlan,
        folder: &Path,
        on_event: &mut Listener<'_>,
    ) -> Result<Vec<String>, SandboxError> {
        let index = &self.settings.package_index;
        let mut flags = build_context::write_secrets(folder, index)?;
        if index.needs_host_network() {
            if build.build_memory == BuildMemory::Off {
                flags.push("--network=host".to_owned());
            } else {
                on_event(Event::Warning(
                    "a build with --build-memory cannot reach a package index or proxy on this machine's loopback interface"
                        .to_owned(),
                ));
            }
        }
        Ok(flags)
    }

    /// Fetches a Hugging Face repository's files into the build context.
    fn fetch_source(
        &self,
        build: &BuildPlan,
        context: &Path,
        on_event: &mut Listener<'_>,
    ) -> Result<(), SandboxError> {
        let ResolvedSource::Hf { repo, resolved_revision, .. } = &build.spec.source else { return Ok(()) };
        let checkout = Checkout { repo, commit: resolved_revision, limit: build.max_source_size };
        let hub = Hub::new(&self.settings.hub, self.docker.interrupt.clone());
        hub.check_out(&checkout, &build_context::source_folder(context), on_event)?;
        build_context::write_requirements(context, false)
    }

    /// Copies the files of this machine into the build context.
    fn copy_local_files(&self, build: &BuildPlan, context: &Path) -> Result<(), SandboxError> {
        let interrupt = &self.docker.interrupt;
        let reading =
            Reading { limit: build.max_source_size, interrupt, kind: SandboxError::SourceResolution };
        if let ResolvedSource::Folder(folder) = &build.spec.source {
            build_context::write_folder(context, folder, &reading)?;
        }
        build_context::write_local_packages(context, &build.spec.local_packages, &reading)
    }
}

/// How the steps of a build install packages.
pub(crate) fn steps(build: &BuildOptions, settings: &Settings) -> Steps {
    Steps { installer: build.installer, secrets: settings.package_index.secrets() }
}

/// One build, and what it needs.
struct Build<'a> {
    request: &'a ImageRequest<'a>,
    plan: &'a BuildPlan,
    /// The version of buildx, if it was checked.
    buildx: Option<&'a str>,
    /// A folder that is removed after the build.
    folder: &'a Path,
}

impl Build<'_> {
    /// Builds, within the memory limit if there is one, and keeps the log of a failed build.
    fn run(&self, request: &BuildRequest<'_>, on_event: &mut Listener<'_>) -> Result<(), SandboxError> {
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
    fn write_lockfile(
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
