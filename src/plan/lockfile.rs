//! A lockfile: the exact packages of an image with their hashes, as a requirements file.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::error::{Field, Problem, SandboxError, cannot_write, invalid_option};
use crate::plan::EffectiveSpec;
use crate::plan::rlmesh_package::RlmeshPackage;

/// What starts the comment that lists what the base image had already.
const BASE_PACKAGES: &str = "# the base image has: ";

/// The largest file that is read as a lockfile, in bytes.
const LARGEST: u64 = 16 * 1024 * 1024;

/// A lockfile that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lockfile {
    /// One requirement a line, with its hashes; no comments.
    pub(crate) requirements: String,
    /// Of the requirements, in lower-case hex: a comment changes no image.
    pub(crate) sha256: String,
}

/// Reads the lockfile; `None` where the file does not exist, and can be written after the build.
///
/// # Errors
/// [`SandboxError::InvalidOption`] where it cannot be read or written, is not a lockfile, or lacks what is asked
/// for.
pub(crate) fn read(
    file: &Path,
    package: &RlmeshPackage,
    packages: &[String],
) -> Result<Option<Lockfile>, SandboxError> {
    let (field, shown) = (Field::LOCK, file.display());
    match fs::metadata(file) {
        Ok(found) if !found.is_file() => {
            Err(invalid_option(format!("{field}: {shown} is not a file"), "name a file for the lock"))
        }
        Ok(found) if found.len() > LARGEST => Err(invalid_option(
            format!("{field}: {shown} is too large for a lockfile ({} bytes)", found.len()),
            "name a lockfile that this option has written",
        )),
        Ok(_) => {
            let text = fs::read_to_string(file).map_err(|error| {
                invalid_option(format!("{field}: cannot read {shown}: {error}"), "check the file")
            })?;
            parse(&text, package, packages).map(Some).map_err(|reason| {
                invalid_option(
                    format!("{field}: {shown} {reason}"),
                    "remove the file: the next build writes a new one",
                )
            })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // Now, and not after a long build.
            let folder = folder_of(file);
            rustix::fs::access(folder, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK)
                .map(|()| None)
                .map_err(|error| {
                    invalid_option(
                        format!("{field}: cannot write {shown}: {}: {error}", folder.display()),
                        "name a file in a folder that exists and is writable",
                    )
                })
        }
        Err(error) => Err(invalid_option(format!("{field}: cannot read {shown}: {error}"), "check the file")),
    }
}

fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Parses a lockfile; the error continues a sentence that begins with the file's name.
fn parse(text: &str, package: &RlmeshPackage, packages: &[String]) -> Result<Lockfile, String> {
    let (mut requirements, mut names) = (String::new(), Vec::new());
    let in_base = text.lines().find_map(|line| line.strip_prefix(BASE_PACKAGES)).unwrap_or_default();
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
    let is_there = |name: &String| names.contains(name) || in_base.split(' ').any(|base| base == name);
    // A requirement that is an address alone has no name to look for.
    if let Some(name) = wanted.iter().find(|name| !name.is_empty() && !is_there(name)) {
        return Err(format!("does not list {name}, which is to be installed"));
    }
    let sha256 = hex::encode(Sha256::digest(&requirements));
    Ok(Lockfile { requirements, sha256 })
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
/// [`SandboxError::System`] where the file cannot be written; [`SandboxError::ImageBuild`] where `found` is not a
/// list of pinned packages.
pub(crate) fn write(file: &Path, found: &str, spec: &EffectiveSpec) -> Result<Lockfile, SandboxError> {
    let text = format!(
        "# written by rlmesh-sandbox {version} for {source} on {base}\n\
         # --lock with this file installs exactly these packages; remove the file to have a new one written\n{found}",
        version = env!("CARGO_PKG_VERSION"),
        source = spec.source.to_ref(),
        base = spec.base_image,
    );
    let lockfile = parse(&text, &spec.rlmesh_package, &spec.packages).map_err(|reason| {
        SandboxError::ImageBuild(Problem::new(
            format!("cannot write a lockfile for this image: its list of packages {reason}"),
            "leave --lock out, or install what is missing by name and version",
        ))
    })?;
    let failed = |error: &io::Error| cannot_write(file, error, "the image is built; name a writable file");
    let mut new = tempfile::Builder::new()
        .prefix(".rlmesh-sandbox-lock-")
        .permissions(<fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o644))
        .tempfile_in(folder_of(file))
        .map_err(|error| failed(&error))?;
    new.write_all(text.as_bytes()).map_err(|error| failed(&error))?;
    new.persist(file).map_err(|error| failed(&error.error))?;
    Ok(lockfile)
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
        let read = |text: &str| parse(text, &pip(), &[]).unwrap();
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
            let error = parse(text, &pip(), &[]).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn a_package_that_the_lock_lacks_is_missed() {
        let text = format!("# the base image has: pip six\nrlmesh==0.1.0 --hash={A}\nale-py==1 --hash={A}");
        let read = |package: &str| parse(&text, &pip(), &[package.to_owned()]);
        for there in ["ALE_py>=1", "ale.py[extra]", "six", "git+https://x/y", "https://x/y.whl"] {
            assert!(read(there).is_ok(), "{there}");
        }
        assert!(read("nope").unwrap_err().contains("does not list nope"));
    }
}
