//! Who runs containers, in terms that no engine owns: what a container is to be, and what is known of one.

pub(crate) mod docker;

use std::net::IpAddr;
use std::path::Path;

/// A container to start. The rooms above decide every field; an engine only carries it out.
#[derive(Debug, Clone)]
pub(crate) struct NewContainer<'a> {
    pub(crate) image: &'a str,
    pub(crate) name: &'a str,
    pub(crate) labels: &'a [(&'static str, String)],
    /// Variables whose values must not be seen by those who can see this machine's processes.
    pub(crate) variables: &'a [(&'static str, String)],
    /// A file to copy into the container before it starts, and where: also the entrypoint's argument.
    pub(crate) file: Option<(&'a Path, &'a str)>,
    pub(crate) platform: Platform<'a>,
    pub(crate) isolation: &'a Isolation,
}

/// What a container may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Isolation {
    /// The capabilities that it is denied, as the kernel names them, or ALL.
    pub(crate) dropped_capabilities: Vec<&'static str>,
    /// Whether its processes can gain privileges that it was not started with.
    pub(crate) no_new_privileges: bool,
    /// The port inside that is published, and the address of this machine on which it is. The engine picks the
    /// port there.
    pub(crate) published: (IpAddr, u16),
}

/// Which platform a container's image must be for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Platform<'a> {
    /// Any: the engine may emulate it.
    Any,
    /// The engine's own, and nothing emulated.
    Engines,
    /// `linux/arm64`.
    Named(&'a str),
}

/// Where a container is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Made, and not started yet; every container is that for a moment.
    Created,
    /// Running, paused or restarting.
    Running,
    /// Exited or dead.
    Ended,
    /// It is being removed already.
    Removing,
}

/// Where the engine is, seen from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EngineSite {
    /// Behind a local socket: its containers were started on this machine.
    ThisMachine,
    /// Behind a network: containers of other machines can be on it.
    Elsewhere,
}
