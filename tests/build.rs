//! `build`: an image that is there, one that is built, and every way in which that fails.

use std::io::BufRead as _;

use crate::support::{Owned, Reply, Run, StandIn, eventually, fixture, signal};

const HASH: &str = "7e4a80df0452f330b9b11d017203bd9442e0a50bdcab31d6b2bc8d1da740b67d";
const TAG: &str = "rlmesh-sandbox-cartpole-v1:7e4a80df0452";
const ID: &str = "sha256:33a109d74efd7043c486c097b1e0647ffdb11c6955fe6281e354832ab0ee44ee";

fn with_buildx() -> StandIn {
    StandIn::new().on("buildx version", Reply::stdout("github.com/docker/buildx v0.29.1 abc\n"))
}

/// An engine without the image, whose buildx replays a recorded build; afterwards the image is there.
pub(crate) fn building(recording: &str) -> StandIn {
    with_buildx()
        .on("image inspect *", Reply::missing_image().once())
        .on("buildx build *", Reply::default().stderr(fixture(recording)).keeps_context())
        .on("image inspect *", Reply::stdout(format!("{ID}\n")))
}

#[test]
fn an_image_that_is_there_is_not_built() {
    let checked = Run::line("build CartPole-v1")
        .docker(StandIn::new().on("image inspect *", Reply::stdout(format!("{ID}\n"))))
        .stdout(format!("{TAG}\n"))
        .stderr("the image already exists; use --rebuild to build it again\n")
        .check();
    assert_eq!(
        checked.calls,
        [format!(
            "image inspect --format {{{{.Id}}}} {{{{.Os}}}}/{{{{.Architecture}}}} {{{{json .RepoDigests}}}} {TAG}"
        )]
    );
}

#[test]
fn a_build_reports_its_steps_and_prints_the_tag() {
    for (recording, workdir) in [("buildx/built-0.29.1.txt", "cached"), ("buildx/built-0.13.1.txt", "cached")]
    {
        let checked = Run::line("build CartPole-v1")
            .docker(building(recording))
            .stdout(format!("{TAG}\n"))
            .stderr(format!(
                "building {TAG}\n\
                 \x20 [1/3] FROM docker.io/library/python:3.11-slim (N s)\n\
                 \x20 [2/3] WORKDIR /opt/rlmesh ({workdir})\n\
                 \x20 [3/3] RUN python -m pip install six (N s)\n\
                 \x20 exporting to image (N s)\n\
                 built in N s\n"
            ))
            .check();
        let build = checked.calls.iter().find(|call| call.starts_with("buildx build")).unwrap();
        assert!(
            build.contains(&format!("--load --tag {TAG} "))
                && build.ends_with(" <world>/tmp/rlmesh-sandbox-run-<random>/context"),
            "{build}"
        );
        let dockerfile = checked.left("context/Dockerfile");
        assert!(
            dockerfile.starts_with("FROM python:3.11-slim\n") && !dockerfile.contains("syntax="),
            "{dockerfile}"
        );
        assert!(dockerfile.ends_with("ENTRYPOINT [\"python\",\"-m\",\"rlmesh._bootstrap.sandbox_env\"]\n"));
        assert_eq!(
            checked.left("context/bootstrap.json"),
            r#"{"spec":{"kind":"gym","env_id":"CartPole-v1","imports":[],"kwargs":{},"num_envs":1,"vectorization_mode":"sync"}}"#
        );
    }
}

#[test]
fn quiet_says_nothing_but_the_tag() {
    Run::line("-q build CartPole-v1")
        .docker(building("buildx/built-0.29.1.txt"))
        .stdout(format!("{TAG}\n"))
        .check();
}

#[test]
fn as_json_with_progress_as_json() {
    let checked = Run::line("build CartPole-v1 --format json --progress json")
        .docker(building("buildx/built-0.29.1.txt"))
        .stdout(format!(
            "{{\"source\":\"gym://CartPole-v1\",\"image\":\"{TAG}\",\"image_id\":\"{ID}\",\"build_hash\":\"{HASH}\",\"built\":true,\"seconds\":0}}\n"
        ))
        .any_stderr()
        .check();
    let events: Vec<serde_json::Value> = checked
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect();
    assert_eq!(events.first().unwrap()["event"], "building");
    assert_eq!(events.last().unwrap()["event"], "built");
    assert!(events.iter().any(|event| event["event"] == "step_finished"));
}

