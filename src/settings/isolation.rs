//! What the user allows and gives to a container: isolation, network, limits, devices and files.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::error::{Field, InvalidValue, SandboxError};
use crate::settings::size::parse_size;
use crate::settings::values::{each, is_name, one, one_line};

/// How much a container may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum IsolationLevel {
    /// Enough for most environments: the network, and writing anywhere in the container.
    #[default]
    Default,
    /// As little as possible: no network, a read-only root, an ordinary user.
    Strict,
}

/// How clients reach the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Transport {
    /// A Unix socket in a private folder. The engine must be on this Linux machine.
    Unix,
    /// A port on the loopback interface of the engine's machine.
    Tcp,
}

impl fmt::Display for IsolationLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            IsolationLevel::Default => "default",
            IsolationLevel::Strict => "strict",
        })
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Transport::Unix => "unix",
            Transport::Tcp => "tcp",
        })
    }
}

/// The network of a container.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Network {
    /// No network at all.
    None,
    /// The sandboxes' own network, which reaches the internet but no other sandbox.
    Default,
    /// A network of the sandboxes that does not reach the internet.
    EgressOff,
    /// A network of the engine, by its name.
    Named(String),
}

impl FromStr for Network {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        match text.trim() {
            "none" => Ok(Network::None),
            "default" => Ok(Network::Default),
            "egress-off" => Ok(Network::EgressOff),
            "host" => Err(InvalidValue::new(
                "a container in the host's network is not isolated from it",
                "use none, default, egress-off, or the name of a network of the engine",
            )),
            name if is_name(name) => Ok(Network::Named(name.to_owned())),
            _ => Err(InvalidValue::new(
                "it is not a valid network",
                "use none, default, egress-off, or the name of a network of the engine",
            )),
        }
    }
}

/// A limit that can be lifted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    /// No limit.
    Off,
    /// This many bytes, or this many processes; never 0.
    At(u64),
}

/// A folder or file of the engine's machine, or a named volume, in a container.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Volume {
    /// An absolute path on the engine's machine, or the name of a volume.
    pub source: String,
    /// The absolute path in the container.
    pub target: String,
    /// Whether the container may write there.
    pub writable: bool,
}

/// What a container may do, and what it is given. `None`, `false` and empty mean the default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ContainerOptions {
    /// How much it may do. Default: [`IsolationLevel::Strict`] for `hf://` sources.
    pub isolation: Option<IsolationLevel>,
    /// How clients reach it. Default: TCP; with strict isolation or without a network, a Unix socket.
    pub transport: Option<Transport>,
    /// Its network.
    pub network: Option<Network>,
    /// With strict isolation: let it write anywhere in the container.
    pub writable: bool,
    /// Folders in memory, as `PATH[:OPTIONS]`. A size is added where none is given.
    pub tmpfs: Vec<String>,
    /// The user, as `USER[:GROUP]`.
    pub user: Option<String>,
    /// Its memory, in bytes. Default: a share of the engine's.
    pub memory: Option<Limit>,
    /// How many processes and threads it may have.
    pub pids_limit: Option<Limit>,
    /// How many processors it may use, such as `1.5`. Default: all.
    pub cpus: Option<String>,
    /// Limits of its processes, as `NAME=SOFT[:HARD]`.
    pub ulimits: Vec<String>,
    /// GPUs, in docker's form: `all`, a number, `device=0`.
    pub gpus: Option<String>,
    /// Devices of the engine's machine, as `HOST[:CONTAINER[:PERMISSIONS]]`.
    pub devices: Vec<String>,
    /// Folders and files of the engine's machine.
    pub volumes: Vec<Volume>,
    /// Files to copy into the container before it starts: the file here, and the absolute path there.
    pub files: Vec<(PathBuf, String)>,
    /// Names for addresses, as `NAME:ADDRESS`.
    pub add_hosts: Vec<String>,
    /// The engine's runtime, such as `runsc`.
    pub runtime: Option<String>,
    /// Security options, as `seccomp=FILE`, `apparmor=PROFILE` or `label=VALUE`.
    pub security_opts: Vec<String>,
}

