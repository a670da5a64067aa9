//! The output of `docker container inspect`.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::contract::label::MARK;
use crate::engine::Phase;
use crate::error::{Problem, SandboxError};

/// The fields of `docker container inspect` that are used here.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Inspection {
    pub(crate) id: String,
    name: String,
    pub(crate) created: String,
    /// The image's id.
    #[serde(default)]
    pub(crate) image: String,
    pub(crate) state: State,
    pub(crate) config: Config,
    #[serde(default)]
    pub(crate) host_config: HostConfig,
    network_settings: NetworkSettings,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct State {
    /// created, running, paused, restarting, removing, exited or dead.
    pub(crate) status: String,
    pub(crate) exit_code: i64,
    #[serde(default, rename = "OOMKilled")]
    pub(crate) oom_killed: bool,
    #[serde(default)]
    pub(crate) error: String,
    /// On the engine's clock.
    #[serde(default)]
    pub(crate) finished_at: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Config {
    pub(crate) image: String,
    labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    env: Option<Vec<String>>,
}

/// The limits of a container; 0 or `None` means no limit.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct HostConfig {
    /// In bytes.
    pub(crate) memory: u64,
    /// In billionths of a processor.
    pub(crate) nano_cpus: u64,
    pub(crate) pids_limit: Option<i64>,
    /// The size of `/dev/shm` in bytes.
    pub(crate) shm_size: u64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NetworkSettings {
    #[serde(default)]
    ports: Option<BTreeMap<String, Option<Vec<PortBinding>>>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PortBinding {
    #[serde(default)]
    host_ip: String,
    #[serde(default)]
    host_port: String,
}

impl HostConfig {
    /// The limit in processors.
    pub(crate) fn cpus(&self) -> Option<f64> {
        (self.nano_cpus > 0).then_some(self.nano_cpus as f64 / 1e9)
    }
}

impl Inspection {
    /// The name, without docker's leading slash.
    pub(crate) fn name(&self) -> &str {
        self.name.trim_start_matches('/')
    }

    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        self.config.labels.as_ref()?.get(name).map(String::as_str)
    }

    /// Every label, sorted by name.
    pub(crate) fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        self.config.labels.iter().flatten().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of a variable that the container was created with.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        let variables = self.config.env.iter().flatten();
        variables
            .filter_map(|line| line.split_once('='))
            .find_map(|(known, value)| (known == name).then_some(value))
    }

    /// Whether this tool or the rlmesh SDK created it.
    pub(crate) fn is_sandbox(&self) -> bool {
        self.label(MARK.0).is_some()
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.state.status.as_str() {
            "created" => Phase::Created,
            "exited" | "dead" => Phase::Ended,
            "removing" => Phase::Removing,
            _ => Phase::Running,
        }
    }

    /// The address at which a port of the container is published on the engine's host: `127.0.0.1:49153`.
    pub(crate) fn published(&self, port: u16) -> Option<String> {
        let bindings = self.network_settings.ports.as_ref()?.get(&format!("{port}/tcp"))?.as_ref()?;
        let binding =
            bindings.iter().find(|binding| binding.host_port.parse::<u16>().is_ok_and(|port| port > 0))?;
        let host = match binding.host_ip.as_str() {
            "" | "0.0.0.0" => "127.0.0.1",
            ip => ip,
        };
        Some(if host.contains(':') {
            format!("[{host}]:{}", binding.host_port)
        } else {
            format!("{host}:{}", binding.host_port)
        })
    }
}

/// The short form of an id, as docker prints it.
pub(crate) fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

/// The error for a container that is not a sandbox.
pub(crate) fn not_a_sandbox(container: &Inspection) -> SandboxError {
    SandboxError::InvalidOption(Problem::new(
        format!(
            "{} ({}) is not a sandbox: it has no label {}",
            container.name(),
            short(&container.id),
            MARK.0
        ),
        "run `rlmesh-sandbox ps` to list the sandboxes; use docker itself for other containers",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inspection(status: &str, ports: &str) -> Inspection {
        serde_json::from_str(&format!(
            r#"{{"Id":"1bdd31fd12746f","Name":"/rlmesh-sandbox-x","Created":"2026-11-23T05:39:42Z","Config":{{"Image":"x","Labels":null}},
            "State":{{"Status":"{status}","ExitCode":0}},"NetworkSettings":{{"Ports":{ports}}}}}"#
        ))
        .unwrap()
    }

    #[test]
    fn the_published_address_in_every_form_that_docker_prints() {
        for (ports, address) in [
            (r#"{"50051/tcp":[{"HostIp":"127.0.0.1","HostPort":"49153"}]}"#, Some("127.0.0.1:49153")),
            (
                r#"{"50051/tcp":[{"HostIp":"0.0.0.0","HostPort":"1"},{"HostIp":"::","HostPort":"2"}]}"#,
                Some("127.0.0.1:1"),
            ),
            (r#"{"50051/tcp":[{"HostIp":"::1","HostPort":"7"}]}"#, Some("[::1]:7")),
            (r#"{"50051/tcp":[{"HostIp":"127.0.0.1","HostPort":""}]}"#, None),
            (r#"{"50051/tcp":[{"HostIp":"127.0.0.1","HostPort":"0"}]}"#, None),
            (r#"{"50051/tcp":null,"80/tcp":[{"HostIp":"","HostPort":"80"}]}"#, None),
            ("{}", None),
            ("null", None),
        ] {
            assert_eq!(inspection("running", ports).published(50051).as_deref(), address, "{ports}");
        }
    }

    #[test]
    fn every_status_has_its_phase() {
        for (status, phase) in [
            ("created", Phase::Created),
            ("running", Phase::Running),
            ("paused", Phase::Running),
            ("restarting", Phase::Running),
            ("removing", Phase::Removing),
            ("exited", Phase::Ended),
            ("dead", Phase::Ended),
        ] {
            assert_eq!(inspection(status, "{}").phase(), phase);
        }
    }
}
