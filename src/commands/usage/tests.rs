//! What the program answers to wrong command lines.

use super::*;
use crate::commands::other_tools::{VERBS, Verb};

fn arguments(line: &str) -> Vec<OsString> {
    std::iter::once("rlmesh-sandbox").chain(line.split(' ')).map(OsString::from).collect()
}

/// The error of a command line, with its message and its hints.
fn answer(line: &str) -> (String, Vec<String>) {
    let arguments = arguments(line);
    let error = match cli::parse(&arguments) {
        Err(error) => usage_error(&error, &arguments),
        Ok(_) => misunderstood(&arguments).unwrap_or_else(|| panic!("{line:?} is valid")),
    };
    assert_eq!(error.exit().code(), 2, "{line}");
    (error.to_string(), error.hints())
}

#[test]
fn mistakes_end_in_the_command_to_type() {
    for (line, next) in [
        // A forgotten command, and commands of other tools.
        ("CartPole-v1", "run CartPole-v1"),
        ("cartpole -d", "run CartPole-v1 -d"),
        ("CartPole-v1 build", "build CartPole-v1"),
        ("-d CartPole-v1", "run -d CartPole-v1"),
        ("CartPole-v1 -- python x.py", "run CartPole-v1 -- python x.py"),
        ("./my_env", "run ./my_env"),
        ("kill abc", "stop abc"),
        ("rm -f abc", "stop abc"),
        ("start CartPole-v1", "run CartPole-v1"),
        ("pull CartPole-v1", "build CartPole-v1"),
        ("attach abc", "logs --follow abc"),
        ("list", "ps"),
        ("info", "doctor"),
        ("version", "--version"),
        ("run --version", "--version"),
        ("docker run --rm CartPole-v1", "run CartPole-v1"),
        ("run run CartPole-v1", "run CartPole-v1"),
        ("buidl CartPole-v1", "build CartPole-v1"),
        ("RUN CartPole-v1", "run CartPole-v1"),
        ("completion bash", "completions bash"),
        // Words that are missing or too many.
        ("run", "run CartPole-v1"),
        ("stop", "stop ID"),
        ("kill", "stop ID"),
        ("run CartPole-v1 python x.py --lr 3 -d", "run CartPole-v1 -- python x.py --lr 3 -d"),
        ("check CartPole-v1 -- python x.py", "run CartPole-v1 -- python x.py"),
        ("build CartPole-v1 python x.py", "run CartPole-v1 -- python x.py"),
        ("run CartPole-v1 render_mode=rgb_array", "run CartPole-v1 -k render_mode=rgb_array"),
        ("run -p numpy scipy CartPole-v1", "run -p numpy -p scipy CartPole-v1"),
        ("run CartPole-v1 -p numpy scipy -d", "run CartPole-v1 -p numpy -p scipy -d"),
        ("run CartPole-v1 Taxi-v4", "run CartPole-v1"),
        ("run --package=numpy CartPole-v1 python x.py", "run --package=numpy CartPole-v1 -- python x.py"),
        ("manifest gym:CartPole-v1", "manifest CartPole-v1"),
        ("manifest --env-id CartPole-v1", "manifest CartPole-v1"),
        ("run CartPole-v1 -- -n 4 python x.py", "run CartPole-v1 -n 4 -- python x.py"),
        ("run CartPole-v1 -- -d", "run CartPole-v1 -d"),
        ("run -- CartPole-v1", "run CartPole-v1"),
        ("run -d CartPole-v1 -- true", "run CartPole-v1 -- true"),
        ("run CartPole-v1 --owner-pid 1", "run CartPole-v1 --owner-pid 1 --detach"),
        // Options of other tools.
        ("run -it --rm -p 8080:80 CartPole-v1", "run CartPole-v1"),
        ("run -dt CartPole-v1", "run -d CartPole-v1"),
        ("run -itd CartPole-v1", "run -d CartPole-v1"),
        ("build --no-cache CartPole-v1", "build --rebuild CartPole-v1"),
        ("build -t me/env:1 CartPole-v1", "build --tag me/env:1 CartPole-v1"),
        ("build -f Dockerfile .", "build ."),
        ("build -d CartPole-v1", "build CartPole-v1"),
        ("ps -a", "ps"),
        ("ps --env=A=1", "ps"),
        ("run CartPole-v1 --num-workers=4", "run CartPole-v1 -n 4"),
        ("run CartPole-v1 --render_mode=rgb_array", "run CartPole-v1 -k render_mode=rgb_array"),
        ("run --env CartPole-v1", "run CartPole-v1"),
        ("run --env_id=CartPole-v1 -d", "run CartPole-v1 -d"),
        ("run CartPole-v1 --python 3.12", "run CartPole-v1 --base-image python:3.12-slim"),
        ("run CartPole-v1 --async", "run CartPole-v1 --vectorization-mode async"),
        // Near spellings.
        ("run CartPole-v1 --base-imag x", "run CartPole-v1 --base-image x"),
        ("run CartPole-v1 --base_image=x", "run CartPole-v1 --base-image=x"),
        ("run CartPole-v1 --format jsn", "run CartPole-v1 --format json"),
        ("run -rebuild CartPole-v1", "run --rebuild CartPole-v1"),
        ("run -detach CartPole-v1", "run --detach CartPole-v1"),
        ("run CartPole-v1 –d", "run CartPole-v1 -d"),
        ("run CartPole-v1 —rebuild", "run CartPole-v1 --rebuild"),
        ("run CartPole-v1 --pull=always", "run CartPole-v1 --pull"),
        ("run -vv CartPole-v1", "run -v CartPole-v1"),
        ("run -q -v CartPole-v1", "run -v CartPole-v1"),
        ("run --installer uv --installer pip A-v0", "run --installer pip A-v0"),
        ("run A-v0 -n4 -n 2", "run A-v0 -n 2"),
        ("run A-v0 --num-envs=4 -n 2", "run A-v0 -n 2"),
        ("CartPole-v1 -d run", "run CartPole-v1 -d"),
        ("prune -f", "prune --yes"),
        ("reap --force", "reap"),
        ("help kill", "help stop"),
    ] {
        let (message, hints) = answer(line);
        assert_eq!(hints.last().unwrap(), &format!("rlmesh-sandbox {next}"), "{line}: {message} {hints:?}");
        assert!(!message.contains("x.py") && hints.len() <= 4, "{line}: {message} {hints:?}");
    }
}

