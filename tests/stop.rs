//! `stop`: sandboxes by id, name, address or source; all of them are found before the first is stopped.

use crate::run::ID;
use crate::support::{Reply, Run, StandIn, fixture, living_process, pid_namespace};

/// A second sandbox that serves the same.
pub(crate) const OTHER: &str = "99d51db4c7f03554471a711a1fdb027606d2a6171802410b7e9bffa1cdfab1e0";

/// An engine with these sandboxes, as docker inspects them.
pub(crate) fn engine(sandboxes: &[serde_json::Value]) -> StandIn {
    let ids: Vec<&str> = sandboxes.iter().map(|sandbox| sandbox["Id"].as_str().unwrap()).collect();
    let docker = StandIn::new().on(
        "ps --all --no-trunc --filter label=rlmesh.sandbox=1 --format {{.ID}} {{.Names}}",
        Reply::stdout(ids.iter().map(|id| format!("{id} x\n")).collect::<String>()),
    );
    docker.on(
        &format!("container inspect -- {}", ids.join(" ")),
        Reply::stdout(serde_json::to_vec(sandboxes).unwrap()),
    )
}

/// The recorded sandbox, changed.
pub(crate) fn sandbox(change: impl FnOnce(&mut serde_json::Value)) -> serde_json::Value {
    let mut inspected: serde_json::Value = serde_json::from_slice(&fixture("inspect/running.json")).unwrap();
    change(&mut inspected[0]);
    // A sandbox's labels name it.
    let name = inspected[0]["Name"].as_str().unwrap().trim_start_matches('/').to_owned();
    inspected[0]["Config"]["Labels"]["rlmesh.sandbox.name"] = name.into();
    inspected[0].take()
}

/// Two sandboxes that serve CartPole-v1.
pub(crate) fn two() -> StandIn {
    let other = sandbox(|sandbox| {
        sandbox["Id"] = OTHER.into();
        sandbox["Name"] = "/trainer".into();
        sandbox["NetworkSettings"]["Ports"]["50051/tcp"][0]["HostPort"] = "40000".into();
    });
    engine(&[sandbox(|_| {}), other])
        .on("container inspect -- *", Reply::missing_container())
        .on("stop *", Reply::default())
        .on("rm *", Reply::default())
}

#[test]
fn by_all_that_names_it() {
    for (named, id) in [
        ("45d51db4", ID),
        ("trainer", OTHER),
        ("train", OTHER),
        ("cartpole-v1-", ID),
        ("tcp://127.0.0.1:40000", OTHER),
        ("grpc://localhost:40000", OTHER),
        (":32864", ID),
        ("32864", ID),
    ] {
        let checked =
            Run::line(&format!("stop {named} --timeout 3")).docker(two()).stdout(format!("{id}\n")).check();
        assert_eq!(
            checked.calls[2..],
            [format!("stop -t 3 {id}"), format!("rm --force --volumes {id}")],
            "{named}"
        );
    }
}

#[test]
fn a_source_that_several_serve_is_ambiguous_without_all() {
    let checked = Run::line("stop CartPole-v1")
        .docker(two())
        .status(2)
        .stderr(
            "error: \"CartPole-v1\" matches 2 sandboxes:\n\
             \u{20} 45d51db4c7f0  CartPole-v1  tcp://127.0.0.1:<port>  rlmesh-sandbox-cartpole-v1-<uuid>\n\
             \u{20} 99d51db4c7f0  CartPole-v1  tcp://127.0.0.1:<port>  trainer\n\
             hint: use the id or the address of one of them, or stop all of them:\n\
             hint: rlmesh-sandbox stop CartPole-v1 --all\n",
        )
        .check();
    assert_eq!(checked.calls.len(), 2, "{:?}", checked.calls);
    Run::line("stop CartPole-v1 --all").docker(two()).stdout(format!("{ID}\n{OTHER}\n")).check();
    Run::line("stop trainer CartPole-v1 -a").docker(two()).stdout(format!("{OTHER}\n{ID}\n")).check();
}

#[test]
fn what_matches_nothing_stops_nothing_and_lists_what_there_is() {
    let checked = Run::line("stop trainer CartPole-v2")
        .docker(two())
        .status(2)
        .stderr(
            "error: no sandbox matches \"CartPole-v2\"; these exist:\n\
             \u{20} 45d51db4c7f0  CartPole-v1  tcp://127.0.0.1:<port>  rlmesh-sandbox-cartpole-v1-<uuid>\n\
             \u{20} 99d51db4c7f0  CartPole-v1  tcp://127.0.0.1:<port>  trainer\n\
             hint: use the id, name, address or source of one of them\n",
        )
        .check();
    assert!(!checked.calls.iter().any(|call| call.starts_with("stop")), "{:?}", checked.calls);
    let none =
        || StandIn::new().on("ps *", Reply::default()).on("container inspect *", Reply::missing_container());
    Run::line("stop x")
        .docker(none())
        .status(2)
        .stderr(
            "error: no sandbox matches \"x\": there are no sandboxes on this engine\n\
             hint: start one with `rlmesh-sandbox run SOURCE`\n",
        )
        .check();
    Run::new(["stop", " "])
        .docker(none())
        .status(2)
        .stderr_with(["the name of the sandbox is empty"])
        .check();
}

