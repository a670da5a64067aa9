//! Which rlmesh goes into the image: a pip requirement, a wheel file, or the best wheel of a local checkout.

use std::cmp::Ordering;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use pep440_rs::Version;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::contract::{DEFAULT_PACKAGE_NAME, IMAGE_FOLDER, PACKAGES_FOLDER};
use crate::error::{Problem, SandboxError};

/// The requirement that is installed unless another is named: this crate's own version, in PEP 440 spelling.
pub fn default_rlmesh_package() -> String {
    format!("{DEFAULT_PACKAGE_NAME}=={}", pep440(env!("CARGO_PKG_VERSION")))
}

/// A Cargo version in PEP 440 spelling: `0.2.0-rc.1` is `0.2.0rc1`.
fn pep440(version: &str) -> String {
    [("-alpha.", "a"), ("-beta.", "b"), ("-rc.", "rc")]
        .iter()
        .fold(version.to_owned(), |version, (cargo, python)| version.replacen(cargo, python, 1))
}

/// The rlmesh that an image holds, in the form that enters the build hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum RlmeshPackage {
    Pip {
        spec: String,
    },
    Wheel {
        /// The wheel on this machine, with every link resolved.
        source_path: String,
        /// Where the image has it while it is installed.
        install_path: String,
        /// Of the file's content, in lower-case hex.
        sha256: String,
    },
}

impl fmt::Display for RlmeshPackage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RlmeshPackage::Pip { spec } => f.write_str(spec),
            RlmeshPackage::Wheel { source_path, .. } => f.write_str(source_path),
        }
    }
}

/// Turns the option's text into what will be installed.
///
/// `processor` is asked only for `local`: it gives the engine's processor in Docker's naming (`amd64`).
///
/// # Errors
/// [`SandboxError::Wheel`], which names the path or each wheel that was looked at; whatever `processor` fails with.
pub(crate) fn resolve(
    package: &str,
    base_image: &str,
    folder: &Path,
    processor: impl FnOnce() -> Result<String, SandboxError>,
) -> Result<RlmeshPackage, SandboxError> {
    if package == "local" {
        return resolve_local(base_image, folder, processor);
    }
    if package.ends_with(".whl") && !package.contains("://") {
        return wheel_file(&folder.join(package));
    }
    Ok(RlmeshPackage::Pip { spec: package.to_owned() })
}

fn wheel_file(path: &Path) -> Result<RlmeshPackage, SandboxError> {
    let fail = |what: String| {
        wheel_error(what, "check the path of --rlmesh-package; build a wheel with `maturin build`")
    };
    let shown = path.display();
    let found =
        path.canonicalize().map_err(|error| fail(format!("the wheel {shown} cannot be read: {error}")))?;
    if !found.is_file() {
        return Err(fail(format!("the wheel {shown} is not a file")));
    }
    let name = found.file_name().and_then(|name| name.to_str());
    let (Some(source_path), Some(name)) = (found.to_str(), name) else {
        return Err(fail(format!("the path of the wheel {shown} is not valid UTF-8")));
    };
    if source_path.chars().any(char::is_control) {
        return Err(fail(format!("the path of the wheel {source_path:?} contains a control character")));
    }
    let sha256 =
        sha256_of(&found).map_err(|error| fail(format!("the wheel {shown} cannot be read: {error}")))?;
    Ok(RlmeshPackage::Wheel {
        source_path: source_path.to_owned(),
        install_path: format!("{IMAGE_FOLDER}/{PACKAGES_FOLDER}/{name}"),
        sha256,
    })
}

fn sha256_of(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex::encode(digest.finalize())),
            count => digest.update(&buffer[..count]),
        }
    }
}

