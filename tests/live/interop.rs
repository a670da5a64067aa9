//! The published SDK and this tool on one engine: each uses the other's images, and leaves its live containers alone.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use super::engine::{Images, Live, alone, docker, exists, together};
use super::python::{interpreter, script};
use crate::support::{Owned, program};

fn image_id(tag: &str) -> String {
    docker(&["image", "inspect", "--format", "{{.Id}}", tag])
}

/// Starts a sandbox through the SDK and prints the image that its container has.
const SANDBOX_ENV: &str = "
import subprocess, sys
from rlmesh.numpy import SandboxEnv
env = SandboxEnv(sys.argv[1])
env.reset(seed=0)
print(subprocess.check_output(['docker', 'inspect', '--format', '{{.Image}}', env.sandbox.container_id], text=True).strip())
env.close()
";

#[test]
fn the_sdk_uses_an_image_that_was_built_here() {
    let (_guard, live, _images) = (together(), Live::new(), Images::of(&["Pendulum-v1"]));
    let tag = live.run(&["build", "Pendulum-v1"]).ended(0).stdout.trim().to_owned();
    let before = image_id(&tag);
    assert_eq!(script(SANDBOX_ENV, &["Pendulum-v1"], |_| {}).trim(), before);
    assert_eq!(image_id(&tag), before);
}

#[test]
fn an_image_that_the_sdk_built_is_used_here() {
    let (_guard, live, images) = (together(), Live::new(), Images::of(&["Acrobot-v1"]));
    let legacy = |command: &mut Command| {
        // The SDK's Dockerfile names a frontend image, which the legacy builder does not look at.
        command.env("DOCKER_BUILDKIT", "0");
    };
    let built = script(SANDBOX_ENV, &["Acrobot-v1"], legacy);
    let done = live.run(&["run", "--format", "json", "-d", "Acrobot-v1"]).ended(0);
    let started: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!((started["built"].as_bool(), started["image_id"].as_str()), (Some(false), Some(built.trim())));
    live.run(&["stop", "-t", "1", started["container_id"].as_str().unwrap()]).ended(0);
    drop(images);
}

/// Starts a sandbox through the SDK, prints its id, and keeps it until it is killed.
const KEEP: &str = "
import time
from rlmesh.numpy import SandboxEnv
env = SandboxEnv('CartPole-v1')
print(env.sandbox.container_id, flush=True)
time.sleep(600)
";

#[test]
fn each_reaper_leaves_the_others_live_containers_and_removes_its_orphans() {
    let (_guard, live, _images) = (alone(), Live::new(), Images::of(&["CartPole-v1"]));
    live.run(&["build", "CartPole-v1"]).ended(0);
    let reap_through_the_sdk =
        || script("from rlmesh._rlmesh import sandbox_reap_orphans; sandbox_reap_orphans()", &[], |_| {});

    let sdk = Command::new(interpreter()).args(["-W", "ignore", "-c", KEEP]).stdout(Stdio::piped()).spawn();
    let mut sdk = Owned(sdk.unwrap());
    let mut theirs = String::new();
    BufReader::new(sdk.0.stdout.take().unwrap()).read_line(&mut theirs).unwrap();
    let theirs = theirs.trim();
    live.run(&["reap"]).ended(0);
    assert!(exists(theirs), "a live container of the SDK's was reaped here");

    let ours = live.command(&["-q", "run", "--format", "env", "CartPole-v1"]).stdout(Stdio::piped()).spawn();
    let mut ours = Owned(ours.unwrap());
    let id = BufReader::new(ours.0.stdout.take().unwrap())
        .lines()
        .find_map(|line| line.unwrap().strip_prefix("RLMESH_SANDBOX_CONTAINER_ID=").map(str::to_owned))
        .unwrap();
    let detached = live
        .run(&["run", "-d", "--format", "env", "CartPole-v1"])
        .ended(0)
        .variable("RLMESH_SANDBOX_CONTAINER_ID");
    reap_through_the_sdk();
    assert!(exists(&id), "a live container of ours was reaped by the SDK");
    assert!(exists(&detached), "a detached container of ours was reaped by the SDK");

    drop(sdk);
    let reaped = live.run(&["reap"]).ended(0);
    assert!(reaped.stdout.contains(theirs) && !exists(theirs), "{reaped:?}");

    drop(ours);
    reap_through_the_sdk();
    assert!(!exists(&id), "the SDK did not reap our orphan");
    assert!(exists(&detached));
    live.run(&["stop", "-t", "1", &detached]).ended(0);
    live.run(&["-q", "reap"]).ended(0);
    live.assert_clean();
}

