//! One docker command: its arguments, its limits, and its failure.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{self, Read as _};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::engine::docker::Docker;
use crate::engine::docker::child::{Cause, ChildProcess, LARGEST_OUTPUT, Limits, Streams};
use crate::host::interrupt::Signals;

/// The time limit of commands that follow long work, such as a build or a container's log: a day.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// The most that a command may print while its output is read and dropped, in bytes.
const LARGEST_STREAM: u64 = 4 * 1024 * 1024 * 1024;

/// A docker command that has not been run yet.
pub(crate) struct Invocation<'a> {
    docker: &'a Docker,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    limit: Duration,
    ends_at: Signals,
    after_signal: Option<Duration>,
}

/// What a command that succeeded printed.
#[derive(Debug)]
pub(crate) struct Printed {
    pub(crate) stdout: String,
    /// The end of stderr, at most 64 KiB.
    pub(crate) stderr: String,
}

/// A docker command that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The command line in shell syntax, without environment variables.
    pub(crate) command: String,
    pub(crate) cause: Cause,
    pub(crate) stdout: String,
    /// The end of stderr, at most 64 KiB; empty if stderr was streamed.
    pub(crate) stderr: String,
}

impl fmt::Display for Failure {
    /// Names the command without its options: `-v` shows them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let command = self.command.split(" -").next().unwrap_or_default();
        match &self.cause {
            Cause::NotStarted(error) => write!(f, "could not run {command}: {error}"),
            Cause::Status(status) => write!(f, "{command} ended with status {status}"),
            Cause::Killed(signal) => write!(f, "{command} was killed by signal {signal}"),
            Cause::TookTooLong(limit) => {
                let seconds = limit.as_secs_f64().round().max(1.0);
                let limit = humantime::format_duration(Duration::from_secs_f64(seconds));
                write!(f, "{command} did not end within {limit}")
            }
            Cause::PrintedTooMuch(bytes) => {
                write!(f, "{command} printed more than {} MiB", bytes / (1024 * 1024))
            }
            Cause::Interrupted(_) => write!(f, "{command} was interrupted"),
        }
    }
}

