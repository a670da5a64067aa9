//! `manifest`: what clusters start, without docker.

use serde_json::{Value, json};

use crate::support::{Run, StandIn};

const NEEDS_IMAGE: &str = "warning: the nodes need the image";

fn documents(line: &str) -> Vec<Value> {
    Run::line(line).docker(StandIn::missing()).any_stdout().any_stderr().check().json()
}

#[test]
fn a_statefulset_has_every_restriction_and_each_pod_an_address() {
    let line = "manifest CartPole-v1 -N 5 -n 2 --image r.example/c:1 --memory 1g --cpus 1.5 --format json";
    let [service, policy, set] = documents(line).try_into().unwrap();
    let kinds = [&service, &policy, &set].map(|document| document["kind"].as_str().unwrap());
    assert_eq!(kinds, ["Service", "NetworkPolicy", "StatefulSet"]);
    assert_eq!((&service["spec"]["clusterIP"], &policy["spec"]["egress"]), (&json!("None"), &json!([])));
    assert_eq!(
        (&set["spec"]["replicas"], &set["spec"]["serviceName"]),
        (&json!(5), &json!("rlmesh-cartpole-v1"))
    );
    let pod = &set["spec"]["template"]["spec"];
    assert_eq!(pod["automountServiceAccountToken"], json!(false));
    assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
    let container = &pod["containers"][0];
    assert_eq!(container["image"], "r.example/c:1");
    assert_eq!(container["resources"]["limits"], json!({"cpu": "1.5", "memory": "1024Mi"}));
    assert_eq!(
        container["securityContext"],
        json!({"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]}})
    );
    let variables = container["env"].as_array().unwrap();
    let payload = variables.iter().find(|variable| variable["name"] == "RLMESH_BOOTSTRAP_JSON").unwrap();
    assert!(payload["value"].as_str().unwrap().contains(r#""num_envs":2"#), "{payload}");
}

#[test]
fn a_time_limit_makes_it_a_job() {
    let job = documents("manifest CartPole-v1 -N 2 --ttl 2h --name eval --format json").pop().unwrap();
    let spec = &job["spec"];
    assert_eq!((&job["kind"], &job["metadata"]["name"]), (&json!("Job"), &json!("eval")));
    assert_eq!((&spec["activeDeadlineSeconds"], &spec["completions"]), (&json!(7200), &json!(2)));
    assert_eq!(spec["template"]["spec"]["subdomain"], "eval");
}

#[test]
fn a_dollar_sign_stays_one() {
    // Kubernetes and Compose replace names after a dollar sign.
    for (kind, pointer) in [
        ("kubernetes", "/spec/template/spec/containers/0/env"),
        ("compose", "/services/environment/environment"),
    ] {
        let line = format!("manifest CartPole-v1 -k a=$(HOME)$X --kind {kind} --format json");
        let document = documents(&line).pop().unwrap();
        assert!(document.pointer(pointer).unwrap().to_string().contains("$$(HOME)$$X"), "{document}");
    }
}

#[test]
fn the_text_is_yaml_and_says_what_is_left_to_do() {
    let run = Run::line("manifest CartPole-v1 -N 2").docker(StandIn::missing());
    let run = run
        .stdout_with(["apiVersion: v1\n", "---\n", "kind: StatefulSet\n", "containerPort: 50051\n"])
        .stderr_with([NEEDS_IMAGE, "\n  tcp://rlmesh-cartpole-v1-1.rlmesh-cartpole-v1:50051\n"]);
    run.check();
    Run::line("manifest image://r.example/c:1 --kind compose")
        .docker(StandIn::missing())
        .stdout_with(["image: r.example/c:1\n", "no-new-privileges:true\n"])
        .stderr_with(["docker compose -p rlmesh-c port"])
        .check();
    Run::line("manifest CartPole-v1 --kind compose")
        .docker(StandIn::missing())
        .any_stdout()
        .stderr_with(["warning: the engine needs the image rlmesh-sandbox-cartpole-v1:"])
        .check();
}

#[test]
fn what_a_format_does_not_have_is_an_error() {
    Run::line("manifest CartPole-v1 --kind compose --ttl 2h")
        .docker(StandIn::missing())
        .status(2)
        .stderr_with(["error: Compose has no time limit for containers\n"])
        .check();
    Run::line("manifest CartPole-v1 --name Big")
        .docker(StandIn::missing())
        .status(2)
        .stderr_with(["Big", "lower-case letters"])
        .check();
}