/// Prints the tag that the SDK looks for, for each line of JSON on stdin. The docker that it calls is a
/// stand-in that knows every image and starts none.
const TAGS: &str = r#"
import json, os, sys
from rlmesh._rlmesh import sandbox_start_env
log = os.environ["CALLS"]
for line in sys.stdin:
    source, options = json.loads(line)
    open(log, "w").close()
    try:
        sandbox_start_env(source, **options)
    except Exception as error:
        problem = str(error)
    tags = [call.split()[-1] for call in open(log) if call.startswith("image inspect")]
    print(tags[0] if tags else problem)
"#;

#[test]
fn the_sdk_looks_for_the_same_tags() {
    use proptest::strategy::{Strategy as _, ValueTree as _};
    let stand_in = tempfile::tempdir().unwrap();
    let log = stand_in.path().join("calls");
    let docker = stand_in.path().join("docker");
    std::fs::write(&docker, "#!/bin/sh\necho \"$*\" >>\"$CALLS\"\ncase \"$1\" in image) echo sha256:0 ;; ps) ;; *) exit 1 ;; esac\n").unwrap();
    std::fs::set_permissions(&docker, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();

    let commit = "0123456789abcdefABCDEF0123456789abcdef01";
    let word = "[a-zA-Z0-9]{1,4}([-_.][a-zA-Z0-9]{1,3}){0,2}";
    let sources = proptest::prop_oneof![
        "[A-Za-z0-9ü日_]([A-Za-z0-9ü日_.-]{0,10}[A-Za-z0-9])?-v[0-9]",
        "gym://[A-Za-z]{1,5}/[A-Za-z]{1,5}-v[0-9]",
        proptest::strategy::Strategy::prop_map((word, word), move |(org, repo)| format!(
            "hf://{org}/{repo}@{commit}"
        )),
        proptest::strategy::Strategy::prop_map((word, word, word, word), move |(org, repo, suite, task)| {
            format!("hf://{org}/{repo}@{commit}:{suite}/{task}")
        }),
    ];
    let texts = || {
        proptest::collection::vec(
            "[a-z]{1,6}(\\[[a-z]{1,4}\\])?([<>=]=[0-9](\\.[0-9]{1,2})?)?| x; extra == \"e\" ",
            0..3,
        )
    };
    let cases = (
        sources,
        texts(),
        proptest::collection::vec("[a-z_]{1,8}(\\.[a-z]{1,4})?", 0..3),
        proptest::option::of("[a-z]{1,9}:[0-9][0-9.]{0,3}-slim"),
    );
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let cases: Vec<_> = (0..80).map(|_| cases.new_tree(&mut runner).unwrap().current()).collect();

    let mut child = Command::new(interpreter())
        .args(["-W", "ignore", "-c", TAGS])
        .env("PATH", format!("{}:{}", stand_in.path().display(), std::env::var("PATH").unwrap()))
        .env("CALLS", &log)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let lines: Vec<String> = cases
        .iter()
        .map(|(source, packages, imports, base)| {
            serde_json::json!([source, {"packages": packages, "imports": imports, "base_image": base, "trust_remote_code": true}]).to_string()
        })
        .collect();
    std::io::Write::write_all(&mut input, lines.join("\n").as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    let theirs = String::from_utf8(output.stdout).unwrap();
    let theirs: Vec<&str> = theirs.lines().collect();
    assert_eq!(theirs.len(), cases.len());

    let mut compared = 0;
    for ((source, packages, imports, base), theirs) in cases.iter().zip(theirs) {
        let mut command = Command::new(program());
        // The SDK adds nothing for known environments.
        command.args(["hash", "--tag", "--no-auto"]);
        command.args(packages.iter().map(|package| format!("--package={package}")));
        command.args(imports.iter().map(|import| format!("--import={import}")));
        command.args(base.iter().map(|base| format!("--base-image={base}")));
        let output = command.arg("--").arg(source).output().unwrap();
        let ours = String::from_utf8(output.stdout).unwrap();
        if theirs.starts_with("rlmesh-sandbox-") {
            assert_eq!(
                ours.trim(),
                theirs,
                "{source:?} {packages:?} {imports:?} {base:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            compared += 1;
        } else {
            assert!(!output.status.success(), "{source:?}: the SDK says {theirs}, and this tool {ours}");
        }
    }
    assert!(compared >= 30, "only {compared} tags were compared");
}
