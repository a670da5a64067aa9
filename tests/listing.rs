//! `ps`, `inspect` and `logs`: what is there.

use serde_json::{Value, json};

use crate::run::{ID, inspection};
use crate::stop::{engine, sandbox};
use crate::support::server::Server;
use crate::support::{Reply, Run, StandIn, dead_pid, fixture, pid_namespace};

fn one() -> StandIn {
    StandIn::new()
        .on("ps --all *", Reply::stdout(format!("{ID}\n")))
        .on("container inspect *", Reply::stdout(fixture("inspect/running.json")))
}

#[test]
fn ps_is_a_table_or_one_array() {
    let checked = Run::line("ps").docker(one()).any_stdout().check();
    let lines: Vec<Vec<&str>> =
        checked.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["ID", "SOURCE", "ENVS", "ADDRESS", "STATE", "OWNER", "AGE", "ISOLATION", "NAME"]);
    assert_eq!(lines[1][..3], ["45d51db4c7f0", "CartPole-v1", "1"]);
    assert_eq!(lines[1][4..6], ["running", "none"]);
    let checked = Run::line("ps --format json").docker(one()).any_stdout().check();
    let listed: Value = checked.json();
    assert_eq!((&listed[0]["container_id"], &listed[0]["state"]), (&json!(ID), &json!("running")));
    assert_eq!(
        (&listed[0]["owner"], &listed[0]["num_envs"]),
        (&json!({"pid": null, "state": "none"}), &json!(1))
    );
    assert_eq!(Run::line("--json ps").docker(one()).any_stdout().check().stdout, checked.stdout);
    let line: Value = Run::line("ps --format jsonl").docker(one()).any_stdout().check().json();
    assert_eq!(line, listed[0]);
    let nothing = || StandIn::new().on("ps *", Reply::default());
    Run::line("ps --format json").docker(nothing()).stdout("[]\n").check();
    Run::line("ps --format jsonl").docker(nothing()).check();
}

#[test]
fn ps_and_inspect_show_the_isolation_and_the_socket() {
    let strict = sandbox(|sandbox| {
        sandbox["NetworkSettings"]["Ports"] = json!({});
        sandbox["Config"]["Labels"]["rlmesh.sandbox.isolation"] = json!("strict");
        sandbox["Mounts"] =
            json!([{"Source": "/tmp/rlmesh-socket-0123456789ab/s", "Destination": "/run/rlmesh"}]);
    });
    let docker = || engine(std::slice::from_ref(&strict));
    let table = Run::line("ps").docker(docker()).any_stdout().check().stdout;
    let row = table.lines().nth(1).unwrap();
    assert!(row.contains("  unix:///tmp/rlmesh-socket-0123456789ab/s/env.sock  "), "{table}");
    assert!(row.contains("  strict  "), "{table}");
    let listed: Value = Run::line("ps --json").docker(docker()).any_stdout().check().json();
    assert_eq!(listed[0]["isolation"], "strict", "{listed}");
    // A sandbox of the SDK does not record it.
    let listed: Value = Run::line("ps --json").docker(one()).any_stdout().check().json();
    assert!(listed[0]["isolation"].is_null(), "{listed}");
    let inspected = Run::line("inspect 45d5").docker(docker()).any_stdout().check().stdout;
    assert!(inspected.contains("\nisolation    strict\n"), "{inspected}");
}

#[test]
fn ps_lists_ids_and_what_a_filter_leaves() {
    Run::line("ps -q").docker(one()).stdout(format!("{ID}\n")).check();
    for (filters, is_listed) in [
        ("--filter source=cartpole", true),
        ("-f state=running -f owner=none", true),
        ("-f state=exited", false),
        ("-f owner=gone -f owner=none", true),
        ("-f owner=alive", false),
        ("-f image=rlmesh-sandbox-cart -f name=v1", true),
    ] {
        let expected = if is_listed { format!("{ID}\n") } else { String::new() };
        Run::line(&format!("ps -q {filters}")).docker(one()).stdout(expected).check();
    }
    Run::line("ps -f colour=red")
        .status(2)
        .stderr_with(["there is no filter of that name", "owner=none|alive"])
        .check();
}

