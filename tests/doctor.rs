//! `doctor`: what it checks, what it suggests, and that no check holds up the others.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Reply, Run, StandIn, WAITS, signal};

const HOST: &str = r#"{"NCPU":2,"MemTotal":8589934592,"CgroupVersion":"2","CgroupDriver":"systemd","MemoryLimit":true,"SwapLimit":true,"PidsLimit":true,"CpuCfsQuota":true,"SecurityOptions":["name=seccomp"],"DockerRootDir":"/nowhere/docker"}"#;

const BUILDX: &str = "github.com/docker/buildx v0.29.1 abc\n";

const BUILDER: &str =
    "Name:   default\nDriver: docker\n\nNodes:\nName:             default\nBuildKit version: v0.21.0\n";

/// An engine that has everything, except what the rules before say.
fn healthy(before: StandIn) -> StandIn {
    before
        .on("--version", Reply::stdout("Docker version 28.2.2, build e6534b4\n"))
        .on(
            "version --format *",
            Reply::stdout("{\"Version\":\"26.1.5\",\"Os\":\"linux\",\"Arch\":\"amd64\"}\n"),
        )
        .on("context inspect *", Reply::stdout("default unix:///var/run/docker.sock\n"))
        .on("buildx version", Reply::stdout(BUILDX))
        .on("buildx inspect", Reply::stdout(BUILDER))
        .on("buildx ls", Reply::default())
        .on("info *", Reply::stdout(HOST))
        .on("image inspect --format {{.Size}} sha256:1 sha256:2", Reply::stdout("1073741824\n1073741824\n"))
        .on("image inspect *", Reply::stdout("sha256:0\n"))
        .on("image ls *", Reply::stdout("sha256:2\nsha256:1\nsha256:2\n"))
        .on("run *", Reply::stdout("{\"ok\": true, \"line\": \"rlmesh (0.1.0)\"}\n"))
        .on("ps *", Reply::default())
}

/// A run with everything that it looks at on this machine. Each check has the time that it has for users.
fn run(line: &str, docker: StandIn) -> Run {
    let run = Run::line(line).docker(docker);
    let folder = run.home().join("venv/bin");
    std::fs::create_dir_all(&folder).unwrap();
    script(&folder.join("python"), "echo 3.11.4; echo 0.1.0");
    std::fs::write(run.home().join(".bashrc"), "# x\nsource <(rlmesh-sandbox completions bash)\n").unwrap();
    let venv = run.home().join("venv");
    run.env("VIRTUAL_ENV", venv).env("SHELL", "/bin/bash").env("HF_HUB_OFFLINE", "1").env(WAITS, "1")
}

fn script(file: &Path, lines: &str) {
    std::fs::write(file, format!("#!/bin/sh\n{lines}\n")).unwrap();
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// The lines of a check, with the hint.
fn of<'a>(stdout: &'a str, name: &str) -> Vec<&'a str> {
    let is_it = |line: &&str| line.get(6..).is_some_and(|line| line.starts_with(&format!("{name} ")));
    let mut lines = stdout.lines().skip_while(|line| !is_it(line));
    let first = lines.next().unwrap_or_else(|| panic!("no {name} in:\n{stdout}"));
    let hint = lines.next().filter(|line| line.starts_with("      hint: "));
    std::iter::once(first).chain(hint).collect()
}

#[test]
fn nothing_is_wrong() {
    let checked = run("doctor", healthy(StandIn::new()))
        .stdout_with([
            "ok    temp folder  <world>/tmp\nok    client       28.2.2 (",
            "\nok    context      default (unix:///var/run/docker.sock), the default\n\
             ok    engine       26.1.5 on linux/amd64, behind a local socket\n\
             ok    buildx       v0.29.1\n\
             ok    BuildKit     v0.21.0 in the builder default (driver docker)\n\
             ok    limits       2 processors, 8.00 GiB memory, cgroup v2 (systemd)\n\
             ok    disk         the engine keeps its images in /nowhere/docker, which is not on this machine\n\
             ok    base image   the engine has python:3.11-slim\n\
             ok    index        reached from a container: rlmesh (0.1.0)\n\
             ok    sandboxes    0 on this engine\n\
             ok    images       2 of rlmesh-sandbox, at most 2.00 GiB: they share layers\n\
             ok    builders     none of --build-memory\n\
             ok    Hub          not used: HF_HUB_OFFLINE is set\n\
             ok    Python       rlmesh 0.1.0 in Python 3.11.4 (<world>/home/venv/bin/python)\n\
             ok    completion   bash: <world>/home/.bashrc\n\
             ok    files        0 B of the Hub in the cache, 0 B of logs\n",
        ])
        .check();
    assert_eq!(checked.stdout.lines().count(), 17);
    // What asks the index reaches nothing else.
    let asked = checked.calls.iter().find(|call| call.starts_with("run ")).unwrap();
    assert!(asked.contains("--cap-drop ALL") && asked.contains("--pull never"), "{asked}");
}

