//! `check` of real environments: those that work, and those that fail at each call.

use super::engine::{Done, Images, Live, containers, docker, together};
use super::python::{EPISODE, script};

/// Environments that fail at one call: `-k fails=reset`, `-k fails=step-hang`.
const MODULE: &str = r#"
import os, time
import numpy as np
import gymnasium as gym

class Env(gym.Env):
    metadata = {"render_modes": ["rgb_array"], "render_fps": 30}
    observation_space = gym.spaces.Dict({"a": gym.spaces.Box(0, 1, (2,), np.float32)})
    action_space = gym.spaces.Tuple((gym.spaces.Discrete(2), gym.spaces.Box(-1, 1, (3,), np.float32)))

    def __init__(self, fails="", render_mode=None):
        self.fails, self.render_mode = fails, render_mode
        if fails == "space":
            self.observation_space = gym.spaces.Box(0, 1, (0,), np.float32)

    def call(self, name):
        if self.fails == name:
            raise ImportError("libGL.so.1: cannot open shared object file: No such file or directory")
        if self.fails == name + "-hang":
            time.sleep(100000)
        if self.fails == name + "-exit":
            os._exit(3)

    def reset(self, seed=None, options=None):
        self.call("reset")
        return {"a": np.zeros(2, np.float32)}, {}

    def step(self, action):
        self.call("step")
        return {"a": np.zeros(2, np.float32)}, 1.0, False, False, {"speed": 2}

    def render(self):
        self.call("render")
        return np.zeros((4, 6, 3), np.uint8)

gym.register("Failing-v0", entry_point=Env, disable_env_checker=True)
"#;

const BASE: &str = "rlmesh-sandbox-test-failing:1";

/// Builds the base image with [`MODULE`].
fn base() -> Images {
    let images = Images::tags(vec![BASE.to_owned()]);
    let context = tempfile::tempdir().unwrap();
    std::fs::write(context.path().join("failing.py"), MODULE).unwrap();
    let lines = "FROM python:3.11-slim\nENV PYTHONFAULTHANDLER=1\nCOPY failing.py /tmp/failing.py\n\
        RUN cp /tmp/failing.py \"$(python -c 'import site; print(site.getsitepackages()[0])')\"\n";
    std::fs::write(context.path().join("Dockerfile"), lines).unwrap();
    docker(&["buildx", "build", "--quiet", "--load", "--tag", BASE, context.path().to_str().unwrap()]);
    images
}

fn failing(live: &Live, fails: &str, more: &[&str]) -> Done {
    let fails = format!("fails={fails}");
    let mut line = vec!["check", "Failing-v0", "--base-image", BASE, "-i", "failing"];
    line.extend(["-k", &fails, "-k", "render_mode=rgb_array"]);
    line.extend(more);
    Done::new(&line, live.command(&line).env("RLMESH_SANDBOX_TEST_WAITS", "0.1").output().unwrap())
}

#[test]
fn what_works_is_described() {
    let (_guard, live, _images) = (together(), Live::new(), Images::of(&["CartPole-v1"]));
    let done = live.run(&["-q", "check", "CartPole-v1"]).ended(0);
    for part in [
        "environment  CartPole-v1\n",
        "\naction       Discrete(2)\n",
        "\nstep         ",
        " ms (mean of 5)\nreward       1\n",
        "\ninfo         episode_ids\n",
    ] {
        assert!(done.stdout.contains(part), "{}", done.stdout);
    }
    let done = live.run(&["check", "CartPole-v1", "-n", "3", "--format", "json"]).ended(0);
    let json: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!((&json["env"]["num_envs"], &json["steps"]), (&3.into(), &5.into()));
    assert_eq!(json["rewards"], serde_json::json!([1.0, 1.0]));
    assert!(json["timings"]["step"].as_f64().unwrap() > 0.0, "{json}");
    assert_eq!(containers("rlmesh.sandbox.source=gym://CartPole-v1"), Vec::<String>::new());
    live.assert_clean();
}

#[test]
fn a_checked_environment_serves_the_next_client() {
    let (_guard, live, _images) = (together(), Live::new(), Images::of(&["CartPole-v1"]));
    let up = live.run(&["run", "-d", "--check", "--format", "env", "CartPole-v1"]).ended(0);
    assert!(up.stderr.contains("\n  checked      reset "), "{}", up.stderr);
    let steps: u32 =
        script(EPISODE, &[&up.variable("RLMESH_SANDBOX_ADDRESS")], |_| {}).trim().parse().unwrap();
    assert!(steps > 0);
    live.run(&["stop", "-t", "1", &up.variable("RLMESH_SANDBOX_CONTAINER_ID")]).ended(0);
    live.assert_clean();
}

#[test]
fn the_call_that_fails_is_named() {
    let (_guard, live, _base) = (together(), Live::new(), base());
    let _images = Images::of(&[&format!("Failing-v0 --base-image {BASE} -i failing")]);
    let works = failing(&live, "", &["--format", "json"]).ended(0);
    let json: serde_json::Value = serde_json::from_str(&works.stdout).unwrap();
    assert_eq!(json["frame"], serde_json::json!({"shape": [4, 6, 3], "dtype": "uint8"}));
    assert!(json["info_keys"].as_array().unwrap().contains(&"speed".into()), "{json}");
    failing(&live, "", &["-n", "2"]).ended(0);
    for call in ["reset", "step", "render"] {
        let said = failing(&live, call, &[]).ended(6).stderr;
        let start =
            format!("the environment started, but {call} failed: ImportError: libGL.so.1: cannot open");
        assert!(said.contains(&start) && said.contains("libgl1"), "{said}");
    }
    let said = failing(&live, "step-exit", &[]).ended(6).stderr;
    assert!(said.contains("the container ended in step (exit code 3)"), "{said}");
    let said = failing(&live, "space", &[]).ended(6).stderr;
    assert!(said.contains("the observation space of Failing-v0 is empty"), "{said}");
    // Less than the sleep in the environment, and enough for the calls before it.
    let said = failing(&live, "step-hang", &["--ready-timeout", "20"]).ended(6).stderr;
    assert!(
        said.contains("the environment started, but step did not return within 20s; it is at "),
        "{said}"
    );
    assert!(said.contains("failing.py:") && said.contains(" in call\n"), "{said}");
    assert_eq!(containers("rlmesh.sandbox.source=gym://Failing-v0"), Vec::<String>::new());
    live.assert_clean();
}
