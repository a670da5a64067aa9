//! Where a builder finds a base image that the engine has: in the registry that it came from, else in a copy made for this build.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::Instant;

use crate::engine::docker::Docker;
use crate::engine::docker::image::ImageInspection;
use crate::engine::docker::oci::{SaveFailure, layout_digest};
use crate::error::{Problem, SandboxError};
use crate::progress::{BuildEvent, Event, Listener};

/// The first engine whose `docker save` writes an OCI layout.
const FIRST_WITH_LAYOUTS: u32 = 25;

/// The number of the export among the steps of a build: BuildKit's own begin at 0.
const STEP: usize = usize::MAX;

/// Where a builder finds the base image that the engine has under this name, as `--build-context` takes it:
/// the very image that a build without a limit would use. `None` where the engine does not have it.
///
/// `engine` is the first number of the engine's version, `buildx` the version of buildx. An image that no
/// registry has is exported into `folder`, once.
///
/// # Errors
/// ImageBuild where the engine cannot export it; Docker, System, Interrupted.
pub(crate) fn base_image_location(
    docker: &Docker,
    name: &str,
    engine: Option<u32>,
    buildx: &str,
    folder: &Path,
    on_event: &mut Listener<'_>,
) -> Result<Option<OsString>, SandboxError> {
    let Some(image) = docker.image(name)? else { return Ok(None) };
    if let Some(reference) = registry_reference(name, &image) {
        return Ok(Some(format!("docker-image://{reference}").into()));
    }
    if engine.is_some_and(|major| major < FIRST_WITH_LAYOUTS) {
        return Err(cannot_export(name, "the engine is older than version 25"));
    }
    let folder = folder.join("base-image");
    check_path(&folder)?;
    // A build that writes a lockfile runs twice.
    let digest = if folder.exists() {
        layout_digest(&folder).map_err(|why| cannot_export(name, &why))?
    } else {
        export(docker, name, &image, &folder, on_event)?
    };
    let mut location = OsString::from("oci-layout://");
    location.push(&folder);
    location.push(format!("{}@{digest}", tag_for(buildx)));
    Ok(Some(location))
}

/// The image as the registry of `name` has it, if it has this one: `REPOSITORY@DIGEST`.
///
/// The containerd image store lists such a reference for every image, also for one that was never pushed.
/// Its digest is the image's id then, and proves nothing.
fn registry_reference<'a>(name: &str, image: &'a ImageInspection) -> Option<&'a String> {
    let name = name.split('@').next().unwrap_or(name);
    // A colon after the last slash starts the tag; one before it belongs to the registry's port.
    let last_slash = name.rfind('/').unwrap_or(0);
    let repository = &name[..name[last_slash..].find(':').map_or(name.len(), |colon| last_slash + colon)];
    image.repo_digests.iter().find(|reference| match reference.split_once('@') {
        Some((of, digest)) => of == repository && digest != image.id,
        None => false,
    })
}

/// Writes the image into a folder as an OCI layout, and returns its digest.
fn export(
    docker: &Docker,
    name: &str,
    image: &ImageInspection,
    folder: &Path,
    on_event: &mut Listener<'_>,
) -> Result<String, SandboxError> {
    let cannot_write = |error: std::io::Error| {
        SandboxError::System(Problem::new(
            format!("the base image {name} cannot be exported to {}: {error}", folder.display()),
            "make room there, or set TMPDIR to a folder on a larger disk",
        ))
    };
    fs::create_dir(folder).map_err(cannot_write)?;
    let started = Instant::now();
    let step = format!("export {name} from the engine");
    on_event(Event::Build(BuildEvent::StepStarted { step: STEP, name: step.clone() }));
    let digest = docker.save_layout(&image.id, folder).map_err(|failure| match failure {
        SaveFailure::Docker(failure) => failure.into_error(
            &format!("the engine could not export its image {name}"),
            "check `docker save`, and the free space on the engine's disk",
            SandboxError::ImageBuild,
        ),
        SaveFailure::Folder(error) => cannot_write(error),
        SaveFailure::NotALayout(why) => cannot_export(name, &why),
    })?;
    let seconds = started.elapsed().as_secs_f64();
    on_event(Event::Build(BuildEvent::StepFinished { step: STEP, name: step, seconds, cached: false }));
    Ok(digest)
}

/// Refuses a path that buildx would misread: it takes a colon for the start of a tag, and `@` for a digest's.
fn check_path(folder: &Path) -> Result<(), SandboxError> {
    if !folder.to_string_lossy().contains([':', '@']) {
        return Ok(());
    }
    Err(SandboxError::System(Problem::new(
        format!(
            "docker buildx cannot read a base image from {}: the path has a colon or an at sign",
            folder.display()
        ),
        "set TMPDIR to another folder",
    )))
}

/// A tag that buildx 0.33 needs beside the digest; other versions ignore it.
fn tag_for(buildx: &str) -> &'static str {
    if buildx.trim_start_matches('v').starts_with("0.33.") { ":latest" } else { "" }
}

fn cannot_export(name: &str, why: &str) -> SandboxError {
    SandboxError::ImageBuild(
        Problem::new(
            format!("the base image {name} is only in the engine, and a build with --build-memory cannot use it: {why}"),
            "update Docker Engine to version 25 or newer, or push the image to a registry",
        )
        .hint("or build without a memory limit: --build-memory off"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_comes_from_a_registry_that_is_known_to_have_it() {
        let image = |repo_digests: &[&str]| ImageInspection {
            id: "sha256:1".to_owned(),
            platform: None,
            repo_digests: repo_digests.iter().map(|text| (*text).to_owned()).collect(),
        };
        for (name, repo_digests, expected) in [
            ("python:3.11", &["python@sha256:2"][..], Some("python@sha256:2")),
            ("python", &["python@sha256:2"], Some("python@sha256:2")),
            ("python@sha256:2", &["python@sha256:2"], Some("python@sha256:2")),
            ("lab:5000/sim:1", &["python@sha256:2", "lab:5000/sim@sha256:2"], Some("lab:5000/sim@sha256:2")),
            ("lab:5000/sim", &["lab:5000/sim@sha256:2"], Some("lab:5000/sim@sha256:2")),
            // Built or imported here.
            ("python:3.11", &[], None),
            // Another name given here to an image from a registry.
            ("sim:1", &["python@sha256:2"], None),
            // The containerd image store.
            ("python:3.11", &["python@sha256:1"], None),
        ] {
            let image = image(repo_digests);
            assert_eq!(
                registry_reference(name, &image).map(String::as_str),
                expected,
                "{name} {repo_digests:?}"
            );
        }
    }

    #[test]
    fn one_version_of_buildx_needs_a_tag_beside_the_digest() {
        for (version, expected) in
            [("v0.33.0", ":latest"), ("0.33.1+x", ":latest"), ("v0.29.1", ""), ("v1.33.0", ""), ("", "")]
        {
            assert_eq!(tag_for(version), expected, "{version}");
        }
    }
}
