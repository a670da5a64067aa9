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
    let lines = [
        "CartPol-v1 --no-auto",
        "ALE/Pong-v5 --no-auto",
        "nopkg:Env-v0",
        "Pendulum-v1",
        "Pendulum-v1 -i no_such_module",
    ];
    let (_guard, live, _images) = (together(), Live::new(), Images::of(&lines));
    let said = fails(&live, &["CartPol-v1", "--no-auto"], "gym://CartPol-v1");
    assert!(said.contains("hint: did you mean CartPole-v1?"), "{said}");
    assert!(
        said.ends_with("hint: rlmesh-sandbox run -d --ready-timeout 3600 CartPole-v1 --no-auto\n"),
        "{said}"
    );
    let said = fails(&live, &["ALE/Pong-v5", "--no-auto"], "gym://ALE/Pong-v5");
    assert!(said.ends_with(" --no-auto -p ale-py -i ale_py\n"), "{said}");
    let said = fails(&live, &["nopkg:Env-v0"], "gym://nopkg:Env-v0");
    assert!(said.contains("No module named 'nopkg'") && said.ends_with(" nopkg:Env-v0 -p nopkg\n"), "{said}");
    let said = fails(&live, &["Pendulum-v1", "-k", "nonsense=1"], "gym://Pendulum-v1");
    assert!(
        said.contains("unexpected keyword argument 'nonsense'")
            && said.contains("check the names given with -k"),
        "{said}"
    );
    let said = fails(&live, &["Pendulum-v1", "-i", "no_such_module"], "gym://Pendulum-v1");
    assert!(said.contains("No module named 'no_such_module'"), "{said}");
}

/// The packages that a look into the image finds are all that the import needs.
#[test]
fn missing_libraries_are_found_at_once() {
    let cv2 = ["Pendulum-v1", "-p", "opencv-python", "-i", "cv2"];
    let all = ["--apt", "libgl1", "--apt", "libglib2.0-0", "--apt", "libxcb1"];
    let lines = [cv2.join(" "), [&cv2[..], &all[..]].concat().join(" ")];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let (_guard, live, _images) = (together(), Live::new(), Images::of(&lines));
    let said = fails(&live, &cv2, "gym://Pendulum-v1");
    assert!(said.ends_with(&format!(" -i cv2 {}\n", all.join(" "))), "{said}");
    let up = live.run(&[&["-q", "run", "-d", "--format", "env"], &cv2[..], &all[..]].concat()).ended(0);
    live.run(&["stop", "-t", "1", &up.variable("RLMESH_SANDBOX_CONTAINER_ID")]).ended(0);
    live.assert_clean();
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
        done.stderr.contains("no-such-package-on-any-index is not on the package index\n")
            && done.stderr.contains("\nhint: -p names it"),
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
