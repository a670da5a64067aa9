//! Uses a started environment once, as a client does: resets, steps and renders it, and explains what fails.

use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::engine::docker::Docker;
use crate::engine::docker::child::Cause;
use crate::engine::{Isolation, Phase, Reach};
use crate::error::{Problem, SandboxError};
use crate::plan::Plan;
use crate::sandbox::failure::{ContainerEnd, Facts, question, startup, telling};
use crate::sandbox::handshake::Handshake;
use crate::sandbox::probe;

/// The script that uses the environment, from inside its container.
const SCRIPT: &str = include_str!("check.py");

/// How many steps it takes.
const STEPS: u32 = 5;

/// How often a container that seems to be ending is inspected.
const INSPECTIONS: u32 = 5;

/// The longest text that is taken from the script, in characters.
const LONGEST_TEXT: usize = 100;

const NO_CLIENT: &str =
    "a check needs `python` with rlmesh and numpy in the image; without them, leave out the check";

/// What a client saw of an environment that it reset, stepped and, if the environment has a render mode, rendered.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CheckReport {
    /// How long `reset` took.
    pub reset: Duration,
    /// How long `step` took, on average.
    pub step: Duration,
    /// How long `render` took; `None` without a render mode.
    pub render: Option<Duration>,
    /// How many steps there were, each with a random action.
    pub steps: u32,
    /// The least and the greatest reward.
    pub rewards: [f64; 2],
    /// Whether an episode terminated.
    pub terminated: bool,
    /// Whether an episode was truncated.
    pub truncated: bool,
    /// The keys of all infos, sorted, at most 50.
    pub info_keys: Vec<String>,
    /// The rendered frame; `None` if there was none.
    pub frame: Option<Frame>,
}

/// A rendered frame.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Frame {
    /// The length of each axis.
    pub shape: Vec<u64>,
    /// NumPy's name of the elements' type.
    pub dtype: String,
}

/// Uses the environment in the container `id`, for at most `limit`.
///
/// # Errors
/// ContainerStartup, which says which call failed, with the end of the log; Docker; Interrupted.
pub(crate) fn check(
    docker: &Docker,
    plan: &Plan,
    isolation: &Isolation,
    id: &str,
    handshake: &Handshake,
    limit: Duration,
) -> Result<CheckReport, SandboxError> {
    let address = match isolation.reach {
        Reach::Port(_, port) => format!("tcp://127.0.0.1:{port}"),
        Reach::Socket(socket) => format!("unix://{socket}"),
    };
    let mut arguments = vec![address, handshake.num_envs.to_string(), STEPS.to_string()];
    arguments.extend(handshake.render_mode.is_some().then(|| "render".to_owned()));
    let subject = Subject { docker, plan, isolation, id };
    let began = Instant::now();
    match docker.run_python(id, SCRIPT, &arguments, limit) {
        Ok(printed) => match outcome(&printed.stdout) {
            Outcome { report: Some(report), .. } => Ok(report),
            Outcome { call, failure: Some(error), .. } => Err(subject.failed(&call, &error)),
            Outcome { call, .. } => {
                // `docker exec` ends with status 0 if it was asked to end.
                docker.interrupt.check()?;
                let is_late = began.elapsed() >= limit;
                Err(if is_late { subject.hangs(&call, limit) } else { subject.unreadable(&call) })
            }
        },
        Err(failure) => {
            let call = outcome(&failure.stdout).call;
            match failure.cause {
                Cause::TookTooLong(_) => Err(subject.hangs(&call, limit)),
                // The script always ends with 0, unless something kills it.
                Cause::Status(_) if !call.is_empty() => Err(subject.died(&call, &failure.to_string())),
                _ => Err(subject.ended(&call).unwrap_or_else(|| {
                    let what = "the environment started, but it could not be checked";
                    failure.into_error(what, NO_CLIENT, SandboxError::ContainerStartup)
                })),
            }
        }
    }
}

/// The environment that is checked.
struct Subject<'a> {
    docker: &'a Docker,
    plan: &'a Plan,
    isolation: &'a Isolation,
    id: &'a str,
}

