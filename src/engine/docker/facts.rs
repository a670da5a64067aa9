//! Facts that only `doctor` needs: the client's version, the current builder, the engine's host, and sizes.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use crate::engine::docker::Docker;
use crate::engine::docker::exec::{SCRIPT, script_container};
use crate::engine::docker::info::{not_docker, unreadable};
use crate::engine::docker::invocation::Failure;
use crate::error::SandboxError;

/// The time limit of a script that uses the network.
const NETWORK_LIMIT: Duration = Duration::from_secs(30);

/// The engine's host, as `docker info` describes it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Host {
    #[serde(rename = "NCPU")]
    pub(crate) processors: u32,
    /// In bytes.
    #[serde(rename = "MemTotal")]
    pub(crate) memory: u64,
    #[serde(default)]
    pub(crate) cgroup_version: String,
    #[serde(default)]
    pub(crate) cgroup_driver: String,
    #[serde(default)]
    pub(crate) memory_limit: bool,
    #[serde(default)]
    pub(crate) swap_limit: bool,
    #[serde(default)]
    pub(crate) pids_limit: bool,
    #[serde(default)]
    pub(crate) cpu_cfs_quota: bool,
    #[serde(default)]
    security_options: Vec<String>,
    /// The folder of its images, on its own machine.
    #[serde(rename = "DockerRootDir", default)]
    pub(crate) root: String,
}

impl Host {
    pub(crate) fn is_rootless(&self) -> bool {
        self.security_options.iter().any(|option| option.starts_with("name=rootless"))
    }
}

/// The builder that builds without a memory limit use.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CurrentBuilder {
    pub(crate) name: String,
    pub(crate) driver: String,
    /// BuildKit's version.
    pub(crate) version: String,
}

impl Docker {
    /// The path of the client.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// The client's version, without asking the engine: `28.2.2`.
    ///
    /// # Errors
    /// [`SandboxError::Docker`].
    pub(crate) fn client_version(&self) -> Result<String, SandboxError> {
        let printed = self.command(["--version"]).run().map_err(|failure| {
            let what = "the docker client does not work";
            failure.into_error(what, "check that `docker --version` works", SandboxError::Docker)
        })?;
        let version =
            printed.stdout.split_whitespace().nth(2).map(|word| word.trim_end_matches(',').to_owned());
        version.ok_or_else(|| not_docker("docker --version", &printed.stdout))
    }

    /// The engine's host.
    ///
    /// # Errors
    /// [`SandboxError::Docker`].
    pub(crate) fn host(&self) -> Result<Host, SandboxError> {
        let printed = self.command(["info", "--format", "{{json .}}"]).run().map_err(|failure| {
            let what = "the docker engine's limits cannot be read";
            failure.into_error(what, "check that `docker info` works", SandboxError::Docker)
        })?;
        serde_json::from_str(&printed.stdout)
            .map_err(|error| unreadable("docker info", &error, &printed.stdout))
    }

    /// The current builder.
    ///
    /// # Errors
    /// [`SandboxError::Docker`].
    pub(crate) fn current_builder(&self) -> Result<CurrentBuilder, SandboxError> {
        let printed = self.command(["buildx", "inspect"]).run().map_err(|failure| {
            let hint = "check that `docker buildx inspect` works; `docker buildx use default` uses the engine's own builder";
            failure.into_error("the current builder does not work", hint, SandboxError::Docker)
        })?;
        parse_builder(&printed.stdout).ok_or_else(|| not_docker("docker buildx inspect", &printed.stdout))
    }

    /// The sizes in bytes of the images with a name pattern, without those that have no other name.
    ///
    /// # Errors
    /// [`SandboxError::Docker`].
    pub(crate) fn image_sizes(&self, name: &str) -> Result<Vec<u64>, SandboxError> {
        let failed = |failure: Failure| {
            failure.into_error(
                "the images cannot be listed",
                "check that `docker image ls` works",
                SandboxError::Docker,
            )
        };
        let mut ids = self.image_ids(&[&format!("reference={name}")]).map_err(failed)?;
        ids.sort_unstable();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let inspect = ["image", "inspect", "--format", "{{.Size}}"].map(str::to_owned).into_iter().chain(ids);
        let printed = self.command(inspect).run().map_err(failed)?;
        Ok(printed.stdout.split_whitespace().filter_map(|size| size.parse().ok()).collect())
    }

    /// Runs a Python script in a new container `name` of an image, with a network, and returns what it printed. The
    /// container is always removed. The variables may be secrets.
    ///
    /// # Errors
    /// A failed docker command.
    pub(crate) fn ask_from(
        &self,
        image: &str,
        name: &str,
        script: &str,
        network: &str,
        variables: &[(String, String)],
    ) -> Result<String, Failure> {
        let mut options = vec!["--network", network, "--memory", "512m", "--pids-limit", "64"];
        options.extend(variables.iter().flat_map(|(name, _)| ["--env", name]));
        let words = script_container(image, name, &options);
        let mut command = self.command(words).environment(SCRIPT, script).limit(NETWORK_LIMIT);
        for (name, value) in variables {
            command = command.environment(name, value);
        }
        command.run().map(|printed| printed.stdout).inspect_err(|_| {
            // The client may have been killed while the container runs.
            let _ = self.remove_containers(&[name.to_owned()]);
        })
    }
}

fn parse_builder(text: &str) -> Option<CurrentBuilder> {
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        Some(line.trim().to_owned())
    };
    // Older versions of buildx do not name BuildKit's version.
    let version =
        field("BuildKit version").or_else(|| field("Buildkit")).unwrap_or_else(|| "unknown".to_owned());
    Some(CurrentBuilder { name: field("Name")?, driver: field("Driver")?, version })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_current_builder_is_read() {
        let text = "Name:          default\nDriver:        docker\n\nNodes:\nName:             default\nStatus:           running\nBuildKit version: v0.21.0\nLabels:\n org.x: 1\n";
        let builder = parse_builder(text).unwrap();
        assert_eq!(
            (builder.name.as_str(), builder.driver.as_str(), builder.version.as_str()),
            ("default", "docker", "v0.21.0")
        );
        assert_eq!(parse_builder("Name: a\nDriver: b\n").unwrap().version, "unknown");
        assert_eq!(parse_builder("nothing"), None);
    }

    #[test]
    fn limits_that_are_not_named_are_missing() {
        let host: Host = serde_json::from_str(r#"{"NCPU":2,"MemTotal":5,"MemoryLimit":true,"SecurityOptions":["name=seccomp,profile=builtin","name=rootless"]}"#).unwrap();
        assert!(host.memory_limit && !host.pids_limit && host.is_rootless());
    }
}
