//! What an environment that means harm can do, with each isolation: the README has the table.

use std::net::TcpListener;
use std::path::Path;

use super::engine::{Images, Live, docker, together};
use super::python::script;
use crate::generated::compare_section;

const RESET: &str = "
import sys
from rlmesh.numpy import RemoteEnv
RemoteEnv(sys.argv[1]).reset(seed=0)
";

/// The most that a log may take on the disk, in bytes.
const LARGEST_LOG: u64 = 25 << 20;

/// A container that is removed with the test.
struct Container(String);

impl Drop for Container {
    fn drop(&mut self) {
        docker(&["rm", "--force", &self.0]);
    }
}

fn ip(container: &str) -> String {
    docker(&["inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", container])
}

/// What was tried, and whether it worked: when the environment was created, and in its first reset.
fn tried(live: &Live, isolation: &str, variables: &[String]) -> Vec<(String, [bool; 2])> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile");
    let mut arguments = vec!["run", "-d", "--format", "env", "--isolation", isolation, "--memory", "1g"];
    arguments.extend(["--ready-timeout", "600", folder.to_str().unwrap()]);
    variables.iter().for_each(|variable| arguments.extend(["-e", variable]));
    let up = live.run(&arguments).ended(0);
    let id = up.variable("RLMESH_SANDBOX_CONTAINER_ID");
    let container = Container(id.clone());
    script(RESET, &[&up.variable("RLMESH_SANDBOX_ADDRESS")], |_| {});
    let log = live.run(&["logs", &id]).ended(0).stdout;
    let mut found: Vec<(String, [bool; 2])> = Vec::new();
    for line in log.lines().filter_map(|line| line.strip_prefix("attempt ")) {
        let mut words = line.split(' ');
        let (phase, name) = (words.next().unwrap(), words.next().unwrap().replace('+', " "));
        let works = words.next().unwrap() == "works";
        match found.iter_mut().find(|(known, _)| *known == name) {
            Some((_, phases)) => phases[usize::from(phase == "reset")] = works,
            None => found.push((name, [works, false])),
        }
    }
    let path = docker(&["inspect", "--format", "{{.LogPath}}", &id]);
    let size: u64 = [path.clone(), format!("{path}.1")]
        .iter()
        .filter_map(|path| std::fs::metadata(path).ok())
        .map(|file| file.len())
        .sum();
    assert!(size > 0, "the log is not readable here: run the tests as root");
    let is_large = size > LARGEST_LOG;
    found.push(("fill the disk with its log".to_owned(), [is_large; 2]));
    drop(container);
    live.run(&["reap"]).ended(0);
    found
}

#[test]
fn the_readme_says_what_works() {
    let folder = format!("{}/tests/hostile", env!("CARGO_MANIFEST_DIR"));
    let (_guard, live, _images) = (together(), Live::new(), Images::of(&["CartPole-v1", &folder]));
    let service = TcpListener::bind("0.0.0.0:0").unwrap();
    let sandbox = live.run(&["run", "-d", "--format", "env", "CartPole-v1"]).ended(0);
    let sandbox = Container(sandbox.variable("RLMESH_SANDBOX_CONTAINER_ID"));
    let server = ["run", "-d", "--entrypoint", "python", "python:3.11-slim", "-m", "http.server", "8000"];
    let other = Container(docker(&server));
    let variables = [
        format!("HOSTILE_HOST_PORT={}", service.local_addr().unwrap().port()),
        format!("HOSTILE_PEERS=sandbox={}:50051,container={}:8000", ip(&sandbox.0), ip(&other.0)),
    ];
    let (default, strict) = (tried(&live, "default", &variables), tried(&live, "strict", &variables));
    assert!(default.len() > 50, "{default:?}");
    let cell = |phases: [bool; 2]| match phases {
        [_, true] => "works",
        [true, false] => "until it answers",
        [false, false] => "–",
    };
    let mut table = "| an environment tries to | default | strict |\n|---|---|---|\n".to_owned();
    for ((name, in_default), (other, in_strict)) in default.iter().zip(&strict) {
        assert_eq!(name, other);
        table += &format!("| {name} | {} | {} |\n", cell(*in_default), cell(*in_strict));
    }
    compare_section("isolation", &table);
}
