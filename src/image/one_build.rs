//! Lets only one process of this user build an image at a time, so that the others use it instead of building it
//! again. A second build would take the tag from the first image.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use crate::engine::docker::Docker;
use crate::error::SandboxError;
use crate::host::file_lock::FileLock;
use crate::progress::{Event, Listener};

/// How long to wait for another build of the same image. After that, this process builds it too.
const LONGEST_BUILD: Duration = Duration::from_secs(2 * 3600);

/// The permission to build an image, as long as this value lives.
pub(crate) struct BuildLock {
    lock: Option<FileLock>,
    /// Whether another process may have built the image since this one looked for it.
    pub(crate) may_have_built: bool,
}

impl Drop for BuildLock {
    fn drop(&mut self) {
        self.lock.take().into_iter().for_each(FileLock::remove);
    }
}

/// Waits until no other process builds the image. `None` if this cannot be known: without a cache folder, or if it
/// cannot be written.
///
/// # Errors
/// Interrupted.
pub(crate) fn lock(
    cache: Option<&Path>,
    tag: &str,
    docker: &Docker,
    on_event: &mut Listener<'_>,
) -> Result<Option<BuildLock>, SandboxError> {
    let Some(folder) = cache.map(|cache| cache.join("images")) else { return Ok(None) };
    // A tag contains one colon, which file names on some systems cannot have.
    let path = folder.join(format!("{}.lock", tag.replace(':', "-")));
    let _ = fs::create_dir_all(&folder);
    // If the file exists, another process builds the image, or was killed while it did.
    let is_first = File::create_new(&path).is_ok();
    let exclusive = |patience| match FileLock::exclusive(&path, patience, &docker.interrupt) {
        Err(error @ SandboxError::Interrupted(_)) => Err(error),
        Err(error) => {
            docker.note(&format!("no lock for the build: {error}"));
            Ok(None)
        }
        Ok(lock) => Ok(Some(lock)),
    };
    let Some(locked) = exclusive(Duration::ZERO)? else { return Ok(None) };
    if let Some(lock) = locked {
        return Ok(Some(BuildLock { lock: Some(lock), may_have_built: !is_first }));
    }
    on_event(Event::Note(format!("waiting for another build of {tag}")));
    let lock = exclusive(LONGEST_BUILD)?.flatten();
    Ok(lock.map(|lock| BuildLock { lock: Some(lock), may_have_built: true }))
}
