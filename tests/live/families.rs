//! Known environments, by their id alone: built, started, stepped and rendered by the published client.

use serde::Deserialize;

use super::engine::{Images, Live, together};
use super::python::interpreter;

#[derive(Deserialize)]
struct Table {
    family: Vec<Family>,
}

#[derive(Deserialize)]
struct Family {
    name: String,
    example: String,
    tried: String,
}

fn families() -> Vec<Family> {
    let table: Table = toml::from_str(include_str!("../../src/source/families.toml")).unwrap();
    table.family
}

/// Takes forty steps, and prints the size of a frame if one is asked for.
const STEPS: &str = "
import sys
from rlmesh.numpy import RemoteEnv
env = RemoteEnv(sys.argv[1])
env.reset(seed=0)
for _ in range(40):
    _, _, terminated, truncated, _ = env.step(env.action_space.sample())
    if terminated or truncated:
        env.reset()
if len(sys.argv) > 2:
    height, width, channels = env.render().shape
    assert height > 0 and width > 0 and channels in (3, 4), (height, width, channels)
print('stepped')
";

/// Runs an environment without any option that it needs, and returns why that failed.
fn serve(live: &Live, env_id: &str, renders: bool) -> Result<(), String> {
    let python = interpreter().to_str().unwrap();
    let mut arguments = vec!["run", env_id, "--ready-timeout", "300"];
    if renders {
        arguments.extend(["-k", "render_mode=rgb_array"]);
    }
    arguments.extend(["--", python, "-W", "ignore", "-c", STEPS, "{address}"]);
    if renders {
        arguments.push("frame");
    }
    let done = live.run(&arguments);
    if done.status == Some(0) && done.stdout.trim() == "stepped" { Ok(()) } else { Err(done.stderr) }
}

/// The options of the image's hash that decide its tag.
fn image_of(env_id: &str, renders: bool) -> String {
    if renders { format!("{env_id} -k render_mode=rgb_array") } else { env_id.to_owned() }
}

#[test]
fn one_of_each_kind_runs_by_its_id_alone() {
    let known = families();
    for (name, renders) in [
        // A package.
        ("box2d", true),
        // A package and its import.
        ("ale", true),
        // Debian packages and a variable, for frames.
        ("mujoco", true),
        // A wrapper.
        ("minigrid", true),
        // A wrapper of this tool.
        ("lbforaging", false),
    ] {
        let family = known.iter().find(|family| family.name == name).unwrap();
        let line = image_of(&family.example, renders);
        let (_guard, live, _images) = (together(), Live::new(), Images::of(&[&line]));
        if let Err(why) = serve(&live, &family.example, renders) {
            panic!("{name}: {why}");
        }
        live.assert_clean();
    }
}

/// The test that `tests/families` runs. FAMILIES is a list of names, for some of them only.
#[test]
#[ignore = "it takes an hour and several gigabytes: run tests/families"]
fn every_family_runs_by_its_id_alone() {
    let wanted = std::env::var("FAMILIES").unwrap_or_default();
    let wanted: Vec<&str> = wanted.split_whitespace().collect();
    let mut failed = Vec::new();
    for family in families() {
        if !wanted.is_empty() && !wanted.contains(&family.name.as_str()) {
            continue;
        }
        for renders in [false, true] {
            if renders && family.tried != "frame" {
                continue;
            }
            let line = image_of(&family.example, renders);
            let (_guard, live, _images) = (together(), Live::new(), Images::of(&[&line]));
            let what = if renders { "frame" } else { "steps" };
            match serve(&live, &family.example, renders) {
                Ok(()) => println!("ok      {what}  {}", family.example),
                Err(why) => {
                    println!("FAILED  {what}  {}\n{why}", family.example);
                    failed.push(format!("{} ({what})", family.name));
                }
            }
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
}
