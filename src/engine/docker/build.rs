//! `docker buildx build`: runs it, tells what happens, and keeps what a failure left behind; it explains nothing to people.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::path::Path;

use crate::engine::docker::Docker;
use crate::engine::docker::invocation::{Cause, Failure, Streams};
use crate::engine::docker::log::Tail;
use crate::engine::docker::rawjson::{BuildEvent, Decoder};
use crate::host::redact::{RedactedStream, Redactor};

/// An image to be.
#[derive(Debug)]
pub(crate) struct BuildRequest<'a> {
    pub(crate) tag: &'a str,
    pub(crate) goal: Goal<'a>,
    /// The folder with the Dockerfile.
    pub(crate) context: &'a Path,
    /// The builder to build on; `None` leaves it to buildx.
    pub(crate) builder: Option<&'a str>,
    /// Images that the builder cannot see, and where they are: name and location, as `--build-context` takes them.
    pub(crate) images: &'a [(String, OsString)],
    /// What nobody may see of what the build prints.
    pub(crate) mask: &'a Redactor,
    /// Further flags of `docker buildx build`.
    pub(crate) flags: &'a [String],
}

/// What a build leaves.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal<'a> {
    /// An image in the engine's store.
    Image,
    /// The files of the last stage of another Dockerfile, in a folder.
    Files { dockerfile: &'a Path, folder: &'a Path },
}

impl Goal<'_> {
    fn arguments(self, tag: &str) -> Vec<OsString> {
        match self {
            Goal::Image => ["--load", "--tag", tag].map(OsString::from).to_vec(),
            Goal::Files { dockerfile, folder } => {
                // The value is a line of CSV, and the folder's name may hold a comma.
                let folder = folder.to_string_lossy().replace('"', "\"\"");
                let output = format!("--output=type=local,\"dest={folder}\"");
                vec!["--file".into(), dockerfile.into(), output.into()]
            }
        }
    }
}

/// What a failed build left behind.
#[derive(Debug)]
pub(crate) struct BuildFailure {
    pub(crate) failure: Failure,
    /// The step that failed, where BuildKit named one.
    pub(crate) step: Option<FailedStep>,
    /// The steps that were under way at the end: where the builder itself dies, no step is said to have failed.
    pub(crate) unfinished: Vec<String>,
    /// What buildx itself printed, outside the progress stream.
    pub(crate) said: Vec<String>,
}

/// The step at which a build failed.
#[derive(Debug)]
pub(crate) struct FailedStep {
    pub(crate) name: String,
    pub(crate) error: String,
    /// The end of what its process printed.
    pub(crate) output: String,
}

impl Docker {
    /// Builds an image into the engine's store.
    ///
    /// # Errors
    /// [`BuildFailure`].
    pub(crate) fn build(
        &self,
        request: &BuildRequest<'_>,
        event: &mut dyn FnMut(BuildEvent),
    ) -> Result<(), Box<BuildFailure>> {
        let builder = request.builder.iter().flat_map(|name| ["--builder".into(), OsString::from(name)]);
        let images = request.images.iter().flat_map(|(name, location)| {
            let mut context = OsString::from(format!("{name}="));
            context.push(location);
            ["--build-context".into(), context]
        });
        let arguments: Vec<OsString> = [
            "buildx",
            "build",
            "--progress=rawjson",
            // Attestations would turn the image into an index that nobody here reads.
            "--provenance=false",
        ]
        .into_iter()
        .map(OsString::from)
        .chain(builder)
        .chain(images)
        .chain(request.goal.arguments(request.tag))
        .chain(request.flags.iter().map(OsString::from))
        .chain([request.context.as_os_str().to_owned()])
        .collect();
        let mut record = Record::default();
        let mut masked = RedactedEvents::new(request.mask);
        let mut decoder = Decoder::default();
        let mut hear = |happened: BuildEvent| {
            for happened in masked.apply(happened) {
                record.keep(&happened);
                event(happened);
            }
        };
        let ended = self
            .command(arguments)
            .unlimited()
            .stream(Streams::Stderr, &mut |chunk| decoder.push(chunk, &mut hear));
        decoder.finish(&mut hear);
        ended.map_err(|failure| Box::new(record.into_failure(failure)))
    }
}

