//! Environments that come up, stepped by the published client.

use std::process::Command;

use super::engine::{Images, Live, docker, exists, tag, together};
use super::python::{EPISODE, FRAME, VECTOR, interpreter, script};

#[test]
fn a_detached_environment_is_stepped_and_stopped() {
    let (_guard, live, _images) = (together(), Live::new(), Images::of(&["CartPole-v1"]));
    let up = live.run(&["run", "-d", "--format", "env", "CartPole-v1"]).ended(0);
    let (address, id) = (up.variable("RLMESH_SANDBOX_ADDRESS"), up.variable("RLMESH_SANDBOX_CONTAINER_ID"));
    assert!(up.stderr.contains("Discrete(2)") && up.stderr.contains("rlmesh 0.1.0"), "{}", up.stderr);
    let steps: u32 = script(EPISODE, &[&address], |_| {}).trim().parse().unwrap();
    assert!(steps > 0);
    live.assert_clean();
    let log = live.run(&["logs", &id]).ended(0);
    assert!(log.stdout.contains("RLMesh sandbox serving"), "{}", log.stdout);
    let listed = live.run(&["ps"]).ended(0);
    assert!(listed.stdout.contains(&id[..12]) && listed.stdout.contains(&address), "{}", listed.stdout);
    let stopped = live.run(&["stop", &id[..12], "never-was"]).ended(0);
    assert_eq!(stopped.stdout.trim(), id);
    assert!(stopped.stderr.contains("never-was"));
    assert!(!exists(&id));
}

#[test]
fn a_command_is_run_around_a_vector_environment() {
    let (_guard, live, _images) = (together(), Live::new(), Images::of(&["CartPole-v1"]));
    let python = interpreter().to_str().unwrap();
    for mode in ["sync", "async"] {
        let done = live
            .run(&[
                "run",
                "CartPole-v1",
                "-n",
                "4",
                "--vectorization-mode",
                mode,
                "--",
                python,
                "-W",
                "ignore",
                "-c",
                VECTOR,
                "{address}",
            ])
            .ended(0);
        assert_eq!(done.stdout.trim(), "(4, 4) (4,)");
        assert!(done.stderr.contains("envs         4"), "{}", done.stderr);
    }
    live.assert_clean();
}

#[test]
fn a_frame_is_rendered() {
    let line = "CartPole-v1 -k render_mode=rgb_array";
    let (_guard, live, _images) = (together(), Live::new(), Images::of(&[line]));
    let python = interpreter().to_str().unwrap();
    let done = live
        .run(&[
            "-q",
            "run",
            "CartPole-v1",
            "-k",
            "render_mode=rgb_array",
            "--",
            python,
            "-W",
            "ignore",
            "-c",
            FRAME,
            "{address}",
        ])
        .ended(0);
    assert_eq!(done.stdout.trim(), "(400, 600, 3) uint8");
}

