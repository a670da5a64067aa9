//! Looks into an image: runs a script in a container that can reach nothing and is removed.

use std::io::Read as _;
use std::time::Duration;

use crate::engine::docker::Docker;
use crate::engine::docker::exec::{SCRIPT, script_container};

/// The time limit of a look.
const LIMIT: Duration = Duration::from_secs(12);

/// The most that a script may print, in bytes.
const LARGEST_ANSWER: u64 = 256 * 1024;

/// What the container may do: next to nothing.
const OPTIONS: [&str; 9] =
    ["--network", "none", "--read-only", "--tmpfs", "/tmp:size=64m", "--memory", "1g", "--pids-limit", "256"];

impl Docker {
    /// Runs a Python script in a new container `name` of an image, and returns what it printed to stdout. `None` if
    /// it failed, took too long or printed too much. The container is always removed.
    pub(crate) fn look_into(
        &self,
        image: &str,
        name: &str,
        script: &str,
        arguments: &[String],
    ) -> Option<String> {
        let mut words = script_container(image, name, &OPTIONS);
        words.extend_from_slice(arguments);
        let mut answer = Vec::new();
        let looked = self.command(words).environment(SCRIPT, script).limit(LIMIT).read(&mut |stream| {
            stream.take(LARGEST_ANSWER + 1).read_to_end(&mut answer).is_ok()
                && answer.len() as u64 <= LARGEST_ANSWER
        });
        if looked.is_err() {
            // The client may have been killed while the container runs.
            let _ = self.remove_containers(&[name.to_owned()]);
            return None;
        }
        String::from_utf8(answer).ok()
    }

    /// How much a container computes, in percent of a core.
    pub(crate) fn cpu_use(&self, container: &str) -> Option<f64> {
        let list = ["stats", "--no-stream", "--format", "{{.CPUPerc}}", container];
        let printed = self.command(list).limit(LIMIT).run().ok()?;
        let percent: f64 = printed.stdout.trim().strip_suffix('%')?.parse().ok()?;
        percent.is_finite().then_some(percent)
    }
}
