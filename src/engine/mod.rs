//! The engine that runs containers, in terms that do not depend on Docker.

pub(crate) mod docker;

use std::net::IpAddr;
use std::path::Path;

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
    /// A file to copy into the container before it starts, and its path there.
    pub(crate) file: Option<(&'a Path, &'a str)>,
    /// The program to run instead of the image's.
    pub(crate) entrypoint: Option<&'a str>,
    /// The program's arguments.
    pub(crate) arguments: &'a [String],
    pub(crate) platform: Platform<'a>,
    pub(crate) isolation: &'a Isolation,
}

/// What a container may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Isolation {
    /// The capabilities to drop, by the kernel's names, or ALL.
    pub(crate) dropped_capabilities: Vec<&'static str>,
    /// Whether its processes are prevented from gaining privileges.
    pub(crate) no_new_privileges: bool,
    /// The address on the engine's host, and the container's port that is published there. The engine chooses
    /// the port on the host.
    pub(crate) published: (IpAddr, u16),
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
