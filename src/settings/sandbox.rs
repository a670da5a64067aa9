//! What the user wants, read once from flags and environment variables and checked; it starts nothing and asks no network.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::cli::{ContainerArgs, SandboxArgs};
use crate::error::{Problem, SandboxError};
use crate::settings::kwargs::read_kwargs;
use crate::settings::size::{BuildMemory, size_of};
use crate::settings::variables::Variables;
use crate::source::image_reference::is_image_reference;

/// The image that environments are built on unless another is named.
pub const DEFAULT_BASE_IMAGE: &str = "python:3.11-slim";

/// The most that a Hugging Face repository's files may have together unless the user sets another limit, in bytes.
const DEFAULT_SOURCE_LIMIT: u64 = 10 << 30;

/// The longest duration that an option takes; beyond it a typing error is more likely.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// How the copies of a vector environment are stepped, in Gymnasium's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VectorizationMode {
    /// One after the other, in one process (`SyncVectorEnv`).
    #[default]
    Sync,
    /// Each in a process of its own (`AsyncVectorEnv`).
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

impl FromStr for VectorizationMode {
    type Err = SandboxError;

    /// # Errors
    /// [`SandboxError::InvalidOption`] for anything but `sync` and `async`.
    fn from_str(text: &str) -> Result<Self, SandboxError> {
        match text.trim() {
            "sync" => Ok(VectorizationMode::Sync),
            "async" => Ok(VectorizationMode::Async),
            other => Err(invalid(
                format!("vectorization_mode (--vectorization-mode) is {other:?}"),
                "use sync or async",
            )),
        }
    }
}

/// What to serve and from which image: the options of every verb that takes a source.
///
/// `None` and empty mean the default. Nothing is read from the environment unless
/// [`SandboxOptions::from_environment`] made the value.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct SandboxOptions {
    /// The image to build on. Default: [`DEFAULT_BASE_IMAGE`].
    pub base_image: Option<String>,
    /// A pip requirement, the path of a wheel file, or `local`. Default: [`crate::default_rlmesh_package`].
    pub rlmesh_package: Option<String>,
    /// Pip requirements to install beside rlmesh and gymnasium, in this order.
    pub packages: Vec<String>,
    /// Debian packages to install, as apt takes them: `NAME` or `NAME=VERSION`.
    pub apt: Vec<String>,
    /// Modules to import before the environment is made.
    pub imports: Vec<String>,
    /// Keyword arguments for the environment: any JSON values.
    pub kwargs: Map<String, Value>,
    /// How many copies to serve as one vector environment. Default: 1; 0 is refused.
    pub num_envs: Option<usize>,
    /// How the copies are stepped. Default: [`VectorizationMode::Sync`].
    pub vectorization_mode: Option<VectorizationMode>,
    /// A file with the exact packages to install, with their hashes; where it is missing, a build writes it.
    pub lock: Option<PathBuf>,
    /// Consent to run code from a Hugging Face repository.
    pub trust_remote_code: bool,
    /// Consent to a Hugging Face revision that can change under its name.
    pub allow_unpinned_hf: bool,
    /// The most that a Hugging Face repository's files may have together: a size as Docker takes it. Default: 10g.
    pub max_source_size: Option<String>,
    /// The memory ceiling of the build: a size as Docker takes it, `auto` or `off`. Default: off.
    pub build_memory: Option<String>,
}

impl SandboxOptions {
    /// The defaults, with what the RLMESH_SANDBOX_* variables say.
    ///
    /// # Errors
    /// [`SandboxError::InvalidOption`] where a variable is not UTF-8.
    pub fn from_environment(variables: &Variables) -> Result<Self, SandboxError> {
        let text = |name| variables.text(name).map(|value| value.map(str::to_owned));
        Ok(Self {
            base_image: text("RLMESH_SANDBOX_BASE_IMAGE")?,
            rlmesh_package: text("RLMESH_SANDBOX_RLMESH_PACKAGE")?,
            max_source_size: text("RLMESH_SANDBOX_MAX_SOURCE_SIZE")?,
            build_memory: text("RLMESH_SANDBOX_BUILD_MEMORY")?,
            ..Self::default()
        })
    }

