//! A request to stop, from a signal or a dropped future, that long work checks.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

use crate::error::{SandboxError, Signal};

/// Whether work was asked to stop, by which signal, and how often. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The number of the first signal; 0 before there is one.
    first: AtomicI32,
    count: AtomicUsize,
}

/// How many signals it takes to end something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(crate) enum Signals {
    /// Work ends at the first.
    First = 1,
    /// Clean-up that gives a container time to end by itself ends at the second.
    Second,
    /// Clean-up that takes no time ends at the third.
    Third,
}

impl Interrupt {
    /// Asks the work to stop.
    pub fn raise(&self, signal: Signal) {
        let _ = self.state.first.compare_exchange(0, signal.number(), Ordering::SeqCst, Ordering::SeqCst);
        self.state.count.fetch_add(1, Ordering::SeqCst);
    }

    /// The first signal, once there were `count` of them.
    pub(crate) fn reached(&self, count: Signals) -> Option<Signal> {
        let is_reached = self.state.count.load(Ordering::SeqCst) >= count as usize;
        is_reached.then(|| Signal::of(self.state.first.load(Ordering::SeqCst)))
    }

    /// # Errors
    /// [`SandboxError::Interrupted`] once there was a signal.
    pub(crate) fn check(&self) -> Result<(), SandboxError> {
        self.reached(Signals::First).map_or(Ok(()), |signal| Err(SandboxError::Interrupted(signal)))
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
