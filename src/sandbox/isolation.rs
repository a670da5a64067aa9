//! What a sandbox may do: decided here, carried out by the engine.

use std::net::{IpAddr, Ipv4Addr};

use crate::contract::CONTAINER_PORT;
use crate::engine::Isolation;

/// Nothing that serving an environment does not need: no capabilities, no way to gain privileges, and one port,
/// on the loopback interface.
pub(crate) fn standard() -> Isolation {
    Isolation {
        dropped_capabilities: vec!["ALL"],
        no_new_privileges: true,
        published: (IpAddr::V4(Ipv4Addr::LOCALHOST), CONTAINER_PORT),
    }
}
