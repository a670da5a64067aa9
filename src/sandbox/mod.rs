//! Image → running container → gone: how it starts and is isolated, when it is ready, how it stops, and what killed
//! runs left.

pub(crate) mod failure;
pub(crate) mod gym_space;
pub(crate) mod handshake;
pub(crate) mod isolation;
pub(crate) mod orphans;
pub(crate) mod owner;
pub(crate) mod ready;
pub(crate) mod start;
pub(crate) mod stop;
