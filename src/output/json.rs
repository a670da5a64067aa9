//! The JSON objects that are printed as results and errors.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::error::SandboxError;
use crate::image::Image;
use crate::output::text::is_invisible;
use crate::sandbox::check::CheckReport;
use crate::sandbox::gym_space::{Space, finite_or_text};
use crate::sandbox::handshake::Handshake;
use crate::sandbox::listing::{self, OwnerState};
use crate::sandbox::start::Running;

/// `init`.
#[derive(Serialize)]
pub(crate) struct Created<'a> {
    pub(crate) folder: &'a str,
    pub(crate) files: [&'a str; 3],
}

/// `build`.
#[derive(Serialize)]
pub(crate) struct Built<'a> {
    pub(crate) source: &'a str,
    pub(crate) image: &'a str,
    pub(crate) image_id: &'a str,
    pub(crate) build_hash: Option<String>,
    /// Whether this run built it; false if it already existed.
    pub(crate) built: bool,
    pub(crate) seconds: f64,
}

/// `--dry-run`.
#[derive(Serialize)]
pub(crate) struct Rendered<'a> {
    pub(crate) source: &'a str,
    pub(crate) image: &'a str,
    pub(crate) build_hash: Option<String>,
    /// `None` for a prebuilt image, like `bootstrap`.
    pub(crate) dockerfile: Option<String>,
    pub(crate) bootstrap: Option<Box<serde_json::value::RawValue>>,
}

/// `run`.
#[derive(Serialize)]
pub(crate) struct Started<'a> {
    address: &'a str,
    container_id: &'a str,
    container_name: &'a str,
    image: &'a str,
    image_id: &'a str,
    build_hash: Option<String>,
    source: &'a str,
    state: &'static str,
    num_envs: u32,
    isolation: String,
    owner: Owner,
    created: &'a str,
    env: Environment<'a>,
    versions: &'a BTreeMap<String, String>,
    built: bool,
    seconds: f64,
    /// `run --check`.
    #[serde(skip_serializing_if = "Option::is_none")]
    check: Option<Seen<'a>>,
}

#[derive(Serialize)]
struct Environment<'a> {
    id: &'a str,
    num_envs: u32,
    render_mode: Option<&'a str>,
    observation_space: &'a Space,
    action_space: &'a Space,
}

impl<'a> Started<'a> {
    pub(crate) fn new(running: &'a Running, source: &'a str, build_hash: Option<String>) -> Self {
        let handshake = &running.handshake;
        Self {
            address: &running.address,
            container_id: &running.id,
            container_name: &running.name,
            image: &running.image.tag,
            image_id: &running.image.id,
            build_hash,
            source,
            state: "running",
            num_envs: handshake.num_envs,
            isolation: running.isolation.level.to_string(),
            owner: OwnerState::from(running.ownership).into(),
            created: &running.created,
            env: handshake.into(),
            versions: &handshake.versions,
            built: running.image.built_in.is_some(),
            seconds: rounded(running.took.as_secs_f64()),
            check: running.check.as_ref().map(|report| Seen::new(report, None)),
        }
    }
}

impl<'a> From<&'a Handshake> for Environment<'a> {
    fn from(handshake: &'a Handshake) -> Self {
        Self {
            id: &handshake.env_id,
            num_envs: handshake.num_envs,
            render_mode: handshake.render_mode.as_deref(),
            observation_space: &handshake.observation_space,
            action_space: &handshake.action_space,
        }
    }
}

/// `check`.
#[derive(Serialize)]
pub(crate) struct Checked<'a> {
    source: &'a str,
    image: &'a str,
    image_id: &'a str,
    build_hash: Option<String>,
    num_envs: u32,
    env: Environment<'a>,
    versions: &'a BTreeMap<String, String>,
    built: bool,
    #[serde(flatten)]
    seen: Option<Seen<'a>>,
}

impl<'a> Checked<'a> {
    pub(crate) fn new(
        running: &'a Running,
        source: &'a str,
        build_hash: Option<String>,
        stopped_in: Duration,
    ) -> Self {
        let ends = Some((running.started_in(), stopped_in));
        Self {
            source,
            image: &running.image.tag,
            image_id: &running.image.id,
            build_hash,
            num_envs: running.handshake.num_envs,
            env: (&running.handshake).into(),
            versions: &running.handshake.versions,
            built: running.image.built_in.is_some(),
            seen: running.check.as_ref().map(|report| Seen::new(report, ends)),
        }
    }
}

/// What a check saw.
#[derive(Serialize)]
struct Seen<'a> {
    timings: Timings,
    steps: u32,
    /// The least and the greatest reward.
    #[serde(serialize_with = "finite_or_text")]
    rewards: &'a [f64],
    terminated: bool,
    truncated: bool,
    info_keys: &'a [String],
    frame: Option<Frame<'a>>,
}

/// How long each call took, in seconds.
#[derive(Serialize)]
struct Timings {
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<f64>,
    reset: f64,
    step: f64,
    render: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop: Option<f64>,
}

#[derive(Serialize)]
struct Frame<'a> {
    shape: &'a [u64],
    dtype: &'a str,
}

