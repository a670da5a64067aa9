//! Reads the logs of containers, and keeps the end of long outputs.

use crate::engine::docker::Docker;
use crate::engine::docker::child::Streams;
use crate::engine::docker::invocation::Failure;
use crate::engine::docker::tail::Tail;

/// How many lines of an output's end an error quotes.
const QUOTED_LINES: usize = 7;

/// How much of each quoted line is shown, in characters.
const QUOTED_WIDTH: usize = 500;

impl Docker {
    /// The end of a container's log, with stdout and stderr together, at most [`LOG_TAIL`] bytes.
    ///
    /// # Errors
    /// A failed docker command.
    pub(crate) fn log_tail(&self, container: &str) -> Result<String, Failure> {
        let mut tail = Tail::default();
        self.clean_up(["logs", "--tail", "5000", container])
            .stream(Streams::Both, &mut |chunk| tail.push(chunk))
            .map(|()| tail.into_text())
    }

    /// Reads a container's log, with stdout and stderr together, and calls `on_chunk` with each piece.
    ///
    /// # Errors
    /// A failed docker command.
    pub(crate) fn follow_log(
        &self,
        container: &str,
        lines: LogLines<'_>,
        on_chunk: &mut dyn FnMut(&[u8]),
    ) -> Result<(), Failure> {
        let mut arguments = vec!["logs".to_owned()];
        if lines.follow == Follow::UntilTheEnd {
            arguments.push("--follow".to_owned());
        }
        if let Some(tail) = lines.tail {
            arguments.extend(["--tail".to_owned(), tail.to_string()]);
        }
        arguments.extend(lines.since.iter().flat_map(|since| ["--since".to_owned(), (*since).to_owned()]));
        if lines.timestamps {
            arguments.push("--timestamps".to_owned());
        }
        arguments.push(container.to_owned());
        self.command(arguments).long().stream(Streams::Both, on_chunk)
    }
}

/// Which part of a log to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogLines<'a> {
    pub(crate) follow: Follow,
    /// The number of lines from the end; `None` for all.
    pub(crate) tail: Option<u64>,
    /// From when on: an age (`600s`) or a time in RFC 3339.
    pub(crate) since: Option<&'a str>,
    /// Whether each line starts with the time when it was written.
    pub(crate) timestamps: bool,
}

impl LogLines<'_> {
    /// The whole log, and what is written until the container ends.
    pub(crate) const ALL: Self =
        Self { follow: Follow::UntilTheEnd, tail: None, since: None, timestamps: false };
}

/// Whether to wait for more lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Follow {
    No,
    UntilTheEnd,
}

/// The end of an output for an error: the last lines, each shortened.
pub(crate) fn quoted(text: &str) -> String {
    let mut rest = text.trim().lines().rev();
    let mut lines: Vec<String> =
        rest.by_ref().take(QUOTED_LINES).map(|line| cut(line, QUOTED_WIDTH)).collect();
    if rest.next().is_some() {
        lines.push("…".to_owned());
    }
    lines.reverse();
    lines.join("\n")
}

/// Shortens a line to at most this number of characters.
pub(super) fn cut(line: &str, longest: usize) -> String {
    match line.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}
