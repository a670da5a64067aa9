//! Who owns a container, and what happens to it when that process is gone.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;

use super::engine::{Images, Live, alone, docker, entries, exists, fresh_package};
use crate::support::server::SilentIndex;
use crate::support::{dead_pid, eventually, living_process, pid_namespace, signal};

/// A container or an image that is removed with the test.
struct Temporary(&'static str, String);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::process::Command::new("docker").args([self.0, "rm", "--force", &self.1]).output();
    }
}

/// Starts a sandbox in the background.
#[track_caller]
fn start(live: &Live, arguments: &[&str]) -> Temporary {
    let run = [&["run", "-d", "--format", "env"], arguments].concat();
    Temporary("container", live.run(&run).ended(0).variable("RLMESH_SANDBOX_CONTAINER_ID"))
}

#[test]
fn killed_at_any_moment_one_reap_leaves_nothing() {
    let (_guard, live, _images) = (alone(), Live::new(), Images::of(&["CartPole-v1"]));
    live.run(&["build", "CartPole-v1"]).ended(0);
    // From before docker was asked to long after the environment answered; -d is never told that it may go.
    let moments = [0, 3, 8, 20, 50, 90, 130, 180, 250, 330, 420, 550, 700, 900, 1300];
    for (index, moment) in moments.iter().enumerate() {
        let verb: &[&str] =
            if index % 3 == 2 { &["run", "-d", "CartPole-v1"] } else { &["run", "CartPole-v1"] };
        let mut child = live
            .command(verb)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(*moment));
        signal(&child, Signal::KILL);
        let was_killed = child.wait().unwrap().code().is_none();
        if was_killed {
            live.run(&["-q", "reap"]).ended(0);
        } else {
            let names = live.containers();
            live.run(
                &[&["-q", "stop", "-t", "1"][..], &names.iter().map(String::as_str).collect::<Vec<_>>()]
                    .concat(),
            )
            .ended(0);
        }
        assert_eq!(live.containers(), Vec::<String>::new(), "killed after {moment} ms");
        assert_eq!(entries(live.tmp.path()), Vec::<String>::new(), "killed after {moment} ms");
    }
}

#[test]
fn a_killed_build_leaves_no_build_and_no_folder() {
    let (_guard, live, index) = (alone(), Live::new(), SilentIndex::start());
    let mut child = live
        .command(&["build", "CartPole-v1", "-p", &fresh_package()])
        .env("PIP_INDEX_URL", index.url())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _client = index.wait_for_a_client();
    signal(&child, Signal::KILL);
    child.wait().unwrap();
    let own = format!("{}/rlmesh-sandbox-run-", live.tmp.path().display());
    eventually("the end of buildx", || {
        let running = std::process::Command::new("pgrep").args(["-f", &own]).output().unwrap();
        running.stdout.is_empty().then_some(())
    });
    live.run(&["-q", "reap"]).ended(0);
    live.assert_clean();
}

#[test]
fn a_container_goes_with_the_process_that_was_named_its_owner() {
    let (_guard, live, _images) = (alone(), Live::new(), Images::of(&["CartPole-v1"]));
    let mut owner = living_process();
    let pid = owner.0.id().to_string();
    let container = start(&live, &["--owner-pid", &pid, "CartPole-v1"]);
    let id = &container.1;
    let kept = live.run(&["reap", "--dry-run"]).ended(0);
    assert!(kept.stderr.contains(&format!("its owner, process {pid}, is alive")), "{}", kept.stderr);
    live.run(&["reap"]).ended(0);
    assert!(exists(id));
    owner.0.kill().unwrap();
    // Not collected yet: a zombie has ended all the same.
    eventually("the zombie", || live.run(&["reap", "--dry-run"]).stdout.contains(id).then_some(()));
    let reaped = live.run(&["reap"]).ended(0);
    assert!(reaped.stdout.contains(id), "{}", reaped.stdout);
    assert!(!exists(id));
}

#[test]
fn a_detached_container_has_no_owner_and_stays_until_it_has_ended() {
    let (_guard, live, _images) = (alone(), Live::new(), Images::of(&["CartPole-v1"]));
    let container = start(&live, &["CartPole-v1"]);
    let id = &container.1;
    live.run(&["reap"]).ended(0);
    assert!(exists(id));
    docker(&["kill", id]);
    let reaped = live.run(&["reap"]).ended(0);
    assert!(
        reaped.stdout.contains(id) && reaped.stderr.contains("it has ended and has no owner"),
        "{reaped:?}"
    );
    assert!(!exists(id));
}