#[test]
fn ps_shows_owners_and_hostile_texts_as_what_they_are() {
    let hostile = sandbox(|sandbox| {
        sandbox["State"] = json!({"Status": "exited", "ExitCode": 137});
        sandbox["NetworkSettings"]["Ports"] = json!({});
        sandbox["Config"]["Labels"] = json!({
            "rlmesh.sandbox": "1", "rlmesh.sandbox.source": "gym://X\nhint: run this\u{1b}[2J\u{202e}",
            "rlmesh.sandbox.owner-pid": dead_pid().to_string(), "rlmesh.sandbox.owner-pid-ns": pid_namespace()
        });
    });
    let docker = || {
        engine(std::slice::from_ref(&hostile))
            .on("context inspect *", Reply::stdout("default unix:///var/run/docker.sock\n"))
    };
    let checked = Run::line("ps")
        .docker(docker())
        .any_stdout()
        .stderr("hint: to remove sandboxes whose owner is gone, run `rlmesh-sandbox reap`\n")
        .check();
    let row = checked.stdout.lines().nth(1).unwrap();
    assert_eq!(checked.stdout.lines().count(), 2, "{}", checked.stdout);
    assert!(
        row.contains("X\\nhint: run this\\u{1b}[2J\\u{202e}  1     exited (137)  exited (137)  gone"),
        "{row}"
    );
    let json = Run::line("ps --json").docker(docker()).any_stdout().check().stdout;
    assert!(!json.trim_end().contains(|c: char| c.is_control() || c == '\u{202e}'), "{json}");
}

#[test]
fn inspect_shows_all_of_a_sandbox() {
    let server = Server::answering(fixture("handshake-cartpole.bin"));
    let running = inspection("inspect/running.json", &server);
    let docker = || {
        StandIn::new()
            .on("ps --all *", Reply::stdout(format!("{ID}\n")))
            .on("container inspect *", Reply::stdout(running.clone()))
    };
    let checked = Run::line("inspect CartPole-v1").docker(docker()).any_stdout().check();
    for part in [
        "\nsource       gym://CartPole-v1\n",
        "\naddress      tcp://127.0.0.1:<port>\n",
        "\nowner        none\n",
        "\nobservation  Box([-4.8 -inf -0.418879 -inf], [4.8 inf 0.418879 inf], (4,), float32)\n",
        "\naction       Discrete(2)\n",
        "\nversions     rlmesh 0.1.0, gymnasium 1.4.0",
        "\nlimits       memory no limit, cpus no limit, processes no limit, /dev/shm 64.00 MiB\n",
        "\nlabel        rlmesh.sandbox=1\n",
    ] {
        assert!(checked.stdout.contains(part), "{part}\n{}", checked.stdout);
    }
    let checked = Run::line("inspect 45d5 --json").docker(docker()).any_stdout().check();
    let inspected: Value = checked.json();
    assert_eq!(
        (&inspected["env"]["id"], &inspected["versions"]["rlmesh"]),
        (&json!("CartPole-v1"), &json!("0.1.0"))
    );
    // One that does not run.
    let docker = StandIn::new()
        .on("ps --all *", Reply::stdout(format!("{ID}\n")))
        .on("container inspect *", Reply::stdout(fixture("inspect/exited.json")));
    let checked = Run::line("inspect 45d5").docker(docker).any_stdout().check();
    assert!(checked.stdout.contains("\nenvironment  no answer: it does not run\n"), "{}", checked.stdout);
}

#[test]
fn a_log_goes_to_stdout() {
    let docker = one().on(&format!("logs --tail 3 {ID}"), Reply::stdout("out\n").stderr("err\n"));
    Run::line("logs 45d5 -n 3").docker(docker).stdout("out\nerr\n").check();
    let docker = one()
        .on(&format!("logs --since 600s --timestamps {ID}"), Reply::stdout("2026-11-25T09:00:00Z a b\nlast"));
    Run::line("logs CartPole-v1 --since 10m -t --json")
        .docker(docker)
        .stdout(format!(
            "{{\"container_id\":\"{ID}\",\"time\":\"2026-11-25T09:00:00Z\",\"message\":\"a b\"}}\n\
             {{\"container_id\":\"{ID}\",\"message\":\"last\"}}\n"
        ))
        .check();
}

#[test]
fn the_log_of_the_last_failed_build() {
    Run::line("logs --build").status(1).stderr_with(["error: there is no log of a failed build"]).check();
    let run = Run::line("logs --build -n 2");
    let folder = run.home().join(".local/state/rlmesh-sandbox/logs");
    std::fs::create_dir_all(&folder).unwrap();
    for (name, text) in [
        ("build-20260101000000-old-1.log", "old\n"),
        ("build-20260102000000-new-1.log", "one\ntwo\nthree\n"),
        ("start-20260103000000-new-1.log", "start\n"),
    ] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    run.stdout("two\nthree\n")
        .stderr("the log of the last failed build: <world>/home/.local/state/rlmesh-sandbox/logs/<log>\n")
        .check();
}

#[test]
fn a_log_of_nothing() {
    let docker =
        StandIn::new().on("ps *", Reply::default()).on("container inspect *", Reply::missing_container());
    Run::line("logs x")
        .docker(docker)
        .status(2)
        .stderr(
            "error: no sandbox matches \"x\": there are no sandboxes on this engine\n\
             hint: start one with `rlmesh-sandbox run SOURCE`\n",
        )
        .check();
}
