//! Environments from a Hub, built, started and stepped for real: every shape that `make_env` may return.

use crate::live::engine::{Done, Images, Live, containers, layers, together};
use crate::live::python::{self, EPISODE, VECTOR};
use crate::support::hub::{Hub, Repository};

const DISCRETE: &str = "
import sys
from rlmesh.numpy import RemoteEnv
env = RemoteEnv(sys.argv[1])
env.reset(seed=0)
env.step(env.action_space.sample())
print(env.observation_space, env.action_space)
";

/// Runs a fixture's repository around a Python script, and returns what the script printed.
fn around(folder: &str, selector: &str, options: &[&str], script: &str) -> Done {
    let (_together, live, hub) = (together(), Live::new(), Hub::start());
    let commit = hub.put(Repository::fixture("acme/env", folder));
    let source = format!("hf://acme/env@{commit}{selector}");
    let _images = Images::of(&[&format!("{source} {}", options.join(" "))]);
    let mut arguments = vec!["run", &source, "--trust-remote-code"];
    arguments.extend(options);
    let interpreter = python::interpreter().to_str().unwrap();
    arguments.extend(["--", interpreter, "-W", "ignore", "-c", script, "{address}"]);
    let done = run(&live, &hub, &arguments);
    live.assert_clean();
    assert_eq!(containers(&format!("rlmesh.sandbox.source={source}")), Vec::<String>::new());
    done
}

/// Runs the program against a hub, with a cache of its own.
fn run(live: &Live, hub: &Hub, arguments: &[&str]) -> Done {
    let cache = live.state.path().join("cache");
    let mut command = live.command(arguments);
    let output = command.env("HF_ENDPOINT", hub.endpoint()).env("XDG_CACHE_HOME", cache).output().unwrap();
    Done::new(arguments, output)
}

#[test]
fn a_plain_environment_takes_arguments() {
    let steps: u32 =
        around("plain", "", &["-k", "max_episode_steps=3"], EPISODE).ended(0).stdout.trim().parse().unwrap();
    assert!((1..=3).contains(&steps), "{steps}");
}

#[test]
fn a_vector_environment_has_its_copies() {
    for mode in ["sync", "async"] {
        let options = ["-n", "3", "--vectorization-mode", mode];
        assert_eq!(around("vector", "", &options, VECTOR).ended(0).stdout.trim(), "(3, 4) (3,)");
    }
}

#[test]
fn suites_and_tasks_are_chosen() {
    for (selector, spaces) in [
        (":classic/0", "Discrete(2)"),
        (":classic/1", "Discrete(3)"),
        (":toy/taxi", "Discrete(500)"),
        (":toy", "Discrete(500)"),
    ] {
        let printed = around("suites", selector, &[], DISCRETE).ended(0).stdout;
        assert!(printed.contains(spaces), "{selector}: {printed}");
    }
}

#[test]
fn a_wrong_choice_says_what_there_is() {
    for (selector, offers) in [
        (":clasic/0", "the repository offers suites: classic, toy"),
        (":classic/7", "the repository offers tasks: 0, 1"),
        ("", "classic, toy"),
        (":classic", "0, 1"),
    ] {
        let failed = around("suites", selector, &[], EPISODE).ended(6);
        let hint = failed.stderr.lines().find(|line| line.starts_with("hint: ")).unwrap_or_default();
        assert!(hint.contains(offers), "{selector}: {}", failed.stderr);
    }
}

#[test]
fn the_chosen_task_is_wrapped() {
    let wrapper = ["--wrap", "gymnasium.wrappers:FlattenObservation"];
    let printed = around("suites", ":toy/taxi", &wrapper, DISCRETE).ended(0).stdout;
    assert!(printed.contains("(500,)"), "{printed}");
}

#[test]
fn make_env_need_not_know_how_many() {
    assert!(around("no-n-envs", "", &[], DISCRETE).ended(0).stdout.contains("Discrete(3)"));
    let failed = around("no-n-envs", "", &["-n", "2"], VECTOR).ended(6);
    assert!(failed.stderr.contains("n_envs"), "{}", failed.stderr);
}

#[test]
fn requirements_are_installed_with_the_files_that_they_name() {
    around("with-requirements", "", &[], EPISODE).ended(0);
}

#[test]
fn env_py_can_import_files_beside_it() {
    around("with-module", "", &[], EPISODE).ended(0);
}

/// Builds an image of a commit, and returns its tag.
fn built(live: &Live, hub: &Hub, commit: &str, options: &[&str]) -> String {
    let source = format!("hf://acme/env@{commit}");
    let arguments = [&["-q", "build", &source, "--trust-remote-code"], options].concat();
    run(live, hub, &arguments).ended(0).stdout.trim().to_owned()
}

/// A repository that requires a package and has a comment of its own in env.py.
fn requiring(comment: &str) -> Repository {
    let plain = Repository::fixture("acme/env", "plain");
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/hub/plain/env.py");
    let code = std::fs::read_to_string(folder).unwrap();
    plain.file("requirements.txt", "tabulate\n").file("env.py", format!("{code}\n# {comment}\n"))
}

#[test]
fn a_change_of_the_code_installs_nothing_again() {
    let (_together, live, hub) = (together(), Live::new(), Hub::start());
    let commits = [hub.put(requiring("one")), hub.put(requiring("another"))];
    let sources = commits.each_ref().map(|commit| format!("hf://acme/env@{commit}"));
    let _images = Images::of(&sources.each_ref().map(String::as_str));
    let [one, another] = commits.map(|commit| layers(&built(&live, &hub, &commit, &[])));
    let (last, rest) = one.split_last().unwrap();
    assert_eq!(rest, &another[..another.len() - 1], "only the files differ");
    assert_ne!(Some(last), another.last());
}

#[test]
fn what_a_repository_requires_is_locked_and_installed_from_the_lock() {
    let (_together, live, hub) = (together(), Live::new(), Hub::start());
    let commit = hub.put(requiring("locked"));
    let folder = tempfile::tempdir().unwrap();
    let lock = folder.path().join("lock.txt");
    let locked = ["--lock", lock.to_str().unwrap()];
    let source = format!("hf://acme/env@{commit}");
    let _first = Images::of(&[&source]);
    let first = built(&live, &hub, &commit, &locked);
    let text = std::fs::read_to_string(&lock).unwrap();
    let names: Vec<&str> =
        text.lines().filter_map(|line| line.split_once("==")).map(|(name, _)| name).collect();
    assert!(
        names.contains(&"tabulate") && names.contains(&"rlmesh") && text.contains("--hash=sha256:"),
        "{text}"
    );
    let _second = Images::of(&[&format!("{source} --lock {}", lock.display())]);
    let second = built(&live, &hub, &commit, &locked);
    assert_ne!(first, second, "a lock that is there is part of the hash");
    let interpreter = python::interpreter().to_str().unwrap();
    let command = ["--", interpreter, "-W", "ignore", "-c", EPISODE, "{address}"];
    let arguments = [&["run", &source, "--trust-remote-code"], &locked[..], &command].concat();
    run(&live, &hub, &arguments).ended(0);
    live.assert_clean();
}
