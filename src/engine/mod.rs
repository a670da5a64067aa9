//! The engine that runs containers, in terms that do not depend on Docker.

pub(crate) mod docker;

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::settings::isolation::IsolationLevel;

/// A container to start. The modules above decide every field.
#[derive(Debug, Clone)]
pub(crate) struct NewContainer<'a> {
    pub(crate) image: &'a str,
    pub(crate) name: &'a str,
    pub(crate) labels: &'a [(&'static str, String)],
    /// A file with the user's variables, one `NAME=VALUE` on each line.
    pub(crate) env_file: Option<&'a Path>,
    /// The size of `/dev/shm` in bytes; `None` is Docker's default.
    pub(crate) shm_size: Option<u64>,
    /// Variables of this tool. Their values must not be on a command line, where other users could see them.
    pub(crate) variables: &'a [(&'static str, String)],
    /// The folders and files that it shares.
    pub(crate) mounts: &'a [Mount],
    /// Files to copy into the container before it starts, and their paths there.
    pub(crate) files: &'a [(PathBuf, String)],
    /// The program to run instead of the image's.
    pub(crate) entrypoint: Option<&'a str>,
    /// The program's arguments.
    pub(crate) arguments: &'a [String],
    pub(crate) platform: Platform<'a>,
    pub(crate) isolation: &'a Isolation,
    /// Whether a small init program runs first, which collects processes that have lost their parents.
    pub(crate) has_init: bool,
}

/// What a container may do, and what it is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Isolation {
    pub(crate) level: IsolationLevel,
    /// The capabilities to drop, by the kernel's names, or ALL.
    pub(crate) dropped_capabilities: Vec<&'static str>,
    /// Whether its processes are prevented from gaining privileges.
    pub(crate) no_new_privileges: bool,
    pub(crate) reach: Reach,
    /// Its network, by the engine's name.
    pub(crate) network: String,
    /// Whether it can only write to folders in memory.
    pub(crate) read_only: bool,
    /// Folders in memory, as `PATH[:OPTIONS]`.
    pub(crate) tmpfs: Vec<String>,
    /// `None` is the image's user.
    pub(crate) user: Option<String>,
    /// In bytes.
    pub(crate) memory: Option<u64>,
    /// How many processes and threads it may have.
    pub(crate) processes: Option<u64>,
    pub(crate) cpus: Option<String>,
    pub(crate) ulimits: Vec<String>,
    /// The largest size of its log, in MiB. Half of it is kept when it is full.
    pub(crate) log_size: u32,
    pub(crate) gpus: Option<String>,
    pub(crate) devices: Vec<String>,
    pub(crate) add_hosts: Vec<String>,
    pub(crate) runtime: Option<String>,
    pub(crate) security_opts: Vec<String>,
}

/// How the server in a container is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The address on the engine's host, and the container's port that is published there. The engine chooses
    /// the port on the host.
    Port(IpAddr, u16),
    /// A Unix socket, at this path in the container, in a folder that both sides share.
    Socket(&'static str),
}

/// A folder or file in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mount {
    /// An absolute path on the engine's host, or the name of a volume; `None` is a new volume that goes with the
    /// container.
    pub(crate) source: Option<String>,
    pub(crate) target: String,
    pub(crate) writable: bool,
    /// Whether SELinux, where the engine uses it, must let the container use it.
    pub(crate) relabel: bool,
}

/// Which platform a container's image must be for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Platform<'a> {
    /// Any: the engine may emulate it.
    Any,
    /// The engine's own platform, without emulation.
    Engines,
    /// A platform such as `linux/arm64`.
    Named(&'a str),
}

/// The state of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Created but not started yet. Every container is in this state for a moment.
    Created,
    /// Running, paused or restarting.
    Running,
    /// Exited or dead.
    Ended,
    /// Being removed.
    Removing,
}

/// Where the engine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EngineSite {
    /// Behind a local socket: its containers were started from this machine.
    ThisMachine,
    /// On another machine: other machines may have started containers on it.
    Elsewhere,
}