#[test]
fn dockers_own_commands_stay_dockers() {
    assert_eq!(answer("exec -it abc sh").1.last().unwrap(), "docker exec -it abc sh");
}

#[test]
fn only_near_spellings_are_suggested() {
    for line in [
        "frobnicate",
        "run CartPole-v1 --frobnicate",
        "run CartPole-v1 --format yaml",
        "ps --color blue",
        "zz",
    ] {
        let (_, hints) = answer(line);
        assert!(!hints.iter().any(|hint| hint.contains("did you mean")), "{line}: {hints:?}");
    }
    assert_eq!(nearest("--label", ["--lock", "--tag"].into_iter()), None);
    assert_eq!(nearest("ls", ["ps"].into_iter()), None);
    assert_eq!(nearest("comp", ["completions", "check"].into_iter()), Some("completions"));
    assert_eq!(nearest("re", ["reap", "rest"].into_iter()), None);
}

#[test]
fn every_wrong_value_has_one_form() {
    for (line, message) in [
        ("run A-v0 --apt LibGL", "--apt \"LibGL\": it is not a valid Debian package name"),
        ("run A-v0 --format yaml", "--format \"yaml\": it is not a valid value"),
        ("run A-v0 -n many", "--num-envs \"many\": it is not a valid number of copies"),
        ("stop --timeout soon x", "--timeout \"soon\": it is not a valid time"),
        ("completions tcsh", "SHELL \"tcsh\": it is not a valid value"),
        ("run A-v0 --base-image", "--base-image needs a value"),
    ] {
        let (found, hints) = answer(line);
        assert_eq!(found, message);
        assert!(!hints[0].is_empty() && !found.contains('<'), "{line}: {hints:?}");
    }
    let error = cli::parse(["rlmesh-sandbox", "run", "hf://org"]).unwrap_err();
    let error = usage_error(&error, &arguments("run hf://org"));
    assert_eq!(error.kind(), "InvalidSource");
    assert!(!error.to_string().contains("invalid value"), "{error}");
}

