//! `run`, where something goes wrong: each failure in its own words, and no container left.

use rustix::process::Signal;

use crate::check::ABORT;
use crate::run::{ID, inspection, up};
use crate::support::server::Server;
use crate::support::{Reply, Run, StandIn, fixture, signal};

/// The line that names the file of the log.
const LOG: &str = "the whole log: <world>/home/.local/state/rlmesh-sandbox/logs/<log>\n";

/// The container is made, and then `inspect` says this of it.
fn started(inspect: Reply) -> StandIn {
    StandIn::new()
        .on("ps --all*", Reply::default())
        .on("run -d *", Reply::stdout(format!("{ID}\n")))
        .on(&format!("container inspect -- {ID}"), inspect)
        .on("rm --force --volumes rlmesh-sandbox-cartpol*", Reply::default())
}

fn removed(calls: &[&str]) -> bool {
    // What watches over the start may still ask something after it.
    calls.contains(&"rm --force --volumes rlmesh-sandbox-cartpole-v1-<uuid>")
}

#[test]
fn docker_refuses_the_container() {
    let docker = StandIn::new()
        .on("ps --all*", Reply::default())
        .on(
            "run -d *",
            Reply::fails(125, "docker: Error response from daemon: driver failed programming external connectivity on endpoint x: no port left.\n\nRun 'docker run --help' for more information\n"),
        )
        .on("rm *", Reply::default());
    let checked = Run::line("run CartPole-v1")
        .docker(docker)
        .status(6)
        .stderr(
            "error: the container did not start: driver failed programming external connectivity on endpoint x: no port left\n\
             hint: read docker's message, and check that `docker info` works\n",
        )
        .check();
    assert!(removed(&checked.main_calls()), "{:?}", checked.calls);
}

#[test]
fn a_name_that_is_taken_is_tried_again_and_never_removed() {
    let conflict = "docker: Error response from daemon: Conflict. The container name \"/rlmesh-sandbox-x\" is already in use by container \"abc\". You have to remove (or rename) that container to be able to reuse that name.\n";
    let docker = StandIn::new().on("ps --all*", Reply::default()).on("run -d *", Reply::fails(125, conflict));
    let checked = Run::line("run CartPole-v1")
        .docker(docker)
        .status(6)
        .stderr_with(["error: the container did not start because its name is taken"])
        .check();
    let calls = checked.calls;
    assert_eq!(calls.iter().filter(|call| call.starts_with("run -d")).count(), 3);
    assert!(!calls.iter().any(|call| call.starts_with("rm")), "{calls:?}");
}

#[test]
fn a_name_of_the_users_that_is_taken_is_refused() {
    const TAKEN: &str = "error: there is already a container with the name trainer\n\
         hint: use another --name, or stop that one with `rlmesh-sandbox stop trainer`\n";
    let find = "container inspect --format {{.Id}} -- trainer";
    let docker = StandIn::new().on("ps --all*", Reply::default()).on(find, Reply::stdout(format!("{ID}\n")));
    let run = Run::line("run CartPole-v1 --name trainer");
    let checked = run.docker(docker).status(2).stderr(TAKEN).check();
    assert!(!checked.calls.iter().any(|call| call.starts_with("run")), "{:?}", checked.calls);
    // Or after that look.
    let conflict = "docker: Error response from daemon: Conflict. The container name \"/trainer\" is already in use by container \"abc\".\n";
    let docker = StandIn::new()
        .on("ps --all*", Reply::default())
        .on(find, Reply::missing_container())
        .on("run -d *", Reply::fails(125, conflict));
    let run = Run::line("run CartPole-v1 --name trainer");
    let calls = run.docker(docker).status(2).stderr(TAKEN).check().calls;
    assert_eq!(calls.iter().filter(|call| call.starts_with("run -d")).count(), 1, "{calls:?}");
    assert!(!calls.iter().any(|call| call.starts_with("rm")), "{calls:?}");
}

