//! The flags that say how an image comes to be: what docker is told, and what is refused before it is.

use crate::support::{Reply, Run, StandIn, fixture};

const TAG: &str = "rlmesh-sandbox-cartpole-v1:7e4a80df0452";
const HASH: &str = "7e4a80df0452";
const ID: &str = "sha256:33a109d74efd7043c486c097b1e0647ffdb11c6955fe6281e354832ab0ee44ee";
const ENGINE: &str = r#"{"Version":"26.1.5","Os":"linux","Arch":"amd64"}"#;

fn image_for(platform: &str) -> Reply {
    Reply::stdout(format!("{ID} {platform}\n"))
}

fn with_buildx() -> StandIn {
    StandIn::new()
        .on("buildx version", Reply::stdout("github.com/docker/buildx v0.29.1 abc\n"))
        .on("version *", Reply::stdout(ENGINE))
        .on("tag *", Reply::default())
}

fn built() -> Reply {
    Reply::default().stderr(fixture("buildx/built-0.29.1.txt"))
}

/// An engine without the image, where a build goes well.
fn building() -> StandIn {
    with_buildx()
        .on("image inspect *", Reply::missing_image().once())
        .on("buildx build *", built())
        .on("image inspect *", image_for("linux/amd64"))
}

/// The one command line that builds.
#[track_caller]
fn build_of(calls: &[String]) -> &str {
    let builds: Vec<&String> = calls.iter().filter(|call| call.starts_with("buildx build")).collect();
    assert_eq!(builds.len(), 1, "{calls:?}");
    builds[0]
}

fn labels() -> String {
    format!(
        "--label=org.opencontainers.image.base.name=python:3.11-slim \
         --label=rlmesh.image.rlmesh-package=rlmesh==0.1.0 --label=rlmesh.image.created-by=rlmesh-sandbox {} \
         --label=rlmesh.image.recipe=",
        env!("CARGO_PKG_VERSION")
    )
}

fn full_hash() -> String {
    let hash = Run::line("hash CartPole-v1").any_stdout().check().stdout.trim().to_owned();
    assert!(hash.len() == 64 && hash.starts_with(HASH));
    hash
}

#[test]
fn every_flag_reaches_buildx_as_it_is() {
    let checked = Run::line(
        "-q build CartPole-v1 --cache-from ghcr.io/org/cache --cache-from type=local,src=/c --cache-to type=inline \
         --platform linux/amd64 --label a=b=c --label org.opencontainers.image.title=mine",
    )
    .docker(building())
    .stdout(format!("{TAG}\n"))
    .check();
    assert_eq!(
        build_of(&checked.calls),
        format!(
            "buildx build --progress=rawjson --provenance=false --load --tag {TAG} --platform=linux/amd64 \
             --cache-from=ghcr.io/org/cache --cache-from=type=local,src=/c --cache-to=type=inline {} --label=a=b=c \
             --label=org.opencontainers.image.title=mine <world>/tmp/rlmesh-sandbox-run-<random>/context",
            labels()
        )
    );
}

#[test]
fn pull_builds_again_on_the_newest_base() {
    let docker = with_buildx().on("buildx build *", built()).on("image inspect *", image_for("linux/amd64"));
    let checked = Run::line("-q build CartPole-v1 --pull").docker(docker).stdout(format!("{TAG}\n")).check();
    assert!(build_of(&checked.calls).contains(&format!("--tag {TAG} --pull --label=")));
}

#[test]
fn an_image_that_is_there_gets_its_names_and_is_pushed() {
    let docker =
        with_buildx().on("image inspect *", image_for("linux/amd64")).on("push *", Reply::stdout("x\n"));
    let checked = Run::line("build CartPole-v1 --tag mine:1 --push localhost:5000/a:1 --label a=b --cache-to x")
        .docker(docker)
        .stdout(format!("{TAG}\n"))
        .stderr("pushing localhost:5000/a:1\nthe image already exists; use --rebuild to build it again (--label and --cache-to only take effect in a build)\n")
        .check();
    assert_eq!(
        checked.calls[1..],
        [
            "version --format {{json .Server}}".to_owned(),
            format!("tag {TAG} mine:1"),
            format!("tag {TAG} localhost:5000/a:1"),
            "push --quiet localhost:5000/a:1".to_owned(),
        ]
    );
}