#[test]
fn rebuild_does_not_look_for_the_image() {
    let docker = with_buildx()
        .on("buildx build *", Reply::default().stderr(fixture("buildx/built-0.29.1.txt")))
        .on("image inspect *", Reply::stdout(format!("{ID}\n")));
    let checked =
        Run::line("-q build CartPole-v1 --rebuild").docker(docker).stdout(format!("{TAG}\n")).check();
    let is_of_the_tag = |call: &&String| call.starts_with("image inspect") && call.ends_with(TAG);
    let build = checked.calls.iter().position(|call| call.starts_with("buildx build")).unwrap();
    assert_eq!(checked.calls[..build].iter().find(is_of_the_tag), None, "{:?}", checked.calls);
}

#[test]
fn a_wheel_is_in_the_context_and_is_installed_from_there() {
    let wheel = "rlmesh-0.1.0-cp310-abi3-linux_x86_64.whl";
    let run = Run::line(&format!("-q build CartPole-v1 --rlmesh-package {wheel}"))
        .docker(building("buildx/built-0.29.1.txt"))
        .stdout_with(["rlmesh-sandbox-cartpole-v1:"]);
    std::fs::write(run.here().join(wheel), "the wheel's content").unwrap();
    let checked = run.check();
    assert_eq!(checked.left(&format!("context/packages/{wheel}")), "the wheel's content");
    assert!(checked.left("context/Dockerfile").contains(&format!("packages/{wheel}")));
}

#[test]
fn an_index_on_the_loopback_interface_is_reached_through_the_hosts_network() {
    for (index, is_on_this_machine) in
        [("http://127.0.0.1:8081/simple", true), ("https://packages.example/simple", false)]
    {
        let checked = Run::line("-q build CartPole-v1")
            .docker(building("buildx/built-0.29.1.txt"))
            .env("PIP_INDEX_URL", index)
            .stdout(format!("{TAG}\n"))
            .check();
        let build = checked.calls.iter().find(|call| call.starts_with("buildx build")).unwrap();
        assert_eq!(build.contains(" --network=host "), is_on_this_machine, "{build}");
    }
}

#[test]
fn what_the_installers_need_to_know_is_a_file_that_only_this_user_can_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let index = "https://me:secret@packages.example/simple";
    let docker = with_buildx()
        .on("image inspect *", Reply::missing_image().once())
        .on("buildx build *", Reply::default().marks("building").hangs_until("seen"))
        .on("image inspect *", Reply::stdout(format!("{ID}\n")));
    let run = Run::line("-q build CartPole-v1").docker(docker).env("PIP_INDEX_URL", index);
    let checked = run.stdout(format!("{TAG}\n")).check_while(|run, _| {
        run.stand_in().wait_for("building");
        let folder = std::fs::read_dir(run.tmp()).unwrap().next().unwrap().unwrap().path();
        let file = folder.join("settings");
        let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&file)), (0o700, 0o600));
        assert_eq!(std::fs::read_to_string(file).unwrap(), format!("PIP_INDEX_URL={index}\n"));
        run.stand_in().release("seen");
    });
    let build = checked.calls.iter().find(|call| call.starts_with("buildx build")).unwrap();
    assert!(build.contains(",\"src=<world>/tmp/rlmesh-sandbox-run-<random>/settings\" "), "{build}");
    assert!(!checked.calls.iter().any(|call| call.contains("secret@")), "{:?}", checked.calls);
}

#[test]
fn a_failed_build_shows_the_step_and_what_to_do() {
    for recording in ["buildx/failed-0.29.1.txt", "buildx/failed-0.13.1.txt"] {
        let docker = with_buildx()
            .on("image inspect *", Reply::missing_image())
            .on("buildx build *", Reply { status: 1, ..Reply::default().stderr(fixture(recording)) });
        let checked = Run::line("build CartPole-v1 --rlmesh-package rlmesh==99 --progress none")
            .docker(docker)
            .status(5)
            .any_stderr()
            .check();
        let stderr = checked.stderr;
        let lines: Vec<&str> = stderr.lines().collect();
        assert_eq!(lines[0], "error: the image was not built: there is no rlmesh==99 for this Python");
        assert!(stderr.contains("\nhint: the index has 0.0.1 to 0.1.0 for it"), "{stderr}");
        assert!(
            lines[1].starts_with("  failing step: [stage-0 3/3] RUN")
                || lines[1].starts_with("  failing step: [3/3] RUN"),
            "{stderr}"
        );
        assert!(lines.len() < 12, "{stderr}");
    }
}