impl<'a> Seen<'a> {
    /// `ends` are the times of the start and the stop.
    fn new(report: &'a CheckReport, ends: Option<(Duration, Duration)>) -> Self {
        let seconds = |time: Duration| (time.as_secs_f64() * 1e6).round() / 1e6;
        Self {
            timings: Timings {
                start: ends.map(|(start, _)| seconds(start)),
                reset: seconds(report.reset),
                step: seconds(report.step),
                render: report.render.map(seconds),
                stop: ends.map(|(_, stop)| seconds(stop)),
            },
            steps: report.steps,
            rewards: &report.rewards,
            terminated: report.terminated,
            truncated: report.truncated,
            info_keys: &report.info_keys,
            frame: report.frame.as_ref().map(|frame| Frame { shape: &frame.shape, dtype: &frame.dtype }),
        }
    }
}

impl<'a> Built<'a> {
    pub(crate) fn new(image: &'a Image, source: &'a str, build_hash: Option<String>) -> Self {
        Self {
            source,
            image: &image.tag,
            image_id: &image.id,
            build_hash,
            built: image.built_in.is_some(),
            seconds: rounded(image.built_in.unwrap_or_default().as_secs_f64()),
        }
    }
}

/// `hash`.
#[derive(Serialize)]
pub(crate) struct Hashed<'a> {
    pub(crate) source: &'a str,
    pub(crate) build_hash: &'a str,
    pub(crate) image: &'a str,
}

/// A sandbox, in every list and report.
#[derive(Serialize)]
pub(crate) struct Sandbox<'a> {
    container_id: &'a str,
    container_name: &'a str,
    /// `null` if it does not run.
    address: Option<String>,
    source: Option<&'a str>,
    image: &'a str,
    image_id: Option<&'a str>,
    build_hash: Option<&'a str>,
    /// Docker's word for it, or `removed`.
    state: &'a str,
    num_envs: Option<u32>,
    /// `default` or `strict`; `null` for a sandbox of the SDK.
    isolation: Option<&'a str>,
    owner: Owner,
    created: &'a str,
}

#[derive(Serialize)]
pub(crate) struct Owner {
    pid: Option<u32>,
    /// `none`, `alive`, `gone` or `unknown`.
    state: &'static str,
}

impl From<OwnerState> for Owner {
    fn from(owner: OwnerState) -> Self {
        let (pid, state) = match owner {
            OwnerState::None => (None, "none"),
            OwnerState::Alive(pid) => (Some(pid), "alive"),
            OwnerState::Gone(pid) => (Some(pid), "gone"),
            OwnerState::Unknown(pid) => (Some(pid), "unknown"),
        };
        Self { pid, state }
    }
}

impl<'a> From<&'a listing::Sandbox> for Sandbox<'a> {
    fn from(sandbox: &'a listing::Sandbox) -> Self {
        let container = &sandbox.container;
        Self {
            container_id: sandbox.id(),
            container_name: sandbox.name(),
            address: sandbox.address(),
            source: sandbox.source(),
            image: &container.config.image,
            image_id: Some(container.image.as_str()).filter(|id| !id.is_empty()),
            build_hash: sandbox.build_hash(),
            state: &container.state.status,
            num_envs: sandbox.num_envs(),
            isolation: sandbox.isolation(),
            owner: sandbox.owner.into(),
            created: &container.created,
        }
    }
}

/// `stop` and `reap`: what was done to a sandbox.
#[derive(Serialize)]
pub(crate) struct Treated<'a> {
    #[serde(flatten)]
    sandbox: Sandbox<'a>,
    action: Action,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl<'a> Treated<'a> {
    pub(crate) fn new(sandbox: &'a listing::Sandbox, action: Action, reason: Option<String>) -> Self {
        let mut sandbox = Sandbox::from(sandbox);
        if matches!(action, Action::Stopped | Action::Removed) {
            (sandbox.state, sandbox.address) = ("removed", None);
        }
        Self { sandbox, action, reason }
    }
}

/// `inspect`.
#[derive(Serialize)]
pub(crate) struct Inspected<'a> {
    #[serde(flatten)]
    sandbox: Sandbox<'a>,
    /// `null` if it does not run or answer.
    env: Option<Environment<'a>>,
    versions: Option<&'a BTreeMap<String, String>>,
    limits: Limits,
    labels: BTreeMap<&'a str, &'a str>,
}

/// The limits of a container; `null` means no limit.
#[derive(Serialize)]
struct Limits {
    /// In bytes.
    memory: Option<u64>,
    cpus: Option<f64>,
    pids: Option<i64>,
    /// The size of `/dev/shm` in bytes.
    shm_size: u64,
}

impl<'a> Inspected<'a> {
    pub(crate) fn new(sandbox: &'a listing::Sandbox, handshake: Option<&'a Handshake>) -> Self {
        let limits = &sandbox.container.host_config;
        let mut common = Sandbox::from(sandbox);
        common.num_envs = handshake.map(|handshake| handshake.num_envs).or(common.num_envs);
        Self {
            sandbox: common,
            env: handshake.map(Environment::from),
            versions: handshake.map(|handshake| &handshake.versions),
            limits: Limits {
                memory: Some(limits.memory).filter(|memory| *memory > 0),
                cpus: limits.cpus(),
                pids: limits.pids_limit.filter(|pids| *pids > 0),
                shm_size: limits.shm_size,
            },
            labels: sandbox.container.labels().collect(),
        }
    }
}

