//! One docker command as data, and the only place where it becomes a process: run, streamed, limited, stopped; it reads no meaning into output.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal as PosixSignal, kill_process_group};

use crate::engine::docker::Docker;
use crate::error::Signal;
use crate::host::interrupt::{Interrupt, Signals};

/// How long a docker command may take that only asks or tells the engine something.
const QUERY_LIMIT: Duration = Duration::from_secs(60);

/// How long a process may take to end after SIGTERM, before SIGKILL.
const TERMINATION_GRACE: Duration = Duration::from_secs(5);

/// How often a wait looks at the interrupt. The end of the process itself is noticed at once.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A docker command that has not been run yet.
pub(crate) struct Invocation<'a> {
    docker: &'a Docker,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    limit: Option<Duration>,
    ends_at: Signals,
    pace: Pace,
}

/// Whether somebody waits for a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    Normal,
    /// Takes only the processor time that nothing else wants.
    Low,
}

/// What a command that succeeded printed.
#[derive(Debug)]
pub(crate) struct Printed {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A command that did not succeed.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The command as one could type it; values that were passed aside are not in it.
    pub(crate) command: String,
    pub(crate) cause: Cause,
    pub(crate) stdout: String,
    /// Where both streams were read as one, the end of that.
    pub(crate) stderr: String,
}

/// Why a command did not succeed.
#[derive(Debug)]
pub(crate) enum Cause {
    NotStarted(io::Error),
    Status(i32),
    Killed(i32),
    TookTooLong(Duration),
    Interrupted(Signal),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Cause::NotStarted(error) => write!(f, "{} could not be run: {error}", self.command),
            Cause::Status(status) => write!(f, "{} ended with status {status}", self.command),
            Cause::Killed(signal) => write!(f, "{} was killed by signal {signal}", self.command),
            Cause::TookTooLong(limit) => {
                write!(f, "{} did not end within {}", self.command, humantime::format_duration(*limit))
            }
            Cause::Interrupted(_) => write!(f, "{} was interrupted", self.command),
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
            limit: Some(QUERY_LIMIT),
            ends_at: Signals::First,
            pace: if docker.is_low_priority { Pace::Low } else { Pace::Normal },
        }
    }

    /// Sets a variable for the command alone: what must not stand on a command line.
    pub(crate) fn environment(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Gives it that much time instead of a query's.
    pub(crate) fn limit(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Lets it take as long as it takes.
    pub(crate) fn unlimited(mut self) -> Self {
        self.limit = None;
        self
    }

    /// Says how many signals it takes to end it.
    pub(crate) fn ends_at(mut self, ends_at: Signals) -> Self {
        self.ends_at = ends_at;
        self
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// [`Failure`] for everything but status 0.
    pub(crate) fn run(self) -> Result<Printed, Failure> {
        let handle = match self.expression().stdout_capture().stderr_capture().start() {
            Ok(handle) => handle,
            Err(error) => return Err(self.failure(Cause::NotStarted(error), "", "")),
        };
        let pid = handle.pids().first().copied();
        let mut end = End::new(&self, pid);
        let output = loop {
            match handle.wait_timeout(POLL_INTERVAL) {
                Ok(Some(output)) => break output,
                Ok(None) => end.poll(),
                Err(error) => return Err(self.failure(Cause::NotStarted(error), "", "")),
            }
        };
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        match self.cause(output.status, end.cause) {
            None => Ok(Printed { stdout, stderr }),
            Some(cause) => Err(self.failure(cause, &stdout, &stderr)),
        }
    }

    /// Runs it to its end and hands over what it prints as it comes.
    ///
    /// # Errors
    /// [`Failure`] for everything but status 0; it holds no output, since `chunk` has had it.
    pub(crate) fn stream(self, streams: Streams, chunk: &mut dyn FnMut(&[u8])) -> Result<(), Failure> {
        let expression = match streams {
            // In this order: the other one would send both to nothing.
            Streams::Stderr => self.expression().stdout_null().stderr_to_stdout(),
            Streams::Both => self.expression().stderr_to_stdout(),
        };
        self.follow(&expression, &mut |source| {
            let mut buffer = [0; 16 * 1024];
            loop {
                match source.read(&mut buffer) {
                    Ok(0) => break Ok(()),
                    Ok(count) => chunk(&buffer[..count]),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => break Err(error),
                }
            }
        })
    }

    /// Runs it to its end and hands over its stdout to be read; what `read` leaves is thrown away, and where
    /// it returns false, the command is ended.
    ///
    /// # Errors
    /// [`Failure`] for everything but status 0, with the stderr.
    pub(crate) fn read(self, read: &mut dyn FnMut(&mut dyn io::Read) -> bool) -> Result<(), Failure> {
        let expression = self.expression().stderr_capture();
        self.follow(&expression, &mut |source| {
            if !read(source) {
                return Err(io::Error::other("what it printed could not be used"));
            }
            io::copy(source, &mut io::sink()).map(|_| ())
        })
    }

    fn follow(
        &self,
        expression: &duct::Expression,
        consume: &mut dyn FnMut(&mut dyn io::Read) -> io::Result<()>,
    ) -> Result<(), Failure> {
        let reader = match expression.reader() {
            Ok(reader) => reader,
            Err(error) => return Err(self.failure(Cause::NotStarted(error), "", "")),
        };
        let done = AtomicBool::new(false);
        let pid = reader.pids().first().copied();
        let (read, ended_by) = std::thread::scope(|scope| {
            let watcher = scope.spawn(|| {
                let mut end = End::new(self, pid);
                while !done.load(Ordering::SeqCst) {
                    std::thread::park_timeout(POLL_INTERVAL);
                    end.poll();
                }
                end.cause
            });
            let read = consume(&mut &reader);
            done.store(true, Ordering::SeqCst);
            watcher.thread().unpark();
            (read, watcher.join().unwrap_or(None))
        });
        if let Err(error) = read {
            // Dropping the reader ends the process.
            return Err(self.failure(ended_by.unwrap_or(Cause::NotStarted(error)), "", ""));
        }
        let output = match reader.try_wait() {
            Ok(Some(output)) => output,
            // At the end of its output duct has waited for the process.
            Ok(None) => return Ok(()),
            Err(error) => return Err(self.failure(Cause::NotStarted(error), "", "")),
        };
        match self.cause(output.status, ended_by) {
            None => Ok(()),
            Some(cause) => Err(self.failure(cause, "", &text(&output.stderr))),
        }
    }

    fn expression(&self) -> duct::Expression {
        (self.docker.trace)(&self.command());
        let mut expression = duct::cmd(&self.docker.program, &self.arguments).stdin_null().unchecked();
        for (name, value) in &self.environment {
            expression = expression.env(name, value);
        }
        let pace = self.pace;
        expression.before_spawn(move |command| {
            // A group of its own: Ctrl-C at the terminal reaches us, and we decide what ends in which order.
            command.process_group(0);
            prepare_child(command, pace);
            Ok(())
        })
    }

    /// The command as one could type it into a shell.
    fn command(&self) -> String {
        let words = self.arguments.iter().map(|argument| argument.to_string_lossy().into_owned());
        let mut line = "docker".to_owned();
        for word in words {
            line.push(' ');
            line.push_str(&shlex::try_quote(&word).unwrap_or_else(|_| format!("{word:?}").into()));
        }
        line
    }

    fn cause(&self, status: ExitStatus, ended_by: Option<Cause>) -> Option<Cause> {
        if status.success() {
            return None;
        }
        ended_by.or(Some(match (status.code(), status.signal()) {
            (Some(code), _) => Cause::Status(code),
            (None, signal) => Cause::Killed(signal.unwrap_or_default()),
        }))
    }

    fn failure(&self, cause: Cause, stdout: &str, stderr: &str) -> Failure {
        Failure { command: self.command(), cause, stdout: stdout.to_owned(), stderr: stderr.to_owned() }
    }
}

/// Which of a command's streams are read as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Streams {
    Stderr,
    Both,
}

/// The end of a process before its own: first asked for, then forced.
struct End<'a> {
    interrupt: &'a Interrupt,
    ends_at: Signals,
    pid: Option<Pid>,
    deadline: Option<(Instant, Duration)>,
    cause: Option<Cause>,
    force_at: Option<Instant>,
}

