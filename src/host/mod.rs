//! This machine: processes, signals, file locks, links, run directories, redaction.

pub(crate) mod file_lock;
pub(crate) mod interrupt;
pub(crate) mod link;
pub(crate) mod process;
pub(crate) mod redact;
pub(crate) mod run_dir;
