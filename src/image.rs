//! Plan → image: found, built or pulled; it starts no container.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::bounded::Bounded;
use crate::context;
use crate::diagnosis;
use crate::docker::Docker;
use crate::docker::build::BuildRequest;
use crate::error::{Problem, SandboxError};
use crate::hub::{Hub, Wanted};
use crate::memory::BuildMemory;
use crate::options::Environment;
use crate::run_folder::RunFolder;
use crate::spec::{EffectiveSpec, Plan, ResolvedSource};
use crate::stage::{Listener, Stage};

/// Whether an image that exists is good enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rebuild {
    IfMissing,
    Always,
}

/// An image that the engine has.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    pub(crate) tag: String,
    /// The engine's own id of it.
    pub(crate) id: String,
    /// How long the build took; `None` where the image was there.
    pub(crate) built_in: Option<Duration>,
}

/// Makes sure that the plan's image is there.
///
/// # Errors
/// ImageBuild, ContainerStartup (an image that cannot be pulled), Docker, Interrupted.
pub(crate) fn ensure(
    docker: &Docker,
    plan: &Plan,
    rebuild: Rebuild,
    environment: &Environment,
    told: &mut Listener<'_>,
) -> Result<Image, SandboxError> {
    check_name(plan)?;
    let tag = plan.image();
    if rebuild == Rebuild::IfMissing
        && let Some(id) = docker.image_id(&tag)?
    {
        return Ok(Image { tag, id, built_in: None });
    }
    let started = Instant::now();
    match plan {
        Plan::Build(spec) => {
            told(Stage::Building { tag: tag.clone() });
            let buildx = docker.buildx()?;
            let folder = RunFolder::create(&environment.temp_dir())?;
            let context = context::write(folder.path(), spec)?;
            fetch_source(spec, &context, docker, environment, told)?;
            let request = BuildRequest { tag: &tag, context: &context, builder: None, images: &[] };
            match spec.build_memory {
                BuildMemory::Off => docker
                    .build(&request, &mut |event| told(Stage::Build(event)))
                    .map_err(|failed| diagnosis::build::build_error(*failed))?,
                BuildMemory::Within(memory) => {
                    let (base_image, folder) = (spec.base_image.as_str(), folder.path());
                    Bounded { docker, environment, memory, buildx: &buildx, base_image, folder }
                        .build(&request, told)?;
                }
            }
        }
        Plan::Prebuilt { reference, .. } => {
            told(Stage::Pulling { image: reference.clone() });
            docker.pull(reference)?;
        }
    }
    let took = started.elapsed();
    told(Stage::Built { seconds: took.as_secs_f64() });
    let id = docker.image_id(&tag)?.ok_or_else(|| {
        SandboxError::ImageBuild(Problem::new(
            format!("the build went well, but the engine has no image {tag}"),
            "is the builder another engine's? check `docker buildx ls` and BUILDX_BUILDER",
        ))
    })?;
    Ok(Image { tag, id, built_in: Some(took) })
}

/// Puts an hf source's files into the context.
fn fetch_source(
    spec: &EffectiveSpec,
    context: &Path,
    docker: &Docker,
    environment: &Environment,
    told: &mut Listener<'_>,
) -> Result<(), SandboxError> {
    let ResolvedSource::Hf { repo, resolved_revision, .. } = &spec.source else { return Ok(()) };
    let wanted = Wanted { repo, commit: resolved_revision, lfs: spec.lfs, limit: spec.source_limit };
    let hub = Hub::new(environment, docker.interrupt.clone())?;
    hub.check_out(&wanted, &context::source_folder(context), told)?;
    context::write_requirements(context)
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
