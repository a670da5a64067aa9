//! `build`: an image that is there, one that is built, and every way in which that fails.

use crate::support::{Reply, Run, StandIn, fixture};

const TAG: &str = "rlmesh-sandbox-cartpole-v1:7e4a80df0452";
const ID: &str = "sha256:33a109d74efd7043c486c097b1e0647ffdb11c6955fe6281e354832ab0ee44ee";
const NO_IMAGE: &str = "Error response from daemon: No such image: rlmesh-sandbox-cartpole-v1:7e4a80df0452\n";

fn missing_image() -> Reply {
    Reply { stdout: b"[]\n".to_vec(), ..Reply::fails(1, NO_IMAGE) }
}

fn with_buildx() -> StandIn {
    StandIn::new().on("buildx version", Reply::stdout("github.com/docker/buildx v0.29.1 abc\n"))
}

/// An engine without the image, whose buildx replays a recorded build; afterwards the image is there.
fn building(recording: &str) -> StandIn {
    with_buildx()
        .on("image inspect *", missing_image().once())
        .on(
            "buildx build *",
            Reply::default()
                .stderr(fixture(recording))
                .hook("for word; do :; done; cp -r \"$word\" \"$STAND_IN/context\""),
        )
        .on("image inspect *", Reply::stdout(format!("{ID}\n")))
}

#[test]
fn an_image_that_is_there_is_not_built() {
    let checked = Run::line("build CartPole-v1")
        .docker(StandIn::new().on("image inspect *", Reply::stdout(format!("{ID}\n"))))
        .stdout(format!("{TAG}\n"))
        .stderr("the image is there already; --rebuild builds it again\n")
        .check();
    assert_eq!(
        checked.calls,
        [format!(
            "image inspect --format {{{{.Id}}}} {{{{.Os}}}}/{{{{.Architecture}}}} {{{{.Size}}}} {{{{json .RepoDigests}}}} {TAG}"
        )]
    );
}

#[test]
fn a_build_tells_its_steps_and_prints_the_tag() {
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
        let context = checked.docker.folder().join("context");
        let dockerfile = std::fs::read_to_string(context.join("Dockerfile")).unwrap();
        assert!(
            dockerfile.starts_with("FROM python:3.11-slim\n") && !dockerfile.contains("syntax="),
            "{dockerfile}"
        );
        assert!(dockerfile.ends_with("ENTRYPOINT [\"python\",\"-m\",\"rlmesh._bootstrap.sandbox_env\"]\n"));
        assert_eq!(
            std::fs::read_to_string(context.join("bootstrap.json")).unwrap(),
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
        .docker(building("buildx/built-0.29.1.txt"));
    let output = checked.spawn().wait_with_output().unwrap();
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["image"], TAG);
    assert_eq!(result["image_id"], ID);
    assert_eq!(result["built"], true);
    let events: Vec<serde_json::Value> = String::from_utf8(output.stderr)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect();
    assert_eq!(events.first().unwrap()["event"], "building");
    assert_eq!(events.last().unwrap()["event"], "built");
    assert!(events.iter().any(|event| event["event"] == "step_finished"));
}

#[test]
fn rebuild_asks_no_image() {
    let docker = with_buildx()
        .on("buildx build *", Reply::default().stderr(fixture("buildx/built-0.29.1.txt")))
        .on("image inspect *", Reply::stdout(format!("{ID}\n")));
    let checked =
        Run::line("-q build CartPole-v1 --rebuild").docker(docker).stdout(format!("{TAG}\n")).check();
    assert!(checked.calls[0].starts_with("buildx build"), "{:?}", checked.calls);
}

#[test]
fn a_wheel_stands_in_the_context() {
    let run = Run::line("-q build CartPole-v1 --rlmesh-package rlmesh-0.1.0-cp310-abi3-linux_x86_64.whl")
        .docker(building("buildx/built-0.29.1.txt"));
    std::fs::write(run.here().join("rlmesh-0.1.0-cp310-abi3-linux_x86_64.whl"), "wheel").unwrap();
    let stand_in = run.spawn().wait_with_output().unwrap();
    assert!(stand_in.status.success());
}

