//! Facts about processes and this machine, from the operating system, and what new processes inherit.

use std::process::Command;

use rustix::process::{Pid, test_kill_process};
use sha2::{Digest as _, Sha256};

/// Identifies a machine, boot and PID namespace. A part that cannot be read is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Host {
    /// A digest of the machine's id: the id itself is confidential.
    pub(crate) host: Option<String>,
    /// The boot's id, which is unique for each boot.
    pub(crate) boot: Option<String>,
    /// The PID namespace, as `readlink /proc/self/ns/pid` prints it; `None` on systems without namespaces.
    pub(crate) pid_namespace: Option<String>,
}

/// Whether a process exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Liveness {
    /// No process has this id, or the process is a zombie.
    Gone,
    /// A process has this id. `start` distinguishes it from an earlier process with the same id.
    Alive { start: Option<String> },
}

impl Host {
    /// This machine and boot, and this process's PID namespace.
    pub(crate) fn here() -> Self {
        Self { host: machine_id().map(|id| digest(&id)), boot: boot_id(), pid_namespace: pid_namespace() }
    }
}

/// Whether a process exists in this PID namespace.
pub(crate) fn liveness(pid: u32) -> Liveness {
    let valid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let Some(valid) = valid else { return Liveness::Gone };
    match test_kill_process(valid) {
        Err(rustix::io::Errno::SRCH) => Liveness::Gone,
        // An error such as EPERM means that the process belongs to another user.
        Ok(()) | Err(_) if has_ended(pid) => Liveness::Gone,
        Ok(()) | Err(_) => Liveness::Alive { start: start_time(pid) },
    }
}

/// Makes the kernel kill the command's process when the thread that starts it ends, so that it does not continue
/// after this process was killed. Only Linux has this.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
pub(crate) fn kill_with_this_thread(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;

    let parent = rustix::process::getpid();
    // SAFETY: between fork and exec the closure makes system calls only, and allocates nothing.
    unsafe {
        command.pre_exec(move || {
            rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
            // The parent may have died before the call above.
            if rustix::process::getppid() == Some(parent) {
                Ok(())
            } else {
                Err(std::io::ErrorKind::Interrupted.into())
            }
        });
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn kill_with_this_thread(_command: &mut Command) {}

/// Runs the command at the lowest priority.
#[allow(unsafe_code)]
pub(crate) fn lower_priority(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;

    // SAFETY: between fork and exec the closure makes one system call, and allocates nothing.
    unsafe {
        command.pre_exec(|| {
            let _ = rustix::process::nice(19);
            Ok(())
        });
    }
}

/// This machine's memory in bytes, if engines run on it directly.
pub(crate) fn memory() -> Option<u64> {
    system::memory()
}

/// This user and its group as a container's user, `UID:GID`; `None` for root.
pub(crate) fn ordinary_user() -> Option<String> {
    let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
    (!user.is_root()).then(|| format!("{}:{}", user.as_raw(), group.as_raw()))
}

/// A digest with a prefix that only this program uses, so that it cannot be matched with the machine id
/// elsewhere.
fn digest(machine_id: &str) -> String {
    let digest =
        Sha256::new().chain_update("rlmesh.sandbox.owner-host\0").chain_update(machine_id).finalize();
    hex::encode(&digest[..16])
}

fn read_line(path: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

#[cfg(target_os = "linux")]
mod system {
    use procfs::process::{ProcState, Process};

    pub(super) fn machine_id() -> Option<String> {
        super::read_line("/etc/machine-id").or_else(|| super::read_line("/var/lib/dbus/machine-id"))
    }

    pub(super) fn memory() -> Option<u64> {
        use procfs::Current as _;
        Some(procfs::Meminfo::current().ok()?.mem_total)
    }

    pub(super) fn boot_id() -> Option<String> {
        super::read_line("/proc/sys/kernel/random/boot_id")
    }

    pub(super) fn pid_namespace() -> Option<String> {
        Some(std::fs::read_link("/proc/self/ns/pid").ok()?.to_str()?.to_owned())
    }

    /// In clock ticks since the boot, which do not depend on the wall clock.
    pub(super) fn start_time(pid: u32) -> Option<String> {
        let stat = Process::new(i32::try_from(pid).ok()?).ok()?.stat().ok()?;
        Some(stat.starttime.to_string())
    }

    pub(super) fn has_ended(pid: u32) -> bool {
        let state = || Process::new(i32::try_from(pid).ok()?).ok()?.stat().ok()?.state().ok();
        matches!(state(), Some(ProcState::Zombie | ProcState::Dead))
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use sysinfo::{Pid, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, Product, System};

    pub(super) fn machine_id() -> Option<String> {
        Product::uuid().ok()
    }

    /// `None`: an engine on these systems runs in a virtual machine.
    pub(super) fn memory() -> Option<u64> {
        None
    }

    /// `None`: the boot time of these systems changes with the wall clock.
    pub(super) fn boot_id() -> Option<String> {
        None
    }

    pub(super) fn pid_namespace() -> Option<String> {
        None
    }

    fn process<T>(pid: u32, read: impl FnOnce(&sysinfo::Process) -> T) -> Option<T> {
        let pid = Pid::from_u32(pid);
        let mut system = System::new();
        system.refresh_processes_specifics(
            ProcessesToUpdate::Some(&[pid]),
            true,
            ProcessRefreshKind::nothing(),
        );
        system.process(pid).map(read)
    }

    pub(super) fn start_time(pid: u32) -> Option<String> {
        process(pid, |process| process.start_time().to_string())
    }

    pub(super) fn has_ended(pid: u32) -> bool {
        process(pid, |process| matches!(process.status(), ProcessStatus::Zombie | ProcessStatus::Dead))
            == Some(true)
    }
}

use system::{boot_id, has_ended, machine_id, pid_namespace, start_time};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_its_start_does_not_change() {
        let me = std::process::id();
        let Liveness::Alive { start } = liveness(me) else { panic!("not alive") };
        assert!(start.is_some());
        assert_eq!(liveness(me), Liveness::Alive { start });
    }

    #[test]
    fn a_zombie_is_gone() {
        let mut child = Command::new("true").spawn().unwrap();
        let pid = child.id();
        while !has_ended(pid) {
            std::thread::yield_now();
        }
        assert_eq!(liveness(pid), Liveness::Gone);
        child.wait().unwrap();
        assert_eq!(liveness(pid), Liveness::Gone);
    }

    #[test]
    fn numbers_that_no_process_can_have() {
        assert_eq!(liveness(0), Liveness::Gone);
        assert_eq!(liveness(u32::MAX), Liveness::Gone);
    }

    #[test]
    fn a_machine_id_is_not_shown() {
        let digest = digest("0123456789abcdef0123456789abcdef");
        assert_eq!(digest.len(), 32);
        assert_ne!(digest, "0123456789abcdef0123456789abcdef");
    }
}
