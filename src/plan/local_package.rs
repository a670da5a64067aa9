//! Packages of this machine that are installed into an image: folders, wheels and source archives.

use std::path::{Path, PathBuf};

use crate::error::{Field, Problem, SandboxError};
use crate::plan::folder::Places;
use crate::plan::local_files::Reading;
use crate::source::local_requirement::{ARCHIVES, LocalRequirement};
use crate::source::slug;

/// A package of this machine, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LocalPackage {
    /// The absolute path without links.
    pub(crate) path: PathBuf,
    pub(crate) is_folder: bool,
    /// The digest of the file, or of the folder's files, in lower-case hex.
    pub(crate) sha256: String,
    /// Its place among the packages of its spec.
    pub(crate) position: usize,
    /// The name of the file, or a name for the folder. It has no characters that are special in requirements.
    file_name: String,
    requirement: LocalRequirement,
}

impl LocalPackage {
    /// Its path below the folder of all local packages. It contains the digest, because installers cache what they
    /// build by its path.
    pub(crate) fn place(&self) -> String {
        format!("{}/{}", &self.sha256[..12], self.file_name)
    }

    /// The requirement to install it from a folder with all local packages.
    pub(crate) fn requirement_in(&self, folder: &str) -> String {
        self.requirement_at(&format!("{folder}/{}", self.place()), "file://")
    }

    fn requirement_at(&self, path: &str, scheme: &str) -> String {
        let LocalRequirement { name, extras, marker, .. } = &self.requirement;
        let requirement = match name {
            Some(name) => format!("{name} @ {scheme}{path}"),
            None => format!("{path}{extras}"),
        };
        if marker.is_empty() { requirement } else { format!("{requirement} ; {marker}") }
    }
}

/// Reads the packages that name files and folders of this machine. Returns all packages as they are part of the
/// build hash, where a local one has its name but not its path, and the local ones.
///
/// # Errors
/// InvalidOption, which names the path: it cannot be read, or is not a package. Interrupted.
pub(crate) fn resolve(
    packages: &[String],
    places: &Places<'_>,
    reading: &Reading<'_>,
) -> Result<(Vec<String>, Vec<LocalPackage>), SandboxError> {
    let (mut texts, mut locals) = (Vec::new(), Vec::new());
    for (position, text) in packages.iter().enumerate() {
        let Some(requirement) = LocalRequirement::parse(text) else {
            texts.push(text.clone());
            continue;
        };
        let package = read(requirement, position, places, reading)?;
        texts.push(package.requirement_at(&format!("./{}", package.file_name), ""));
        locals.push(package);
    }
    Ok((texts, locals))
}

fn read(
    requirement: LocalRequirement,
    position: usize,
    places: &Places<'_>,
    reading: &Reading<'_>,
) -> Result<LocalPackage, SandboxError> {
    let shown = &requirement.path;
    let refused = |what: &str, hint: &str| {
        SandboxError::InvalidOption(Problem::new(format!("{}: {shown} {what}", Field::PACKAGES), hint))
    };
    let path = places
        .path(shown)
        .map_err(SandboxError::InvalidOption)?
        .canonicalize()
        .map_err(|error| refused(&format!("cannot be read: {error}"), "check the path"))?;
    if path.is_dir() {
        let files = reading.list(&path)?;
        if !files.has("pyproject.toml") && !files.has("setup.py") {
            let hint = if files.has("env.py") {
                format!("it has env.py: use it as the source, as in `rlmesh-sandbox run {shown}`")
            } else {
                "use the folder of a package, a wheel or a source archive".to_owned()
            };
            return Err(refused("is not a package: it has neither pyproject.toml nor setup.py", &hint));
        }
        let file_name = slug(&path.file_name().unwrap_or_default().to_string_lossy());
        let sha256 = reading.digest(&files)?;
        return Ok(LocalPackage { path, is_folder: true, sha256, position, file_name, requirement });
    }
    // The name that the user wrote: a wheel may be a link to a file with another name.
    let name = Path::new(shown).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.+!".contains(c);
    if !path.is_file() || !ARCHIVES.iter().any(|end| name.ends_with(end)) || !name.chars().all(is_plain) {
        return Err(refused(
            "is not a package",
            "use the folder of a package, a wheel (.whl) or a source archive (.tar.gz, .zip)",
        ));
    }
    let sha256 = reading.digest_of_file(&path)?;
    Ok(LocalPackage { path, is_folder: false, sha256, position, file_name: name, requirement })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::interrupt::Interrupt;

    fn resolve_in(
        folder: &Path,
        packages: &[&str],
    ) -> Result<(Vec<String>, Vec<LocalPackage>), SandboxError> {
        let interrupt = Interrupt::default();
        let reading = Reading { limit: 1000, interrupt: &interrupt, kind: SandboxError::InvalidOption };
        let packages: Vec<String> = packages.iter().map(|package| (*package).to_owned()).collect();
        resolve(&packages, &Places { folder, home: None }, &reading)
    }

    /// A folder with a package, a wheel, and other files.
    fn world() -> tempfile::TempDir {
        let world = tempfile::tempdir().unwrap();
        for folder in ["My Pkg", "env", "empty"] {
            std::fs::create_dir(world.path().join(folder)).unwrap();
        }
        for file in ["My Pkg/pyproject.toml", "env/env.py", "x-1.0-py3-none-any.whl", "a b.whl", "notes.txt"]
        {
            std::fs::write(world.path().join(file), file).unwrap();
        }
        world
    }

    #[test]
    fn local_packages_have_no_path_in_the_hash_and_their_digest_in_the_build() {
        let world = world();
        let wheel =
            format!("x[a] @ file://{}/x-1.0-py3-none-any.whl ; python_version > '3'", world.path().display());
        let (texts, locals) = resolve_in(world.path(), &["six", "./My Pkg[dev]", &wheel]).unwrap();
        assert_eq!(texts, ["six", "./my-pkg[dev]", "x[a] @ ./x-1.0-py3-none-any.whl ; python_version > '3'"]);
        let in_build: Vec<String> = locals.iter().map(|package| package.requirement_in("/local")).collect();
        assert_eq!(in_build[0], format!("/local/{}/my-pkg[dev]", &locals[0].sha256[..12]));
        assert_eq!(
            in_build[1],
            format!(
                "x[a] @ file:///local/{}/x-1.0-py3-none-any.whl ; python_version > '3'",
                &locals[1].sha256[..12]
            )
        );
        assert_eq!(locals.iter().map(|package| package.position).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn what_is_not_a_package_is_named_before_any_build() {
        let world = world();
        for (package, said) in [
            ("./gone", "packages (--package): ./gone cannot be read: No such file"),
            ("dist/gone.whl", "dist/gone.whl cannot be read"),
            ("./empty", "./empty is not a package: it has neither pyproject.toml nor setup.py"),
            ("./notes.txt", "./notes.txt is not a package"),
            ("./a b.whl", "./a b.whl is not a package"),
            ("~/x", "the home folder is not known"),
        ] {
            let error = resolve_in(world.path(), &[package]).unwrap_err();
            assert_eq!(error.kind(), "InvalidOption");
            assert!(error.to_string().contains(said), "{error}");
        }
        let error = resolve_in(world.path(), &["./env"]).unwrap_err();
        assert!(
            error.hints()[0].contains("use it as the source, as in `rlmesh-sandbox run ./env`"),
            "{error:?}"
        );
    }
}
