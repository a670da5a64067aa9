//! Who runs containers. Docker is the one engine today.

pub(crate) mod docker;
