//! A running docker command: reads its output, and enforces its limits meanwhile.

use std::io::{self, PipeReader, Read};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal as PosixSignal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::engine::docker::tail::Tail;
use crate::error::Signal;
use crate::host::interrupt::{Interrupt, Signals};
use crate::host::process;
use crate::host::waits::Waits;

/// Why a docker command failed.
#[derive(Debug)]
pub(crate) enum Cause {
    NotStarted(io::Error),
    Status(i32),
    Killed(i32),
    TookTooLong(Duration),
    /// It printed more than this number of bytes.
    PrintedTooMuch(u64),
    Interrupted(Signal),
}

/// The most that a command may print to stdout or stderr if its output is kept, in bytes.
pub(super) const LARGEST_OUTPUT: u64 = 64 * 1024 * 1024;

/// How often the interrupt and the clock are checked while a process prints nothing.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Which of a command's streams are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Streams {
    /// Stdout. The end of stderr is kept too.
    Stdout,
    /// Only stderr.
    Stderr,
    /// Both as one.
    Both,
}

/// When to end a process early.
#[derive(Clone, Copy)]
pub(super) struct Limits<'a> {
    pub(super) interrupt: &'a Interrupt,
    /// How many signals it takes to end the process.
    pub(super) ends_at: Signals,
    /// How long it may take after the first signal, if it is not ended by that one.
    pub(super) after_signal: Option<Duration>,
    pub(super) time: Duration,
    pub(super) waits: &'a Waits,
}

/// A running process. It is killed when this value is dropped.
///
/// Wait for the process on the thread that starts it: the kernel kills the process when that thread ends.
pub(super) struct ChildProcess<'a> {
    child: Child,
    /// The stream that is read through this value; `None` at its end.
    output: Option<PipeReader>,
    /// Stderr, if it is kept; `None` at its end.
    errors: Option<PipeReader>,
    stderr: Tail,
    stderr_size: u64,
    /// When the end of the process was noticed.
    ended_at: Option<Instant>,
    is_collected: bool,
    end: End<'a>,
}

/// How a process ended.
pub(super) struct Ended {
    /// Why it failed; `None` if it succeeded.
    pub(super) cause: Option<Cause>,
    /// The end of stderr, if it was kept.
    pub(super) stderr: String,
}

impl<'a> ChildProcess<'a> {
    /// Starts a command in its own process group, without stdin.
    pub(super) fn start(
        mut command: Command,
        streams: Streams,
        is_low_priority: bool,
        limits: Limits<'a>,
    ) -> io::Result<Self> {
        let (output, writer) = io::pipe()?;
        let mut errors = None;
        match streams {
            Streams::Stdout => {
                let (reader, stderr) = io::pipe()?;
                errors = Some(reader);
                command.stdout(writer).stderr(stderr);
            }
            Streams::Stderr => _ = command.stdout(Stdio::null()).stderr(writer),
            Streams::Both => _ = command.stdout(writer.try_clone()?).stderr(writer),
        }
        // In its own group, the process does not receive Ctrl-C from the terminal: this program decides when
        // it ends.
        command.stdin(Stdio::null()).process_group(0);
        prepare_child(&mut command, is_low_priority);
        let child = command.spawn()?;
        let end = End::new(Pid::from_child(&child), limits);
        // Dropping `command` closes our ends of the pipes that it writes to.
        Ok(Self {
            child,
            output: Some(output),
            errors,
            stderr: Tail::default(),
            stderr_size: 0,
            ended_at: None,
            is_collected: false,
            end,
        })
    }

    /// Ends the process because it has printed too much.
    pub(super) fn end_for_size(&mut self, largest: u64) {
        self.end.begin(Cause::PrintedTooMuch(largest));
    }

    /// Waits for the end of the process, and drops its remaining output.
    pub(super) fn finish(mut self) -> io::Result<Ended> {
        io::copy(&mut self, &mut io::sink())?;
        while self.errors.is_some() {
            self.wait_for_output()?;
        }
        // It has closed its pipes, so it will end soon.
        let mut pause = Duration::from_micros(100);
        while !self.has_ended()? {
            self.end.check();
            std::thread::sleep(pause);
            pause = (pause * 2).min(POLL_INTERVAL);
        }
        let status = self.child.wait()?;
        self.is_collected = true;
        let stderr = std::mem::take(&mut self.stderr).into_text();
        Ok(Ended { cause: cause(status, self.end.cause.take()), stderr })
    }