#[test]
fn the_container_ends_while_it_starts() {
    let log = "Traceback (most recent call last):\ngymnasium.error.NameNotFound: Environment `CartPol` doesn't exist. Did you mean: `CartPole`?\n\nRuntimeError: failed to create gym environment 'CartPol-v1' with gymnasium\n";
    let docker = started(Reply::stdout(fixture("inspect/exited.json")))
        .on(&format!("logs --tail 5000 {ID}"), Reply::default().stderr(log));
    let checked = Run::line("run -d CartPol-v1 --no-auto")
        .docker(docker)
        .status(6)
        .stderr(format!(
            "error: the container ended while it started (state exited, exit code 137): gymnasium.error.NameNotFound: Environment `CartPol` doesn't exist. Did you mean: `CartPole`?\n\
             {LOG}hint: did you mean CartPole-v1?\n\
             hint: rlmesh-sandbox run -d CartPole-v1 --no-auto\n"
        ))
        .check();
    assert!(
        checked.main_calls().contains(&"rm --force --volumes rlmesh-sandbox-cartpol-v1-<uuid>"),
        "{:?}",
        checked.calls
    );
    let folder = checked.run.home().join(".local/state/rlmesh-sandbox/logs");
    let logs: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(std::fs::read_to_string(&logs[0]).unwrap(), log);
}

#[test]
fn a_look_into_the_image_finds_all_missing_libraries() {
    let log = "Traceback (most recent call last):\n  File \"/usr/lib/python3/site-packages/cv2/__init__.py\", line 1, in <module>\n    x\nImportError: libxcb.so.1: cannot open shared object file: No such file or directory\n";
    let answer =
        "{\"missing\": {\"libGL.so.1\": [\"cv2\"], \"libxcb.so.1\": [\"cv2\"], \"$(x).so\": [\"cv2\"]}}\n";
    let look = |reply: Reply| {
        started(Reply::stdout(fixture("inspect/exited.json")))
            .on(&format!("logs --tail 5000 {ID}"), Reply::default().stderr(log))
            .on("run --rm *", reply)
            .on("rm --force --volumes rlmesh-sandbox-look-*", Reply::default())
    };
    let checked = Run::line("run -d CartPole-v1")
        .docker(look(Reply::stdout(answer)))
        .status(6)
        .stderr_with([
            "\n  File \"…/cv2/__init__.py\", line 1, in <module>\n    x\n  ImportError: libxcb.so.1",
            "\nhint: the image lacks the system libraries libGL.so.1, libxcb.so.1\n",
            "\nhint: rlmesh-sandbox run -d CartPole-v1 --apt libgl1 --apt libxcb1\n",
        ])
        .check();
    let call = checked.calls.iter().find(|call| call.starts_with("run --rm")).unwrap();
    for option in [" --network none ", " --read-only ", " --cap-drop ALL ", " --memory ", " --pids-limit "] {
        assert!(call.contains(option), "{call}");
    }
    // What does not answer as it should is removed, and counts as nothing.
    for reply in
        [Reply::stdout("x".repeat(300_000)), Reply::fails(1, "x"), Reply::stdout("{\"missing\": 1}\n")]
    {
        let fails = reply.status != 0 || reply.stdout.len() > 1000;
        let checked = Run::line("run -d CartPole-v1")
            .docker(look(reply))
            .status(6)
            .stderr_with(["hint: rlmesh-sandbox run -d CartPole-v1 --apt libxcb1\n"])
            .check();
        let removes = checked
            .calls
            .iter()
            .any(|call| call.contains("rlmesh-sandbox-look-<uuid>") && call.starts_with("rm"));
        assert_eq!(removes, fails, "{:?}", checked.calls);
    }
}

