//! `__complete`: what the completion scripts ask for, with and without an engine.

use crate::support::{Reply, Run, StandIn, WAITS};

const SANDBOXES: &str = "45d51db4c7f0aa\tone\trunning\t127.0.0.1:49153->50051/tcp\t3 minutes ago\tgym://CartPole-v1\n\
                         99051db4c7f0aa\ttwo\trunning\t127.0.0.1:49154->50051/tcp\t2 hours ago\tgym://Taxi-v4\n\
                         88051db4c7f0aa\tthree\texited\t\t2 days ago\tgym://Taxi-v4\n";

fn docker() -> StandIn {
    StandIn::new()
        .on("ps *", Reply::stdout(SANDBOXES))
        .on("image ls *label=*", Reply::stdout("rlmesh-sandbox-x:1\tnow, 1MB\n"))
        .on("image ls *", Reply::stdout("python:3.11-slim\tnow, 1MB\n<none>:<none>\tnow, 2MB\n"))
}

/// Completes the last word of a line.
#[track_caller]
fn complete(line: &str, docker: StandIn, stdout: &str) {
    let words: Vec<&str> = line.split(' ').collect();
    let index = (words.len() - 1).to_string();
    let run = Run::new(["__complete", index.as_str()].into_iter().chain(words)).docker(docker);
    // The stand-in answers, but not on every machine at once.
    run.env(WAITS, "100").stdout(stdout).check();
}

#[test]
fn sandboxes_with_what_they_serve() {
    let one = "CartPole-v1, 3 minutes ago, tcp://127.0.0.1:<port>";
    let two = "Taxi-v4, 2 hours ago, tcp://127.0.0.1:<port>";
    let three = "Taxi-v4, 2 days ago, ended";
    complete("x stop ", docker(), &format!("one\t{one}\ntwo\t{two}\nthree\t{three}\n"));
    complete("x stop one ", docker(), &format!("two\t{two}\nthree\t{three}\n"));
    complete("x logs 45", docker(), &format!("45d51db4c7f0\t{one}\n"));
    complete("x logs tcp://127.0.0.1:49153", docker(), &format!("tcp://127.0.0.1:<port>\t{one}\n"));
    complete("x logs Cart", docker(), &format!("CartPole-v1\t{one}\n"));
    // Two sandboxes serve it.
    complete("x logs Taxi", docker(), "");
}

#[test]
fn images() {
    complete("x run --base-image=py", docker(), "--base-image=python:3.11-slim\tnow, 1MB\n");
    complete("x run image:", docker(), "image://rlmesh-sandbox-x:1\tnow, 1MB\n");
}

#[test]
fn repositories_of_the_cache() {
    let run = Run::new(["__complete", "2", "x", "ls", "hf:"]).docker(StandIn::missing());
    let refs = run.home().join(".cache/rlmesh-sandbox/hub/refs");
    std::fs::create_dir_all(&refs).unwrap();
    std::fs::write(refs.join("a.json"), r#"{"repo":"o/r","revision":null,"commit":"c"}"#).unwrap();
    std::fs::write(refs.join("b.json"), "not JSON").unwrap();
    run.stdout("hf://o/r\tin the cache\n").check();
}

#[test]
fn silent_without_an_engine() {
    for docker in [StandIn::missing, StandIn::dead] {
        complete("x stop ", docker(), "");
        complete("x run --base-image ", docker(), "");
        complete("x run CartPole-v0", docker(), "CartPole-v0\tGymnasium\n");
    }
    let hangs = StandIn::new().on("*", Reply::default().hangs());
    Run::new(["__complete", "2", "x", "stop"]).docker(hangs).check();
}
