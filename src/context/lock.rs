//! A lock in the Dockerfile: the installation of exactly what it lists, and the stage that writes one; pure text.

use crate::context::PACKAGES_FOLDER;
use crate::context::dockerfile::IMAGE_FOLDER;
use crate::package::RlmeshPackage;
use crate::spec::EffectiveSpec;

/// The lock in the build context, and in the folder that the stage which writes one leaves.
pub(crate) const LOCK_FILE: &str = "lock.txt";

/// The Dockerfile that writes the lock, beside the image's own.
pub(crate) const LOCK_DOCKERFILE: &str = "Dockerfile.lock";

/// What runs in it.
pub(crate) const LOCK_SCRIPT: (&str, &str) = ("lock.py", include_str!("lock.py"));

/// Installs the lock and nothing else; a wheel file of rlmesh's is not in it, but in the build hash.
pub(crate) fn install(spec: &EffectiveSpec) -> String {
    let mut text = format!(
        "RUN --mount=type=bind,source={LOCK_FILE},target={IMAGE_FOLDER}/{LOCK_FILE} \
         --mount=type=cache,target=/root/.cache/pip \
         [\"python\",\"-m\",\"pip\",\"install\",\"--disable-pip-version-check\",\"--root-user-action=ignore\",\
         \"--require-hashes\",\"-r\",\"{IMAGE_FOLDER}/{LOCK_FILE}\"]\n"
    );
    if let RlmeshPackage::Wheel { install_path, .. } = &spec.rlmesh_package {
        text += &format!(
            "RUN --mount=type=bind,source={PACKAGES_FOLDER},target={IMAGE_FOLDER}/{PACKAGES_FOLDER} \
             [\"python\",\"-m\",\"pip\",\"install\",\"--disable-pip-version-check\",\"--root-user-action=ignore\",\
             \"--no-deps\",\"{install_path}\"]\n"
        );
    }
    text
}

/// The Dockerfile of an image, continued: its result is a folder with the lock of what the image has beyond
/// its base. Everything before is the image's own, and so in the builder's cache.
pub(crate) fn lock_dockerfile(dockerfile: &str, base_image: &str) -> String {
    let (script, _) = LOCK_SCRIPT;
    format!(
        "{image}\
         FROM {base_image} AS rlmesh-base\n\
         FROM rlmesh-image AS rlmesh-locking\n\
         RUN --mount=type=bind,from=rlmesh-base,target=/rlmesh-base \
         --mount=type=bind,source={script},target=/rlmesh-{script} \
         [\"python\",\"/rlmesh-{script}\",\"/rlmesh-base\",\"/rlmesh-{LOCK_FILE}\"]\n\
         FROM scratch\n\
         COPY --from=rlmesh-locking /rlmesh-{LOCK_FILE} /{LOCK_FILE}\n",
        image = with_named_result(dockerfile)
    )
}

/// The Dockerfile with its last stage called `rlmesh-image`.
fn with_named_result(dockerfile: &str) -> String {
    let last = dockerfile.lines().enumerate().filter(|(_, line)| line.starts_with("FROM ")).last();
    let last = last.map(|(number, _)| number);
    let lines = dockerfile.lines().enumerate().map(|(number, line)| {
        if Some(number) == last { format!("{line} AS rlmesh-image\n") } else { format!("{line}\n") }
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stage_that_writes_a_lock_follows_the_image_as_it_is() {
        let text = lock_dockerfile("FROM uv AS tools\nFROM python:3.11-slim\nRUN x\n", "python:3.11-slim");
        let image = "FROM uv AS tools\nFROM python:3.11-slim AS rlmesh-image\nRUN x\nFROM python:3.11-slim AS rlmesh-base\n";
        assert!(text.starts_with(image), "{text}");
    }
}
