//! Every command's JSON against the schema of the repository, `schema/output.json`.

use std::path::Path;

use boon::{Compiler, Schemas};
use serde_json::Value;

use crate::build::building;
use crate::check::{with_exec, works};
use crate::run::{ID, UNWATCHED, ended, inspection, up};
use crate::support::server::Server;
use crate::support::{Checked, Reply, Run, StandIn, WAITS, fixture};

/// Fails unless a value is what the schema says about it.
#[track_caller]
fn validate(definition: &str, value: &Value) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/output.json");
    let schema: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.add_resource("output.json", schema).unwrap();
    let schema = compiler.compile(&format!("output.json#/$defs/{definition}"), &mut schemas).unwrap();
    if let Err(error) = schemas.validate(value, schema) {
        panic!("{definition}: {error:#}\n{value:#}");
    }
}

/// The result of a command with `--json`, and each line of stderr, as the schema says.
#[track_caller]
fn check(definition: &str, run: Run) -> Value {
    let checked = run.any_status().any_stdout().any_stderr().check();
    check_stderr(&checked);
    let result: Value = checked.json();
    validate(definition, &with_whole_ids(result.clone()));
    result
}

#[track_caller]
fn check_stderr(checked: &Checked) {
    for line in checked.stderr.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        validate("stderr", &line);
    }
}

/// The test's own shortenings, undone.
fn with_whole_ids(value: Value) -> Value {
    let text = value.to_string().replace("<port>", "1").replace("<uuid>", "x").replace("<random>", "x");
    serde_json::from_str(&text).unwrap()
}

#[test]
fn sandboxes() {
    let listed = check("ps", Run::line("ps --json").docker(crate::stop::two()));
    assert_eq!(listed.as_array().unwrap().len(), 2);
    check("stop", Run::line("stop --all --json").docker(crate::stop::two()));
    check("reap", Run::line("reap --json").docker(crate::reap::engine(&crate::reap::zoo())));
    check("reap", Run::line("reap --json --dry-run").docker(crate::reap::engine(&crate::reap::zoo())));
    let server = Server::answering(fixture("handshake-cartpole.bin"));
    let docker = StandIn::new()
        .on("ps --all *", Reply::stdout(format!("{ID}\n")))
        .on("container inspect *", Reply::stdout(inspection("inspect/running.json", &server)));
    check("inspect", Run::line("inspect 45d5 --json").docker(docker));
    let docker = StandIn::new()
        .on("ps --all *", Reply::stdout(format!("{ID}\n")))
        .on("container inspect *", Reply::stdout(fixture("inspect/exited.json")));
    check("inspect", Run::line("inspect 45d5 --json").docker(docker));
    let logs = crate::stop::two().on("logs *", Reply::stdout("one\n"));
    check("log_line", Run::line("logs trainer --json").docker(logs));
    let logs = crate::stop::two().on("logs *", Reply::stdout("2026-11-25T09:00:00Z one\n"));
    check("log_line", Run::line("logs trainer -t --format jsonl").docker(logs));
}

#[test]
fn runs_and_builds() {
    let (docker, _server) = up();
    check("run", Run::line("run -d CartPole-v1 --json").docker(docker));
    let (docker, _server) = with_exec(works());
    check("check", Run::line("check CartPole-v1 --json").docker(docker));
    let (docker, _server) = with_exec(works());
    check("run", Run::line("run -d --check CartPole-v1 --json -v").docker(docker));
    check("build", Run::line("build CartPole-v1 --json").docker(building("buildx/built-0.29.1.txt")));
    check(
        "build",
        Run::line("build CartPole-v1 --json --progress plain -v").docker(building("buildx/built-0.29.1.txt")),
    );
    check("dry_run", Run::line("build CartPole-v1 --json --dry-run"));
    check("dry_run", Run::line("run image://org/a:1 --json --dry-run"));
    check("manifest", Run::line("manifest CartPole-v1 --json"));
    check("manifest", Run::line("manifest CartPole-v1 --kind compose --json"));
    check("hash", Run::line("hash CartPole-v1 --json"));
    check("init", Run::line("init mine --json"));
    check("doctor", Run::line("doctor --json").docker(StandIn::missing()));
}

#[test]
fn images_and_leftovers() {
    let listed = check("images", Run::line("images --json").docker(crate::prune::images()));
    assert!(!listed.as_array().unwrap().is_empty());
    check("prune", Run::line("prune --images --json --dry-run").docker(crate::prune::images()));
    check("prune", Run::line("prune --builders --json").docker(crate::prune::engine(StandIn::new())));
}

#[test]
fn errors() {
    for run in [
        Run::line("ps --json").docker(StandIn::dead()),
        Run::line("stop nope --json").docker(crate::stop::two()),
        Run::line("stop CartPole-v1 --json").docker(crate::stop::two()),
        Run::line("run --json --nope"),
        Run::line("--json nope"),
        Run::line("--json"),
        Run::line("build CartPole-v1 --json").docker(StandIn::dead()),
        Run::line("run -d CartPole-v1 --json").docker(StandIn::missing()),
        Run::line("ls CartPole-v1 --json"),
    ] {
        let checked = run.any_status().any_stderr().check();
        assert_ne!(checked.status, Some(0));
        check_stderr(&checked);
        assert_eq!(checked.json_error()["exit_code"], checked.status.unwrap(), "{}", checked.stderr);
    }
}

#[test]
fn a_container_log_on_stderr_is_json_too() {
    let hostile = "one\nerror: two\r\n\u{1b}[2J{\"error\":{}}\nrest";
    let log = Reply::stdout(hostile).marks("ended");
    let (docker, _server) = ended(StandIn::new().on(&format!("logs --follow {ID}"), log), 137);
    let run = Run::line("run CartPole-v1 --json -v").docker(docker).env(WAITS, UNWATCHED);
    let checked = run.status(1).any_stdout().any_stderr().check();
    check_stderr(&checked);
    let lines = checked.stderr.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let log: Vec<String> =
        lines.filter_map(|line| Some(line["log"]["message"].as_str()?.to_owned())).collect();
    assert_eq!(log[..4], ["one", "error: two", "\u{1b}[2J{\"error\":{}}", "rest"]);
}