#[test]
fn the_container_has_nothing_that_it_does_not_need() {
    let (_guard, live, _images) = (together(), Live::new(), Images::of(&["CartPole-v1"]));
    let id = live
        .run(&["run", "-d", "--format", "env", "CartPole-v1"])
        .ended(0)
        .variable("RLMESH_SANDBOX_CONTAINER_ID");
    let inspect = |format: &str| docker(&["container", "inspect", "--format", format, &id]);
    assert_eq!(inspect("{{json .HostConfig.CapDrop}}"), r#"["ALL"]"#);
    assert_eq!(inspect("{{json .HostConfig.SecurityOpt}}"), r#"["no-new-privileges"]"#);
    assert_eq!(inspect("{{json .HostConfig.Binds}}"), "null");
    assert_eq!(inspect("{{.HostConfig.AutoRemove}} {{.HostConfig.Privileged}}"), "false false");
    assert_eq!(inspect(r#"{{(index (index .NetworkSettings.Ports "50051/tcp") 0).HostIp}}"#), "127.0.0.1");
    assert_eq!(inspect(r#"{{index .Config.Labels "rlmesh.sandbox"}}"#), "1");
    assert_eq!(inspect(r#"{{index .Config.Labels "rlmesh.sandbox.source"}}"#), "gym://CartPole-v1");
    live.run(&["stop", "-t", "1", &id]).ended(0);
}

#[test]
fn the_image_serves_as_any_user_and_holds_nothing_of_the_host() {
    let (_guard, live, _images) = (together(), Live::new(), Images::of(&["CartPole-v1"]));
    let image = live.run(&["build", "CartPole-v1"]).ended(0).stdout.trim().to_owned();
    let config = docker(&["image", "inspect", "--format", "{{json .Config}}", &image]);
    for needle in [
        r#""WorkingDir":"/opt/rlmesh""#,
        "RLMESH_PORT=50051",
        "PYTHONUNBUFFERED=1",
        r#""50051/tcp":{}"#,
        r#""Entrypoint":["python","-m","rlmesh._bootstrap.sandbox_env"]"#,
    ] {
        assert!(config.contains(needle), "{needle}: {config}");
    }
    assert!(!config.contains("BOOTSTRAP"), "{config}");
    let payload = r#"{"spec":{"kind":"gym","env_id":"CartPole-v1","imports":[],"kwargs":{},"num_envs":1,"vectorization_mode":"sync"}}"#;
    let served = docker(&[
        "run",
        "--rm",
        "--user",
        "65532:65532",
        "--read-only",
        "--cap-drop",
        "ALL",
        "--network",
        "none",
        "--env",
        &format!("RLMESH_BOOTSTRAP_JSON={payload}"),
        "--entrypoint",
        "sh",
        &image,
        "-c",
        "ls -A /opt/rlmesh; id -u; timeout 20 python -m rlmesh._bootstrap.sandbox_env & \
         for i in $(seq 200); do python -c 'import socket; socket.create_connection((\"127.0.0.1\", 50051))' 2>/dev/null && echo answered && break; sleep 0.1; done",
    ]);
    assert!(served.contains("65532") && served.contains("answered"), "{served}");
    assert!(!served.contains("bootstrap.json"), "{served}");
}

#[test]
fn a_payload_of_ten_mebibytes_arrives() {
    let (_guard, live, _images) = (together(), Live::new(), Images::of(&["CartPole-v1"]));
    let file = live.tmp.path().join("kwargs.json");
    // CartPole only asks whether it is true. That gives a reward of 0 instead of 1: the step tells that it got there.
    std::fs::write(&file, format!("{{\"sutton_barto_reward\":\"{}\"}}", "x".repeat(10 << 20))).unwrap();
    let kwargs = format!("@{}", file.display());
    let python = interpreter().to_str().unwrap();
    let step = "import sys; from rlmesh.numpy import RemoteEnv; e = RemoteEnv(sys.argv[1]); e.reset(seed=0); print(e.step(0)[1])";
    let line =
        ["run", "CartPole-v1", "--kwargs", &kwargs, "--", python, "-W", "ignore", "-c", step, "{address}"];
    assert_eq!(live.run(&line).ended(0).stdout.trim(), "0.0");
    std::fs::remove_file(file).unwrap();
    live.assert_clean();
}

#[test]
fn a_prebuilt_image_is_run_as_it_is() {
    let name = "rlmesh-sandbox-test-prebuilt:1";
    let (_guard, live, _images) = (together(), Live::new(), Images::of(&["CartPole-v1"]));
    let _prebuilt = Images::tags(vec![name.to_owned()]);
    let base = live.run(&["build", "CartPole-v1"]).ended(0).stdout.trim().to_owned();
    let payload = r#"{"spec":{"kind":"gym","env_id":"CartPole-v1"}}"#;
    let context = tempfile::tempdir().unwrap();
    std::fs::write(
        context.path().join("Dockerfile"),
        format!("FROM {base}\nENV RLMESH_BOOTSTRAP_JSON='{payload}'\n"),
    )
    .unwrap();
    docker(&["buildx", "build", "--quiet", "--load", "--tag", name, context.path().to_str().unwrap()]);
    let python = interpreter().to_str().unwrap();
    let source = format!("image://{name}");
    let done = live
        .run(&["run", &source, "-n", "2", "--", python, "-W", "ignore", "-c", VECTOR, "{address}"])
        .ended(0);
    assert_eq!(done.stdout.trim(), "(2, 4) (2,)");
    let done = live.run(&["run", "-d", "image://rlmesh-sandbox-test-nowhere:1"]).ended(6);
    assert!(done.stderr.contains("could not pull it"), "{}", done.stderr);
}

#[test]
fn rlmesh_from_a_wheel_file_and_from_a_checkout() {
    let (_guard, live) = (together(), Live::new());
    let checkout = tempfile::tempdir().unwrap();
    let dist = checkout.path().join("python/rlmesh/dist");
    std::fs::create_dir_all(&dist).unwrap();
    std::fs::write(checkout.path().join("Cargo.toml"), "").unwrap();
    std::fs::write(checkout.path().join("python/rlmesh/pyproject.toml"), "").unwrap();
    let downloaded = Command::new(interpreter())
        .args(["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "rlmesh==0.1.0", "-d"])
        .arg(&dist)
        .output()
        .unwrap();
    assert!(downloaded.status.success(), "{}", String::from_utf8_lossy(&downloaded.stderr));
    let wheel = super::engine::entries(&dist).pop().unwrap();
    let file = format!("{}/{wheel}", dist.display());
    let _images = Images::tags(vec![tag(&format!("CartPole-v1 --rlmesh-package {file}"))]);
    let python = interpreter().to_str().unwrap();
    live.run(&[
        "run",
        "CartPole-v1",
        "--rlmesh-package",
        &file,
        "--",
        python,
        "-W",
        "ignore",
        "-c",
        EPISODE,
        "{address}",
    ])
    .ended(0);
    // The checkout's best wheel is the same file: the image is there already.
    let local = live
        .command(&["build", "CartPole-v1", "--rlmesh-package", "local"])
        .current_dir(&dist)
        .output()
        .unwrap();
    let said = String::from_utf8(local.stderr).unwrap();
    assert!(local.status.success() && said.contains("already exists"), "{said}");
}

#[test]
fn every_copy_of_an_environment_is_wrapped() {
    // Without the wrapper, rlmesh cannot serve the observations.
    let (id, wrapper) = ("MiniGrid-Empty-5x5-v0", "minigrid.wrappers:ImgObsWrapper");
    let line = format!("{id} -p minigrid -i minigrid --wrap {wrapper}");
    let (_guard, live, _images) = (together(), Live::new(), Images::of(&[&line]));
    let python = interpreter().to_str().unwrap();
    let run = |options: &[&str], lines: &str| {
        let sandbox = ["-q", "run", id, "-p", "minigrid", "-i", "minigrid", "--wrap", wrapper];
        let command = ["--", python, "-W", "ignore", "-c", lines, "{address}"];
        live.run(&[&sandbox, options, &command].concat()).ended(0).stdout
    };
    assert_eq!(run(&["-k", "render_mode=rgb_array"], FRAME).trim(), "(160, 160, 3) uint8");
    assert_eq!(run(&["-n", "2", "--vectorization-mode", "async"], VECTOR).trim(), "(2, 7, 7, 3) (2,)");
    live.assert_clean();
}
