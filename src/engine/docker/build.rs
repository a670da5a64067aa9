//! Runs `docker buildx build`, reports its events, and records what explains a failure.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::path::Path;

use crate::engine::docker::Docker;
use crate::engine::docker::child::Cause;
use crate::engine::docker::child::Streams;
use crate::engine::docker::invocation::Failure;
use crate::engine::docker::log::cut;
use crate::engine::docker::rawjson::Decoder;
use crate::engine::docker::tail::Tail;
use crate::host::redact::{RedactedStream, Redactor};
use crate::progress::BuildEvent;

/// The longest line of buildx's own output that is passed on, in characters.
const LONGEST_LINE: usize = 16 * 1024;

/// What to build, and how.
#[derive(Debug)]
pub(crate) struct BuildRequest<'a> {
    pub(crate) tag: &'a str,
    pub(crate) goal: Goal<'a>,
    /// The folder with the Dockerfile.
    pub(crate) context: &'a Path,
    /// The builder to use; `None` is buildx's default.
    pub(crate) builder: Option<&'a str>,
    /// Images that the builder does not have: name and location, as for `--build-context`.
    pub(crate) images: &'a [(String, OsString)],
    /// The secrets to remove from the build's output.
    pub(crate) redactor: &'a Redactor,
    /// Additional flags of `docker buildx build`.
    pub(crate) flags: &'a [String],
}

/// What a build produces.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal<'a> {
    /// An image in the engine's store.
    Image,
    /// The files of the last stage of another Dockerfile, written to a folder.
    Files { dockerfile: &'a Path, folder: &'a Path },
}

impl Goal<'_> {
    fn arguments(self, tag: &str, has_own_builder: bool) -> Vec<OsString> {
        // A builder in a container exports the image to the engine. Compressing it would take most of that time.
        let load = if has_own_builder { "--output=type=docker,compression=uncompressed" } else { "--load" };
        match self {
            Goal::Image => [load, "--tag", tag].map(OsString::from).to_vec(),
            Goal::Files { dockerfile, folder } => {
                // buildx parses the value as CSV, and the folder's name may contain a comma.
                let folder = folder.to_string_lossy().replace('"', "\"\"");
                let output = format!("--output=type=local,\"dest={folder}\"");
                vec!["--file".into(), dockerfile.into(), output.into()]
            }
        }
    }
}

/// Why a build failed.
#[derive(Debug)]
pub(crate) struct BuildFailure {
    pub(crate) failure: Failure,
    /// The step that failed, if BuildKit reported one.
    pub(crate) step: Option<FailedStep>,
    /// The steps that were running at the end. If the builder itself dies, BuildKit reports no failed step.
    pub(crate) unfinished: Vec<String>,
    /// The lines that buildx itself printed, outside of the progress stream: the last 64 KiB.
    pub(crate) messages: Vec<String>,
}

/// The failed step of a build.
#[derive(Debug)]
pub(crate) struct FailedStep {
    pub(crate) name: String,
    pub(crate) error: String,
    /// The end of what its process printed.
    pub(crate) output: String,
}

impl Docker {
    /// Runs a build. It needs the version of buildx that [`Docker::buildx`] requires.
    ///
    /// # Errors
    /// [`BuildFailure`].
    pub(crate) fn build(
        &self,
        request: &BuildRequest<'_>,
        on_event: &mut dyn FnMut(BuildEvent),
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
            // With attestations, the result would be an image index.
            "--provenance=false",
        ]
        .into_iter()
        .map(OsString::from)
        .chain(builder)
        .chain(images)
        .chain(request.goal.arguments(request.tag, request.builder.is_some()))
        .chain(request.flags.iter().map(OsString::from))
        .chain([request.context.as_os_str().to_owned()])
        .collect();
        let mut record = Record::default();
        let mut redacted = RedactedEvents::new(request.redactor);
        let mut decoder = Decoder::default();
        let mut on_decoded = |event: BuildEvent| {
            for event in redacted.apply(event) {
                record.keep(&event);
                on_event(event);
            }
        };
        let ended = self
            .command(arguments)
            .long()
            .stream(Streams::Stderr, &mut |chunk| decoder.push(chunk, &mut on_decoded));
        decoder.finish(&mut on_decoded);
        ended.map_err(|failure| Box::new(record.into_failure(failure)))
    }
}