impl<'a> End<'a> {
    fn new(invocation: &'a Invocation<'_>, pid: Option<u32>) -> Self {
        Self {
            interrupt: &invocation.docker.interrupt,
            ends_at: invocation.ends_at,
            pid: pid.and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)),
            deadline: invocation.limit.map(|limit| (Instant::now() + limit, limit)),
            cause: None,
            force_at: None,
        }
    }

    /// Looks once at interrupt and clock, and does what they ask for.
    fn poll(&mut self) {
        let now = Instant::now();
        if self.cause.is_none() {
            self.cause = match (self.interrupt.reached(self.ends_at), self.deadline) {
                (Some(signal), _) => Some(Cause::Interrupted(signal)),
                (None, Some((at, limit))) if now >= at => Some(Cause::TookTooLong(limit)),
                _ => return,
            };
            self.send(PosixSignal::TERM);
            self.force_at = Some(now + TERMINATION_GRACE);
        }
        let is_pressing = self.ends_at != Signals::Third && self.interrupt.reached(Signals::Second).is_some();
        if is_pressing || self.force_at.is_some_and(|at| now >= at) {
            self.send(PosixSignal::KILL);
        }
    }

    /// To the whole group: the client runs its plugins as children.
    fn send(&self, signal: PosixSignal) {
        if let Some(pid) = self.pid {
            let _ = kill_process_group(pid, signal);
        }
    }
}

/// Has the kernel kill the child when the thread that started it dies, and so when this process is killed:
/// a build or a start that nobody waits for must not go on.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn prepare_child(command: &mut std::process::Command, pace: Pace) {
    let parent = rustix::process::getpid();
    // SAFETY: between fork and exec the closure makes system calls only, and allocates nothing.
    unsafe {
        command.pre_exec(move || {
            if pace == Pace::Low {
                let _ = rustix::process::nice(19);
            }
            rustix::process::set_parent_process_death_signal(Some(PosixSignal::KILL))?;
            // The parent may have died before the call above.
            if rustix::process::getppid() == Some(parent) {
                Ok(())
            } else {
                Err(io::ErrorKind::Interrupted.into())
            }
        });
    }
}

#[cfg(not(target_os = "linux"))]
fn prepare_child(_command: &mut std::process::Command, _pace: Pace) {}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
