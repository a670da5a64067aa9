//! The signals that end a process, turned into an [`Interrupt`] or handed to the user's own command.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal as PosixSignal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::low_level::siginfo::Origin;

use crate::error::Signal;
use crate::host::interrupt::{Interrupt, Signals};

/// Who gets the signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Receiver {
    /// This program: its work ends.
    Us,
    /// The user's command, by its process number: what a process sends to us is passed on. What the terminal
    /// sends has reached the command already.
    Command(Pid),
    /// No process: the command has ended, and this program is about to go on.
    Nothing,
}

/// Receives SIGINT, SIGTERM, SIGHUP and SIGQUIT for as long as the process lives.
#[derive(Clone)]
pub(crate) struct SignalHandler {
    interrupt: Interrupt,
    receiver: Arc<Mutex<Receiver>>,
}

impl SignalHandler {
    /// Takes over the signals, but for those that the process was started with as ignored: `nohup` and a shell's
    /// `&` do that, and mean it.
    ///
    /// # Errors
    /// When the system refuses a handler or a thread.
    pub(crate) fn listen(interrupt: Interrupt) -> io::Result<Self> {
        let taken = [SIGINT, SIGTERM, SIGHUP, SIGQUIT].into_iter().filter(|signal| !is_ignored(*signal));
        let mut received = SignalsInfo::<WithOrigin>::new(taken)?;
        let handler = Self { interrupt, receiver: Arc::new(Mutex::new(Receiver::Us)) };
        let listener = handler.clone();
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for origin in received.forever() {
                listener.receive(&origin);
            }
        })?;
        Ok(handler)
    }

    /// Starts a command that gets the signals from then on. No signal falls between the two: one that arrives
    /// while `start` runs waits for it to end.
    pub(crate) fn hand_over<T, E>(&self, start: impl FnOnce() -> Result<(T, Pid), E>) -> Result<T, E> {
        let mut receiver = self.receiver();
        let (started, pid) = start()?;
        *receiver = Receiver::Command(pid);
        Ok(started)
    }

    /// Passes nothing on any more: from here on, the number of the command may become another process's.
    pub(crate) fn command_has_ended(&self) {
        *self.receiver() = Receiver::Nothing;
    }

    /// Gives the signals back to this program.
    pub(crate) fn take_back(&self) {
        *self.receiver() = Receiver::Us;
    }

    fn receiver(&self) -> MutexGuard<'_, Receiver> {
        self.receiver.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn receive(&self, origin: &Origin) {
        let signal = Signal::of(origin.signal);
        // The kernel names no sender for what the terminal sends to its foreground processes.
        let is_from_a_process = origin.process.is_some();
        let receiver = self.receiver();
        match *receiver {
            Receiver::Us => self.interrupt.raise(signal),
            Receiver::Command(pid) if is_from_a_process => {
                self.interrupt.raise(signal);
                let is_second = self.interrupt.reached(Signals::Second).is_some();
                let _ = kill_process(pid, if is_second { PosixSignal::KILL } else { posix(signal) });
            }
            Receiver::Command(_) | Receiver::Nothing => {}
        }
    }
}

/// Whether the process was started with this signal ignored.
#[allow(unsafe_code)]
fn is_ignored(signal: i32) -> bool {
    // SAFETY: with a null pointer for the new action, sigaction only writes the current one into `current`, for
    // which all zeros are a valid value.
    unsafe {
        let mut current: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &raw mut current) == 0
            && current.sa_sigaction == libc::SIG_IGN
    }
}

fn posix(signal: Signal) -> PosixSignal {
    match signal {
        Signal::Interrupt => PosixSignal::INT,
        Signal::Terminate => PosixSignal::TERM,
        Signal::Hangup => PosixSignal::HUP,
        Signal::Quit => PosixSignal::QUIT,
    }
}
