//! The logs of containers, and the ends of long outputs.

use crate::engine::docker::Docker;
use crate::engine::docker::child::Streams;
use crate::engine::docker::invocation::Failure;

/// How much of the end of a long output is kept, in bytes.
pub(crate) const LOG_TAIL: usize = 64 * 1024;

/// How many lines an error quotes, from the end of an output.
const QUOTED_LINES: usize = 20;

/// How much of each line it quotes, in characters.
const QUOTED_WIDTH: usize = 500;

impl Docker {
    /// The end of a container's log, both streams as one, at most [`LOG_TAIL`] bytes.
    ///
    /// # Errors
    /// Docker's own.
    pub(crate) fn log_tail(&self, container: &str) -> Result<String, Failure> {
        let mut tail = Tail::default();
        self.clean_up(["logs", "--tail", "5000", container])
            .stream(Streams::Both, &mut |chunk| tail.push(chunk))
            .map(|()| tail.into_text())
    }

    /// Passes on a container's log as it is written, both streams as one, until the container ends.
    ///
    /// # Errors
    /// Docker's own.
    pub(crate) fn follow_log(
        &self,
        container: &str,
        lines: LogLines,
        on_chunk: &mut dyn FnMut(&[u8]),
    ) -> Result<(), Failure> {
        let mut arguments = vec!["logs".to_owned()];
        if lines.follow == Follow::UntilTheEnd {
            arguments.push("--follow".to_owned());
        }
        if let Some(tail) = lines.tail {
            arguments.extend(["--tail".to_owned(), tail.to_string()]);
        }
        arguments.push(container.to_owned());
        self.command(arguments).unlimited().stream(Streams::Both, on_chunk)
    }
}

/// Which part of a log is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogLines {
    pub(crate) follow: Follow,
    /// This many lines from the end; `None` is all.
    pub(crate) tail: Option<u64>,
}

/// Whether to wait for further lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Follow {
    No,
    UntilTheEnd,
}

/// The end of an output, in memory that does not grow with it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tail {
    bytes: Vec<u8>,
    is_cut: bool,
}

impl Tail {
    pub(crate) fn push(&mut self, chunk: &[u8]) {
        self.bytes.extend_from_slice(chunk);
        if self.bytes.len() > 2 * LOG_TAIL {
            self.cut();
        }
    }

    fn cut(&mut self) {
        if let Some(excess) = self.bytes.len().checked_sub(LOG_TAIL).filter(|excess| *excess > 0) {
            self.bytes.drain(..excess);
            self.is_cut = true;
        }
    }

    /// The text, from its first whole line unless that would drop more than half of it.
    pub(crate) fn into_text(mut self) -> String {
        self.cut();
        let start = match self.bytes.iter().position(|byte| *byte == b'\n') {
            Some(newline) if self.is_cut && newline < LOG_TAIL / 2 => newline + 1,
            _ => 0,
        };
        String::from_utf8_lossy(&self.bytes[start..]).trim_end().to_owned()
    }
}

/// The end of an output as an error quotes it: its last lines, and of each what fits on a screen.
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

/// A line's beginning, at most this number of characters.
pub(super) fn cut(line: &str, longest: usize) -> String {
    match line.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_keeps_the_end_and_begins_with_a_whole_line() {
        let mut tail = Tail::default();
        for number in 0..50_000 {
            tail.push(format!("line {number}\n").as_bytes());
        }
        let text = tail.into_text();
        assert!(text.len() <= LOG_TAIL);
        assert!(text.starts_with("line ") && text.ends_with("line 49999"));
        let mut endless = Tail::default();
        endless.push("é".repeat(LOG_TAIL).as_bytes());
        endless.push(b"\n");
        assert!(endless.into_text().ends_with("éé"), "a line without an end is shown all the same");
        let mut short = Tail::default();
        short.push(b"one\ntwo\n");
        assert_eq!(short.into_text(), "one\ntwo");
    }
}
