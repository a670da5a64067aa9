//! `run`, where all goes well: three ways to run, three forms of the result, and what reaches docker.

use regex::Regex;

use crate::support::server::Server;
use rustix::process::Signal;

use crate::support::{Reply, Run, StandIn, WAITS, eventually, fixture, signal};

pub(crate) const ID: &str = "45d51db4c7f03554471a711a1fdb027606d2a6171802410b7e9bffa1cdfab1e0";
const TAG: &str = "rlmesh-sandbox-cartpole-v1:7e4a80df0452";
const IMAGE_ID: &str = "sha256:33a109d74efd7043c486c097b1e0647ffdb11c6955fe6281e354832ab0ee44ee";

const INTRODUCTION: &str = "\
✓ CartPole-v1 is ready after N s
  container    rlmesh-sandbox-cartpole-v1-<uuid> (45d51db4c7f0)
  image        rlmesh-sandbox-cartpole-v1:7e4a80df0452
  observation  Box([-4.8 -inf -0.418879 -inf], [4.8 inf 0.418879 inf], (4,), float32)
  action       Discrete(2)
  envs         1
  versions     rlmesh 0.1.0, gymnasium 1.4.0, python 3.11.2, numpy 2.4.6
  address      tcp://127.0.0.1:<port>
";

/// How to use it from Python.
const PYTHON: &str = "  python       env = rlmesh.numpy.RemoteEnv(\"tcp://127.0.0.1:<port>\")\n";

/// How to stop it, if it runs in the foreground.
const CTRL_C: &str = "  to stop      press Ctrl-C\n";

