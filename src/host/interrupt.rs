//! A wish to end, from a signal or a dropped future, that long work looks at; it ends nothing by itself.

use std::io;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::low_level::siginfo::Origin;

use crate::error::{SandboxError, Signal};

/// Whether, how often and by what the work was asked to end. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interrupt {
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The number of the first signal; 0 before there is one.
    first: AtomicI32,
    count: AtomicUsize,
}

/// How much of what is under way gives way to how many signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signals {
    /// Work: ends at the first.
    First,
    /// Clean-up that gives the container time: ends at the second.
    Second,
    /// Clean-up that takes no time: ends at the third.
    Third,
}

impl Signals {
    fn threshold(self) -> usize {
        match self {
            Signals::First => 1,
            Signals::Second => 2,
            Signals::Third => 3,
        }
    }
}

impl Interrupt {
    /// Asks whatever looks at this to end.
    pub(crate) fn raise(&self, signal: Signal) {
        let _ = self.state.first.compare_exchange(0, signal.number(), Ordering::SeqCst, Ordering::SeqCst);
        self.state.count.fetch_add(1, Ordering::SeqCst);
    }

    /// The signal to which something that yields like `what` has to give way by now.
    pub(crate) fn reached(&self, what: Signals) -> Option<Signal> {
        (self.state.count.load(Ordering::SeqCst) >= what.threshold()).then(|| {
            match self.state.first.load(Ordering::SeqCst) {
                SIGHUP => Signal::Hangup,
                SIGQUIT => Signal::Quit,
                SIGTERM => Signal::Terminate,
                _ => Signal::Interrupt,
            }
        })
    }

    /// # Errors
    /// [`SandboxError::Interrupted`] once a signal has come.
    pub(crate) fn check(&self) -> Result<(), SandboxError> {
        self.reached(Signals::First).map_or(Ok(()), |signal| Err(SandboxError::Interrupted(signal)))
    }
}

/// Who sent a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    /// The terminal: every process of its foreground group got the signal too.
    Terminal,
    /// A process, to this one.
    Process,
}

/// Where signals go while the user's own command runs, instead of ending the work.
type Handler = Box<dyn FnMut(Signal, Sender) + Send>;

/// Turns the signals that end a process into an [`Interrupt`], for as long as the process lives.
#[derive(Clone)]
pub(crate) struct SignalHandler {
    interrupt: Interrupt,
    handler: Arc<Mutex<Option<Handler>>>,
}

impl SignalHandler {
    /// Takes over SIGINT, SIGTERM, SIGHUP and SIGQUIT for the whole process.
    ///
    /// # Errors
    /// When the system refuses a handler or a thread.
    pub(crate) fn listen(interrupt: Interrupt) -> io::Result<Self> {
        let mut received = SignalsInfo::<WithOrigin>::new([SIGINT, SIGTERM, SIGHUP, SIGQUIT])?;
        let handler = Self { interrupt, handler: Arc::default() };
        let listener = handler.clone();
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for origin in received.forever() {
                listener.receive(&origin);
            }
        })?;
        Ok(handler)
    }

    /// While `work` runs, signals go to `handler` alone.
    pub(crate) fn divert<T>(
        &self,
        handler: impl FnMut(Signal, Sender) + Send + 'static,
        work: impl FnOnce() -> T,
    ) -> T {
        self.set(Some(Box::new(handler)));
        let result = work();
        self.set(None);
        result
    }

    fn set(&self, handler: Option<Handler>) {
        *self.handler.lock().unwrap_or_else(PoisonError::into_inner) = handler;
    }

    fn receive(&self, origin: &Origin) {
        let signal = match origin.signal {
            SIGHUP => Signal::Hangup,
            SIGQUIT => Signal::Quit,
            SIGTERM => Signal::Terminate,
            _ => Signal::Interrupt,
        };
        // The kernel names no sender for what the terminal's line discipline sends.
        let sender = if origin.process.is_some() { Sender::Process } else { Sender::Terminal };
        match self.handler.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(handler) => handler(signal, sender),
            None => self.interrupt.raise(signal),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_signal_ends_more() {
        let interrupt = Interrupt::default();
        assert!(interrupt.check().is_ok());
        interrupt.raise(Signal::Terminate);
        assert_eq!(interrupt.reached(Signals::First), Some(Signal::Terminate));
        assert_eq!(interrupt.reached(Signals::Second), None);
        interrupt.raise(Signal::Interrupt);
        assert_eq!(interrupt.reached(Signals::Second), Some(Signal::Terminate), "the first one counts");
        assert_eq!(interrupt.reached(Signals::Third), None);
    }
}
