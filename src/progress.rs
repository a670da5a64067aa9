//! The progress events that long work reports.

use serde::Serialize;

/// Something that happened during long work. The listener decides what to show.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// Something that the user should know, in one line.
    Note(String),
    /// A lookup on the Hub has started.
    LookingUp {
        /// The source as users write it: `hf://org/repo@main`.
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
    /// How much of the files has been fetched.
    FetchProgress {
        /// In bytes.
        done: u64,
        /// In bytes.
        total: u64,
    },
    /// A request will be sent again after a pause, because a server asked for one or failed.
    Pausing {
        /// The length of the pause.
        seconds: f64,
        /// The reason, in a few words.
        reason: String,
    },
    /// All files of a source have been fetched.
    Fetched {
        /// How many files.
        files: usize,
        /// In bytes.
        size: u64,
        /// How many bytes were downloaded, rather than taken from the cache.
        from_network: u64,
        /// The time from the first request to the last file.
        seconds: f64,
    },
    /// An image is about to be built.
    Building {
        /// The image.
        tag: String,
    },
    /// Something happened in the build.
    Build(BuildEvent),
    /// The image is ready.
    Built {
        /// The time since the start of the build.
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
        /// The image that builds with this lockfile will have.
        image: String,
    },
    /// An image is about to be pushed.
    Pushing {
        /// Its name in the registry.
        image: String,
    },
    /// The container is about to be started.
    Starting,
    /// The container runs, but its environment has not answered yet.
    Waiting {
        /// The container's name.
        name: String,
        /// The container's id.
        id: String,
    },
    /// The environment has answered, and is about to be reset, stepped and rendered once.
    Checking,
    /// A warning for the user. The work continues.
    Warning(String),
}

/// A callback that receives every event.
pub type Listener<'a> = dyn FnMut(Event) + 'a;

/// What a build reports while it runs. A step is a vertex of BuildKit's graph; steps are numbered as they
/// appear.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum BuildEvent {
    /// A step has started.
    StepStarted {
        /// Its number, from 0.
        step: usize,
        /// Its name in BuildKit.
        name: String,
    },
    /// A step has succeeded.
    StepFinished {
        /// Its number, from 0.
        step: usize,
        /// Its name in BuildKit.
        name: String,
        /// How long it took.
        seconds: f64,
        /// Whether its result came from the cache.
        cached: bool,
    },
    /// A step has failed.
    StepFailed {
        /// Its number, from 0.
        step: usize,
        /// Its name in BuildKit.
        name: String,
        /// BuildKit's error message.
        error: String,
    },
    /// A piece of what a step's process printed: it may start or end inside a line.
    Output {
        /// The step's number.
        step: usize,
        /// The text, unchanged.
        text: String,
    },
    /// A step transfers data.
    Transfer {
        /// The step's number.
        step: usize,
        /// Identifies the transfer within its step.
        id: String,
        /// In bytes.
        done: u64,
        /// In bytes; `None` if unknown.
        total: Option<u64>,
        /// Whether it has ended.
        is_over: bool,
    },
    /// A warning from BuildKit.
    Warning {
        /// One line.
        text: String,
    },
    /// A line of buildx's own output, outside of the progress stream.
    Text {
        /// Without its line break.
        line: String,
    },
}