#[test]
fn without_docker() {
    Run::line("build CartPole-v1")
        .docker(StandIn::missing())
        .status(7)
        .stderr(
            "error: docker is not installed, or not on PATH\n\
             hint: install Docker Engine or Docker Desktop: https://docs.docker.com/get-started/get-docker/\n\
             hint: if it is installed elsewhere, pass --docker PATH\n",
        )
        .check();
    Run::line("build CartPole-v1 --docker ./nowhere/docker")
        .status(7)
        .stderr(
            "error: the docker client ./nowhere/docker cannot be run: cannot find binary path\n\
             hint: set --docker or RLMESH_SANDBOX_DOCKER to an executable, or leave both unset\n",
        )
        .check();
}

#[test]
fn with_a_dead_engine() {
    Run::line("build CartPole-v1")
        .docker(StandIn::dead())
        .status(7)
        .stderr(
            "error: the docker engine does not answer: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?\n\
             hint: start Docker (Docker Desktop, or sudo systemctl start docker), or check DOCKER_HOST and `docker context ls`\n",
        )
        .check();
}

#[test]
fn an_engine_that_dies_before_the_build() {
    let docker = with_buildx().on("image inspect *", Reply::missing_image()).on(
        "buildx build *",
        Reply::fails(
            1,
            "ERROR: Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?\n",
        ),
    );
    Run::line("-q build CartPole-v1")
        .docker(docker)
        .status(7)
        .stderr_with(["error: the docker engine does not answer"])
        .check();
}

#[test]
fn without_buildx() {
    Run::line("build CartPole-v1 --progress none")
        .docker(
            StandIn::new().on("image inspect *", Reply::missing_image()).on(
                "buildx version",
                Reply::fails(1, "docker: unknown command: docker buildx\n\nRun 'docker --help' for more information\n"),
            ),
        )
        .status(7)
        .stderr(
            "error: docker buildx is not installed, but it is needed to build images\n\
             hint: install buildx 0.13 or newer, from the package docker-buildx-plugin (docker-buildx on Debian): https://docs.docker.com/go/buildx/\n",
        )
        .check();
}

#[test]
fn a_buildx_that_is_too_old() {
    let docker = StandIn::new()
        .on("image inspect *", Reply::missing_image())
        .on("buildx build *", Reply::fails(1, "ERROR: invalid progress mode rawjson\n"))
        .on("buildx version", Reply::stdout("github.com/docker/buildx v0.12.1 abc\n"));
    let checked = Run::line("build CartPole-v1 --progress none")
        .docker(docker)
        .status(7)
        .stderr(
            "error: docker buildx v0.12.1 is too old: 0.13 or newer is needed\n\
             hint: install buildx 0.13 or newer, from the package docker-buildx-plugin (docker-buildx on Debian): https://docs.docker.com/go/buildx/\n",
        )
        .check();
    let builds = checked.calls.iter().filter(|call| call.starts_with("buildx build")).count();
    assert_eq!(builds, 1, "{:?}", checked.calls);
}

#[test]
fn a_buildx_that_does_not_work_is_not_missing() {
    let broken =
        || Reply::fails(1, "fork/exec /usr/libexec/docker/cli-plugins/docker-buildx: exec format error\n");
    let docker = StandIn::new()
        .on("image inspect *", Reply::missing_image())
        .on("buildx build *", broken())
        .on("buildx version", broken());
    Run::line("build CartPole-v1 --progress none")
        .docker(docker)
        .status(7)
        .stderr(
            "error: docker buildx does not work: fork/exec /usr/libexec/docker/cli-plugins/docker-buildx: exec format error\n\
             hint: check that `docker buildx version` works\n",
        )
        .check();
}

#[test]
fn a_build_that_fails_before_its_first_step_asks_for_the_version_alone() {
    let docker = with_buildx()
        .on("image inspect *", Reply::missing_image())
        .on("buildx build *", Reply::fails(1, "ERROR: unknown flag: --x\n"));
    let checked = Run::line("build CartPole-v1 --progress none")
        .docker(docker)
        .status(5)
        .stderr_with(["error: the image was not built: unknown flag: --x\n"])
        .check();
    assert_eq!(checked.calls.last().unwrap(), "buildx version");
}

/// The run's own memory is limited: were the output kept, it would fail with another error.
#[test]
fn a_docker_that_prints_without_end() {
    let inspect = "docker image inspect";
    let details = format!("  …\n{}", "  y\n".repeat(7));
    for (hook, details) in [("exec yes", ""), ("exec yes >&2", details.as_str())] {
        let run = Run::line("build CartPole-v1")
            .docker(StandIn::new().on("*", Reply::default().hook(hook)))
            .status(7)
            .stderr(format!(
                "error: {inspect} printed more than 64 MiB\n\
                 {details}hint: check that --docker names Docker's client, and that `docker version` works\n"
            ));
        let limited = run.command_of_a_shell("ulimit -v 1048576 && exec \"$@\"");
        run.check_command(limited, |_, _| {});
    }
}

