//! Strict sandboxes: served on a Unix socket, stepped by the published client, and lifted one thing at a time.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::os::unix::process::CommandExt as _;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;

use super::engine::{Done, Images, Live, alone, entries, exists, together};
use super::python::{EPISODE, VECTOR, interpreter, script};
use crate::support::{program, signal};

/// An environment that needs what its argument says.
const NEEDS: &str = r##"
import os, pathlib, socket, subprocess
import gymnasium

def make_env(need="nothing", **_):
    if need == "writable":
        pathlib.Path(__file__).with_name("cache").write_text("x")
    elif need == "network":
        socket.gethostbyname("pypi.org")
    elif need == "exec":
        program = pathlib.Path("/tmp/program")
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        subprocess.run([str(program)], check=True)
    elif need == "room":
        pathlib.Path("/tmp/large").write_bytes(bytes(600 << 20))
    elif need == "memory":
        print(len(b"x" * (300 << 20)))
    elif need == "file":
        print("level", pathlib.Path("/data/level.txt").read_text(), pathlib.Path("/shared/x").read_text())
    return gymnasium.make("CartPole-v1")
"##;

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("env.py"), NEEDS).unwrap();
    folder
}

#[test]
fn a_strict_sandbox_is_stepped_over_its_socket() {
    let (_guard, live, _images) = (together(), Live::new(), Images::of(&["CartPole-v1"]));
    let up = live.run(&["run", "-d", "--format", "env", "CartPole-v1", "--isolation", "strict"]).ended(0);
    let (address, id) = (up.variable("RLMESH_SANDBOX_ADDRESS"), up.variable("RLMESH_SANDBOX_CONTAINER_ID"));
    assert!(address.starts_with("unix:///"), "{address}");
    let steps: u32 = script(EPISODE, &[&address], |_| {}).trim().parse().unwrap();
    assert!(steps > 0);
    assert!(live.run(&["ps"]).ended(0).stdout.contains(&address));
    assert_eq!(entries(live.tmp.path()).len(), 1, "its socket directory");
    live.run(&["stop", &id]).ended(0);
    live.assert_clean();
    let python = interpreter().to_str().unwrap();
    let options = ["run", "CartPole-v1", "--isolation", "strict", "-n", "4", "--vectorization-mode", "async"];
    let command = ["--check", "--", python, "-W", "ignore", "-c", VECTOR, "{address}"];
    let done = live.run(&[&options[..], &command].concat()).ended(0);
    assert_eq!(done.stdout.trim(), "(4, 4) (4,)");
    live.assert_clean();
}

/// A user that no machine has, in the group that may use the engine.
#[test]
fn an_ordinary_user_reaches_the_socket_of_a_strict_sandbox() {
    let (_guard, live, _images) = (together(), Live::new(), Images::of(&["CartPole-v1"]));
    live.run(&["build", "CartPole-v1"]).ended(0);
    let endpoint = std::env::var("DOCKER_HOST").unwrap_or_else(|_| "unix:///var/run/docker.sock".to_owned());
    let group = std::fs::metadata(endpoint.strip_prefix("unix://").unwrap()).unwrap().gid();
    let copy = live.tmp.path().join("program");
    std::fs::copy(program(), &copy).unwrap();
    let home = live.tmp.path().join("home");
    std::fs::create_dir(&home).unwrap();
    let mut command = std::process::Command::new(copy);
    command.args(["run", "CartPole-v1", "--isolation", "strict", "--check", "--", "true"]).env("HOME", &home);
    if rustix::process::geteuid().is_root() {
        std::fs::set_permissions(live.tmp.path(), PermissionsExt::from_mode(0o755)).unwrap();
        std::os::unix::fs::chown(&home, Some(54_321), Some(group)).unwrap();
        command.uid(54_321).gid(group);
    }
    let done = Done::new(&["run"], command.env("TMPDIR", &home).output().unwrap()).ended(0);
    assert!(done.stderr.contains("strict: no network"), "{}", done.stderr);
    let left: Vec<String> = entries(&home).into_iter().filter(|name| name.starts_with("rlmesh")).collect();
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn killed_at_any_moment_one_reap_leaves_no_socket() {
    let (_guard, live, _images) = (alone(), Live::new(), Images::of(&["CartPole-v1"]));
    live.run(&["build", "CartPole-v1"]).ended(0);
    for moment in [5, 50, 150, 300, 600, 1200, 2500] {
        let mut child = live
            .command(&["run", "CartPole-v1", "--isolation", "strict"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(moment));
        signal(&child, Signal::KILL);
        child.wait().unwrap();
        live.run(&["-q", "reap"]).ended(0);
        assert_eq!(live.containers(), Vec::<String>::new(), "killed after {moment} ms");
        assert_eq!(entries(live.tmp.path()), Vec::<String>::new(), "killed after {moment} ms");
    }
}

#[test]
fn a_failure_names_the_flag_that_lifts_one_thing() {
    let (folder, live) = (folder(), Live::new());
    let source = folder.path().to_str().unwrap();
    let (_guard, _images) = (together(), Images::of(&[source]));
    let run = |need: &str, options: &[&str]| {
        let need = format!("need={need}");
        let line = ["run", source, "--isolation", "strict", "-k", &need];
        live.run(&[&line[..], options, &["--", "true"]].concat())
    };
    run("nothing", &[]).ended(0);
    for (need, options, lifted) in [
        ("writable", &[][..], &["--writable"][..]),
        ("network", &[], &["--network", "default"]),
        ("exec", &[], &["--tmpfs", "/tmp:exec"]),
        ("room", &[], &["--tmpfs", "/tmp:size=4g"]),
        ("memory", &["--memory", "200m"], &["--memory", "400m"]),
    ] {
        let failed = run(need, options).ended(6);
        let words = lifted.join(" ");
        let last = failed.stderr.lines().last().unwrap_or_default();
        assert!(last.contains(&words), "{need}: {words}: {}", failed.stderr);
        // Docker takes the last of two values.
        let lifted = if need == "memory" { &["--memory", "800m"][..] } else { lifted };
        run(need, lifted).ended(0);
    }
    live.assert_clean();
}

#[test]
fn files_and_volumes_reach_a_strict_sandbox() {
    let (folder, shared, live) = (folder(), tempfile::tempdir().unwrap(), Live::new());
    let source = folder.path().to_str().unwrap();
    let (_guard, _images) = (together(), Images::of(&[source]));
    let file = shared.path().join("level.txt");
    std::fs::write(&file, "seven").unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    std::fs::set_permissions(shared.path(), PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::write(shared.path().join("x"), "eight").unwrap();
    let copied = format!("{}:/data/level.txt", file.display());
    let mounted = format!("{}:/shared", shared.path().display());
    let large = format!("text={}", "y".repeat(120_000));
    let line =
        ["run", "-d", "--format", "env", source, "--isolation", "strict", "-k", "need=file", "-k", &large];
    let up = live.run(&[&line[..], &["--file", &copied, "--volume", &mounted]].concat()).ended(0);
    let id = up.variable("RLMESH_SANDBOX_CONTAINER_ID");
    assert!(live.run(&["logs", &id]).stdout.contains("level seven eight"));
    live.run(&["stop", &id]).ended(0);
    assert!(!exists(&id));
    live.assert_clean();
}
