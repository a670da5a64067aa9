//! Interrupts at each stage: everything that was started is gone when the program is.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Stdio};

use rustix::process::Signal;

use super::engine::{Images, Live, containers, docker, together};
use crate::support::{eventually, signal};

fn spawn(live: &Live, arguments: &[&str]) -> Child {
    live.command(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[track_caller]
fn interrupted(live: &Live, child: Child, sent: Signal, status: i32, source: &str) -> String {
    signal(&child, sent);
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(status), "{stderr}");
    assert_eq!(containers(&format!("rlmesh.sandbox.source={source}")), Vec::<String>::new());
    live.assert_clean();
    stderr
}

#[test]
fn while_it_builds() {
    let (_guard, live) = (together(), Live::new());
    // A package that is never found in time: nothing listens there, and pip tries again and again.
    let child = spawn(&live, &["run", "MountainCar-v0", "-p", "x @ http://127.0.0.1:9/x.whl"]);
    eventually("the build", || (!super::engine::entries(live.tmp.path()).is_empty()).then_some(()));
    std::thread::sleep(std::time::Duration::from_millis(700));
    let said = interrupted(&live, child, Signal::INT, 130, "gym://MountainCar-v0");
    assert!(said.ends_with("interrupted\n"), "{said}");
}

#[test]
fn while_it_starts_and_waits() {
    let (_guard, live, _images) = (together(), Live::new(), Images::of(&["Blackjack-v1"]));
    live.run(&["build", "Blackjack-v1"]).ended(0);
    for moment in [30, 200, 450] {
        let child = spawn(&live, &["run", "-d", "Blackjack-v1"]);
        std::thread::sleep(std::time::Duration::from_millis(moment));
        interrupted(&live, child, Signal::TERM, 143, "gym://Blackjack-v1");
    }
}

#[test]
fn while_it_serves() {
    let (_guard, live, _images) = (together(), Live::new(), Images::of(&["FrozenLake-v1"]));
    let mut child = spawn(&live, &["run", "FrozenLake-v1"]);
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut address = String::new();
    stdout.read_line(&mut address).unwrap();
    assert!(address.starts_with("tcp://127.0.0.1:"), "{address}");
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("RLMesh sandbox serving") {
        line.clear();
        assert!(stderr.read_line(&mut line).unwrap() > 0, "the log never came");
    }
    signal(&child, Signal::INT);
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest}");
    assert_eq!(containers("rlmesh.sandbox.source=gym://FrozenLake-v1"), Vec::<String>::new());
    live.assert_clean();
}

#[test]
fn while_a_command_runs() {
    let (_guard, live, _images) = (together(), Live::new(), Images::of(&["Taxi-v4"]));
    let ready = live.tmp.path().join("ready");
    let script = format!("trap 'exit 9' TERM; : >{}; while :; do sleep 0.1; done", ready.display());
    let child = spawn(&live, &["run", "Taxi-v4", "--", "sh", "-c", &script]);
    eventually("the command", || ready.exists().then_some(()));
    std::fs::remove_file(&ready).unwrap();
    interrupted(&live, child, Signal::TERM, 9, "gym://Taxi-v4");
}

#[test]
fn the_containers_own_end_ends_the_run() {
    let (_guard, live, _images) = (together(), Live::new(), Images::of(&["CliffWalking-v1"]));
    let mut child = spawn(&live, &["run", "CliffWalking-v1"]);
    let mut address = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
    let name = containers("rlmesh.sandbox.source=gym://CliffWalking-v1").pop().unwrap();
    docker(&["kill", &name]);
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.contains("error: the environment's container ended by itself with exit code 137"),
        "{stderr}"
    );
    assert_eq!(containers("rlmesh.sandbox.source=gym://CliffWalking-v1"), Vec::<String>::new());
}