/// Events as anybody may see them.
struct RedactedEvents<'a> {
    mask: &'a Redactor,
    /// What each step's output has held back: a password may come in pieces.
    streams: HashMap<usize, RedactedStream>,
}

impl<'a> RedactedEvents<'a> {
    fn new(mask: &'a Redactor) -> Self {
        Self { mask, streams: HashMap::new() }
    }

    /// The event, after what its step's output had held back where the step is over.
    fn apply(&mut self, event: BuildEvent) -> Vec<BuildEvent> {
        let mask = |text: String| self.mask.apply(&text);
        match event {
            BuildEvent::Output { step, text } => {
                let text = self.streams.entry(step).or_default().push(self.mask, &text);
                vec![BuildEvent::Output { step, text }]
            }
            BuildEvent::StepFinished { step, name, seconds, cached } => {
                let end = BuildEvent::StepFinished { step, name: mask(name), seconds, cached };
                self.rest_of(step).into_iter().chain([end]).collect()
            }
            BuildEvent::StepFailed { step, name, error } => {
                let end = BuildEvent::StepFailed { step, name: mask(name), error: mask(error) };
                self.rest_of(step).into_iter().chain([end]).collect()
            }
            BuildEvent::StepStarted { step, name } => {
                vec![BuildEvent::StepStarted { step, name: mask(name) }]
            }
            BuildEvent::Warning { text } => vec![BuildEvent::Warning { text: mask(text) }],
            BuildEvent::Text { line } => vec![BuildEvent::Text { line: mask(line) }],
            event @ BuildEvent::Transfer { .. } => vec![event],
        }
    }

    fn rest_of(&mut self, step: usize) -> Option<BuildEvent> {
        let text = self.streams.remove(&step)?.finish(self.mask);
        (!text.is_empty()).then_some(BuildEvent::Output { step, text })
    }
}

/// What may be needed to tell why a build failed.
#[derive(Default)]
struct Record {
    /// The end of each step's output, until the step is over.
    outputs: HashMap<usize, Tail>,
    /// The steps that have started and are not over.
    running: BTreeMap<usize, String>,
    failed: Option<FailedStep>,
    said: Vec<String>,
}

impl Record {
    fn keep(&mut self, event: &BuildEvent) {
        match event {
            BuildEvent::StepStarted { step, name } => _ = self.running.insert(*step, name.clone()),
            BuildEvent::StepFinished { step, .. } | BuildEvent::StepFailed { step, .. } => {
                self.running.remove(step);
            }
            _ => {}
        }
        match event {
            BuildEvent::Output { step, text } => self.outputs.entry(*step).or_default().push(text.as_bytes()),
            BuildEvent::StepFinished { step, .. } => {
                self.outputs.remove(step);
            }
            // A failure cancels the steps beside it, which then fail too: the first is the cause.
            BuildEvent::StepFailed { step, name, error }
                if !error.contains("context canceled") || self.failed.is_none() =>
            {
                let is_better =
                    self.failed.as_ref().is_none_or(|failed| failed.error.contains("context canceled"));
                if is_better {
                    let output = self.outputs.remove(step).unwrap_or_default().into_text();
                    self.failed = Some(FailedStep { name: name.clone(), error: error.clone(), output });
                }
            }
            BuildEvent::Text { line } => self.said.push(line.clone()),
            _ => {}
        }
    }

    fn into_failure(self, failure: Failure) -> BuildFailure {
        // Without any step it was buildx that failed, or the engine that did not answer.
        let stderr = match (&failure.cause, &self.failed) {
            (Cause::Status(_), None) => self.said.join("\n"),
            _ => String::new(),
        };
        BuildFailure {
            failure: Failure { stderr, ..failure },
            step: self.failed,
            unfinished: self.running.into_values().collect(),
            said: self.said,
        }
    }
}
