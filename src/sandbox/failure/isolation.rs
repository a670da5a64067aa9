//! Explains failures that the sandbox's isolation causes: each names the one flag that lifts that one thing.

use crate::engine::Isolation;
use crate::error::Change;
use crate::sandbox::failure::{Advice, Case};
use crate::sandbox::isolation::{NETWORK_WITHOUT_EGRESS, default_tmp};
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
    let has_default_tmp = || isolation.tmpfs.contains(&default_tmp());
    let is_noexec = has(&["failed to map segment from shared object", "Permission denied: '/tmp/"]);
    if is_noexec && has_default_tmp() {
        return Some(with(
            "the environment runs a program or a library that it wrote to /tmp, where its sandbox allows none",
            Change::Add("--tmpfs", "/tmp:exec".to_owned()),
        ));
    }
    if has(&["No space left on device"]) && has_default_tmp() {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::samples;
    use crate::sandbox::failure::{ContainerEnd, Facts, startup};
    use crate::sandbox::isolation::{Circumstances, decide};
    use crate::settings::isolation::{ContainerOptions, IsolationLevel, Network};

    fn explained(line: &str, options: &ContainerOptions, is_out_of_memory: bool) -> String {
        let around = Circumstances {
            is_from_hub: false,
            copies: 1,
            processors: 2,
            memory: Some(16 << 30),
            is_on_this_machine: true,
        };
        let isolation = Some(decide(options, around).unwrap().0);
        let facts = Facts { isolation, ..Facts::default() };
        let log =
            format!("Traceback (most recent call last):\n  File \"/a.py\", line 3, in f\n    g()\n{line}\n");
        let end = Some(ContainerEnd { exit_code: 1, is_out_of_memory });
        let plan = samples::plan(samples::gym("X-v0"));
        let changes = startup(&plan, end, &log, &facts).changes;
        changes.iter().map(Change::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_is_not_allowed_leads_to_the_flag_that_allows_it() {
        let strict = ContainerOptions { isolation: Some(IsolationLevel::Strict), ..Default::default() };
        for (line, expected) in [
            ("OSError: [Errno 30] Read-only file system: '/opt/rlmesh/cache'", "--writable"),
            ("PermissionError: [Errno 13] Permission denied: '/opt/rlmesh/source/log.txt'", "--writable"),
            ("socket.gaierror: [Errno -3] Temporary failure in name resolution", "--network default"),
            (
                "OSError: We couldn't connect to 'https://huggingface.co' to load the files",
                "--network default",
            ),
            ("PermissionError: [Errno 13] Permission denied: '/tmp/program'", "--tmpfs /tmp:exec"),
            ("ImportError: /tmp/x.so: failed to map segment from shared object", "--tmpfs /tmp:exec"),
            ("OSError: [Errno 28] No space left on device", "--tmpfs /tmp:size=4g"),
            ("RuntimeError: can't start new thread", "--pids-limit 4608"),
            ("KeyError: 'getpwuid(): uid not found: 65532'", "--user 0"),
        ] {
            assert_eq!(explained(line, &strict, false), expected, "{line}");
            if !line.contains("thread") {
                assert_eq!(explained(line, &ContainerOptions::default(), false), "", "{line}");
            }
        }
        assert_eq!(explained("", &strict, true), "--memory 8192m");
        let egress_off = ContainerOptions { network: Some(Network::EgressOff), ..Default::default() };
        let line = "socket.gaierror: [Errno -3] Temporary failure in name resolution";
        assert_eq!(explained(line, &egress_off, false), "--network default");
    }
}