impl ContainerOptions {
    /// Checks every text: the values of a library user have not been parsed before.
    ///
    /// # Errors
    /// [`SandboxError::InvalidOption`], which names the field.
    pub(crate) fn checked(&self) -> Result<Self, SandboxError> {
        if let Some(Network::Named(name)) = &self.network {
            name.parse::<Network>().map_err(|invalid| Field::NETWORK.invalid(name, &invalid))?;
        }
        for Volume { source, target, .. } in &self.volumes {
            let text = format!("{source}:{target}");
            check_volume(source, target).map_err(|invalid| Field::VOLUMES.invalid(&text, &invalid))?;
        }
        for (_, target) in &self.files {
            check_target(target).map_err(|invalid| Field::FILES.invalid(target, &invalid))?;
        }
        Ok(Self {
            tmpfs: each(Field::TMPFS, &self.tmpfs, tmpfs)?,
            user: one(Field::USER, self.user.as_ref(), user)?,
            cpus: one(Field::CPUS, self.cpus.as_ref(), cpus)?,
            ulimits: each(Field::ULIMITS, &self.ulimits, ulimit)?,
            gpus: one(Field::GPUS, self.gpus.as_ref(), gpus)?,
            devices: each(Field::DEVICES, &self.devices, device)?,
            add_hosts: each(Field::ADD_HOSTS, &self.add_hosts, add_host)?,
            runtime: one(Field::RUNTIME, self.runtime.as_ref(), runtime)?,
            security_opts: each(Field::SECURITY_OPTS, &self.security_opts, security_opt)?,
            ..self.clone()
        })
    }
}

/// A text for docker that is never taken as an option.
fn value(text: &str, example: &str) -> Result<String, InvalidValue> {
    let text = one_line(text)?;
    if text.starts_with('-') {
        return Err(InvalidValue::new("it starts with a dash", format!("use a value such as {example}")));
    }
    Ok(text)
}

fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// Parses a memory limit: a size, or `off`.
pub(crate) fn memory(text: &str) -> Result<Limit, InvalidValue> {
    /// Docker refuses less.
    const LEAST: u64 = 6 << 20;
    match text.trim() {
        "off" => Ok(Limit::Off),
        size => parse_size(size).filter(|bytes| *bytes >= LEAST).map(Limit::At).ok_or_else(|| {
            InvalidValue::new(
                "it is not a valid memory limit",
                "use a size of 6m or more, such as 2g, or off",
            )
        }),
    }
}

/// Parses a number of processes, or `off`.
pub(crate) fn pids_limit(text: &str) -> Result<Limit, InvalidValue> {
    match text.trim() {
        "off" => Ok(Limit::Off),
        count => {
            number(count).filter(|count| (1..=4_194_304).contains(count)).map(Limit::At).ok_or_else(|| {
                InvalidValue::new(
                    "it is not a valid number of processes",
                    "use a number such as 1024, or off",
                )
            })
        }
    }
}

/// Parses a number of processors.
pub(crate) fn cpus(text: &str) -> Result<String, InvalidValue> {
    let text = one_line(text)?;
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if !is_number || !text.parse::<f64>().is_ok_and(|cpus| cpus >= 0.01) {
        return Err(InvalidValue::new("it is not a valid number of processors", "use a number such as 1.5"));
    }
    Ok(text)
}

/// Parses `PATH[:OPTIONS]`.
pub(crate) fn tmpfs(text: &str) -> Result<String, InvalidValue> {
    let text = one_line(text)?;
    let (path, options) = text.split_once(':').unwrap_or((&text, ""));
    check_target(path)?;
    if options.starts_with('-') || options.contains(':') {
        return Err(InvalidValue::new(
            "its options are not valid",
            "use PATH[:OPTIONS], such as /tmp:size=2g,exec",
        ));
    }
    Ok(text)
}

/// Parses `USER[:GROUP]`.
pub(crate) fn user(text: &str) -> Result<String, InvalidValue> {
    let text = one_line(text)?;
    let (user, group) = text.split_once(':').unwrap_or((&text, "0"));
    if !is_name(user) || !is_name(group) {
        return Err(InvalidValue::new(
            "it is not a valid user",
            "use USER or USER:GROUP, such as 0 or 1000:1000",
        ));
    }
    Ok(text)
}

/// Parses `NAME=SOFT[:HARD]`.
pub(crate) fn ulimit(text: &str) -> Result<String, InvalidValue> {
    let text = one_line(text)?;
    let is_limit = |limit: &str| limit == "-1" || (!limit.is_empty() && number(limit).is_some());
    let is_valid = text.split_once('=').is_some_and(|(name, limits)| {
        name.bytes().all(|byte| byte.is_ascii_lowercase())
            && !name.is_empty()
            && limits.split(':').all(is_limit)
    });
    if !is_valid {
        return Err(InvalidValue::new(
            "it is not a valid limit",
            "use NAME=SOFT[:HARD], such as nofile=4096",
        ));
    }
    Ok(text)
}

