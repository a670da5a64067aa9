//! Starts that fail halfway: what may be left of them is removed, or named for `reap`.

use crate::run::ID;
use crate::support::{Reply, Run, StandIn};

const DEAD: &str =
    "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?\n";

/// Writes an id into the file that `--cidfile` names, as docker does once there is a container.
const MADE: &str = "while [ \"$1\" != --cidfile ]; do shift; done; printf 0123456789ab >\"$2\"";

/// A run whose container was made when the engine went away: stderr, and whether word of the container is left.
fn started_on(docker: StandIn, arguments: &[&str]) -> (String, bool) {
    let run = Run::new(["run", "-d", "CartPole-v1"].iter().chain(arguments)).docker(docker);
    let output = run.spawn().wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(7), "{}", String::from_utf8_lossy(&output.stderr));
    let left = std::fs::read_dir(run.tmp()).unwrap().any(|entry| {
        std::fs::read_to_string(entry.unwrap().path().join("container")).is_ok_and(|name| !name.is_empty())
    });
    (String::from_utf8(output.stderr).unwrap(), left)
}

#[test]
fn an_engine_that_goes_away_before_the_start_leaves_word_of_the_container() {
    let docker = StandIn::new()
        .on("ps --all*", Reply::default())
        .on("run -d *", Reply::fails(125, &format!("docker: {DEAD}")).hook(MADE))
        .on("*", Reply::fails(1, DEAD));
    let (stderr, left) = started_on(docker, &[]);
    assert!(left && stderr.contains("rlmesh-sandbox reap"), "{stderr}");
}

#[test]
fn an_engine_that_goes_away_before_a_large_payload_is_copied_leaves_word_too() {
    let docker = StandIn::new()
        .on("ps --all*", Reply::default())
        .on("create *", Reply::stdout(format!("{ID}\n")).hook(MADE))
        .on("*", Reply::fails(1, DEAD));
    let large = format!("x={}", "y".repeat(120_000));
    let (stderr, left) = started_on(docker, &["-k", &large]);
    assert!(left && stderr.contains("rlmesh-sandbox reap"), "{stderr}");
}

#[test]
fn an_engine_that_was_never_there_leaves_nothing() {
    let (stderr, left) = started_on(StandIn::dead(), &[]);
    assert!(!left && !stderr.contains("rlmesh-sandbox reap"), "{stderr}");
}

#[test]
fn a_container_is_as_old_as_the_engine_says() {
    // Made ten seconds ago on an engine whose clock is an hour behind: another run may be starting it.
    let inspection = String::from_utf8(crate::support::fixture("inspect/exited.json")).unwrap();
    let now = std::time::SystemTime::now();
    let hour = std::time::Duration::from_secs(3600);
    let time = |time| humantime::format_rfc3339_seconds(time).to_string();
    let created = regex::Regex::new(r#""Created": "[^"]*""#).unwrap();
    let made = time(now - hour - std::time::Duration::from_secs(10));
    let young = created.replace(&inspection, format!("\"Created\": \"{made}\"")).into_owned();
    let unowned = regex::Regex::new(r#"\s*"rlmesh.sandbox.owner-[a-z-]+": "[^"]*",?"#).unwrap();
    let young =
        unowned.replace_all(&young, "").into_owned().replace(",\n                }", "\n                }");
    let docker = StandIn::new()
        .on("ps --all*", Reply::stdout("feed1234feed a-young-one\n"))
        .on("container inspect -- feed1234feed", Reply::stdout(young))
        .on("info *", Reply::stdout(format!("1 true true 26.1.5 {}\n", time(now - hour))))
        .on("run -d *", Reply::fails(125, "docker: Error response from daemon: no.\n").hook("sleep 1"))
        .on("rm *", Reply::default());
    let run = Run::line("-q run -d CartPole-v1").docker(docker);
    let output = run.spawn().wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(6), "{}", String::from_utf8_lossy(&output.stderr));
    let calls = run.stand_in().calls();
    assert!(calls.iter().any(|call| call.starts_with("info ")), "{calls:?}");
    assert!(!calls.iter().any(|call| call.starts_with("rm ") && call.contains("45d5")), "{calls:?}");
}
