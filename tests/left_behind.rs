//! Starts that fail halfway: what may be left of them is removed, or named for `reap`.

use std::time::{Duration, SystemTime};

use crate::reap::run_directory;
use crate::run::ID;
use crate::support::{Reply, Run, StandIn, eventually};

const DEAD: &str =
    "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?\n";

/// Writes an id into the file that `--cidfile` names, as docker does once there is a container.
const MADE: &str = "while [ \"$1\" != --cidfile ]; do shift; done; printf 0123456789ab >\"$2\"";

/// A run that fails because the engine goes away, and that leaves so many run folders: its stderr.
fn started_on(docker: StandIn, arguments: &[&str], left: usize) -> String {
    let run = Run::new(["run", "-d", "CartPole-v1"].iter().chain(arguments)).docker(docker);
    let checked =
        run.status(7).stderr_with(["error: the docker engine does not answer"]).leaves(left).check();
    for folder in std::fs::read_dir(checked.run.tmp()).unwrap() {
        let name = std::fs::read_to_string(folder.unwrap().path().join("container")).unwrap();
        assert!(name.starts_with("rlmesh-sandbox-cartpole-v1-"), "{name}");
    }
    checked.stderr
}

#[test]
fn an_engine_that_goes_away_before_the_start_leaves_word_of_the_container() {
    let docker = StandIn::new()
        .on("ps --all*", Reply::default())
        .on("run -d *", Reply::fails(125, &format!("docker: {DEAD}")).hook(MADE))
        .on("*", Reply::fails(1, DEAD));
    let stderr = started_on(docker, &[], 1);
    assert!(stderr.contains("rlmesh-sandbox reap"), "{stderr}");
}

#[test]
fn an_engine_that_goes_away_before_a_large_payload_is_copied_leaves_word_too() {
    let docker = StandIn::new()
        .on("ps --all*", Reply::default())
        .on("create *", Reply::stdout(format!("{ID}\n")).hook(MADE))
        .on("*", Reply::fails(1, DEAD));
    let large = format!("x={}", "y".repeat(120_000));
    let stderr = started_on(docker, &["-k", &large], 1);
    assert!(stderr.contains("rlmesh-sandbox reap"), "{stderr}");
}

#[test]
fn an_engine_that_was_never_there_leaves_nothing() {
    let stderr = started_on(StandIn::dead(), &[], 0);
    assert!(!stderr.contains("rlmesh-sandbox reap"), "{stderr}");
}

#[test]
fn a_sweep_beside_a_run_takes_no_container_that_may_be_about_to_start() {
    // Made, never started, and without an owner: an orphan, unless it has just been made. The engine's clock,
    // which says when that was, is an hour behind.
    let now = SystemTime::now() - Duration::from_secs(3600);
    let time = |ago: u64| humantime::format_rfc3339_nanos(now - Duration::from_secs(ago)).to_string();
    let container = |id: &str, ago: u64| {
        serde_json::json!({
            "Id": id, "Name": format!("/box-{}", &id[..1]), "Image": "x", "Created": time(ago),
            "State": {"Status": "created", "ExitCode": 0}, "NetworkSettings": {"Ports": {}},
            "Config": {"Image": "x", "Labels": {
                "rlmesh.sandbox": "1", "rlmesh.sandbox.name": format!("box-{}", &id[..1])
            }}
        })
    };
    let (young, old) = ("a".repeat(64), "b".repeat(64));
    let found = serde_json::to_vec(&[container(&young, 10), container(&old, 3600)]).unwrap();
    let docker = StandIn::new()
        .on("ps --all*", Reply::stdout(format!("{young} box-a\n{old} box-b\n")))
        .on(&format!("container inspect -- {young} {old}"), Reply::stdout(found))
        .on("info *", Reply::stdout(format!("1 true true 26.1.5 {}\n", time(0))))
        .on(&format!("rm --force --volumes *{old}"), Reply::default().marks("swept"))
        .on("rm *", Reply::default())
        .on("run -d *", Reply::fails(125, "docker: Error response from daemon: no.\n").hangs_until("swept"));
    let checked = Run::line("-q run -d CartPole-v1")
        .docker(docker)
        .status(6)
        .stderr_with(["error: the container did not start: no\n"])
        .check();
    assert!(!checked.calls.iter().any(|call| call.starts_with("rm ") && call.contains(&young)));
}

#[test]
fn a_sweep_beside_a_run_keeps_the_run_directory_of_a_container_that_may_still_be_created() {
    let docker = StandIn::new()
        .on("ps --all*", Reply::default())
        .on("rm *", Reply::default())
        .on("run -d *", Reply::fails(125, "docker: Error response from daemon: no.\n").hangs_until("swept"));
    let run = Run::line("-q run -d CartPole-v1")
        .docker(docker)
        .status(6)
        .stderr_with(["error: the container did not start: no\n"])
        .leaves(1);
    // Of killed runs: one that was starting a container, and one that was not. The third is removed after both.
    let (starting, _) = run_directory(&run.tmp(), "a1", "box");
    let (other, _) = run_directory(&run.tmp(), "a2", "");
    let last = run.tmp().join("rlmesh-socket-0123456789ab");
    std::fs::create_dir(&last).unwrap();
    std::fs::write(last.join("lock"), "").unwrap();
    let _checked = run.check_while(|run, _| {
        eventually("the end of the sweep", || (!last.exists()).then_some(()));
        run.stand_in().release("swept");
    });
    assert!(starting.exists() && !other.exists());
}

#[test]
fn a_sweep_beside_a_run_removes_the_new_container_of_a_killed_run() {
    // Another run may be starting a new container, unless its run directory is there and its run is gone.
    let now = humantime::format_rfc3339_nanos(SystemTime::now()).to_string();
    let id = "a".repeat(64);
    let found = serde_json::json!([{
        "Id": id, "Name": "/box", "Image": "x", "Created": now,
        "State": {"Status": "created", "ExitCode": 0}, "NetworkSettings": {"Ports": {}},
        "Config": {"Image": "x", "Labels": {"rlmesh.sandbox": "1", "rlmesh.sandbox.name": "box"}}
    }]);
    let docker = StandIn::new()
        .on("ps --all*", Reply::stdout(format!("{id} box\n")))
        .on("container inspect *", Reply::stdout(found.to_string()))
        .on("info *", Reply::stdout(format!("1 true true 26.1.5 {now}\n")))
        .on("rm *", Reply::default())
        .on("run -d *", Reply::fails(125, "docker: Error response from daemon: no.\n").hangs_until("swept"));
    let run = Run::line("-q run -d CartPole-v1")
        .docker(docker)
        .status(6)
        .stderr_with(["error: the container did not start: no\n"]);
    let (folder, _) = run_directory(&run.tmp(), "a1", "box");
    let checked = run.check_while(|run, _| {
        eventually("the end of the sweep", || (!folder.exists()).then_some(()));
        run.stand_in().release("swept");
    });
    let removal = format!("rm --force --volumes {id}");
    assert!(checked.calls.contains(&removal), "{:?}", checked.calls);
}