    /// Waits for output, at most [`POLL_INTERVAL`], and reads stderr. Returns whether there is output to
    /// read.
    fn wait_for_output(&mut self) -> io::Result<bool> {
        self.end.check();
        let pipes = self.output.iter().chain(&self.errors);
        let mut pipes: Vec<PollFd<'_>> = pipes.map(|pipe| PollFd::new(pipe, PollFlags::IN)).collect();
        let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(POLL_INTERVAL.subsec_nanos()) };
        match poll(&mut pipes, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let is_ready = |pipe: Option<&PollFd<'_>>| pipe.is_some_and(|pipe| !pipe.revents().is_empty());
        let has_output = self.output.is_some() && is_ready(pipes.first());
        let has_errors = self.errors.is_some() && is_ready(pipes.last());
        if has_errors {
            self.read_errors()?;
        } else if !has_output && self.has_ended()? {
            let since = *self.ended_at.get_or_insert_with(Instant::now);
            if since.elapsed() > self.end.waits.late_output {
                (self.output, self.errors) = (None, None);
            }
        }
        Ok(has_output)
    }

    fn read_errors(&mut self) -> io::Result<()> {
        let Some(errors) = &mut self.errors else { return Ok(()) };
        let mut chunk = [0; 16 * 1024];
        match errors.read(&mut chunk)? {
            0 => self.errors = None,
            count => {
                self.stderr.push(&chunk[..count]);
                self.stderr_size += count as u64;
                if self.stderr_size > LARGEST_OUTPUT {
                    self.end_for_size(LARGEST_OUTPUT);
                }
            }
        }
        Ok(())
    }

    /// Whether the process has ended. It is not collected, so that its id is not reused.
    fn has_ended(&self) -> io::Result<bool> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match waitid(WaitId::Pid(self.end.pid), options) {
            Ok(status) => Ok(status.is_some()),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

impl Read for ChildProcess<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.output.is_some() {
            if !self.wait_for_output()? {
                continue;
            }
            match self.output.as_mut().map_or(Ok(0), |output| output.read(buffer)) {
                Ok(0) => self.output = None,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read,
            }
        }
        Ok(0)
    }
}

impl Drop for ChildProcess<'_> {
    fn drop(&mut self) {
        if !self.is_collected {
            self.end.send(PosixSignal::KILL);
            let _ = self.child.wait();
        }
    }
}

/// Why a process failed; `None` if it succeeded.
fn cause(status: ExitStatus, ended_by: Option<Cause>) -> Option<Cause> {
    match (ended_by, status.code()) {
        // Its output is incomplete, even if its status is 0.
        (Some(cause @ Cause::PrintedTooMuch(_)), _) => Some(cause),
        (_, Some(0)) => None,
        (Some(cause), _) => Some(cause),
        (None, Some(code)) => Some(Cause::Status(code)),
        (None, None) => Some(Cause::Killed(status.signal().unwrap_or_default())),
    }
}

/// Ends a process early: SIGTERM first, then SIGKILL.
struct End<'a> {
    pid: Pid,
    interrupt: &'a Interrupt,
    ends_at: Signals,
    after_signal: Option<Duration>,
    deadline: Instant,
    time: Duration,
    waits: &'a Waits,
    cause: Option<Cause>,
    kill_at: Option<Instant>,
}

impl<'a> End<'a> {
    fn new(pid: Pid, limits: Limits<'a>) -> Self {
        let Limits { interrupt, ends_at, after_signal, time, waits } = limits;
        let deadline = Instant::now() + time;
        Self { pid, interrupt, ends_at, after_signal, deadline, time, waits, cause: None, kill_at: None }
    }

    /// Checks the interrupt and the clock, and sends the signal that is due.
    fn check(&mut self) {
        let now = Instant::now();
        if self.cause.is_none() {
            match self.interrupted() {
                Some(signal) => self.begin(Cause::Interrupted(signal)),
                None if now >= self.deadline => self.begin(Cause::TookTooLong(self.time)),
                None => return,
            }
        }
        let is_urgent = self.interrupt.reached(self.ends_at.max(Signals::Second)).is_some();
        if is_urgent || self.kill_at.is_some_and(|at| now >= at) {
            self.send(PosixSignal::KILL);
        }
    }

    /// The signal that ends the process, if there was one.
    fn interrupted(&self) -> Option<Signal> {
        let is_late = || self.after_signal.is_some_and(|limit| self.interrupt.since_first() >= Some(limit));
        let ends_at = if is_late() { Signals::First } else { self.ends_at };
        self.interrupt.reached(ends_at)
    }

    /// Asks the process to end.
    fn begin(&mut self, cause: Cause) {
        if self.cause.is_none() {
            self.cause = Some(cause);
            let is_waited_for = self.interrupt.since_first().is_some();
            let termination = self.waits.termination;
            self.kill_at = Some(Instant::now() + if is_waited_for { termination / 4 } else { termination });
            self.send(PosixSignal::TERM);
        }
    }

    /// Sends a signal to the process group, because the client runs its plugins as child processes.
    fn send(&self, signal: PosixSignal) {
        let _ = kill_process_group(self.pid, signal);
    }
}

fn prepare_child(command: &mut Command, is_low_priority: bool) {
    process::kill_with_this_thread(command);
    if is_low_priority {
        process::lower_priority(command);
    }
}