#[test]
fn a_push_that_is_refused() {
    let docker = with_buildx()
        .on("image inspect *", image_for("linux/amd64"))
        .on("push *", Reply::fails(1, "unauthorized: authentication required\n"));
    Run::line("-q build CartPole-v1 --push ghcr.io/org/a")
        .docker(docker)
        .status(5)
        .stderr(
            "error: the image ghcr.io/org/a could not be pushed: unauthorized: authentication required\n\
             hint: run `docker login REGISTRY`, and check that you have permission to push there\n",
        )
        .check();
}

#[test]
fn an_image_for_another_platform_is_built_anew() {
    for (line, has, wants, platform) in [
        ("build CartPole-v1 --progress none", "linux/arm64", "linux/amd64", None),
        (
            "build CartPole-v1 --progress none --platform linux/arm64/v8",
            "linux/amd64",
            "linux/arm64/v8",
            Some("linux/arm64/v8"),
        ),
    ] {
        let docker = with_buildx().on("buildx build *", built()).on("image inspect *", image_for(has));
        let checked = Run::line(line)
            .docker(docker)
            .stdout(format!("{TAG}\n"))
            .stderr(format!("warning: the image {TAG} is for {has}; replacing it with one for {wants}\n"))
            .check();
        let build = build_of(&checked.calls);
        assert_eq!(build.contains("--platform"), platform.is_some(), "{build}");
        assert!(
            platform.is_none_or(|platform| build.contains(&format!("--platform={platform} "))),
            "{build}"
        );
    }
}

#[test]
fn the_platform_that_docker_itself_would_take_is_meant() {
    let docker = with_buildx().on("image inspect *", image_for("linux/arm64"));
    Run::line("-q build CartPole-v1")
        .docker(docker)
        .env("DOCKER_DEFAULT_PLATFORM", "linux/arm64")
        .stdout(format!("{TAG}\n"))
        .check();
}

#[test]
fn a_container_of_another_platform_is_removed_and_its_image_built_anew() {
    let id = "a".repeat(64);
    let docker = with_buildx()
        .on("ps *", Reply::default())
        .on("rm *", Reply::default())
        .on(
            "run *",
            Reply::stdout(format!("{id}\n"))
                .stderr("WARNING: The requested image's platform (linux/arm64) does not match the detected host platform (linux/amd64/v3) and no specific platform was requested\n"),
        )
        .on("image inspect *", image_for("linux/arm64"))
        .on("buildx build *", built());
    let checked = Run::line("run CartPole-v1 --progress none")
        .docker(docker)
        .status(6)
        .stderr(format!(
            "warning: the image {TAG} is for linux/arm64; replacing it with one for linux/amd64\n\
             error: the image {TAG} is for another platform than the engine's\n\
             hint: pass its platform with --platform, or build the image again with --rebuild\n"
        ))
        .check();
    let verbs: Vec<&str> = checked.main_calls().iter().map(|call| call.split(' ').next().unwrap()).collect();
    assert_eq!(
        verbs,
        ["run", "rm", "image", "version", "image", "image", "buildx", "image", "run", "rm"],
        "{:?}",
        checked.calls
    );
}

#[test]
fn run_passes_the_platform_on() {
    let docker = with_buildx()
        .on("ps *", Reply::default())
        .on("run *", Reply::fails(125, "docker: Error response from daemon: image with reference x was found but does not match the specified platform: wanted linux/arm64, actual: linux/amd64\n"))
        .on("image inspect *", image_for("linux/amd64"))
        .on("pull *", Reply::fails(1, "Error response from daemon: no match for platform in manifest\n"));
    let checked = Run::line("-q run image://org/a:1 --platform linux/arm64")
        .docker(docker)
        .status(6)
        .stderr(
            "error: the engine does not have the image org/a:1, and could not pull it: no match for platform in manifest\n\
             hint: check the image's name; if the image is private, run `docker login REGISTRY`\n",
        )
        .check();
    let calls = checked.main_calls();
    assert!(calls[0].contains(" --platform linux/arm64 "), "{calls:?}");
    assert_eq!(calls[2], "pull --quiet --platform linux/arm64 org/a:1");
}

#[test]
fn what_would_come_to_nothing_is_refused_before_docker_is_asked() {
    for (line, message) in [
        (
            "build CartPole-v1 --label rlmesh.sandbox.owner-pid=1",
            "--label \"rlmesh.sandbox.owner-pid=1\": this key is reserved for rlmesh",
        ),
        ("run CartPole-v1 --platform arm64", "--platform \"arm64\": it is not a valid platform"),
        ("build CartPole-v1 --tag A", "--tag \"A\": it is not a valid image name"),
        (
            "build CartPole-v1 --cache-from type=local,src",
            "--cache-from \"type=local,src\": it is not a valid cache location",
        ),
    ] {
        let checked = Run::line(line).status(2).stderr_with(["\nhint: "]).check();
        assert_eq!(checked.stderr.lines().next().unwrap(), format!("error: {message}"));
        assert!(checked.calls.is_empty(), "{line}: {:?}", checked.calls);
    }
}