/// `logs --format jsonl`: one object for each line.
#[derive(Serialize)]
pub(crate) struct LogLine<'a> {
    pub(crate) container_id: &'a str,
    /// With `--timestamps`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) time: Option<&'a str>,
    pub(crate) message: &'a str,
}

/// `images`: one object for each tag.
#[derive(Serialize)]
pub(crate) struct ListedImage<'a> {
    pub(crate) image: &'a str,
    pub(crate) image_id: &'a str,
    pub(crate) source: Option<&'a str>,
    pub(crate) base_image: Option<&'a str>,
    pub(crate) rlmesh_package: Option<&'a str>,
    /// Its layers, including those that it shares with other images.
    pub(crate) bytes: u64,
    pub(crate) created: &'a str,
    /// How many containers, in any state, were created from it.
    pub(crate) containers: usize,
}

/// `prune`: one object for each thing.
#[derive(Serialize)]
pub(crate) struct Pruned<'a> {
    /// `image`, `builder`, `cache` or `logs`.
    pub(crate) kind: &'static str,
    /// A tag of the image, the name of a builder, or a folder.
    pub(crate) name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) image_id: Option<&'a str>,
    pub(crate) action: Action,
    pub(crate) reason: &'a str,
    /// How many files of a folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) files: Option<usize>,
    /// What its removal gives back; `null` if unknown.
    pub(crate) bytes: Option<u64>,
}

/// `ls`.
#[derive(Serialize)]
pub(crate) struct Repository<'a> {
    /// The source with its full commit id.
    pub(crate) source: &'a str,
    pub(crate) repo: &'a str,
    pub(crate) commit: &'a str,
    pub(crate) has_env_py: bool,
    pub(crate) has_requirements_txt: bool,
    /// In bytes.
    pub(crate) size: u64,
    pub(crate) files: Vec<RepositoryFile<'a>>,
}

#[derive(Serialize)]
pub(crate) struct RepositoryFile<'a> {
    pub(crate) path: &'a str,
    /// In bytes.
    pub(crate) size: u64,
    pub(crate) is_lfs: bool,
    /// `git:<blob id>` or `sha256:<digest>`.
    pub(crate) digest: String,
}

/// What a command did or would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    Stopped,
    Removed,
    WouldRemove,
    Kept,
}

/// `doctor`.
#[derive(Serialize)]
pub(crate) struct Examined<'a> {
    pub(crate) ok: bool,
    pub(crate) checks: &'a [Check],
}

/// One check of `doctor`.
#[derive(Debug, Serialize)]
pub(crate) struct Check {
    pub(crate) name: &'static str,
    pub(crate) status: Status,
    /// Whether sandboxes can run.
    pub(crate) ok: bool,
    pub(crate) found: String,
    pub(crate) hint: Option<String>,
    /// How long it took.
    #[serde(serialize_with = "in_milliseconds")]
    pub(crate) seconds: f64,
}

/// What a check of `doctor` comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    Ok,
    /// Sandboxes can run, but something may be missing.
    Warn,
    No,
}

fn in_milliseconds<S: Serializer>(seconds: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(rounded(*seconds))
}

#[derive(Serialize)]
struct Wrapped<'a> {
    error: Failed<'a>,
}

#[derive(Serialize)]
struct Failed<'a> {
    kind: &'a str,
    exit_code: u8,
    message: String,
    hints: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<&'a str>,
    log_file: Option<String>,
}

/// An error as one line of JSON.
pub(crate) fn error(error: &SandboxError) -> String {
    let wrapped = Wrapped {
        error: Failed {
            kind: error.kind(),
            exit_code: error.exit().code(),
            message: error.to_string(),
            hints: error.hints(),
            details: error.details(),
            log_file: error.log_file().map(|file| file.display().to_string()),
        },
    };
    let json = serde_json::to_string(&wrapped);
    harmless(&json.unwrap_or_else(|error| unreachable!("texts always serialize: {error}")))
}

/// A line of stderr that is not an error: `{"log":{"message":…}}`.
pub(crate) fn message(kind: &str, text: &str) -> String {
    harmless(&serde_json::json!({ kind: { "message": text } }).to_string())
}

/// The same JSON, with characters escaped that change how a terminal shows a line.
pub(crate) fn harmless(json: &str) -> String {
    let mut result = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_control() || is_invisible(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(result, "\\u{unit:04x}");
            }
        } else {
            result.push(c);
        }
    }
    result
}

/// Rounds to milliseconds.
fn rounded(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_harmless_and_means_the_same() {
        let text = "a\u{9b}31m\u{202e}b\u{e0041}\x1b";
        let line = message("log", text);
        assert!(line.is_ascii() && !line.contains(char::is_control), "{line}");
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["log"]["message"], text);
    }
}
