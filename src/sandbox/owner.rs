//! Decides whether a container's owner is gone, from facts that are passed in.

use std::fmt;

use crate::contract::label;
use crate::engine::{EngineSite, Phase};
use crate::host::process::{Host, Liveness};

/// The owner that a container's labels name. A missing label is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Owner {
    pub(crate) pid: Option<u32>,
    pub(crate) start: Option<String>,
    pub(crate) host: Host,
}

impl Owner {
    /// The value for a container without an owner: only the machine and the boot on which it was started.
    pub(crate) fn unowned(host: Host) -> Self {
        Self { pid: None, start: None, host: Host { pid_namespace: None, ..host } }
    }

    /// Reads the labels of a container that this tool or the SDK started.
    pub(crate) fn from_labels<'a>(read: impl Fn(&str) -> Option<&'a str>) -> Self {
        let text = |name| read(name).map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned);
        Self {
            pid: text(label::OWNER_PID).and_then(|pid| pid.parse().ok()),
            start: text(label::OWNER_START),
            host: Host {
                host: text(label::OWNER_HOST),
                boot: text(label::OWNER_BOOT),
                pid_namespace: text(label::OWNER_PID_NAMESPACE),
            },
        }
    }

    /// The labels for a container of this owner. Unknown facts are empty: without the label, that of the image would
    /// count.
    pub(crate) fn labels(&self) -> Vec<(&'static str, String)> {
        [
            (label::OWNER_PID, self.pid.map(|pid| pid.to_string())),
            (label::OWNER_PID_NAMESPACE, self.host.pid_namespace.clone()),
            (label::OWNER_START, self.start.clone()),
            (label::OWNER_BOOT, self.host.boot.clone()),
            (label::OWNER_HOST, self.host.host.clone()),
        ]
        .map(|(name, value)| (name, value.unwrap_or_default()))
        .to_vec()
    }
}

/// What to do with a container, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    Orphan(Proof),
    Keep(Reason),
}

/// Why a container can be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    OwnerDead(u32),
    ProcessIdReused(u32),
    MachineRebooted,
    EndedUnowned,
    NeverStarted,
    StartAbandoned,
}

/// Why a container stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    OwnerAlive(u32),
    RunsUnowned,
    Starting,
    OtherHost,
    HostUnknown,
    OtherPidNamespace,
    PidNamespaceUnknown,
    BeingRemoved,
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Proof::OwnerDead(pid) => write!(f, "its owner, process {pid}, is gone"),
            Proof::ProcessIdReused(pid) => {
                write!(f, "its owner is gone; process {pid} started later")
            }
            Proof::MachineRebooted => f.write_str("its owner ran before this machine's last boot"),
            Proof::EndedUnowned => f.write_str("it has ended and has no owner"),
            Proof::NeverStarted => f.write_str("it was never started and has no owner"),
            Proof::StartAbandoned => f.write_str("the run that was starting it is gone"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::OwnerAlive(pid) => write!(f, "its owner, process {pid}, is alive"),
            Reason::RunsUnowned => {
                f.write_str("it runs without an owner; to stop it, run `rlmesh-sandbox stop`")
            }
            Reason::Starting => f.write_str("it is being started"),
            Reason::OtherHost => f.write_str("its owner runs on another machine"),
            Reason::HostUnknown => f.write_str("it is not known on which machine its owner runs"),
            Reason::OtherPidNamespace => f.write_str("its owner runs in another PID namespace"),
            Reason::PidNamespaceUnknown => {
                f.write_str("it is not known in which PID namespace its owner runs")
            }
            Reason::BeingRemoved => f.write_str("docker is removing it"),
        }
    }
}

