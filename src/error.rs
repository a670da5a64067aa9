//! Every error of this crate, the exit codes, and signals.

mod field;
mod problem;

use std::io;
use std::path::Path;

pub(crate) use field::Field;
pub use field::InvalidValue;
pub use problem::Problem;
pub(crate) use problem::{Change, shell_word};

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
    fn signals_end_the_process_as_a_shell_would_report_them() {
        assert_eq!(SandboxError::Interrupted(Signal::Interrupt).exit().code(), 130);
        assert_eq!(SandboxError::Interrupted(Signal::Terminate).exit().code(), 143);
    }
}
