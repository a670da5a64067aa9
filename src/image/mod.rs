//! Plan → image: found, built or pulled; it starts no container.

pub(crate) mod build_context;
pub(crate) mod build_log;
pub(crate) mod failure;
pub(crate) mod labels;
pub(crate) mod memory_limit;
pub(crate) mod reuse;

use std::path::Path;
use std::time::{Duration, Instant};

use crate::engine::docker::Docker;
use crate::engine::docker::build::{BuildRequest, Goal, ProgressForm};
use crate::engine::docker::rawjson::BuildEvent;
use crate::error::{Problem, SandboxError};
use crate::host::run_dir::RunDir;
use crate::hub::{Hub, Wanted};
use crate::image::build_log::BuildLog;
use crate::image::memory_limit::LimitedBuild;
use crate::plan::lockfile::{self, Locking};
use crate::plan::{EffectiveSpec, Plan, ResolvedSource};
use crate::progress::{Event, Listener};
use crate::settings::build::{BuildOptions, Rebuild, is_for_platform};
use crate::settings::package_index::InstallSettings;
use crate::settings::size::BuildMemory;
use crate::settings::variables::Variables;

/// An image that the engine has.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    pub(crate) tag: String,
    /// The engine's own id of it.
    pub(crate) id: String,
    /// How long the build took; `None` where the image was there.
    pub(crate) built_in: Option<Duration>,
}

/// What is known of the plan's image already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    Nothing,
    /// The engine has just said that it has none.
    Missing,
}

/// Makes sure that the plan's image is there, under every name that is asked for.
///
/// # Errors
/// ImageBuild, ContainerStartup (an image that cannot be pulled), Docker, Interrupted.
pub(crate) fn ensure(
    docker: &Docker,
    plan: &Plan,
    build: &BuildOptions,
    variables: &Variables,
    known: Known,
    on_event: &mut Listener<'_>,
) -> Result<Image, SandboxError> {
    check(plan, build)?;
    let there = if known == Known::Missing { None } else { there(docker, plan, build, on_event)? };
    let image = match there {
        Some(image) => image,
        None => make(docker, plan, build, variables, on_event)?,
    };
    for name in build.tags.iter().chain(&build.pushes) {
        docker.tag_image(&image.tag, name)?;
    }
    for name in &build.pushes {
        on_event(Event::Pushing { image: name.clone() });
        docker.push_image(name)?;
    }
    Ok(image)
}

/// The image, where the engine has it already and it is good enough.
fn there(
    docker: &Docker,
    plan: &Plan,
    build: &BuildOptions,
    on_event: &mut Listener<'_>,
) -> Result<Option<Image>, SandboxError> {
    // What a lock lists is what this build installs.
    if build.rebuild == Rebuild::Always || plan.is_to_be_locked() {
        return Ok(None);
    }
    let tag = plan.image();
    let Some(facts) = docker.image(&tag)? else { return Ok(None) };
    // The tag is the same for every platform, and an image for another one is not what was asked for.
    let wanted = match (&build.platform, plan, &facts.platform) {
        (Some(platform), _, _) => Some(platform.clone()),
        (None, Plan::Build(_), Some(_)) => {
            let engine = docker.engine()?;
            Some(format!("{}/{}", engine.os, engine.arch))
        }
        (None, _, _) => None,
    };
    if let (Some(has), Some(wanted)) = (facts.platform, wanted)
        && !is_for_platform(&has, &wanted)
    {
        on_event(Event::Warning(format!("the image {tag} is for {has}, and makes way for one for {wanted}")));
        return Ok(None);
    }
    Ok(Some(Image { tag, id: facts.id, built_in: None }))
}

