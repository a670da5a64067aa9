//! `run`: starts an environment in the foreground, in the background, or for the duration of the user's
//! command.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use crate::cli::RunArgs;
use crate::commands::{Session, arguments, dry_run};
use crate::engine::Phase;
use crate::engine::docker::Docker;
use crate::engine::docker::inspection::{Inspection, short};
use crate::engine::docker::log::LogLines;
use crate::error::{Exit, Problem, SandboxError, Signal};
use crate::host::process;
use crate::output::{Format, json, text, variables};
use crate::plan::Plan;
use crate::sandbox::failure::{ContainerEnd, Facts, has_error, startup};
use crate::sandbox::lifetime;
use crate::sandbox::orphans::Sweep;
use crate::sandbox::start::{Running, check_owner, keep_log};
use crate::settings::sandbox::Ownership;
use crate::source::EnvironmentSourceRef;

/// How long `run -d` waits at its end for orphans to be removed.
const SWEEP_LIMIT: Duration = Duration::from_secs(1);

pub(super) fn run(args: &RunArgs, session: Session) -> Result<Exit, SandboxError> {
    let session = session
        .with_settings(|settings, variables| arguments::with_build(settings, &args.image, variables))?;
    let build = arguments::build_options(&args.image, &session.variables)?;
    let sandbox = arguments::sandbox_options(&args.sandbox, &session.variables)?;
    let options = arguments::run_options(args, &session.variables)?;
    let purpose = arguments::purpose(&args.image);
    let on_event = &mut |event| session.output.event(&event);
    let plan = session.client.plan(&args.sandbox.source, sandbox, purpose, on_event)?;
    if args.image.dry_run {
        return dry_run::run(&plan, &build, &session);
    }
    // Before the sweep, which calls docker.
    check_owner(options.ownership)?;
    let sweep = session.client.sweep()?;
    let (grace, ownership) = (options.stop_timeout, options.ownership);
    let running = session.client.start(&plan, &build, &options, on_event)?;
    session.output.clear();
    let docker = session.client.docker()?;
    let started =
        Started { session: &session, docker, plan: &plan, running: &running, grace, ttl: options.ttl };
    if !args.command.is_empty() {
        return started.with_command(&args.command);
    }
    match ownership {
        Ownership::ThisProcess => started.in_the_foreground(),
        Ownership::Process(_) | Ownership::Detached => started.detached(sweep),
    }
}

/// A started environment.
struct Started<'a> {
    session: &'a Session,
    docker: &'a Docker,
    plan: &'a Plan,
    running: &'a Running,
    grace: Duration,
    ttl: Option<Duration>,
}

