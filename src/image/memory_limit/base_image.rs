//! Base images that only the engine has, handed to builders that cannot see them: copies in the user's cache, kept while they are of use; it builds nothing.
//!
//! Each copy is an OCI layout in a folder of its own, named by the image's id, so that it never goes stale. It
//! is written beside its place and moved there when it is whole. A builder that has read one once knows its
//! layers by their digests, and reads no more than its index.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use crate::engine::docker::Docker;
use crate::engine::docker::oci::{LocalImage, SaveFailure, layout_digest};
use crate::error::{Problem, SandboxError};
use crate::host::file_lock::{self, FileLock};
use crate::host::interrupt::Interrupt;
use crate::image::memory_limit::builder;
use crate::progress::BuildEvent;
use crate::progress::{Event, Listener};
use crate::settings::Settings;

/// How many copies are kept beside the one in use: they are as large as their images.
const KEPT: usize = 3;

/// How long a copy is kept that nobody uses.
const KEPT_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

/// The first engine whose `docker save` writes an OCI layout.
const FIRST_WITH_LAYOUTS: u32 = 25;

/// The number under which saving is told as a step of the build: BuildKit's own begin at 0.
const STEP: usize = usize::MAX;

/// An image where a builder finds it. The copy stays as long as this value lives.
#[derive(Debug)]
pub(crate) struct ExportedImage {
    /// As `--build-context` takes it: `oci-layout:///DIR@sha256:…`.
    pub(crate) location: OsString,
    _in_use: FileLock,
}

/// Where a builder gets a base image from.
#[derive(Debug, PartialEq, Eq)]
enum Origin {
    Registry,
    Engine,
    /// From the engine, if only it could be asked for it.
    Nowhere,
}

/// An image that the engine has is what a build without a ceiling would use, so it is what a bounded one gets.
fn origin(local: Option<&LocalImage>, engine: Option<u32>) -> Origin {
    let is_old = engine.is_some_and(|major| major < FIRST_WITH_LAYOUTS);
    match local {
        None => Origin::Registry,
        Some(_) if !is_old => Origin::Engine,
        Some(image) if image.is_in_a_registry => Origin::Registry,
        Some(_) => Origin::Nowhere,
    }
}

/// What handing over needs to know, beside the image.
pub(crate) struct Export<'a> {
    pub(crate) docker: &'a Docker,
    pub(crate) settings: &'a Settings,
    /// The first number of the engine's version.
    pub(crate) engine: Option<u32>,
    /// The version of buildx.
    pub(crate) buildx: &'a str,
    /// A folder that goes with the build.
    pub(crate) folder: &'a Path,
}