/// An engine where the last step of a build fails.
fn failing() -> StandIn {
    with_buildx().on("image inspect *", Reply::missing_image()).on(
        "buildx build *",
        Reply { status: 1, ..Reply::default().stderr(fixture("buildx/failed-0.29.1.txt")) },
    )
}

#[test]
fn the_whole_log_of_a_failed_build_is_kept_and_named() {
    use std::os::unix::fs::PermissionsExt as _;
    let checked = Run::line("build CartPole-v1 --progress none")
        .docker(failing())
        .status(5)
        .stderr_with(["\nthe whole log: <world>/home/.local/state/rlmesh-sandbox/logs/<log>\n"])
        .check();
    let folder = checked.run.home().join(".local/state/rlmesh-sandbox/logs");
    let logs: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [path] = &logs[..] else { panic!("{logs:?}") };
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(path), mode(&folder)), (0o600, 0o700));
    let log = std::fs::read_to_string(path).unwrap();
    for line in [
        "#4 CACHED [stage-0 2/3] WORKDIR /opt/rlmesh",
        "#3 ERROR: No matching distribution found for rlmesh==99",
        "ERROR: failed to build: failed to solve: process \"python -m pip install --disable-pip-version-check --root-user-action=ignore rlmesh==99\" did not complete successfully: exit code: 1",
    ] {
        assert!(log.lines().any(|found| found == line), "{line}\n{log}");
    }
}

#[test]
fn a_log_that_cannot_be_written_is_no_reason_to_fail() {
    let checked = Run::line("build CartPole-v1 --progress none")
        .docker(failing())
        .env("XDG_STATE_HOME", "/dev/null")
        .status(5)
        .stderr_with(["error: the image was not built: "])
        .check();
    assert!(!checked.stderr.contains("whole log"), "{}", checked.stderr);
}

#[test]
fn the_log_of_a_build_that_went_well_is_gone() {
    let checked = Run::line("-q build CartPole-v1")
        .docker(building())
        .env("XDG_STATE_HOME", "")
        .stdout(format!("{TAG}\n"))
        .check();
    let folder = checked.run.home().join(".local/state/rlmesh-sandbox/logs");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0);
}

const DOCKERFILE: &str = "FROM python:3.11-slim\n";
const BOOTSTRAP: &str = r#"{"spec":{"kind":"gym","env_id":"CartPole-v1","imports":[],"kwargs":{"x":1.50},"num_envs":1,"vectorization_mode":"sync"}}"#;

#[test]
fn a_dry_run_shows_what_would_be_built_and_touches_nothing() {
    for verb in ["build", "run", "run -d --format env"] {
        let checked = Run::line(&format!("{verb} CartPole-v1 -k x=1.50 --dry-run"))
            .docker(StandIn::missing())
            .any_stdout()
            .check();
        let (image, files) = checked.stdout.split_once("\n\n==> Dockerfile <==\n").unwrap();
        let (dockerfile, bootstrap) = files.split_once("\n\n==> bootstrap.json <==\n").unwrap();
        assert_eq!(image, format!("image: {TAG}"));
        assert!(
            dockerfile.starts_with(DOCKERFILE) && dockerfile.ends_with("\"rlmesh._bootstrap.sandbox_env\"]")
        );
        assert_eq!(bootstrap, format!("{BOOTSTRAP}\n"));
        assert_eq!(std::fs::read_dir(checked.run.home()).unwrap().count(), 0);
    }
}

#[test]
fn a_dry_run_as_json() {
    let checked = Run::line("run CartPole-v1 -k x=1.50 --dry-run --format json")
        .docker(StandIn::missing())
        .any_stdout()
        .check();
    let shown: serde_json::Value = checked.json();
    assert_eq!(shown["source"], "gym://CartPole-v1");
    assert_eq!(shown["image"], TAG);
    assert_eq!(shown["build_hash"], full_hash());
    assert!(shown["dockerfile"].as_str().unwrap().starts_with(DOCKERFILE));
    assert_eq!(shown["bootstrap"]["spec"]["env_id"], "CartPole-v1");
    assert!(checked.stdout.contains(BOOTSTRAP), "digits stay as they are");
    Run::line("run image://org/a:1 --dry-run --format json")
        .docker(StandIn::missing())
        .stdout("{\"source\":\"image://org/a:1\",\"image\":\"org/a:1\",\"build_hash\":null,\"dockerfile\":null,\"bootstrap\":null}\n")
        .check();
}