#[test]
fn the_log_is_shown_where_it_cannot_be_kept_and_with_verbose() {
    let log: String = (0..30).map(|number| format!("hint: line {number}\n")).collect();
    let docker = || {
        started(Reply::stdout(fixture("inspect/exited.json")))
            .on(&format!("logs --tail 5000 {ID}"), Reply::stdout(log.as_str()))
    };
    let checked = Run::line("run -d CartPole-v1").docker(docker()).status(6).any_stderr().check();
    assert!(!checked.stderr.contains("line 21\n") && checked.stderr.contains("\n  hint: line 22\n"));
    let run = Run::line("run -d CartPole-v1").env("XDG_STATE_HOME", "/dev/null");
    let checked = run.docker(docker()).status(6).any_stderr().check();
    assert!(!checked.stderr.contains("the whole log"), "{}", checked.stderr);
    assert!(checked.stderr.contains("\n  hint: line 10\n"), "{}", checked.stderr);
    let checked = Run::line("-v run -d CartPole-v1").docker(docker()).status(6).any_stderr().check();
    assert!(checked.stderr.contains("the whole log:\n  hint: line 0\n"), "{}", checked.stderr);
    let checked =
        Run::line("run -d CartPole-v1 --format json").docker(docker()).status(6).any_stderr().check();
    let error = checked.json_error();
    assert_eq!(error["exit_code"], 6);
    assert!(error["log_file"].as_str().unwrap().ends_with("<log>"), "{error}");
    assert!(error["hints"][0].as_str().unwrap().starts_with("the container was killed"), "{error}");
}

#[test]
fn the_containers_end_is_noticed_at_once() {
    let server = Server::not_running();
    let inspect = format!("container inspect -- {ID}");
    let docker = StandIn::new()
        .on("ps --all*", Reply::default())
        .on("run -d *", Reply::stdout(format!("{ID}\n")))
        .on(&inspect, Reply::stdout(inspection("inspect/running.json", &server)).once().marks("inspected"))
        .on(&inspect, Reply::stdout(fixture("inspect/exited.json")))
        .on("logs *", Reply::stdout("oops\n").hangs_until("inspected"))
        .on("rm --force *", Reply::default());
    // An hour: had the wait not ended with the container, this test would not end either.
    Run::line("run -d CartPole-v1 --ready-timeout 3600")
        .docker(docker)
        .status(6)
        .stderr(format!(
            "error: the container ended while it started (state exited, exit code 137)\n  oops\n{LOG}\
             hint: the container was killed, most likely because it ran out of memory: give Docker more memory, or serve fewer copies (-n)\n"
        ))
        .check();
}

#[test]
fn an_environment_that_never_answers() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server { address: listener.local_addr().unwrap() };
    let docker = started(Reply::stdout(inspection("inspect/running.json", &server)))
        .on(&format!("wait {ID}"), Reply::default().hangs())
        .on("context inspect *", Reply::stdout("default unix:///var/run/docker.sock\n"))
        .on("stats *", Reply::stdout("0.10%\n"))
        .on(ABORT, Reply::fails(1, "Error response from daemon: x\n"))
        .on("logs *", Reply::stdout("still loading\n"));
    let checked = Run::line("run -d CartPole-v1 --ready-timeout 0.3")
        .docker(docker)
        .status(6)
        .stderr(format!(
            "error: the container did not answer within 300ms: nothing answered yet\n  still loading\n{LOG}\
             hint: it may only need more time\n\
             hint: rlmesh-sandbox run -d CartPole-v1 --ready-timeout 60\n"
        ))
        .check();
    assert!(removed(&checked.main_calls()), "{:?}", checked.calls);
}

#[test]
fn an_engine_on_another_machine_keeps_the_port_to_itself() {
    let server = Server::not_running();
    let docker = started(Reply::stdout(inspection("inspect/running.json", &server)))
        .on(&format!("wait {ID}"), Reply::default().hangs())
        .on("context inspect *", Reply::stdout("default tcp://10.0.0.1:2376\n"))
        .on("logs *", Reply::default());
    Run::line("run -d CartPole-v1 --ready-timeout 0.2")
        .env("DOCKER_HOST", "tcp://10.0.0.1:2376")
        .docker(docker)
        .status(6)
        .stderr_with(["hint: the engine is on another machine"])
        .check();
}

#[test]
fn something_else_answers() {
    let server = Server::of_something_else();
    let docker = started(Reply::stdout(inspection("inspect/running.json", &server)))
        .on(&format!("wait {ID}"), Reply::default().hangs())
        .on("context inspect *", Reply::stdout("default unix:///var/run/docker.sock\n"))
        .on("logs *", Reply::stdout("hello\n"));
    let checked = Run::line("run -d image://other")
        .docker(docker.on("rm *", Reply::default()))
        .status(6)
        .stderr_with(["error: the server in the container is not an rlmesh environment", "hello\n"])
        .check();
    assert!(!checked.stderr.contains("--rlmesh-package"), "{}", checked.stderr);
}

