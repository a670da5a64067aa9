//! Errors under `--format json`: of every command one object with the same fields, whose hints hold the whole command
//! to type next.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::run::ID;
use crate::support::{Reply, Run, StandIn, fixture};

/// The error of a command line, once its fields are checked.
#[track_caller]
fn error(line: &str, docker: StandIn, status: i32) -> Value {
    let checked =
        Run::line(&format!("{line} --format json")).docker(docker).status(status).any_stderr().check();
    let error = checked.json_error();
    let fields: BTreeSet<&str> = error.as_object().unwrap().keys().map(String::as_str).collect();
    let always = BTreeSet::from(["kind", "exit_code", "message", "hints", "log_file"]);
    let mut known = always.clone();
    known.insert("details");
    assert!(fields.is_superset(&always) && fields.is_subset(&known), "{error}");
    assert_eq!(error["exit_code"], status, "{error}");
    let message = error["message"].as_str().unwrap();
    assert!(!message.is_empty() && !message.contains('\n'), "{error}");
    let hints = error["hints"].as_array().unwrap();
    assert!(!hints.is_empty() && hints.iter().all(|hint| !hint.as_str().unwrap().contains('\n')), "{error}");
    assert!(
        error["log_file"].is_null() || error["log_file"].as_str().unwrap().ends_with("/<log>"),
        "{error}"
    );
    error
}

fn last_hint(error: &Value) -> &str {
    error["hints"].as_array().unwrap().last().unwrap().as_str().unwrap()
}

#[test]
fn what_is_wrong_with_the_command_line() {
    for verb in ["build", "run", "check", "hash"] {
        // `hash` prints the hash of any id.
        let (line, kind, next) = match verb {
            "hash" => ("X-v0 -p numpy=1.26", "InvalidOption", "X-v0 -p numpy==1.26"),
            _ => ("CartPol-v1 -k a=1", "InvalidSource", "CartPole-v1 -k a=1"),
        };
        let found = error(&format!("{verb} {line}"), StandIn::new(), 2);
        assert_eq!(found["kind"], kind);
        assert_eq!(last_hint(&found), format!("rlmesh-sandbox {verb} {next} --format json"));
        assert!(found["log_file"].is_null() && found.get("details").is_none(), "{found}");
        let found = error(&format!("{verb} ./gone"), StandIn::new(), 4);
        assert_eq!(found["kind"], "SourceResolution");
    }
    for line in ["stop", "reap --bad", "ps --bad", "init a b", "doctor x"] {
        assert_eq!(error(line, StandIn::new(), 2)["kind"], "InvalidOption", "{line}");
    }
    assert_eq!(error("ls hf://org", StandIn::new(), 2)["kind"], "InvalidSource");
}

#[test]
fn an_engine_that_does_not_answer() {
    for line in ["build A-v0", "run A-v0 -d", "check A-v0", "stop x", "stop --all", "reap", "ps"] {
        for docker in [StandIn::dead(), StandIn::missing()] {
            assert_eq!(error(line, docker, 7)["kind"], "Docker", "{line}");
        }
    }
}

#[test]
fn a_failed_build_and_a_failed_start() {
    let output = "{\"vertexes\":[]}\n";
    let built = |recording: &str| {
        StandIn::new()
            .on("buildx version", Reply::stdout("github.com/docker/buildx v0.29.1 abc\n"))
            .on("image inspect *", Reply::missing_image())
            .on("buildx build *", Reply { status: 1, ..Reply::default().stderr(fixture(recording)) })
            .on("ps --all*", Reply::default())
            .on("run -d *", Reply::fails(125, "docker: Error response from daemon: No such image: x\n"))
            .on("rm *", Reply::stdout(output))
    };
    for line in ["build CartPole-v1", "run CartPole-v1 -d", "check CartPole-v1"] {
        let found = error(line, built("buildx/failed-0.29.1.txt"), 5);
        assert_eq!(found["kind"], "ImageBuild", "{found}");
        assert!(found["details"].as_str().unwrap().starts_with("failing step: "), "{found}");
        assert!(found["log_file"].is_string(), "{found}");
    }

    let log = "Traceback (most recent call last):\n  File \"/usr/lib/python3/dist-packages/a/b.py\", line 1, in <module>\n    import b\nModuleNotFoundError: No module named 'cv2'\n";
    for line in ["run CartPole-v1 -d", "check CartPole-v1"] {
        let docker = StandIn::new()
            .on("ps --all*", Reply::default())
            .on("run -d *", Reply::stdout(format!("{ID}\n")))
            .on(&format!("container inspect -- {ID}"), Reply::stdout(fixture("inspect/exited.json")))
            .on(&format!("logs --tail 5000 {ID}"), Reply::stdout(log))
            .on("rm --force --volumes rlmesh-sandbox-cartpole-v1-*", Reply::default());
        let found = error(line, docker, 6);
        assert_eq!(found["kind"], "ContainerStartup", "{found}");
        assert!(found["details"].as_str().unwrap().contains("import b"), "{found}");
        assert!(found["log_file"].is_string(), "{found}");
        assert_eq!(
            last_hint(&found),
            format!("rlmesh-sandbox {line} --format json -p opencv-python-headless")
        );
    }
}