/// Builds or pulls the image.
fn make(
    docker: &Docker,
    plan: &Plan,
    build: &BuildOptions,
    variables: &Variables,
    on_event: &mut Listener<'_>,
) -> Result<Image, SandboxError> {
    let tag = plan.image();
    let started = Instant::now();
    match plan {
        Plan::Build(spec) => {
            on_event(Event::Building { tag: tag.clone() });
            let settings = InstallSettings::read(variables, build.ca_cert.as_deref())?;
            let secrets = settings.secrets();
            let twin = match build.recipe_instead_of_a_build(spec, secrets) {
                Some(recipe) => {
                    let labels = build.image_labels(spec, secrets);
                    let wanted = reuse::Wanted {
                        tag: &tag,
                        recipe: &recipe,
                        base_image: &spec.base_image,
                        labels: &labels,
                    };
                    reuse::make(docker, &wanted, &variables.temp_dir(), on_event)?
                }
                None => None,
            };
            if let Some(id) = twin {
                let took = started.elapsed();
                on_event(Event::Built { seconds: took.as_secs_f64() });
                return Ok(Image { tag, id, built_in: Some(took) });
            }
            build_spec(docker, spec, &tag, build, &settings, variables, on_event)?;
        }
        Plan::Prebuilt { reference, .. } => {
            on_event(Event::Pulling { image: reference.clone() });
            docker.pull(reference, build.platform.as_deref())?;
        }
    }
    let took = started.elapsed();
    on_event(Event::Built { seconds: took.as_secs_f64() });
    let facts = docker.image(&tag)?.ok_or_else(|| {
        SandboxError::ImageBuild(Problem::new(
            format!("the build went well, but the engine has no image {tag}"),
            "is the builder another engine's? check `docker buildx ls` and BUILDX_BUILDER",
        ))
    })?;
    Ok(Image { tag, id: facts.id, built_in: Some(took) })
}

/// Builds the image of a spec.
fn build_spec(
    docker: &Docker,
    spec: &EffectiveSpec,
    tag: &str,
    build: &BuildOptions,
    settings: &InstallSettings,
    variables: &Variables,
    on_event: &mut Listener<'_>,
) -> Result<(), SandboxError> {
    // Nothing long is begun without buildx. Any other build tells by itself, and asking takes time.
    let is_long = matches!(spec.source, ResolvedSource::Hf { .. }) || spec.build_memory != BuildMemory::Off;
    let buildx = if is_long { Some(docker.buildx()?) } else { None };
    let folder = RunDir::create(&variables.temp_dir())?;
    let context = build_context::write(folder.path(), spec, build.steps(settings.secrets()))?;
    fetch_source(spec, &context, docker, variables, on_event)?;
    let handed = handed_over(spec, folder.path(), settings, on_event)?;
    let flags = [build.flags(spec, settings.secrets()), handed.clone()].concat();
    let request = BuildRequest {
        tag,
        goal: Goal::Image,
        context: &context,
        builder: None,
        images: &[],
        progress: buildx.as_deref().map_or(ProgressForm::RawJson, ProgressForm::of_buildx),
        mask: &settings.mask(),
        flags: &flags,
    };
    let site = Site { docker, spec, build, variables, buildx: buildx.as_deref(), folder: folder.path() };
    site.run(&request, on_event)?;
    if let Locking::Write(file) = &spec.locking {
        let flags = [build.flags_beside_the_image(), handed].concat();
        site.write_lock(file, &BuildRequest { flags: &flags, ..request }, on_event)?;
    }
    Ok(())
}

/// The flags that let the installers know, and reach, what the user's environment says of indexes and proxies.
fn handed_over(
    spec: &EffectiveSpec,
    folder: &Path,
    settings: &InstallSettings,
    on_event: &mut Listener<'_>,
) -> Result<Vec<String>, SandboxError> {
    let mut flags = build_context::write_secrets(folder, settings)?;
    if settings.needs_host_network() {
        match spec.build_memory {
            BuildMemory::Off => flags.push("--network=host".to_owned()),
            BuildMemory::Within(_) => on_event(Event::Warning(
                "a bounded build has a network of its own, in which the loopback address of an index or proxy leads nowhere"
                    .to_owned(),
            )),
        }
    }
    Ok(flags)
}

/// Where and how a spec is built.
struct Site<'a> {
    docker: &'a Docker,
    spec: &'a EffectiveSpec,
    build: &'a BuildOptions,
    variables: &'a Variables,
    /// The version of buildx, where it was asked for.
    buildx: Option<&'a str>,
    /// A folder that goes with the build.
    folder: &'a Path,
}

