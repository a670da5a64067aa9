//! Known environments, by their id alone: built, started, stepped and rendered by the published client.

use serde::Deserialize;

use super::engine::{Images, Live, entries, together};
use super::python::interpreter;

#[derive(Deserialize)]
struct Table {
    family: Vec<Family>,
}

#[derive(Clone, Deserialize)]
struct Family {
    name: String,
    example: String,
    tried: String,
}

fn families() -> Vec<Family> {
    let table: Table = toml::from_str(include_str!("../../src/source/families.toml")).unwrap();
    table.family
}

fn family(name: &str) -> Family {
    let found = families().into_iter().find(|family| family.name == name);
    found.unwrap_or_else(|| panic!("src/source/families.toml has no family {name}"))
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

/// One of each kind, and whether to ask it for a frame.
const KINDS: [(&str, bool); 5] = [
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
];

/// The families to run, and whether to ask each for a frame. `tests/families` sets FAMILIES to the names of some, each
/// of which runs without a frame and with one, or to `all`.
fn chosen() -> Vec<(Family, bool)> {
    let Ok(names) = std::env::var("FAMILIES") else {
        return KINDS.into_iter().map(|(name, renders)| (family(name), renders)).collect();
    };
    let chosen: Vec<Family> = match names.trim() {
        "all" => families(),
        names => names.split_whitespace().map(family).collect(),
    };
    let frame = |family: &Family| (family.tried == "frame").then(|| (family.clone(), true));
    chosen.into_iter().flat_map(|family| [Some((family.clone(), false)), frame(&family)]).flatten().collect()
}

#[test]
fn known_environments_run_by_their_id_alone() {
    let mut failed = Vec::new();
    for (family, renders) in chosen() {
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
        let left = entries(live.tmp.path());
        if !left.is_empty() {
            failed.push(format!("{} ({what}) left {left:?}", family.name));
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
}
