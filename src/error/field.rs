//! The names of the options, and why a value of one is not valid.

use std::fmt;

use crate::error::{Change, Problem, SandboxError};

/// The names of an option: its field in the library and in JSON, and its flag.
#[derive(Clone, Copy)]
pub(crate) struct Field(pub(crate) &'static str, pub(crate) &'static str);

impl Field {
    pub(crate) const BASE_IMAGE: Field = Field("base_image", "--base-image");
    pub(crate) const RLMESH_PACKAGE: Field = Field("rlmesh_package", "--rlmesh-package");
    pub(crate) const PACKAGES: Field = Field("packages", "--package");
    pub(crate) const APT: Field = Field("apt", "--apt");
    pub(crate) const IMPORTS: Field = Field("imports", "--import");
    pub(crate) const WRAP: Field = Field("wrap", "--wrap");
    pub(crate) const AS_OF: Field = Field("as_of", "--as-of");
    pub(crate) const ENV: Field = Field("env", "--env");
    pub(crate) const KWARGS: Field = Field("kwargs", "--kwarg, --kwargs");
    pub(crate) const NUM_ENVS: Field = Field("num_envs", "--num-envs");
    pub(crate) const LOCK: Field = Field("lock", "--lock");
    pub(crate) const OWNER_PID: Field = Field("owner_pid", "--owner-pid");
    pub(crate) const TRANSPORT: Field = Field("transport", "--transport");
    pub(crate) const NETWORK: Field = Field("network", "--network");
    pub(crate) const TMPFS: Field = Field("tmpfs", "--tmpfs");
    pub(crate) const USER: Field = Field("user", "--user");
    pub(crate) const CPUS: Field = Field("cpus", "--cpus");
    pub(crate) const ULIMITS: Field = Field("ulimits", "--ulimit");
    pub(crate) const GPUS: Field = Field("gpus", "--gpus");
    pub(crate) const DEVICES: Field = Field("devices", "--device");
    pub(crate) const VOLUMES: Field = Field("volumes", "--volume");
    pub(crate) const FILES: Field = Field("files", "--file");
    pub(crate) const ADD_HOSTS: Field = Field("add_hosts", "--add-host");
    pub(crate) const RUNTIME: Field = Field("runtime", "--runtime");
    pub(crate) const SECURITY_OPTS: Field = Field("security_opts", "--security-opt");
    pub(crate) const PLATFORM: Field = Field("platform", "--platform");
    pub(crate) const CA_CERT: Field = Field("ca_cert", "--ca-cert");
    pub(crate) const TAG: Field = Field("tags", "--tag");
    pub(crate) const PUSH: Field = Field("pushes", "--push");
    pub(crate) const LABEL: Field = Field("labels", "--label");
    pub(crate) const CACHE_FROM: Field = Field("cache_from", "--cache-from");
    pub(crate) const CACHE_TO: Field = Field("cache_to", "--cache-to");

    /// The error for a value of this option that is not valid.
    pub(crate) fn invalid(self, value: &str, invalid: &InvalidValue) -> SandboxError {
        let changes = invalid.changes.iter().cloned().map(|change| match change {
            Change::Replace { old, new, .. } => Change::Replace { option: self.1, old, new },
            other => other,
        });
        let problem = Problem::new(format!("{self} {value:?}: {}", invalid.reason), invalid.hint.clone());
        SandboxError::InvalidOption(problem.changes(changes))
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.0, self.1)
    }
}

/// Why a text is not a valid value. It does not say where the text came from: the command line, the library
/// and environment variables each add that to the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct InvalidValue {
    pub(crate) reason: String,
    pub(crate) hint: String,
    /// What to change in the command line, if the value came from there.
    pub(crate) changes: Vec<Change>,
}

impl InvalidValue {
    pub(crate) fn new(reason: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { reason: reason.into(), hint: hint.into(), changes: Vec::new() }
    }

    /// Adds another value that is valid.
    pub(crate) fn instead(mut self, option: &'static str, old: &str, new: impl Into<String>) -> Self {
        self.changes.push(Change::Replace { option, old: old.to_owned(), new: new.into() });
        self
    }
}
