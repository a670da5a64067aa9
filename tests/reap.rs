//! `reap`: who goes and who stays, told by labels as they come from docker. The decision's own table stands beside it.

use std::fs::File;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Reply, Run, StandIn, dead_pid, pid_namespace};

/// This machine and namespace, as this tool labels them.
struct Here {
    namespace: String,
    boot: String,
}

impl Here {
    fn look() -> Self {
        Self {
            namespace: pid_namespace(),
            boot: std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap().trim().to_owned(),
        }
    }
}

/// A container of this tool.
fn container(id: &str, status: &str, mut labels: Value) -> Value {
    let name = format!("box-{id}");
    labels["rlmesh.sandbox.name"] = json!(name);
    named(&name, id, status, labels)
}

/// The name that the SDK gives.
fn sdk_name(id: &str) -> String {
    format!("rlmesh-sandbox-box-{id}-{}", "0".repeat(32))
}

/// A container of the SDK.
fn sdk_container(id: &str, status: &str, labels: Value) -> Value {
    named(&sdk_name(id), id, status, labels)
}

fn named(name: &str, id: &str, status: &str, labels: Value) -> Value {
    json!({
        "Id": full(id), "Name": format!("/{name}"), "Created": "2026-11-23T07:01:25Z",
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
        sdk_container("a8", "running", sdk(&me)),
        sdk_container("a9", "exited", sdk(&dead)),
    ]
}

fn full(id: &str) -> String {
    format!("{id}{}", "0".repeat(64 - id.len()))
}

/// The run directory of a start of a container, with a lock that no process holds yet.
pub(crate) fn run_directory(tmp: &Path, id: &str, container: &str) -> (PathBuf, File) {
    let folder = tmp.join(format!("rlmesh-sandbox-run-{id}"));
    std::fs::create_dir(&folder).unwrap();
    let lock = File::create(folder.join("lock")).unwrap();
    std::fs::write(folder.join("container"), container).unwrap();
    (folder, lock)
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
    let reported: Vec<Value> = checked.json();
    let count = |action: &str| reported.iter().filter(|object| object["action"] == action).count();
    assert_eq!((reported.len(), count("removed"), count("kept")), (9, 4, 5));
    let of = |id: &str| reported.iter().find(|object| object["container_id"] == full(id)).unwrap();
    assert_eq!((&of("a2")["state"], &of("a2")["owner"]["state"]), (&json!("removed"), &json!("gone")));
    assert_eq!((&of("a1")["state"], &of("a1")["owner"]["state"]), (&json!("running"), &json!("alive")));
    assert!(reported.iter().all(|object| object["reason"].as_str().is_some_and(|reason| !reason.is_empty())));
}

#[test]
fn on_an_engine_elsewhere_the_sdks_owners_are_unknown() {
    let sdk = sdk_container(
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
        .stderr("keep rlmesh-sandbox-box-b1-<uuid> (b10000000000): it is not known on which machine its owner runs\n")
        .check();
}

#[test]
fn an_abandoned_start_goes_with_its_folder() {
    let detached = container("c1", "running", json!({"rlmesh.sandbox": "1"}));
    let run = Run::line("reap").docker(engine(&[detached])).stdout(full("c1") + "\n").stderr(
        "removed box-c1 (c10000000000): the run that was starting it is gone\nremoved 1 run directory of runs that are gone\n",
    );
    run_directory(&run.tmp(), "abcdef", "box-c1");
    run.check();
}

#[test]
fn a_container_that_uses_the_name_of_an_abandoned_start_again_stays() {
    let labels = json!({"rlmesh.sandbox": "1", "rlmesh.sandbox.run-dir": "/tmp/rlmesh-sandbox-run-zyxwvu"});
    let later = container("c1", "running", labels);
    let run =
        Run::line("reap").docker(engine(&[later])).stderr("removed 1 run directory of runs that are gone\n");
    run_directory(&run.tmp(), "abcdef", "box-c1");
    let checked = run.check();
    assert!(!checked.calls.iter().any(|call| call.starts_with("rm")));
}

/// An engine with an orphan that cannot be removed.
fn with_a_busy_orphan() -> StandIn {
    let orphan = container("d1", "exited", json!({"rlmesh.sandbox": "1"}));
    StandIn::new()
        .on("rm *", Reply::fails(1, "Error response from daemon: device or resource busy\n"))
        .and(engine(&[orphan]))
}

#[test]
fn as_json_what_was_removed_is_reported_before_a_failure() {
    let checked =
        Run::line("--json reap").docker(with_a_busy_orphan()).status(7).stdout("[]\n").any_stderr().check();
    assert_eq!(checked.json_error()["exit_code"], 7);
}

#[test]
fn a_container_that_cannot_be_removed() {
    Run::line("reap")
        .docker(with_a_busy_orphan())
        .status(7)
        .stderr(
            "error: 1 orphaned container could not be removed: device or resource busy\n\
             hint: run `rlmesh-sandbox reap` again\n",
        )
        .check();
}

#[test]
fn labels_that_come_from_an_image_do_not_make_a_sandbox() {
    let dead = dead_pid().to_string();
    let labels = |name: &str| {
        json!({
            "rlmesh.sandbox": "1", "rlmesh.sandbox.name": name, "rlmesh.sandbox.owner-pid": dead,
            "rlmesh.sandbox.owner-pid-ns": Here::look().namespace, "rlmesh.sandbox.owner-boot": Here::look().boot
        })
    };
    let mark = json!({"rlmesh.sandbox": "1"});
    let own = named("box", "e3", "running", labels("box"));
    // The SDK's, of an image that claims another owner: its owner is alive.
    let me = std::process::id().to_string();
    let mut claimed = labels("box");
    claimed["rlmesh.sandbox.owner-pid"] = json!(me);
    claimed["rlmesh.sandbox.owner-start"] = json!("1");
    let containers = [
        // Made with `docker commit` from a sandbox, and of an image with our labels.
        named("copy", "e1", "running", labels("box")),
        named("eager_turing", "e2", "exited", mark),
        own,
        sdk_container("e4", "running", claimed),
    ];
    let checked =
        Run::line("reap").docker(engine(&containers)).stdout(full("e3") + "\n").any_stderr().check();
    assert!(!checked.stderr.contains("copy"), "{}", checked.stderr);
    let stopped = Run::line("stop --all").docker(engine(&containers).on("stop *", Reply::default()));
    stopped.stdout(["e3", "e4"].map(|id| full(id) + "\n").concat()).check();
    let one = &containers[..1];
    Run::line("stop copy")
        .docker(engine(one))
        .status(2)
        .stderr_with([
            "copy (e10000000000) is not a sandbox: its labels come from its image, or it was renamed",
        ])
        .check();
}

#[test]
fn a_start_on_another_engine_is_left_to_a_reap_there() {
    let run = Run::line("reap").env("DOCKER_HOST", "tcp://b:2376").docker(engine(&[])).leaves(1).stderr(
        "keep the run directory <world>/tmp/rlmesh-sandbox-run-<random>: its container is on another engine (tcp://a:2376)\n",
    );
    let (folder, _) = run_directory(&run.tmp(), "abcdef", "box-f1\ntcp://a:2376");
    let run = run.check().run;
    let there = engine(&[container("f1", "running", json!({"rlmesh.sandbox": "1"}))]);
    Run::line("-q reap")
        .env("DOCKER_HOST", "tcp://a:2376")
        .env("TMPDIR", run.tmp())
        .docker(there)
        .stdout(full("f1") + "\n")
        .check();
    assert!(!folder.exists());
}

#[test]
fn a_start_with_another_tmpdir_is_found_by_its_label() {
    let tmp = tempfile::tempdir().unwrap();
    let start = |id: &str| {
        let (folder, lock) = run_directory(tmp.path(), id, &format!("box-{id}\n"));
        let labels = json!({"rlmesh.sandbox": "1", "rlmesh.sandbox.run-dir": folder});
        (container(id, "created", labels), lock)
    };
    let ((killed, _), (alive, lock)) = (start("a1"), start("a2"));
    lock.lock().unwrap();
    // A complete start has no run directory.
    let gone = tmp.path().join("rlmesh-sandbox-run-a3");
    let complete = container("a3", "running", json!({"rlmesh.sandbox": "1", "rlmesh.sandbox.run-dir": gone}));
    Run::line("reap")
        .docker(engine(&[killed, alive, complete]))
        .stdout(full("a1") + "\n")
        .stderr_with(["removed box-a1 (a10000000000): ", "removed 1 run directory of runs that are gone\n"])
        .check();
    assert!(!tmp.path().join("rlmesh-sandbox-run-a1").exists());
    assert!(tmp.path().join("rlmesh-sandbox-run-a2").exists());
}
