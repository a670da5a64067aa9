//! Decides what a sandbox may do, from what the user wants and where it runs. The engine enforces it.

use std::net::{IpAddr, Ipv4Addr};

use crate::contract::{CONTAINER_PORT, SOCKET};
use crate::engine::{Isolation, Reach};
use crate::error::{Change, Field, Problem, SandboxError};
use crate::settings::isolation::{ContainerOptions, IsolationLevel, Limit, Network, Transport};

/// The network of sandboxes that reaches the internet, and the one that does not.
pub(crate) const NETWORK: &str = "rlmesh-sandbox";
pub(crate) const NETWORK_WITHOUT_EGRESS: &str = "rlmesh-sandbox-no-egress";

/// The user and the group of a strict sandbox, which no image has.
pub(crate) const ORDINARY_USER: u32 = 65532;

/// The size of a folder in memory that has no size of its own. Without one, it could take all of the memory.
const TMPFS_SIZE: &str = "size=512m";

/// The largest size of a log, in MiB.
const LOG_SIZE: u32 = 20;

/// What decides the isolation besides the user's options.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Circumstances {
    /// Whether the environment's code comes from the Hugging Face Hub.
    pub(crate) is_from_hub: bool,
    /// How many copies of the environment there are.
    pub(crate) copies: u32,
    /// The processors of the engine's machine, as far as they are known.
    pub(crate) processors: u64,
    /// The engine's memory in bytes; `None` if it is unknown.
    pub(crate) memory: Option<u64>,
    /// Whether the engine is on this Linux machine, so that both sides can use the same socket.
    pub(crate) is_on_this_machine: bool,
}

/// The isolation of a sandbox, and what the user should know about it.
///
/// # Errors
/// [`SandboxError::InvalidOption`] for options that exclude each other.
pub(crate) fn decide(
    options: &ContainerOptions,
    around: Circumstances,
) -> Result<(Isolation, Vec<String>), SandboxError> {
    let options = options.checked()?;
    let mut notes = Vec::new();
    let by_default = if around.is_from_hub { IsolationLevel::Strict } else { IsolationLevel::Default };
    let level = options.isolation.unwrap_or(by_default);
    let is_strict = level == IsolationLevel::Strict;
    if around.is_from_hub && !is_strict {
        notes.push(
            "with --isolation default, code from the Hub can use the network and write anywhere in its container"
                .to_owned(),
        );
    }
    let transport = transport(&options, around, is_strict, &mut notes)?;
    let network = options.network.unwrap_or(match transport {
        Transport::Unix if is_strict => Network::None,
        Transport::Tcp if is_strict => Network::EgressOff,
        _ => Network::Default,
    });
    let read_only = is_strict && !options.writable;
    let mut tmpfs: Vec<String> = options.tmpfs.iter().map(|tmpfs| with_size(tmpfs)).collect();
    if read_only && !tmpfs.iter().any(|tmpfs| tmpfs.starts_with("/tmp:")) {
        tmpfs.push(default_tmp());
    }
    let mut ulimits = options.ulimits;
    if !ulimits.iter().any(|limit| limit.starts_with("core=")) {
        ulimits.push("core=0".to_owned());
    }
    let isolation = Isolation {
        level,
        dropped_capabilities: vec!["ALL"],
        no_new_privileges: true,
        reach: match transport {
            Transport::Tcp => Reach::Port(IpAddr::V4(Ipv4Addr::LOCALHOST), CONTAINER_PORT),
            Transport::Unix => Reach::Socket(SOCKET),
        },
        network: match network {
            Network::None => "none".to_owned(),
            Network::Default => NETWORK.to_owned(),
            Network::EgressOff => NETWORK_WITHOUT_EGRESS.to_owned(),
            Network::Named(name) => name,
        },
        read_only,
        tmpfs,
        user: options.user.or_else(|| read_only.then(ordinary_user)),
        memory: limit(options.memory, || around.memory.map(|memory| share(memory, is_strict))),
        processes: limit(options.pids_limit, || Some(processes(around.copies, around.processors))),
        cpus: options.cpus,
        ulimits,
        log_size: LOG_SIZE,
        gpus: options.gpus,
        devices: options.devices,
        add_hosts: options.add_hosts,
        runtime: options.runtime,
        security_opts: options.security_opts,
    };
    Ok((isolation, notes))
}

