//! Options of a sandbox: what to serve, the content of its image, and how its container runs.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{Field, InvalidValue, SandboxError};
use crate::settings::isolation::ContainerOptions;
use crate::settings::kwargs::check_kwargs;
use crate::settings::requirement::{module_of, refuse_requirement};
use crate::settings::size::{BuildMemory, size_of};
use crate::settings::variables::Variables;
use crate::source::image_reference::is_image_reference;

/// The most copies in one sandbox. Each needs memory, and the process that serves them creates all of them at the start.
const LARGEST_NUM_ENVS: u32 = 65_536;

/// The default limit for the total size of a Hugging Face repository's files, in bytes.
pub(crate) const DEFAULT_MAX_SOURCE_SIZE: u64 = 10 << 30;

/// How the copies of a vector environment are stepped, in Gymnasium's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum VectorizationMode {
    /// One after the other, in one process (`SyncVectorEnv`).
    #[default]
    Sync,
    /// Each in its own process (`AsyncVectorEnv`).
    Async,
}

impl VectorizationMode {
    /// The name that Gymnasium and rlmesh use.
    pub fn as_str(self) -> &'static str {
        match self {
            VectorizationMode::Sync => "sync",
            VectorizationMode::Async => "async",
        }
    }
}

impl fmt::Display for VectorizationMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What to serve, and the content of the image.
///
/// `None` and empty mean the default. `Default` reads no environment variables;
/// [`SandboxOptions::from_variables`] does.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct SandboxOptions {
    /// The image to build on. Default: [`crate::DEFAULT_BASE_IMAGE`].
    pub base_image: Option<String>,
    /// A pip requirement, the path of a wheel file, or `local`. Default: [`crate::default_rlmesh_package`].
    pub rlmesh_package: Option<String>,
    /// Pip requirements to install in addition to rlmesh and gymnasium, in this order.
    pub packages: Vec<String>,
    /// Debian packages to install: `NAME` or `NAME=VERSION`.
    pub apt: Vec<String>,
    /// Modules to import before the environment is created: `MODULE`, or `MODULE:FUNCTION` to call a function that
    /// registers environments.
    pub imports: Vec<String>,
    /// Wrappers to apply to the environment, as `MODULE:CLASS`: the first one is the innermost.
    pub wrap: Vec<String>,
    /// Leave out what known environments need: by default, their packages, imports, system packages, variables,
    /// arguments and wrappers are added as if they were given.
    pub no_auto: bool,
    /// Install the packages that were the newest on this date (`2025-03-31`). rlmesh itself may be newer.
    pub as_of: Option<String>,
    /// Keyword arguments for the environment: any JSON values.
    pub kwargs: Map<String, Value>,
    /// How many copies to serve as one vector environment. Default: 1; 0 is refused.
    pub num_envs: Option<u32>,
    /// How the copies are stepped. Default: [`VectorizationMode::Sync`].
    pub vectorization_mode: Option<VectorizationMode>,
    /// A lockfile with the exact packages to install and their hashes. If it does not exist, a build writes
    /// it.
    pub lock: Option<PathBuf>,
    /// Consent to run code from a Hugging Face repository.
    pub trust_remote_code: bool,
    /// Consent to a Hugging Face revision that can change under its name.
    pub allow_unpinned_hf: bool,
    /// The limit for the total size of a Hugging Face repository's files, in bytes. Default: 10 GiB.
    pub max_source_size: Option<u64>,
    /// The memory limit of the build. Default: [`BuildMemory::Off`].
    pub build_memory: Option<BuildMemory>,
}

impl SandboxOptions {
    /// The defaults, changed by the RLMESH_SANDBOX_* variables.
    ///
    /// # Errors
    /// [`SandboxError::InvalidOption`] if a variable is not UTF-8 or its value is not valid.
    pub fn from_variables(variables: &Variables) -> Result<Self, SandboxError> {
        Ok(Self {
            base_image: variables.parsed("RLMESH_SANDBOX_BASE_IMAGE", base_image)?,
            rlmesh_package: variables.parsed("RLMESH_SANDBOX_RLMESH_PACKAGE", requirement)?,
            max_source_size: variables.parsed("RLMESH_SANDBOX_MAX_SOURCE_SIZE", size_of)?,
            build_memory: variables.parsed("RLMESH_SANDBOX_BUILD_MEMORY", str::parse)?,
            ..Self::default()
        })
    }

