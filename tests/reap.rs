//! `reap`: who goes and who stays, told by labels as they come from docker. The decision's own table stands beside it.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Reply, Run, StandIn};

/// This machine and namespace, as this tool labels them.
struct Here {
    namespace: String,
    boot: String,
}

impl Here {
    fn look() -> Self {
        Self {
            namespace: std::fs::read_link("/proc/self/ns/pid").unwrap().to_str().unwrap().to_owned(),
            boot: std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap().trim().to_owned(),
        }
    }
}

/// A number that no process has any more.
fn dead_pid() -> u32 {
    let mut child = Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    child.id()
}

fn container(id: &str, status: &str, labels: Value) -> Value {
    json!({
        "Id": format!("{id}{}", "0".repeat(64 - id.len())), "Name": format!("/box-{id}"), "Created": "2026-11-23T07:01:25Z",
        "State": {"Status": status, "ExitCode": 0}, "Config": {"Image": "x", "Labels": labels},
        "NetworkSettings": {"Ports": {}}
    })
}

pub(crate) fn engine(containers: &[Value]) -> StandIn {
    let ids: Vec<&str> = containers.iter().map(|container| container["Id"].as_str().unwrap()).collect();
    StandIn::new()
        .on("ps --all *", Reply::stdout(ids.join("\n")))
        .on("container inspect *", Reply::stdout(serde_json::to_vec(containers).unwrap()))
        .on(
            "context inspect *",
            Reply::default().hook("echo \"default ${DOCKER_HOST:-unix:///var/run/docker.sock}\""),
        )
        .on("rm *", Reply::default())
}

/// One container of each kind.
pub(crate) fn zoo() -> Vec<Value> {
    let here = Here::look();
    let (me, dead) = (std::process::id().to_string(), dead_pid().to_string());
    let owned = |pid: &str, change: &[(&str, &str)]| {
        let mut labels = json!({
            "rlmesh.sandbox": "1", "rlmesh.sandbox.owner-pid": pid,
            "rlmesh.sandbox.owner-pid-ns": here.namespace, "rlmesh.sandbox.owner-boot": here.boot
        });
        for (name, value) in change {
            labels[format!("rlmesh.sandbox.{name}")] = json!(value);
        }
        labels
    };
    let sdk = |pid: &str| json!({"rlmesh.sandbox": "1", "rlmesh.sandbox.owner-pid": pid, "rlmesh.sandbox.owner-pid-ns": here.namespace});
    vec![
        container("a1", "running", owned(&me, &[])),
        container("a2", "running", owned(&dead, &[])),
        container("a3", "running", owned(&me, &[("owner-start", "1")])),
        container("a4", "running", owned(&dead, &[("owner-pid-ns", "pid:[1]")])),
        container("a5", "running", owned(&dead, &[("owner-host", "another"), ("owner-boot", "another")])),
        container("a6", "running", json!({"rlmesh.sandbox": "1"})),
        container("a7", "exited", json!({"rlmesh.sandbox": "1"})),
        container("a8", "running", sdk(&me)),
        container("a9", "exited", sdk(&dead)),
    ]
}

fn full(id: &str) -> String {
    format!("{id}{}", "0".repeat(64 - id.len()))
}

#[test]
fn a_dry_run_says_who_would_go_and_why_the_others_stay() {
    let checked = Run::line("reap --dry-run")
        .docker(engine(&zoo()))
        .stdout(["a2", "a3", "a7", "a9"].map(|id| full(id) + "\n").concat())
        .any_stderr()
        .check();
    for (id, why) in [
        ("a1", "keep box-a1 (a10000000000): its owner, process"),
        ("a2", "is gone"),
        ("a3", "its owner is gone; process"),
        ("a4", "runs in another PID namespace"),
        ("a5", "its owner runs on another machine"),
        ("a6", "it runs without an owner"),
        ("a7", "it has ended and has no owner"),
        ("a8", "is alive"),
        ("a9", "is gone"),
    ] {
        let line = checked.stderr.lines().find(|line| line.contains(&format!("box-{id}"))).unwrap();
        assert!(line.contains(why), "{line}");
    }
    assert!(!checked.calls.iter().any(|call| call.starts_with("rm")));
}

#[test]
fn orphans_go_all_at_once() {
    let run = Run::line("-q reap")
        .docker(engine(&zoo()))
        .stdout(["a2", "a3", "a7", "a9"].map(|id| full(id) + "\n").concat());
    let checked = run.check();
    let removals: Vec<&String> = checked.calls.iter().filter(|call| call.starts_with("rm")).collect();
    assert_eq!(removals.len(), 1, "{removals:?}");
}

