//! `stop`: sandboxes by name, all of them allowed before the first is touched.

use crate::run::ID;
use crate::support::{Reply, Run, StandIn, fixture};

fn found(stdout: Vec<u8>, missing: &str) -> Reply {
    let stderr = if missing.is_empty() {
        String::new()
    } else {
        format!("Error response from daemon: No such container: {missing}\n")
    };
    Reply { stdout, status: u8::from(!missing.is_empty()), ..Reply::default().stderr(stderr) }
}

#[test]
fn by_name_and_a_name_that_is_gone_is_fine() {
    let docker = StandIn::new()
        .on("container inspect -- *", found(fixture("inspect/running.json"), "gone"))
        .on("stop *", Reply::default())
        .on("rm *", Reply::default());
    let checked = Run::line("stop 45d51db4 gone --timeout 3")
        .docker(docker)
        .stdout(format!("{ID}\n"))
        .stderr("there is no container gone\n")
        .check();
    assert_eq!(
        checked.calls,
        [
            "container inspect -- 45d51db4 gone".to_owned(),
            format!("stop -t 3 {ID}"),
            format!("rm --force --volumes {ID}")
        ]
    );
}

#[test]
fn only_names_that_are_gone() {
    let docker = StandIn::new().on("container inspect *", found(b"[]\n".to_vec(), "gone"));
    Run::line("stop gone").docker(docker).stderr("there is no container gone\n").check();
}

#[test]
fn a_container_that_is_no_sandbox_stops_everything() {
    let other = String::from_utf8(fixture("inspect/running.json"))
        .unwrap()
        .replace("\"rlmesh.sandbox\"", "\"other\"");
    let docker = StandIn::new().on("container inspect *", Reply::stdout(other));
    let checked = Run::line("stop 45d51db4")
        .docker(docker)
        .status(2)
        .stderr_with(["is not a sandbox: it has no label rlmesh.sandbox"])
        .check();
    assert_eq!(checked.calls.len(), 1, "{:?}", checked.calls);
}

#[test]
fn all_of_them_as_json() {
    let docker = StandIn::new()
        .on(
            "ps --all --no-trunc --filter label=rlmesh.sandbox=1 --format {{.ID}} {{.Names}}",
            Reply::stdout(format!("{ID}\n")),
        )
        .on("container inspect -- *", Reply::stdout(fixture("inspect/running.json")))
        .on("stop -t 10 *", Reply::default())
        .on("rm *", Reply::default());
    Run::line("stop --all --format json")
        .docker(docker)
        .stdout(format!("{{\"id\":\"{ID}\",\"name\":\"rlmesh-sandbox-cartpole-v1-<uuid>\"}}\n"))
        .check();
    let docker = StandIn::new().on("ps *", Reply::default());
    Run::line("stop --all").docker(docker).stderr("there are no sandboxes\n").check();
}

#[test]
fn what_does_not_stop_is_removed_by_force() {
    let docker = StandIn::new()
        .on("container inspect *", Reply::stdout(fixture("inspect/running.json")))
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
