//! `run`: an environment in the foreground, left running, or around the user's own command.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal as PosixSignal, WaitId, WaitIdOptions, kill_process, waitid};

use crate::cli::RunArgs;
use crate::commands::{Session, build, dry_run};
use crate::engine::Phase;
use crate::engine::docker::Docker;
use crate::engine::docker::inspection::short;
use crate::engine::docker::log::{Follow, LogLines};
use crate::error::{Exit, Problem, SandboxError, Signal};
use crate::host::interrupt::{Sender, Signals};
use crate::image;
use crate::output::{Format, Paint, json, text, variables};
use crate::plan::Plan;
use crate::plan::resolve::Consent;
use crate::sandbox::orphans::Sweep;
use crate::sandbox::start::{self, Request, Running};
use crate::settings::build::BuildOptions;
use crate::settings::sandbox::{Ownership, RunOptions};

/// How long a process that is about to end waits for its sweep.
const SWEEP_PATIENCE: Duration = Duration::from_secs(1);

pub(super) fn run(args: &RunArgs, session: &Session) -> Result<Exit, SandboxError> {
    let options = RunOptions::from_args(&args.container)?;
    let build = BuildOptions::from_args(&args.image, &session.variables)?;
    if args.image.dry_run {
        let plan = session.plan_to_show(&args.sandbox)?;
        image::check(&plan, &build)?;
        return dry_run::run(&plan, &build, session);
    }
    let plan = session.plan(&args.sandbox, Consent::ToRun)?;
    image::check(&plan, &build)?;
    start::check_owner(options.ownership)?;
    let docker = session.docker()?;
    let sweep = Sweep::begin(&docker, &session.variables);
    let on_event = &mut |event| session.report.event(&event);
    let request = Request { build: &build, options };
    let running = start::launch(&docker, &plan, request, &session.variables, on_event)?;
    session.report.clear();
    if running.image.built_in.is_none() && !build.in_vain().is_empty() {
        session.report.note(&build::note(&build));
    }
    let up = Up { session, docker: &docker, plan: &plan, running: &running, grace: options.stop_timeout };
    if !args.command.is_empty() {
        return up.around(&args.command);
    }
    match options.ownership {
        Ownership::ThisProcess => up.in_the_foreground(),
        Ownership::Process(_) | Ownership::Detached => up.detached(sweep),
    }
}

/// An environment that is up, and what to do with it.
struct Up<'a> {
    session: &'a Session,
    docker: &'a Docker,
    plan: &'a Plan,
    running: &'a Running,
    grace: Duration,
}

