//! Image → running container → gone: start, the wait for the first answer, stop, and what killed runs left.

pub(crate) mod failure;
pub(crate) mod gym_space;
pub(crate) mod handshake;
pub(crate) mod orphans;
pub(crate) mod owner;
pub(crate) mod ready;
pub(crate) mod start;
pub(crate) mod stop;
