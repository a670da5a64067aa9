//! A lock: the exact packages of an image with their hashes, as a requirements file; read, checked and written here, resolved nowhere.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::error::{Problem, SandboxError};
use crate::host::run_dir::cannot_write;
use crate::plan::EffectiveSpec;
use crate::plan::rlmesh_package::RlmeshPackage;
use crate::settings::sandbox::{Field, invalid};

const LOCK: Field = Field("lock", "--lock");

/// What starts the comment that lists what the base image brought along.
const OF_THE_BASE: &str = "# the base image has: ";

/// The largest file that is taken for a lock, in bytes.
const LARGEST: u64 = 16 * 1024 * 1024;

/// What a build does about a lock.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Locking {
    #[default]
    Unlocked,
    /// The file is not there: it is written after the build.
    Write(PathBuf),
    /// The build installs this and nothing else.
    Install(Lock),
}

/// A lock that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lock {
    /// One requirement a line, with its hashes; no comments.
    pub(crate) requirements: String,
    /// Of the requirements, in lower-case hex: a comment changes no image.
    pub(crate) sha256: String,
}

impl Locking {
    /// Looks at the file.
    ///
    /// # Errors
    /// [`SandboxError::InvalidOption`] where it cannot be read or written, is no lock, or lacks what is asked for.
    pub(crate) fn at(
        file: &Path,
        package: &RlmeshPackage,
        packages: &[String],
    ) -> Result<Self, SandboxError> {
        let shown = file.display();
        match fs::metadata(file) {
            Ok(found) if !found.is_file() => {
                Err(invalid(format!("{LOCK} {shown} is no file"), "name the file that is to hold the lock"))
            }
            Ok(found) if found.len() > LARGEST => Err(invalid(
                format!("{LOCK} {shown} is {} bytes long", found.len()),
                "name a lock, as this option writes it",
            )),
            Ok(_) => {
                let text = fs::read_to_string(file).map_err(|error| {
                    invalid(format!("{LOCK} {shown} cannot be read: {error}"), "check the file")
                })?;
                read(&text, package, packages).map(Locking::Install).map_err(|said| {
                    invalid(
                        format!("{LOCK} {shown} {said}"),
                        "remove the file, and it is written anew after the build",
                    )
                })
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
                if folder.is_some_and(|folder| !folder.is_dir()) {
                    return Err(invalid(
                        format!("{LOCK} {shown} has no folder to be written into"),
                        "make the folder first",
                    ));
                }
                Ok(Locking::Write(file.to_owned()))
            }
            Err(error) => {
                Err(invalid(format!("{LOCK} {shown} cannot be looked at: {error}"), "check the file"))
            }
        }
    }

    /// What enters the build hash.
    pub(crate) fn digest(&self) -> Option<&str> {
        match self {
            Locking::Install(lock) => Some(&lock.sha256),
            Locking::Unlocked | Locking::Write(_) => None,
        }
    }
}

/// Reads a lock; the error goes on where the file's name ends.
fn read(text: &str, package: &RlmeshPackage, packages: &[String]) -> Result<Lock, String> {
    let (mut requirements, mut names) = (String::new(), Vec::new());
    let of_the_base = text.lines().find_map(|line| line.strip_prefix(OF_THE_BASE)).unwrap_or_default();
    for line in whole_lines(text) {
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        let (requirement, hashes) = line.split_once(" --hash=").unwrap_or((&line, ""));
        let name = normal_name(requirement);
        if name.is_empty() || !(requirement.contains("==") || requirement.contains(" @ ")) {
            return Err(format!("has a line that pins no package: {requirement}"));
        }
        let is_digest = |hash: &str| {
            hash.strip_prefix("sha256:")
                .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
        };
        if !hashes.split(" --hash=").all(is_digest) {
            return Err(format!("has no sha256 for {requirement}"));
        }
        names.push(name);
        requirements += &line;
        requirements.push('\n');
    }
    let mut wanted: Vec<String> = packages.iter().map(|package| normal_name(package)).collect();
    if matches!(package, RlmeshPackage::Pip { .. }) {
        wanted.push("rlmesh".to_owned());
    }
    let is_there = |name: &String| names.contains(name) || of_the_base.split(' ').any(|had| had == name);
    // A requirement that is an address alone has no name to look for.
    if let Some(name) = wanted.iter().find(|name| !name.is_empty() && !is_there(name)) {
        return Err(format!("does not list {name}, which is to be installed"));
    }
    let sha256 = hex::encode(Sha256::digest(&requirements));
    Ok(Lock { requirements, sha256 })
}