    /// Flags over environment over defaults, checked.
    pub(crate) fn from_args(args: &SandboxArgs, variables: &Variables) -> Result<Self, SandboxError> {
        let variables = Self::from_environment(variables)?;
        Self {
            base_image: args.base_image.clone().or(variables.base_image),
            rlmesh_package: args.rlmesh_package.clone().or(variables.rlmesh_package),
            packages: args.packages.clone(),
            apt: args.apt.clone(),
            imports: args.imports.clone(),
            kwargs: read_kwargs(&args.kwarg, args.kwargs.as_deref())?,
            num_envs: args.num_envs.as_deref().map(parse_num_envs).transpose()?,
            vectorization_mode: args.vectorization_mode.as_deref().map(str::parse).transpose()?,
            lock: args.lock.clone(),
            trust_remote_code: args.trust_remote_code,
            allow_unpinned_hf: args.allow_unpinned_hf,
            max_source_size: args.max_source_size.clone().or(variables.max_source_size),
            build_memory: args.build_memory.clone().or(variables.build_memory),
        }
        .checked()
    }

    /// Every text trimmed and known to be neither empty nor more than one line.
    ///
    /// # Errors
    /// [`SandboxError::InvalidOption`], which names the field.
    pub(crate) fn checked(self) -> Result<Self, SandboxError> {
        let one = |field, value: Option<String>| value.map(|value| checked_text(field, &value)).transpose();
        let many = |field, values: Vec<String>| -> Result<Vec<String>, SandboxError> {
            values.iter().map(|value| checked_text(field, value)).collect()
        };
        if self.num_envs == Some(0) {
            return Err(num_envs_refusal("0"));
        }
        let options = Self {
            base_image: one(BASE_IMAGE, self.base_image)?,
            rlmesh_package: one(RLMESH_PACKAGE, self.rlmesh_package)?,
            packages: many(PACKAGES, self.packages)?,
            apt: many(APT, self.apt)?,
            imports: many(IMPORTS, self.imports)?,
            max_source_size: one(MAX_SOURCE_SIZE, self.max_source_size)?,
            build_memory: one(BUILD_MEMORY, self.build_memory)?,
            ..self
        };
        options.base_image.iter().try_for_each(|image| check_image(image))?;
        options.rlmesh_package.iter().try_for_each(|package| check_requirement(RLMESH_PACKAGE, package))?;
        options.packages.iter().try_for_each(|package| check_requirement(PACKAGES, package))?;
        options.apt.iter().try_for_each(|name| check_apt(name))?;
        options.imports.iter().try_for_each(|module| check_module(module))?;
        options.source_limit()?;
        options.memory()?;
        Ok(options)
    }

    /// The most that an hf source's files may have together, in bytes.
    pub(crate) fn source_limit(&self) -> Result<u64, SandboxError> {
        self.max_source_size
            .as_deref()
            .map_or(Ok(DEFAULT_SOURCE_LIMIT), |text| size_of(MAX_SOURCE_SIZE, text))
    }

    /// The ceiling that `build_memory` asks for.
    pub(crate) fn memory(&self) -> Result<BuildMemory, SandboxError> {
        self.build_memory.as_deref().map_or(Ok(BuildMemory::Off), str::parse)
    }
}

/// An option as people know it: the field's name in the library and JSON, and the flag that sets it.
#[derive(Clone, Copy)]
pub(crate) struct Field(pub(crate) &'static str, pub(crate) &'static str);

const BASE_IMAGE: Field = Field("base_image", "--base-image");
const RLMESH_PACKAGE: Field = Field("rlmesh_package", "--rlmesh-package");
const PACKAGES: Field = Field("packages", "--package");
const APT: Field = Field("apt", "--apt");
const IMPORTS: Field = Field("imports", "--import");
const NUM_ENVS: Field = Field("num_envs", "--num-envs");
const MAX_SOURCE_SIZE: Field = Field("max_source_size", "--max-source-size");
pub(crate) const BUILD_MEMORY: Field = Field("build_memory", "--build-memory");
const OWNER_PID: Field = Field("owner_pid", "--owner-pid");

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.0, self.1)
    }
}

pub(crate) fn invalid(message: impl Into<String>, hint: impl Into<String>) -> SandboxError {
    SandboxError::InvalidOption(Problem::new(message, hint))
}

