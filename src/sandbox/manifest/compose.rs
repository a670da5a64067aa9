//! Compose: one service, whose containers publish their ports on the loopback interface.

use serde_json::{Map, Value, json};

use crate::contract::CONTAINER_PORT;
use crate::error::{SandboxError, invalid_option};
use crate::sandbox::isolation::ordinary_user;
use crate::sandbox::manifest::{Sandboxes, WRITABLE};

/// The file, and how it is used.
///
/// # Errors
/// [`SandboxError::InvalidOption`] for a time limit.
pub(super) fn documents(sandboxes: &Sandboxes<'_>) -> Result<(Vec<Value>, String), SandboxError> {
    let (options, name) = (sandboxes.options, &sandboxes.name);
    if options.ttl.is_some() {
        return Err(invalid_option(
            "Compose has no time limit for containers",
            "remove --ttl, or use --kind kubernetes",
        ));
    }
    // Compose replaces `$NAME`; `$$` stands for a dollar sign.
    let literal = |text: &str| text.replace('$', "$$");
    let variables: Map<String, Value> =
        sandboxes.variables.iter().map(|(name, value)| (name.clone(), literal(value).into())).collect();
    let labels: Map<String, Value> = sandboxes
        .annotations
        .iter()
        .map(|(key, value)| (format!("compose.{key}"), literal(value).into()))
        .collect();
    let document = json!({
        "name": name,
        "services": {"environment": {
            "image": literal(&sandboxes.image),
            "pull_policy": "missing",
            "environment": variables,
            "labels": labels,
            "init": true,
            "user": ordinary_user(),
            "read_only": true,
            "tmpfs": [format!("{WRITABLE}:size={},mode=1777", options.tmp_size)],
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges:true"],
            "ports": [format!("127.0.0.1::{CONTAINER_PORT}")],
            "networks": ["sandboxes"],
            "restart": "no",
            "stop_grace_period": "10s",
            "ulimits": {"core": 0},
            "deploy": {
                "replicas": options.replicas,
                "resources": {"limits": {
                    "cpus": options.cpus,
                    "memory": options.memory.to_string(),
                    "pids": sandboxes.processes,
                }},
            },
        }},
        // Sandboxes cannot reach each other.
        "networks": {"sandboxes": {"driver_opts": {"com.docker.network.bridge.enable_icc": "false"}}},
    });
    let usage = format!(
        "to start them, run `rlmesh-sandbox manifest … | docker compose -f - up -d`; the address of the first:\n  \
         docker compose -p {name} port --index 1 environment {CONTAINER_PORT}"
    );
    Ok((vec![document], usage))
}
