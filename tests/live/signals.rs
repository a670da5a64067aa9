//! Interrupts at each stage: everything that was started is gone when the program is.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;

use rustix::process::Signal;

use super::engine::{Images, Live, containers, docker, entries, together};
use crate::support::hub::{Hub, Repository};
use crate::support::server::SilentIndex;
use crate::support::{Owned, eventually, signal};

fn spawn(live: &Live, arguments: &[&str]) -> Owned {
    spawn_with(live, arguments, &[])
}

fn spawn_with(live: &Live, arguments: &[&str], variables: &[(&str, &str)]) -> Owned {
    let mut command = live.command(arguments);
    command.envs(variables.iter().copied());
    Owned(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

#[track_caller]
fn interrupted(live: &Live, process: Owned, sent: Signal, status: i32, source: &str) -> String {
    signal(&process.0, sent);
    let output = process.output();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(status), "{stderr}");
    assert_eq!(containers(&format!("rlmesh.sandbox.source={source}")), Vec::<String>::new());
    live.assert_clean();
    stderr
}

#[test]
fn while_it_builds() {
    let (_guard, live, index) = (together(), Live::new(), SilentIndex::start());
    let package = super::engine::fresh_package();
    let child = spawn_with(
        &live,
        &["run", "MountainCar-v0", "-p", &package],
        &[("PIP_INDEX_URL", index.url().as_str())],
    );
    let _client = index.wait_for_a_client();
    let said = interrupted(&live, child, Signal::INT, 130, "gym://MountainCar-v0");
    assert!(said.ends_with("interrupted\n"), "{said}");
}

#[test]
fn while_it_starts_and_waits() {
    let (_guard, live, hub) = (together(), Live::new(), Hub::start());
    let hanging = "import time\n\ndef make_env(**_):\n    print('making', flush=True)\n    while True:\n        time.sleep(60)\n";
    let source =
        format!("hf://acme/hangs@{}", hub.put(Repository::new("acme/hangs").file("env.py", hanging)));
    let _images = Images::of(&[&source]);
    let cache = live.state.path().join("cache");
    let variables = [("HF_ENDPOINT", hub.endpoint()), ("XDG_CACHE_HOME", cache.to_str().unwrap().to_owned())];
    let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
    let arguments = |verb| [verb, &[&source, "--trust-remote-code"][..]].concat();
    let build = spawn_with(&live, &arguments(&["build"]), &variables);
    assert!(build.output().status.success());

    let label = format!("rlmesh.sandbox.source={source}");
    let has_begun = || !entries(live.tmp.path()).is_empty();
    let is_made = || !containers(&label).is_empty();
    let is_waited_for = || {
        let name = containers(&label).pop();
        name.is_some_and(|name| docker(&["logs", &name]).contains("making"))
    };
    let moments: [(&str, &dyn Fn() -> bool); 3] =
        [("the start", &has_begun), ("the container", &is_made), ("the environment", &is_waited_for)];
    for (moment, is_there) in moments {
        let run = arguments(&["run", "-d", "--ready-timeout", "3600"]);
        let child = spawn_with(&live, &run, &variables);
        eventually(moment, || is_there().then_some(()));
        interrupted(&live, child, Signal::TERM, 143, &source);
    }
}

#[test]
fn while_it_serves() {
    // This module prints a text.
    let (_guard, live, _images) = (together(), Live::new(), Images::of(&["FrozenLake-v1 -i this"]));
    let mut child = spawn(&live, &["run", "FrozenLake-v1", "-i", "this"]);
    let mut stdout = BufReader::new(child.0.stdout.take().unwrap());
    let mut address = String::new();
    stdout.read_line(&mut address).unwrap();
    assert!(address.starts_with("tcp://127.0.0.1:"), "{address}");
    let mut stderr = BufReader::new(child.0.stderr.take().unwrap());
    let mut line = String::new();
    while line != "| Beautiful is better than ugly.\n" {
        line.clear();
        assert!(stderr.read_line(&mut line).unwrap() > 0, "the log never came");
    }
    signal(&child.0, Signal::INT);
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert_eq!(child.0.wait().unwrap().code(), Some(130), "{rest}");
    assert_eq!(containers("rlmesh.sandbox.source=gym://FrozenLake-v1"), Vec::<String>::new());
    live.assert_clean();
}

#[test]
fn while_a_command_runs() {
    let (_guard, live, _images) = (together(), Live::new(), Images::of(&["Taxi-v4"]));
    let ready = live.tmp.path().join("ready");
    let folder = live.tmp.path().display();
    let script = format!("trap 'exit 9' TERM; : >{folder}/ready; while [ -d {folder} ]; do sleep 0.1; done");
    let child = spawn(&live, &["run", "Taxi-v4", "--", "sh", "-c", &script]);
    eventually("the command", || ready.exists().then_some(()));
    std::fs::remove_file(&ready).unwrap();
    interrupted(&live, child, Signal::TERM, 9, "gym://Taxi-v4");
}

#[test]
fn the_containers_end_ends_the_run() {
    const SOURCE: &str = "rlmesh.sandbox.source=gym://CliffWalking-v1";
    let (_guard, live, _images) = (together(), Live::new(), Images::of(&["CliffWalking-v1"]));
    let ways: [(&[&str], i32, &str); 4] = [
        (&["kill"], 143, "CliffWalking-v1 was stopped from elsewhere\n"),
        (&["stop", "--time", "5"], 143, "CliffWalking-v1 was stopped from elsewhere\n"),
        (&["rm", "--force"], 143, "CliffWalking-v1 was removed from elsewhere\n"),
        (&[], 0, "CliffWalking-v1 ended: its --ttl is over\n"),
    ];
    for (command, status, said) in ways {
        let lifetime: &[&str] = if command.is_empty() { &["--ttl", "15s"] } else { &[] };
        let mut child = spawn(&live, &[&["run", "CliffWalking-v1"], lifetime].concat());
        let mut address = String::new();
        BufReader::new(child.0.stdout.take().unwrap()).read_line(&mut address).unwrap();
        let name = containers(SOURCE).pop().unwrap();
        if !command.is_empty() {
            docker(&[command, &[&name]].concat());
        }
        let output = child.output();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(status), "{command:?}: {stderr}");
        assert!(stderr.ends_with(said), "{command:?}: {stderr}");
        assert_eq!(containers(SOURCE), Vec::<String>::new());
    }
}

#[test]
fn a_lifetime_ends_a_sandbox_that_no_process_owns() {
    let (_guard, live, _images) = (together(), Live::new(), Images::of(&["Blackjack-v1"]));
    let mut child = spawn(&live, &["run", "Blackjack-v1", "--ttl", "15s"]);
    let mut address = String::new();
    BufReader::new(child.0.stdout.take().unwrap()).read_line(&mut address).unwrap();
    let name = containers("rlmesh.sandbox.source=gym://Blackjack-v1").pop().unwrap();
    signal(&child.0, Signal::KILL);
    child.0.wait().unwrap();
    // Another run may remove it as soon as it has ended.
    eventually("its end", || {
        let state = std::process::Command::new("docker")
            .args(["inspect", "--format", "{{.State.Running}}", &name])
            .output()
            .unwrap();
        (state.stdout != b"true\n").then_some(())
    });
    live.run(&["-q", "reap"]).ended(0);
    eventually("its removal", || (!super::engine::exists(&name)).then_some(()));
}