    /// Trims and checks every text. The values of a library user have not been parsed before.
    ///
    /// # Errors
    /// [`SandboxError::InvalidOption`], which names the field.
    pub(crate) fn checked(self) -> Result<Self, SandboxError> {
        match self.num_envs {
            Some(0) => {
                let invalid = InvalidValue::new("it must be 1 or more", "use a whole number, 1 or more");
                return Err(Field::NUM_ENVS.invalid("0", &invalid));
            }
            Some(count) if count > LARGEST_NUM_ENVS => {
                let invalid = InvalidValue::new(
                    format!("one sandbox serves at most {LARGEST_NUM_ENVS} copies"),
                    "use fewer copies, and start several sandboxes if you need more",
                );
                return Err(Field::NUM_ENVS.invalid(&count.to_string(), &invalid));
            }
            _ => {}
        }
        check_kwargs(&self.kwargs)?;
        Ok(Self {
            base_image: one(Field::BASE_IMAGE, self.base_image, base_image)?,
            rlmesh_package: one(Field::RLMESH_PACKAGE, self.rlmesh_package, requirement)?,
            packages: each(Field::PACKAGES, &self.packages, requirement)?,
            apt: each(Field::APT, &self.apt, debian_package)?,
            imports: each(Field::IMPORTS, &self.imports, import)?,
            wrap: each(Field::WRAP, &self.wrap, wrapper)?,
            as_of: one(Field::AS_OF, self.as_of, date)?,
            ..self
        })
    }
}

type Parse = fn(&str) -> Result<String, InvalidValue>;

fn one(field: Field, value: Option<String>, parse: Parse) -> Result<Option<String>, SandboxError> {
    let parse = |text: String| parse(&text).map_err(|invalid| field.invalid(&text, &invalid));
    value.map(parse).transpose()
}

pub(crate) fn each(field: Field, values: &[String], parse: Parse) -> Result<Vec<String>, SandboxError> {
    let parse = |text: &String| parse(text).map_err(|invalid| field.invalid(text, &invalid));
    values.iter().map(parse).collect()
}

/// Trims a text and checks that it is one line.
///
/// # Errors
/// [`InvalidValue`] if it is empty or contains a line break or a NUL byte.
pub(crate) fn one_line(text: &str) -> Result<String, InvalidValue> {
    let text = text.trim();
    if text.is_empty() {
        return Err(InvalidValue::new("it is empty", "use a value that is not empty, or remove the option"));
    }
    if text.contains(['\n', '\r']) {
        return Err(InvalidValue::new(
            "it contains a line break",
            "repeat the option to give several values",
        ));
    }
    if text.contains('\0') {
        return Err(InvalidValue::new("it contains a NUL byte", "remove the NUL byte"));
    }
    Ok(text.to_owned())
}

/// Parses an image reference. Docker could take other texts as an option, or as further words of FROM.
pub(crate) fn base_image(text: &str) -> Result<String, InvalidValue> {
    let text = one_line(text)?;
    if !is_image_reference(&text) {
        return Err(InvalidValue::new(
            "it is not a valid image reference",
            "use an image such as python:3.11-slim or ghcr.io/org/image:tag",
        ));
    }
    Ok(text)
}

/// Parses a pip requirement: what PEP 508 allows, a URL or a path.
pub(crate) fn requirement(text: &str) -> Result<String, InvalidValue> {
    let requirement = one_line(text)?;
    match refuse_requirement(&requirement) {
        Some(invalid) => Err(invalid),
        None => Ok(requirement),
    }
}