fn transport(
    options: &ContainerOptions,
    around: Circumstances,
    is_strict: bool,
    notes: &mut Vec<String>,
) -> Result<Transport, SandboxError> {
    let has_no_network = options.network == Some(Network::None);
    match options.transport {
        Some(Transport::Tcp) if has_no_network => Err(SandboxError::InvalidOption(
            Problem::new(
                format!("{} tcp: a sandbox without a network cannot be reached over TCP", Field::TRANSPORT),
                "a Unix socket needs no network; a network without egress has TCP, but does not reach the internet",
            )
            .changes([Change::Replace { option: "--transport", old: "tcp".to_owned(), new: "unix".to_owned() }]),
        )),
        Some(Transport::Tcp) => Ok(Transport::Tcp),
        Some(Transport::Unix) | None if around.is_on_this_machine => {
            let wants_unix = options.transport.is_some() || is_strict || has_no_network;
            Ok(if wants_unix { Transport::Unix } else { Transport::Tcp })
        }
        None if !has_no_network => {
            if is_strict {
                notes.push(
                    "the engine is not on this Linux machine: serving over TCP, in a network without egress"
                        .to_owned(),
                );
            }
            Ok(Transport::Tcp)
        }
        _ => Err(SandboxError::InvalidOption(Problem::new(
            "the engine is not on this Linux machine, so they cannot share a Unix socket",
            "use --network egress-off, whose sandboxes do not reach the internet, and leave out --transport",
        ))),
    }
}

/// A limit that the user chose, or else the default.
fn limit(chosen: Option<Limit>, default: impl FnOnce() -> Option<u64>) -> Option<u64> {
    match chosen {
        Some(Limit::Off) => None,
        Some(Limit::At(limit)) => Some(limit),
        None => default(),
    }
}

/// The memory of a sandbox: half of the engine's; with strict isolation a quarter, but 2 GiB if half allows it.
fn share(memory: u64, is_strict: bool) -> u64 {
    const MIB: u64 = 1 << 20;
    let half = memory / 2;
    let share = if is_strict { (memory / 4).max(2 << 30).min(half) } else { half };
    (share / MIB * MIB).max(64 * MIB)
}

/// The most processes and threads of a sandbox. Libraries start a thread for each processor of the machine, which has
/// at least `processors`.
pub(crate) fn processes(copies: u32, processors: u64) -> u64 {
    512 + u64::from(copies) * processors.max(64)
}

/// [`ORDINARY_USER`] as an engine's option: `UID:GID`.
pub(crate) fn ordinary_user() -> String {
    format!("{ORDINARY_USER}:{ORDINARY_USER}")
}

/// The `/tmp` of a strict sandbox, unless the user chose another one.
pub(crate) fn default_tmp() -> String {
    with_size("/tmp")
}

