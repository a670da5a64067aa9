//! Questions to the engine and its client about themselves: version, processor, place, buildx.

use serde::Deserialize;

use crate::engine::EngineSite;
use crate::engine::docker::Docker;
use crate::engine::docker::builder::Endpoint;
use crate::engine::docker::invocation::{Cause, Failure};
use crate::error::{Problem, SandboxError};

/// What the engine says of itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Engine {
    pub(crate) version: String,
    /// In Go's naming: `linux`.
    pub(crate) os: String,
    /// In Go's naming: `amd64`, `arm64`.
    pub(crate) arch: String,
}

/// What the engine has for a build, and its clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resources {
    /// All of the engine's memory, in bytes.
    pub(crate) memory: u64,
    /// Whether it can limit a container's memory at all.
    pub(crate) limits_memory: bool,
    /// Whether it can limit memory and swap together.
    pub(crate) limits_swap: bool,
    /// The first number of its version, where it is one.
    pub(crate) major: Option<u32>,
    /// The time on its clock, as its events have it; `None` where it does not tell.
    pub(crate) time: Option<String>,
}

impl Docker {
    /// What the engine has.
    ///
    /// # Errors
    /// [`SandboxError::Docker`].
    pub(crate) fn resources(&self) -> Result<Resources, SandboxError> {
        let format = "{{.MemTotal}} {{.MemoryLimit}} {{.SwapLimit}} {{.ServerVersion}} {{.SystemTime}}";
        let printed = self.command(["info", "--format", format]).run().map_err(|failure| {
            failure.into_error(
                "the docker engine did not tell what it has",
                "check `docker info`",
                SandboxError::Docker,
            )
        })?;
        parse_resources(&printed.stdout).ok_or_else(|| not_docker("docker info", &printed.stdout))
    }

    /// # Errors
    /// [`SandboxError::Docker`] where the engine does not answer.
    pub(crate) fn engine(&self) -> Result<Engine, SandboxError> {
        let printed = self.command(["version", "--format", "{{json .Server}}"]).run().map_err(|failure| {
            failure.into_error("the docker engine did not tell its version", CHECK, SandboxError::Docker)
        })?;
        serde_json::from_str(&printed.stdout)
            .map_err(|error| unreadable("docker version", &error, &printed.stdout))
    }

    /// The version of buildx, as it prints it (`v0.29.1`).
    ///
    /// # Errors
    /// [`SandboxError::Docker`] where the client has no buildx: it would fall back to a builder without
    /// cache mounts, silently.
    pub(crate) fn buildx(&self) -> Result<String, SandboxError> {
        let printed = self.command(["buildx", "version"]).run().map_err(|failure| match failure {
            Failure { cause: Cause::Status(_), ref stderr, .. } if failure.as_docker_error().is_none() => {
                SandboxError::Docker(
                    Problem::new(
                        "docker has no buildx, which builds images",
                        "install the package docker-buildx-plugin (docker-buildx on Debian): https://docs.docker.com/go/buildx/",
                    )
                    .details(stderr),
                )
            }
            other => other.into_error("docker buildx did not tell its version", CHECK, SandboxError::Docker),
        })?;
        Ok(printed.stdout.split_whitespace().nth(1).unwrap_or_default().to_owned())
    }

    /// The engine that the client talks to, by its context and DOCKER_HOST.
    ///
    /// # Errors
    /// [`SandboxError::Docker`] where there is none, such as for a context that does not exist.
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

    /// Whether the engine is behind a local socket. Where that cannot be found out, it counts as elsewhere.
    pub(crate) fn site(&self) -> EngineSite {
        self.endpoint().map_or(EngineSite::Elsewhere, |endpoint| site_of(&endpoint.host))
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
        time: words.next().filter(|time| is_moment(time)).map(str::to_owned),
    })
}

/// Whether a text is a moment that `docker events` takes; the engine may be in any time zone.
fn is_moment(text: &str) -> bool {
    text.len() >= 20 && text.as_bytes()[10] == b'T' && text.starts_with(|c: char| c.is_ascii_digit())
}

const CHECK: &str = "check `docker version`";

/// A client that says yes to everything is none.
pub(super) fn not_docker(command: &str, printed: &str) -> SandboxError {
    let printed: String = printed.chars().take(100).collect();
    SandboxError::Docker(Problem::new(
        format!("{command} printed something unexpected: {printed:?}"),
        "is it really Docker's client? check --docker, and `docker version`",
    ))
}

pub(super) fn unreadable(command: &str, error: &serde_json::Error, printed: &str) -> SandboxError {
    SandboxError::Docker(
        Problem::new(
            format!("{command} printed something unexpected: {error}"),
            "is it really Docker's client? check --docker, and `docker version`",
        )
        .details(printed.chars().take(2000).collect::<String>()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_engine_has() {
        let error = "25276510208 true false 26.1.5+dfsg1 2026-11-23T08:21:59.820197103Z\n";
        let resources = parse_resources(error).unwrap();
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
    fn only_a_local_socket_is_this_machine() {
        assert_eq!(site_of("unix:///var/run/docker.sock"), EngineSite::ThisMachine);
        for endpoint in ["tcp://10.0.0.1:2376", "ssh://me@host", ""] {
            assert_eq!(site_of(endpoint), EngineSite::Elsewhere, "{endpoint}");
        }
    }
}