impl Up<'_> {
    fn detached(&self, sweep: Sweep) -> Result<Exit, SandboxError> {
        let on_event = self.session.interrupt.check().and_then(|()| {
            self.introduce();
            self.session
                .report
                .note(&format!("stop it with: rlmesh-sandbox stop {}", short(&self.running.id)));
            self.print()
        });
        // An address that nobody has got is a container that nobody will stop.
        if let Err(error) = on_event.and_then(|()| self.running.keep()) {
            self.running.stop(self.docker, Duration::ZERO)?;
            return Err(error);
        }
        sweep.finish(SWEEP_PATIENCE);
        Ok(Exit::Done)
    }

    fn in_the_foreground(&self) -> Result<Exit, SandboxError> {
        self.introduce();
        self.session.report.note("its log follows; Ctrl-C stops it");
        let ended = self.print().and_then(|()| self.follow());
        self.end_with(ended)
    }

    fn around(&self, command: &[OsString]) -> Result<Exit, SandboxError> {
        self.introduce();
        let status = self.session.interrupt.check().and_then(|()| self.command(command));
        if status.is_ok() {
            self.warn_if_it_ended_before();
        }
        self.end_with(status)
    }

    /// Stops the environment; an earlier error matters more than one of stopping.
    fn end_with(&self, outcome: Result<Exit, SandboxError>) -> Result<Exit, SandboxError> {
        let stopped = self.running.stop(self.docker, self.grace);
        let exit = outcome?;
        stopped?;
        Ok(exit)
    }

    /// Tells people what is up.
    fn introduce(&self) {
        let report = &self.session.report;
        let head = format!(
            "{} {} is ready after {}",
            report.paint(Paint::Good, "✓"),
            text::safe(&self.running.handshake.env_id),
            text::seconds(self.running.took)
        );
        report.note(&format!("{head}\n{}", text::running(self.running)));
    }

    /// Prints the result.
    fn print(&self) -> Result<(), SandboxError> {
        let report = &self.session.report;
        match report.format() {
            Format::Text => report.result(&self.running.address),
            Format::Env => report.result(&variables::lines(self.running)),
            Format::Json => {
                let hash = match self.plan {
                    Plan::Build(spec) => Some(spec.build_hash()),
                    Plan::Prebuilt { .. } => None,
                };
                let source = self.plan.resolved_source();
                report.json(&json::Started::new(self.running, &source, hash))
            }
        }
    }

    /// Passes the log on until the container ends or a signal comes.
    fn follow(&self) -> Result<Exit, SandboxError> {
        let mut lines = LogLines { follow: Follow::UntilTheEnd, tail: None };
        loop {
            self.session.interrupt.check()?;
            let followed =
                self.docker.follow_log(&self.running.id, lines, &mut |chunk| self.session.report.log(chunk));
            self.session.interrupt.check()?;
            let found = self.docker.inspect(std::slice::from_ref(&self.running.id));
            match (found, followed) {
                (Ok(found), _) => match found.first() {
                    None => return Err(gone("was removed by somebody else")),
                    Some(container) if container.phase() == Phase::Ended => {
                        return match container.state.exit_code {
                            0 => Ok(Exit::Done),
                            code => Err(gone(&format!("ended by itself with exit code {code}"))),
                        };
                    }
                    Some(_) => {}
                },
                (Err(error), Err(_)) => return Err(error),
                (Err(_), Ok(())) => {}
            }
            // The log broke off, and the container goes on: an engine that restarts does that.
            lines.tail = Some(0);
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    /// Runs the user's command to its end. Its exit status becomes ours.
    fn command(&self, command: &[OsString]) -> Result<Exit, SandboxError> {
        let words: Vec<OsString> =
            command.iter().map(|word| with_address(word, &self.running.address)).collect();
        let Some((program, arguments)) = words.split_first() else { return Ok(Exit::Done) };
        let mut command = Command::new(program);
        command.args(arguments).envs(variables::variables(self.running));
        let child = match command.spawn() {
            Ok(child) => child,
            Err(error) => return Ok(self.not_started(program, &error)),
        };
        let status = self.wait(child)?;
        Ok(Exit::Command(shell_status(status)))
    }

    /// As a shell tells it: 127 for a command that is not there, 126 for one that cannot be run.
    fn not_started(&self, program: &OsStr, error: &std::io::Error) -> Exit {
        let problem = Problem::new(
            format!("the command {} could not be started: {error}", program.display()),
            "check its name and PATH; the environment itself was ready",
        );
        self.session.report.error(&SandboxError::InvalidOption(problem));
        Exit::Command(if error.kind() == std::io::ErrorKind::NotFound { 127 } else { 126 })
    }

    /// Waits for the command. Signals are the command's business while it runs: what a process sends to us
    /// is passed on, what the terminal sends has reached it already.
    fn wait(&self, mut child: Child) -> Result<ExitStatus, SandboxError> {
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let target = Arc::new(Mutex::new(pid));
        let forward = Arc::clone(&target);
        let interrupt = self.session.interrupt.clone();
        let status = self.session.signals.divert(
            move |signal, sender| {
                let pid = *forward.lock().unwrap_or_else(PoisonError::into_inner);
                if let (Some(pid), Sender::Process) = (pid, sender) {
                    interrupt.raise(signal);
                    let is_pressing = interrupt.reached(Signals::Second).is_some();
                    let _ = kill_process(pid, if is_pressing { PosixSignal::KILL } else { posix(signal) });
                }
            },
            || {
                // Seen to have ended, but not collected: until the lock is ours its number is nobody else's.
                if let Some(pid) = pid {
                    while let Err(rustix::io::Errno::INTR) =
                        waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
                    {
                    }
                }
                *target.lock().unwrap_or_else(PoisonError::into_inner) = None;
                child.wait()
            },
        );
        let status = status.map_err(anyhow::Error::from)?;
        if status.signal().is_some() {
            self.session.report.clear();
        }
        Ok(status)
    }

    fn warn_if_it_ended_before(&self) {
        let Ok(found) = self.docker.inspect(std::slice::from_ref(&self.running.id)) else { return };
        let how = match found.first() {
            None => "was removed".to_owned(),
            Some(container) if container.phase() == Phase::Ended => {
                format!("ended with exit code {}", container.state.exit_code)
            }
            Some(_) => return,
        };
        self.session.report.warn(&format!("the environment {how} while the command ran"));
        if !found.is_empty() {
            let log = self
                .docker
                .log_tail(&self.running.id)
                .unwrap_or_else(|failure| format!("(no log: {failure})"));
            self.session.report.note(&text::safe(&log));
        }
    }
}

/// How a process ended, as a shell tells it: its status, or 128 and the signal's number.
fn shell_status(status: ExitStatus) -> u8 {
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    u8::try_from(code).unwrap_or(u8::MAX)
}

fn gone(how: &str) -> SandboxError {
    SandboxError::Other(anyhow::anyhow!("the environment's container {how}"))
}

fn posix(signal: Signal) -> PosixSignal {
    match signal {
        Signal::Interrupt => PosixSignal::INT,
        Signal::Terminate => PosixSignal::TERM,
        Signal::Hangup => PosixSignal::HUP,
        Signal::Quit => PosixSignal::QUIT,
    }
}

/// Replaces every `{address}` in a word, which need not be UTF-8.
fn with_address(word: &OsStr, address: &str) -> OsString {
    const PLACE: &[u8] = b"{address}";
    let mut rest = word.as_bytes();
    let mut result = Vec::with_capacity(rest.len());
    while let Some(at) = rest.windows(PLACE.len()).position(|window| window == PLACE) {
        result.extend_from_slice(&rest[..at]);
        result.extend_from_slice(address.as_bytes());
        rest = &rest[at + PLACE.len()..];
    }
    result.extend_from_slice(rest);
    OsString::from_vec(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_takes_every_place_that_is_kept_for_it() {
        let replaced = |word: &[u8]| with_address(OsStr::from_bytes(word), "tcp://h:1").into_vec();
        assert_eq!(replaced(b"{address}"), b"tcp://h:1");
        assert_eq!(replaced(b"--a={address},{address}!"), b"--a=tcp://h:1,tcp://h:1!");
        assert_eq!(replaced(b"{addres} \xff"), b"{addres} \xff");
    }
}
