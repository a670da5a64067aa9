//! What long work tells while it goes on, as values; whoever listens decides what is shown.

use crate::docker::rawjson::BuildEvent;

/// What the work tells while it goes on.
#[derive(Debug)]
pub(crate) enum Stage {
    Building { tag: String },
    Build(BuildEvent),
    Built { seconds: f64 },
    Pulling { image: String },
    Starting,
    Waiting { name: String, id: String },
    Warning(String),
}

/// Where the stages are told to.
pub(crate) type Listener<'a> = dyn FnMut(Stage) + 'a;
