//! Environments from a Hub, built, started and stepped for real: every shape that `make_env` may return.

use crate::live::engine::{Done, Images, Live, containers, together};
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

/// Runs a fixture's repository around a Python script, and gives what the script printed.
fn around(folder: &str, selector: &str, options: &[&str], script: &str) -> Done {
    let (_together, live, hub) = (together(), Live::new(), Hub::start());
    let commit = hub.put(Repository::fixture("acme/env", folder));
    let source = format!("hf://acme/env@{commit}{selector}");
    let _images = Images::of(&[&source]);
    let mut arguments = vec!["run", &source, "--trust-remote-code"];
    arguments.extend(options);
    let interpreter = python::interpreter().to_str().unwrap();
    arguments.extend(["--", interpreter, "-W", "ignore", "-c", script, "{address}"]);
    let cache = tempfile::tempdir().unwrap();
    let mut command = live.command(&arguments);
    let output =
        command.env("HF_ENDPOINT", hub.endpoint()).env("XDG_CACHE_HOME", cache.path()).output().unwrap();
    live.assert_clean();
    assert_eq!(containers(&format!("rlmesh.sandbox.source={source}")), Vec::<String>::new());
    Done::new(&arguments, output)
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
fn env_py_finds_what_stands_beside_it() {
    around("with-module", "", &[], EPISODE).ended(0);
}
