//! Your own code, from `init` to steps: folders, packages of this machine, and what a change of a file does.

use crate::live::engine::{Done, Images, Live, together};
use crate::live::python::{interpreter, script};

/// Steps an environment, and prints its number of copies, the observation's shape and the last reward.
const STEPS: &str = "
import sys
from rlmesh.numpy import RemoteEnv, RemoteVectorEnv
vector = len(sys.argv) > 2
env = (RemoteVectorEnv if vector else RemoteEnv)(sys.argv[1])
env.reset(seed=0)
for _ in range(3):
    action = [0] * env.num_envs if vector else 0
    observation, reward, terminated, truncated, info = env.step(action)
print(observation.shape, reward)
";

/// A package whose environments give this reward.
const PACKAGE: &str = r#"
import gymnasium
import numpy as np

class Env(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(0, 1, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        return np.zeros(2, np.float32), {}

    def step(self, action):
        return np.zeros(2, np.float32), 1.5, False, False, {}

gymnasium.register("Own/One-v0", entry_point=Env)
"#;

const PROJECT: &str = r#"
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "own-pkg"
version = "1.0"
"#;

/// Writes a wheel and a source archive of the package in a folder.
const ARCHIVES: &str = r#"
import io, sys, tarfile, zipfile
from pathlib import Path
folder, into = map(Path, sys.argv[1:])
code, project = (folder / "src/own_pkg/__init__.py").read_text(), (folder / "pyproject.toml").read_text()
metadata = "Metadata-Version: 2.1\nName: own-pkg\nVersion: 1.0\n"
info = "own_pkg-1.0.dist-info/"
with zipfile.ZipFile(into / "own_pkg-1.0-py3-none-any.whl", "w") as wheel:
    wheel.writestr("own_pkg/__init__.py", code)
    wheel.writestr(info + "METADATA", metadata)
    wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(info + "RECORD", "")
with tarfile.open(into / "own_pkg-1.0.tar.gz", "w:gz") as archive:
    for name, text in [("src/own_pkg/__init__.py", code), ("pyproject.toml", project), ("PKG-INFO", metadata)]:
        member = tarfile.TarInfo("own_pkg-1.0/" + name)
        member.size = len(text.encode())
        archive.addfile(member, io.BytesIO(text.encode()))
"#;

/// A folder of the user, and the images that are built from it.
struct Own {
    live: Live,
    folder: tempfile::TempDir,
    images: Vec<Images>,
}

impl Own {
    fn new() -> Self {
        let own = Self { live: Live::new(), folder: tempfile::tempdir().unwrap(), images: Vec::new() };
        own.write("steps.py", STEPS);
        own
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, text: &str) {
        let file = self.folder.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }

    fn replace(&self, name: &str, old: &str, new: &str) {
        let text = std::fs::read_to_string(self.folder.path().join(name)).unwrap();
        assert!(text.contains(old), "{text}");
        self.write(name, &text.replace(old, new));
    }

    /// Starts a source with its options, and steps it.
    fn run(&mut self, arguments: &[&str]) -> Done {
        let tag = self.live.run(&[&["hash", "--tag"], arguments].concat()).ended(0).stdout;
        self.images.push(Images::tags(vec![tag.trim().to_owned()]));
        let steps = self.path("steps.py");
        let mut command = vec!["--", interpreter().to_str().unwrap(), "-W", "ignore", &steps, "{address}"];
        command.extend(arguments.contains(&"-n").then_some("vector"));
        self.live.run(&[&["run"], arguments, &command].concat())
    }

    /// What the steps of a source print, and whether its image was built.
    #[track_caller]
    fn steps(&mut self, arguments: &[&str]) -> (String, bool) {
        let done = self.run(arguments).ended(0);
        (done.stdout.trim().to_owned(), done.stderr.contains("building rlmesh-sandbox-"))
    }
}

fn stepped(text: &str, is_built: bool) -> (String, bool) {
    (text.to_owned(), is_built)
}

#[test]
fn a_new_environment_is_served_and_built_again_after_a_change() {
    let (_guard, mut own) = (together(), Own::new());
    let source = own.path("my_env");
    let created = own.live.run(&["init", &source]).ended(0);
    assert_eq!(created.stdout.trim(), format!("rlmesh-sandbox run {source}"));
    // No image that is there has it.
    own.write("my_env/unique", &uuid::Uuid::new_v4().to_string());
    assert_eq!(own.steps(&[&source]), stepped("(1,) -0.01", true));
    assert_eq!(own.steps(&[&source, "-n", "2"]), stepped("(2, 1) [-0.01 -0.01]", false));

    own.write("my_env/.gitignore", "*.log\n");
    own.replace("my_env/env.py", "-0.01", "-0.25");
    assert_eq!(own.steps(&[&source]), stepped("(1,) -0.25", true));
    own.write("my_env/train.log", "");
    assert_eq!(own.steps(&[&source, "-k", "size=5"]), stepped("(1,) -0.25", false));

    // Its own modules.
    let module = "import gymnasium\n\nclass Twice(gymnasium.RewardWrapper):\n    def reward(self, reward):\n        return 2 * reward\n\ndef once():\n    global Twice\n    Twice = type('Twice', (Twice,), {'reward': lambda self, reward: 3 * reward})\n";
    own.write("my_env/mine.py", module);
    assert_eq!(own.steps(&[&source, "--wrap", "mine:Twice"]), stepped("(1,) -0.5", true));
    let called = own.steps(&[&source, "--wrap", "mine:Twice", "-i", "mine:once"]);
    assert_eq!(called.0, "(1,) -0.75");
    own.live.assert_clean();
}

#[test]
fn a_package_is_served_from_its_folder_and_from_its_archives() {
    let (_guard, mut own) = (together(), Own::new());
    own.write("own_pkg/pyproject.toml", PROJECT);
    own.write("own_pkg/src/own_pkg/__init__.py", &format!("{PACKAGE}# {}\n", uuid::Uuid::new_v4()));
    let package = own.path("own_pkg");
    let archives = own.folder.path();
    script(ARCHIVES, &[&package, archives.to_str().unwrap()], |_| {});

    let done = own.run(&[&package]).ended(0);
    assert_eq!(done.stdout.trim(), "(2,) 1.5");
    assert!(done.stderr.contains(" RUN install the folder's package ("), "{}", done.stderr);
    let by_name = format!("own-pkg @ file:{}", own.path("own_pkg-1.0.tar.gz"));
    let wheel = own.path("own_pkg-1.0-py3-none-any.whl");
    for given in [package.as_str(), &wheel, &by_name] {
        let done = own.run(&["Own/One-v0", "-p", given, "-i", "own_pkg"]).ended(0);
        assert_eq!(done.stdout.trim(), "(2,) 1.5", "{given}");
        assert!(!done.stderr.contains("/run/rlmesh-sandbox"), "{}", done.stderr);
    }

    // The code of a package counts as its settings do.
    own.replace("own_pkg/src/own_pkg/__init__.py", "1.5", "2.5");
    assert_eq!(own.steps(&[&package]), stepped("(2,) 2.5", true));
    assert_eq!(own.steps(&["Own/One-v0", "-p", &package, "-i", "own_pkg"]), stepped("(2,) 2.5", true));

    // Several environments: what is printed last is the command that works.
    own.replace(
        "own_pkg/src/own_pkg/__init__.py",
        "\"Own/One-v0\"",
        "\"Own/Two-v0\", entry_point=Env)\ngymnasium.register(\"Own/One-v0\"",
    );
    let done = own.run(&[&package, "-n", "2"]).ended(6);
    assert!(done.stderr.contains("the package own-pkg registers these environments: Own/One-v0, Own/Two-v0"));
    let next = "-k id=Own/One-v0";
    let last = done.stderr.lines().last().unwrap();
    assert!(last.starts_with(&format!("hint: rlmesh-sandbox run {package} -n 2 {next} -- ")), "{last}");
    assert_eq!(own.steps(&[&package, "-n", "2", "-k", "id=Own/One-v0"]), stepped("(2, 2) [2.5 2.5]", false));
    own.live.assert_clean();
}