#[test]
fn as_json_every_container_is_reported() {
    let checked = Run::line("reap --format json").docker(engine(&zoo())).any_stdout().any_stderr().check();
    let reported: Vec<Value> = serde_json::from_str(&checked.stdout).unwrap();
    let count = |action: &str| reported.iter().filter(|object| object["action"] == action).count();
    assert_eq!((reported.len(), count("removed"), count("kept")), (9, 4, 5));
    let of = |id: &str| reported.iter().find(|object| object["container_id"] == full(id)).unwrap();
    assert_eq!((&of("a2")["state"], &of("a2")["owner"]["state"]), (&json!("removed"), &json!("gone")));
    assert_eq!((&of("a1")["state"], &of("a1")["owner"]["state"]), (&json!("running"), &json!("alive")));
    assert!(reported.iter().all(|object| object["reason"].as_str().is_some_and(|reason| !reason.is_empty())));
}

#[test]
fn on_an_engine_elsewhere_the_sdks_owners_are_unknown() {
    let sdk = container(
        "b1",
        "running",
        json!({
            "rlmesh.sandbox": "1", "rlmesh.sandbox.owner-pid": dead_pid().to_string(),
            "rlmesh.sandbox.owner-pid-ns": Here::look().namespace
        }),
    );
    Run::line("reap --dry-run")
        .env("DOCKER_HOST", "ssh://somewhere")
        .docker(engine(&[sdk]))
        .stderr("keep box-b1 (b10000000000): it is not known on which machine its owner runs\n")
        .check();
}

#[test]
fn an_abandoned_start_goes_with_its_folder() {
    let detached = container("c1", "running", json!({"rlmesh.sandbox": "1"}));
    let run = Run::line("reap").docker(engine(&[detached])).stdout(full("c1") + "\n").stderr(
        "removed box-c1 (c10000000000): the run that was starting it is gone\nremoved 1 run directory of runs that are gone\n",
    );
    let folder = run.tmp().join("rlmesh-sandbox-run-abcdef");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("lock"), "").unwrap();
    std::fs::write(folder.join("container"), "box-c1").unwrap();
    run.check();
}

#[test]
fn a_container_that_uses_the_name_of_an_abandoned_start_again_stays() {
    let labels = |run: &str| json!({"rlmesh.sandbox": "1", "rlmesh.sandbox.run": run});
    let later = container("c1", "running", labels("rlmesh-sandbox-run-zyxwvu"));
    let run =
        Run::line("reap").docker(engine(&[later])).stderr("removed 1 run directory of runs that are gone\n");
    let folder = run.tmp().join("rlmesh-sandbox-run-abcdef");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("lock"), "").unwrap();
    std::fs::write(folder.join("container"), "box-c1").unwrap();
    let checked = run.check();
    assert!(!checked.calls.iter().any(|call| call.starts_with("rm")));
}

#[test]
fn as_json_what_was_removed_is_reported_before_a_failure() {
    let orphan = container("d1", "exited", json!({"rlmesh.sandbox": "1"}));
    let docker = StandIn::new()
        .on("ps --all *", Reply::stdout(full("d1")))
        .on("container inspect *", Reply::stdout(serde_json::to_vec(&[orphan]).unwrap()))
        .on("rm *", Reply::fails(1, "Error response from daemon: device or resource busy\n"));
    let checked = Run::line("--json reap").docker(docker).status(7).stdout("[]\n").any_stderr().check();
    let error: Value = serde_json::from_str(&checked.stderr).unwrap();
    assert_eq!(error["error"]["exit_code"], 7);
}

#[test]
fn a_container_that_cannot_be_removed() {
    let orphan = container("d1", "exited", json!({"rlmesh.sandbox": "1"}));
    let docker = StandIn::new()
        .on("ps --all *", Reply::stdout(full("d1")))
        .on("container inspect *", Reply::stdout(serde_json::to_vec(&[orphan]).unwrap()))
        .on("rm *", Reply::fails(1, "Error response from daemon: device or resource busy\n"));
    Run::line("reap")
        .docker(docker)
        .status(7)
        .stderr(
            "error: 1 orphaned container could not be removed: device or resource busy\n\
             hint: run `rlmesh-sandbox reap` again\n",
        )
        .check();
}
