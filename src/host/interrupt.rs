//! Interrupts: requests to stop, from a signal or a dropped future, which long work checks.

use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::error::{SandboxError, Signal};

/// How long clean-up may still take after the second signal.
const LAST_CLEAN_UP: Duration = Duration::from_secs(1);

/// Records whether work was asked to stop, by which signal, and how often. Clones share their state.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The number of the first signal; 0 before there is one.
    first: AtomicI32,
    count: AtomicUsize,
    /// When the first and the second signal arrived.
    times: [OnceLock<Instant>; 2],
}

/// How many signals it takes to stop something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Signals {
    /// Work stops at the first signal.
    First = 1,
    /// Waiting for a container to stop ends at the second signal.
    Second,
    /// Other clean-up ends a second after the second signal, or at the third.
    Third,
}

impl Interrupt {
    /// Asks the work to stop.
    pub fn raise(&self, signal: Signal) {
        let _ = self.state.first.compare_exchange(0, signal.number(), Ordering::SeqCst, Ordering::SeqCst);
        let before = self.state.count.fetch_add(1, Ordering::SeqCst);
        if let Some(time) = self.state.times.get(before) {
            let _ = time.set(Instant::now());
        }
    }

    /// The time since the first signal, once there was one.
    pub(crate) fn since_first(&self) -> Option<Duration> {
        self.state.times[0].get().map(Instant::elapsed)
    }

    /// The first signal, once there were `count` of them, or enough time has passed since the last one.
    pub(crate) fn reached(&self, count: Signals) -> Option<Signal> {
        let is_late = || self.state.times[1].get().is_some_and(|time| time.elapsed() >= LAST_CLEAN_UP);
        let is_reached =
            self.state.count.load(Ordering::SeqCst) >= count as usize || count == Signals::Third && is_late();
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
        assert!(interrupt.since_first().is_some());
        std::thread::sleep(LAST_CLEAN_UP);
        assert_eq!(interrupt.reached(Signals::Third), Some(Signal::Terminate), "clean-up ends soon after");
    }
}