/// A folder in memory, with a size.
fn with_size(tmpfs: &str) -> String {
    match tmpfs.split_once(':') {
        None | Some((_, "")) => format!("{}:{TMPFS_SIZE}", tmpfs.trim_end_matches(':')),
        Some((_, options)) if options.split(',').any(|option| option.starts_with("size=")) => {
            tmpfs.to_owned()
        }
        Some(_) => format!("{tmpfs},{TMPFS_SIZE}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Circumstances = Circumstances {
        is_from_hub: false,
        copies: 1,
        processors: 2,
        memory: Some(16 << 30),
        is_on_this_machine: true,
    };
    const HUB: Circumstances = Circumstances { is_from_hub: true, ..HERE };
    const REMOTE: Circumstances = Circumstances { is_on_this_machine: false, ..HUB };

    fn isolation(change: impl FnOnce(&mut ContainerOptions), around: Circumstances) -> Isolation {
        let mut options = ContainerOptions::default();
        change(&mut options);
        decide(&options, around).unwrap().0
    }

    #[test]
    fn every_sandbox_has_limits_and_a_network_of_its_own() {
        let found = isolation(|_| {}, HERE);
        assert_eq!(
            (found.network.as_str(), found.memory, found.processes),
            (NETWORK, Some(8 << 30), Some(576))
        );
        assert_eq!((found.ulimits, found.user, found.read_only), (vec!["core=0".to_owned()], None, false));
        assert!(matches!(found.reach, Reach::Port(..)) && found.tmpfs.is_empty());
        let many = Circumstances { copies: 4, processors: 128, ..HERE };
        assert_eq!(isolation(|_| {}, many).processes, Some(1024));
    }

    #[test]
    fn code_from_the_hub_is_strict_unless_told_otherwise() {
        let strict = isolation(|_| {}, HUB);
        assert_eq!(strict.reach, Reach::Socket(SOCKET));
        assert_eq!((strict.network.as_str(), strict.user.as_deref()), ("none", Some("65532:65532")));
        assert_eq!((strict.read_only, strict.tmpfs), (true, vec!["/tmp:size=512m".to_owned()]));
        assert_eq!(strict.memory, Some(4 << 30));
        let options = ContainerOptions { isolation: Some(IsolationLevel::Default), ..Default::default() };
        let (open, notes) = decide(&options, HUB).unwrap();
        assert!(open == isolation(|_| {}, HERE) && notes[0].contains("network"), "{notes:?}");
        assert!(decide(&ContainerOptions::default(), HUB).unwrap().1.is_empty());
    }

    #[test]
    fn each_flag_lifts_one_thing() {
        let base = isolation(|_| {}, HUB);
        let network = isolation(|o| o.network = Some(Network::Default), HUB);
        assert_eq!(network, Isolation { network: NETWORK.to_owned(), ..base.clone() });
        let writable = isolation(|o| o.writable = true, HUB);
        assert_eq!(writable, Isolation { read_only: false, user: None, tmpfs: Vec::new(), ..base.clone() });
        let exec = isolation(|o| o.tmpfs = vec!["/tmp:exec".into()], HUB);
        assert_eq!(exec, Isolation { tmpfs: vec!["/tmp:exec,size=512m".to_owned()], ..base.clone() });
        let memory = isolation(|o| o.memory = Some(Limit::Off), HUB);
        assert_eq!(memory, Isolation { memory: None, ..base });
        let tcp = isolation(|o| o.transport = Some(Transport::Tcp), HUB);
        assert_eq!(tcp.network, NETWORK_WITHOUT_EGRESS);
        let core = isolation(|o| o.ulimits = vec!["core=1".into()], HUB);
        assert_eq!(core.ulimits, ["core=1"]);
    }

    #[test]
    fn an_engine_elsewhere_serves_over_tcp_without_egress() {
        let (found, notes) = decide(&ContainerOptions::default(), REMOTE).unwrap();
        assert!(matches!(found.reach, Reach::Port(..)) && found.read_only);
        assert_eq!((found.network.as_str(), notes.len()), (NETWORK_WITHOUT_EGRESS, 1));
        for options in [
            ContainerOptions { transport: Some(Transport::Unix), ..Default::default() },
            ContainerOptions { network: Some(Network::None), ..Default::default() },
        ] {
            assert!(decide(&options, REMOTE).is_err(), "{options:?}");
        }
    }

    #[test]
    fn no_network_needs_a_socket() {
        let found = isolation(|o| o.network = Some(Network::None), HERE);
        assert_eq!((found.reach, found.network.as_str()), (Reach::Socket(SOCKET), "none"));
        let mut options = ContainerOptions { network: Some(Network::None), ..Default::default() };
        options.transport = Some(Transport::Tcp);
        assert!(decide(&options, HERE).is_err());
    }

    #[test]
    fn a_share_of_the_memory() {
        for (engine, default, strict) in
            [(64 << 30, 32 << 30, 16 << 30), (6 << 30, 3 << 30, 2 << 30), (2 << 30, 1 << 30, 1 << 30)]
        {
            assert_eq!((share(engine, false), share(engine, true)), (default, strict), "{engine}");
        }
    }
}
