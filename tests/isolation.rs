//! What a container may do and what it is given: what reaches docker, and what happens where the engine lacks something.

use regex::Regex;

use crate::run::{ID, comes_up, up};
use crate::support::server::Server;
use crate::support::{Reply, Run, StandIn, fixture};

/// Writes where the container would create its socket.
const NAMES_THE_SOCKET: &str = "for word; do case $word in type=bind,source=*/s,target=/run/rlmesh) \
    path=${word#*source=}; printf %s \"${path%%,*}/env.sock\" >\"$STAND_IN/new\"; mv \"$STAND_IN/new\" \"$STAND_IN/socket\";; \
    esac; done";

/// An engine on this machine, whose container of CartPole-v1 comes up on its Unix socket.
fn up_on_a_socket() -> StandIn {
    let server = Server::of_something_else();
    let docker = StandIn::new();
    Server::answering_on_a_socket(docker.folder().join("socket"), fixture("handshake-cartpole.bin"));
    let started = Reply::stdout(format!("{ID}\n")).hook(NAMES_THE_SOCKET);
    comes_up(docker.on("run -d *", started), &server)
        .on(&format!("stop -t * {ID}"), Reply::default())
        .on(&format!("rm --force --volumes {ID}"), Reply::default())
}

/// The one `docker run` of a line that goes well.
fn started(line: &str) -> String {
    let (docker, _server) = up();
    let checked = Run::line(&format!("-q run -d CartPole-v1 {line}"))
        .docker(docker)
        .stdout("tcp://127.0.0.1:<port>\n")
        .check();
    checked.main_calls()[0].to_owned()
}

#[test]
fn a_strict_sandbox_serves_on_a_socket_that_goes_with_it() {
    let address = "unix://<world>/tmp/rlmesh-socket-<id>/s/env.sock";
    let shown =
        |text: &str| Regex::new("socket-[0-9a-f]{12}").unwrap().replace_all(text, "socket-<id>").into_owned();
    let checked = Run::line("run -d CartPole-v1 --isolation strict")
        .docker(up_on_a_socket())
        .any_stdout()
        .stderr_with(["\n  isolation    strict: no network, read-only, "])
        .leaves(1)
        .check();
    assert_eq!(shown(&checked.stdout), format!("{address}\n"));
    let calls = checked.main_calls();
    assert_eq!(calls.len(), 2, "{calls:?}");
    for words in [
        "--mount type=bind,source=<world>/tmp/rlmesh-socket-<id>/s,target=/run/rlmesh ",
        "--label rlmesh.sandbox.isolation=strict ",
        "--env HOME --env USER --env RLMESH_ADDRESS ",
        "--init --read-only --cap-drop ALL --security-opt no-new-privileges --network none --memory ",
        " --pids-limit 576 --log-driver json-file --log-opt max-size=10m --log-opt max-file=2 --ulimit core=0 ",
        " --tmpfs /tmp:size=512m --user 65532:65532 ",
    ] {
        let call = shown(calls[0]);
        assert!(call.contains(words), "{words}: {call}");
    }
    assert!(!calls[0].contains("--publish"), "{}", calls[0]);
    Run::line("-q run CartPole-v1 --isolation strict -- test -S {address}")
        .docker(up_on_a_socket())
        .status(1)
        .check();
}

