//! Errors with hints for the user, and the exit codes.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// An error as users and scripts see it.
///
/// `message` is one line: lower case, no full stop. Each hint is one line that says what the user can do.
/// `changes` are what to change in the user's command, which the program shows as the whole command to type.
/// `details` are a few further lines (the telling lines of a log, the failing step), which are not meant to be parsed.
/// `log` is the whole log, which the program shows with `-v`, and `log_file` is the file that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem(Box<Parts>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Parts {
    message: String,
    hints: Vec<String>,
    changes: Vec<Change>,
    details: Option<String>,
    log: Option<String>,
    log_file: Option<PathBuf>,
}

/// A change to the user's command line that helps.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(dead_code)]
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
    #[allow(dead_code)]
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

/// A signal that asked the program to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM, which `kill`, CI runners and service managers send.
    Terminate,
    /// The terminal was closed.
    Hangup,
    /// Ctrl-\.
    Quit,
}

impl Signal {
    /// The signal's number, the same on every Unix.
    pub fn number(self) -> i32 {
        match self {
            Signal::Hangup => 1,
            Signal::Interrupt => 2,
            Signal::Quit => 3,
            Signal::Terminate => 15,
        }
    }

    /// The signal of a number; any other number counts as Ctrl-C.
    pub(crate) fn of(number: i32) -> Self {
        match number {
            1 => Signal::Hangup,
            3 => Signal::Quit,
            15 => Signal::Terminate,
            _ => Signal::Interrupt,
        }
    }
}

/// Every way in which this crate fails. The variant decides the exit code (see [`Exit`]).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// The source does not follow the grammar of [`crate::EnvironmentSourceRef`].
    #[error("{0}")]
    InvalidSource(Problem),
    /// An option's value cannot be used; the message names the field.
    #[error("{0}")]
    InvalidOption(Problem),
    /// The options do not allow this Hugging Face source to run.
    #[error("{0}")]
    HuggingFacePolicy(Problem),
    /// The source could not be found, fetched or verified.
    #[error("{0}")]
    SourceResolution(Problem),
    /// The rlmesh wheel could not be found or read.
    #[error("{0}")]
    Wheel(Problem),
    /// The image could not be built.
    #[error("{0}")]
    ImageBuild(Problem),
    /// The build reached its memory limit.
    #[error("{0}")]
    MemoryCeiling(Problem),
    /// The container did not start, or never answered.
    #[error("{0}")]
    ContainerStartup(Problem),
    /// The container ended although its environment was still in use.
    #[error("{0}")]
    ContainerEnded(Problem),
    /// Docker is missing, does not answer, or refuses what this crate relies on.
    #[error("{0}")]
    Docker(Problem),
    /// This machine refused something, for example because a folder cannot be written or the disk is full.
    #[error("{0}")]
    System(Problem),
    /// A signal stopped the work; everything that it had started is removed.
    #[error("{}", match .0 { Signal::Interrupt => "interrupted", Signal::Quit => "quit", Signal::Hangup => "the terminal was closed", Signal::Terminate => "terminated" })]
    Interrupted(Signal),
    /// Anything else, with its chain of causes.
    #[error("{0:#}")]
    Other(#[from] anyhow::Error),
}

impl SandboxError {
    /// Each variant's name, exit code and problem.
    fn parts(&self) -> (&'static str, Exit, Option<&Problem>) {
        match self {
            SandboxError::InvalidSource(problem) => ("InvalidSource", Exit::Usage, Some(problem)),
            SandboxError::InvalidOption(problem) => ("InvalidOption", Exit::Usage, Some(problem)),
            SandboxError::HuggingFacePolicy(problem) => ("HuggingFacePolicy", Exit::Policy, Some(problem)),
            SandboxError::SourceResolution(problem) => ("SourceResolution", Exit::Resolution, Some(problem)),
            SandboxError::Wheel(problem) => ("Wheel", Exit::Resolution, Some(problem)),
            SandboxError::ImageBuild(problem) => ("ImageBuild", Exit::Build, Some(problem)),
            SandboxError::MemoryCeiling(problem) => ("MemoryCeiling", Exit::Memory, Some(problem)),
            SandboxError::ContainerStartup(problem) => ("ContainerStartup", Exit::Startup, Some(problem)),
            SandboxError::ContainerEnded(problem) => ("ContainerEnded", Exit::Failure, Some(problem)),
            SandboxError::Docker(problem) => ("Docker", Exit::Docker, Some(problem)),
            SandboxError::System(problem) => ("System", Exit::Failure, Some(problem)),
            SandboxError::Interrupted(signal) => ("Interrupted", Exit::Signal(*signal), None),
            SandboxError::Other(_) => ("Other", Exit::Failure, None),
        }
    }

