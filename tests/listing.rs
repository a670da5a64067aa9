//! `ps` and `logs`: what is there.

use crate::run::ID;
use crate::support::{Reply, Run, StandIn, fixture};

fn one() -> StandIn {
    StandIn::new()
        .on("ps --all *", Reply::stdout(format!("{ID}\n")))
        .on("container inspect *", Reply::stdout(fixture("inspect/running.json")))
}

#[test]
fn ps_is_a_table_or_one_object_a_line() {
    let checked = Run::line("ps").docker(one()).any_stdout().check();
    let lines: Vec<Vec<&str>> = checked
        .stdout
        .lines()
        .map(|line| line.split("   ").map(str::trim).filter(|cell| !cell.is_empty()).collect())
        .collect();
    assert_eq!(lines[0], ["ID", "SOURCE", "ADDRESS", "STATE", "OWNER", "AGE", "NAME"]);
    assert_eq!(lines[1][..2], ["45d51db4c7f0", "gym://CartPole-v1"]);
    assert_eq!(lines[1][3..5], ["running", "-"]);
    let checked = Run::line("ps --format json").docker(one()).any_stdout().check();
    let listed: serde_json::Value = serde_json::from_str(&checked.stdout).unwrap();
    assert_eq!(listed["id"], ID);
    assert_eq!(listed["state"], "running");
    assert_eq!(listed["owner_pid"], serde_json::Value::Null);
    Run::line("ps --format json").docker(StandIn::new().on("ps *", Reply::default())).check();
}

#[test]
fn a_log_goes_to_stdout() {
    let docker = one().on(&format!("logs --tail 3 {ID}"), Reply::stdout("out\n").stderr("err\n"));
    Run::line("logs 45d5 --tail 3").docker(docker).stdout("out\nerr\n").check();
}

#[test]
fn a_log_of_nothing() {
    let docker = StandIn::new().on(
        "container inspect *",
        Reply {
            stdout: b"[]\n".to_vec(),
            ..Reply::fails(1, "Error response from daemon: No such container: x\n")
        },
    );
    Run::line("logs x")
        .docker(docker)
        .status(2)
        .stderr("error: there is no sandbox x\nhint: run `rlmesh-sandbox ps` to list the sandboxes\n")
        .check();
}
