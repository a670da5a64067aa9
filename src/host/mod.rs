//! What depends on this machine: processes, interrupts, file locks, links, logs, run and socket directories, redaction.

pub(crate) mod file_lock;
pub(crate) mod interrupt;
pub(crate) mod link;
pub(crate) mod logs;
pub(crate) mod process;
pub(crate) mod redact;
pub(crate) mod run_dir;
pub(crate) mod socket_dir;
pub(crate) mod waits;
