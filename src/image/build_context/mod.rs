//! Plan → build context: the folder that docker builds from.

pub(crate) mod dockerfile;
mod install;
pub(crate) mod lockfile;
pub(crate) mod recipe;
mod requirements;
pub(crate) mod step_title;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::contract::{PACKAGES_FOLDER, SOURCE_FOLDER};
use crate::error::{Problem, SandboxError, cannot_read};
use crate::host::link::link_or_copy;
use crate::host::run_dir::{cannot_write, write_private};
use crate::hub::{ENV_FILE, REQUIREMENTS_FILE};
use crate::image::build_context::dockerfile::{CERTIFICATES_SECRET, SETTINGS_SECRET, Steps};
use crate::image::build_context::lockfile::{LOCK_DOCKERFILE, LOCK_FILE};
use crate::plan::folder::{LocalFolder, PACKAGE_ENV};
use crate::plan::local_files::Reading;
use crate::plan::local_package::LocalPackage;
use crate::plan::rlmesh_package::RlmeshPackage;
use crate::plan::{BuildPlan, project, startup};
use crate::settings::package_index::PackageIndex;

/// The folder of the context with the files that the requirements of an hf source or a folder need.
pub(crate) const REQUIREMENTS_FOLDER: &str = "requirements";

/// The folder of the context with the user's own packages.
pub(crate) const LOCAL_FOLDER: &str = "local";

/// The hint for files that this run has just written.
const RUN_AGAIN: &str = "run it again; if that does not help, check the folder that TMPDIR names";

const BOOTSTRAP_FILE: &str = "bootstrap.json";

/// Writes the build context of a plan into a new folder under `parent`, and returns its path. `payload` is
/// the bootstrap payload. It is only written for information, and is not part of the image.
///
/// # Errors
/// [`SandboxError::Wheel`] if the wheel cannot be copied; [`SandboxError::System`].
pub(crate) fn write(
    parent: &Path,
    plan: &BuildPlan,
    payload: &str,
    steps: Steps,
) -> Result<PathBuf, SandboxError> {
    let spec = &plan.spec;
    let folder = parent.join("context");
    make(&folder)?;
    put(&folder.join("Dockerfile"), &dockerfile::dockerfile(spec, steps))?;
    write_install(&folder)?;
    if let Some(lockfile) = &spec.lockfile {
        put(&folder.join(LOCK_FILE), &lockfile.requirements)?;
    }
    if plan.lockfile_to_write.is_some() {
        put(&folder.join(LOCK_DOCKERFILE), &dockerfile::lock_dockerfile(spec, steps))?;
    }
    write_bootstrap(&folder, payload)?;
    if startup::is_needed(spec) {
        write_startup(&folder)?;
    }
    if let RlmeshPackage::Wheel { source_path, install_path, .. } = &spec.rlmesh_package {
        let name = install_path.rsplit('/').next().unwrap_or_default();
        let packages = folder.join(PACKAGES_FOLDER);
        make(&packages)?;
        fs::copy(source_path, packages.join(name)).map_err(|error| {
            SandboxError::Wheel(Problem::new(
                format!("cannot copy the wheel {source_path}: {error}"),
                "check that the wheel still exists, and that the folder that TMPDIR names has free space",
            ))
        })?;
    }
    Ok(folder)
}

/// Writes the install scripts.
fn write_install(context: &Path) -> Result<(), SandboxError> {
    let folder = context.join(install::FOLDER);
    make(&folder)?;
    install::FILES.iter().try_for_each(|(name, content)| put(&folder.join(name), content))
}

/// Writes the startup package, so that any user inside a container can read it.
fn write_startup(context: &Path) -> Result<(), SandboxError> {
    let folder = context.join(startup::FOLDER);
    for (name, content) in startup::FILES {
        let file = folder.join(name);
        let parent = file.parent().unwrap_or(&folder);
        fs::create_dir_all(parent).map_err(|error| cannot_write(parent, &error))?;
        put(&file, content)?;
        set_mode(&file, 0o644)?;
        set_mode(parent, 0o755)?;
    }
    Ok(())
}

fn set_mode(path: &Path, mode: u32) -> Result<(), SandboxError> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(|error| cannot_write(path, &error))
}

/// Writes the installers' settings and certificates to files outside of the context, and returns the flags
/// that pass them to a build as secrets.
///
/// # Errors
/// [`SandboxError::System`].
pub(crate) fn write_secrets(parent: &Path, settings: &PackageIndex) -> Result<Vec<String>, SandboxError> {
    let mut flags = Vec::new();
    if let Some(lines) = settings.lines() {
        let file = parent.join("settings");
        write_private(&file, &lines)?;
        flags.push(secret_flag(SETTINGS_SECRET, &file));
    }
    if let Some(file) = settings.certificates() {
        // Copied, because buildx parses the flag as CSV, which the user's path could break.
        let copy = parent.join("certificates");
        fs::copy(file, &copy).map_err(|error| cannot_write(&copy, &error))?;
        flags.push(secret_flag(CERTIFICATES_SECRET, &copy));
    }
    Ok(flags)
}

fn secret_flag(id: &str, file: &Path) -> String {
    format!("--secret=id={id},\"src={}\"", file.display().to_string().replace('"', "\"\""))
}

/// Writes the bootstrap payload to a file that any user inside a container can read. On this machine, the run
/// directory around it is private.
///
/// # Errors
/// [`SandboxError::System`].
pub(crate) fn write_bootstrap(folder: &Path, payload: &str) -> Result<PathBuf, SandboxError> {
    let file = folder.join(BOOTSTRAP_FILE);
    put(&file, payload)?;
    set_mode(&file, 0o644)?;
    Ok(file)
}

