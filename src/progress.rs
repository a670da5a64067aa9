//! What long work reports on its way: the one voice that goes up from the lower rooms.

use serde::Serialize;

/// Something that happened during long work. Whoever listens decides what is shown.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// Something on the Hub is looked up.
    LookingUp {
        /// As users write it: `hf://org/repo@main`.
        what: String,
    },
    /// The files of a source are about to be fetched.
    Fetching {
        /// The source.
        what: String,
        /// How many files it has.
        files: usize,
        /// In bytes.
        size: u64,
    },
    /// How much of the files is there.
    FetchProgress {
        /// In bytes.
        done: u64,
        /// In bytes.
        total: u64,
    },
    /// A server asked to wait, or failed and is asked again.
    Pausing {
        /// How long.
        seconds: f64,
        /// Why, in a few words.
        reason: String,
    },
    /// All files of a source are there.
    Fetched {
        /// How many.
        files: usize,
        /// In bytes.
        size: u64,
        /// How many bytes of it were downloaded now.
        from_network: u64,
        /// From the first request to the last file.
        seconds: f64,
    },
    /// An image is about to be built.
    Building {
        /// The image.
        tag: String,
    },
    /// Something happened in the build.
    Build(BuildEvent),
    /// The image is there.
    Built {
        /// From the start of the build.
        seconds: f64,
    },
    /// An image is about to be pulled.
    Pulling {
        /// The image.
        image: String,
    },
    /// A lockfile was written.
    Locked {
        /// Its path.
        file: String,
        /// The image that builds with this lockfile get from now on.
        image: String,
    },
    /// An image is about to be pushed.
    Pushing {
        /// Its name in the registry.
        image: String,
    },
    /// The container is about to be started.
    Starting,
    /// The container runs, and the environment in it has not answered yet.
    Waiting {
        /// The container's name.
        name: String,
        /// The container's id.
        id: String,
    },
    /// Something that the user should know, and that stops nothing.
    Warning(String),
}

/// Is called with every event.
pub type Listener<'a> = dyn FnMut(Event) + 'a;

/// What a build reports while it runs. A step is a vertex of BuildKit's graph, numbered as they appear.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum BuildEvent {
    /// A step has started.
    StepStarted {
        /// Its number, from 0.
        step: usize,
        /// Its name, as BuildKit has it.
        name: String,
    },
    /// A step has succeeded.
    StepFinished {
        /// Its number, from 0.
        step: usize,
        /// Its name, as BuildKit has it.
        name: String,
        /// How long it took.
        seconds: f64,
        /// Whether its result was there already.
        cached: bool,
    },
    /// A step has failed.
    StepFailed {
        /// Its number, from 0.
        step: usize,
        /// Its name, as BuildKit has it.
        name: String,
        /// Why, in BuildKit's words.
        error: String,
    },
    /// What a step's process printed: any part of a line.
    Output {
        /// The step's number.
        step: usize,
        /// Text as it came.
        text: String,
    },
    /// A step moves bytes.
    Transfer {
        /// The step's number.
        step: usize,
        /// Which of the step's transfers it is.
        id: String,
        /// In bytes.
        done: u64,
        /// In bytes, where it is known.
        total: Option<u64>,
        /// Whether it has ended.
        is_over: bool,
    },
    /// BuildKit warns of something.
    Warning {
        /// In one line.
        text: String,
    },
    /// A line that is not part of the stream: buildx's own errors.
    Text {
        /// Without its line break.
        line: String,
    },
}