fn resolve_local(
    base_image: &str,
    folder: &Path,
    processor: impl FnOnce() -> Result<String, SandboxError>,
) -> Result<RlmeshPackage, SandboxError> {
    let Some(checkout) = folder.ancestors().find(|folder| is_rlmesh_checkout(folder)) else {
        return Err(wheel_error(
            format!("--rlmesh-package local: no rlmesh checkout at or above {}", folder.display()),
            "run it from inside an rlmesh checkout, or name a wheel file",
        ));
    };
    let Some(python) = python_of_image(base_image) else {
        return Err(wheel_error(
            format!(
                "--rlmesh-package local: the Python version of the base image {base_image} is not clear from its name"
            ),
            "name the wheel file that fits it, or use an official image such as python:3.11-slim",
        ));
    };
    let target = Target { python, libc: libc_of_image(base_image), machine: machine_of(&processor()?) };
    let dist = checkout.join("python/rlmesh/dist");
    let wheels = wheels_in(&dist)?;
    let mut best: Option<Candidate> = None;
    let mut unfit = Vec::new();
    for name in wheels {
        match Candidate::judge(&name, &target) {
            Ok(candidate) if best.as_ref().is_none_or(|best| candidate.order(best).is_gt()) => {
                best = Some(candidate);
            }
            Ok(_) => {}
            Err(reason) => unfit.push(format!("  {name}: {reason}")),
        }
    }
    match best {
        Some(candidate) => wheel_file(&dist.join(candidate.name)),
        None => Err(SandboxError::Wheel(
            Problem::new(
                format!("--rlmesh-package local: no wheel in {} fits {target}", dist.display()),
                "build one for that target with `maturin build`, or name a wheel file",
            )
            .details(if unfit.is_empty() {
                "  the folder contains no wheel".to_owned()
            } else {
                unfit.join("\n")
            }),
        )),
    }
}

fn is_rlmesh_checkout(folder: &Path) -> bool {
    folder.join("Cargo.toml").is_file() && folder.join("python/rlmesh/pyproject.toml").is_file()
}

/// The names of the wheels in a folder, in a fixed order; none where the folder is not there.
fn wheels_in(dist: &Path) -> Result<Vec<String>, SandboxError> {
    let unreadable = |error: io::Error| {
        wheel_error(
            format!("--rlmesh-package local: {} cannot be read: {error}", dist.display()),
            "check the folder's permissions, or name a wheel file",
        )
    };
    let entries = match std::fs::read_dir(dist) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    let paths: Vec<PathBuf> =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>().map_err(unreadable)?;
    let mut names: Vec<String> = paths
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    Ok(names)
}

fn wheel_error(message: impl Into<String>, hint: &str) -> SandboxError {
    SandboxError::Wheel(Problem::new(message, hint))
}

/// A Python's major and minor version.
type PythonVersion = (u32, u32);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Libc {
    Glibc,
    Musl,
}

/// What a wheel must fit.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Target {
    python: PythonVersion,
    libc: Libc,
    /// As wheels spell it: `x86_64`, `aarch64`.
    machine: String,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let libc = match self.libc {
            Libc::Glibc => "glibc",
            Libc::Musl => "musl",
        };
        write!(f, "Python {}.{} on {} with {libc}", self.python.0, self.python.1, self.machine)
    }
}

/// An image reference without its digest, cut into the words that its punctuation delimits.
fn words(image: &str) -> impl Iterator<Item = &str> {
    let without_digest = image.split('@').next().unwrap_or_default();
    without_digest.split(|c: char| !c.is_ascii_alphanumeric() && c != '.')
}

/// The Python that an image's name promises, where it promises exactly one.
fn python_of_image(image: &str) -> Option<PythonVersion> {
    let without_digest = image.split('@').next().unwrap_or_default();
    let last = without_digest.rsplit('/').next().unwrap_or_default();
    let official = match last.split_once(':') {
        Some(("python" | "pypy", tag)) => tag.split('-').next().and_then(leading_version),
        _ => None,
    };
    let named = words(image).filter_map(|word| {
        let version = word.strip_prefix("python").or_else(|| word.strip_prefix("py"))?;
        leading_version(version)
    });
    let mut promised: Vec<PythonVersion> = official.into_iter().chain(named).collect();
    promised.dedup();
    match promised[..] {
        [python] => Some(python),
        _ => None,
    }
}

/// `3.11`, `3.11.7` and `3.13.0rc1` are versions; `3` and `3x.1` are not.
fn leading_version(text: &str) -> Option<PythonVersion> {
    let release = Version::from_str(text).ok()?.release().to_vec();
    match release[..] {
        [major, minor, ..] => Some((u32::try_from(major).ok()?, u32::try_from(minor).ok()?)),
        _ => None,
    }
}