/// A name that the SDK could give a container.
fn sdk_name() -> String {
    format!("rlmesh-sandbox-test-{}", uuid::Uuid::new_v4().simple())
}

#[test]
fn a_run_sweeps_before_it_starts() {
    let (_guard, live, _images) = (alone(), Live::new(), Images::of(&["CartPole-v1"]));
    let pid = format!("rlmesh.sandbox.owner-pid={}", dead_pid());
    let namespace = format!("rlmesh.sandbox.owner-pid-ns={}", pid_namespace());
    let labels = ["--label", "rlmesh.sandbox=1", "--label", &pid, "--label", &namespace];
    let name = sdk_name();
    let orphan = [&["run", "-d", "--name", &name], &labels[..], &["python:3.11-slim", "sleep", "600"]];
    let orphan = Temporary("container", docker(&orphan.concat()));
    live.run(&["run", "CartPole-v1", "--", "true"]).ended(0);
    assert!(!exists(&orphan.1));
}

#[test]
fn many_orphans_go_at_once() {
    let (_guard, live) = (alone(), Live::new());
    let create = |name: String| {
        let mark = ["--label", "rlmesh.sandbox=1"];
        docker(&[&["create", "--name", &name], &mark[..], &["python:3.11-slim", "true"]].concat())
    };
    let orphans: Vec<Temporary> = (0..12).map(|_| Temporary("container", create(sdk_name()))).collect();
    let reaped = live.run(&["-q", "reap"]).ended(0);
    for Temporary(_, orphan) in &orphans {
        assert!(reaped.stdout.contains(orphan.as_str()) && !exists(orphan));
    }
}

/// Labels decide what happens to containers, and containers have the labels of their images.
#[test]
fn labels_that_come_from_an_image_decide_nothing() {
    let (_guard, live, _images) = (alone(), Live::new(), Images::of(&["CartPole-v1"]));
    // As a sandbox of a process that is gone would have them.
    let (pid, namespace) = (dead_pid(), pid_namespace());
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let changes = [
        "LABEL rlmesh.sandbox=1 rlmesh.sandbox.name=box rlmesh.sandbox.owner-start=1".to_owned(),
        format!("LABEL rlmesh.sandbox.owner-pid={pid} rlmesh.sandbox.owner-pid-ns={namespace}"),
        format!("LABEL rlmesh.sandbox.owner-boot={}", boot.trim()),
    ];
    let base = Temporary("image", format!("rlmesh-sandbox-tests-forged-{pid}:1"));
    let source = docker(&["create", "python:3.11-slim"]);
    let changes: Vec<&str> = changes.iter().flat_map(|change| ["--change", change]).collect();
    docker(&[&["commit"], &changes[..], &[&source, &base.1]].concat());
    docker(&["rm", &source]);

    let ours = start(&live, &["CartPole-v1"]);
    let copy = Temporary("image", format!("rlmesh-sandbox-tests-copy-{pid}:1"));
    docker(&["commit", &ours.1, &copy.1]);
    let prebuilt = format!("image://{}", copy.1);
    let on_base = ["CartPole-v1", "--base-image", &base.1];
    let _images = Images::of(&[&on_base.join(" ")]);
    let sandboxes = [ours, start(&live, &on_base), start(&live, &[&prebuilt])];
    let other = |arguments: &[&str]| Temporary("container", docker(arguments));
    let others = [
        other(&["run", "-d", "--entrypoint", "sleep", &copy.1, "600"]),
        other(&["create", "--entrypoint", "sleep", &copy.1, "600"]),
        other(&["run", "-d", "--entrypoint", "sleep", &base.1, "600"]),
        other(&["create", &base.1, "true"]),
    ];
    live.run(&["reap"]).ended(0);
    for container in sandboxes.iter().chain(&others) {
        assert!(exists(&container.1), "reaped: {}", container.1);
    }
    for Temporary(_, id) in &others {
        let refused = live.run(&["stop", id]).ended(2);
        assert!(refused.stderr.contains("is not a sandbox"), "{}", refused.stderr);
    }
    for Temporary(_, id) in &sandboxes {
        live.run(&["stop", "-t", "1", id]).ended(0);
        assert!(!exists(id));
    }
}
