//! How long this program waits for other processes, as one value, so that its own tests can wait less.

use std::time::Duration;

/// How long to wait, and for what.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Waits {
    /// For a docker command to end after SIGTERM, before SIGKILL.
    pub(crate) termination: Duration,
    /// For a start to end by itself after the first signal: if it is killed, it is not known what it leaves behind.
    pub(crate) start_after_signal: Duration,
    /// For docker to start a container.
    pub(crate) start: Duration,
    /// For a docker command that only asks, or makes a small change.
    pub(crate) query: Duration,
    /// For docker to remove what a run has started.
    pub(crate) clean_up: Duration,
    /// For more output of a docker command that has ended: processes that it started may keep its pipes open.
    pub(crate) late_output: Duration,
    /// For the engine to report that a container ran out of memory, once the container has failed.
    pub(crate) late_event: Duration,
    /// For a client that only inspects a builder to disconnect. A client that stays connected is building.
    pub(crate) builder_inspection: Duration,
    /// For a run that only checks a builder to release its lock. A run that keeps the lock is building.
    pub(crate) builder_lock: Duration,
    /// For the engine to finish creating a container whose client was killed.
    pub(crate) unfinished_container: Duration,
    /// For a run directory to get its lock. An older one without a lock is abandoned.
    pub(crate) run_folder_lock: Duration,
    /// For a run's own container to start, before a sweep uses the engine.
    pub(crate) sweep_delay: Duration,
    /// For a container to answer, before its log is followed: that would slow down its start.
    pub(crate) watch_delay: Duration,
    /// For a client to reset, step and render an environment once.
    pub(crate) check: Duration,
    /// For docker to answer while a shell waits for completions.
    pub(crate) completion: Duration,
    /// For a check of `doctor`.
    pub(crate) examination: Duration,
    /// Before a failed docker command about a container that starts is tried again.
    pub(crate) inspect_retry: Duration,
    /// Before a log that was interrupted is followed again.
    pub(crate) log_retry: Duration,
    /// Before a failed request to the Hub is sent again. Each further pause is twice as long.
    pub(crate) hub_retry: Duration,
}

impl Waits {
    /// The default waits, each `factor` times as long.
    pub(crate) fn scaled(factor: f64) -> Self {
        let seconds = |seconds: f64| Duration::from_secs_f64(seconds * factor);
        // Limits do not delay anything, and a loaded machine needs them.
        let limit = |seconds: f64| Duration::from_secs_f64(seconds * factor.max(1.0));
        Self {
            termination: seconds(2.0),
            start_after_signal: limit(2.0),
            start: limit(60.0),
            query: limit(8.0),
            clean_up: limit(7.0),
            late_output: seconds(1.0),
            late_event: seconds(2.0),
            builder_inspection: seconds(2.0),
            builder_lock: seconds(5.0),
            unfinished_container: seconds(2.0),
            run_folder_lock: seconds(1.0),
            sweep_delay: seconds(0.4),
            watch_delay: seconds(0.4),
            check: seconds(60.0),
            completion: seconds(1.0),
            examination: seconds(10.0),
            inspect_retry: seconds(0.2),
            log_retry: seconds(0.5),
            hub_retry: seconds(0.3),
        }
    }
}

impl Default for Waits {
    fn default() -> Self {
        Self::scaled(1.0)
    }
}