#[test]
fn a_whole_id_that_is_gone_is_fine() {
    for id in ["0123456789ab".to_owned(), "0123456789abcdef".repeat(4)] {
        Run::line(&format!("stop {id} trainer"))
            .docker(two())
            .stdout(format!("{OTHER}\n"))
            .stderr(format!("there is no sandbox {id}\n"))
            .check();
        Run::line(&format!("stop {id} --json")).docker(two()).stdout("[]\n").check();
    }
}

#[test]
fn a_container_that_is_not_a_sandbox_is_not_touched() {
    let other = sandbox(|sandbox| {
        sandbox["Name"] = "/database".into();
        sandbox["Config"]["Labels"] = serde_json::json!({});
    });
    let docker = StandIn::new()
        .on("ps *", Reply::default())
        .on("container inspect -- database", Reply::stdout(serde_json::to_vec(&[other]).unwrap()));
    let checked = Run::line("stop database")
        .docker(docker)
        .status(2)
        .stderr_with(["database (45d51db4c7f0) is not a sandbox: it has no label rlmesh.sandbox"])
        .check();
    assert_eq!(checked.calls.len(), 2, "{:?}", checked.calls);
}

#[test]
fn all_of_them_as_json() {
    let checked = Run::line("stop --all --format json").docker(two()).any_stdout().check();
    let stopped: serde_json::Value = checked.json();
    assert_eq!(stopped.as_array().unwrap().len(), 2);
    assert_eq!(stopped[0]["container_id"], ID);
    assert_eq!(
        (&stopped[1]["container_name"], &stopped[1]["action"]),
        (&"trainer".into(), &"stopped".into())
    );
    assert_eq!((&stopped[1]["state"], &stopped[1]["address"]), (&"removed".into(), &serde_json::Value::Null));
    let lines = Run::line("stop --all --format jsonl").docker(two()).any_stdout().check().stdout;
    assert_eq!(lines.lines().count(), 2);
    let docker = StandIn::new().on("ps *", Reply::default());
    Run::line("stop --all").docker(docker).stderr("there are no sandboxes\n").check();
}

/// One without an owner, and one that belongs to `pid`.
fn owned(pid: u32) -> StandIn {
    let other = sandbox(|sandbox| {
        sandbox["Id"] = OTHER.into();
        sandbox["Config"]["Labels"] = serde_json::json!({
            "rlmesh.sandbox": "1", "rlmesh.sandbox.owner-pid": pid.to_string(), "rlmesh.sandbox.owner-pid-ns": pid_namespace()
        });
    });
    let unowned = sandbox(|sandbox| sandbox["Config"]["Labels"] = serde_json::json!({"rlmesh.sandbox": "1"}));
    engine(&[unowned, other])
        .on("context inspect *", Reply::stdout("default unix:///var/run/docker.sock\n"))
        .on("stop *", Reply::default())
        .on("rm *", Reply::default())
}

#[test]
fn mine_leaves_out_those_of_other_processes() {
    let other = living_process();
    Run::line("stop --mine").docker(owned(other.0.id())).stdout(format!("{ID}\n")).check();
    Run::line("stop --all --mine").docker(owned(other.0.id())).stdout(format!("{ID}\n")).check();
    // Not on a terminal, all means all.
    Run::line("stop --all").docker(owned(other.0.id())).stdout(format!("{ID}\n{OTHER}\n")).check();
    // This test is the process that starts the program.
    let here = std::process::id();
    Run::line("stop --mine").docker(owned(here)).stdout(format!("{ID}\n{OTHER}\n")).check();
    Run::line("stop --mine x").docker(StandIn::new()).status(2).any_stderr().check();
}

#[test]
fn on_a_terminal_all_is_confirmed_if_some_belong_to_other_processes() {
    let other = living_process();
    let stops = |run: &Run| run.stand_in().calls().iter().filter(|call| call.starts_with("stop")).count();
    let run = Run::line("stop --all").docker(owned(other.0.id()));
    let (status, shown) = run.on_a_terminal("");
    assert_eq!((status, stops(&run)), (Some(1), 0), "{shown}");
    assert!(shown.contains("of 2 sandboxes, 1 belongs to another process"), "{shown}");
    assert!(shown.ends_with("nothing was stopped\n"), "{shown}");
    let (status, shown) = run.on_a_terminal("y");
    assert_eq!((status, stops(&run)), (Some(0), 1), "{shown}");
    let run = Run::line("stop --all --yes").docker(owned(other.0.id()));
    let (status, shown) = run.on_a_terminal("");
    assert_eq!((status, shown), (Some(0), format!("{ID}\n{OTHER}\n")));
}

#[test]
fn what_does_not_stop_is_removed_by_force() {
    let docker = engine(&[sandbox(|_| {})])
        .on("stop *", Reply::fails(1, "Error response from daemon: cannot stop container: x\n"))
        .on("rm *", Reply::default());
    Run::line("stop 45d5").docker(docker).stdout(format!("{ID}\n")).check();
}

#[test]
fn with_a_dead_engine() {
    Run::line("stop x")
        .docker(StandIn::dead())
        .status(7)
        .stderr_with(["error: the docker engine does not answer"])
        .check();
}
