//! A Python with the published rlmesh client: what users step environments with.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// A Python in a virtual environment of its own, which is made once and kept for later runs.
pub(crate) struct Python {
    name: &'static str,
    packages: &'static [&'static str],
    interpreter: OnceLock<PathBuf>,
}

/// The client that the tests are made for; the container's default is the same.
pub(crate) static CLIENT: Python = Python::with("python-client", &["rlmesh==0.1.0", "numpy", "gymnasium"]);

/// The client of the Hugging Face Hub that the tests' own Hub is held against.
pub(crate) static HUB_CLIENT: Python = Python::with("hub-client", &["huggingface_hub==2.4.0"]);

/// The schemas that Kubernetes manifests are checked with.
pub(crate) static SCHEMAS: Python = Python::with("manifest-schemas", &["kubernetes-validate==1.37.0"]);

impl Python {
    const fn with(name: &'static str, packages: &'static [&'static str]) -> Self {
        Self { name, packages, interpreter: OnceLock::new() }
    }

    pub(crate) fn interpreter(&self) -> &Path {
        self.interpreter.get_or_init(|| {
            let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(self.name);
            std::fs::create_dir_all(&folder).unwrap();
            let lock = File::create(folder.join("lock")).unwrap();
            lock.lock().unwrap();
            let (venv, done) = (folder.join("venv"), folder.join("done"));
            let python = venv.join("bin/python");
            if std::fs::read_to_string(&done).unwrap_or_default() != self.packages.join(" ") {
                let _ = std::fs::remove_dir_all(&venv);
                run(Command::new("python3").args(["-m", "venv"]).arg(&venv));
                run(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(self.packages));
                std::fs::write(&done, self.packages.join(" ")).unwrap();
            }
            python
        })
    }

    /// Runs a script with arguments, and gives what it printed.
    #[track_caller]
    pub(crate) fn script(
        &self,
        lines: &str,
        arguments: &[&str],
        change: impl FnOnce(&mut Command),
    ) -> String {
        let mut command = Command::new(self.interpreter());
        command.args(["-W", "ignore", "-c", lines]).args(arguments);
        change(&mut command);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}\n{}", lines, String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

/// The interpreter that has the rlmesh client.
pub(crate) fn interpreter() -> &'static Path {
    CLIENT.interpreter()
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Runs a script with the rlmesh client.
#[track_caller]
pub(crate) fn script(lines: &str, arguments: &[&str], change: impl FnOnce(&mut Command)) -> String {
    CLIENT.script(lines, arguments, change)
}

/// Steps a whole episode, and prints the number of steps.
pub(crate) const EPISODE: &str = "
import sys
from rlmesh.numpy import RemoteEnv
env = RemoteEnv(sys.argv[1])
observation, info = env.reset(seed=0)
assert observation.shape == (4,), observation.shape
steps, over = 0, False
while not over:
    observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
    steps, over = steps + 1, terminated or truncated
print(steps)
";

/// Steps a vector environment, and prints the shape of its observations.
pub(crate) const VECTOR: &str = "
import sys
from rlmesh.numpy import RemoteVectorEnv
env = RemoteVectorEnv(sys.argv[1])
observation, info = env.reset(seed=0)
for _ in range(20):
    actions = [env.single_action_space.sample() for _ in range(env.num_envs)]
    observation, reward, terminated, truncated, info = env.step(actions)
print(observation.shape, reward.shape)
";

/// Renders a frame, and prints its shape.
pub(crate) const FRAME: &str = "
import sys
from rlmesh.numpy import RemoteEnv
env = RemoteEnv(sys.argv[1])
env.reset(seed=0)
frame = env.render()
print(frame.shape, frame.dtype)
";
