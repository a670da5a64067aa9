//! A spec → the files that docker builds from: the only place here that touches the disk; it runs nothing.

pub(crate) mod dockerfile;
mod install;
pub(crate) mod lockfile;
pub(crate) mod recipe;
mod requirements;
pub(crate) mod step_title;

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Problem, SandboxError};
use crate::host::run_dir::cannot_write;
use crate::hub::REQUIREMENTS_FILE;
use crate::image::build_context::dockerfile::{CERTIFICATES_SECRET, SETTINGS_SECRET, Steps};
use crate::image::build_context::lockfile::{LOCK_DOCKERFILE, LOCK_FILE};
use crate::plan::EffectiveSpec;
use crate::plan::bootstrap;
use crate::plan::lockfile::Locking;
use crate::plan::rlmesh_package::RlmeshPackage;
use crate::settings::package_index::InstallSettings;

/// The folder of the context that holds wheels.
const PACKAGES_FOLDER: &str = "packages";

/// The folder of the context that holds what an hf source's requirements need.
pub(crate) const REQUIREMENTS_FOLDER: &str = "requirements";

const BOOTSTRAP_FILE: &str = "bootstrap.json";

/// Writes the build context of `spec` into a new folder under `parent`, and returns its path.
///
/// # Errors
/// [`SandboxError::Wheel`] where the wheel vanished since it was hashed; [`SandboxError::System`].
pub(crate) fn write(parent: &Path, spec: &EffectiveSpec, steps: Steps) -> Result<PathBuf, SandboxError> {
    let folder = parent.join("context");
    make(&folder)?;
    put(&folder.join("Dockerfile"), &dockerfile::dockerfile(spec, steps))?;
    write_install(&folder)?;
    match &spec.locking {
        Locking::Unlocked => {}
        Locking::Write(_) => {
            put(&folder.join(LOCK_DOCKERFILE), &dockerfile::lock_dockerfile(spec, steps))?;
        }
        Locking::Install(lock) => put(&folder.join(LOCK_FILE), &lock.requirements)?,
    }
    write_bootstrap(&folder, &bootstrap::bootstrap_json(spec))?;
    if let RlmeshPackage::Wheel { source_path, install_path, .. } = &spec.rlmesh_package {
        let name = install_path.rsplit('/').next().unwrap_or_default();
        let packages = folder.join(PACKAGES_FOLDER);
        make(&packages)?;
        fs::copy(source_path, packages.join(name)).map_err(|error| {
            SandboxError::Wheel(Problem::new(
                format!("the wheel {source_path} cannot be copied: {error}"),
                "check that it is still there, and that the temporary folder has room",
            ))
        })?;
    }
    Ok(folder)
}

/// The scripts that build steps run. Nothing else is in their folder, so that no layer depends on more.
fn write_install(context: &Path) -> Result<(), SandboxError> {
    let folder = context.join(install::FOLDER);
    make(&folder)?;
    install::FILES.iter().try_for_each(|(name, content)| put(&folder.join(name), content))
}

/// Writes what the installers are told into files that no one else can read, outside of the context, and
/// returns the flags that hand them to a build as secrets.
///
/// # Errors
/// [`SandboxError::System`].
pub(crate) fn write_secrets(parent: &Path, settings: &InstallSettings) -> Result<Vec<String>, SandboxError> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut flags = Vec::new();
    if let Some(lines) = settings.lines() {
        let file = parent.join("settings");
        fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&file)
            .and_then(|mut opened| opened.write_all(lines.as_bytes()))
            .map_err(|error| cannot_write(&file, &error))?;
        flags.push(secret_flag(SETTINGS_SECRET, &file));
    }
    if let Some(file) = settings.certificates() {
        // The value is a line of CSV, which a user's path may break; this one's does not.
        let copy = parent.join("certificates");
        fs::copy(file, &copy).map_err(|error| cannot_write(&copy, &error))?;
        flags.push(secret_flag(CERTIFICATES_SECRET, &copy));
    }
    Ok(flags)
}

fn secret_flag(id: &str, file: &Path) -> String {
    format!("--secret=id={id},\"src={}\"", file.display().to_string().replace('"', "\"\""))
}

/// Writes the bootstrap payload as a file that any user inside a container can read; the folder around it
/// is this user's alone.
///
/// # Errors
/// [`SandboxError::System`].
pub(crate) fn write_bootstrap(folder: &Path, payload: &str) -> Result<PathBuf, SandboxError> {
    use std::os::unix::fs::PermissionsExt as _;
    let file = folder.join(BOOTSTRAP_FILE);
    put(&file, payload)?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644))
        .map_err(|error| cannot_write(&file, &error))?;
    Ok(file)
}

/// Where an hf source's files go in a build context.
pub(crate) fn source_folder(context: &Path) -> PathBuf {
    context.join(bootstrap::SOURCE_SUBDIR)
}

/// Puts what an hf source's requirements need into a folder of their own, so that the layer in which they are
/// installed outlives a change of anything else.
///
/// # Errors
/// [`SandboxError::System`].
pub(crate) fn write_requirements(context: &Path) -> Result<(), SandboxError> {
    let (source, folder) = (source_folder(context), context.join(REQUIREMENTS_FOLDER));
    make(&folder)?;
    let file = source.join(REQUIREMENTS_FILE);
    let text = match fs::read(&file) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => return Ok(()),
    };
    if requirements::need_the_source(&text) {
        link_tree(&source, &folder)
    } else {
        link(&file, &folder.join(REQUIREMENTS_FILE))
    }
}

fn link_tree(from: &Path, to: &Path) -> Result<(), SandboxError> {
    let entries = fs::read_dir(from).map_err(|error| cannot_write(from, &error))?;
    for entry in entries.flatten() {
        let target = to.join(entry.file_name());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            make(&target)?;
            link_tree(&entry.path(), &target)?;
        } else {
            link(&entry.path(), &target)?;
        }
    }
    Ok(())
}

fn link(from: &Path, to: &Path) -> Result<(), SandboxError> {
    fs::hard_link(from, to)
        .or_else(|_| fs::copy(from, to).map(drop))
        .map_err(|error| cannot_write(to, &error))
}

fn make(folder: &Path) -> Result<(), SandboxError> {
    fs::create_dir(folder).map_err(|error| cannot_write(folder, &error))
}

fn put(file: &Path, text: &str) -> Result<(), SandboxError> {
    fs::write(file, text).map_err(|error| cannot_write(file, &error))
}
