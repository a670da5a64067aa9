//! `check` and `run --check`, and what is said about a handshake: what reaches docker, what is printed, what is left.

use rustix::process::Signal;

use crate::run::{ID, copies, ended, handshake_with, up, up_answering};
use crate::support::server::Server;
use crate::support::{Reply, Run, StandIn, signal};

/// The script that aborts the environment has no arguments.
pub(crate) const ABORT: &str = "exec *(os.environ[\"RLMESH_SANDBOX_SCRIPT\"])";

const EXEC: &str = "exec --env RLMESH_SANDBOX_SCRIPT -- 45d51db4c7f03554471a711a1fdb027606d2a6171802410b7e9bffa1cdfab1e0 python *";

const CALLS: &str = "{\"call\":\"import\"}\n{\"call\":\"connect\"}\n{\"call\":\"reset\"}\n";

const REPORT: &str = "{\"report\":{\"reset_seconds\":0.0031,\"step_seconds\":0.00031,\"render_seconds\":null,\"steps\":5,\
    \"rewards\":[\"-inf\",\"1.0\"],\"terminated\":true,\"truncated\":false,\"info_keys\":[\"episode_ids\",\"a\\u001b[2J\"],\"frame\":null}}\n";

/// What the script prints if all works.
pub(crate) fn works() -> Reply {
    Reply::stdout(format!("{CALLS}{{\"call\":\"step\"}}\n{REPORT}"))
        .hook("printf '%s' \"$RLMESH_SANDBOX_SCRIPT\" >\"$STAND_IN/script\"")
}

/// An engine on which CartPole-v1 comes up, and whose exec answers like this.
pub(crate) fn with_exec(exec: Reply) -> (StandIn, Server) {
    let (docker, server) = up();
    let docker = docker
        .on(ABORT, Reply::default())
        .on(EXEC, exec)
        .on(&format!("logs --tail 5000 {ID}"), Reply::stdout("a line\n"))
        .on("rm --force --volumes rlmesh-sandbox-cartpole-v1-*", Reply::default());
    (docker, server)
}

fn removed(calls: &[&str]) -> bool {
    calls.contains(&"rm --force --volumes rlmesh-sandbox-cartpole-v1-<uuid>")
}

#[test]
fn what_was_seen_is_the_result() {
    let (docker, _server) = with_exec(works());
    let checked = Run::line("-q check CartPole-v1")
        .docker(docker)
        .stdout_with([
            "environment  CartPole-v1\nimage        rlmesh-sandbox-cartpole-v1:7e4a80df0452\nobservation  Box([-4.8 -inf",
            "\naction       Discrete(2)\nenvs         1\nversions     rlmesh 0.1.0, gymnasium 1.4.0",
            "\nstart        ",
            "\nreset        3.1 ms\nstep         0.31 ms (mean of 5)\nreward       -inf to 1\nepisode      terminated\ninfo         episode_ids, a\\u{1b}[2J\nstop         ",
        ])
        .check();
    let calls = checked.main_calls();
    assert!(
        calls.iter().any(|call| call.ends_with(
            "python -W ignore -c import os; exec(os.environ[\"RLMESH_SANDBOX_SCRIPT\"]) tcp://127.0.0.1:<port> 1 5"
        )),
        "{calls:?}"
    );
    assert_eq!(*calls.last().unwrap(), format!("rm --force --volumes {ID}"));
    assert_eq!(checked.left("script").trim_end(), include_str!("../src/sandbox/check.py").trim_end());
}

#[test]
fn the_result_as_json() {
    let (docker, _server) = with_exec(works());
    let checked = Run::line("check CartPole-v1 --format json").docker(docker).any_stdout().check();
    let json: serde_json::Value = checked.json();
    assert_eq!(json["source"], "gym://CartPole-v1");
    assert_eq!(json["env"]["action_space"]["n"], 2);
    assert_eq!(json["rewards"], serde_json::json!(["-inf", 1.0]));
    assert_eq!((&json["steps"], &json["terminated"], &json["frame"]), (&5.into(), &true.into(), &().into()));
    let timings = &json["timings"];
    assert_eq!((timings["reset"].as_f64(), timings["step"].as_f64()), (Some(0.0031), Some(0.00031)));
    assert!(
        timings["start"].is_f64() && timings["stop"].is_f64() && timings["render"].is_null(),
        "{timings}"
    );
}

