//! Runs a command in a running container.

use std::time::Duration;

use crate::engine::docker::Docker;
use crate::engine::docker::invocation::{Failure, Printed};

/// The variable that carries a script into the container, so that it is not on a command line.
pub(super) const SCRIPT: &str = "RLMESH_SANDBOX_SCRIPT";

/// Aborts the main program: the oldest child of the init program.
const ABORT: &str = include_str!("abort.py");

const ABORT_LIMIT: Duration = Duration::from_secs(10);

/// The Python program that runs the script.
fn run_script() -> String {
    format!("import os; exec(os.environ[\"{SCRIPT}\"])")
}

/// The arguments of `docker run` for a Python script in a new container `name` of an image, to which the script's own
/// follow. The container has few rights, and is removed when it ends. `--init` passes the script's own alarm on to it.
pub(super) fn script_container(image: &str, name: &str, options: &[&str]) -> Vec<String> {
    let mut words = vec!["run", "--rm", "--init", "--pull", "never", "--cap-drop", "ALL"];
    words.extend(["--security-opt", "no-new-privileges", "--log-driver", "none", "--env", "HOME=/tmp"]);
    words.extend(["--name", name, "--env", SCRIPT]);
    words.extend(options);
    words.extend(["--entrypoint", "python", image, "-I", "-c"]);
    words.into_iter().map(str::to_owned).chain([run_script()]).collect()
}

impl Docker {
    /// Runs a Python script with the `python` of a running container, as the user and in the folder that its
    /// image names, and returns what it printed.
    ///
    /// If this ends early, the script may continue in the container.
    ///
    /// # Errors
    /// A failed docker command: the script's status is not 0, there is no Python, the container has ended, or the
    /// limit was reached. It has what the script printed until then.
    pub(crate) fn run_python(
        &self,
        container: &str,
        script: &str,
        arguments: &[String],
        limit: Duration,
    ) -> Result<Printed, Failure> {
        let read = run_script();
        let mut words = ["exec", "--env", SCRIPT, "--", container, "python", "-W", "ignore", "-c", &read]
            .map(str::to_owned)
            .to_vec();
        words.extend_from_slice(arguments);
        self.command(words).environment(SCRIPT, script).limit(limit).run()
    }

    /// Asks the main program of a container to abort: Python then prints where it is, if its fault handler is on.
    /// The container's init program does not pass this signal on, so it is sent inside the container.
    ///
    /// # Errors
    /// A failed docker command, for example without `python`.
    pub(crate) fn abort(&self, container: &str) -> Result<(), Failure> {
        self.run_python(container, ABORT, &[], ABORT_LIMIT).map(|_| ())
    }
}