#[test]
fn what_the_user_gives_reaches_docker() {
    let call = started(
        "--memory 2g --cpus 1.5 --pids-limit off --ulimit nofile=64 --tmpfs /x:exec --user 1:2 --shm-size 1g \
         --device /dev/null:/dev/x --volume /etc:/e --volume data:/d:rw --add-host a:192.0.2.1 --network lab \
         --security-opt seccomp=unconfined --platform linux/amd64",
    );
    for words in [
        " --platform linux/amd64 --shm-size 1073741824b --mount type=bind,source=/etc,target=/e,readonly \
         --mount type=volume,source=data,target=/d ",
        " --network lab --publish 127.0.0.1::50051 --memory 2147483648b --memory-swap 2147483648b --log-driver ",
        " --ulimit nofile=64 --ulimit core=0 --tmpfs /x:exec,size=512m --device /dev/null:/dev/x --add-host a:192.0.2.1 \
         --security-opt seccomp=unconfined --user 1:2 --cpus 1.5 ",
    ] {
        assert!(call.contains(words), "{words}: {call}");
    }
    assert!(!call.contains("--pids-limit"), "{call}");
    assert!(started("").contains(" --network rlmesh-sandbox "));
    assert!(started("--network egress-off").contains(" --network rlmesh-sandbox-no-egress "));
}

#[test]
fn a_file_is_copied_before_the_start() {
    let server = Server::answering(fixture("handshake-cartpole.bin"));
    let docker =
        StandIn::new().on("create *", Reply::stdout(format!("{ID}\n"))).on("cp --quiet *", Reply::default());
    let docker = comes_up(docker, &server);
    let run = Run::line("-q run -d CartPole-v1 --file ./level.txt:/data/level.txt")
        .docker(docker)
        .stdout("tcp://127.0.0.1:<port>\n");
    std::fs::write(run.here().join("level.txt"), "x").unwrap();
    let checked = run.check();
    let calls = checked.main_calls();
    assert_eq!(calls[1], "cp --quiet ./level.txt rlmesh-sandbox-cartpole-v1-<uuid>:/data/level.txt");
    assert_eq!(calls[2], "start rlmesh-sandbox-cartpole-v1-<uuid>");
}

#[test]
fn a_network_that_is_missing_is_created_once() {
    let server = Server::answering(fixture("handshake-cartpole.bin"));
    let missing = "docker: Error response from daemon: network rlmesh-sandbox not found\n";
    let docker = |created: Reply| {
        let failed = Reply { stdout: format!("{ID}\n").into_bytes(), ..Reply::fails(125, missing).once() };
        let docker = StandIn::new()
            .on("run -d *", failed)
            .on("rm --force --volumes rlmesh-sandbox-cartpole-v1-*", Reply::default())
            .on("network create *", created);
        comes_up(docker, &server)
    };
    let faster = "Error response from daemon: network with name rlmesh-sandbox already exists\n";
    for created in [Reply::stdout("0123\n"), Reply::fails(1, faster)] {
        let checked = Run::line("-q run -d CartPole-v1")
            .docker(docker(created))
            .stdout("tcp://127.0.0.1:<port>\n")
            .check();
        assert_eq!(
            checked.main_calls()[2],
            "network create --driver bridge --opt com.docker.network.bridge.enable_icc=false --label rlmesh.sandbox.network=1 rlmesh-sandbox"
        );
    }
    let full = "Error response from daemon: all predefined address pools have been fully subnetted\n";
    Run::line("-q run -d CartPole-v1")
        .docker(docker(Reply::fails(1, full)))
        .status(7)
        .stderr(
            "error: the network rlmesh-sandbox could not be created: all predefined address pools have been fully subnetted\n\
             hint: Docker's default network works too, but there sandboxes can reach each other\n\
             hint: rlmesh-sandbox -q run -d CartPole-v1 --network bridge\n",
        )
        .check();
}

#[test]
fn an_engine_without_this_machines_folders_serves_over_tcp_without_egress() {
    let server = Server::answering(fixture("handshake-cartpole.bin"));
    let unseen = "docker: Error response from daemon: invalid mount config for type \"bind\": bind source path does not exist: /x\n";
    let docker = StandIn::new()
        .on("run -d *", Reply::fails(125, unseen).once())
        .on("rm --force --volumes *", Reply::fails(1, "Error response from daemon: No such container: x\n"));
    let docker = comes_up(docker, &server);
    let checked = Run::line("run -d CartPole-v1 --isolation strict")
        .docker(docker)
        .stdout("tcp://127.0.0.1:<port>\n")
        .stderr_with([
            "the engine does not see this machine's folders: serving over TCP, in a network without egress\n",
        ])
        .check();
    let calls = checked.main_calls();
    assert!(
        calls[2].contains(" --network rlmesh-sandbox-no-egress --publish 127.0.0.1::50051 "),
        "{calls:?}"
    );
    assert!(calls[2].contains(" --read-only ") && !calls[2].contains("/run/rlmesh"), "{calls:?}");
}