/// Parses docker's form of GPUs.
pub(crate) fn gpus(text: &str) -> Result<String, InvalidValue> {
    value(text, "all, 1 or device=0")
}

/// Parses `HOST[:CONTAINER[:PERMISSIONS]]`, or the name of a CDI device.
pub(crate) fn device(text: &str) -> Result<String, InvalidValue> {
    value(text, "/dev/dri")
}

/// Parses `NAME:ADDRESS`.
pub(crate) fn add_host(text: &str) -> Result<String, InvalidValue> {
    let text = value(text, "server:192.0.2.1")?;
    if !text.split_once([':', '=']).is_some_and(|(name, address)| is_name(name) && !address.is_empty()) {
        return Err(InvalidValue::new("it is not NAME:ADDRESS", "use a value such as server:192.0.2.1"));
    }
    Ok(text)
}

/// Parses the name of a runtime.
pub(crate) fn runtime(text: &str) -> Result<String, InvalidValue> {
    let text = one_line(text)?;
    if !is_name(&text) {
        return Err(InvalidValue::new("it is not a valid runtime", "use a name such as runsc"));
    }
    Ok(text)
}

/// Parses an option that only chooses a profile: none may give back privileges.
pub(crate) fn security_opt(text: &str) -> Result<String, InvalidValue> {
    let text = one_line(text)?;
    let is_profile = text.split_once(['=', ':']).is_some_and(|(name, profile)| {
        matches!(name, "seccomp" | "apparmor" | "label") && !profile.is_empty()
    });
    if !is_profile {
        return Err(InvalidValue::new(
            "it is not an option that can be changed",
            "use seccomp=FILE, apparmor=PROFILE or label=VALUE",
        ));
    }
    Ok(text)
}

/// Parses `SOURCE:TARGET[:ro|:rw]`, where SOURCE is a path or the name of a volume.
pub(crate) fn volume(text: &str) -> Result<Volume, InvalidValue> {
    let text = one_line(text)?;
    let (text, writable) = match (text.strip_suffix(":rw"), text.strip_suffix(":ro")) {
        (Some(rest), _) => (rest, true),
        (None, Some(rest)) => (rest, false),
        (None, None) => (text.as_str(), false),
    };
    let (source, target) = text.rsplit_once(':').unwrap_or((text, ""));
    let is_path = source.starts_with(['.', '/']) || source.contains('/');
    let absolute = is_path.then(|| std::path::absolute(source).ok()).flatten();
    let source = absolute.map_or_else(|| source.to_owned(), |path| path.to_string_lossy().into_owned());
    check_volume(&source, target)?;
    Ok(Volume { source, target: target.to_owned(), writable })
}

fn check_volume(source: &str, target: &str) -> Result<(), InvalidValue> {
    let is_source = is_name(source) || (source.starts_with('/') && !source.contains(['\n', '\r', '\0']));
    if !is_source {
        return Err(InvalidValue::new(
            "its first part is neither a path nor the name of a volume",
            "use SOURCE:TARGET, such as ./data:/data, and :rw at the end to let the environment write there",
        ));
    }
    check_target(target)
}

/// Parses `FILE:TARGET`.
pub(crate) fn file(text: &str) -> Result<(PathBuf, String), InvalidValue> {
    let text = one_line(text)?;
    let (file, target) = text.rsplit_once(':').unwrap_or((&text, ""));
    check_target(target)?;
    if !Path::new(file).is_file() {
        return Err(InvalidValue::new(
            "its first part is not a file",
            "use FILE:TARGET, such as ./config.toml:/config.toml; use --volume for a folder",
        ));
    }
    Ok((PathBuf::from(file), target.to_owned()))
}