#[test]
fn a_dry_run_of_a_local_checkout_asks_no_engine() {
    Run::line("build CartPole-v1 --rlmesh-package local --dry-run")
        .docker(StandIn::missing())
        .status(4)
        .stderr(
            "error: --rlmesh-package local: no rlmesh checkout at or above <world>/here\n\
             hint: run it from inside an rlmesh checkout, or pass a wheel file: --rlmesh-package FILE.whl\n",
        )
        .check();
}

const LOCK: &str = "\
# python 3.11, x86_64
# the base image has: pip setuptools
gymnasium==1.4.0 \\
    --hash=sha256:1cb947c59e7c72d8eabb2c2274c00cd20948e69f8452a9ef4092223be24fdf0e
rlmesh==0.1.0 \\
    --hash=sha256:9754f630a32abfdbb76386abe1bc1e706c982db2d62dfa119c9952eb2de7697d
";

#[test]
fn a_lock_is_written_after_the_build_and_then_installed_alone() {
    let write = r#"for word; do case $word in *dest=*) folder=${word#*dest=}; folder=${folder%\"};; esac; done
        [ -z "$folder" ] || { mkdir "$folder" && cp "$STAND_IN/found" "$folder/lock.txt"; }
        for word; do :; done; rm -rf "$STAND_IN/context"; cp -r "$word" "$STAND_IN/context""#;
    let docker = || {
        let docker = with_buildx()
            .on("buildx build *", built().hook(write))
            .on("image inspect *", image_for("linux/amd64"));
        std::fs::write(docker.folder().join("found"), LOCK).unwrap();
        docker
    };
    // A lock that is yet to be written changes no hash.
    let checked = Run::line("-q build CartPole-v1 --lock lock.txt --cache-from x --label a=b")
        .docker(docker())
        .stdout(format!("{TAG}\n"))
        .check();
    let builds: Vec<&String> = checked.calls.iter().filter(|call| call.starts_with("buildx build")).collect();
    assert!(
        builds[0].contains(" --load ") && builds[1].contains("/context/Dockerfile.lock --output=type=local,")
    );
    assert!(builds[1].contains("--cache-from=x") && !builds[1].contains("--label"), "{}", builds[1]);
    let lock = std::fs::read_to_string(checked.run.here().join("lock.txt")).unwrap();
    assert!(lock.starts_with("# written by rlmesh-sandbox ") && lock.ends_with(LOCK), "{lock}");

    let again = Run::line("-q build CartPole-v1 --rebuild --lock lock.txt").docker(docker()).any_stdout();
    std::fs::write(again.here().join("lock.txt"), &lock).unwrap();
    let again = again.check();
    let locked = again.stdout.clone();
    assert!(locked.starts_with("rlmesh-sandbox-cartpole-v1:") && locked.trim() != TAG, "{locked}");
    let dockerfile = again.left("context/Dockerfile");
    assert!(dockerfile.contains("\"--lock\"") && !dockerfile.contains("gymnasium"), "{dockerfile}");
    assert_eq!(again.left("context/lock.txt").lines().count(), 2);

    let hash = Run::line("hash CartPole-v1 --tag --lock lock.txt").stdout(locked);
    std::fs::write(hash.here().join("lock.txt"), format!("# another comment\n{lock}")).unwrap();
    hash.check();
}

#[test]
fn a_lock_that_does_not_fit_is_refused() {
    let run = Run::line("build CartPole-v1 -p six --lock lock.txt").status(2).stderr(
        "error: lock (--lock): <world>/here/lock.txt does not list the package six\n\
             hint: remove the file; the next build writes a new one\n",
    );
    std::fs::write(run.here().join("lock.txt"), LOCK).unwrap();
    run.check();
    Run::line("build CartPole-v1 --lock nowhere/lock.txt")
        .status(2)
        .stderr(
            "error: lock (--lock): cannot write <world>/here/nowhere/lock.txt: <world>/here/nowhere: No such file or directory (os error 2)\n\
             hint: use a file in a folder that exists and is writable\n",
        )
        .check();
}