#[test]
fn a_build_that_prints_without_end_keeps_the_end_alone() {
    let line = "x".repeat(100_000);
    let hook = format!(
        "i=0; while [ $i -lt 300 ]; do printf '%s\\n' {line}; i=$((i+1)); done >&2; yes | head -c 100000000 | tr -d '\\n' >&2; echo >&2"
    );
    let docker = with_buildx()
        .on("image inspect *", Reply::missing_image())
        .on("buildx build *", Reply::fails(1, "ERROR: last\n").hook(&hook));
    let checked = Run::line("build CartPole-v1 --progress none")
        .docker(docker)
        .status(5)
        .stderr_with(["error: the image was not built: last\n"])
        .check();
    assert!(checked.stderr.len() < 20_000, "{}", checked.stderr.len());
}

#[test]
fn a_build_that_ends_up_elsewhere() {
    let docker = with_buildx()
        .on("buildx build *", Reply::default().stderr(fixture("buildx/built-0.29.1.txt")))
        .on("image inspect *", Reply::missing_image());
    Run::line("build CartPole-v1 --progress none")
        .docker(docker)
        .status(5)
        .stderr(format!(
            "error: the build succeeded, but the engine has no image {TAG}\n\
             hint: check `docker buildx ls` and BUILDX_BUILDER: the builder may belong to another engine\n"
        ))
        .check();
}

#[test]
fn an_interrupted_build_leaves_nothing() {
    let docker = with_buildx()
        .on("image inspect *", Reply::missing_image())
        .on("buildx build *", Reply::default().marks("building").hangs());
    let run =
        Run::line("build CartPole-v1 --progress none").docker(docker).status(143).stderr("terminated\n");
    run.check_while(|run, child| {
        run.stand_in().wait_for("building");
        signal(child, rustix::process::Signal::TERM);
    });
}

#[test]
fn a_temporary_folder_that_cannot_be_written() {
    let docker = with_buildx().on("image inspect *", Reply::missing_image());
    let run = Run::line("build CartPole-v1 --progress none").docker(docker);
    let nowhere = run.here().join("nowhere");
    run.env("TMPDIR", nowhere)
        .status(1)
        .stderr(
            "error: cannot create a run directory in <world>/here/nowhere: No such file or directory (os error 2) at path \"<world>/here/nowhere/rlmesh-sandbox-run-<random>\"\n\
             hint: free some space there, or set TMPDIR to a writable folder\n",
        )
        .check();
}

#[test]
fn runs_that_start_together_build_an_image_once() {
    let docker = with_buildx()
        .on(&format!("image inspect * {TAG}"), Reply::missing_image().until("built"))
        .on(&format!("image inspect * {TAG}"), Reply::stdout(format!("{ID}\n")))
        .on("image inspect *", Reply::missing_image())
        .on("buildx build *", Reply::default().hook("mkdir \"$STAND_IN/building\"").hangs_until("go"));
    let run = Run::line("build CartPole-v1").docker(docker).stdout(format!("{TAG}\n")).any_stderr();
    let (mut first, mut second) = (run.command(), run.command());
    let mut first = Owned(first.spawn().unwrap());
    drop(first.0.stdin.take());
    eventually("the build", || run.stand_in().folder().join("building").exists().then_some(()));
    let mut second = Owned(second.spawn().unwrap());
    drop(second.0.stdin.take());
    let mut said = String::new();
    std::io::BufReader::new(second.0.stderr.as_mut().unwrap()).read_line(&mut said).unwrap();
    assert_eq!(said, format!("waiting for another build of {TAG}\n"));
    run.stand_in().release("built");
    run.stand_in().release("go");
    for process in [first, second] {
        let output = process.output();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{TAG}\n"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let checked = run.check();
    let builds = checked.calls.iter().filter(|call| call.starts_with("buildx build")).count();
    assert_eq!(builds, 1, "{:?}", checked.calls);
}

#[test]
fn an_engine_that_goes_away_during_a_build_is_not_a_failed_build() {
    let lost = "ERROR: failed to build: failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF\n";
    let docker = with_buildx()
        .on("image inspect *", Reply::missing_image())
        .on("buildx build *", Reply::fails(1, lost));
    Run::line("build CartPole-v1")
        .docker(docker)
        .status(7)
        .stderr_with([
            "error: the docker engine went away during the build: failed to build: failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF\n",
            "hint: check that `docker info` works, and run it again: finished steps are kept\n",
        ])
        .check();
}
