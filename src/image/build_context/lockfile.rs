//! The Dockerfile stage that writes a lockfile, as text.

/// The name of the lockfile in the build context, and in the output of the stage that writes it.
pub(crate) const LOCK_FILE: &str = "lock.txt";

/// The name of the Dockerfile that writes the lockfile.
pub(crate) const LOCK_DOCKERFILE: &str = "Dockerfile.lock";

/// Where the base image's files are while the lockfile is written.
const BASE_FOLDER: &str = "/rlmesh-base";

/// The Dockerfile of an image, followed by stages whose result is the lockfile of what the image has in
/// addition to its base image. The image's own stages are already in the builder's cache.
///
/// `run` returns the rest of the RUN instruction, from the paths of the base image's files and the lockfile.
pub(crate) fn lock_dockerfile(
    dockerfile: &str,
    base_image: &str,
    run: &dyn Fn(&str, &str) -> String,
) -> String {
    // A folder that every user may write to.
    let file = format!("/tmp/rlmesh-{LOCK_FILE}");
    format!(
        "{image}\
         FROM {base_image} AS rlmesh-base\n\
         FROM rlmesh-image AS rlmesh-locking\n\
         RUN --mount=type=bind,from=rlmesh-base,target={BASE_FOLDER} {run}\n\
         FROM scratch\n\
         COPY --from=rlmesh-locking {file} /{LOCK_FILE}\n",
        image = with_named_result(dockerfile),
        run = run(BASE_FOLDER, &file),
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
        let text = lock_dockerfile(
            "FROM uv AS tools\nFROM python:3.11-slim\nRUN x\n",
            "python:3.11-slim",
            &|base, file| format!("y {base} {file}"),
        );
        let image = "FROM uv AS tools\nFROM python:3.11-slim AS rlmesh-image\nRUN x\nFROM python:3.11-slim AS rlmesh-base\n";
        assert!(text.starts_with(image), "{text}");
    }
}