impl Site<'_> {
    /// Builds, within the ceiling if there is one, and keeps the whole log of a build that failed.
    fn run(&self, request: &BuildRequest<'_>, on_event: &mut Listener<'_>) -> Result<(), SandboxError> {
        let logs = self.variables.state_folder().map(|state| state.join("logs"));
        let mut log = BuildLog::begin(logs.as_deref(), request.tag);
        let mut on_event = |event| {
            if let (Some(log), Event::Build(event)) = (&mut log, &event) {
                log.tell(event);
            }
            on_event(event);
        };
        let built = match self.spec.build_memory {
            BuildMemory::Off => self.run_unbounded(request, &mut |event| on_event(Event::Build(event))),
            BuildMemory::Within(memory) => LimitedBuild {
                docker: self.docker,
                memory,
                cache: self.variables.cache_folder().as_deref(),
                buildx: self.buildx.unwrap_or_default(),
                // What the engine has may be old, or for its own platform only.
                base_image: self.build.takes_the_base_as_it_is().then_some(self.spec.base_image.as_str()),
                folder: self.folder,
            }
            .run(request, &mut on_event),
        };
        built.map_err(|error| match error {
            SandboxError::ImageBuild(_) | SandboxError::MemoryCeiling(_) => {
                match log.take().and_then(BuildLog::keep) {
                    Some(path) => {
                        error.map_problem(|problem| problem.details(format!("whole log: {}", path.display())))
                    }
                    None => error,
                }
            }
            // Nothing was built: docker does not answer, or the user had enough.
            error => error,
        })
    }

    fn run_unbounded(
        &self,
        request: &BuildRequest<'_>,
        event: &mut dyn FnMut(BuildEvent),
    ) -> Result<(), SandboxError> {
        let mut built = self.docker.build(request, event);
        if let (Err(failed), None) = (&built, self.buildx)
            && failed.step.is_none()
        {
            // Nothing was begun: is there a buildx at all, and one that is new enough?
            let progress = ProgressForm::of_buildx(&self.docker.buildx()?);
            if progress != request.progress {
                built = self.docker.build(&BuildRequest { progress, ..*request }, event);
            }
        }
        built.map_err(|failed| failure::build_error(*failed))
    }

    /// Finds out what the image has beyond its base, in a stage that follows its own, and writes that down.
    fn write_lock(
        &self,
        file: &Path,
        request: &BuildRequest<'_>,
        on_event: &mut Listener<'_>,
    ) -> Result<(), SandboxError> {
        let dockerfile = request.context.join(build_context::lockfile::LOCK_DOCKERFILE);
        let folder = request.context.with_file_name("found");
        let request =
            BuildRequest { goal: Goal::Files { dockerfile: &dockerfile, folder: &folder }, ..*request };
        // The image's own steps come by once more, out of the cache: nobody needs to see that.
        self.run(&request, &mut |_| {})?;
        let found =
            std::fs::read_to_string(folder.join(build_context::lockfile::LOCK_FILE)).map_err(|error| {
                SandboxError::ImageBuild(Problem::new(
                    format!("the build went well, but left no lock: {error}"),
                    "is the builder another machine's? check `docker buildx ls` and BUILDX_BUILDER",
                ))
            })?;
        let lock = lockfile::write(file, &found, self.spec)?;
        let locked = EffectiveSpec { locking: Locking::Install(lock), ..self.spec.clone() };
        on_event(Event::Locked { file: file.display().to_string(), image: locked.image_tag() });
        Ok(())
    }
}

/// Refuses what would come to nothing.
///
/// # Errors
/// [`SandboxError::InvalidSource`], [`SandboxError::InvalidOption`].
pub(crate) fn check(plan: &Plan, build: &BuildOptions) -> Result<(), SandboxError> {
    check_name(plan)?;
    match (plan, build.first_of_a_build()) {
        (Plan::Prebuilt { .. }, Some(flag)) => Err(SandboxError::InvalidOption(Problem::new(
            format!("{flag} has no effect on a prebuilt image"),
            "leave it out, or name a source that is built: a Gymnasium id or hf://org/repo@commit",
        ))),
        _ => Ok(()),
    }
}

/// Puts an hf source's files into the context.
fn fetch_source(
    spec: &EffectiveSpec,
    context: &Path,
    docker: &Docker,
    variables: &Variables,
    on_event: &mut Listener<'_>,
) -> Result<(), SandboxError> {
    let ResolvedSource::Hf { repo, resolved_revision, .. } = &spec.source else { return Ok(()) };
    let wanted = Wanted { repo, commit: resolved_revision, lfs: spec.lfs, limit: spec.source_limit };
    let hub = Hub::new(variables, docker.interrupt.clone())?;
    hub.check_out(&wanted, &build_context::source_folder(context), on_event)?;
    build_context::write_requirements(context)
}

/// Refuses a plan whose image docker could not hold.
///
/// # Errors
/// [`SandboxError::InvalidSource`].
pub(crate) fn check_name(plan: &Plan) -> Result<(), SandboxError> {
    if plan.image_name_fits() {
        return Ok(());
    }
    Err(SandboxError::InvalidSource(Problem::new(
        "the source is too long: docker cannot hold an image of that name",
        "use an env id of less than 240 characters",
    )))
}
