//! What long work tells while it goes on, as values; whoever listens decides what is shown.

use crate::engine::docker::rawjson::BuildEvent;

/// What the work tells while it goes on.
#[derive(Debug)]
pub(crate) enum Event {
    /// Something on the Hub is looked up.
    LookingUp {
        what: String,
    },
    /// The files of a source are fetched or found; sizes in bytes.
    Fetching {
        what: String,
        files: usize,
        size: u64,
    },
    FetchProgress {
        done: u64,
        total: u64,
    },
    /// A server asked to wait, or failed and is asked again.
    Pausing {
        seconds: f64,
        reason: String,
    },
    Fetched {
        files: usize,
        size: u64,
        from_network: u64,
        seconds: f64,
    },
    Building {
        tag: String,
    },
    Build(BuildEvent),
    Built {
        seconds: f64,
    },
    Pulling {
        image: String,
    },
    /// A lock was written; whoever uses it gets this image from then on.
    Locked {
        file: String,
        image: String,
    },
    Pushing {
        image: String,
    },
    Starting,
    Waiting {
        name: String,
        id: String,
    },
    Warning(String),
}

/// Where the stages are told to.
pub(crate) type Listener<'a> = dyn FnMut(Event) + 'a;
