//! The sandboxes on the engine, as users see them: what each serves, where, and whose it is.

use serde::Deserialize;

use crate::contract::{label, variable};
use crate::engine::Phase;
use crate::engine::docker::Docker;
use crate::engine::docker::inspection::Inspection;
use crate::error::SandboxError;
use crate::host::process::{self, Host};
use crate::sandbox::owner::{self, Decision, Owner, Proof, Reason};
use crate::settings::sandbox::Ownership;

/// A container of this tool or the SDK, in any state.
#[derive(Debug, Clone)]
pub(crate) struct Sandbox {
    pub(crate) container: Inspection,
    pub(crate) owner: OwnerState,
}

/// The process that a sandbox belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OwnerState {
    /// It runs without an owner, in the background.
    None,
    Alive(u32),
    /// The owner has ended: `reap` removes the sandbox.
    Gone(u32),
    /// The owner may run on another machine or in another PID namespace.
    Unknown(u32),
}

impl From<Ownership> for OwnerState {
    fn from(ownership: Ownership) -> Self {
        match ownership {
            Ownership::ThisProcess => OwnerState::Alive(std::process::id()),
            Ownership::Process(pid) => OwnerState::Alive(pid),
            Ownership::Detached => OwnerState::None,
        }
    }
}

/// Every sandbox, in docker's order: the newest first.
///
/// # Errors
/// [`SandboxError::Docker`].
pub(crate) fn list(docker: &Docker) -> Result<Vec<Sandbox>, SandboxError> {
    let here = Host::here();
    let containers = docker.sandboxes()?.into_iter();
    Ok(containers
        .map(|container| {
            let owner = Owner::from_labels(|name| container.label(name));
            let site = || docker.site();
            let decision = owner::decide(&owner, container.phase(), &here, site, process::liveness);
            Sandbox { owner: OwnerState::of(&container, decision), container }
        })
        .collect())
}

impl OwnerState {
    /// What a decision about a container shows about its owner.
    pub(crate) fn of(container: &Inspection, decision: Decision) -> Self {
        let Some(pid) = Owner::from_labels(|name| container.label(name)).pid else { return OwnerState::None };
        match decision {
            Decision::Orphan(Proof::OwnerDead(_) | Proof::ProcessIdReused(_) | Proof::MachineRebooted) => {
                OwnerState::Gone(pid)
            }
            Decision::Keep(Reason::OwnerAlive(_)) => OwnerState::Alive(pid),
            _ => OwnerState::Unknown(pid),
        }
    }
}

impl Sandbox {
    pub(crate) fn id(&self) -> &str {
        &self.container.id
    }

    pub(crate) fn name(&self) -> &str {
        self.container.name()
    }

    /// What it serves, in the canonical form of a source. The SDK's containers may not have it.
    pub(crate) fn source(&self) -> Option<&str> {
        self.container.label(label::SOURCE).filter(|source| !source.is_empty())
    }

    /// What it serves, as a user would type it: a Gymnasium id without `gym://`; else its image.
    pub(crate) fn title(&self) -> &str {
        match self.source() {
            Some(source) => source.strip_prefix("gym://").unwrap_or(source),
            None => &self.container.config.image,
        }
    }

    /// The address for rlmesh's clients; `None` if it does not run.
    pub(crate) fn address(&self) -> Option<String> {
        self.container.address()
    }

    /// The address without `tcp://`: `127.0.0.1:49153`.
    pub(crate) fn host_and_port(&self) -> Option<String> {
        let address = self.address()?;
        Some(address.strip_prefix("tcp://").unwrap_or(&address).to_owned())
    }

    /// How many copies it was told to serve; `None` if its parameters are in a file.
    pub(crate) fn num_envs(&self) -> Option<u32> {
        #[derive(Deserialize)]
        struct Payload {
            spec: Spec,
        }
        #[derive(Deserialize)]
        struct Spec {
            num_envs: u32,
        }
        if let Some(payload) = self.container.variable(variable::BOOTSTRAP_JSON) {
            return serde_json::from_str::<Payload>(payload).ok().map(|payload| payload.spec.num_envs);
        }
        let is_prebuilt = self.source().is_some_and(|source| source.starts_with("image://"));
        match self.container.variable(variable::NUM_ENVS) {
            Some(count) => count.parse().ok(),
            None => is_prebuilt.then_some(1),
        }
    }

    pub(crate) fn build_hash(&self) -> Option<&str> {
        self.container.label(label::BUILD_HASH).filter(|hash| !hash.is_empty())
    }

