//! Remembers whether stdout was closed when the process started.
//!
//! Rust's runtime opens /dev/null in its place, so that results would be lost without an error.

use std::sync::atomic::{AtomicBool, Ordering};

static WAS_CLOSED: AtomicBool = AtomicBool::new(false);

pub(super) fn was_closed() -> bool {
    WAS_CLOSED.load(Ordering::SeqCst)
}

/// The system calls it before Rust's runtime starts.
#[used]
#[allow(unsafe_code)]
#[cfg_attr(target_os = "linux", unsafe(link_section = ".init_array"))]
#[cfg_attr(target_os = "macos", unsafe(link_section = "__DATA,__mod_init_func"))]
static LOOK: extern "C" fn() = look;

#[allow(unsafe_code)]
extern "C" fn look() {
    // SAFETY: F_GETFD only reads the flags of a descriptor, and fails if it is closed.
    let flags = unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFD) };
    WAS_CLOSED.store(flags == -1, Ordering::SeqCst);
}