/// Lines without comments, and without the line breaks inside a requirement.
fn whole_lines(text: &str) -> Vec<String> {
    let (mut lines, mut pending) = (Vec::new(), String::new());
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let line = line.split(" #").next().unwrap_or_default().trim_end();
        match line.strip_suffix('\\') {
            Some(part) => {
                pending += part;
                pending.push(' ');
            }
            None => lines.push(std::mem::take(&mut pending) + line),
        }
    }
    if !pending.trim().is_empty() {
        lines.push(pending);
    }
    lines
}

/// The name that a requirement begins with, as indexes spell it; empty where it begins with an address or a dash.
fn normal_name(requirement: &str) -> String {
    let end = requirement
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')))
        .unwrap_or(requirement.len());
    let (name, rest) = requirement.split_at(end);
    if rest.starts_with(':') || rest.starts_with('+') || rest.starts_with('/') || name.starts_with('-') {
        return String::new();
    }
    let parts: Vec<&str> = name.split(['-', '_', '.']).filter(|part| !part.is_empty()).collect();
    parts.join("-").to_ascii_lowercase()
}

/// Writes what a build found installed, and returns it as the next build will read it.
///
/// # Errors
/// [`SandboxError::System`] where the file cannot be written; [`SandboxError::ImageBuild`] where `found` is no lock.
pub(crate) fn write(file: &Path, found: &str, spec: &EffectiveSpec) -> Result<Lock, SandboxError> {
    let text = format!(
        "# made by rlmesh-sandbox {version} for {source} on {base}\n\
         # exactly this is installed where --lock names the file; remove it to have it written anew\n{found}",
        version = env!("CARGO_PKG_VERSION"),
        source = spec.source.to_ref(),
        base = spec.base_image,
    );
    let lock = read(&text, &spec.rlmesh_package, &spec.packages).map_err(|said| {
        SandboxError::ImageBuild(Problem::new(
            format!("no lock can be made of this image: its list of packages {said}"),
            "leave --lock out, or install what is missing by name and version",
        ))
    })?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut new = tempfile::Builder::new()
        .prefix(".rlmesh-sandbox-lock-")
        .permissions(<fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o644))
        .tempfile_in(folder)
        .map_err(|error| cannot_write(file, &error))?;
    new.write_all(text.as_bytes()).map_err(|error| cannot_write(file, &error))?;
    new.persist(file).map_err(|error| cannot_write(file, &error.error))?;
    Ok(lock)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    fn pip() -> RlmeshPackage {
        RlmeshPackage::Pip { spec: "rlmesh==0.1.0".to_owned() }
    }

    #[test]
    fn comments_and_line_breaks_make_no_difference() {
        let one =
            format!("# made\nrlmesh==0.1.0 \\\n    --hash={A} \\\n    --hash={A}\nnumpy==2 --hash={A}\n");
        let two =
            format!("rlmesh==0.1.0 --hash={A} --hash={A}  # here\n\n    # via x\nnumpy==2   \\\n --hash={A}");
        let read = |text: &str| read(text, &pip(), &[]).unwrap();
        assert_eq!(read(&one), read(&two));
        assert_eq!(read(&one).requirements.lines().count(), 2);
        assert_ne!(read(&one).sha256, read(&one.replace("numpy==2", "numpy==3")).sha256);
    }

    #[test]
    fn what_is_not_pinned_by_a_hash_is_no_lock() {
        for (text, said) in [
            ("rlmesh==0.1.0", "no sha256"),
            ("rlmesh>=0.1 --hash=sha256:00", "pins no package"),
            ("rlmesh==0.1.0 --hash=md5:00", "no sha256"),
            ("--index-url https://x/simple", "pins no package"),
            ("-r more.txt", "pins no package"),
            (&format!("numpy==2 --hash={A}"), "does not list rlmesh"),
            ("", "does not list rlmesh"),
        ] {
            let error = read(text, &pip(), &[]).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn a_package_that_the_lock_lacks_is_missed() {
        let text = format!("# the base image has: pip six\nrlmesh==0.1.0 --hash={A}\nale-py==1 --hash={A}");
        let read = |package: &str| read(&text, &pip(), &[package.to_owned()]);
        for there in ["ALE_py>=1", "ale.py[extra]", "six", "git+https://x/y", "https://x/y.whl"] {
            assert!(read(there).is_ok(), "{there}");
        }
        assert!(read("nope").unwrap_err().contains("does not list nope"));
    }
}