#[test]
fn a_container_without_its_port() {
    let inspect = String::from_utf8(fixture("inspect/running.json")).unwrap().replace("50051/tcp", "80/tcp");
    let docker = started(Reply::stdout(inspect)).on("logs *", Reply::default());
    let checked = Run::line("run -d CartPole-v1").docker(docker).status(6).stderr(
        "error: docker did not publish port 50051 of the container rlmesh-sandbox-cartpole-v1-<uuid>\n\
         hint: check that the engine can publish ports on the loopback interface (`docker run -p 127.0.0.1::80 …`)\n",
    ).check();
    assert!(removed(&checked.main_calls()), "{:?}", checked.calls);
}

#[test]
fn a_container_that_is_removed_while_it_starts() {
    let docker = started(Reply::missing_container());
    Run::line("run -d CartPole-v1")
        .docker(docker)
        .status(6)
        .stderr(
            "error: the container was removed while it started\n\
             hint: run it again; make sure that nothing else removes containers, such as `docker system prune`\n",
        )
        .check();
}

#[test]
fn a_container_that_ends_and_is_removed_at_once_has_said_why() {
    let server = Server::not_running();
    let inspect = format!("container inspect -- {ID}");
    let docker = StandIn::new()
        .on("ps --all*", Reply::default())
        .on("run -d *", Reply::stdout(format!("{ID}\n")))
        .on(&inspect, Reply::stdout(inspection("inspect/running.json", &server)).once().marks("inspected"))
        .on(&inspect, Reply::missing_container())
        .on(
            &format!("logs --follow {ID}"),
            Reply::stdout(
                "ImportError: libGL.so.1: cannot open shared object file: No such file or directory\n",
            )
            .hangs_until("inspected"),
        )
        .on("logs --tail *", Reply::fails(1, "Error response from daemon: No such container\n"))
        .on("rm --force *", Reply::default());
    Run::line("run -d CartPole-v1 --ready-timeout 3600")
        .docker(docker)
        .status(6)
        .stderr_with([
            "error: the container ended while it started and was removed: ImportError: libGL.so.1",
            "hint: the image lacks the system library libGL.so.1\n",
            "hint: rlmesh-sandbox run -d CartPole-v1 --ready-timeout 3600 --apt libgl1\n",
        ])
        .check();
}

#[test]
fn a_docker_that_fails_to_inspect_for_a_while_ends_nothing() {
    let server = Server::answering(fixture("handshake-cartpole.bin"));
    let inspect = format!("container inspect -- {ID}");
    let busy = || Reply::fails(1, "Error response from daemon: context deadline exceeded\n").once();
    let docker = StandIn::new()
        .on("ps --all*", Reply::default())
        .on("run -d *", Reply::stdout(format!("{ID}\n")))
        .on(&inspect, busy())
        .on(&inspect, busy())
        .on(&inspect, Reply::stdout(inspection("inspect/running.json", &server)))
        .on("logs --follow *", Reply::default().hangs());
    Run::line("-q run -d CartPole-v1").docker(docker).stdout("tcp://127.0.0.1:<port>\n").check();
}

#[test]
fn a_container_that_cannot_be_removed_is_named_and_left_to_reap() {
    let docker = StandIn::new()
        .on("ps --all*", Reply::default())
        .on("run -d *", Reply::stdout(format!("{ID}\n")))
        .on(&format!("container inspect -- {ID}"), Reply::stdout(fixture("inspect/exited.json")))
        .on("logs *", Reply::default())
        .on(
            "rm *",
            Reply::fails(
                1,
                "Error response from daemon: driver \"overlay2\" failed to remove root filesystem\n",
            ),
        );
    // What names the container must stay.
    Run::line("run -d CartPole-v1")
        .docker(docker)
        .status(6)
        .stderr_with([
            "hint: the container rlmesh-sandbox-cartpole-v1-<uuid> may still exist",
            "run `rlmesh-sandbox reap`",
        ])
        .leaves(1)
        .check();
}

