//! What users read about a failure: a message, hints, and changes to their command line.

use std::fmt;
use std::path::PathBuf;

/// An error as users and scripts see it.
///
/// `message` is one line: lower case, no full stop. Each hint is one line that says what the user can do.
/// `changes` are what to change in the user's command, which the program shows as the whole command to type.
/// `details` are a few further lines (the telling lines of a log, the failing step), which are not meant to be parsed.
/// `log` is the whole log, which the program shows with `-v`, and `log_file` is the file that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem(pub(super) Box<Parts>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) message: String,
    pub(super) hints: Vec<String>,
    pub(super) changes: Vec<Change>,
    pub(super) details: Option<String>,
    pub(super) log: Option<String>,
    pub(super) log_file: Option<PathBuf>,
}

/// A change to the user's command line that helps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// Another source.
    Source(String),
    /// An option to add, and its value: `--apt` and `libgl1`.
    Add(&'static str, String),
    /// An option without a value to add: `--rebuild`.
    Flag(&'static str),
    /// Another value for an option: `render_mode=human` → `render_mode=rgb_array`.
    Replace { option: &'static str, old: String, new: String },
}

impl fmt::Display for Change {
    /// As words of a command line, quoted for a shell.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Source(source) => f.write_str(&shell_word(source)),
            Change::Add(option, value) | Change::Replace { option, new: value, .. } => {
                write!(f, "{option} {}", shell_word(value))
            }
            Change::Flag(option) => f.write_str(option),
        }
    }
}

/// A word of a command line, quoted for a shell where it needs quotes.
pub(crate) fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:@,+%".contains(c);
    if !text.is_empty() && !text.starts_with('=') && text.chars().all(is_plain) {
        return text.to_owned();
    }
    // Only a NUL byte cannot be quoted, and no argument can contain one.
    shlex::try_quote(text).map_or_else(|_| "''".to_owned(), std::borrow::Cow::into_owned)
}

impl Problem {
    /// An error message, and the first hint.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            message: one_line(&message.into()),
            hints: vec![one_line(&hint.into())],
            changes: Vec::new(),
            details: None,
            log: None,
            log_file: None,
        }))
    }

    /// Adds changes to the user's command line. The first hint says why they help.
    #[must_use]
    pub(crate) fn changes(mut self, changes: impl IntoIterator<Item = Change>) -> Self {
        for change in changes {
            if !self.0.changes.contains(&change) {
                self.0.changes.push(change);
            }
        }
        self
    }

    /// Turns the changes into a last hint: the whole command to type, from `command`, or the changes alone if it
    /// returns `None`.
    #[must_use]
    pub(crate) fn with_command(mut self, command: impl FnOnce(&[Change]) -> Option<String>) -> Self {
        if !self.0.changes.is_empty() {
            let hint = command(&self.0.changes).unwrap_or_else(|| changes_hint(&self.0.changes));
            self.0.changes.clear();
            return self.command(hint);
        }
        self
    }

    /// Adds the whole command to type as the last hint. It is never shortened, so that it can be typed.
    #[must_use]
    pub(crate) fn command(mut self, command: String) -> Self {
        self.0.hints.push(command);
        self
    }

    /// The changes that are not turned into a hint yet.
    pub(crate) fn suggested(&self) -> &[Change] {
        &self.0.changes
    }

    pub(crate) fn first_hint(&self) -> &str {
        self.0.hints.first().map_or("", String::as_str)
    }

    /// Adds another hint, unless the problem already has it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        let hint = one_line(&hint.into());
        if !self.0.hints.contains(&hint) {
            self.0.hints.push(hint);
        }
        self
    }

    /// Appends lines to the details; blank text adds nothing.
    #[must_use]
    pub fn details(mut self, details: impl AsRef<str>) -> Self {
        let details = details.as_ref().trim_end();
        if !details.trim().is_empty() {
            self.0.details = Some(match self.0.details {
                Some(before) => format!("{before}\n{details}"),
                None => details.to_owned(),
            });
        }
        self
    }

    /// Attaches the whole log; a blank one adds nothing.
    #[must_use]
    pub(crate) fn log(mut self, log: &str) -> Self {
        self.0.log = Some(log.trim_end().to_owned()).filter(|log| !log.is_empty());
        self
    }

    /// Names the file that holds the whole log, if it was kept.
    #[must_use]
    pub(crate) fn log_file(mut self, file: Option<PathBuf>) -> Self {
        self.0.log_file = file.or(self.0.log_file);
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

fn changes_hint(changes: &[Change]) -> String {
    let words: Vec<String> = changes.iter().map(Change::to_string).collect();
    match changes {
        [Change::Source(_), ..] => format!("use {}", words.join(" ")),
        _ => format!("pass {}", words.join(" ")),
    }
}

/// The longest line of an error, in characters.
const LONGEST_LINE: usize = 1000;

/// Joins the lines of a text, which may come from another program, into one.
fn one_line(text: &str) -> String {
    let line = text
        .split(['\r', '\n'])
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join("; ");
    match line.char_indices().nth(LONGEST_LINE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::SandboxError;

    #[test]
    fn a_message_is_one_line() {
        let problem = Problem::new("docker said:\n  no\r\n\n such thing", "try\nagain");
        assert_eq!(problem.to_string(), "docker said:; no; such thing");
        assert_eq!(SandboxError::Docker(problem).hints(), ["try; again"]);
        assert_eq!(Problem::new("é".repeat(5000), "").to_string().chars().count(), LONGEST_LINE + 1);
    }

    #[test]
    fn details_are_appended_and_blank_ones_are_dropped() {
        let problem = Problem::new("a", "b").details(" \n").details("one\n").details("two");
        assert_eq!(SandboxError::Docker(problem).details(), Some("one\ntwo"));
    }

    #[test]
    fn a_hint_appears_once() {
        let problem = Problem::new("a", "b").hint("b").hint("c");
        assert_eq!(SandboxError::Docker(problem).hints(), ["b", "c"]);
    }
}