impl<'a> Invocation<'a> {
    pub(crate) fn new<I>(docker: &'a Docker, arguments: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<OsString>,
    {
        Self {
            docker,
            arguments: arguments.into_iter().map(Into::into).collect(),
            environment: Vec::new(),
            limit: docker.waits.query,
            ends_at: Signals::First,
            after_signal: None,
        }
    }

    /// Sets an environment variable for this command, for values that must not be on a command line.
    pub(crate) fn environment(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Sets its time limit.
    pub(crate) fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Lets it follow long work, which can be interrupted.
    pub(crate) fn long(self) -> Self {
        self.limit(LONGEST)
    }

    /// Lets it continue after the first signal, for at most this long.
    pub(crate) fn after_signal(mut self, limit: Duration) -> Self {
        (self.ends_at, self.after_signal) = (Signals::Second, Some(limit));
        self
    }

    /// Sets how many signals it takes to end the command.
    pub(crate) fn ends_at(mut self, ends_at: Signals) -> Self {
        self.ends_at = ends_at;
        self
    }

    /// Runs the command and returns its output.
    ///
    /// # Errors
    /// [`Failure`] if the status is not 0, or if it prints more than [`LARGEST_OUTPUT`].
    pub(crate) fn run(self) -> Result<Printed, Failure> {
        let mut child = self.start(Streams::Stdout)?;
        let mut stdout = Vec::new();
        let read = child.by_ref().take(LARGEST_OUTPUT + 1).read_to_end(&mut stdout);
        if stdout.len() as u64 > LARGEST_OUTPUT {
            child.end_for_size(LARGEST_OUTPUT);
            stdout = Vec::new();
        }
        let ended = self.finish(child, read.map(|_| ()));
        let stdout = String::from_utf8_lossy(&stdout).into_owned();
        match ended {
            Ok(stderr) => Ok(Printed { stdout, stderr }),
            Err(failure) => Err(Failure { stdout, ..failure }),
        }
    }

    /// Runs the command and calls `on_chunk` with each piece of its output.
    ///
    /// # Errors
    /// [`Failure`] if the status is not 0, or if it prints more than [`LARGEST_STREAM`]. It does not contain the
    /// streamed output.
    pub(crate) fn stream(self, streams: Streams, on_chunk: &mut dyn FnMut(&[u8])) -> Result<(), Failure> {
        let mut child = self.start(streams)?;
        let mut buffer = [0; 16 * 1024];
        let mut size = 0;
        let read = loop {
            match child.read(&mut buffer) {
                Ok(0) => break Ok(()),
                Ok(count) if size <= LARGEST_STREAM => {
                    size += count as u64;
                    on_chunk(&buffer[..count]);
                }
                Ok(_) => child.end_for_size(LARGEST_STREAM),
                Err(error) => break Err(error),
            }
        };
        self.finish(child, read).map(|_| ())
    }

    /// Runs the command and calls `read` to read its stdout, which may have any length. Output that `read`
    /// leaves is dropped. If `read` returns false, the command is killed.
    ///
    /// # Errors
    /// [`Failure`] if the status is not 0.
    pub(crate) fn read(self, read: &mut dyn FnMut(&mut dyn io::Read) -> bool) -> Result<(), Failure> {
        let mut child = self.start(Streams::Stdout)?;
        let is_usable = read(&mut child);
        let read = if is_usable { Ok(()) } else { Err(io::Error::other("its output could not be used")) };
        self.finish(child, read).map(|_| ())
    }

    fn start(&self, streams: Streams) -> Result<ChildProcess<'_>, Failure> {
        (self.docker.trace)(&self.command_line());
        let mut command = Command::new(&self.docker.program);
        command.args(&self.arguments);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let Docker { interrupt, waits, .. } = self.docker;
        let left = self.docker.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let time = left.map_or(self.limit, |left| left.min(self.limit));
        let limits =
            Limits { interrupt, ends_at: self.ends_at, after_signal: self.after_signal, time, waits };
        ChildProcess::start(command, streams, self.docker.is_low_priority, limits)
            .map_err(|error| self.failure(Cause::NotStarted(error), String::new()))
    }

    /// Waits for the end of the command after its output was read, and returns the end of stderr.
    fn finish(&self, child: ChildProcess<'_>, read: io::Result<()>) -> Result<String, Failure> {
        match read.and_then(|()| child.finish()) {
            Ok(ended) => match ended.cause {
                None => Ok(ended.stderr),
                Some(cause) => Err(self.failure(cause, ended.stderr)),
            },
            Err(error) => Err(self.failure(Cause::NotStarted(error), String::new())),
        }
    }

    /// The command line in shell syntax.
    fn command_line(&self) -> String {
        let mut line = "docker".to_owned();
        for word in self.arguments.iter().map(|argument| argument.to_string_lossy()) {
            line.push(' ');
            line.push_str(&shlex::try_quote(&word).unwrap_or_else(|_| format!("{word:?}").into()));
        }
        line
    }

    fn failure(&self, cause: Cause, stderr: String) -> Failure {
        Failure { command: self.command_line(), cause, stdout: String::new(), stderr }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustix::process::{Pid, Signal as PosixSignal, kill_process};

    use super::*;
    use crate::engine::docker::tail::LOG_TAIL;
    use crate::error::Signal;
    use crate::host::interrupt::Interrupt;
    use crate::host::process::{Liveness, liveness};
    use crate::host::waits::Waits;

    /// A shell in place of docker, for commands like `-c SCRIPT`.
    fn shell() -> Docker {
        Docker {
            program: "/bin/sh".into(),
            waits: Waits::default(),
            interrupt: Interrupt::default(),
            trace: Arc::new(|_| {}),
            is_low_priority: false,
            engine_name: None,
            deadline: None,
        }
    }

    #[test]
    fn stdout_and_stderr_are_kept_apart_and_the_status_is_known() {
        let printed = shell().command(["-c", "echo out; echo err >&2"]).run().unwrap();
        assert_eq!((printed.stdout.as_str(), printed.stderr.as_str()), ("out\n", "err"));
        let failure = shell().command(["-c", "echo out; echo err >&2; exit 3"]).run().unwrap_err();
        assert!(matches!(failure.cause, Cause::Status(3)), "{failure}");
        assert_eq!((failure.stdout.as_str(), failure.stderr.as_str()), ("out\n", "err"));
        let failure = shell().command(["-c", "kill -9 $$"]).run().unwrap_err();
        assert!(matches!(failure.cause, Cause::Killed(9)), "{failure}");
    }

    #[test]
    fn a_variable_reaches_the_command_alone() {
        let printed = shell().command(["-c", "echo $SECRET"]).environment("SECRET", "x").run().unwrap();
        assert_eq!(printed.stdout, "x\n");
    }

    #[test]
    fn a_command_with_endless_output_is_ended() {
        for script in ["exec yes", "exec yes >&2", "yes & yes >&2"] {
            let failure = shell().command(["-c", script]).long().run().unwrap_err();
            assert!(matches!(failure.cause, Cause::PrintedTooMuch(_)), "{script}: {failure}");
            assert!(failure.stdout.len() as u64 <= LARGEST_OUTPUT, "{script}");
            assert!(failure.stderr.len() <= LOG_TAIL, "{script}");
        }
    }

    #[test]
    fn too_much_output_is_a_failure_even_with_status_0() {
        let script = "trap 'exit 0' TERM; head -c 70000000 /dev/zero";
        let failure = shell().command(["-c", script]).run().unwrap_err();
        assert!(matches!(failure.cause, Cause::PrintedTooMuch(_)), "{failure}");
    }

    #[test]
    fn a_stream_may_have_any_length() {
        for (streams, script) in [
            (Streams::Stdout, "head -c 100000000 /dev/zero; echo x >&2"),
            (Streams::Stderr, "echo x; head -c 100000000 /dev/zero >&2"),
            (Streams::Both, "head -c 50000000 /dev/zero; head -c 50000000 /dev/zero >&2"),
        ] {
            let mut size = 0;
            shell().command(["-c", script]).stream(streams, &mut |chunk| size += chunk.len()).unwrap();
            assert_eq!(size, 100_000_000, "{script}");
        }
    }

    #[test]
    fn output_that_a_reader_leaves_is_dropped_and_unusable_output_kills_the_command() {
        let mut first = [0; 3];
        let script = "head -c 1000000 /dev/zero | tr '\\0' x";
        shell().command(["-c", script]).read(&mut |stream| stream.read_exact(&mut first).is_ok()).unwrap();
        assert_eq!(&first, b"xxx");
        let failure = shell().command(["-c", "exec yes"]).long().read(&mut |_| false).unwrap_err();
        assert!(matches!(failure.cause, Cause::NotStarted(_)), "{failure}");
    }

    #[test]
    fn a_command_has_a_time_limit() {
        let limit = Duration::from_millis(50);
        let failure = shell().command(["-c", "sleep 600"]).limit(limit).run().unwrap_err();
        assert!(matches!(failure.cause, Cause::TookTooLong(found) if found == limit), "{failure}");
    }

    #[test]
    fn a_deadline_is_that_of_all_commands() {
        let docker = shell().until(Instant::now() + Duration::from_millis(100));
        for script in ["sleep 600", "sleep 600"] {
            let failure = docker.command(["-c", script]).long().run().unwrap_err();
            assert!(matches!(failure.cause, Cause::TookTooLong(_)), "{failure}");
        }
    }

    #[test]
    fn a_start_continues_for_a_while_after_the_first_signal() {
        let docker = shell();
        docker.interrupt.raise(Signal::Interrupt);
        let run = |script: &str, limit| docker.command(["-c", script]).after_signal(limit).run();
        run("sleep 0.1", Duration::from_secs(60)).unwrap();
        let failure = run("sleep 600", Duration::from_millis(50)).unwrap_err();
        assert!(matches!(failure.cause, Cause::Interrupted(Signal::Interrupt)), "{failure}");
    }

    #[test]
    fn a_second_signal_kills_what_ignores_the_first() {
        let docker = shell();
        docker.interrupt.raise(Signal::Terminate);
        docker.interrupt.raise(Signal::Interrupt);
        let script = "trap '' TERM; sleep 600; sleep 600";
        for ends_at in [Signals::First, Signals::Second] {
            let failure = docker.command(["-c", script]).ends_at(ends_at).long().run().unwrap_err();
            assert!(matches!(failure.cause, Cause::Interrupted(Signal::Terminate)), "{failure}");
        }
        docker.command(["-c", "sleep 0.1"]).ends_at(Signals::Third).run().unwrap();
    }

    /// The output ends with the command, even if a background process still has its pipes open.
    #[test]
    fn a_process_left_behind_does_not_hold_up_a_command() {
        let limit = Duration::from_secs(20);
        let printed = shell().command(["-c", "sleep 600 & echo $!"]).limit(limit).run().unwrap();
        let pid: u32 = printed.stdout.trim().parse().unwrap();
        // If the command had waited for it, the time limit would have ended it.
        assert_ne!(liveness(pid), Liveness::Gone);
        let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        kill_process(pid, PosixSignal::KILL).unwrap();
    }

    #[test]
    fn a_command_can_run_at_the_lowest_priority() {
        let printed = shell().low_priority().command(["-c", "nice"]).run().unwrap();
        assert_eq!(printed.stdout, "19\n");
    }
}