/// Decides about one container. It is an orphan only if its owner is *proven* gone.
///
/// `here` is this machine, boot and PID namespace. `site` returns where the engine is, and `liveness` whether
/// a process with an id exists in this namespace; both are only called if the decision depends on them.
pub(crate) fn decide(
    owner: &Owner,
    phase: Phase,
    here: &Host,
    site: impl Fn() -> EngineSite,
    liveness: impl FnOnce(u32) -> Liveness,
) -> Decision {
    if phase == Phase::Removing {
        return Decision::Keep(Reason::BeingRemoved);
    }
    let Some(pid) = owner.pid else { return decide_unowned(owner, phase, here, site) };
    if is_same(owner.host.host.as_deref(), here.host.as_deref()) == Some(false) {
        return Decision::Keep(Reason::OtherHost);
    }
    match is_same(owner.host.boot.as_deref(), here.boot.as_deref()) {
        // A boot id is unique, so the same id means the same machine.
        Some(true) => {}
        // Copies of a virtual machine have the same machine id. An engine behind a local socket only has
        // containers of this machine, but a tunnel has a local socket too. A container that runs was not started
        // before this machine's last boot.
        Some(false)
            if owner.host.host.is_some() && phase == Phase::Ended && site() == EngineSite::ThisMachine =>
        {
            return Decision::Orphan(Proof::MachineRebooted);
        }
        Some(false) => return Decision::Keep(Reason::HostUnknown),
        None if site() == EngineSite::Elsewhere => return Decision::Keep(Reason::HostUnknown),
        None => {}
    }
    if owner.host.pid_namespace != here.pid_namespace {
        let known = owner.host.pid_namespace.is_some();
        return match (known, phase) {
            (true, _) => Decision::Keep(Reason::OtherPidNamespace),
            (false, Phase::Running | Phase::Created) => Decision::Keep(Reason::PidNamespaceUnknown),
            (false, _) => match liveness(pid) {
                Liveness::Gone => Decision::Orphan(Proof::OwnerDead(pid)),
                Liveness::Alive { .. } => Decision::Keep(Reason::PidNamespaceUnknown),
            },
        };
    }
    match liveness(pid) {
        Liveness::Gone => Decision::Orphan(Proof::OwnerDead(pid)),
        Liveness::Alive { start } => match is_same(owner.start.as_deref(), start.as_deref()) {
            Some(false) => Decision::Orphan(Proof::ProcessIdReused(pid)),
            Some(true) | None => Decision::Keep(Reason::OwnerAlive(pid)),
        },
    }
}

fn decide_unowned(owner: &Owner, phase: Phase, here: &Host, site: impl Fn() -> EngineSite) -> Decision {
    match phase {
        Phase::Running => Decision::Keep(Reason::RunsUnowned),
        Phase::Removing => Decision::Keep(Reason::BeingRemoved),
        Phase::Ended => Decision::Orphan(Proof::EndedUnowned),
        // A start in progress on this machine is known by its run directory. A start elsewhere cannot be
        // seen.
        Phase::Created => match is_same(owner.host.host.as_deref(), here.host.as_deref()) {
            Some(false) => Decision::Keep(Reason::Starting),
            Some(true)
                if is_same(owner.host.boot.as_deref(), here.boot.as_deref()) != Some(true)
                    && site() == EngineSite::Elsewhere =>
            {
                Decision::Keep(Reason::Starting)
            }
            Some(true) | None => Decision::Orphan(Proof::NeverStarted),
        },
    }
}

