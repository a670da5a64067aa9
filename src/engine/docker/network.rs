//! The sandboxes' networks. There is one of each kind on an engine; they stay, like an engine's own networks.

use crate::contract::label::MARK;
use crate::engine::docker::Docker;
use crate::error::{Change, Problem, SandboxError};

impl Docker {
    /// Creates a bridge network on which containers cannot reach each other, unless it exists. Without `egress`, it
    /// does not reach other networks.
    ///
    /// # Errors
    /// [`SandboxError::Docker`].
    pub(crate) fn create_network(&self, name: &str, egress: bool) -> Result<(), SandboxError> {
        let mut words = vec!["network", "create", "--driver", "bridge"];
        words.extend(["--opt", "com.docker.network.bridge.enable_icc=false"]);
        if !egress {
            words.extend(["--opt", "com.docker.network.bridge.enable_ip_masquerade=false"]);
        }
        let mark = format!("{}.network={}", MARK.0, MARK.1);
        words.extend(["--label", &mark, name]);
        match self.command(words).run() {
            Ok(_) => Ok(()),
            // Another run was faster.
            Err(failure) if failure.stderr.contains("already exists") => Ok(()),
            Err(failure) => {
                let error = failure.into_error(
                    &format!("the network {name} could not be created"),
                    "Docker's default network works too, but there sandboxes can reach each other",
                    |problem| SandboxError::Docker(with_bridge(problem)),
                );
                Err(error)
            }
        }
    }
}

fn with_bridge(problem: Problem) -> Problem {
    problem.changes([Change::Add("--network", "bridge".to_owned())])
}
