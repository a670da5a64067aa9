//! What follows on unfinished command lines.

use std::path::Path;

use super::*;

/// The candidates for the last word of a line, of which the program's name is left out.
fn complete(line: &str) -> Vec<String> {
    complete_with(
        line,
        &Variables::from_iter([("HOME", "/nonexistent"), ("RLMESH_SANDBOX_DOCKER", "/nonexistent")]),
    )
}

fn complete_with(line: &str, variables: &Variables) -> Vec<String> {
    let words: Vec<&str> = std::iter::once("rlmesh-sandbox").chain(line.split(' ')).collect();
    let index = (words.len() - 1).to_string();
    let arguments: Vec<OsString> = std::iter::once(index.as_str()).chain(words).map(OsString::from).collect();
    let answer = answer(&arguments, variables);
    answer.lines().map(|line| line.split_once('\t').unwrap().0.to_owned()).collect()
}

#[test]
fn verbs_and_options() {
    assert_eq!(complete("ru"), ["run"]);
    assert_eq!(complete("-q ru"), ["run"]);
    assert_eq!(complete("--color never ru"), ["run"]);
    assert!(complete("").contains(&"stop".to_owned()) && !complete("").contains(&"--quiet".to_owned()));
    assert_eq!(complete("help comp"), ["completions"]);
    assert_eq!(complete("run --base"), ["--base-image"]);
    assert_eq!(complete("run --col"), ["--color"], "an option of every verb");
    assert!(complete("run --detach --det").is_empty(), "it is given");
    assert!(complete("run -qd --det").is_empty(), "it is given");
    assert_eq!(complete("run -p numpy --pack"), ["--package"], "it can be repeated");
    assert!(complete("run CartPole-v1 ").contains(&"--".to_owned()));
    assert!(!complete("run -").contains(&"--".to_owned()), "the source is missing");
}

#[test]
fn values_of_the_definition() {
    assert_eq!(complete("run --format "), ["text", "json", "env"]);
    assert_eq!(complete("run --format=j"), ["--format=json"]);
    assert_eq!(complete("--progress p"), ["plain"]);
    assert_eq!(complete("run --vectorization-mode "), ["sync", "async"]);
    assert_eq!(complete("completions "), ["bash", "zsh", "fish", "powershell", "elvish"]);
    assert_eq!(complete("build --build-memory "), ["auto", "off"]);
}

#[test]
fn environment_ids() {
    assert_eq!(complete("run CartPole-v"), ["CartPole-v0", "CartPole-v1"]);
    assert_eq!(complete("run cartpole-v"), ["CartPole-v0", "CartPole-v1"]);
    assert_eq!(complete("run gym://CartPole-v"), ["gym://CartPole-v0", "gym://CartPole-v1"]);
    assert_eq!(complete("run AL"), ["ALE/"]);
    assert_eq!(complete("run ALE/Pong"), ["ALE/Pong-v5"]);
    assert_eq!(complete("check phys2d/Pe"), ["phys2d/Pendulum-v0"]);
    assert_eq!(complete("run -n 4 -k render_mode=rgb_array Pendu"), ["Pendulum-v1"]);
    let all = complete("run ");
    assert!(all.contains(&"hf://".to_owned()) && all.contains(&"image://".to_owned()));
}

#[test]
fn nothing_where_nothing_can_be_known() {
    for line in [
        "run --apt ",
        "run --as-of ",
        "run -k ",
        "run --num-envs ",
        "run --wrap ",
        "run -d --owner-pid ",
        "stop ",
        "logs ",
        "build --tag ",
        "build --cache-from ",
        "stop --timeout ",
        "run --no-such-option=",
        "frobnicate ",
        "run --base-image ",
        "run image:",
        "completions bash x",
        "ls ./",
        "help run ",
    ] {
        assert_eq!(complete(line), [""; 0], "{line}");
    }
    assert_eq!(complete("ls "), ["hf://"]);
    assert_eq!(answer(&[], &Variables::default()), "");
    for wrong in ["x", "0", "9", "-1"] {
        assert_eq!(answer(&[wrong.into(), "rlmesh-sandbox".into()], &Variables::default()), "", "{wrong}");
    }
}

