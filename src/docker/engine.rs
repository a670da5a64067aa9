//! Questions to the engine and its client about themselves: version, processor, place, buildx.

use serde::Deserialize;

use crate::docker::Docker;
use crate::docker::invocation::{Cause, Failure};
use crate::error::{Problem, SandboxError};
use crate::options::Environment;
use crate::owner::EngineSite;

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

impl Docker {
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

    /// Whether the engine is behind a local socket. What cannot be found out counts as elsewhere.
    pub(crate) fn site(&self, environment: &Environment) -> EngineSite {
        let context = || {
            let asked = self.command(["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]).run();
            asked.map(|printed| printed.stdout.trim().to_owned()).unwrap_or_default()
        };
        // DOCKER_CONTEXT wins over DOCKER_HOST only where DOCKER_HOST is unset, as in the client itself.
        let endpoint = match environment.text("DOCKER_HOST") {
            Ok(Some(host)) => host.to_owned(),
            _ => context(),
        };
        site_of(&endpoint)
    }
}

fn site_of(endpoint: &str) -> EngineSite {
    if endpoint.starts_with("unix://") || endpoint.starts_with("npipe://") {
        EngineSite::ThisMachine
    } else {
        EngineSite::Elsewhere
    }
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
    fn only_a_local_socket_is_this_machine() {
        assert_eq!(site_of("unix:///var/run/docker.sock"), EngineSite::ThisMachine);
        for endpoint in ["tcp://10.0.0.1:2376", "ssh://me@host", ""] {
            assert_eq!(site_of(endpoint), EngineSite::Elsewhere, "{endpoint}");
        }
    }
}
