//! The JSON objects of sandboxes: what runs, what a check saw, and what was done to a sandbox.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::{Action, seconds};
use crate::sandbox::check::CheckReport;
use crate::sandbox::gym_space::{Space, finite_or_text};
use crate::sandbox::handshake::Handshake;
use crate::sandbox::listing::{self, OwnerState};
use crate::sandbox::start::Running;

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
            seconds: seconds(running.took),
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
