//! Kubernetes: a StatefulSet or a Job, a headless Service that gives each pod a name, and a NetworkPolicy.

use serde_json::{Map, Value, json};

use crate::contract::CONTAINER_PORT;
use crate::sandbox::isolation::ORDINARY_USER;
use crate::sandbox::manifest::{Sandboxes, WRITABLE};

/// How long a pod stays on a node that does not answer, in seconds. The default is 300.
const UNREACHABLE: u32 = 30;

/// The most addresses that the usage lists.
const LISTED: u32 = 4;

/// The documents, and how they are used.
pub(super) fn documents(sandboxes: &Sandboxes<'_>) -> (Vec<Value>, String) {
    let (name, replicas) = (&sandboxes.name, sandboxes.options.replicas);
    let selector = json!({"app.kubernetes.io/name": "rlmesh-sandbox", "app.kubernetes.io/instance": name});
    let mut labels = selector.clone();
    labels["app.kubernetes.io/managed-by"] = "rlmesh-sandbox".into();
    let annotations: Map<String, Value> =
        sandboxes.annotations.iter().map(|(key, value)| ((*key).to_owned(), value.clone().into())).collect();
    let metadata = json!({"name": name, "labels": labels, "annotations": annotations});
    let service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {
            "clusterIP": "None",
            "selector": selector,
            "ports": [{"name": "grpc", "port": CONTAINER_PORT}],
        },
    });
    let policy = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata,
        "spec": {
            "podSelector": {"matchLabels": selector},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"ports": [{"port": CONTAINER_PORT, "protocol": "TCP"}]}],
            "egress": [],
        },
    });
    let mut pod = pod(sandboxes);
    let template = json!({"metadata": {"labels": labels, "annotations": annotations}});
    let workload = if let Some(ttl) = sandboxes.options.ttl {
        pod["restartPolicy"] = "Never".into();
        // An indexed Job names its pods as a StatefulSet does, if they name the Service.
        pod["subdomain"] = name.as_str().into();
        let mut job = json!({
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": metadata,
            "spec": {
                "completionMode": "Indexed",
                "completions": replicas,
                "parallelism": replicas,
                "backoffLimit": 0,
                "activeDeadlineSeconds": ttl.as_secs().max(1),
                "ttlSecondsAfterFinished": 60,
                "template": template,
            },
        });
        job["spec"]["template"]["spec"] = pod;
        job
    } else {
        let mut set = json!({
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": metadata,
            "spec": {
                "serviceName": name,
                "replicas": replicas,
                "podManagementPolicy": "Parallel",
                "selector": {"matchLabels": selector},
                "template": template,
            },
        });
        set["spec"]["template"]["spec"] = pod;
        set
    };
    (vec![service, policy, workload], usage(name, replicas))
}

/// A pod with every restriction that an environment does not need lifted.
fn pod(sandboxes: &Sandboxes<'_>) -> Value {
    let options = sandboxes.options;
    let variables: Vec<Value> = sandboxes
        .variables
        .iter()
        // Kubernetes expands `$(NAME)`; `$$` stands for a dollar sign.
        .map(|(name, value)| json!({"name": name, "value": value.replace('$', "$$")}))
        .collect();
    let tolerations: Vec<Value> = ["not-ready", "unreachable"]
        .map(|condition| {
            json!({
                "key": format!("node.kubernetes.io/{condition}"),
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": UNREACHABLE,
            })
        })
        .to_vec();
    json!({
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "terminationGracePeriodSeconds": 10,
        "tolerations": tolerations,
        "securityContext": {
            "runAsNonRoot": true,
            "runAsUser": ORDINARY_USER,
            "runAsGroup": ORDINARY_USER,
            "fsGroup": ORDINARY_USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [{
            "name": "environment",
            "image": sandboxes.image,
            "imagePullPolicy": "IfNotPresent",
            "env": variables,
            "ports": [{"name": "grpc", "containerPort": CONTAINER_PORT}],
            // rlmesh does not serve grpc.health.v1. It listens once the environment exists.
            "readinessProbe": {
                "tcpSocket": {"port": CONTAINER_PORT},
                "periodSeconds": 1,
                "failureThreshold": 1,
            },
            "resources": {
                "requests": {"cpu": "250m", "memory": quantity(options.memory.min(256 << 20))},
                "limits": {"cpu": options.cpus, "memory": quantity(options.memory)},
            },
            "securityContext": {
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": {"drop": ["ALL"]},
            },
            "volumeMounts": [{"name": "tmp", "mountPath": WRITABLE}],
        }],
        "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": quantity(options.tmp_size)}}],
    })
}

/// Bytes as Kubernetes writes them: in `Mi` where that is exact.
fn quantity(bytes: u64) -> String {
    const MIB: u64 = 1 << 20;
    if bytes >= MIB && bytes.is_multiple_of(MIB) { format!("{}Mi", bytes / MIB) } else { bytes.to_string() }
}

fn usage(name: &str, replicas: u32) -> String {
    let mut usage =
        "to start them, run `rlmesh-sandbox manifest … | kubectl apply -f -`; addresses:".to_owned();
    let address = |index: u32| format!("\n  tcp://{name}-{index}.{name}:{CONTAINER_PORT}");
    if replicas <= LISTED {
        usage.extend((0..replicas).map(address));
    } else {
        usage.extend((0..LISTED - 2).map(address));
        usage += "\n  …";
        usage += &address(replicas - 1);
    }
    usage
}
