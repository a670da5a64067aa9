//! Who runs containers. Docker is the only engine so far.

pub(crate) mod docker;

/// Where a container is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Created and not started; each container is for a moment.
    Created,
    /// Running, paused or restarting.
    Running,
    /// Exited or dead.
    Ended,
    /// Being removed.
    Removing,
}

/// Where the engine is, seen from this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EngineSite {
    /// Behind a local socket.
    ThisMachine,
    /// Behind a network: it may run containers of other machines too.
    Elsewhere,
}