impl Started<'_> {
    fn detached(&self, sweep: Sweep) -> Result<Exit, SandboxError> {
        let printed = self.session.interrupt.check().and_then(|()| {
            self.print_summary(&format!("rlmesh-sandbox stop {}", short(&self.running.id)));
            self.print_result()
        });
        // If its address could not be printed, the user would not know that the container runs.
        if let Err(error) = printed.and_then(|()| self.running.keep()) {
            self.running.stop(self.docker, Duration::ZERO)?;
            return Err(error);
        }
        sweep.finish(SWEEP_LIMIT);
        Ok(Exit::Done)
    }

    fn in_the_foreground(&self) -> Result<Exit, SandboxError> {
        self.print_summary("press Ctrl-C");
        let ended = self.print_result().and_then(|()| self.follow());
        self.end_with(ended)
    }

    fn with_command(&self, command: &[OsString]) -> Result<Exit, SandboxError> {
        self.print_summary("");
        let status = self.session.interrupt.check().and_then(|()| self.command(command));
        if let Ok(exit) = &status {
            self.warn_of_the_environment(*exit);
        }
        self.end_with(status)
    }

    /// Stops the environment. If that fails, an error from `outcome` or the exit code of the user's command still
    /// decides how the program ends.
    fn end_with(&self, outcome: Result<Exit, SandboxError>) -> Result<Exit, SandboxError> {
        match (self.running.stop(self.docker, self.grace), outcome) {
            (Ok(()), outcome) => outcome,
            (Err(error), Ok(Exit::Done)) => Err(error),
            (Err(error), outcome) => {
                self.session.output.error(&error);
                outcome
            }
        }
    }

    /// Prints a summary of the environment to stderr.
    fn print_summary(&self, to_stop: &str) {
        let to_stop = match self.ttl {
            Some(time) if !to_stop.is_empty() => {
                format!("{to_stop}, or it ends after {}", humantime::format_duration(time))
            }
            _ => to_stop.to_owned(),
        };
        let what = format!("{} is ready after {}", self.title(), text::seconds(self.running.took));
        self.session.output.ready(&what, &text::running(self.running, &to_stop));
    }

    /// The id of the environment, without `gym://`, or its other source.
    fn title(&self) -> String {
        match self.plan.resolved_source() {
            source @ (EnvironmentSourceRef::Hf(_) | EnvironmentSourceRef::Folder(_)) => source.to_string(),
            _ => text::one_line(&self.running.handshake.env_id),
        }
    }

    /// Prints the result.
    fn print_result(&self) -> Result<(), SandboxError> {
        let output = &self.session.output;
        match output.format() {
            Format::Text => output.result(&self.running.address),
            Format::Env => output.result(&variables::lines(self.running)),
            Format::Json => {
                let source = self.plan.resolved_source().to_string();
                output.json(&json::Started::new(self.running, &source, self.plan.build_hash()))
            }
        }
    }

    /// Prints the log until the container ends or a signal arrives.
    fn follow(&self) -> Result<Exit, SandboxError> {
        let mut lines = LogLines::ALL;
        loop {
            self.session.interrupt.check()?;
            let followed =
                self.docker.follow_log(&self.running.id, lines, &mut |chunk| self.session.output.log(chunk));
            self.session.output.end_log();
            self.session.interrupt.check()?;
            let found = self.docker.inspect(std::slice::from_ref(&self.running.id));
            match (found, followed) {
                (Ok(found), _) => match found.first() {
                    None => return Ok(self.ended_elsewhere("removed")),
                    Some(container) if container.phase() == Phase::Ended => {
                        return self.ended(container);
                    }
                    Some(_) => {}
                },
                (Err(error), Err(_)) => return Err(error),
                (Err(_), Ok(())) => {}
            }
            // The log ended although the container still runs, for example because the engine restarted.
            lines.tail = Some(0);
            std::thread::sleep(self.docker.waits.log_retry);
        }
    }

    /// The end of the foreground run whose container has ended.
    fn ended(&self, container: &Inspection) -> Result<Exit, SandboxError> {
        if self.is_over(container) {
            self.session.output.note(&format!("{} ended: its --ttl is over", self.title()));
            return Ok(Exit::Done);
        }
        if self.docker.was_signalled(container) {
            return Ok(self.ended_elsewhere("stopped"));
        }
        match container.state.exit_code {
            0 => {
                self.session.output.note(&format!("{} ended by itself", self.title()));
                Ok(Exit::Done)
            }
            code => {
                Err(self.explained(&format!("{} ended with exit code {code}", self.title()), Some(container)))
            }
        }
    }

    /// Whether the time of the environment is over.
    fn is_over(&self, container: &Inspection) -> bool {
        let ran = self.running.started.elapsed();
        self.ttl.is_some_and(|time| lifetime::is_over(container.state.exit_code, ran, time))
    }

    /// Says that not this program ended the environment.
    fn ended_elsewhere(&self, how: &str) -> Exit {
        self.session.output.warn(&format!("{} was {how} from elsewhere", self.title()));
        Exit::Signal(Signal::Terminate)
    }

    /// The error for an environment that failed while it was in use, explained by its log. `container` is `None` if it
    /// still runs.
    fn explained(&self, how: &str, container: Option<&Inspection>) -> SandboxError {
        let log = self.docker.log_tail(&self.running.id).unwrap_or_default();
        let state = container.map(|container| &container.state);
        let end = ContainerEnd {
            exit_code: state.map_or(1, |state| state.exit_code),
            is_out_of_memory: state.is_some_and(|state| state.oom_killed),
        };
        let diagnosis = startup(self.plan, Some(end), &log, &Facts::default());
        let message = match &diagnosis.cause {
            Some(cause) => format!("{how}: {cause}"),
            None => how.to_owned(),
        };
        let file = keep_log(self.session.client.settings(), &self.plan.resolved_source().slug(), &log);
        SandboxError::ContainerEnded(diagnosis.into_problem(message, &log).log_file(file))
    }

    /// Runs the user's command to its end. Its exit code becomes the program's exit code.
    fn command(&self, command: &[OsString]) -> Result<Exit, SandboxError> {
        let words: Vec<OsString> =
            command.iter().map(|word| with_address(word, &self.running.address)).collect();
        let Some((program, arguments)) = words.split_first() else { return Ok(Exit::Done) };
        let mut command = Command::new(program);
        command.args(arguments).envs(variables::variables(self.running));
        // This thread waits for it.
        process::kill_with_this_thread(&mut command);
        let signals = &self.session.signals;
        let started = signals.hand_over(|| {
            // A signal may have arrived before the handover.
            self.session.interrupt.check()?;
            match command.spawn() {
                Ok(child) => {
                    let pid = Pid::from_child(&child);
                    Ok((child, pid))
                }
                Err(error) => Err(NotRun::NotStarted(error)),
            }
        });
        let child = match started {
            Ok(child) => child,
            Err(NotRun::Interrupted(error)) => return Err(error),
            Err(NotRun::NotStarted(error)) => return Ok(self.not_started(program, &error)),
        };
        let status = self.wait(child);
        signals.take_back();
        Ok(Exit::Command(shell_status(status?)))
    }

    /// As in a shell: 127 for a command that does not exist, 126 for one that cannot be run.
    fn not_started(&self, program: &OsStr, error: &std::io::Error) -> Exit {
        let problem = Problem::new(
            format!("the command {} could not be started: {error}", program.display()),
            "check the command's name and PATH; the environment itself was ready",
        );
        self.session.output.error(&SandboxError::InvalidOption(problem));
        Exit::Command(if error.kind() == std::io::ErrorKind::NotFound { 127 } else { 126 })
    }

    fn wait(&self, mut child: Child) -> Result<ExitStatus, SandboxError> {
        // The system does not reuse the command's process id before `child.wait()` collects it.
        let pid = Pid::from_child(&child);
        while let Err(rustix::io::Errno::INTR) =
            waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
        {}
        self.session.signals.command_has_ended();
        let status = child.wait().map_err(anyhow::Error::from)?;
        if status.signal().is_some() {
            self.session.output.clear();
        }
        Ok(status)
    }

    /// Warns if the environment ended or failed while the command ran.
    fn warn_of_the_environment(&self, command: Exit) {
        let Ok(found) = self.docker.inspect(std::slice::from_ref(&self.running.id)) else { return };
        let (output, title) = (&self.session.output, self.title());
        match found.first() {
            None => output.warn(&format!("{title} was removed from elsewhere while the command ran")),
            Some(container) if container.phase() == Phase::Ended => {
                if self.is_over(container) {
                    return output.warn(&format!("{title} ended while the command ran: its --ttl is over"));
                }
                if self.docker.was_signalled(container) {
                    return output.warn(&format!("{title} was stopped from elsewhere while the command ran"));
                }
                let code = container.state.exit_code;
                let how = format!("{title} ended with exit code {code} while the command ran");
                output.warn_of(&self.explained(&how, Some(container)));
            }
            // A command that fails most likely fails because of the last error of the environment.
            Some(_) if command != Exit::Command(0) => {
                let log = self.docker.log_tail(&self.running.id).unwrap_or_default();
                if has_error(&log) {
                    output.warn_of(&self.explained(&format!("the last error of {title}"), None));
                }
            }
            Some(_) => {}
        }
    }
}