#[test]
fn with_a_dead_engine_and_without_docker() {
    for (docker, said) in [
        (StandIn::dead(), "error: the docker engine does not answer"),
        (StandIn::missing(), "error: docker is not installed"),
    ] {
        Run::line("run CartPole-v1").docker(docker).status(7).stderr_with([said, "\nhint: "]).check();
    }
}

#[test]
fn an_address_that_cannot_be_written_leaves_no_container() {
    let (docker, _server) = up();
    let run = Run::line("-q run -d CartPole-v1")
        .docker(docker)
        .status(1)
        .stderr_with(["error: cannot write the result to stdout"]);
    let mut command = run.command();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    command.stdout(writer);
    let checked = run.check_command(command, |_, _| {});
    assert!(checked.calls.contains(&format!("rm --force --volumes {ID}")), "{:?}", checked.calls);
}

#[test]
fn a_signal_while_docker_starts_the_container_waits_for_it_and_removes_it() {
    let docker = StandIn::new()
        .on("ps --all*", Reply::default())
        .on("run -d *", Reply::stdout(format!("{ID}\n")).marks("running").hangs_until("signalled"))
        .on("rm --force --volumes rlmesh-sandbox-cartpole-v1-*", Reply::default());
    let run = Run::line("run CartPole-v1").docker(docker).status(130).stderr("interrupted\n");
    let checked = run.check_while(|run, child| {
        run.stand_in().wait_for("running");
        signal(child, Signal::INT);
        run.stand_in().release("signalled");
    });
    assert!(removed(&checked.main_calls()), "{:?}", checked.calls);
}

#[test]
fn a_second_signal_does_not_wait_for_docker() {
    let docker = StandIn::new()
        .on("ps --all*", Reply::default())
        .on("run -d *", Reply::default().marks("running").hangs())
        .on("container inspect *", Reply::missing_container())
        .on("rm --force --volumes rlmesh-sandbox-cartpole-v1-*", Reply::default());
    let run = Run::line("run CartPole-v1").docker(docker).status(130).stderr("interrupted\n");
    let checked = run.check_while(|run, child| {
        run.stand_in().wait_for("running");
        // Two different ones: the same one twice can arrive as one.
        signal(child, Signal::INT);
        signal(child, Signal::TERM);
    });
    assert!(removed(&checked.main_calls()), "{:?}", checked.calls);
}

#[test]
fn a_port_that_is_taken_is_tried_again() {
    let taken = "docker: Error response from daemon: driver failed programming external connectivity on endpoint x: Bind for 127.0.0.1:32768 failed: port is already allocated.\n";
    let (docker, _server) = up();
    let docker = StandIn::new()
        .on("run -d *", Reply::fails(125, taken).once())
        .on("run -d *", Reply::fails(125, "docker: Error response from daemon: failed to bind host port for 127.0.0.1:32769:172.17.0.2:50051/tcp: address already in use.\n").once())
        .on("rm --force --volumes rlmesh-sandbox-cartpole-v1-*", Reply::default())
        .and(docker);
    let checked =
        Run::line("-q run -d CartPole-v1").docker(docker).stdout("tcp://127.0.0.1:<port>\n").check();
    let starts = checked.calls.iter().filter(|call| call.starts_with("run -d")).count();
    let removals = checked.calls.iter().filter(|call| call.starts_with("rm ")).count();
    assert_eq!((starts, removals), (3, 2), "{:?}", checked.calls);
}

#[test]
fn an_engine_that_goes_away_during_the_wait_is_not_the_containers_fault() {
    let docker = StandIn::new()
        .on("ps --all*", Reply::default())
        .on("run -d *", Reply::stdout(format!("{ID}\n")))
        .on("wait *", Reply::default().hangs())
        .on("logs --follow *", Reply::default().hangs())
        .on(&format!("container inspect -- {ID}"), Reply::stdout(fixture("inspect/running.json")).once())
        .on("*", Reply::fails(1, "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?\n"));
    Run::line("run -d CartPole-v1 --ready-timeout 1s")
        .docker(docker)
        .status(7)
        .leaves(1)
        .stderr_with(["error: the docker engine does not answer", "rlmesh-sandbox reap"])
        .check();
}
