//! Receives the signals that end a process, and turns them into an [`Interrupt`] or passes them to the user's
//! command.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal as PosixSignal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::low_level::siginfo::Origin;

use crate::error::{SandboxError, Signal};
use crate::host::interrupt::{Interrupt, Signals};
use crate::output::Output;

/// How long after the first signal the user is told what is going on, if the program has not ended by then.
const FIRST_WORDS: Duration = Duration::from_millis(500);

/// How long after the second signal the program ends, whatever it waits for. Clean-up ends earlier: see [`Signals`].
const LONGEST_END: Duration = Duration::from_secs(3);

/// The receiver of the signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Receiver {
    /// This program, which then stops its work.
    Us,
    /// The user's command, by its process id. Signals from processes are passed on to it. Signals from the
    /// terminal are not, because the command receives them too.
    Command(Pid),
    /// Nothing: the command has ended, and this program has not taken the signals back yet.
    Nothing,
}

/// Receives SIGINT, SIGTERM, SIGHUP and SIGQUIT for as long as the process lives.
#[derive(Clone)]
pub(crate) struct SignalHandler {
    interrupt: Interrupt,
    output: Output,
    receiver: Arc<Mutex<Receiver>>,
}

impl SignalHandler {
    /// Installs the handlers. Signals that were ignored when the process started stay ignored: `nohup` and a
    /// shell's `&` rely on that.
    ///
    /// # Errors
    /// If the system refuses to install a handler or to start a thread.
    pub(crate) fn listen(interrupt: Interrupt, output: Output) -> io::Result<Self> {
        let taken = [SIGINT, SIGTERM, SIGHUP, SIGQUIT].into_iter().filter(|signal| !is_ignored(*signal));
        // Without a handler, a file at the size limit (`ulimit -f`) would end the process before it can clean up. With
        // one, the write fails. The commands that it starts do not inherit it.
        signal_hook::flag::register(SIGXFSZ, Arc::default())?;
        let mut received = SignalsInfo::<WithOrigin>::new(taken)?;
        let handler = Self { interrupt, output, receiver: Arc::new(Mutex::new(Receiver::Us)) };
        let listener = handler.clone();
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for origin in received.forever() {
                listener.receive(&origin);
            }
        })?;
        Ok(handler)
    }

    /// Starts a command, which receives the signals from then on. No signal is lost: one that arrives while
    /// `start` runs is handled afterwards.
    pub(crate) fn hand_over<T, E>(&self, start: impl FnOnce() -> Result<(T, Pid), E>) -> Result<T, E> {
        let mut receiver = self.receiver();
        let (started, pid) = start()?;
        *receiver = Receiver::Command(pid);
        Ok(started)
    }

    /// Stops passing signals on: the system may now give the command's process id to another process.
    pub(crate) fn command_has_ended(&self) {
        *self.receiver() = Receiver::Nothing;
    }

    /// Makes this program the receiver again.
    pub(crate) fn take_back(&self) {
        *self.receiver() = Receiver::Us;
    }

    fn receiver(&self) -> MutexGuard<'_, Receiver> {
        self.receiver.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says what the program does about the first signal, unless it ends soon.
    fn answer(&self, signal: Signal) {
        let output = self.output.clone();
        std::thread::spawn(move || {
            std::thread::sleep(FIRST_WORDS);
            let again = match signal {
                Signal::Interrupt => "press Ctrl-C again to end at once",
                _ => "a second signal ends it at once",
            };
            let what = SandboxError::Interrupted(signal);
            output.note(&format!("{what}: stopping what was started ({again})"));
        });
    }

    fn receive(&self, origin: &Origin) {
        let signal = Signal::of(origin.signal);
        // Signals that the terminal sends to its foreground processes have no sender.
        let is_from_a_process = origin.process.is_some();
        let receiver = self.receiver();
        match *receiver {
            Receiver::Us => {
                let is_first = self.interrupt.reached(Signals::First).is_none();
                self.interrupt.raise(signal);
                if is_first {
                    self.answer(signal);
                } else {
                    end_for_sure(origin.signal);
                }
            }
            Receiver::Command(pid) if is_from_a_process => {
                self.interrupt.raise(signal);
                let is_second = self.interrupt.reached(Signals::Second).is_some();
                let _ = kill_process(pid, if is_second { PosixSignal::KILL } else { posix(signal) });
            }
            Receiver::Command(_) | Receiver::Nothing => {}
        }
    }
}

/// Ends the process by the signal after a while, whatever its other threads do. Docker's client commands end with
/// them, and the run directory of a start remains for `reap`.
fn end_for_sure(signal: i32) {
    std::thread::spawn(move || {
        std::thread::sleep(LONGEST_END);
        let _ = signal_hook::low_level::emulate_default_handler(signal);
    });
}

/// Whether the process was started with this signal ignored.
#[allow(unsafe_code)]
fn is_ignored(signal: i32) -> bool {
    // SAFETY: with a null pointer for the new action, sigaction only writes the current one into `current`,
    // for which all zeros are a valid value.
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