fn libc_of_image(image: &str) -> Libc {
    // Official tags carry the release behind the name: alpine3.20.
    let is_musl = |word: &str| {
        word == "musl"
            || word.strip_prefix("alpine").is_some_and(|rest| !rest.contains(|c: char| c.is_alphabetic()))
    };
    if words(image).any(is_musl) { Libc::Musl } else { Libc::Glibc }
}

/// Docker's name of a processor as wheels spell it.
fn machine_of(processor: &str) -> String {
    match processor {
        "amd64" => "x86_64",
        "arm64" => "aarch64",
        "386" => "i686",
        "arm" => "armv7l",
        other => other,
    }
    .to_owned()
}

/// A wheel that fits, with what decides between it and another.
#[derive(Debug)]
struct Candidate {
    name: String,
    is_abi3: bool,
    version: Version,
    is_portable: bool,
}

impl Candidate {
    /// Reads a wheel's name (PEP 427) and holds it against the target; the error is the reason, for people.
    fn judge(name: &str, target: &Target) -> Result<Self, String> {
        let stem = name.strip_suffix(".whl").unwrap_or(name);
        let parts: Vec<&str> = stem.split('-').collect();
        let (distribution, version, python, abi, platform) = match parts[..] {
            [distribution, version, python, abi, platform]
            | [distribution, version, _, python, abi, platform] => {
                (distribution, version, python, abi, platform)
            }
            _ => return Err("its name is not that of a wheel".to_owned()),
        };
        if distribution != DEFAULT_PACKAGE_NAME {
            return Err(format!("it contains {distribution}, not {DEFAULT_PACKAGE_NAME}"));
        }
        let version = Version::from_str(version).map_err(|_| format!("{version} is not a valid version"))?;
        let is_abi3 = fits_python(python, abi, target.python)?;
        let is_portable = fits_platform(platform, target)?;
        Ok(Self { name: name.to_owned(), is_abi3, version, is_portable })
    }

    /// Greater is better: the stable ABI, then the newer version, then the more portable build.
    fn order(&self, other: &Self) -> Ordering {
        self.is_abi3
            .cmp(&other.is_abi3)
            .then_with(|| self.version.cmp(&other.version))
            .then_with(|| self.is_portable.cmp(&other.is_portable))
    }
}

/// Whether the wheel is for the stable ABI, given that it runs on this Python at all.
fn fits_python(tags: &str, abis: &str, target: PythonVersion) -> Result<bool, String> {
    let versions = || tags.split('.').filter_map(cpython_tag);
    if abis.split('.').any(|abi| abi == "abi3") && versions().any(|version| version <= target) {
        return Ok(true);
    }
    let exact = format!("cp{}{}", target.0, target.1);
    if abis.split('.').any(|abi| abi == exact) && versions().any(|version| version == target) {
        return Ok(false);
    }
    Err(format!("it is for {tags}-{abis}, not for Python {}.{}", target.0, target.1))
}

