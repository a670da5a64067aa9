//! Environments that do not come up: what is said, and that nothing stays.

use super::engine::{Images, Live, containers, together};

/// Runs what must fail in the container, and gives what was said. No container of that source stays.
#[track_caller]
fn fails(live: &Live, arguments: &[&str], source: &str) -> String {
    let mut line = vec!["run", "-d", "--ready-timeout", "3600"];
    line.extend(arguments);
    let done = live.run(&line).ended(6);
    assert!(done.stdout.is_empty());
    assert!(done.stderr.contains("\nhint: "), "{}", done.stderr);
    assert_eq!(containers(&format!("rlmesh.sandbox.source={source}")), Vec::<String>::new());
    live.assert_clean();
    done.stderr
}

#[test]
fn what_the_environment_says_comes_with_what_to_do() {
    let lines = ["CartPol-v1", "ALE/Pong-v5 --no-auto", "nopkg:Env-v0", "Pendulum-v1", "Pendulum-v1 -i no_such_module"];
    let (_guard, live, _images) = (together(), Live::new(), Images::of(&lines));
    let said = fails(&live, &["CartPol-v1"], "gym://CartPol-v1");
    assert!(said.contains("hint: use the environment id CartPole"), "{said}");
    let said = fails(&live, &["ALE/Pong-v5", "--no-auto"], "gym://ALE/Pong-v5");
    assert!(said.contains("pass -p ale-py -i ale_py"), "{said}");
    let said = fails(&live, &["nopkg:Env-v0"], "gym://nopkg:Env-v0");
    assert!(said.contains("No module named 'nopkg'") && said.contains("the module nopkg with -p"), "{said}");
    let said = fails(&live, &["Pendulum-v1", "-k", "nonsense=1"], "gym://Pendulum-v1");
    assert!(
        said.contains("unexpected keyword argument 'nonsense'") && said.contains("hint: check the names"),
        "{said}"
    );
    let said = fails(&live, &["Pendulum-v1", "-i", "no_such_module"], "gym://Pendulum-v1");
    assert!(said.contains("Unable to import package 'no_such_module'"), "{said}");
}

#[test]
fn an_environment_that_takes_too_long() {
    let (_guard, live, _images) = (together(), Live::new(), Images::of(&["Acrobot-v1"]));
    // Less than Python needs to start.
    let done = live.run(&["run", "-d", "Acrobot-v1", "--ready-timeout", "0.001"]);
    let done = done.ended(6);
    assert!(
        done.stderr.contains("did not answer within 1ms") && done.stderr.contains("--ready-timeout"),
        "{}",
        done.stderr
    );
    assert_eq!(containers("rlmesh.sandbox.source=gym://Acrobot-v1"), Vec::<String>::new());
    live.assert_clean();
}

#[test]
fn a_build_that_fails() {
    let (_guard, live) = (together(), Live::new());
    let done = live.run(&["build", "CartPole-v1", "-p", "no-such-package-on-any-index==1"]).ended(5);
    assert!(
        done.stderr.contains("hint: the package or version does not exist for this Python"),
        "{}",
        done.stderr
    );
    let done = live.run(&["build", "CartPole-v1", "--base-image", "no-such-image-anywhere:1"]).ended(5);
    assert!(
        done.stderr.contains("\nhint: the registry cannot be reached")
            || done.stderr.contains("\nhint: the base image does not exist"),
        "{}",
        done.stderr
    );
    live.assert_clean();
}

#[test]
fn an_engine_that_is_not_there() {
    let live = Live::new();
    let nowhere = format!("unix://{}/nowhere.sock", live.state.path().display());
    for verb in ["build", "run"] {
        let output = live.command(&[verb, "CartPole-v1"]).env("DOCKER_HOST", &nowhere).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(7), "{stderr}");
        assert!(stderr.starts_with("error: the docker engine does not answer"), "{stderr}");
    }
    for verb in [&["stop", "x"][..], &["reap"], &["ps"], &["doctor"]] {
        let output = live.command(verb).env("DOCKER_HOST", &nowhere).output().unwrap();
        assert_eq!(output.status.code(), Some(7), "{verb:?}");
    }
    live.assert_clean();
}
