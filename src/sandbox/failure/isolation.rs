//! Explains failures that the sandbox's isolation causes: each names the one flag that lifts that one thing.

use crate::engine::Isolation;
use crate::error::Change;
use crate::sandbox::failure::{Advice, Case};
use crate::sandbox::isolation::NETWORK_WITHOUT_EGRESS;
use crate::settings::size::HumanSize;

/// What programs print if there is no network.
const NO_NETWORK: [&str; 10] = [
    "Temporary failure in name resolution",
    "Name or service not known",
    "No address associated with hostname",
    "Network is unreachable",
    "NameResolutionError",
    "Max retries exceeded with url",
    "LocalEntryNotFoundError",
    "We couldn't connect to 'https://huggingface.co'",
    "Could not resolve host",
    "urlopen error",
];

/// Explains a failure by what the container may not do.
pub(super) fn advice(case: &Case<'_>) -> Option<Advice> {
    let isolation = case.facts.isolation.as_ref()?;
    let has = |texts: &[&str]| texts.iter().any(|text| case.log.has(text));
    if has(&["Read-only file system"]) && isolation.read_only {
        return Some(with(
            "the environment writes to a folder that is read-only in its sandbox",
            Change::Flag("--writable"),
        ));
    }
    if has(&NO_NETWORK) && !has_egress(isolation) {
        return Some(with(
            "the environment needs a network, for example for a download, but its sandbox has none",
            Change::Add("--network", "default".to_owned()),
        ));
    }
    let is_noexec = has(&["failed to map segment from shared object", "Permission denied: '/tmp/"]);
    if is_noexec && isolation.tmpfs.iter().any(|tmpfs| tmpfs == "/tmp:size=512m") {
        return Some(with(
            "the environment runs a program or a library that it wrote to /tmp, where its sandbox allows none",
            Change::Add("--tmpfs", "/tmp:exec".to_owned()),
        ));
    }
    if has(&["No space left on device"]) && isolation.tmpfs.iter().any(|tmpfs| tmpfs == "/tmp:size=512m") {
        return Some(with(
            "the environment fills /tmp, which holds 512 MiB of memory in its sandbox",
            Change::Add("--tmpfs", "/tmp:size=4g".to_owned()),
        ));
    }
    if has(&["can't start new thread", "BlockingIOError: [Errno 11]", "pthread_create failed"])
        && let Some(limit) = isolation.processes
    {
        return Some(with(
            &format!("the environment reached its limit of {limit} processes and threads"),
            Change::Add("--pids-limit", limit.saturating_mul(8).to_string()),
        ));
    }
    if has(&["getpwuid(): uid not found"]) && isolation.user.is_some() {
        return Some(with(
            "the environment needs a user that has an account",
            Change::Add("--user", "0".to_owned()),
        ));
    }
    if has(&["PermissionError: [Errno 13]", "Permission denied"]) && isolation.read_only {
        return Some(with(
            "the environment uses files that its sandbox does not let it use",
            Change::Flag("--writable"),
        ));
    }
    None
}

/// Explains a container that ran out of memory.
pub(super) fn memory(case: &Case<'_>) -> Option<Advice> {
    let limit = case.facts.isolation.as_ref()?.memory?;
    Some(with(
        &format!("the container reached its memory limit of {}", HumanSize(limit)),
        Change::Add("--memory", format!("{}m", limit.saturating_mul(2) >> 20)),
    ))
}

fn has_egress(isolation: &Isolation) -> bool {
    !["none", NETWORK_WITHOUT_EGRESS].contains(&isolation.network.as_str())
}

fn with(hint: &str, change: Change) -> Advice {
    Advice::with(hint, Some(change))
}