    /// The variant's name: the `kind` of JSON errors.
    pub fn kind(&self) -> &'static str {
        self.parts().0
    }

    /// The exit code of the program for this error.
    pub fn exit(&self) -> Exit {
        self.parts().1
    }

    /// What the user can do, one line for each hint; the options or the whole command to type come last.
    pub fn hints(&self) -> Vec<String> {
        match self.parts() {
            (_, _, Some(problem)) => problem.clone().with_command(|_| None).0.hints,
            (_, Exit::Signal(_), None) => Vec::new(),
            _ => vec![
                "run it again with -v; if it fails again, report it together with that output".to_owned(),
            ],
        }
    }

    /// A few further lines: the telling lines of a log, the failing step.
    pub fn details(&self) -> Option<&str> {
        self.parts().2?.0.details.as_deref()
    }

    /// The whole log of what failed, or the end of a long one.
    pub fn log(&self) -> Option<&str> {
        self.parts().2?.0.log.as_deref()
    }

    /// The file that holds the whole log, if it was kept.
    pub fn log_file(&self) -> Option<&Path> {
        self.parts().2?.0.log_file.as_deref()
    }

    /// The same error with a changed problem, for example with another hint.
    #[must_use]
    pub(crate) fn map_problem(mut self, change: impl FnOnce(Problem) -> Problem) -> Self {
        match &mut self {
            SandboxError::InvalidSource(problem)
            | SandboxError::InvalidOption(problem)
            | SandboxError::HuggingFacePolicy(problem)
            | SandboxError::SourceResolution(problem)
            | SandboxError::Wheel(problem)
            | SandboxError::ImageBuild(problem)
            | SandboxError::MemoryCeiling(problem)
            | SandboxError::ContainerStartup(problem)
            | SandboxError::ContainerEnded(problem)
            | SandboxError::Docker(problem)
            | SandboxError::System(problem) => *problem = change(problem.clone()),
            SandboxError::Interrupted(_) | SandboxError::Other(_) => {}
        }
        self
    }
}

/// The names of an option: its field in the library and in JSON, and its flag.
#[derive(Clone, Copy)]
pub(crate) struct Field(pub(crate) &'static str, pub(crate) &'static str);

impl Field {
    pub(crate) const BASE_IMAGE: Field = Field("base_image", "--base-image");
    pub(crate) const RLMESH_PACKAGE: Field = Field("rlmesh_package", "--rlmesh-package");
    pub(crate) const PACKAGES: Field = Field("packages", "--package");
    pub(crate) const APT: Field = Field("apt", "--apt");
    pub(crate) const IMPORTS: Field = Field("imports", "--import");
    pub(crate) const WRAP: Field = Field("wrap", "--wrap");
    pub(crate) const AS_OF: Field = Field("as_of", "--as-of");
    pub(crate) const ENV: Field = Field("env", "--env");
    pub(crate) const KWARGS: Field = Field("kwargs", "--kwarg, --kwargs");
    pub(crate) const NUM_ENVS: Field = Field("num_envs", "--num-envs");
    pub(crate) const LOCK: Field = Field("lock", "--lock");
    pub(crate) const OWNER_PID: Field = Field("owner_pid", "--owner-pid");
    pub(crate) const TRANSPORT: Field = Field("transport", "--transport");
    pub(crate) const NETWORK: Field = Field("network", "--network");
    pub(crate) const TMPFS: Field = Field("tmpfs", "--tmpfs");
    pub(crate) const USER: Field = Field("user", "--user");
    pub(crate) const CPUS: Field = Field("cpus", "--cpus");
    pub(crate) const ULIMITS: Field = Field("ulimits", "--ulimit");
    pub(crate) const GPUS: Field = Field("gpus", "--gpus");
    pub(crate) const DEVICES: Field = Field("devices", "--device");
    pub(crate) const VOLUMES: Field = Field("volumes", "--volume");
    pub(crate) const FILES: Field = Field("files", "--file");
    pub(crate) const ADD_HOSTS: Field = Field("add_hosts", "--add-host");
    pub(crate) const RUNTIME: Field = Field("runtime", "--runtime");
    pub(crate) const SECURITY_OPTS: Field = Field("security_opts", "--security-opt");
    pub(crate) const PLATFORM: Field = Field("platform", "--platform");
    pub(crate) const CA_CERT: Field = Field("ca_cert", "--ca-cert");
    pub(crate) const TAG: Field = Field("tags", "--tag");
    pub(crate) const PUSH: Field = Field("pushes", "--push");
    pub(crate) const LABEL: Field = Field("labels", "--label");
    pub(crate) const CACHE_FROM: Field = Field("cache_from", "--cache-from");
    pub(crate) const CACHE_TO: Field = Field("cache_to", "--cache-to");

