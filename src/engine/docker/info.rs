//! Facts about the engine, the client and buildx: versions, resources, and where the engine is.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::engine::EngineSite;
use crate::engine::docker::Docker;
use crate::engine::docker::builder::Endpoint;
use crate::engine::docker::child::Cause;
use crate::engine::docker::invocation::Failure;
use crate::error::{Problem, SandboxError};

/// The engine's version and platform.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Engine {
    pub(crate) version: String,
    /// In Go's naming: `linux`.
    pub(crate) os: String,
    /// In Go's naming: `amd64`, `arm64`.
    pub(crate) arch: String,
}

/// The engine's resources for a build, and the time on its clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resources {
    /// All of the engine's memory, in bytes.
    pub(crate) memory: u64,
    /// Whether it can limit a container's memory.
    pub(crate) limits_memory: bool,
    /// Whether it can limit memory and swap together.
    pub(crate) limits_swap: bool,
    /// The first number of its version; `None` for a development version.
    pub(crate) major: Option<u32>,
    /// The time on its clock, in the format of `docker events --since`; `None` if unknown.
    pub(crate) time: Option<String>,
}

/// What the engine has for containers: runtimes, and devices.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Equipment {
    runtimes: Option<BTreeMap<String, serde::de::IgnoredAny>>,
    /// Devices by the Container Device Interface, since Engine 28.
    discovered_devices: Option<Vec<serde::de::IgnoredAny>>,
}

impl Equipment {
    pub(crate) fn runtimes(&self) -> impl Iterator<Item = &str> {
        self.runtimes.iter().flat_map(BTreeMap::keys).map(String::as_str)
    }

    /// Whether it is known to have GPUs.
    pub(crate) fn has_gpus(&self) -> bool {
        self.runtimes().any(|name| name.starts_with("nvidia"))
            || self.discovered_devices.as_ref().is_some_and(|devices| !devices.is_empty())
    }
}

impl Docker {
    /// What the engine has for containers.
    ///
    /// # Errors
    /// [`SandboxError::Docker`].
    pub(crate) fn equipment(&self) -> Result<Equipment, SandboxError> {
        let printed = self.command(["info", "--format", "{{json .}}"]).run().map_err(|failure| {
            let what = "the docker engine's runtimes cannot be read";
            failure.into_error(what, "check that `docker info` works", SandboxError::Docker)
        })?;
        self.interrupt.check()?;
        serde_json::from_str(&printed.stdout)
            .map_err(|error| unreadable("docker info", &error, &printed.stdout))
    }

    /// The engine's memory, version and time.
    ///
    /// # Errors
    /// [`SandboxError::Docker`].
    pub(crate) fn resources(&self) -> Result<Resources, SandboxError> {
        let format = "{{.MemTotal}} {{.MemoryLimit}} {{.SwapLimit}} {{.ServerVersion}} {{.SystemTime}}";
        let printed = self.command(["info", "--format", format]).run().map_err(|failure| {
            failure.into_error(
                "the docker engine's memory and version cannot be read",
                "check that `docker info` works",
                SandboxError::Docker,
            )
        })?;
        // Interrupted, docker prints a zero for each fact, and succeeds.
        self.interrupt.check()?;
        parse_resources(&printed.stdout).ok_or_else(|| not_docker("docker info", &printed.stdout))
    }

    /// The engine's version and platform.
    ///
    /// # Errors
    /// [`SandboxError::Docker`] if the engine does not answer.
    pub(crate) fn engine(&self) -> Result<Engine, SandboxError> {
        let printed = self.command(["version", "--format", "{{json .Server}}"]).run().map_err(|failure| {
            let what = "the docker engine's version cannot be read";
            failure.into_error(what, "check that `docker version` works", SandboxError::Docker)
        })?;
        serde_json::from_str(&printed.stdout)
            .map_err(|error| unreadable("docker version", &error, &printed.stdout))
    }