#[test]
fn an_engine_elsewhere_has_its_own_memory() {
    let (docker, _server) = up();
    let docker =
        docker.on("info --format *", Reply::stdout("8589934592 true true 26.1.5 2026-11-23T08:21:59Z\n"));
    let checked = Run::line("-q run -d CartPole-v1")
        .env("DOCKER_HOST", "tcp://192.0.2.1:2375")
        .docker(docker)
        .stdout("tcp://127.0.0.1:<port>\n")
        .check();
    assert!(checked.main_calls()[1].contains("--memory 4294967296b "), "{:?}", checked.calls);
}

#[test]
fn an_engine_without_an_init_program_is_used_without() {
    let server = Server::answering(fixture("handshake-cartpole.bin"));
    let missing =
        "docker: Error response from daemon: exec: \"docker-init\": executable file not found in $PATH.\n";
    let docker = StandIn::new()
        .on("run -d *--init *", Reply::fails(125, missing))
        .on("rm --force --volumes *", Reply::default());
    let docker = comes_up(docker, &server);
    Run::line("run -d CartPole-v1")
        .docker(docker)
        .stdout("tcp://127.0.0.1:<port>\n")
        .stderr_with(["warning: the engine has no docker-init"])
        .check();
}

#[test]
fn runtimes_and_gpus_are_checked_before_anything_starts() {
    let docker = || {
        StandIn::new()
            .on("ps --all*", Reply::default())
            .on("info --format *", Reply::stdout(r#"{"Runtimes":{"io.containerd.runc.v2":{},"runc":{}}}"#))
    };
    Run::line("run CartPole-v1 --runtime runsc")
        .docker(docker())
        .status(2)
        .stderr(
            "error: runtime (--runtime) \"runsc\": the engine does not have this runtime\n\
             hint: install it and add it to the engine's settings; the engine has runc\n",
        )
        .check();
    Run::line("run CartPole-v1 --gpus all")
        .docker(docker().on("context inspect *", Reply::stdout("default tcp://192.0.2.1:2375\n")))
        .status(2)
        .stderr(
            "error: gpus (--gpus) \"all\": the engine has no GPUs for containers\n\
             hint: install the NVIDIA Container Toolkit on the engine's machine, or leave out --gpus\n",
        )
        .check();
}

#[test]
fn what_excludes_each_other_is_refused() {
    Run::line("run CartPole-v1 --network none --transport tcp")
        .docker(StandIn::new().on("ps --all*", Reply::default()))
        .status(2)
        .stderr(
            "error: transport (--transport) tcp: a sandbox without a network cannot be reached over TCP\n\
             hint: a Unix socket needs no network; a network without egress has TCP, but does not reach the internet\n\
             hint: rlmesh-sandbox run CartPole-v1 --network none --transport unix\n",
        )
        .check();
    for line in [
        "--network=--privileged",
        "--gpus=--privileged",
        "--device=-x",
        "--user=-1",
        "--runtime=-x",
        "--volume=-v:/x",
        "--volume=/etc",
        "--file=nothing:/x",
        "--security-opt=no-new-privileges=false",
        "--network host",
        "--memory 1k",
    ] {
        let checked = Run::line(&format!("run CartPole-v1 {line}"))
            .status(2)
            .stderr_with(["error: ", "hint: "])
            .check();
        assert_eq!(checked.calls, Vec::<String>::new(), "{line}");
    }
}