/// `None` if one side is unknown.
fn is_same(a: Option<&str>, b: Option<&str>) -> Option<bool> {
    Some(a? == b?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PID: u32 = 4242;

    fn here() -> Host {
        Host { host: Some("me".into()), boot: Some("b1".into()), pid_namespace: Some("pid:[1]".into()) }
    }

    fn alive(start: &str) -> Liveness {
        Liveness::Alive { start: Some(start.into()) }
    }

    /// An owner on this machine, in this boot and namespace, that started at "7".
    fn owner(change: impl FnOnce(&mut Owner)) -> Owner {
        let mut owner = Owner { pid: Some(PID), start: Some("7".into()), host: here() };
        change(&mut owner);
        owner
    }

    /// The labels that the SDK writes: the process id and the PID namespace.
    fn sdk(change: impl FnOnce(&mut Owner)) -> Owner {
        owner(|owner| {
            (owner.start, owner.host.host, owner.host.boot) = (None, None, None);
            change(owner);
        })
    }

    fn of(owner: &Owner, phase: Phase, site: EngineSite, liveness: Liveness) -> Decision {
        decide(
            owner,
            phase,
            &here(),
            || site,
            |pid| {
                assert_eq!(pid, PID);
                liveness
            },
        )
    }

    #[test]
    fn decisions() {
        use EngineSite::{Elsewhere, ThisMachine};
        use Phase::{Created, Ended, Removing, Running};
        let gone = || Liveness::Gone;
        let keep = Decision::Keep;
        let orphan = Decision::Orphan;
        let dead = orphan(Proof::OwnerDead(PID));
        let lives = keep(Reason::OwnerAlive(PID));
        let ours = owner(|_| {});
        let other_boot = owner(|o| o.host.boot = Some("b0".into()));
        let no_boot = owner(|o| o.host.boot = None);
        let other_host = owner(|o| o.host.host = Some("you".into()));
        let other_both = owner(|o| (o.host.host, o.host.boot) = (Some("you".into()), Some("b0".into())));
        let other_namespace = owner(|o| o.host.pid_namespace = Some("pid:[2]".into()));
        let no_namespace = owner(|o| o.host.pid_namespace = None);
        let no_start = owner(|o| o.start = None);
        let only_boot = owner(|o| o.host.host = None);
        let only_other_boot = owner(|o| (o.host.host, o.host.boot) = (None, Some("b0".into())));
        let detached = Owner::unowned(here());
        let detached_elsewhere = Owner::unowned(Host { host: Some("you".into()), ..Host::default() });
        let detached_on_copy = Owner::unowned(Host { boot: Some("b0".into()), ..here() });
        let plain = Owner::default();
        for (name, owner, phase, site, liveness, decision) in [
            ("alive", &ours, Running, ThisMachine, alive("7"), lives),
            ("alive, ended", &ours, Ended, ThisMachine, alive("7"), lives),
            ("alive, created", &ours, Created, Elsewhere, alive("7"), lives),
            ("dead", &ours, Running, ThisMachine, gone(), dead),
            ("dead, engine elsewhere", &ours, Running, Elsewhere, gone(), dead),
            ("dead, created", &ours, Created, ThisMachine, gone(), dead),
            ("dead, ended", &ours, Ended, ThisMachine, gone(), dead),
            ("dead, being removed", &ours, Removing, ThisMachine, gone(), keep(Reason::BeingRemoved)),
            ("recycled", &ours, Running, ThisMachine, alive("8"), orphan(Proof::ProcessIdReused(PID))),
            ("start unreadable", &ours, Running, ThisMachine, Liveness::Alive { start: None }, lives),
            ("start unlabelled", &no_start, Running, ThisMachine, alive("8"), lives),
            ("start unlabelled, dead", &no_start, Running, ThisMachine, gone(), dead),
            ("rebooted", &other_boot, Ended, ThisMachine, alive("7"), orphan(Proof::MachineRebooted)),
            ("a tunnel to a copy", &other_boot, Running, ThisMachine, gone(), keep(Reason::HostUnknown)),
            ("a tunnel, created", &other_boot, Created, ThisMachine, gone(), keep(Reason::HostUnknown)),
            ("a copy of this machine", &other_boot, Running, Elsewhere, gone(), keep(Reason::HostUnknown)),
            ("no boot, engine elsewhere", &no_boot, Running, Elsewhere, gone(), keep(Reason::HostUnknown)),
            ("no boot", &no_boot, Running, ThisMachine, gone(), dead),
            ("other host", &other_host, Running, ThisMachine, gone(), keep(Reason::OtherHost)),
            ("other host, ended", &other_host, Ended, Elsewhere, gone(), keep(Reason::OtherHost)),
            ("other host and boot", &other_both, Running, ThisMachine, gone(), keep(Reason::OtherHost)),
            (
                "other namespace",
                &other_namespace,
                Running,
                ThisMachine,
                gone(),
                keep(Reason::OtherPidNamespace),
            ),
            (
                "other namespace, ended",
                &other_namespace,
                Ended,
                ThisMachine,
                gone(),
                keep(Reason::OtherPidNamespace),
            ),
            ("no namespace", &no_namespace, Running, ThisMachine, gone(), keep(Reason::PidNamespaceUnknown)),
            ("no namespace, ended, dead", &no_namespace, Ended, ThisMachine, gone(), dead),
            (
                "no namespace, ended, alive",
                &no_namespace,
                Ended,
                ThisMachine,
                alive("7"),
                keep(Reason::PidNamespaceUnknown),
            ),
            ("no host, this boot, dead", &only_boot, Running, Elsewhere, gone(), dead),
            (
                "no host, other boot",
                &only_other_boot,
                Running,
                ThisMachine,
                gone(),
                keep(Reason::HostUnknown),
            ),
            ("SDK, alive", &sdk(|_| {}), Running, ThisMachine, alive("9"), lives),
            ("SDK, dead", &sdk(|_| {}), Running, ThisMachine, gone(), dead),
            (
                "SDK, dead, engine elsewhere",
                &sdk(|_| {}),
                Running,
                Elsewhere,
                gone(),
                keep(Reason::HostUnknown),
            ),
            (
                "SDK, other namespace",
                &sdk(|o| o.host.pid_namespace = Some("pid:[2]".into())),
                Running,
                ThisMachine,
                gone(),
                keep(Reason::OtherPidNamespace),
            ),
            ("detached, running", &detached, Running, ThisMachine, gone(), keep(Reason::RunsUnowned)),
            ("detached, ended", &detached, Ended, ThisMachine, gone(), orphan(Proof::EndedUnowned)),
            ("detached, created here", &detached, Created, ThisMachine, gone(), orphan(Proof::NeverStarted)),
            (
                "detached, created elsewhere",
                &detached_elsewhere,
                Created,
                Elsewhere,
                gone(),
                keep(Reason::Starting),
            ),
            (
                "detached, created on a copy",
                &detached_on_copy,
                Created,
                Elsewhere,
                gone(),
                keep(Reason::Starting),
            ),
            ("only the mark, running", &plain, Running, ThisMachine, gone(), keep(Reason::RunsUnowned)),
            ("only the mark, ended", &plain, Ended, ThisMachine, gone(), orphan(Proof::EndedUnowned)),
        ] {
            assert_eq!(of(owner, phase, site, liveness), decision, "{name}");
        }
    }

    #[test]
    fn a_system_without_namespaces_needs_none() {
        let here = Host { pid_namespace: None, ..here() };
        let owner = owner(|o| o.host.pid_namespace = None);
        let decision = decide(&owner, Phase::Running, &here, || EngineSite::ThisMachine, |_| Liveness::Gone);
        assert_eq!(decision, Decision::Orphan(Proof::OwnerDead(PID)));
    }

    #[test]
    fn the_process_id_is_only_checked_on_the_same_machine_and_boot() {
        let other_host = owner(|o| o.host.host = Some("you".into()));
        decide(&other_host, Phase::Running, &here(), || EngineSite::ThisMachine, |_| panic!("asked"));
        let other_boot = owner(|o| o.host.boot = Some("b0".into()));
        decide(&other_boot, Phase::Running, &here(), || EngineSite::ThisMachine, |_| panic!("asked"));
    }

    #[test]
    fn labels_are_read_as_they_were_written() {
        let owner = owner(|_| {});
        let labels = owner.labels();
        assert_eq!(labels.len(), 5);
        let find =
            |name: &str| labels.iter().find(|(label, _)| *label == name).map(|(_, value)| value.as_str());
        assert_eq!(Owner::from_labels(find), owner);
        let unowned = Owner::unowned(here()).labels();
        assert_eq!(unowned.len(), 5, "every label is set, so that none of the image's counts");
        let pids: Vec<_> = unowned.iter().filter(|(name, _)| name.contains("pid")).collect();
        assert!(pids.len() == 2 && pids.iter().all(|(_, value)| value.is_empty()));
    }

    #[test]
    fn a_pid_label_that_is_not_a_number_counts_as_none() {
        let owner = Owner::from_labels(|name| (name == label::OWNER_PID).then_some("abc"));
        assert_eq!(owner.pid, None);
    }
}