impl Export<'_> {
    /// Hands an image over; `None` where the builder gets it from a registry by itself.
    ///
    /// # Errors
    /// ImageBuild where the engine cannot give it; Docker, System, Interrupted.
    pub(crate) fn over(
        &self,
        image: &str,
        on_event: &mut Listener<'_>,
    ) -> Result<Option<ExportedImage>, SandboxError> {
        let local = self.docker.local_image(image).map_err(|failure| {
            failure.into_error(
                &format!("docker could not look for the image {image}"),
                "check `docker image ls`",
                SandboxError::Docker,
            )
        })?;
        match (origin(local.as_ref(), self.engine), local) {
            (Origin::Engine, Some(local)) => self.copy(image, &local, on_event).map(Some),
            (Origin::Nowhere, _) => Err(too_old(image, "it is older than 25")),
            _ => Ok(None),
        }
    }

    fn copy(
        &self,
        name: &str,
        image: &LocalImage,
        on_event: &mut Listener<'_>,
    ) -> Result<ExportedImage, SandboxError> {
        let store = store(self.settings)?;
        let hex = image.id.trim_start_matches("sha256:");
        let (place, lock) = (store.join(hex), store.join(format!("{hex}.lock")));
        let interrupt = &self.docker.interrupt;
        loop {
            let in_use = FileLock::share(&lock, interrupt)?;
            if let Ok(digest) = layout_digest(&place) {
                make_room(&store, KEPT, KEPT_FOR, interrupt);
                return Ok(ExportedImage { location: self.location(&place, &digest)?, _in_use: in_use });
            }
            drop(in_use);
            if let Some(_alone) = FileLock::alone(&lock, Duration::from_secs(1), interrupt)?
                && layout_digest(&place).is_err()
            {
                let began = Instant::now();
                let step = format!("copy {name} out of the engine");
                on_event(Event::Build(BuildEvent::StepStarted { step: STEP, name: step.clone() }));
                self.save(name, image, &place, on_event)?;
                let seconds = began.elapsed().as_secs_f64();
                let name = step;
                on_event(Event::Build(BuildEvent::StepFinished { step: STEP, name, seconds, cached: false }));
            }
        }
    }

    /// Writes the copy, under a lock that keeps everybody else off.
    fn save(
        &self,
        name: &str,
        image: &LocalImage,
        place: &Path,
        on_event: &mut Listener<'_>,
    ) -> Result<(), SandboxError> {
        // What is there is not whole: a killed process left it, or somebody has tidied up inside.
        let draft = Draft::new(place).map_err(|error| unwritable(place, &error))?;
        let mut told_at = 0;
        let saved = self.docker.save_layout(image, &draft.path, &mut |done| {
            // Often enough for a bar.
            if done - told_at >= 4 << 20 {
                told_at = done;
                let total = Some(image.size).filter(|size| *size >= done);
                let id = "saving".to_owned();
                on_event(Event::Build(BuildEvent::Transfer { step: STEP, id, done, total, is_over: false }));
            }
        });
        match saved {
            Ok(_) => draft.keep(place).map_err(|error| unwritable(place, &error)),
            Err(SaveFailure::Docker(failure)) => Err(failure.into_error(
                &format!("the engine did not give its image {name} to the builder"),
                "check `docker save`, and the room on the engine's disk",
                SandboxError::ImageBuild,
            )),
            Err(SaveFailure::Folder(error)) => Err(unwritable(place, &error)),
            Err(SaveFailure::NotALayout(why)) => Err(too_old(name, &why)),
        }
    }

    fn location(&self, place: &Path, digest: &str) -> Result<OsString, SandboxError> {
        let mut folder = place.to_owned();
        if !is_plain(&folder) {
            folder = self.folder.join("base");
            std::os::unix::fs::symlink(place, &folder).map_err(|error| unwritable(&folder, &error))?;
        }
        if !is_plain(&folder) {
            return Err(SandboxError::System(Problem::new(
                format!("docker buildx takes no folder with a colon or an at sign: {}", folder.display()),
                "set XDG_CACHE_HOME to another folder of yours",
            )));
        }
        let mut location = OsString::from("oci-layout://");
        location.push(&folder);
        location.push(format!("{}@{digest}", tag(self.buildx)));
        Ok(location)
    }
}

/// A tag that buildx 0.33 must have beside the digest: it takes none for an empty one, and fails. Others pass
/// over it.
fn tag(buildx: &str) -> &'static str {
    let mut numbers = buildx.trim_start_matches('v').split('.');
    if (numbers.next(), numbers.next()) == (Some("0"), Some("33")) { ":latest" } else { "" }
}

/// Whether buildx reads such a path as one: it takes a colon for the start of a tag, and `@` for a digest's.
fn is_plain(path: &Path) -> bool {
    !path.to_string_lossy().contains([':', '@'])
}

/// A folder that is not whole yet, and goes with this value unless it is kept.
struct Draft {
    path: PathBuf,
}

impl Draft {
    fn new(place: &Path) -> io::Result<Self> {
        let path = place.with_extension("new");
        discard(&path)?;
        discard(place)?;
        fs::create_dir_all(&path)?;
        Ok(Self { path })
    }

    fn keep(self, place: &Path) -> io::Result<()> {
        fs::rename(&self.path, place)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        let _ = discard(&self.path);
    }
}