#[test]
fn a_run_can_be_checked_before_its_address_is_printed() {
    let (docker, _server) = with_exec(works());
    let checked = Run::line("run -d --check CartPole-v1")
        .docker(docker)
        .stdout("tcp://127.0.0.1:<port>\n")
        .stderr_with(["\n  checked      reset 3.1 ms, step 0.31 ms\n"])
        .check();
    assert!(!checked.calls.iter().any(|call| call.starts_with("stop")), "{:?}", checked.calls);
    let (docker, _server) = with_exec(works());
    let checked = Run::line("run -d --check --format json CartPole-v1").docker(docker).any_stdout().check();
    let json: serde_json::Value = checked.json();
    assert_eq!(json["check"]["timings"]["reset"].as_f64(), Some(0.0031));
}

#[test]
fn the_call_that_failed_is_named_and_explained() {
    let failure = "{\"failure\":\"EnvironmentException: [INTERNAL] reset failed: ImportError: libGL.so.1: cannot open shared object file: No such file or directory\"}\n";
    for line in
        ["check CartPole-v1", "run -d --check CartPole-v1", "run --check CartPole-v1 -- sh -c 'echo started'"]
    {
        let (docker, _server) = with_exec(Reply::stdout(format!("{CALLS}{failure}")));
        let checked = Run::line(line)
            .docker(docker)
            .status(6)
            .stderr_with([
                "error: the environment started, but reset failed: ImportError: libGL.so.1: cannot open shared object file: No such file or directory\n  a line\n",
                " --apt libgl1",
            ])
            .check();
        assert!(removed(&checked.main_calls()), "{:?}", checked.calls);
    }
}

#[test]
fn a_reset_of_the_old_api_is_not_blamed_on_the_users_options() {
    let failure = "{\"failure\":\"EnvironmentException: [INTERNAL] reset failed: TypeError: Env.reset() got an unexpected keyword argument 'seed'\"}\n";
    let (docker, _server) = with_exec(Reply::stdout(format!("{CALLS}{failure}")));
    Run::line("check CartPole-v1")
        .docker(docker)
        .status(6)
        .stderr_with(["hint: the environment has the interface of gym before 0.26"])
        .check();
}

#[test]
fn a_call_that_does_not_return_is_named_with_its_place() {
    let (docker, _server) = up();
    let stack = "Fatal Python error: Aborted\n\nCurrent thread 0x2 (most recent call first):\n  File \"/opt/env.py\", line 19 in wait\n";
    let docker = docker
        .on(ABORT, Reply::default())
        .on(EXEC, Reply::stdout(CALLS).hangs())
        .on(&format!("logs --tail 5000 {ID}"), Reply::stdout(stack))
        .on("rm --force --volumes rlmesh-sandbox-cartpole-v1-*", Reply::default());
    // Also the time in which a loaded machine has to get as far as the reset.
    let checked = Run::line("check CartPole-v1 --ready-timeout 5")
        .docker(docker)
        .status(6)
        .stderr_with([
            "error: the environment started, but reset did not return within ",
            "; it is at /opt/env.py:19 in wait\n  File \"/opt/env.py\", line 19, in wait\nthe whole log: ",
            "\nhint: it may only need more time\nhint: rlmesh-sandbox check CartPole-v1 --ready-timeout 60\n",
        ])
        .check();
    assert!(removed(&checked.main_calls()), "{:?}", checked.calls);
}