/// Checks a path in a container. Docker separates fields with commas and colons.
fn check_target(target: &str) -> Result<(), InvalidValue> {
    let is_target = target.len() > 1
        && target.starts_with('/')
        && !target.contains([':', '\n', '\r', '\0'])
        && target.split('/').all(|part| part != "..");
    if is_target {
        return Ok(());
    }
    Err(InvalidValue::new(
        "it does not end with an absolute path in the container",
        "use a path such as /data",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_named_as_docker_names_them() {
        assert_eq!("none".parse(), Ok(Network::None));
        assert_eq!(" egress-off ".parse(), Ok(Network::EgressOff));
        assert_eq!("my_net.1".parse(), Ok(Network::Named("my_net.1".to_owned())));
        for text in ["", "host", "container:x", "-x", "--network", "a b", "a,b"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }

    #[test]
    fn limits_are_sizes_or_off() {
        assert_eq!(memory("2g"), Ok(Limit::At(2 << 30)));
        assert_eq!(memory("off"), Ok(Limit::Off));
        assert_eq!(pids_limit("off"), Ok(Limit::Off));
        assert_eq!(pids_limit("100"), Ok(Limit::At(100)));
        for text in ["", "0", "5m", "-1", "lots", "1e9"] {
            assert!(memory(text).is_err(), "{text}");
        }
        for text in ["", "0", "-1", "+1", "1.5", "99999999999999999999"] {
            assert!(pids_limit(text).is_err(), "{text}");
        }
    }

    #[test]
    fn no_value_is_an_option_of_docker() {
        type Check = fn(&str) -> bool;
        let checks: [(Check, &[&str], &[&str]); 9] = [
            (
                |text| tmpfs(text).is_ok(),
                &["/tmp", "/a/b:exec,size=1g"],
                &["", "tmp", "/", "/a:-x", "/a:b:c", "/../a"],
            ),
            (
                |text| user(text).is_ok(),
                &["0", "1000:1000", "www-data"],
                &["", "-1", "a:", ":a", "a b", "0:-1"],
            ),
            (|text| cpus(text).is_ok(), &["1", "0.5"], &["", "0", "-1", "1e1", "nan", "inf"]),
            (
                |text| ulimit(text).is_ok(),
                &["nofile=1024", "core=-1:-1", "cpu=1:2"],
                &["", "nofile", "=1", "-x=1", "a=b", "nofile="],
            ),
            (|text| gpus(text).is_ok(), &["all", "2", "device=0,1"], &["", "--privileged", "-1"]),
            (|text| device(text).is_ok(), &["/dev/dri:/dev/dri:rwm", "nvidia.com/gpu=0"], &["", "-x"]),
            (|text| add_host(text).is_ok(), &["a.b:192.0.2.1", "a:::1"], &["", "a", "-a:1", "a:", ":1"]),
            (|text| runtime(text).is_ok(), &["runsc", "io.containerd.kata.v2"], &["", "-x", "a b"]),
            (
                |text| security_opt(text).is_ok(),
                &["seccomp=p.json", "seccomp=unconfined", "label=disable"],
                &["", "no-new-privileges=false", "seccomp", "seccomp=", "systempaths=unconfined", "-x=y"],
            ),
        ];
        for (is_valid, valid, wrong) in checks {
            valid.iter().for_each(|text| assert!(is_valid(text), "{text}"));
            wrong.iter().for_each(|text| assert!(!is_valid(text), "{text}"));
        }
    }

    #[test]
    fn volumes_are_read_only_unless_they_say_otherwise() {
        let read = |text: &str| volume(text).map(|volume| (volume.source, volume.target, volume.writable));
        let expected =
            |source: &str, target: &str, writable| Ok((source.to_owned(), target.to_owned(), writable));
        assert_eq!(read("/a:/b"), expected("/a", "/b", false));
        assert_eq!(read("/a:/b:ro"), expected("/a", "/b", false));
        assert_eq!(read("/a,x:y:/b:rw"), expected("/a,x:y", "/b", true));
        assert_eq!(read("cache:/b:rw"), expected("cache", "/b", true));
        assert!(read("./a:/b").unwrap().0.starts_with('/'));
        for text in ["", "/a", "/a:b", "/a:/", "-v:/b", ":/b", "/a:/b:rwx", "/a:/../b"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn values_of_the_library_are_checked_too() {
        let refused = |change: fn(&mut ContainerOptions)| {
            let mut options = ContainerOptions::default();
            change(&mut options);
            options.checked().unwrap_err().to_string()
        };
        assert!(refused(|o| o.user = Some("-1".into())).starts_with("user (--user) \"-1\""));
        assert!(refused(|o| o.network = Some(Network::Named("--x".into()))).starts_with("network"));
        assert!(refused(|o| o.files = vec![("x".into(), "y".into())]).starts_with("files"));
        assert!(ContainerOptions::default().checked().is_ok());
    }
}