/// `cp38` → 3.8, `cp311` → 3.11.
fn cpython_tag(tag: &str) -> Option<PythonVersion> {
    let digits = tag.strip_prefix("cp")?;
    let (major, minor) = digits.split_at_checked(1)?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Whether the wheel keeps to a platform standard, given that it runs on the target's at all.
fn fits_platform(tags: &str, target: &Target) -> Result<bool, String> {
    let on_machine = |tag: &&str| tag.ends_with(&format!("_{}", target.machine));
    let (standard, plain) = match target.libc {
        Libc::Glibc => ("manylinux", Some("linux_")),
        Libc::Musl => ("musllinux", None),
    };
    let has = |start: &str| tags.split('.').filter(on_machine).any(|tag| tag.starts_with(start));
    if has(standard) {
        Ok(true)
    } else if plain.is_some_and(has) {
        Ok(false)
    } else {
        let libc = if target.libc == Libc::Musl { "musl" } else { "glibc" };
        Err(format!("it is for {tags}, not for {} with {libc}", target.machine))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_this_version_as_pypi_spells_it() {
        assert_eq!(default_rlmesh_package(), "rlmesh==0.1.0");
        for (cargo, python) in [
            ("1.2.3", "1.2.3"),
            ("0.1.0-rc.1", "0.1.0rc1"),
            ("0.2.0-alpha.3", "0.2.0a3"),
            ("1.0.0-beta.12", "1.0.0b12"),
        ] {
            assert_eq!(pep440(cargo), python);
        }
    }

    #[test]
    fn requirements_pass_unchanged() {
        for spec in [
            "rlmesh==0.1.0",
            "https://host/rlmesh-0.1.0-cp311-abi3-linux_x86_64.whl",
            "rlmesh @ file:///x.whl",
        ] {
            let package = resolve(spec, "python:3.11-slim", Path::new("/"), || unreachable!()).unwrap();
            assert_eq!(package, RlmeshPackage::Pip { spec: spec.to_owned() });
        }
    }

    #[test]
    fn a_wheel_file_is_hashed_under_its_real_path() {
        let folder = tempfile::tempdir().unwrap();
        let wheel = folder.path().join("rlmesh-0.1.0-cp38-abi3-linux_x86_64.whl");
        std::fs::write(&wheel, "abc").unwrap();
        let package =
            resolve("./rlmesh-0.1.0-cp38-abi3-linux_x86_64.whl", "x", folder.path(), || unreachable!());
        let real = wheel.canonicalize().unwrap();
        assert_eq!(
            package.unwrap(),
            RlmeshPackage::Wheel {
                source_path: real.to_str().unwrap().to_owned(),
                install_path: "/opt/rlmesh/packages/rlmesh-0.1.0-cp38-abi3-linux_x86_64.whl".to_owned(),
                sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".to_owned(),
            }
        );
    }

    #[test]
    fn a_wheel_that_cannot_be_used_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("folder.whl")).unwrap();
        for (name, what) in [("missing.whl", "cannot be read"), ("folder.whl", "is not a file")] {
            match resolve(name, "x", folder.path(), || unreachable!()) {
                Err(error @ SandboxError::Wheel(_)) => {
                    assert!(error.to_string().contains(name) && error.to_string().contains(what), "{error}");
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn the_python_of_an_image_only_where_its_name_is_unambiguous() {
        for (image, python) in [
            ("python:3.11-slim", Some((3, 11))),
            ("docker.io/library/python:3.12.4-alpine3.20", Some((3, 12))),
            ("localhost:5000/python:3.13.0rc1-slim", Some((3, 13))),
            ("python:3.11-slim@sha256:0123", Some((3, 11))),
            ("pypy:3.10-7.3.15-slim", Some((3, 10))),
            ("ghcr.io/astral-sh/uv:python3.12-bookworm-slim", Some((3, 12))),
            ("pytorch/pytorch:2.1-py3.10-cuda", Some((3, 10))),
            ("me/env-python3.9", Some((3, 9))),
            ("python:3.11-python3.11", Some((3, 11))),
            ("python:3.11-py3.12", None),
            ("python:3-slim", None),
            ("python:latest", None),
            ("python", None),
            ("nvidia/cuda:12.3.10-runtime", None),
            ("ubuntu:24.04", None),
            ("me/happy3.11", None),
            ("me/image:3.11", None),
        ] {
            assert_eq!(python_of_image(image), python, "{image}");
        }
    }

    #[test]
    fn musl_only_where_a_word_of_the_name_says_so() {
        for image in ["python:3.11-alpine", "python:3.11-alpine3.20", "me/musl:3", "alpine"] {
            assert_eq!(libc_of_image(image), Libc::Musl, "{image}");
        }
        for image in ["python:3.11-slim", "me/alpinelike:3.11", "x/y@sha256:alpine"] {
            assert_eq!(libc_of_image(image), Libc::Glibc, "{image}");
        }
    }

    fn target(libc: Libc) -> Target {
        Target { python: (3, 11), libc, machine: "x86_64".to_owned() }
    }

    #[test]
    fn which_wheels_fit() {
        for (name, libc, fits) in [
            ("rlmesh-0.1.0-cp310-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", Libc::Glibc, true),
            ("rlmesh-0.1.0-cp311-abi3-linux_x86_64.whl", Libc::Glibc, true),
            ("rlmesh-0.1.0-cp311-cp311-linux_x86_64.whl", Libc::Glibc, true),
            ("rlmesh-0.1.0-1-cp311-cp311-linux_x86_64.whl", Libc::Glibc, true),
            ("rlmesh-0.1.0-cp38-abi3-musllinux_1_2_x86_64.whl", Libc::Musl, true),
            ("rlmesh-0.1.0-cp38-abi3-musllinux_1_2_x86_64.whl", Libc::Glibc, false),
            ("rlmesh-0.1.0-cp38-abi3-linux_x86_64.whl", Libc::Musl, false),
            ("rlmesh-0.1.0-cp312-abi3-linux_x86_64.whl", Libc::Glibc, false),
            ("rlmesh-0.1.0-cp310-cp310-linux_x86_64.whl", Libc::Glibc, false),
            ("rlmesh-0.1.0-cp310-abi3-linux_aarch64.whl", Libc::Glibc, false),
            ("rlmesh-0.1.0-cp310-abi3-macosx_11_0_arm64.whl", Libc::Glibc, false),
            ("rlmesh_extra-0.1.0-cp310-abi3-linux_x86_64.whl", Libc::Glibc, false),
            ("rlmesh-x.y-cp310-abi3-linux_x86_64.whl", Libc::Glibc, false),
            ("rlmesh.whl", Libc::Glibc, false),
        ] {
            assert_eq!(Candidate::judge(name, &target(libc)).is_ok(), fits, "{name}");
        }
    }

    /// A checkout with these wheels, and which of them `local` takes for Python 3.11 on amd64.
    fn choice(wheels: &[&str]) -> Result<String, SandboxError> {
        let checkout = tempfile::tempdir().unwrap();
        let dist = checkout.path().join("python/rlmesh/dist");
        std::fs::create_dir_all(&dist).unwrap();
        std::fs::write(checkout.path().join("Cargo.toml"), "").unwrap();
        std::fs::write(checkout.path().join("python/rlmesh/pyproject.toml"), "").unwrap();
        for wheel in wheels {
            std::fs::write(dist.join(wheel), "").unwrap();
        }
        let deep = checkout.path().join("crates/a");
        std::fs::create_dir_all(&deep).unwrap();
        match resolve("local", "python:3.11-slim", &deep, || Ok("amd64".to_owned()))? {
            RlmeshPackage::Wheel { install_path, .. } => {
                Ok(install_path.rsplit('/').next().unwrap().to_owned())
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_stable_abi_first_then_the_newest_then_the_most_portable() {
        let exact = "rlmesh-0.2.0-cp311-cp311-manylinux_2_17_x86_64.whl";
        let old = "rlmesh-0.9.0-cp310-abi3-manylinux_2_17_x86_64.whl";
        let new = "rlmesh-0.10.0-cp310-abi3-linux_x86_64.whl";
        let portable = "rlmesh-0.10.0-cp310-abi3-manylinux_2_17_x86_64.whl";
        let before = "rlmesh-0.10.0rc1-cp310-abi3-manylinux_2_17_x86_64.whl";
        assert_eq!(choice(&[exact]).unwrap(), exact);
        assert_eq!(choice(&[exact, old]).unwrap(), old);
        assert_eq!(choice(&[exact, old, new, before]).unwrap(), new);
        assert_eq!(choice(&[exact, old, new, portable]).unwrap(), portable);
    }

    #[test]
    fn where_none_fits_each_wheel_is_listed_with_its_reason() {
        let wheels =
            ["rlmesh-0.1.0-cp312-abi3-linux_x86_64.whl", "rlmesh-0.1.0-cp310-abi3-linux_aarch64.whl"];
        let error = choice(&wheels).unwrap_err();
        assert!(matches!(error, SandboxError::Wheel(_)));
        for wheel in wheels {
            assert!(error.details().unwrap().contains(wheel), "{error:?}");
        }
        assert!(choice(&[]).unwrap_err().details().unwrap().contains("no wheel"));
    }

    #[test]
    fn local_needs_a_checkout_and_a_telling_image_before_it_asks_the_engine() {
        let empty = tempfile::tempdir().unwrap();
        let error = resolve("local", "python:3.11-slim", empty.path(), || unreachable!()).unwrap_err();
        assert!(error.to_string().contains("no rlmesh checkout"), "{error}");
        std::fs::write(empty.path().join("Cargo.toml"), "").unwrap();
        std::fs::create_dir_all(empty.path().join("python/rlmesh")).unwrap();
        std::fs::write(empty.path().join("python/rlmesh/pyproject.toml"), "").unwrap();
        let error = resolve("local", "ubuntu:24.04", empty.path(), || unreachable!()).unwrap_err();
        assert!(error.to_string().contains("is not clear from its name"), "{error}");
    }
}