    /// How much it may do, `default` or `strict`. The SDK's containers do not record it.
    pub(crate) fn isolation(&self) -> Option<&str> {
        self.container.label(label::ISOLATION).filter(|isolation| !isolation.is_empty())
    }

    /// Docker's word for its state, with the exit code of one that has ended: `running`, `exited (1)`.
    pub(crate) fn state(&self) -> String {
        let state = &self.container.state;
        match self.container.phase() {
            Phase::Ended => format!("{} ({})", state.status, state.exit_code),
            _ => state.status.clone(),
        }
    }

    /// Whether ending it takes it from no other process: it has no owner and was started on this machine, its owner
    /// is gone, or its owner is `parent`, the process that started this one.
    pub(crate) fn is_mine(&self, here: &Host, parent: Option<u32>) -> bool {
        match self.owner {
            OwnerState::None => match (self.container.label(label::OWNER_HOST), &here.host) {
                (Some(host), Some(here)) => host == here,
                _ => true,
            },
            OwnerState::Gone(_) => true,
            OwnerState::Alive(pid) => Some(pid) == parent,
            OwnerState::Unknown(_) => false,
        }
    }
}

#[cfg(test)]
pub(super) mod samples {
    use super::*;

    /// A running sandbox, published on `port`.
    pub(crate) fn sandbox(id: &str, name: &str, source: &str, port: u16) -> Sandbox {
        let container = serde_json::from_value(serde_json::json!({
            "Id": id, "Name": format!("/{name}"), "Created": "2026-11-23T05:39:42Z",
            "Config": {"Image": "x", "Labels": {
                "rlmesh.sandbox": "1", "rlmesh.sandbox.name": name, "rlmesh.sandbox.source": source
            }},
            "State": {"Status": "running", "ExitCode": 0},
            "NetworkSettings": {"Ports": {"50051/tcp": [{"HostIp": "127.0.0.1", "HostPort": port.to_string()}]}}
        }));
        Sandbox { container: container.unwrap(), owner: OwnerState::None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(change: &serde_json::Value) -> Sandbox {
        let mut container = serde_json::json!({
            "Id": "1bdd31fd12746f", "Name": "/x", "Created": "", "Config": {"Image": "x:1", "Labels": {}},
            "State": {"Status": "exited", "ExitCode": 3}, "NetworkSettings": {"Ports": null}
        });
        for (key, value) in change.as_object().unwrap() {
            container["Config"][key] = value.clone();
        }
        container["Config"]["Labels"]["rlmesh.sandbox.name"] = "x".into();
        Sandbox { container: serde_json::from_value(container).unwrap(), owner: OwnerState::None }
    }

    #[test]
    fn the_number_of_copies_is_read_from_the_parameters() {
        let env = |line: &str| with(&serde_json::json!({ "Env": [line] })).num_envs();
        assert_eq!(env(r#"RLMESH_BOOTSTRAP_JSON={"spec":{"kind":"gym","num_envs":4}}"#), Some(4));
        assert_eq!(env("RLMESH_NUM_ENVS=2"), Some(2));
        assert_eq!(env("RLMESH_BOOTSTRAP_JSON={"), None);
        assert_eq!(env("A=1"), None);
        let prebuilt = serde_json::json!({"Labels": {"rlmesh.sandbox.source": "image://x:1"}, "Env": null});
        assert_eq!(with(&prebuilt).num_envs(), Some(1));
    }

    #[test]
    fn one_that_has_ended_has_no_address_but_an_exit_code() {
        let sandbox = with(&serde_json::json!({}));
        assert_eq!((sandbox.address(), sandbox.state().as_str()), (None, "exited (3)"));
        assert_eq!(sandbox.title(), "x:1");
    }

    #[test]
    fn what_is_mine() {
        let here = Host { host: Some("me".into()), boot: None, pid_namespace: None };
        let labelled = |host: &str| with(&serde_json::json!({"Labels": {"rlmesh.sandbox.owner-host": host}}));
        assert!(labelled("me").is_mine(&here, None) && !labelled("you").is_mine(&here, None));
        for (owner, is_mine) in [
            (OwnerState::Alive(7), false),
            (OwnerState::Alive(8), true),
            (OwnerState::Gone(7), true),
            (OwnerState::Unknown(8), false),
        ] {
            assert_eq!(Sandbox { owner, ..labelled("me") }.is_mine(&here, Some(8)), is_mine, "{owner:?}");
        }
    }
}