    /// The version of buildx (`v0.29.1`), which must be [`OLDEST_BUILDX`] or newer.
    ///
    /// # Errors
    /// [`SandboxError::Docker`] if buildx is missing or too old. Without buildx, `docker build` would use the
    /// legacy builder, which has no cache mounts.
    pub(crate) fn buildx(&self) -> Result<String, SandboxError> {
        let printed = self.command(["buildx", "version"]).run().map_err(|failure| {
            if is_buildx_missing(&failure) {
                return SandboxError::Docker(Problem::new(
                    "docker buildx is not installed, but it is needed to build images",
                    GET_BUILDX,
                ));
            }
            failure.into_error(
                "docker buildx does not work",
                "check that `docker buildx version` works",
                SandboxError::Docker,
            )
        })?;
        let Some(version) = printed.stdout.split_whitespace().nth(1) else {
            return Err(not_docker("docker buildx version", &printed.stdout));
        };
        if is_too_old(version) {
            let (major, minor) = OLDEST_BUILDX;
            return Err(SandboxError::Docker(Problem::new(
                format!("docker buildx {version} is too old: {major}.{minor} or newer is needed"),
                GET_BUILDX,
            )));
        }
        Ok(version.to_owned())
    }

    /// The engine that the client uses, by its context and DOCKER_HOST.
    ///
    /// # Errors
    /// [`SandboxError::Docker`] if there is none, for example if the context does not exist.
    pub(crate) fn endpoint(&self) -> Result<Endpoint, SandboxError> {
        let format = "{{.Name}} {{.Endpoints.docker.Host}}";
        let printed = self.command(["context", "inspect", "--format", format]).run().map_err(|failure| {
            failure.into_error(
                "docker's context cannot be read",
                "check `docker context ls`, DOCKER_CONTEXT and DOCKER_HOST",
                SandboxError::Docker,
            )
        })?;
        match printed.stdout.trim().split_once(' ') {
            Some((context, host)) => Ok(Endpoint { context: context.to_owned(), host: host.to_owned() }),
            None => Err(not_docker("docker context inspect", &printed.stdout)),
        }
    }

    /// Where the engine is. If that is unknown, it counts as elsewhere.
    pub(crate) fn site(&self) -> EngineSite {
        self.endpoint().map_or(EngineSite::Elsewhere, |endpoint| site_of(&endpoint.host))
    }
}

/// Whether the engine of an endpoint runs on this Linux machine itself: not on another one, nor in a virtual machine
/// of a desktop application, which shares no sockets.
pub(crate) fn is_on_this_machine(endpoint: &str) -> bool {
    let desktops = ["/.docker/", "/.colima/", "/.lima/", "/.orbstack/", "/.rd/", "/podman"];
    cfg!(target_os = "linux")
        && endpoint.starts_with("unix://")
        && !desktops.iter().any(|desktop| endpoint.contains(desktop))
}

/// Whether the client does not know `docker buildx`. The message depends on its version.
fn is_buildx_missing(failure: &Failure) -> bool {
    let needles = ["unknown command: docker buildx", "'buildx' is not a docker command"];
    matches!(failure.cause, Cause::Status(_)) && needles.iter().any(|needle| failure.stderr.contains(needle))
}

/// Whether a version of buildx is known to be too old. A version without numbers, or 0.0.0, is a build from
/// source.
fn is_too_old(version: &str) -> bool {
    let mut numbers = version.trim_start_matches('v').split(['.', '-', '+']).map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) != (0, 0) && (major, minor) < OLDEST_BUILDX,
        _ => false,
    }
}

fn site_of(endpoint: &str) -> EngineSite {
    if endpoint.starts_with("unix://") || endpoint.starts_with("npipe://") {
        EngineSite::ThisMachine
    } else {
        EngineSite::Elsewhere
    }
}

fn parse_resources(text: &str) -> Option<Resources> {
    let mut words = text.split_whitespace();
    Some(Resources {
        memory: words.next()?.parse().ok()?,
        limits_memory: words.next() != Some("false"),
        limits_swap: words.next() != Some("false"),
        major: words.next().and_then(|version| version.split('.').next()?.parse().ok()),
        time: words.next().filter(|time| is_timestamp(time)).map(str::to_owned),
    })
}