impl Subject<'_> {
    /// The error for a call that failed with a Python error.
    fn failed(&self, call: &str, error: &str) -> SandboxError {
        let (is_environments, cause) = cause(call, error);
        // A client may notice the end of the container before docker reports it.
        if !is_environments && let Some(error) = self.ended(call) {
            return error;
        }
        if call == "import" {
            return SandboxError::ContainerStartup(Problem::new(
                format!("the environment started, but it could not be checked: {cause}"),
                NO_CLIENT,
            ));
        }
        self.error(&format!("the environment started, but {call} failed"), None, Some(&cause))
    }

    /// The error for a call that did not return.
    fn hangs(&self, call: &str, limit: Duration) -> SandboxError {
        let facts = probe::look_at(self.docker, self.id, limit).within(self.isolation);
        let log = self.log();
        let call = if call.is_empty() { "the check" } else { call };
        let diagnosis = startup(self.plan, None, &log, &facts);
        let place = diagnosis.cause.as_ref().map(|place| format!("; {place}")).unwrap_or_default();
        let message = format!(
            "the environment started, but {call} did not return within {}{place}",
            humantime::format_duration(limit)
        );
        SandboxError::ContainerStartup(diagnosis.into_problem(message, &log))
    }

    /// The error for a script that was killed.
    fn died(&self, call: &str, how: &str) -> SandboxError {
        self.ended(call).unwrap_or_else(|| {
            let message = format!("the environment started, but the check was killed in {call}: {how}");
            let log = self.log();
            SandboxError::ContainerStartup(Problem::new(message, NO_CLIENT).details(telling(&log)).log(&log))
        })
    }

    /// The error for a script that printed neither a report nor an error.
    fn unreadable(&self, call: &str) -> SandboxError {
        self.ended(call).unwrap_or_else(|| {
            SandboxError::ContainerStartup(Problem::new(
                "the environment started, but the result of its check cannot be read",
                NO_CLIENT,
            ))
        })
    }

    /// The error for a container that has ended; `None` if it still runs.
    fn ended(&self, call: &str) -> Option<SandboxError> {
        let end = self.await_end()?;
        let call = if call.is_empty() { "its check" } else { call };
        let how = format!("the container ended in {call} (exit code {})", end.exit_code);
        Some(self.error(&how, Some(end), None))
    }

    fn error(&self, how: &str, end: Option<ContainerEnd>, cause: Option<&str>) -> SandboxError {
        let log = self.log();
        // As Python would have printed it, so that it is explained like an error at the start.
        let text = match cause {
            Some(cause) => format!("{log}\nTraceback (most recent call last):\n{cause}"),
            None => log.clone(),
        };
        let end = end.unwrap_or(ContainerEnd { exit_code: 1, is_out_of_memory: false });
        let facts = match question(self.plan, &text) {
            Some(question) => probe::look(self.docker, &self.plan.image_name(), self.plan, question),
            None => Facts::default(),
        }
        .within(self.isolation);
        let diagnosis = startup(self.plan, Some(end), &text, &facts);
        let message = match cause.or(diagnosis.cause.as_deref()) {
            Some(cause) => format!("{how}: {cause}"),
            None => how.to_owned(),
        };
        SandboxError::ContainerStartup(diagnosis.into_problem(message, &log))
    }

    /// How the container ended; `None` if it still runs after a moment.
    fn await_end(&self) -> Option<ContainerEnd> {
        for attempt in 1..=INSPECTIONS {
            if let Ok(found) = self.docker.inspect(&[self.id.to_owned()]) {
                let Some(container) = found.first() else {
                    return Some(ContainerEnd { exit_code: 1, is_out_of_memory: false });
                };
                let state = &container.state;
                if matches!(container.phase(), Phase::Ended | Phase::Removing) {
                    let (exit_code, is_out_of_memory) = (state.exit_code, state.oom_killed);
                    return Some(ContainerEnd { exit_code, is_out_of_memory });
                }
            }
            if attempt < INSPECTIONS && self.docker.interrupt.check().is_ok() {
                std::thread::sleep(self.docker.waits.inspect_retry);
            }
        }
        None
    }

    fn log(&self) -> String {
        self.docker.log_tail(self.id).unwrap_or_else(|failure| format!("(no log: {failure})"))
    }
}

/// What the script printed.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    /// The last call that it began; empty if it printed none.
    call: String,
    report: Option<CheckReport>,
    failure: Option<String>,
}

