//! Asks the user on a terminal.

use std::io::{self, IsTerminal as _};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::commands::Session;
use crate::error::SandboxError;

/// How long to wait for input before interrupts are checked, in nanoseconds.
const PAUSE: i64 = 100_000_000;

/// The longest answer that is read, in bytes.
const LONGEST_ANSWER: usize = 100;

impl Session {
    /// Whether there is a user to ask.
    pub(super) fn can_ask(&self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Asks a question that is answered with yes or no. Anything but yes counts as no.
    ///
    /// # Errors
    /// Interrupted.
    pub(super) fn confirm(&self, question: &str) -> Result<bool, SandboxError> {
        self.output.ask(&format!("{question} [y/N] "));
        let mut answer = Vec::new();
        loop {
            self.interrupt.check()?;
            let pause = Timespec { tv_sec: 0, tv_nsec: PAUSE };
            let ready = poll(&mut [PollFd::new(&io::stdin(), PollFlags::IN)], Some(&pause));
            if !matches!(ready, Ok(count) if count > 0) {
                continue;
            }
            let mut byte = [0];
            // Not `Stdin::read`: it would take what is typed into a buffer that `poll` does not know.
            match rustix::io::read(io::stdin(), &mut byte) {
                Ok(1) if byte != *b"\n" && answer.len() < LONGEST_ANSWER => answer.extend(byte),
                _ => break,
            }
        }
        let answer = String::from_utf8_lossy(&answer).trim().to_ascii_lowercase();
        Ok(matches!(answer.as_str(), "y" | "yes"))
    }
}