/// The folder of the source's files in a build context.
pub(crate) fn source_folder(context: &Path) -> PathBuf {
    context.join(SOURCE_FOLDER)
}

/// Copies the files of a folder that is the source into the context.
///
/// # Errors
/// Of the kind of `reading`, also if the files are no longer those of the plan; [`SandboxError::System`].
pub(crate) fn write_folder(
    context: &Path,
    folder: &LocalFolder,
    reading: &Reading<'_>,
) -> Result<(), SandboxError> {
    let (from, source) = (Path::new(&folder.path), source_folder(context));
    if folder.added_env.is_none() {
        reading.copy(from, &source, &folder.sha256)?;
        return write_requirements(context, folder.is_package);
    }
    make(&source)?;
    put(&source.join(ENV_FILE), PACKAGE_ENV)?;
    reading.copy(from, &context.join(REQUIREMENTS_FOLDER), &folder.sha256)
}

/// Copies the user's own packages into the context.
///
/// # Errors
/// As [`write_folder`].
pub(crate) fn write_local_packages(
    context: &Path,
    packages: &[LocalPackage],
    reading: &Reading<'_>,
) -> Result<(), SandboxError> {
    for package in packages {
        let place = context.join(LOCAL_FOLDER).join(package.place());
        if place.exists() {
            // The same package under another requirement.
            continue;
        }
        let parent = place.parent().unwrap_or(context);
        fs::create_dir_all(parent).map_err(|error| cannot_write(parent, &error))?;
        if package.is_folder {
            reading.copy(&package.path, &place, &package.sha256)?;
        } else {
            reading.copy_file(&package.path, &place, &package.sha256)?;
        }
    }
    Ok(())
}

/// Links the files that the source's requirements need into their own folder, so that other changes do not
/// invalidate the layer in which they are installed. `needs_all` is whether a package is installed in addition to
/// its `requirements.txt`.
///
/// # Errors
/// [`SandboxError::System`].
pub(crate) fn write_requirements(context: &Path, needs_all: bool) -> Result<(), SandboxError> {
    let (source, folder) = (source_folder(context), context.join(REQUIREMENTS_FOLDER));
    make(&folder)?;
    let requirements_file = source.join(REQUIREMENTS_FILE);
    let needs_all = match read(&requirements_file)? {
        Some(text) if needs_all || requirements::need_the_source(&text) => true,
        Some(_) => return link(&requirements_file, &folder.join(REQUIREMENTS_FILE)),
        // Without it, install.py installs the package of the source itself.
        None if source.join("setup.py").exists() => true,
        None => match project::read(&source)? {
            Some(project) if !project.is_package(false) => {
                // Only its dependencies are needed, because env.py finds the files beside it.
                let requirements = project.requirements();
                if !requirements.is_empty() {
                    put(&folder.join(REQUIREMENTS_FILE), &requirements)?;
                }
                return Ok(());
            }
            project => project.is_some(),
        },
    };
    if needs_all { link_tree(&source, &folder) } else { Ok(()) }
}

/// The text of a file; `None` if it does not exist.
fn read(file: &Path) -> Result<Option<String>, SandboxError> {
    match fs::read(file) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(cannot_read(file, &error, RUN_AGAIN)),
    }
}

fn link_tree(from: &Path, to: &Path) -> Result<(), SandboxError> {
    let unreadable = |error: io::Error| cannot_read(from, &error, RUN_AGAIN);
    for entry in fs::read_dir(from).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let target = to.join(entry.file_name());
        if entry.file_type().map_err(unreadable)?.is_dir() {
            make(&target)?;
            link_tree(&entry.path(), &target)?;
        } else {
            link(&entry.path(), &target)?;
        }
    }
    Ok(())
}

fn link(from: &Path, to: &Path) -> Result<(), SandboxError> {
    link_or_copy(from, to).map_err(|error| cannot_write(to, &error))
}

fn make(folder: &Path) -> Result<(), SandboxError> {
    fs::create_dir(folder).map_err(|error| cannot_write(folder, &error))
}

fn put(file: &Path, text: &str) -> Result<(), SandboxError> {
    fs::write(file, text).map_err(|error| cannot_write(file, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_that_cannot_be_read_are_an_error_and_missing_ones_are_not() {
        let context = tempfile::tempdir().unwrap();
        fs::create_dir(source_folder(context.path())).unwrap();
        write_requirements(context.path(), false).unwrap();
        assert_eq!(fs::read_dir(context.path().join(REQUIREMENTS_FOLDER)).unwrap().count(), 0);

        fs::remove_dir(context.path().join(REQUIREMENTS_FOLDER)).unwrap();
        let file = source_folder(context.path()).join(REQUIREMENTS_FILE);
        // Even root cannot read a folder as a file.
        fs::create_dir(&file).unwrap();
        let error = write_requirements(context.path(), false).unwrap_err();
        assert!(error.to_string().contains(&file.display().to_string()), "{error}");
    }
    #[test]
    fn a_package_is_installed_with_all_its_files_and_settings_of_tools_with_none() {
        for (name, text, count) in [
            ("pyproject.toml", "[tool.ruff]\n", 0),
            ("pyproject.toml", "[project]\ndependencies = ['six']\n", 1),
            ("pyproject.toml", "[build-system]\n", 2),
            ("setup.py", "", 2),
        ] {
            let context = tempfile::tempdir().unwrap();
            let source = source_folder(context.path());
            fs::create_dir(&source).unwrap();
            put(&source.join(name), text).unwrap();
            put(&source.join("env.py"), "").unwrap();
            write_requirements(context.path(), false).unwrap();
            let linked = fs::read_dir(context.path().join(REQUIREMENTS_FOLDER)).unwrap().count();
            assert_eq!(linked, count, "{name} {text}");
        }
    }
}