/// Why the user's command did not run.
enum NotRun {
    Interrupted(SandboxError),
    NotStarted(std::io::Error),
}

impl From<SandboxError> for NotRun {
    fn from(error: SandboxError) -> Self {
        NotRun::Interrupted(error)
    }
}

/// The exit code of a process as a shell reports it: its status, or 128 plus the signal's number.
fn shell_status(status: ExitStatus) -> u8 {
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    u8::try_from(code).unwrap_or(u8::MAX)
}

/// Replaces every `{address}` in a word. The word may not be valid UTF-8.
fn with_address(word: &OsStr, address: &str) -> OsString {
    const PLACEHOLDER: &[u8] = b"{address}";
    let mut rest = word.as_bytes();
    let mut result = Vec::with_capacity(rest.len());
    while let Some(at) = rest.windows(PLACEHOLDER.len()).position(|window| window == PLACEHOLDER) {
        result.extend_from_slice(&rest[..at]);
        result.extend_from_slice(address.as_bytes());
        rest = &rest[at + PLACEHOLDER.len()..];
    }
    result.extend_from_slice(rest);
    OsString::from_vec(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_placeholder_is_replaced_by_the_address() {
        let replaced = |word: &[u8]| with_address(OsStr::from_bytes(word), "tcp://h:1").into_vec();
        assert_eq!(replaced(b"{address}"), b"tcp://h:1");
        assert_eq!(replaced(b"--a={address},{address}!"), b"--a=tcp://h:1,tcp://h:1!");
        assert_eq!(replaced(b"{addres} \xff"), b"{addres} \xff");
    }
}
