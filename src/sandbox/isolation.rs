//! Decides what a sandbox may do. The engine enforces it.

use std::net::{IpAddr, Ipv4Addr};

use crate::contract::CONTAINER_PORT;
use crate::engine::Isolation;

/// The isolation of every sandbox: no capabilities, no way to gain privileges, and one port on the loopback
/// interface.
pub(crate) fn standard() -> Isolation {
    Isolation {
        dropped_capabilities: vec!["ALL"],
        no_new_privileges: true,
        published: (IpAddr::V4(Ipv4Addr::LOCALHOST), CONTAINER_PORT),
    }
}