#[test]
fn a_failed_build_shows_the_step_and_what_to_do() {
    for (recording, version) in
        [("buildx/failed-0.29.1.txt", "0.29.1"), ("buildx/failed-0.13.1.txt", "0.13.1")]
    {
        let docker = with_buildx()
            .on("image inspect *", missing_image())
            .on("buildx build *", Reply { status: 1, ..Reply::default().stderr(fixture(recording)) });
        let run = Run::line("build CartPole-v1 --rlmesh-package rlmesh==99 --progress none").docker(docker);
        let output = run.spawn().wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr.clone()).unwrap();
        assert_eq!(output.status.code(), Some(5), "{version}: {stderr}");
        let lines: Vec<&str> = stderr.lines().collect();
        assert_eq!(lines[0], "error: the image was not built: No matching distribution found for rlmesh==99");
        assert!(lines[1].starts_with("hint: no such package or version for this Python"), "{stderr}");
        assert!(
            lines[3].starts_with("failing step: [stage-0 3/3] RUN")
                || lines[3].starts_with("failing step: [3/3] RUN"),
            "{stderr}"
        );
        assert!(lines.len() < 30, "{stderr}");
    }
}

#[test]
fn without_docker() {
    Run::line("build CartPole-v1")
        .docker(StandIn::missing())
        .status(7)
        .stderr(
            "error: docker is not installed: there is no `docker` on PATH\n\
             hint: install Docker Engine or Docker Desktop: https://docs.docker.com/get-started/get-docker/\n\
             hint: is it somewhere else? name it with --docker PATH\n",
        )
        .check();
    Run::line("build CartPole-v1 --docker /nonexistent/docker")
        .status(7)
        .stderr(
            "error: the docker client /nonexistent/docker cannot be run: cannot find binary path\n\
             hint: name an executable with --docker or RLMESH_SANDBOX_DOCKER, or leave both out\n",
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
             hint: start Docker (Docker Desktop, or sudo systemctl start docker), or check DOCKER_HOST and `docker context ls`\n\n\
             Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?\n",
        )
        .check();
}