pub(crate) fn checked_text(field: Field, value: &str) -> Result<String, SandboxError> {
    let value = value.trim();
    if value.is_empty() {
        return Err(invalid(
            format!("{field} is empty"),
            format!("give {} a value, or leave it out", field.1),
        ));
    }
    if value.contains(['\n', '\r']) {
        return Err(invalid(
            format!("{field} holds a line break"),
            format!("give one value to each {}; repeat it for more where it repeats", field.1),
        ));
    }
    if value.contains('\0') {
        return Err(invalid(format!("{field} holds a NUL byte"), "remove it"));
    }
    Ok(value.to_owned())
}

/// What is no image reference would reach docker as something else: an option, or a second word of FROM.
fn check_image(image: &str) -> Result<(), SandboxError> {
    if !is_image_reference(image) {
        return Err(invalid(
            format!("{BASE_IMAGE} {image:?} is no image reference"),
            "name it as docker does, such as python:3.11-slim or ghcr.io/org/image:tag",
        ));
    }
    Ok(())
}

/// A requirement that starts with a dash would be an option of the installer's.
fn check_requirement(field: Field, requirement: &str) -> Result<(), SandboxError> {
    if requirement.starts_with('-') {
        return Err(invalid(
            format!("{field} {requirement:?} is an option, not a requirement"),
            "name a package: NAME, NAME==1.2, 'NAME[extra]', a URL or git+https://…",
        ));
    }
    Ok(())
}

/// `NAME[:ARCHITECTURE][=VERSION]`, by Debian's grammar. apt would take a name that ends in a dash as one to
/// remove, and one that starts with it as an option.
fn check_apt(package: &str) -> Result<(), SandboxError> {
    let (name, version) = match package.split_once('=') {
        Some((name, version)) => (name, Some(version)),
        None => (package, None),
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
        return Ok(());
    }
    Err(invalid(
        format!("{APT} {package:?} is no Debian package"),
        "name one package to each --apt: NAME, or NAME=VERSION",
    ))
}

fn check_module(module: &str) -> Result<(), SandboxError> {
    let is_word = |word: &str| {
        word.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && word.chars().all(|c| c.is_alphanumeric() || c == '_')
    };
    if !module.split('.').all(is_word) {
        return Err(invalid(
            format!("{IMPORTS} {module:?} is no module's name"),
            "name a module as Python imports it, such as ale_py (the package on PyPI may be spelled differently)",
        ));
    }
    Ok(())
}

fn num_envs_refusal(text: &str) -> SandboxError {
    invalid(format!("{NUM_ENVS} is {text:?}"), "use a whole number from 1 on")
}

fn parse_num_envs(text: &str) -> Result<usize, SandboxError> {
    match text.trim().parse::<u32>() {
        Ok(number) if number > 0 => Ok(number as usize),
        _ => Err(num_envs_refusal(text)),
    }
}

/// Which process a container belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ownership {
    /// The one that starts it.
    ThisProcess,
    /// Another one, which must be there.
    Process(u32),
    /// None: it lives until somebody stops it.
    Detached,
}

/// How a container is started, watched and ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RunOptions {
    pub(crate) ownership: Ownership,
    /// How long it may take until it answers the handshake.
    pub(crate) ready_timeout: Duration,
    /// How long it may take to end by itself.
    pub(crate) stop_timeout: Duration,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            ownership: Ownership::ThisProcess,
            ready_timeout: Duration::from_secs(30),
            stop_timeout: Duration::from_secs(10),
        }
    }
}

impl RunOptions {
    pub(crate) fn from_args(args: &ContainerArgs) -> Result<Self, SandboxError> {
        let ownership = match (&args.owner_pid, args.detach) {
            (Some(pid), _) => Ownership::Process(parse_pid(pid)?),
            (None, true) => Ownership::Detached,
            (None, false) => Ownership::ThisProcess,
        };
        let ready_timeout = parse_duration("ready_timeout (--ready-timeout)", &args.ready_timeout)?;
        if ready_timeout.is_zero() {
            return Err(invalid("ready_timeout (--ready-timeout) is 0", "give it some seconds"));
        }
        Ok(Self {
            ownership,
            ready_timeout,
            stop_timeout: parse_duration("stop_timeout (--stop-timeout)", &args.stop_timeout)?,
        })
    }
}

fn parse_pid(text: &str) -> Result<u32, SandboxError> {
    text.trim().parse::<u32>().ok().filter(|pid| (1..=i32::MAX as u32).contains(pid)).ok_or_else(|| {
        invalid(format!("{OWNER_PID} is {text:?}"), "give it the number of a running process, such as $$")
    })
}