/// Parses `NAME[:ARCHITECTURE][=VERSION]`, by Debian's grammar. apt would remove a package whose name ends
/// with a dash, and would take a name that starts with one as an option.
pub(crate) fn debian_package(text: &str) -> Result<String, InvalidValue> {
    let package = one_line(text)?;
    if package.ends_with(".so") || package.contains(".so.") {
        return Err(InvalidValue::new(
            "it is a library, not a Debian package",
            "use the package that has it, such as libgl1 for libGL.so.1 or libxcb1 for libxcb.so.1",
        ));
    }
    let (name, version) = match package.split_once('=') {
        Some((name, version)) => (name, Some(version)),
        None => (package.as_str(), None),
    };
    let (name, architecture) = match name.split_once(':') {
        Some((name, architecture)) => (name, Some(architecture)),
        None => (name, None),
    };
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_name = name.len() >= 2
        && name.starts_with(is_word)
        && !name.ends_with('-')
        && name.chars().all(|c| is_word(c) || matches!(c, '+' | '-' | '.'));
    let is_architecture = architecture
        .is_none_or(|text| text.starts_with(is_word) && text.chars().all(|c| is_word(c) || c == '-'));
    let is_version = version.is_none_or(|text| {
        text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '-' | ':' | '~'))
    });
    if is_name && is_architecture && is_version {
        return Ok(package);
    }
    Err(InvalidValue::new(
        "it is not a valid Debian package name",
        "use NAME or NAME=VERSION, and repeat --apt for several packages",
    ))
}

/// Parses `MODULE[:FUNCTION]`: the name of a Python module, which may contain dots, and a function in it.
pub(crate) fn import(text: &str) -> Result<String, InvalidValue> {
    let text = one_line(text)?;
    let (module, function) = match text.split_once(':') {
        Some((module, function)) => (module, Some(function)),
        None => (text.as_str(), None),
    };
    let right = module_of(module, is_module);
    if !is_module(module) || right.is_some() {
        let invalid = InvalidValue::new(
            if is_module(module) {
                "Python's name of the module is another"
            } else {
                "it is not a valid module name"
            },
            "use the name that Python imports, such as ale_py (the package on PyPI may be spelled differently)",
        );
        return Err(match (right, function) {
            (Some(right), None) => invalid.instead("-i", &text, right),
            _ => invalid,
        });
    }
    if !function.is_none_or(is_python_name) {
        let without_call = text.trim_end_matches("()");
        let invalid = InvalidValue::new(
            "it does not name a function of the module",
            "use MODULE, or MODULE:FUNCTION without parentheses to call a function that registers environments",
        );
        let is_call = without_call.len() < text.len() && import(without_call).is_ok();
        return Err(if is_call { invalid.instead("-i", &text, without_call) } else { invalid });
    }
    Ok(text)
}

/// Parses `MODULE:CLASS`.
pub(crate) fn wrapper(text: &str) -> Result<String, InvalidValue> {
    let text = one_line(text)?;
    if !text.split_once(':').is_some_and(|(module, class)| is_module(module) && is_python_name(class)) {
        return Err(InvalidValue::new(
            "it is not MODULE:CLASS",
            "use a module and a wrapper class in it, such as gymnasium.wrappers:FlattenObservation",
        ));
    }
    Ok(text)
}

/// Parses a date of the calendar, such as 2025-03-31.
pub(crate) fn date(text: &str) -> Result<String, InvalidValue> {
    let text = one_line(text)?;
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<u32>().ok();
    let has_form = text.len() == 10
        && text
            .bytes()
            .enumerate()
            .all(|(at, byte)| if matches!(at, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() });
    let is_date = match (number(0..4), number(5..7), number(8..10)) {
        (Some(year), Some(month), Some(day)) => {
            let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let days = match month {
                2 if is_leap => 29,
                2 => 28,
                4 | 6 | 9 | 11 => 30,
                1..=12 => 31,
                _ => 0,
            };
            (1..=days).contains(&day)
        }
        _ => false,
    };
    if !has_form || !is_date {
        return Err(InvalidValue::new("it is not a date", "use a date such as 2025-03-31"));
    }
    Ok(text)
}

fn is_module(text: &str) -> bool {
    text.split('.').all(is_python_name)
}