#[test]
fn secrets_are_not_repeated() {
    let (message, hints) = answer("run CartPole-v1 -e TOKEN=hunter2 --rm");
    assert!(!format!("{message} {hints:?}").contains("hunter2"), "{message} {hints:?}");
}

#[test]
fn what_is_valid_is_left_alone() {
    for line in [
        "run CartPole-v1 -- python -it",
        "run A-v0 -i t",
        "run A-v0 -v",
        "run -dv A-v0 -e NAME",
        "run A-v0 -n4",
    ] {
        assert!(misunderstood(&arguments(line)).is_none(), "{line}");
    }
}

#[test]
fn commands_of_other_tools_have_no_command_here() {
    let program = cli::command();
    for (names, verb) in VERBS {
        for name in names.split(' ') {
            let clash = program.find_subcommand(name).is_some();
            assert!(
                !clash
                    || *verb == Verb::Ours("prune")
                    || *verb == Verb::Ours("reap")
                    || matches!(verb, Verb::Dockers(_)),
                "{name}"
            );
        }
    }
}

#[test]
fn the_variable_is_named_that_a_value_came_from() {
    let variables: Variables =
        [("RLMESH_SANDBOX_BASE_IMAGE", "nosuch:1"), ("RLMESH_SANDBOX_DOCKER", " ")].into_iter().collect();
    let given = |line: &str| defaults(&arguments(line), &variables);
    assert_eq!(given("run A-v0"), [("--base-image", "RLMESH_SANDBOX_BASE_IMAGE", "nosuch:1".to_owned())]);
    assert_eq!(given("run A-v0 --base-image=x:1"), []);
    assert_eq!(given("run A-v0 -- x --base-image y").len(), 1);
    let error = |message: &str| SandboxError::ImageBuild(Problem::new(message, "a hint"));
    let hints = |message: &str| with_origin(error(message), &given("run A-v0")).hints();
    assert_eq!(hints("nosuch:1 does not exist")[1], "RLMESH_SANDBOX_BASE_IMAGE sets --base-image");
    let with_details = SandboxError::ImageBuild(Problem::new("not built", "a hint").details("FROM nosuch:1"));
    assert_eq!(with_origin(with_details, &given("run A-v0")).hints().len(), 2);
    assert_eq!(hints("something else"), ["a hint"]);
    assert_eq!(hints("RLMESH_SANDBOX_BASE_IMAGE \"nosuch:1\": x"), ["a hint"]);
}

#[test]
fn wrong_names_of_variables_are_found() {
    let variables: Variables =
        [("RLMESH_SANDBOX_BASEIMAGE", "x"), ("RLMESH_SANDBOX_ADDRESS", "x"), ("RLMESH_PORT", "1")]
            .into_iter()
            .collect();
    assert_eq!(variables.unknown().collect::<Vec<_>>(), ["RLMESH_SANDBOX_BASEIMAGE"]);
    let known = || crate::settings::variables::known();
    assert_eq!(nearest("RLMESH_SANDBOX_BASEIMAGE", known()), Some("RLMESH_SANDBOX_BASE_IMAGE"));
    assert_eq!(nearest("RLMESH_SANDBOX_TOKEN", known()), None);
}