/// Seconds, with decimals if need be, or a number with units (`90s`, `1m 30s`).
///
/// # Errors
/// [`SandboxError::InvalidOption`] for anything else, and for more than a week.
pub(crate) fn parse_duration(field: &str, text: &str) -> Result<Duration, SandboxError> {
    parse_duration_within(field, text, LONGEST)
}

/// As [`parse_duration`], with a limit of its own.
pub(crate) fn parse_duration_within(
    field: &str,
    text: &str,
    longest: Duration,
) -> Result<Duration, SandboxError> {
    let text = text.trim();
    let seconds = text.parse::<f64>().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds
        .or_else(|| humantime::parse_duration(text).ok())
        .filter(|duration| *duration <= longest)
        .ok_or_else(|| {
            invalid(
                format!("{field} is {text:?}"),
                "give it seconds (30, 0.5) or a time with units (90s, 5m)",
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal<T: fmt::Debug>(result: Result<T, SandboxError>) -> String {
        match result {
            Err(error @ SandboxError::InvalidOption(_)) => error.to_string(),
            other => panic!("expected InvalidOption, got {other:?}"),
        }
    }

    #[test]
    fn debian_packages_and_nothing_else_that_apt_would_take() {
        for package in ["libgl1", "g++", "libstdc++6", "libgl1=1.6.0-1", "libc6:arm64", "x11-apps=2:1~rc1+b2"]
        {
            assert!(check_apt(package).is_ok(), "{package}");
        }
        for package in
            ["", "x", "-y", "libgl1-", "LibGL", "a b", "libgl1=", "libgl1/sid", "a;b", "lib*", "./x.deb"]
        {
            refusal(check_apt(package));
        }
    }

    #[test]
    fn an_environment_value_fills_in_and_a_blank_one_does_not() {
        let variables: Variables =
            [("RLMESH_SANDBOX_BASE_IMAGE", " python:3.12 "), ("RLMESH_SANDBOX_RLMESH_PACKAGE", " \t")]
                .into_iter()
                .collect();
        let options = SandboxOptions::from_environment(&variables).unwrap();
        assert_eq!(options.base_image.as_deref(), Some("python:3.12"));
        assert_eq!(options.rlmesh_package, None);
    }

    #[test]
    fn texts_are_trimmed_and_a_bad_one_names_its_field() {
        let with = |change: fn(&mut SandboxOptions)| {
            let mut options = SandboxOptions::default();
            change(&mut options);
            options.checked()
        };
        assert_eq!(with(|o| o.packages = vec![" numpy<2\n".into()]).unwrap().packages, ["numpy<2"]);
        assert!(refusal(with(|o| o.base_image = Some("  ".into()))).starts_with("base_image (--base-image)"));
        assert!(refusal(with(|o| o.packages = vec!["a\nb".into()])).starts_with("packages"));
        assert!(refusal(with(|o| o.imports = vec!["a".into(), String::new()])).starts_with("imports"));
        assert!(refusal(with(|o| o.rlmesh_package = Some("a\rb".into()))).starts_with("rlmesh_package"));
        assert!(refusal(with(|o| o.num_envs = Some(0))).starts_with("num_envs"));
        assert!(refusal(with(|o| o.build_memory = Some("0".into()))).starts_with("build_memory"));
    }

    #[test]
    fn durations_in_seconds_and_with_units() {
        let parse = |text| parse_duration("x", text);
        assert_eq!(parse("30").unwrap(), Duration::from_secs(30));
        assert_eq!(parse("0.5").unwrap(), Duration::from_millis(500));
        assert_eq!(parse("2m").unwrap(), Duration::from_secs(120));
        assert_eq!(parse("0").unwrap(), Duration::ZERO);
        for text in ["", "-1", "abc", "nan", "inf", "8days", "1e300"] {
            refusal(parse(text));
        }
    }

    #[test]
    fn counts_and_process_numbers() {
        assert_eq!(parse_num_envs(" 4 ").unwrap(), 4);
        for text in ["0", "-1", "1.5", "", "x", "99999999999"] {
            refusal(parse_num_envs(text));
        }
        assert_eq!(parse_pid("1").unwrap(), 1);
        for text in ["0", "-1", "", "x", "4294967295"] {
            refusal(parse_pid(text));
        }
    }
}