#[test]
fn the_end_of_the_container_is_noticed() {
    let crash = Reply { stdout: CALLS.into(), ..Reply::fails(137, "") }.hook("touch \"$STAND_IN/ended\"");
    let docker = StandIn::new()
        .on(EXEC, crash)
        .on(&format!("logs --tail 5000 {ID}"), Reply::stdout("a line\n"))
        .on("rm --force --volumes rlmesh-sandbox-cartpole-v1-*", Reply::default());
    let (docker, _server) = ended(docker, 137);
    Run::line("check CartPole-v1")
        .docker(docker)
        .status(6)
        .stderr_with([
            "error: the container ended in reset (exit code 137)\n  a line\nthe whole log: ",
            "\nhint: the container was killed",
        ])
        .check();
}

#[test]
fn an_image_without_the_client_has_its_own_error() {
    let missing = "OCI runtime exec failed: exec failed: unable to start container process: exec: \"python\": executable file not found in $PATH: unknown\n";
    let hint = "hint: a check needs `python` with rlmesh and numpy in the image; without them, leave out the check\n";
    let (docker, _server) = with_exec(Reply::fails(126, missing));
    Run::line("check CartPole-v1")
        .docker(docker)
        .status(6)
        .stderr_with([
            "error: the environment started, but it could not be checked: OCI runtime exec failed",
            hint,
        ])
        .check();
    let no_module =
        "{\"call\":\"import\"}\n{\"failure\":\"ModuleNotFoundError: No module named 'rlmesh'\"}\n";
    let (docker, _server) = with_exec(Reply::stdout(no_module));
    Run::line("check CartPole-v1")
        .docker(docker)
        .status(6)
        .stderr(format!(
            "error: the environment started, but it could not be checked: ModuleNotFoundError: No module named 'rlmesh'\n{hint}"
        ))
        .check();
    let (docker, _server) = with_exec(Reply::stdout("{\"report\":{\"steps\":5}}\n"));
    Run::line("check CartPole-v1")
        .docker(docker)
        .status(6)
        .stderr_with(["error: the environment started, but the result of its check cannot be read\n"])
        .check();
}

#[test]
fn a_signal_ends_a_check() {
    let (docker, _server) = with_exec(Reply::stdout(CALLS).marks("checking").hangs());
    let checked =
        Run::line("check CartPole-v1").docker(docker).status(130).stderr("interrupted\n").check_while(
            |run, child| {
                run.stand_in().wait_for("checking");
                signal(child, Signal::INT);
            },
        );
    assert!(removed(&checked.main_calls()), "{:?}", checked.calls);
}

#[test]
fn another_number_of_copies_is_an_error() {
    let (docker, _server) = up();
    let docker = docker.on("rm --force --volumes rlmesh-sandbox-cartpole-v1-*", Reply::default());
    let checked = Run::line("run -d CartPole-v1 -n 2")
        .docker(docker)
        .status(6)
        .stderr_with(["error: the environment serves 1 copy, but -n 2 was requested\nhint: "])
        .check();
    assert!(removed(&checked.main_calls()), "{:?}", checked.calls);
}

#[test]
fn an_environment_with_other_copies_or_render_mode_than_requested_is_a_warning() {
    let (docker, _server) = up_answering(handshake_with(&copies(3)), Reply::default().hangs());
    Run::line("run -d CartPole-v1 -k render_mode=rgb_array")
        .docker(docker)
        .stdout("tcp://127.0.0.1:<port>\n")
        .stderr_with([
            "warning: the environment serves 3 copies although one was requested: connect with RemoteVectorEnv\n",
            "warning: render_mode=rgb_array was requested, but the environment has no render mode (it lists human, rgb_array)\n",
        ])
        .check();
}

#[test]
fn an_empty_space_is_an_error() {
    // The length 0 is added to the shape of the observation space.
    let empty = [0x0a, 0x05, 0x1a, 0x03, 0x0a, 0x01, 0x00];
    let (docker, _server) = up_answering(handshake_with(&empty), Reply::default().hangs());
    let docker = docker.on("rm --force --volumes rlmesh-sandbox-cartpole-v1-*", Reply::default());
    Run::line("run -d CartPole-v1")
        .docker(docker)
        .status(6)
        .stderr_with(["error: the observation space of CartPole-v1 is empty: Box("])
        .check();
}