/// A recorded inspection whose port is where `server` listens.
pub(crate) fn inspection(name: &str, server: &Server) -> Vec<u8> {
    let text = String::from_utf8(fixture(name)).unwrap();
    let port = format!("\"HostPort\": \"{}\"", server.port());
    Regex::new(r#""HostPort": "\d\d+""#).unwrap().replace_all(&text, port).into_owned().into_bytes()
}

// Commands that go on until a test ends them look for HOME: it goes with the test, also with one that fails.

/// The start is over before anything watches over it: the log is followed once.
pub(crate) const UNWATCHED: &str = "100";

/// An engine on which the container of CartPole-v1 comes up, and a server in its place.
pub(crate) fn up() -> (StandIn, Server) {
    // What watches over a start may follow the log too, until it is told to stop.
    up_with(Reply::default().hangs())
}

/// The same with another log to follow.
pub(crate) fn up_with(log: Reply) -> (StandIn, Server) {
    up_answering(fixture("handshake-cartpole.bin"), log)
}

/// The recorded handshake with another contract: its fields are added to the recorded message, as protobuf merges them.
pub(crate) fn handshake_with(fields: &[u8]) -> Vec<u8> {
    let mut message = fixture("handshake-cartpole.bin");
    message.extend([0x12, u8::try_from(fields.len()).unwrap()]);
    message.extend(fields);
    message
}

/// The field of a contract for so many copies.
pub(crate) fn copies(count: u8) -> [u8; 2] {
    [0x10, count]
}

/// The same with another answer to the handshake.
pub(crate) fn up_answering(handshake: Vec<u8>, log: Reply) -> (StandIn, Server) {
    let variables = "env | grep ^RLMESH_ | grep -v ^RLMESH_SANDBOX_ | sort >\"$STAND_IN/variables\"";
    let server = Server::answering(handshake);
    let docker = StandIn::new()
        .on("run -d *", Reply::stdout(format!("{ID}\n")).hook(variables))
        .on(&format!("logs --follow {ID}"), log)
        .on(&format!("stop -t * {ID}"), Reply::stdout(format!("{ID}\n")))
        .on(&format!("rm --force --volumes {ID}"), Reply::stdout(format!("{ID}\n")));
    (comes_up(docker, &server), server)
}

/// Adds to a test's own rules those of an engine on which the container starts, with a server in its place.
pub(crate) fn comes_up(docker: StandIn, server: &Server) -> StandIn {
    docker
        .on("ps --all*", Reply::default())
        .on("run -d *", Reply::stdout(format!("{ID}\n")))
        .on("start *", Reply::default())
        .on(&format!("container inspect -- {ID}"), Reply::stdout(inspection("inspect/running.json", server)))
        .on(&format!("wait {ID}"), Reply::default().hangs())
        .on(&format!("logs --follow {ID}"), Reply::default().hangs())
}

/// Keeps the file of `--env-file` as `file` in the stand-in's folder.
pub(crate) const KEEPS_VARIABLES: &str =
    "for word; do case $before in --env-file) cp -p \"$word\" \"$STAND_IN/file\";; esac; before=$word; done";

#[test]
fn detached() {
    let (docker, _server) = up();
    let checked = Run::line("run -d CartPole-v1")
        .docker(docker)
        .stdout("tcp://127.0.0.1:<port>\n")
        .stderr(format!("{INTRODUCTION}{PYTHON}  to stop      rlmesh-sandbox stop 45d51db4c7f0\n"))
        .check();
    let calls = checked.main_calls();
    assert_eq!(calls.len(), 2, "{calls:?}");
    let start = Regex::new(&format!(
        "^run -d --name rlmesh-sandbox-cartpole-v1-<uuid> --cidfile <world>/tmp/rlmesh-sandbox-run-<random>/container-id-1 --pull never --label rlmesh.sandbox=1 \
         --label rlmesh.sandbox.source=gym://CartPole-v1 --label rlmesh.sandbox.isolation=default \
         --label rlmesh.sandbox.build-hash=7e4a80df0452[0-9a-f]{{52}} --label rlmesh.sandbox.owner-pid= --label rlmesh.sandbox.owner-pid-ns= \
         --label rlmesh.sandbox.owner-start= --label rlmesh.sandbox.owner-boot=[0-9a-f-]+ \
         --label rlmesh.sandbox.owner-host=(<uuid>|[^ ]*) \
         --label rlmesh.sandbox.run-dir=<world>/tmp/rlmesh-sandbox-run-<random> \
         --label rlmesh.sandbox.name=rlmesh-sandbox-cartpole-v1-<uuid> --label rlmesh.sandbox.ttl= \
         --env RLMESH_BOOTSTRAP_JSON --env PYTHONFAULTHANDLER --init --cap-drop ALL --security-opt no-new-privileges \
         --network rlmesh-sandbox --publish 127.0.0.1::50051 --memory [0-9]+b --memory-swap [0-9]+b --pids-limit [0-9]+ \
         --log-driver json-file --log-opt max-size=10m --log-opt max-file=2 --ulimit core=0 {TAG}$"
    ))
    .unwrap();
    assert!(start.is_match(calls[0]), "{}", calls[0]);
    assert_eq!(
        checked.left("variables").trim(),
        r#"RLMESH_BOOTSTRAP_JSON={"spec":{"kind":"gym","env_id":"CartPole-v1","imports":[],"kwargs":{},"num_envs":1,"vectorization_mode":"sync"}}"#
    );
}

#[test]
fn variables_reach_the_container_in_a_private_file() {
    let server = Server::answering(fixture("handshake-cartpole.bin"));
    let started = Reply::stdout(format!("{ID}\n")).hook(KEEPS_VARIABLES);
    let docker = comes_up(StandIn::new().on("run -d *", started), &server);
    let run = Run::line("run -d CartPole-v1 -e TOKEN=secret -e HERE --env-file file --shm-size 1g")
        .env("HERE", "from here")
        .docker(docker)
        .stdout("tcp://127.0.0.1:<port>\n")
        .stderr(format!("{INTRODUCTION}{PYTHON}  to stop      rlmesh-sandbox stop 45d51db4c7f0\n"));
    std::fs::write(run.here().join("file"), "# a comment\nTOKEN=other\nDOCKER_HOST=tcp://nowhere\n").unwrap();
    let checked = run.check();
    assert_eq!(checked.left("file"), "DOCKER_HOST=tcp://nowhere\nHERE=from here\nTOKEN=secret\n");
    let start = checked.main_calls()[0].to_owned();
    assert!(
        start.contains("--shm-size 1073741824b --env-file <world>/tmp/rlmesh-sandbox-run-<random>/variables"),
        "{start}"
    );
    assert!(
        !checked.calls.iter().any(|call| call.contains("secret") || call.contains("HERE")),
        "{:?}",
        checked.calls
    );
}

#[test]
fn the_result_as_json_and_as_variables() {
    let (docker, _server) = up();
    Run::line("run -d CartPole-v1 --format env")
        .docker(docker)
        .stdout(format!(
            "RLMESH_SANDBOX_ADDRESS=tcp://127.0.0.1:<port>\nRLMESH_SANDBOX_CONTAINER_ID={ID}\nRLMESH_SANDBOX_IMAGE={TAG}\n"
        ))
        .stderr(format!("{INTRODUCTION}{PYTHON}  to stop      rlmesh-sandbox stop 45d51db4c7f0\n"))
        .check();
    let (docker, _server) = up();
    Run::line("run -d CartPole-v1 --format json")
        .docker(docker)
        .stdout(format!(
            "{{\"address\":\"tcp://127.0.0.1:<port>\",\"container_id\":\"{ID}\",\
             \"container_name\":\"rlmesh-sandbox-cartpole-v1-<uuid>\",\"image\":\"{TAG}\",\"image_id\":\"{IMAGE_ID}\",\
             \"build_hash\":\"7e4a80df0452f330b9b11d017203bd9442e0a50bdcab31d6b2bc8d1da740b67d\",\
             \"source\":\"gym://CartPole-v1\",\"state\":\"running\",\"num_envs\":1,\"isolation\":\"default\",\
             \"owner\":{{\"pid\":null,\"state\":\"none\"}},\"created\":\"2026-11-23T07:01:25.823105079Z\",\"env\":{{\"id\":\"CartPole-v1\",\"num_envs\":1,\"render_mode\":null,\
             \"observation_space\":{{\"type\":\"box\",\"shape\":[4],\"dtype\":\"float32\",\
             \"low\":[-4.800000190734863,\"-inf\",-0.41887903213500977,\"-inf\"],\
             \"high\":[4.800000190734863,\"inf\",0.41887903213500977,\"inf\"]}},\
             \"action_space\":{{\"type\":\"discrete\",\"n\":2,\"start\":0}}}},\
             \"versions\":{{\"gymnasium\":\"1.4.0\",\"numpy\":\"2.4.6\",\"python\":\"3.11.2\",\"rlmesh\":\"0.1.0\"}},\
             \"built\":false,\"seconds\":0}}\n"
        ))
        .check();
}

#[test]
fn under_a_name_of_the_users() {
    let (docker, _server) = up();
    let docker = docker.on("container inspect --format {{.Id}} -- trainer", Reply::missing_container());
    let checked = Run::line("-q run -d CartPole-v1 --name trainer")
        .docker(docker)
        .stdout("tcp://127.0.0.1:<port>\n")
        .check();
    assert!(
        checked.calls.iter().any(|call| call.starts_with("run -d --name trainer ")),
        "{:?}",
        checked.calls
    );
}

#[test]
fn around_a_command_whose_status_becomes_ours() {
    let (docker, _server) = up();
    let checked = Run::new([
        "run",
        "CartPole-v1",
        "--stop-timeout",
        "2.5",
        "--",
        "sh",
        "-c",
        "echo \"$0 $RLMESH_SANDBOX_IMAGE ${RLMESH_ADDRESS-unset}\"; test \"$1\" = \"$RLMESH_SANDBOX_ADDRESS\" && exit 7",
        "to {address}!",
        "{address}",
    ])
    .docker(docker)
    .stdout(format!("to tcp://127.0.0.1:<port>! {TAG} unset\n"))
    .stderr(INTRODUCTION)
    .status(7)
    .check();
    let calls = checked.main_calls();
    assert!(calls.iter().any(|call| *call == format!("stop -t 3 {ID}")), "{calls:?}");
    assert_eq!(*calls.last().unwrap(), format!("rm --force --volumes {ID}"));
}

#[test]
fn a_command_that_a_signal_kills() {
    let (docker, _server) = up();
    Run::new(["-q", "run", "CartPole-v1", "--", "sh", "-c", "kill -9 $$"]).docker(docker).status(137).check();
}

#[test]
fn a_command_that_is_not_there_or_cannot_be_run() {
    let (docker, _server) = up();
    Run::line("-q run CartPole-v1 -- nosuchcommand")
        .docker(docker)
        .status(127)
        .stderr(
            "error: the command nosuchcommand could not be started: No such file or directory (os error 2)\n\
             hint: check the command's name and PATH; the environment itself was ready\n",
        )
        .check();
    let (docker, _server) = up();
    Run::line("-q run CartPole-v1 -- /etc/passwd")
        .docker(docker)
        .status(126)
        .stderr(
            "error: the command /etc/passwd could not be started: Permission denied (os error 13)\n\
             hint: check the command's name and PATH; the environment itself was ready\n",
        )
        .check();
}

#[test]
fn a_signal_from_a_process_is_the_commands_to_answer() {
    let (docker, _server) = up();
    let run = Run::new([
        "-q",
        "run",
        "CartPole-v1",
        "--",
        "sh",
        "-c",
        "trap 'echo caught; exit 5' TERM; : >ready; while [ -d \"$HOME\" ]; do sleep 0.05; done",
    ])
    .docker(docker)
    .stdout("caught\n")
    .status(5);
    run.check_while(|run, child| {
        eventually("the command", || run.here().join("ready").exists().then_some(()));
        signal(child, Signal::TERM);
    });
}

#[test]
fn a_second_signal_does_not_wait_for_the_command() {
    let (docker, _server) = up();
    let ignoring = "trap '' INT TERM; : >ready; while [ -d \"$HOME\" ]; do sleep 0.05; done";
    let run = Run::new(["-q", "run", "CartPole-v1", "--", "sh", "-c", ignoring]).docker(docker).status(137);
    run.check_while(|run, child| {
        eventually("the command", || run.here().join("ready").exists().then_some(()));
        // Two different ones: the same one twice can arrive as one.
        signal(child, Signal::INT);
        signal(child, Signal::TERM);
    });
}

#[test]
fn in_the_foreground_until_a_signal() {
    for (sent, status, said) in [(Signal::INT, 130, "interrupted"), (Signal::TERM, 143, "terminated")] {
        let (docker, _server) = up_with(Reply::stdout("serving\n").marks("following").hangs());
        let run = Run::line("run CartPole-v1")
            .docker(docker)
            .env(WAITS, UNWATCHED)
            .stdout("tcp://127.0.0.1:<port>\n")
            .stderr(format!("{INTRODUCTION}{PYTHON}{CTRL_C}| serving\n{said}\n"))
            .status(status);
        let checked = run.check_while(|run, child| {
            run.stand_in().wait_for("following");
            signal(child, sent);
        });
        assert_eq!(*checked.main_calls().last().unwrap(), format!("rm --force --volumes {ID}"));
    }
}

/// An engine on which the container ends with this exit code after it has printed a log. The engine has these events
/// of it.
fn ending(code: i32, log: &'static str, events: &'static str) -> (StandIn, Server) {
    let docker = StandIn::new()
        .on("events *", Reply::stdout(events))
        .on(&format!("logs --follow {ID}"), Reply::stdout(log).marks("ended"))
        .on(&format!("logs --tail * {ID}"), Reply::stdout(log));
    ended(docker, code)
}

/// Adds the rules of an engine on which the container runs until there is the mark `ended`.
pub(crate) fn ended(docker: StandIn, code: i32) -> (StandIn, Server) {
    let server = Server::answering(fixture("handshake-cartpole.bin"));
    let exited = String::from_utf8(fixture("inspect/exited.json")).unwrap();
    let exited = exited.replace("\"ExitCode\": 137", &format!("\"ExitCode\": {code}"));
    let inspect = format!("container inspect -- {ID}");
    let docker = docker
        .on(&inspect, Reply::stdout(inspection("inspect/running.json", &server)).until("ended"))
        .on(&inspect, Reply::stdout(exited))
        .on(&format!("stop -t * {ID}"), Reply::default())
        .on(&format!("rm --force --volumes {ID}"), Reply::default());
    (comes_up(docker, &server), server)
}

#[test]
fn in_the_foreground_until_the_containers_own_end() {
    const LOG: &str = "bye\nTraceback (most recent call last):\n  File \"/opt/e.py\", line 3, in f\n    g()\nValueError: no licence\nhint: x\n";
    for (code, log, events, status, said) in [
        (0, "bye\n", "", 0, "CartPole-v1 ended by itself\n"),
        (0, "bye\n", "kill\n", 143, "CartPole-v1 was stopped from elsewhere\n"),
        (143, "bye\n", "kill\n", 143, "CartPole-v1 was stopped from elsewhere\n"),
        (
            1,
            LOG,
            "",
            1,
            "\nerror: CartPole-v1 ended with exit code 1: ValueError: no licence\n  File \"/opt/e.py\", line 3, in f\n    g()\n  ValueError: no licence\n  hint: x\nthe whole log: ",
        ),
        (137, "bye\n", "", 1, "error: CartPole-v1 ended with exit code 137\n"),
    ] {
        let (docker, _server) = ending(code, log, events);
        let checked = Run::line("run CartPole-v1")
            .docker(docker)
            .env(WAITS, UNWATCHED)
            .stdout("tcp://127.0.0.1:<port>\n")
            .stderr_with([&format!("{INTRODUCTION}{PYTHON}{CTRL_C}| bye\n"), said])
            .status(status)
            .check();
        let last = checked.stderr.lines().last().unwrap_or_default();
        assert!(status != 1 || last.starts_with("hint: "), "{}", checked.stderr);
    }
}

#[test]
fn the_log_of_a_container_does_not_look_like_ours() {
    let log = "RLMesh sandbox serving tcp://0.0.0.0:50051\n<frozen runpy>:88: WorkflowEditionWarning: no workflow edition declared: floating\nerror: a\x1b[2J\x1b]0;t\x07\x1b[31mred\x1b[0m\u{202e}\n10%\r20%\r\nhint: b";
    let (docker, _server) = ending(0, log, "");
    Run::line("run CartPole-v1")
        .docker(docker)
        .env(WAITS, UNWATCHED)
        .stdout("tcp://127.0.0.1:<port>\n")
        .stderr(format!(
            "{INTRODUCTION}{PYTHON}{CTRL_C}| error: a\\u{{1b}}[2J\\u{{1b}}]0;t\\u{{7}}red\\u{{202e}}\n| 10%\n| 20%\n| hint: b\nCartPole-v1 ended by itself\n"
        ))
        .check();
}

#[test]
fn a_lifetime_is_the_first_program_of_the_container() {
    let (docker, _server) = ending(124, "bye\n", "");
    let checked = Run::line("run CartPole-v1 --ttl 1h")
        .docker(docker)
        .env(WAITS, UNWATCHED)
        .stdout("tcp://127.0.0.1:<port>\n")
        .stderr_with(["to stop      press Ctrl-C, or it ends after 1h\n"])
        .status(1)
        .check();
    let start = checked.main_calls().into_iter().find(|call| call.starts_with("run -d")).unwrap().to_owned();
    assert!(
        start.contains("--entrypoint timeout ") && start.contains("--label rlmesh.sandbox.ttl=3600 "),
        "{start}"
    );
    assert!(
        start.ends_with(&format!(" {TAG} -k 10 3600 python -m rlmesh._bootstrap.sandbox_env")),
        "{start}"
    );
}

#[test]
fn a_command_that_fails_shows_the_last_error_of_the_environment() {
    let log =
        "Traceback (most recent call last):\n  File \"/opt/e.py\", line 3, in step\nValueError: no licence\n";
    for (command, shows) in [("false", true), ("true", false)] {
        let (docker, _server) = up();
        let docker = docker.on(&format!("logs --tail * {ID}"), Reply::stdout(log));
        let checked = Run::new(["run", "CartPole-v1", "--", command])
            .docker(docker)
            .status(i32::from(shows))
            .stderr_with([INTRODUCTION])
            .check();
        let warned = "\nwarning: the last error of CartPole-v1: ValueError: no licence\n  File \"/opt/e.py\", line 3, in step\n";
        assert_eq!(checked.stderr.contains(warned), shows, "{}", checked.stderr);
        assert_eq!(checked.stderr.contains("\nhint: "), shows, "{}", checked.stderr);
    }
}

#[test]
fn a_variable_with_a_wrong_name_is_reported() {
    let (docker, _server) = up();
    Run::line("run -d CartPole-v1")
        .docker(docker)
        .env("RLMESH_SANDBOX_BASEIMAGE", "x")
        .stdout("tcp://127.0.0.1:<port>\n")
        .stderr_with(["warning: there is no variable RLMESH_SANDBOX_BASEIMAGE: did you mean RLMESH_SANDBOX_BASE_IMAGE?\n"])
        .check();
}

#[test]
fn a_log_that_breaks_off_goes_on_without_what_was_shown() {
    let docker = StandIn::new()
        .on("events *", Reply::default())
        .on(&format!("logs --follow --tail 0 {ID}"), Reply::stdout("two\n").marks("ended"))
        .on(&format!("logs --follow {ID}"), Reply { status: 1, ..Reply::stdout("one\n") });
    let (docker, _server) = ended(docker, 0);
    Run::line("run CartPole-v1")
        .docker(docker)
        .stdout("tcp://127.0.0.1:<port>\n")
        .stderr(format!("{INTRODUCTION}{PYTHON}{CTRL_C}| one\n| two\nCartPole-v1 ended by itself\n"))
        .check();
}

#[test]
fn options_reach_the_payload() {
    let (docker, _server) = up_answering(handshake_with(&copies(4)), Reply::default().hangs());
    let checked = Run::new([
        "-q",
        "run",
        "-d",
        "CartPole-v1",
        "-n",
        "4",
        "--vectorization-mode",
        "async",
        "-k",
        "render_mode=rgb_array",
        "--kwargs",
        "@-",
        "-i",
        "os.path",
    ])
    .stdin(r#"{"max_episode_steps": 50, "render_mode": "human"}"#)
    .docker(docker.on("image inspect*", Reply::default()))
    .stdout("tcp://127.0.0.1:<port>\n")
    .check();
    assert_eq!(
        checked.left("variables").trim(),
        r#"RLMESH_BOOTSTRAP_JSON={"spec":{"kind":"gym","env_id":"CartPole-v1","imports":["os.path"],"kwargs":{"max_episode_steps":50,"render_mode":"rgb_array"},"num_envs":4,"vectorization_mode":"async"}}"#
    );
    let calls = checked.calls;
    assert!(
        !calls.iter().any(|call| call.contains("rgb_array")),
        "the payload is on a command line: {calls:?}"
    );
}

#[test]
fn a_payload_too_large_for_a_variable_is_copied_in() {
    let server = Server::answering(fixture("handshake-cartpole.bin"));
    let docker = StandIn::new()
        .on("create *", Reply::stdout(format!("{ID}\n")))
        .on("cp --quiet *", Reply::default().hook("cp \"$3\" \"$STAND_IN/payload\""));
    let docker = comes_up(docker, &server);
    let run = Run::new(["-q", "run", "-d", "CartPole-v1", "--kwargs", "@big.json"])
        .docker(docker)
        .stdout("tcp://127.0.0.1:<port>\n");
    let big = "x".repeat(10 << 20);
    std::fs::write(run.here().join("big.json"), format!("{{\"data\":\"{big}\"}}")).unwrap();
    let checked = run.check();
    let calls = checked.main_calls();
    assert!(
        calls[0].ends_with(&format!("{TAG} /opt/rlmesh/bootstrap.json"))
            && !calls[0].contains("--env RLMESH"),
        "{}",
        calls[0]
    );
    assert_eq!(
        calls[1],
        "cp --quiet <world>/tmp/rlmesh-sandbox-run-<random>/bootstrap.json rlmesh-sandbox-cartpole-v1-<uuid>:/opt/rlmesh/bootstrap.json"
    );
    assert_eq!(calls[2], "start rlmesh-sandbox-cartpole-v1-<uuid>");
    let payload: serde_json::Value = serde_json::from_str(&checked.left("payload")).unwrap();
    assert_eq!(payload["spec"]["kwargs"]["data"].as_str().unwrap().len(), 10 << 20);
}

#[test]
fn a_prebuilt_image_gets_its_own_variables() {
    let (docker, _server) = up_answering(handshake_with(&copies(2)), Reply::default().hangs());
    let checked = Run::line("-q run -d image://ghcr.io/org/env:1 -n 2 -k level=3")
        .docker(docker)
        .stdout("tcp://127.0.0.1:<port>\n")
        .check();
    assert_eq!(checked.left("variables").trim(), "RLMESH_MAKE_KWARGS={\"level\":3}\nRLMESH_NUM_ENVS=2");
    let (docker, _server) = up();
    let checked = Run::line("-q run -d docker://env --vectorization-mode sync")
        .docker(docker)
        .stdout("tcp://127.0.0.1:<port>\n")
        .check();
    assert_eq!(checked.left("variables").trim(), "RLMESH_VECTORIZATION_MODE=sync");
}

#[test]
fn a_prebuilt_image_that_is_not_here_is_pulled() {
    let server = Server::answering(fixture("handshake-cartpole.bin"));
    let missing = "docker: Error response from daemon: No such image: env:1\n";
    let docker = StandIn::new()
        .on("run -d *", Reply::fails(125, missing).once())
        .on("pull --quiet env:1", Reply::stdout("env:1\n"))
        .on("image inspect *", Reply::stdout(format!("{IMAGE_ID}\n")));
    let docker = comes_up(docker, &server);
    let introduction = INTRODUCTION.replace(TAG, "env:1").replace("sandbox-cartpole-v1-", "sandbox-env-");
    Run::line("run -d image://env:1")
        .docker(docker)
        .stdout("tcp://127.0.0.1:<port>\n")
        .stderr(format!(
            "pulling env:1\nbuilt in N s\n{introduction}{PYTHON}  to stop      rlmesh-sandbox stop 45d51db4c7f0\n"
        ))
        .check();
}

#[test]
fn an_owner_that_was_named_is_on_the_label() {
    let (docker, _server) = up();
    let pid = std::process::id();
    let checked = Run::new([
        "-q".to_owned(),
        "run".into(),
        "-d".into(),
        "--owner-pid".into(),
        pid.to_string(),
        "CartPole-v1".into(),
    ])
    .docker(docker)
    .stdout("tcp://127.0.0.1:<port>\n")
    .check();
    let start = checked.main_calls()[0].to_owned();
    assert!(start.contains(&format!("--label rlmesh.sandbox.owner-pid={pid} ")), "{start}");
    for label in ["owner-pid-ns=pid:[", "owner-start=", "owner-boot="] {
        assert!(start.contains(&format!("--label rlmesh.sandbox.{label}")), "{start}");
    }
}

#[test]
fn another_protocol_is_a_warning() {
    let (docker, _server) = up_answering(fixture("handshake-mismatch.bin"), Reply::default().hangs());
    Run::line("run -d CartPole-v1")
        .docker(docker)
        .stdout("tcp://127.0.0.1:<port>\n")
        .stderr_with([
            "warning: the container's rlmesh uses another protocol than this tool (rlmesh-wire-v1): \
             protocol generation rlmesh-wire-v9 not compatible with server rlmesh-wire-v1\n",
            "is ready after",
        ])
        .check();
}