/// One line of the script's output.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    call: Option<String>,
    failure: Option<String>,
    report: Option<Seen>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Seen {
    reset_seconds: f64,
    step_seconds: f64,
    render_seconds: Option<f64>,
    steps: u32,
    /// The least and the greatest, as Python prints them: JSON has no infinity.
    rewards: [String; 2],
    terminated: bool,
    truncated: bool,
    info_keys: Vec<String>,
    frame: Option<SeenFrame>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SeenFrame {
    shape: Vec<u64>,
    dtype: String,
}

/// Reads the output of the script, which the image can change. Lines in another form count as nothing.
fn outcome(stdout: &str) -> Outcome {
    let mut outcome = Outcome::default();
    for line in stdout.lines() {
        match serde_json::from_str::<Line>(line) {
            Ok(Line { call: Some(call), failure: None, report: None }) if is_call(&call) => {
                outcome.call = call;
            }
            Ok(Line { failure: Some(failure), call: None, report: None }) => outcome.failure = Some(failure),
            Ok(Line { report: Some(seen), call: None, failure: None }) => outcome.report = report(seen),
            _ => return Outcome { call: outcome.call, ..Outcome::default() },
        }
    }
    outcome
}

fn is_call(call: &str) -> bool {
    ["import", "connect", "reset", "step", "render", "close"].contains(&call)
}

/// Checks what the script reports.
fn report(seen: Seen) -> Option<CheckReport> {
    let time = |seconds: f64| Duration::try_from_secs_f64(seconds).ok();
    let [least, greatest] = &seen.rewards;
    Some(CheckReport {
        reset: time(seen.reset_seconds)?,
        step: time(seen.step_seconds)?,
        render: match seen.render_seconds {
            Some(seconds) => Some(time(seconds)?),
            None => None,
        },
        steps: seen.steps,
        rewards: [least.parse().ok()?, greatest.parse().ok()?],
        terminated: seen.terminated,
        truncated: seen.truncated,
        info_keys: seen.info_keys.iter().take(50).map(|key| short(key)).collect(),
        frame: seen.frame.map(|frame| Frame {
            shape: frame.shape.into_iter().take(10).collect(),
            dtype: short(&frame.dtype),
        }),
    })
}

fn short(text: &str) -> String {
    text.chars().take(LONGEST_TEXT).collect()
}

/// The Python error behind a failed call, and whether the environment raised it, rather than the client: rlmesh
/// 0.1.0 says `EnvironmentException: [INTERNAL] reset failed: ValueError: …`.
fn cause(call: &str, error: &str) -> (bool, String) {
    let error = error.trim();
    let of_the_environment = error
        .strip_prefix("EnvironmentException: [")
        .and_then(|rest| rest.split_once("] "))
        .and_then(|(_, rest)| rest.strip_prefix(call))
        .and_then(|rest| rest.strip_prefix(" failed: "));
    (of_the_environment.is_some(), of_the_environment.unwrap_or(error).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = r#"{"report":{"reset_seconds":0.5,"step_seconds":0.25,"render_seconds":null,"steps":5,"rewards":["-inf","1.5"],"terminated":true,"truncated":false,"info_keys":["a"],"frame":{"shape":[4,6,3],"dtype":"uint8"}}}"#;

    #[test]
    fn a_report_is_read_strictly() {
        let read = outcome(&format!("{{\"call\": \"import\"}}\n{{\"call\": \"step\"}}\n{REPORT}\n"));
        assert_eq!(read.call, "step");
        let report = read.report.unwrap();
        assert_eq!((report.reset, report.step), (Duration::from_millis(500), Duration::from_millis(250)));
        assert_eq!((report.rewards, report.render), ([f64::NEG_INFINITY, 1.5], None));
        assert_eq!(report.frame.unwrap().shape, [4, 6, 3]);
        for wrong in [
            "",
            "hello",
            "{\"call\":\"step\"}\nhello",
            &REPORT.replace("0.25", "-0.25"),
            &REPORT.replace("0.25", "1e300"),
            &REPORT.replace("-inf", "lots"),
            &REPORT.replace("\"steps\"", "\"strides\""),
            &REPORT.replace("[4,6,3]", "[-4]"),
            &format!("{REPORT}\n{REPORT} x"),
        ] {
            let read = outcome(wrong);
            assert!(read.report.is_none() && read.failure.is_none(), "{wrong}");
        }
        assert_eq!(outcome("{\"call\": \"rm -rf\"}").call, "");
    }

    #[test]
    fn the_environments_own_error_is_the_cause() {
        for (call, error, is_environments, expected) in [
            (
                "reset",
                "EnvironmentException: [INTERNAL] reset failed: RuntimeError: x",
                true,
                "RuntimeError: x",
            ),
            (
                "step",
                "TypeError: must be real number, not list",
                false,
                "TypeError: must be real number, not list",
            ),
            (
                "step",
                "EnvironmentException: [UNAVAILABLE] gone",
                false,
                "EnvironmentException: [UNAVAILABLE] gone",
            ),
        ] {
            assert_eq!(cause(call, error), (is_environments, expected.to_owned()), "{error}");
        }
    }
}
