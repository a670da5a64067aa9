//! `hash`: the SDK's hash, without Docker.

use serde::Deserialize;

use crate::support::{Run, StandIn, fixture};

#[derive(Deserialize)]
struct Vector {
    source: String,
    base_image: Option<String>,
    rlmesh_package: Option<String>,
    packages: Vec<String>,
    imports: Vec<String>,
    build_hash: String,
    image_tag: String,
}

impl Vector {
    fn arguments(&self) -> Vec<String> {
        let mut arguments = vec!["hash".to_owned(), self.source.clone()];
        let mut option = |name: &str, value: &str| arguments.extend([name.to_owned(), value.to_owned()]);
        self.base_image.iter().for_each(|value| option("--base-image", value));
        self.rlmesh_package.iter().for_each(|value| option("--rlmesh-package", value));
        self.packages.iter().for_each(|value| option("--package", value));
        self.imports.iter().for_each(|value| option("--import", value));
        arguments
    }
}

const CARTPOLE: &str = "7e4a80df0452f330b9b11d017203bd9442e0a50bdcab31d6b2bc8d1da740b67d";

/// No docker anywhere: `hash` never asks for it.
fn run(line: &str) -> Run {
    Run::line(line).docker(StandIn::missing())
}

#[test]
fn every_vector_of_the_sdk() {
    let vectors: Vec<Vector> = serde_json::from_slice(&fixture("hash.json")).unwrap();
    for vector in vectors {
        Run::new(vector.arguments())
            .docker(StandIn::missing())
            .stdout(format!("{}\n", vector.build_hash))
            .check();
        let mut tag = vector.arguments();
        tag.push("--tag".to_owned());
        Run::new(tag).docker(StandIn::missing()).stdout(format!("{}\n", vector.image_tag)).check();
    }
}

#[test]
fn as_json() {
    run("hash CartPole-v1 --format json")
        .stdout(format!(
            "{{\"source\":\"gym://CartPole-v1\",\"build_hash\":\"{CARTPOLE}\",\"image\":\"rlmesh-sandbox-cartpole-v1:7e4a80df0452\"}}\n"
        ))
        .check();
}

#[test]
fn what_is_only_said_at_run_time_changes_nothing() {
    run("hash CartPole-v1 -n 4 --vectorization-mode async -k max_episode_steps=50 --build-memory 2g")
        .stdout(format!("{CARTPOLE}\n"))
        .check();
}

#[test]
fn what_a_known_environment_needs_counts_as_if_it_was_given() {
    for (known, by_hand) in [
        ("LunarLander-v3", "LunarLander-v3 -p gymnasium[box2d]"),
        ("ALE/Pong-v5", "ALE/Pong-v5 -p ale-py -i ale_py"),
        ("CartPole-v1 -k render_mode=rgb_array", "CartPole-v1 -p gymnasium[classic-control]"),
        (
            "gym_pusht/PushT-v0",
            "gym_pusht/PushT-v0 -p gym-pusht -i gym_pusht --apt libxcb1 --apt libgl1 --apt libglib2.0-0",
        ),
    ] {
        let hash =
            |arguments: &str| run(&format!("hash {arguments}")).any_stdout().any_stderr().check().stdout;
        assert_eq!(hash(known), hash(&format!("{by_hand} --no-auto")), "{known}");
        assert_eq!(hash(known), hash(by_hand), "{known}");
        assert_ne!(hash(known), hash(&format!("{known} --no-auto")), "{known}");
    }
    run("hash ALE/Pong-v5")
        .any_stdout()
        .stderr("added for ALE/Pong-v5: -p ale-py -i ale_py (--no-auto adds nothing)\n")
        .check();
}

#[test]
fn a_date_is_part_of_the_hash() {
    let hash = |arguments: &str| run(&format!("hash CartPole-v1{arguments}")).any_stdout().check().stdout;
    assert_ne!(hash(" --as-of 2025-03-31"), hash(""));
    assert_ne!(hash(" --as-of 2025-03-31"), hash(" --as-of 2025-03-30"));
}

#[test]
fn the_environment_fills_in_and_a_blank_value_does_not() {
    let other = "db698a5ee8698b6f0fece26d20175d7af358344ca7f29f99e5067c2f4258d26f\n";
    run("hash CartPole-v1").env("RLMESH_SANDBOX_BASE_IMAGE", "python:3.12-slim").stdout(other).check();
    run("hash CartPole-v1 --base-image python:3.12-slim")
        .env("RLMESH_SANDBOX_BASE_IMAGE", "python:3.13-slim")
        .stdout(other)
        .check();
    run("hash CartPole-v1")
        .env("RLMESH_SANDBOX_BASE_IMAGE", "  ")
        .env("RLMESH_SANDBOX_RLMESH_PACKAGE", "")
        .stdout(format!("{CARTPOLE}\n"))
        .check();
}

#[test]
fn a_wheel_is_part_of_the_hash_by_content() {
    let wheel = "rlmesh-0.1.0-cp310-abi3-linux_x86_64.whl";
    // The folder is part of the hash too: all three are hashed in the same one.
    let hash = |run: Run, content: &str| {
        std::fs::write(run.here().join(wheel), content).unwrap();
        let checked = run.check();
        (checked.stdout, checked.run)
    };
    let run = run(&format!("hash CartPole-v1 --rlmesh-package {wheel}")).any_stdout();
    let (one, run) = hash(run, "one");
    let (another, run) = hash(run, "two");
    let (again, _) = hash(run, "one");
    assert_eq!(one.len(), 65);
    assert_ne!(one, another);
    assert_eq!(one, again);
}

#[test]
fn a_prebuilt_image_has_no_hash() {
    run("hash image://x")
        .status(2)
        .stderr(
            "error: a prebuilt image has no build hash\nhint: use a Gymnasium id or hf://org/repo@commit\n",
        )
        .check();
}

#[test]
fn a_wheel_that_is_not_there() {
    run("hash CartPole-v1 --rlmesh-package gone.whl")
        .status(4)
        .stderr(
            "error: the wheel <world>/here/gone.whl cannot be read: No such file or directory (os error 2)\n\
             hint: check the path that --rlmesh-package names; to build a wheel, run `maturin build`\n",
        )
        .check();
}

#[test]
fn local_outside_of_a_checkout() {
    run("hash CartPole-v1 --rlmesh-package local")
        .status(4)
        .stderr(
            "error: --rlmesh-package local: no rlmesh checkout at or above <world>/here\n\
             hint: run it from inside an rlmesh checkout, or pass a wheel file: --rlmesh-package FILE.whl\n",
        )
        .check();
}

#[test]
fn an_error_as_json() {
    run("hash CartPole-v1 --package= --format json")
        .status(2)
        .stderr(
            "{\"error\":{\"kind\":\"InvalidOption\",\"exit_code\":2,\"message\":\"--package \\\"\\\": it is empty\",\"hints\":[\"use a value that is not empty, or remove the option\"],\"log_file\":null}}\n",
        )
        .check();
}

#[test]
fn an_unpinned_hub_source_is_refused_before_it_is_looked_up() {
    run("hash hf://org/repo@main")
        .status(3)
        .stderr(
            "error: hf://org/repo@main is not pinned: the revision main is a name that can point to another commit later\n\
             hint: pin it to a full commit id: hf://org/repo@<40 hex digits>\n\
             hint: or pass --allow-unpinned-hf to use the current commit at each run\n",
        )
        .check();
}