#[test]
fn the_users_command_is_for_the_shell() {
    let arguments = ["4", "rlmesh-sandbox", "run", "X-v0", "--", "pyth"].map(OsString::from);
    assert_eq!(answer(&arguments, &Variables::default()), "\tcommand 4\n");
}

#[test]
fn an_empty_last_word_may_be_missing() {
    let answers = [&["2", "rlmesh-sandbox", "completions"][..], &["2", "rlmesh-sandbox", "completions", ""]]
        .map(|words| answer(&words.iter().map(OsString::from).collect::<Vec<_>>(), &Variables::default()));
    assert!(answers[0] == answers[1] && answers[0].starts_with("bash\t"));
}

fn world() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    };
    for name in ["my env/env.py", "package/pyproject.toml", "other/deep/env.py", "a.json", "b.whl", ".hidden"]
    {
        file(name);
    }
    folder
}

#[test]
fn files_and_folders() {
    let world = world();
    let home = world.path().to_str().unwrap();
    let variables = Variables::from_iter([("HOME", home)]);
    let complete = |line: &str| complete_with(line, &variables);
    assert_eq!(complete("run --lock ~/a"), ["~/a.json"]);
    assert_eq!(
        complete("run --kwargs @~/"),
        ["@~/a.json", "@~/b.whl", "@~/my env/", "@~/other/", "@~/package/"]
    );
    assert_eq!(complete("run --kwargs "), ["@"]);
    assert_eq!(complete("run --ca-cert=~/a"), ["--ca-cert=~/a.json"]);
    assert_eq!(complete("run --rlmesh-package ~/b"), ["~/b.whl"]);
    assert_eq!(complete("run --rlmesh-package l"), ["local"]);
    assert_eq!(complete("run ~/"), ["~/my env/", "~/other/", "~/package/"]);
    assert_eq!(complete("run ~"), ["~/"]);
    assert_eq!(complete(&format!("run {home}/ot")), [format!("{home}/other/")]);
    assert_eq!(complete("run -p ~/"), ["~/b.whl", "~/my env/", "~/other/", "~/package/"]);
    assert_eq!(complete("run --lock ~/.h"), ["~/.hidden"]);
    let described = paths::paths("~/", paths::Wanted::Environment, Some(Path::new(home)));
    let described: Vec<&str> = described.iter().map(|candidate| candidate.description.as_str()).collect();
    assert_eq!(described, ["env.py", "", "pyproject.toml"]);
}

#[test]
fn text_of_containers_is_harmless() {
    let printed = |value: &str, description: &str| Candidate::new(value, description).printed();
    assert_eq!(printed("a", "b\tc\n\u{1b}[31md\u{202e}").unwrap(), "a\tb c d\\u{202e}\n");
    assert_eq!(printed("a\u{1b}b", ""), None);
    assert_eq!(printed("a\nb", ""), None);
    assert_eq!(printed("a", &"x".repeat(1000)).unwrap().len(), 103);
}

/// A name in [`values::of`] that is not in the definition would never be completed.
#[test]
fn every_argument_with_live_values_exists() {
    let mut command = cli::command();
    command.build();
    let verb = |name: &str| command.find_subcommand(name).unwrap();
    for id in [
        "source",
        "base_image",
        "rlmesh_package",
        "packages",
        "imports",
        "kwargs",
        "ca_cert",
        "env",
        "platform",
        "build_memory",
    ] {
        assert!(verb("run").get_arguments().any(|argument| argument.get_id() == id), "{id}");
    }
    let positional = |name: &str| verb(name).get_positionals().next().unwrap().get_id().to_string();
    assert!(verb("ps").get_arguments().any(|argument| argument.get_id() == "filter"));
    for name in ["stop", "logs", "inspect"] {
        assert!(
            ["containers", "container", "sandboxes", "sandbox"].contains(&positional(name).as_str()),
            "{name}"
        );
    }
}