/// Whether a text is a time in the format of `docker events --since`, in any time zone.
fn is_timestamp(text: &str) -> bool {
    text.len() >= 20 && text.as_bytes()[10] == b'T' && text.starts_with(|c: char| c.is_ascii_digit())
}

/// The hint for output that Docker's client would not print.
pub(super) const IS_IT_DOCKER: &str =
    "check that --docker names Docker's client, and that `docker version` works";

/// The oldest buildx with `--progress=rawjson`: major and minor version.
const OLDEST_BUILDX: (u32, u32) = (0, 13);

const GET_BUILDX: &str = "install buildx 0.13 or newer, from the package docker-buildx-plugin (docker-buildx on Debian): https://docs.docker.com/go/buildx/";

/// The error for unexpected output of a command that succeeded.
pub(super) fn not_docker(command: &str, printed: &str) -> SandboxError {
    let printed: String = printed.chars().take(100).collect();
    SandboxError::Docker(Problem::new(
        format!("{command} printed something unexpected: {printed:?}"),
        IS_IT_DOCKER,
    ))
}

/// The error for JSON output that cannot be parsed.
pub(super) fn unreadable(command: &str, error: &serde_json::Error, printed: &str) -> SandboxError {
    SandboxError::Docker(
        Problem::new(format!("{command} printed something unexpected: {error}"), IS_IT_DOCKER)
            .details(printed.chars().take(2000).collect::<String>()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_read() {
        let printed = "25276510208 true false 26.1.5+dfsg1 2026-11-23T08:21:59.820197103Z\n";
        let resources = parse_resources(printed).unwrap();
        assert_eq!(
            resources,
            Resources {
                memory: 25_276_510_208,
                limits_memory: true,
                limits_swap: false,
                major: Some(26),
                time: Some("2026-11-23T08:21:59.820197103Z".into()),
            }
        );
        let zoned = parse_resources("1 true true dev 2026-11-23T08:21:59.8+02:00").unwrap();
        assert_eq!((zoned.major, zoned.time.as_deref()), (None, Some("2026-11-23T08:21:59.8+02:00")));
        assert_eq!(parse_resources("1 true true 20.10.24 <no").unwrap().time, None);
        assert_eq!(parse_resources("lots"), None);
    }

    #[test]
    fn versions_of_buildx_before_0_13_are_too_old() {
        for (version, expected) in [
            ("v0.12.1", true),
            ("0.9.1+ds1", true),
            ("v0.13.0", false),
            ("0.13.1+ds1", false),
            ("v0.29.1-desktop.1", false),
            ("v1.0.0", false),
            ("v0.0.0+unknown", false),
            ("9f1c3d2", false),
            ("", false),
        ] {
            assert_eq!(is_too_old(version), expected, "{version}");
        }
    }

    #[test]
    fn an_engine_in_a_virtual_machine_is_not_on_this_machine() {
        for (endpoint, expected) in [
            ("unix:///var/run/docker.sock", true),
            ("unix:///run/user/1000/docker.sock", true),
            ("unix:///home/me/.docker/desktop/docker.sock", false),
            ("unix:///home/me/.colima/default/docker.sock", false),
            ("tcp://127.0.0.1:2375", false),
            ("ssh://me@host", false),
        ] {
            assert_eq!(is_on_this_machine(endpoint), expected && cfg!(target_os = "linux"), "{endpoint}");
        }
    }

    #[test]
    fn only_a_local_socket_is_this_machine() {
        assert_eq!(site_of("unix:///var/run/docker.sock"), EngineSite::ThisMachine);
        for endpoint in ["tcp://10.0.0.1:2376", "ssh://me@host", ""] {
            assert_eq!(site_of(endpoint), EngineSite::Elsewhere, "{endpoint}");
        }
    }
}