#[test]
fn what_is_missing_comes_with_what_helps() {
    let docker = StandIn::new()
        .on("buildx version", Reply::fails(1, "docker: unknown command: docker buildx\n"))
        .on("buildx inspect", Reply::stdout(BUILDER.replace("Driver: docker", "Driver: docker-container")))
        .on("info *", Reply::stdout(HOST.replace("\"PidsLimit\":true", "\"PidsLimit\":false")))
        .on(
            "image inspect --format *RepoDigests* python:3.11-slim",
            Reply::fails(1, "Error: No such image: x\n"),
        );
    let run = run("doctor", healthy(docker)).env("DOCKER_CONTEXT", "x");
    script(&run.home().join("venv/bin/python"), "echo 3.9.1; echo 0.2.0");
    std::fs::write(run.home().join(".bashrc"), "# rlmesh-sandbox\n").unwrap();
    let checked = run.status(7).any_stdout().check();
    for (name, lines) in [
        ("context", &["ok    context      default (unix:///var/run/docker.sock), from DOCKER_CONTEXT"][..]),
        (
            "buildx",
            &[
                "no    buildx       docker buildx is not installed, but it is needed to build images",
                "      hint: install buildx 0.13 or newer, from the package docker-buildx-plugin (docker-buildx on Debian): https://docs.docker.com/go/buildx/",
            ],
        ),
        (
            "base image",
            &[
                "warn  base image   the engine does not have python:3.11-slim yet; the first build pulls it",
                "      hint: docker pull python:3.11-slim",
            ],
        ),
        (
            "index",
            &[
                "warn  index        not checked: it needs the base image",
                "      hint: docker pull python:3.11-slim",
            ],
        ),
        (
            "Python",
            &[
                "warn  Python       rlmesh 0.2.0 in Python 3.9.1 (<world>/home/venv/bin/python), but images have rlmesh==0.1.0",
                "      hint: <world>/home/venv/bin/python -m pip install rlmesh==0.1.0, or pass --rlmesh-package rlmesh==0.2.0",
            ],
        ),
        (
            "completion",
            &[
                "warn  completion   not installed for bash",
                "      hint: echo 'source <(rlmesh-sandbox completions bash)' >> ~/.bashrc",
            ],
        ),
    ] {
        assert_eq!(of(&checked.stdout, name), lines, "{name}");
    }
    assert!(
        of(&checked.stdout, "limits")[0].ends_with("the engine cannot limit: processes"),
        "{}",
        checked.stdout
    );
    assert!(of(&checked.stdout, "BuildKit")[1].contains("docker buildx use default"), "{}", checked.stdout);
}

#[test]
fn an_index_that_is_out_of_reach_is_reported_without_its_password() {
    let answer = "{\"ok\": false, \"line\": \"ERROR: https://me:hunter22@index/simple does not answer\"}\n";
    let docker = StandIn::new().on("run *", Reply::stdout(answer));
    let checked = run("doctor", healthy(docker))
        .env("PIP_INDEX_URL", "https://me:hunter22@index/simple")
        .status(7)
        .any_stdout()
        .check();
    let lines = of(&checked.stdout, "index");
    assert!(
        lines[0].starts_with("no    index        not reached from a container: ERROR: https://"),
        "{lines:?}"
    );
    assert!(
        !checked.stdout.contains("hunter22") && !checked.calls.join("\n").contains("hunter22"),
        "{lines:?}"
    );
}

#[test]
fn warnings_are_not_failures() {
    let docker =
        StandIn::new().on("run *", Reply::stdout("no module named pip")).on("image ls *", Reply::default());
    let checked = run("doctor --format json", healthy(docker)).any_stdout().check();
    let examined: Value = checked.json();
    let check = |name: &str| {
        examined["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).unwrap()
    };
    assert_eq!((&examined["ok"], &check("index")["status"]), (&true.into(), &"warn".into()));
    assert_eq!((&check("index")["ok"], &check("engine")["status"]), (&true.into(), &"ok".into()));
    assert!(check("engine")["seconds"].is_number() && check("engine")["hint"].is_null());
}

#[test]
fn without_docker_the_rest_is_checked() {
    let checked = run("doctor --format json", StandIn::missing()).status(7).any_stdout().check();
    let examined: Value = checked.json();
    assert_eq!(examined["ok"], false);
    let names: Vec<&str> =
        examined["checks"].as_array().unwrap().iter().map(|check| check["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["temp folder", "docker", "Hub", "Python", "completion", "files"]);
    assert_eq!(examined["checks"][1]["status"], "no");
    let dead = run("doctor", StandIn::dead()).status(7).any_stdout().check();
    assert!(
        of(&dead.stdout, "engine")[0].starts_with("no    engine       the docker engine does not answer")
    );
    assert!(!dead.stdout.contains("base image"), "{}", dead.stdout);
}

#[test]
fn a_check_that_stalls_is_named_and_the_others_go_on() {
    let docker = StandIn::new().on("info *", Reply::default().hangs());
    // As long as the waits of the other tests; a machine under load may exceed it in other checks too.
    let checked = run("doctor", healthy(docker)).env(WAITS, "0.1").any_status().any_stdout().check();
    let expected = [
        "no    limits       no answer within 1s",
        "      hint: check that `docker info` answers, or restart Docker",
    ];
    assert_eq!(of(&checked.stdout, "limits"), expected);
    assert!(checked.stdout.lines().any(|line| line.contains("files ")), "{}", checked.stdout);
    assert_eq!(checked.status, Some(7));
}

#[test]
fn it_can_be_interrupted() {
    let docker = StandIn::new().on("info *", Reply::default().marks("asked").hangs());
    let run = run("doctor", healthy(docker)).env(WAITS, "100").status(130).any_stdout().any_stderr();
    let checked = run.check_while(|run, child| {
        run.stand_in().wait_for("asked");
        signal(child, Signal::INT);
    });
    assert!(
        checked.stdout.contains("ok    engine") && !checked.stdout.contains("limits"),
        "{}",
        checked.stdout
    );
}