/// Removes secrets from events.
struct RedactedEvents<'a> {
    redactor: &'a Redactor,
    /// The output of each step that is held back, because a password may be split between pieces.
    streams: HashMap<usize, RedactedStream>,
}

impl<'a> RedactedEvents<'a> {
    fn new(redactor: &'a Redactor) -> Self {
        Self { redactor, streams: HashMap::new() }
    }

    /// Redacts an event. Before the end of a step, it returns the output that was held back.
    fn apply(&mut self, event: BuildEvent) -> Vec<BuildEvent> {
        let redact = |text: String| self.redactor.apply(&text);
        match event {
            BuildEvent::Output { step, text } => {
                let text = self.streams.entry(step).or_default().push(self.redactor, &text);
                vec![BuildEvent::Output { step, text }]
            }
            BuildEvent::StepFinished { step, name, seconds, cached } => {
                let end = BuildEvent::StepFinished { step, name: redact(name), seconds, cached };
                self.rest_of(step).into_iter().chain([end]).collect()
            }
            BuildEvent::StepFailed { step, name, error } => {
                let end = BuildEvent::StepFailed { step, name: redact(name), error: redact(error) };
                self.rest_of(step).into_iter().chain([end]).collect()
            }
            BuildEvent::StepStarted { step, name } => {
                vec![BuildEvent::StepStarted { step, name: redact(name) }]
            }
            BuildEvent::Warning { text } => vec![BuildEvent::Warning { text: redact(text) }],
            BuildEvent::Text { line } => {
                vec![BuildEvent::Text { line: cut(&redact(line), LONGEST_LINE) }]
            }
            event @ BuildEvent::Transfer { .. } => vec![event],
        }
    }

    fn rest_of(&mut self, step: usize) -> Option<BuildEvent> {
        let text = self.streams.remove(&step)?.finish(self.redactor);
        (!text.is_empty()).then_some(BuildEvent::Output { step, text })
    }
}

/// Records what may explain the failure of a build.
#[derive(Default)]
struct Record {
    /// The end of each step's output, until the step has finished.
    outputs: HashMap<usize, Tail>,
    /// The steps that are running.
    running: BTreeMap<usize, String>,
    failed: Option<FailedStep>,
    /// The end of what buildx itself prints, in lines.
    messages: Tail,
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
            // A failure cancels the parallel steps, which then fail too. The cause is the one that was not
            // cancelled.
            BuildEvent::StepFailed { step, name, error }
                if !error.contains("context canceled") || self.failed.is_none() =>
            {
                let is_cause =
                    self.failed.as_ref().is_none_or(|failed| failed.error.contains("context canceled"));
                if is_cause {
                    let output = self.outputs.remove(step).unwrap_or_default().into_text();
                    self.failed = Some(FailedStep { name: name.clone(), error: error.clone(), output });
                }
            }
            BuildEvent::Text { line } => self.messages.push(format!("{line}\n").as_bytes()),
            _ => {}
        }
    }

    fn into_failure(self, failure: Failure) -> BuildFailure {
        let messages = self.messages.into_text();
        // If no step failed, buildx itself failed, or the engine does not answer.
        let stderr = match (&failure.cause, &self.failed) {
            (Cause::Status(_), None) => messages.clone(),
            _ => String::new(),
        };
        BuildFailure {
            failure: Failure { stderr, ..failure },
            step: self.failed,
            unfinished: self.running.into_values().collect(),
            messages: messages.lines().map(str::to_owned).collect(),
        }
    }
}