fn is_python_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// Parses the number of copies.
pub(crate) fn count(text: &str) -> Result<u32, InvalidValue> {
    let number = text.trim().parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| {
        InvalidValue::new("it is not a valid number of copies", "use a whole number, 1 or more")
    })
}

/// Parses a number of lines.
///
/// # Errors
/// [`InvalidValue`].
pub(crate) fn lines(text: &str) -> Result<u64, InvalidValue> {
    text.trim().parse().map_err(|_| {
        InvalidValue::new("it is not a valid number of lines", "use a whole number, such as 100")
    })
}

/// Checks the name of a container, by Docker's rules.
///
/// # Errors
/// [`InvalidValue`].
pub(crate) fn container_name(text: &str) -> Result<String, InvalidValue> {
    let is_inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let is_valid = text.len() >= 2
        && text.len() <= LONGEST_CONTAINER_NAME
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(is_inner);
    if is_valid {
        return Ok(text.to_owned());
    }
    Err(InvalidValue::new(
        "it is not a valid container name",
        "use 2 to 128 letters, digits, `_`, `.` and `-`, and start with a letter or digit",
    ))
}

/// The longest name of a container, in bytes: it becomes a host name in some networks.
const LONGEST_CONTAINER_NAME: usize = 128;

/// Parses a process id.
pub(crate) fn process_id(text: &str) -> Result<u32, InvalidValue> {
    let number = text.trim().parse().ok().filter(|pid| (1..=i32::MAX as u32).contains(pid));
    number.ok_or_else(|| {
        InvalidValue::new("it is not a valid process id", "use the id of a running process, such as $$")
    })
}

/// Which process a container belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Ownership {
    /// The process that starts it.
    #[default]
    ThisProcess,
    /// Another process, by its id. It must exist.
    Process(u32),
    /// No process: the container runs until it is stopped.
    Detached,
}