    /// The error for a value of this option that is not valid.
    pub(crate) fn invalid(self, value: &str, invalid: &InvalidValue) -> SandboxError {
        let changes = invalid.changes.iter().cloned().map(|change| match change {
            Change::Replace { old, new, .. } => Change::Replace { option: self.1, old, new },
            other => other,
        });
        let problem = Problem::new(format!("{self} {value:?}: {}", invalid.reason), invalid.hint.clone());
        SandboxError::InvalidOption(problem.changes(changes))
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.0, self.1)
    }
}

/// Why a text is not a valid value. It does not say where the text came from: the command line, the library
/// and environment variables each add that to the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct InvalidValue {
    pub(crate) reason: String,
    pub(crate) hint: String,
    /// What to change in the command line, if the value came from there.
    pub(crate) changes: Vec<Change>,
}

impl InvalidValue {
    pub(crate) fn new(reason: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { reason: reason.into(), hint: hint.into(), changes: Vec::new() }
    }

    /// Adds another value that is valid.
    pub(crate) fn instead(mut self, option: &'static str, old: &str, new: impl Into<String>) -> Self {
        self.changes.push(Change::Replace { option, old: old.to_owned(), new: new.into() });
        self
    }
}

/// The error for an option that is not valid.
pub(crate) fn invalid_option(message: impl Into<String>, hint: impl Into<String>) -> SandboxError {
    SandboxError::InvalidOption(Problem::new(message, hint))
}

/// The error for a file that could not be written.
pub(crate) fn cannot_write(file: &Path, error: &io::Error, hint: &str) -> SandboxError {
    SandboxError::System(Problem::new(format!("cannot write {}: {error}", file.display()), hint))
}

/// The error for a file that could not be read.
pub(crate) fn cannot_read(file: &Path, error: &io::Error, hint: &str) -> SandboxError {
    SandboxError::System(Problem::new(format!("cannot read {}: {error}", file.display()), hint))
}

/// The program's exit codes. Keep the lists in `--help` and the README in step with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0
    Done,
    /// 1: any other failure
    Failure,
    /// 2: the command line is not valid
    Usage,
    /// 3: refused by policy
    Policy,
    /// 4: the source or the rlmesh wheel could not be resolved
    Resolution,
    /// 5: the image build failed
    Build,
    /// 6: the container failed to start or never became ready
    Startup,
    /// 7: docker or buildx is missing, too old, or does not answer
    Docker,
    /// 8: the build reached its memory limit
    Memory,
    /// 128 + the signal's number
    Signal(Signal),
    /// The exit code of the user's own command
    Command(u8),
}

impl Exit {
    /// The exit code as a number.
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Failure => 1,
            Exit::Usage => 2,
            Exit::Policy => 3,
            Exit::Resolution => 4,
            Exit::Build => 5,
            Exit::Startup => 6,
            Exit::Docker => 7,
            Exit::Memory => 8,
            Exit::Signal(signal) => 128 + signal.number() as u8,
            Exit::Command(code) => code,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn signals_end_the_process_as_a_shell_would_report_them() {
        assert_eq!(SandboxError::Interrupted(Signal::Interrupt).exit().code(), 130);
        assert_eq!(SandboxError::Interrupted(Signal::Terminate).exit().code(), 143);
    }
}