fn discard(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A copy in the cache.
#[derive(Debug)]
pub(crate) struct Copy {
    /// The image's id, without its algorithm.
    pub(crate) image: String,
    pub(crate) last_use: Option<SystemTime>,
    place: PathBuf,
    lock: PathBuf,
}

/// Where the copies are.
pub(crate) fn store(settings: &Settings) -> Result<PathBuf, SandboxError> {
    Ok(builder::cache(settings)?.join("oci"))
}

/// Every copy, the last used first. A store that cannot be read has none.
pub(crate) fn copies(store: &Path) -> Vec<Copy> {
    let Ok(entries) = fs::read_dir(store) else { return Vec::new() };
    let names: std::collections::BTreeSet<String> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter_map(|name| Some(name.split('.').next()?.to_owned()))
        .filter(|hex| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .collect();
    let mut copies: Vec<Copy> = names
        .into_iter()
        .map(|image| {
            let (place, lock) = (store.join(&image), store.join(format!("{image}.lock")));
            Copy { image, last_use: file_lock::last_use(&lock), place, lock }
        })
        .collect();
    copies.sort_by_key(|copy| std::cmp::Reverse(copy.last_use));
    copies
}

impl Copy {
    /// How much disk it takes, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        bytes_in(&self.place) + bytes_in(&self.place.with_extension("new"))
    }

    /// How long nobody has used it.
    pub(crate) fn age(&self, now: SystemTime) -> Duration {
        self.last_use.map_or(Duration::MAX, |used| now.duration_since(used).unwrap_or_default())
    }

    /// Whether somebody uses it, or makes it, just now.
    ///
    /// # Errors
    /// [`SandboxError::System`].
    pub(crate) fn is_in_use(&self) -> Result<bool, SandboxError> {
        file_lock::is_in_use(&self.lock)
    }

    /// Removes it, unless somebody uses it; says whether it did.
    ///
    /// # Errors
    /// [`SandboxError::System`].
    pub(crate) fn remove(&self, interrupt: &Interrupt) -> Result<bool, SandboxError> {
        let Some(alone) = FileLock::alone(&self.lock, Duration::ZERO, interrupt)? else { return Ok(false) };
        discard(&self.place.with_extension("new"))
            .and_then(|()| discard(&self.place))
            .map_err(|error| unwritable(&self.place, &error))?;
        alone.remove();
        Ok(true)
    }
}

/// Removes copies beyond the last used ones, and old ones, as far as that can be done now.
fn make_room(store: &Path, kept: usize, kept_for: Duration, interrupt: &Interrupt) {
    let now = SystemTime::now();
    for (place, copy) in copies(store).into_iter().enumerate() {
        if place > kept || copy.age(now) > kept_for {
            let _ = copy.remove(interrupt);
        }
    }
}

fn bytes_in(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let of = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => bytes_in(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.flatten().map(of).sum()
}

fn unwritable(place: &Path, error: &io::Error) -> SandboxError {
    SandboxError::System(Problem::new(
        format!("the copy of the base image in {} cannot be written: {error}", place.display()),
        "make room there, or set XDG_CACHE_HOME to another folder of yours",
    ))
}

fn too_old(image: &str, why: &str) -> SandboxError {
    SandboxError::ImageBuild(
        Problem::new(
            format!("the base image {image} is only in the engine, and a bounded build cannot have it from there: {why}"),
            "update Docker Engine to 25 or later, or push the image to a registry",
        )
        .hint("or build without a ceiling: --build-memory off"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(is_in_a_registry: bool) -> LocalImage {
        LocalImage { id: format!("sha256:{}", "ab".repeat(32)), size: 1, is_in_a_registry }
    }

    #[test]
    fn an_image_that_the_engine_has_comes_from_the_engine_if_it_can_give_it() {
        for (local, engine, from) in [
            (None, Some(26), Origin::Registry),
            (None, Some(20), Origin::Registry),
            (Some(image(false)), Some(26), Origin::Engine),
            (Some(image(true)), Some(26), Origin::Engine),
            (Some(image(false)), Some(25), Origin::Engine),
            (Some(image(false)), None, Origin::Engine),
            (Some(image(true)), Some(24), Origin::Registry),
            (Some(image(false)), Some(24), Origin::Nowhere),
        ] {
            assert_eq!(origin(local.as_ref(), engine), from, "{local:?} {engine:?}");
        }
    }

    #[test]
    fn one_version_of_buildx_needs_a_tag_beside_the_digest() {
        for (version, expected) in [
            ("v0.33.0", ":latest"),
            ("0.33.1+x", ":latest"),
            ("v0.29.1", ""),
            ("v0.13.1", ""),
            ("v1.33.0", ""),
            ("", ""),
        ] {
            assert_eq!(tag(version), expected, "{version}");
        }
    }

    fn put(store: &Path, number: u8, days: u64, now: SystemTime) -> String {
        let hex = hex::encode([number; 32]);
        fs::create_dir_all(store.join(&hex).join("blobs")).unwrap();
        fs::write(store.join(&hex).join("blobs/x"), [0; 100]).unwrap();
        let lock = fs::File::create(store.join(format!("{hex}.lock"))).unwrap();
        lock.set_modified(now - Duration::from_secs(days * 24 * 3600)).unwrap();
        hex
    }

    #[test]
    fn the_last_used_copies_stay_and_one_in_use_always_does() {
        let (folder, now, interrupt) =
            (tempfile::tempdir().unwrap(), SystemTime::now(), Interrupt::default());
        let store = folder.path();
        let hexes: Vec<String> = (0..6).map(|days| put(store, days, days.into(), now)).collect();
        fs::create_dir(store.join("not-ours")).unwrap();
        let used = FileLock::share(&store.join(format!("{}.lock", hexes[5])), &interrupt).unwrap();
        used_at(store, &hexes[5], now - Duration::from_secs(5 * 24 * 3600));
        assert_eq!(copies(store).iter().map(|copy| copy.image.clone()).collect::<Vec<_>>(), hexes);
        assert_eq!(copies(store)[0].bytes(), 100);
        make_room(store, 2, KEPT_FOR, &interrupt);
        let left: Vec<String> = copies(store).into_iter().map(|copy| copy.image).collect();
        assert_eq!(left, [&hexes[0], &hexes[1], &hexes[2], &hexes[5]].map(Clone::clone));
        drop(used);
        make_room(store, 9, Duration::from_secs(36 * 3600), &interrupt);
        let left: Vec<String> = copies(store).into_iter().map(|copy| copy.image).collect();
        assert_eq!(left, [&hexes[0], &hexes[1]].map(Clone::clone));
        assert!(store.join("not-ours").exists() && !store.join(format!("{}.lock", hexes[3])).exists());
    }

    fn used_at(store: &Path, hex: &str, time: SystemTime) {
        let lock = fs::OpenOptions::new().append(true).open(store.join(format!("{hex}.lock"))).unwrap();
        lock.set_modified(time).unwrap();
    }

    #[test]
    fn a_draft_that_is_not_kept_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("ab");
        // As a killed process and a careless hand leave them.
        fs::create_dir_all(place.join("blobs")).unwrap();
        fs::create_dir_all(folder.path().join("ab.new/old")).unwrap();
        let draft = Draft::new(&place).unwrap();
        assert!(!place.exists() && !draft.path.join("old").exists());
        drop(draft);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        Draft::new(&place).unwrap().keep(&place).unwrap();
        assert!(place.is_dir() && !folder.path().join("ab.new").exists());
    }

    #[test]
    fn buildx_reads_no_colon_and_no_at_sign_in_a_path() {
        for (path, expected) in [("/home/me/.cache", true), ("/home/me@lab/.cache", false), ("/a:b/c", false)]
        {
            assert_eq!(is_plain(Path::new(path)), expected, "{path}");
        }
    }
}