/// How a container is started and stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunOptions {
    /// Which process the container belongs to.
    pub ownership: Ownership,
    /// The container's name. Default: `rlmesh-sandbox-`, the environment, and four characters.
    pub name: Option<String>,
    /// Environment variables of the container. They are not part of the image, its hash, or any command line. The
    /// last one with a name wins.
    pub env: Vec<(String, String)>,
    /// The size of `/dev/shm` in bytes. Default: Docker's, 64 MiB.
    pub shm_size: Option<u64>,
    /// What the container may do, and what it is given.
    pub container: ContainerOptions,
    /// How long it may run; then it is ended, even if the process that started it is gone. Default: no limit.
    pub ttl: Option<Duration>,
    /// How long to wait until it answers the handshake. Default: 30 s.
    pub ready_timeout: Duration,
    /// How long to wait until it stops before it is killed. Default: 10 s.
    pub stop_timeout: Duration,
    /// Whether to reset, step and render the environment once, and to stop it again if that fails. Each check may
    /// take a minute, or `ready_timeout` if that is longer. Default: no.
    pub check: bool,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            ownership: Ownership::ThisProcess,
            name: None,
            env: Vec::new(),
            shm_size: None,
            container: ContainerOptions::default(),
            ttl: None,
            ready_timeout: Duration::from_secs(30),
            stop_timeout: Duration::from_secs(10),
            check: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_name_is_checked() {
        for name in ["trainer", "a1", "A_b.c-2"] {
            assert_eq!(container_name(name).as_deref(), Ok(name));
        }
        for name in ["", "a", "-x", "_x", "a b", "a/b", "é1", &"x".repeat(129)] {
            assert!(container_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn only_debian_packages_are_accepted() {
        for package in ["libgl1", "g++", "libstdc++6", "libgl1=1.6.0-1", "libc6:arm64", "x11-apps=2:1~rc1+b2"]
        {
            assert!(debian_package(package).is_ok(), "{package}");
        }
        for package in [
            "",
            "x",
            "-y",
            "libgl1-",
            "LibGL",
            "a b",
            "libgl1=",
            "libgl1/sid",
            "a;b",
            "lib*",
            "./x.deb",
            "libxcb.so.1",
        ] {
            assert!(debian_package(package).is_err(), "{package}");
        }
    }

    #[test]
    fn imports_and_wrappers_are_names_of_python() {
        for text in ["ale_py", "a.b.c", "minatar.gym:register_envs", "ünï:é"] {
            assert_eq!(import(text).unwrap(), text);
        }
        for text in ["", "ale-py", "a..b", "a:", ":b", "a:b.c", "a:b()", "a:b:c", "a b", "a:b;c", "1a"] {
            assert!(import(text).is_err(), "{text}");
        }
        assert_eq!(wrapper(" gymnasium.wrappers:FlattenObservation ").unwrap().len(), 37);
        for text in ["", "a", "a:", ":B", "a:B.C", "a:B()", "a.B", "a-b:C", "a:B:C", "a:B C"] {
            assert!(wrapper(text).is_err(), "{text}");
        }
    }

    #[test]
    fn dates_exist_in_the_calendar() {
        for text in ["2025-03-31", "2024-02-29", " 1999-12-01 "] {
            assert!(date(text).is_ok(), "{text}");
        }
        for text in [
            "2025-02-29",
            "2025-13-01",
            "2025-00-10",
            "2025-1-1",
            "yesterday",
            "2025-03-31T00",
            "+025-01-01",
            "",
        ] {
            assert!(date(text).is_err(), "{text}");
        }
    }

    #[test]
    fn counts_and_process_ids() {
        assert_eq!(count(" 4 ").unwrap(), 4);
        for text in ["0", "-1", "1.5", "", "x", "99999999999"] {
            assert!(count(text).is_err(), "{text}");
        }
        assert_eq!(lines("0").unwrap(), 0);
        assert!(lines("-1").is_err() && lines("x").is_err());
        assert_eq!(process_id("1").unwrap(), 1);
        for text in ["0", "-1", "", "x", "4294967295"] {
            assert!(process_id(text).is_err(), "{text}");
        }
    }

    #[test]
    fn variables_are_read_and_blank_ones_are_ignored() {
        let variables: Variables =
            [("RLMESH_SANDBOX_BASE_IMAGE", " python:3.12 "), ("RLMESH_SANDBOX_RLMESH_PACKAGE", " \t")]
                .into_iter()
                .collect();
        let options = SandboxOptions::from_variables(&variables).unwrap();
        assert_eq!(options.base_image.as_deref(), Some("python:3.12"));
        assert_eq!(options.rlmesh_package, None);
        let wrong: Variables = [("RLMESH_SANDBOX_BASE_IMAGE", "--help")].into_iter().collect();
        let error = SandboxOptions::from_variables(&wrong).unwrap_err();
        assert!(error.to_string().starts_with("RLMESH_SANDBOX_BASE_IMAGE \"--help\""), "{error}");
    }

    #[test]
    fn texts_are_trimmed_and_a_bad_one_names_its_field() {
        let with = |change: fn(&mut SandboxOptions)| {
            let mut options = SandboxOptions::default();
            change(&mut options);
            options.checked()
        };
        let refusal = |change| {
            let error = with(change).unwrap_err();
            assert_eq!(error.kind(), "InvalidOption");
            error.to_string()
        };
        assert_eq!(with(|o| o.packages = vec![" numpy<2\n".into()]).unwrap().packages, ["numpy<2"]);
        assert!(refusal(|o| o.base_image = Some("  ".into())).starts_with("base_image (--base-image)"));
        assert!(refusal(|o| o.packages = vec!["a\nb".into()]).starts_with("packages"));
        assert!(refusal(|o| o.imports = vec!["a".into(), String::new()]).starts_with("imports"));
        assert!(refusal(|o| o.rlmesh_package = Some("a\rb".into())).starts_with("rlmesh_package"));
        for count in [0, LARGEST_NUM_ENVS + 1, u32::MAX] {
            let options = SandboxOptions { num_envs: Some(count), ..SandboxOptions::default() };
            assert!(options.checked().unwrap_err().to_string().starts_with("num_envs"), "{count}");
        }
    }
}
