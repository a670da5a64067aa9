//! The life of a sandbox: isolation, start, readiness, check, stop, and the removal of what killed runs left behind.

pub(crate) mod check;
pub(crate) mod failure;
pub(crate) mod gym_space;
pub(crate) mod handshake;
pub(crate) mod isolation;
pub(crate) mod manifest;
pub(crate) mod orphans;
pub(crate) mod owner;
pub(crate) mod probe;
pub(crate) mod ready;
pub(crate) mod start;
pub(crate) mod stop;