#[test]
fn an_engine_that_dies_before_the_build() {
    let docker = with_buildx().on("image inspect *", missing_image()).on(
        "buildx build *",
        Reply::fails(
            1,
            "ERROR: Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?\n",
        ),
    );
    let output = Run::line("-q build CartPole-v1").docker(docker).spawn().wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(7), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn without_buildx() {
    Run::line("build CartPole-v1 --progress none")
        .docker(
            StandIn::new().on("image inspect *", missing_image()).on(
                "buildx version",
                Reply::fails(1, "docker: unknown command: docker buildx\n\nRun 'docker --help' for more information\n"),
            ),
        )
        .status(7)
        .stderr(
            "error: docker has no buildx, which builds images\n\
             hint: install the package docker-buildx-plugin (docker-buildx on Debian), 0.13 or newer: https://docs.docker.com/go/buildx/\n\n\
             docker: unknown command: docker buildx\n\nRun 'docker --help' for more information\n",
        )
        .check();
}

#[test]
fn a_buildx_that_is_too_old() {
    let docker = StandIn::new()
        .on("image inspect *", missing_image())
        .on("buildx build *", Reply::fails(1, "ERROR: invalid progress mode rawjson\n"))
        .on("buildx version", Reply::stdout("github.com/docker/buildx v0.12.1 abc\n"));
    let checked = Run::line("build CartPole-v1 --progress none")
        .docker(docker)
        .status(7)
        .stderr(
            "error: docker buildx v0.12.1 is too old: 0.13 or newer is needed\n\
             hint: install the package docker-buildx-plugin (docker-buildx on Debian), 0.13 or newer: https://docs.docker.com/go/buildx/\n",
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
        .on("image inspect *", missing_image())
        .on("buildx build *", broken())
        .on("buildx version", broken());
    Run::line("build CartPole-v1 --progress none")
        .docker(docker)
        .status(7)
        .stderr(
            "error: docker buildx does not work: fork/exec /usr/libexec/docker/cli-plugins/docker-buildx: exec format error\n\
             hint: check `docker buildx version`\n\n\
             fork/exec /usr/libexec/docker/cli-plugins/docker-buildx: exec format error\n",
        )
        .check();
}

#[test]
fn a_build_that_fails_before_its_first_step_asks_for_the_version_alone() {
    let docker = with_buildx()
        .on("image inspect *", missing_image())
        .on("buildx build *", Reply::fails(1, "ERROR: unknown flag: --x\n"));
    let run = Run::line("build CartPole-v1 --progress none").docker(docker);
    let output = run.spawn().wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(5), "{stderr}");
    assert!(stderr.starts_with("error: the image was not built: unknown flag: --x\n"), "{stderr}");
    assert_eq!(run.stand_in().calls().last().unwrap(), "buildx version");
}

/// The run's own memory is limited: were the output kept, it would fail with another error.
#[test]
fn a_docker_that_prints_without_end() {
    let inspect = format!(
        "docker image inspect --format '{{{{.Id}}}} {{{{.Os}}}}/{{{{.Architecture}}}} {{{{.Size}}}} {{{{json .RepoDigests}}}}' {TAG}"
    );
    let details = format!("\n…\n{}", "y\n".repeat(20));
    for (hook, details) in [("exec yes", ""), ("exec yes >&2", details.as_str())] {
        let run = Run::line("build CartPole-v1")
            .docker(StandIn::new().on("*", Reply::default().hook(hook)))
            .status(7)
            .stderr(format!(
                "error: {inspect} printed more than 64 MiB\n\
                 hint: is it really Docker's client? check --docker, and `docker version`\n{details}"
            ));
        let program = run.command();
        let mut limited = std::process::Command::new("/bin/sh");
        limited.args(["-c", "ulimit -v 1048576 && exec \"$@\"", "sh"]).arg(program.get_program());
        limited.args(program.get_args()).env_clear();
        limited.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let output = limited.current_dir(run.here()).output().unwrap();
        run.compare(output);
    }
}

#[test]
fn a_build_that_prints_without_end_keeps_the_end_alone() {
    let line = "x".repeat(100_000);
    let hook = format!(
        "i=0; while [ $i -lt 300 ]; do printf '%s\\n' {line}; i=$((i+1)); done >&2; yes | head -c 100000000 | tr -d '\\n' >&2; echo >&2; echo 'ERROR: last' >&2; exit 1"
    );
    let docker = with_buildx()
        .on("image inspect *", missing_image())
        .on("buildx build *", Reply::default().hook(&hook));
    let run = Run::line("build CartPole-v1 --progress none").docker(docker);
    let output = run.spawn().wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(5), "{}", &stderr[..stderr.len().min(1000)]);
    assert!(stderr.starts_with("error: the image was not built: last\n"), "{}", &stderr[..1000]);
    assert!(stderr.len() < 20_000, "{}", stderr.len());
}

#[test]
fn a_build_that_ends_up_elsewhere() {
    let docker = with_buildx()
        .on("buildx build *", Reply::default().stderr(fixture("buildx/built-0.29.1.txt")))
        .on("image inspect *", missing_image());
    Run::line("build CartPole-v1 --progress none")
        .docker(docker)
        .status(5)
        .stderr(format!(
            "error: the build went well, but the engine has no image {TAG}\n\
             hint: is the builder another engine's? check `docker buildx ls` and BUILDX_BUILDER\n"
        ))
        .check();
}

#[test]
fn an_interrupted_build_leaves_nothing() {
    let docker = with_buildx()
        .on("image inspect *", missing_image())
        .on("buildx build *", Reply::default().hook("touch \"$STAND_IN/building\"; exec sleep 600"));
    let run =
        Run::line("build CartPole-v1 --progress none").docker(docker).status(143).stderr("terminated\n");
    let child = run.spawn();
    let building = run_folder(&run).join("building");
    crate::support::eventually("the build", || building.exists().then_some(()));
    crate::support::signal(&child, rustix::process::Signal::TERM);
    let output = child.wait_with_output().unwrap();
    run.compare(output);
}

fn run_folder(run: &Run) -> std::path::PathBuf {
    run.stand_in().folder().to_owned()
}

#[test]
fn a_temporary_folder_that_cannot_be_written() {
    let docker = with_buildx().on("image inspect *", missing_image());
    Run::line("build CartPole-v1 --progress none")
        .docker(docker)
        .env("TMPDIR", "/nonexistent")
        .status(1)
        .stderr(
            "error: no temporary folder can be made in /nonexistent: No such file or directory (os error 2) at path \"/nonexistent/rlmesh-sandbox-run-<random>\"\n\
             hint: make room there, or set TMPDIR to a folder that can be written\n",
        )
        .check();
}
