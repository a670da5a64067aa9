//! The output of `docker container inspect`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::contract::label::{MARK, NAME, OF_THE_SDK};
use crate::contract::{CONTAINER_PORT, CONTAINER_PREFIX, SOCKET_FOLDER};
use crate::engine::Phase;
use crate::error::{Problem, SandboxError};
use crate::host::socket_dir;

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
    mounts: Vec<MountPoint>,
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
struct MountPoint {
    #[serde(default)]
    source: String,
    #[serde(default)]
    destination: String,
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

    /// The value of a label, unless it is empty or may be the image's own: of a container that this tool did not
    /// start, only the labels of the SDK count.
    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        if !OF_THE_SDK.contains(&name) && !self.names_itself() {
            return None;
        }
        self.raw_label(name).filter(|value| !value.is_empty())
    }

    fn raw_label(&self, name: &str) -> Option<&str> {
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

    /// Whether this tool or the rlmesh SDK started it. The label alone does not prove that, because containers have
    /// the labels of their images, and images made with `docker commit` those of the container.
    pub(crate) fn is_sandbox(&self) -> bool {
        self.raw_label(MARK.0) == Some(MARK.1) && (self.names_itself() || has_sdk_name(self.name()))
    }

    /// Whether this tool started it under the name that it has.
    fn names_itself(&self) -> bool {
        self.raw_label(NAME) == Some(self.name())
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.state.status.as_str() {
            "created" => Phase::Created,
            "exited" | "dead" => Phase::Ended,
            "removing" => Phase::Removing,
            _ => Phase::Running,
        }
    }

    /// The address for rlmesh's clients, while it runs.
    pub(crate) fn address(&self) -> Option<String> {
        match self.socket_folder() {
            Some(folder) if self.phase() == Phase::Running => {
                Some(format!("unix://{}", socket_dir::socket(folder).display()))
            }
            Some(_) => None,
            None => Some(format!("tcp://{}", self.published(CONTAINER_PORT)?)),
        }
    }

    /// The folder of its socket, which this tool created for it.
    fn socket_folder(&self) -> Option<&Path> {
        let mount = self.mounts.iter().find(|mount| mount.destination == SOCKET_FOLDER)?;
        let folder = Path::new(&mount.source);
        socket_dir::outer(folder).is_some().then_some(folder)
    }

    /// Removes its socket directory, once the container is removed.
    pub(crate) fn remove_socket_directory(&self) {
        // The folder may be on another machine.
        let folder = self.socket_folder().and_then(socket_dir::outer);
        folder.into_iter().for_each(|folder| drop(socket_dir::remove(folder)));
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

/// Whether a name has the form that the SDK gives: prefix, slug and 32 hex digits.
fn has_sdk_name(name: &str) -> bool {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    name.strip_prefix(CONTAINER_PREFIX)
        .and_then(|rest| rest.rsplit_once('-'))
        .is_some_and(|(slug, digits)| !slug.is_empty() && digits.len() == 32 && digits.bytes().all(is_digit))
}

/// The short form of an id, as docker prints it.
pub(crate) fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

/// The error for a container that is not a sandbox.
pub(crate) fn not_a_sandbox(container: &Inspection) -> SandboxError {
    let why = match container.raw_label(MARK.0) {
        None => format!("it has no label {}", MARK.0),
        Some(_) => "its labels come from its image, or it was renamed".to_owned(),
    };
    SandboxError::InvalidOption(Problem::new(
        format!("{} ({}) is not a sandbox: {why}", container.name(), short(&container.id)),
        "run `rlmesh-sandbox ps` to list the sandboxes; use docker itself for other containers",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::label;

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

    /// A container with a name and labels.
    fn labelled(name: &str, labels: serde_json::Value) -> Inspection {
        let mut container = serde_json::json!({
            "Id": "1bdd31fd1274", "Name": format!("/{name}"), "Created": "", "NetworkSettings": {},
            "State": {"Status": "running", "ExitCode": 0}, "Config": {"Image": "x"}
        });
        container["Config"]["Labels"] = labels;
        serde_json::from_value(container).unwrap()
    }

    #[test]
    fn a_container_is_a_sandbox_only_under_its_own_name() {
        let sdk = format!("rlmesh-sandbox-cartpole-v1-{}", "0a".repeat(16));
        let all = |name: &str| {
            serde_json::json!({
                "rlmesh.sandbox": "1", "rlmesh.sandbox.name": name, "rlmesh.sandbox.owner-pid": "7",
                "rlmesh.sandbox.owner-start": "8", "rlmesh.sandbox.source": ""
            })
        };
        let ours = labelled("box", all("box"));
        assert!(ours.is_sandbox());
        assert_eq!(ours.label(label::OWNER_START), Some("8"));
        assert_eq!(ours.label(label::SOURCE), None, "an empty value says that there is none");
        for (container, is_sandbox) in [
            // A copy by `docker commit`, a container of an image with our labels, and a base image with them.
            (labelled("copy", all("box")), false),
            (labelled("eager_turing", serde_json::json!({"rlmesh.sandbox": "1"})), false),
            (labelled("box", serde_json::json!({"rlmesh.sandbox.name": "box"})), false),
            (
                labelled("box", serde_json::json!({"rlmesh.sandbox": "0", "rlmesh.sandbox.name": "box"})),
                false,
            ),
            (labelled("rlmesh-sandbox-x", serde_json::json!({"rlmesh.sandbox": "1"})), false),
            // The SDK's, of an ordinary image and of one with our labels.
            (labelled(&sdk, serde_json::json!({"rlmesh.sandbox": "1"})), true),
            (labelled(&sdk, all("box")), true),
        ] {
            assert_eq!(container.is_sandbox(), is_sandbox, "{container:?}");
            assert_eq!(container.label(label::OWNER_START), None, "{container:?}");
        }
        assert_eq!(labelled(&sdk, all("box")).label(label::OWNER_PID), Some("7"));
        for name in ["rlmesh-sandbox--0a", &sdk.to_uppercase(), &format!("{sdk}0"), &format!("x{sdk}")] {
            assert!(!has_sdk_name(name), "{name}");
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
