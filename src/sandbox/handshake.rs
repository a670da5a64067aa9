//! The handshake of rlmesh's wire protocol, and the wait for its first answer.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::{Duration, Instant};

use http::uri::PathAndQuery;
use tonic::transport::Endpoint;

use crate::contract::{HANDSHAKE_METHOD, PROTOCOL_GENERATION};
use crate::error::{Problem, SandboxError};
use crate::host::interrupt::Interrupt;
use crate::host::socket_dir::is_socket;
use crate::plan::{Plan, ResolvedSource};
use crate::sandbox::gym_space::{Space, wire};

/// The pause between two attempts: short at first, and longer after [`LATER`].
const PAUSE: Duration = Duration::from_millis(6);
const LATER_PAUSE: Duration = Duration::from_millis(50);
const LATER: Duration = Duration::from_secs(3);

/// The time limit of one attempt: Docker's proxy can accept a connection before the server listens.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(2);

#[derive(Clone, PartialEq, prost::Message)]
struct HandshakeRequest {
    #[prost(message, optional, tag = "1")]
    base: Option<RequestBase>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct RequestBase {
    #[prost(string, tag = "1")]
    protocol_generation: String,
    #[prost(message, optional, tag = "2")]
    peer: Option<PeerInfo>,
    #[prost(map = "string, string", tag = "3")]
    capabilities: HashMap<String, String>,
    #[prost(string, repeated, tag = "4")]
    editions: Vec<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct PeerInfo {
    #[prost(string, tag = "1")]
    component: String,
    #[prost(string, tag = "2")]
    package_version: String,
    #[prost(string, tag = "3")]
    language: String,
    #[prost(string, tag = "4")]
    language_version: String,
    #[prost(string, tag = "5")]
    os: String,
    #[prost(string, tag = "6")]
    os_version: String,
    #[prost(string, tag = "7")]
    arch: String,
    #[prost(map = "string, string", tag = "8")]
    framework_versions: HashMap<String, String>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct HandshakeResponse {
    #[prost(message, optional, tag = "1")]
    base: Option<ResponseBase>,
    #[prost(message, optional, tag = "2")]
    contract: Option<Contract>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ResponseBase {
    #[prost(bool, tag = "1")]
    compatible: bool,
    #[prost(message, optional, tag = "2")]
    peer: Option<PeerInfo>,
    #[prost(string, optional, tag = "5")]
    error_message: Option<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Contract {
    #[prost(message, optional, tag = "1")]
    spec: Option<EnvSpec>,
    #[prost(uint32, tag = "2")]
    num_envs: u32,
    #[prost(string, tag = "3")]
    render_mode: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct EnvSpec {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(message, optional, tag = "2")]
    action_space: Option<wire::Space>,
    #[prost(message, optional, tag = "3")]
    observation_space: Option<wire::Space>,
    #[prost(message, optional, tag = "4")]
    metadata: Option<Metadata>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Metadata {
    #[prost(map = "string, message", tag = "1")]
    values: HashMap<String, MetadataValue>,
}

/// A text, or a list; other kinds are not read.
#[derive(Clone, PartialEq, prost::Message)]
struct MetadataValue {
    #[prost(string, optional, tag = "3")]
    text: Option<String>,
    #[prost(message, optional, tag = "6")]
    list: Option<MetadataList>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct MetadataList {
    #[prost(message, repeated, tag = "1")]
    values: Vec<MetadataValue>,
}

/// What a ready server reports about itself and its environment.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Handshake {
    /// The environment's id, as the server reports it.
    pub env_id: String,
    /// How many copies are stepped together.
    pub num_envs: u32,
    /// The render mode, if the environment has one.
    pub render_mode: Option<String>,
    /// The render modes that the environment can have, from its metadata; empty if it does not list them.
    pub render_modes: Vec<String>,
    /// The space of one copy's observations.
    pub observation_space: Space,
    /// The space of one copy's actions.
    pub action_space: Space,
    /// The versions of `rlmesh`, `python`, `gymnasium`, `numpy` and others in the container.
    pub versions: BTreeMap<String, String>,
    /// Why the server's protocol is not compatible with this crate; `None` if it is compatible.
    pub mismatch: Option<String>,
}

impl From<HandshakeResponse> for Handshake {
    fn from(response: HandshakeResponse) -> Self {
        let base = response.base.unwrap_or_default();
        let contract = response.contract.unwrap_or_default();
        let spec = contract.spec.unwrap_or_default();
        let peer = base.peer.unwrap_or_default();
        let mut versions: BTreeMap<String, String> = peer.framework_versions.into_iter().collect();
        let language = Some(peer.language).filter(|language| !language.is_empty());
        versions.insert("rlmesh".to_owned(), peer.package_version);
        versions.insert(language.unwrap_or_else(|| "language".to_owned()), peer.language_version);
        versions.retain(|_, version| !version.is_empty());
        let reason = base.error_message.filter(|reason| !reason.is_empty());
        let mismatch = (!base.compatible).then(|| {
            reason.unwrap_or_else(|| format!("the server does not accept the protocol {PROTOCOL_GENERATION}"))
        });
        Self {
            env_id: spec.id,
            num_envs: contract.num_envs.max(1),
            render_mode: Some(contract.render_mode).filter(|mode| !mode.is_empty()),
            render_modes: spec.metadata.unwrap_or_default().render_modes(),
            observation_space: spec.observation_space.unwrap_or_default().into(),
            action_space: spec.action_space.unwrap_or_default().into(),
            versions,
            mismatch,
        }
    }
}

impl Metadata {
    fn render_modes(mut self) -> Vec<String> {
        let list = self.values.remove("render_modes").and_then(|value| value.list).unwrap_or_default();
        list.values.into_iter().filter_map(|value| value.text).collect()
    }
}

/// Looks for what makes an environment that has answered useless, or not what was requested. Returns warnings.
///
/// # Errors
/// ContainerStartup if no client can use it, or if it has another number of copies.
pub(crate) fn review(plan: &Plan, handshake: &Handshake) -> Result<Vec<String>, SandboxError> {
    let spaces = [("observation", &handshake.observation_space), ("action", &handshake.action_space)];
    for (name, space) in spaces {
        if let Some((path, empty)) = space.empty_box() {
            return Err(SandboxError::ContainerStartup(Problem::new(
                format!("the {name} space{path} of {} is empty: {empty}", handshake.env_id),
                "rlmesh's clients cannot read an empty space: change the environment, or configure it with -k, so that every space has an element",
            )));
        }
    }
    let (asked, served) = (plan.serving.num_envs, handshake.num_envs);
    if asked > 1 && asked != served {
        return Err(other_number(plan, asked, served));
    }
    let mut warnings = Vec::new();
    if let Some(reason) = &handshake.mismatch {
        warnings.push(format!(
            "the container's rlmesh uses another protocol than this tool ({PROTOCOL_GENERATION}): {reason}"
        ));
    }
    if asked == 1 && served > 1 && plan.build().is_some() {
        warnings.push(format!(
            "the environment serves {served} copies although one was requested: connect with RemoteVectorEnv"
        ));
    }
    if let Some(asked) = plan.serving.kwargs.get("render_mode").and_then(serde_json::Value::as_str) {
        warnings.extend(render_mode_warning(asked, handshake));
    }
    Ok(warnings)
}

fn other_number(plan: &Plan, asked: u32, served: u32) -> SandboxError {
    let copies = |count: u32| if count == 1 { "1 copy".to_owned() } else { format!("{count} copies") };
    let reason = match plan.build().map(|build| &build.spec.source) {
        Some(ResolvedSource::Hf { .. } | ResolvedSource::Folder(_)) => {
            "make_env in env.py decides that itself"
        }
        Some(ResolvedSource::Gym { .. }) | None => "the image decides that itself",
    };
    SandboxError::ContainerStartup(Problem::new(
        format!("the environment serves {}, but -n {asked} was requested", copies(served)),
        format!("{reason}: use -n {served}, and start another sandbox for each further copy that you need"),
    ))
}

fn render_mode_warning(asked: &str, handshake: &Handshake) -> Option<String> {
    let modes = &handshake.render_modes;
    let offered = match &modes[..] {
        [] => String::new(),
        modes => format!(" (it lists {})", modes.join(", ")),
    };
    match &handshake.render_mode {
        None => Some(format!(
            "render_mode={asked} was requested, but the environment has no render mode{offered}"
        )),
        Some(mode) if mode != asked => Some(format!(
            "render_mode={asked} was requested, but the environment has render mode {mode}{offered}"
        )),
        Some(_) if !modes.is_empty() && !modes.iter().any(|mode| mode == asked) => {
            Some(format!("render_mode={asked} is not one of the environment's render modes{offered}"))
        }
        Some(_) => None,
    }
}

/// Why no answer came.
#[derive(Debug)]
pub(crate) enum NotReady {
    /// The time limit was reached; the last attempt failed with this error.
    TimedOut(String),
    /// The container has ended.
    Ended,
    /// The server is not an rlmesh environment.
    NotRlmesh(String),
    /// A signal arrived.
    Interrupted(crate::error::Signal),
}

/// Tries the handshake with `address` (`tcp://host:port` or `unix:///path`) until it is answered, `limit` is reached,
/// or `has_ended` returns true. `has_ended` is called between attempts and must not block.
pub(crate) async fn wait(
    address: &str,
    limit: Duration,
    interrupt: &Interrupt,
    has_ended: impl Fn() -> bool,
) -> Result<Handshake, NotReady> {
    let began = Instant::now();
    let deadline = began + limit;
    loop {
        let last =
            match attempt(address, deadline.saturating_duration_since(Instant::now()).min(ATTEMPT_LIMIT))
                .await
            {
                Ok(handshake) => return Ok(handshake),
                Err(Attempt::NotYet(reason)) => reason,
                Err(Attempt::NotRlmesh(reason)) => return Err(NotReady::NotRlmesh(reason)),
            };
        if let Err(SandboxError::Interrupted(signal)) = interrupt.check() {
            return Err(NotReady::Interrupted(signal));
        }
        if has_ended() {
            return Err(NotReady::Ended);
        }
        let pause = if began.elapsed() < LATER { PAUSE } else { LATER_PAUSE };
        if Instant::now() + pause >= deadline {
            return Err(NotReady::TimedOut(last));
        }
        tokio::time::sleep(pause).await;
    }
}

enum Attempt {
    NotYet(String),
    NotRlmesh(String),
}

async fn attempt(address: &str, limit: Duration) -> Result<Handshake, Attempt> {
    let uri = match (address.strip_prefix("tcp://"), address.strip_prefix("unix://")) {
        (Some(tcp), _) => format!("http://{tcp}"),
        // A link could lead to another server.
        (None, Some(socket)) if !is_socket(Path::new(socket)) => {
            return Err(Attempt::NotYet("its socket does not exist yet".to_owned()));
        }
        _ => address.to_owned(),
    };
    let endpoint = Endpoint::from_shared(uri).map_err(|error| Attempt::NotYet(error.to_string()))?;
    let call = async {
        let channel = endpoint.connect().await.map_err(|error| Attempt::NotYet(chain(&error)))?;
        let mut client = tonic::client::Grpc::new(channel);
        client.ready().await.map_err(|error| Attempt::NotYet(chain(&error)))?;
        let codec = tonic_prost::ProstCodec::<HandshakeRequest, HandshakeResponse>::default();
        let answer = client
            .unary(tonic::Request::new(request()), PathAndQuery::from_static(HANDSHAKE_METHOD), codec)
            .await;
        answer.map_err(|status| failed_attempt(&status))
    };
    match tokio::time::timeout(limit, call).await {
        Ok(Ok(response)) => Ok(response.into_inner().into()),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(Attempt::NotYet("no answer to the handshake".to_owned())),
    }
}

/// A server without the method is not an rlmesh server. Any other error may come from a server that is still
/// starting.
fn failed_attempt(status: &tonic::Status) -> Attempt {
    match status.code() {
        tonic::Code::Unimplemented => Attempt::NotRlmesh(status.message().to_owned()),
        _ => Attempt::NotYet(format!("{}: {}", status.code(), status.message())),
    }
}

fn request() -> HandshakeRequest {
    let peer = PeerInfo {
        component: "rlmesh-sandbox".to_owned(),
        package_version: env!("CARGO_PKG_VERSION").to_owned(),
        language: "rust".to_owned(),
        os: std::env::consts::OS.to_owned(),
        arch: std::env::consts::ARCH.to_owned(),
        ..PeerInfo::default()
    };
    HandshakeRequest {
        base: Some(RequestBase {
            protocol_generation: PROTOCOL_GENERATION.to_owned(),
            peer: Some(peer),
            ..RequestBase::default()
        }),
    }
}

/// The text of an error and of its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let mut texts: Vec<String> = causes.map(ToString::to_string).collect();
    texts.dedup();
    texts.join(": ")
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::plan::samples;

    #[test]
    fn an_empty_answer_gives_defaults() {
        let handshake = Handshake::from(HandshakeResponse::default());
        assert_eq!(handshake.num_envs, 1);
        assert!(handshake.mismatch.is_some_and(|reason| reason.contains(PROTOCOL_GENERATION)));
        assert!(handshake.versions.is_empty());
    }

    #[test]
    fn a_mismatch_is_reported_in_the_servers_words() {
        let base = ResponseBase { error_message: Some("v9 is not v1".into()), ..ResponseBase::default() };
        let handshake = Handshake::from(HandshakeResponse { base: Some(base), contract: None });
        assert_eq!(handshake.mismatch.as_deref(), Some("v9 is not v1"));
    }

    fn boxed(shape: &[i64]) -> Space {
        Space::Box { shape: shape.to_vec(), dtype: "float32", low: Vec::new(), high: Vec::new() }
    }

    fn handshake(num_envs: u32, render_mode: Option<&str>, observation_space: Space) -> Handshake {
        Handshake {
            env_id: "X-v0".to_owned(),
            num_envs,
            render_mode: render_mode.map(str::to_owned),
            render_modes: vec!["human".to_owned(), "rgb_array".to_owned()],
            observation_space,
            action_space: Space::Discrete { n: 2, start: 0 },
            versions: BTreeMap::new(),
            mismatch: None,
        }
    }

    #[test]
    fn the_recorded_render_modes_are_read() {
        let bytes = include_bytes!("../../tests/fixtures/handshake-cartpole.bin");
        let handshake = Handshake::from(HandshakeResponse::decode(&bytes[..]).unwrap());
        assert_eq!(handshake.render_modes, ["human", "rgb_array"]);
        assert_eq!(handshake.render_mode, None);
    }

    #[test]
    fn a_number_of_copies_that_was_requested_is_required() {
        let mut plan = samples::plan(samples::hf());
        for (asked, served, fails, warns) in
            [(1, 1, false, 0), (2, 2, false, 0), (2, 1, true, 0), (2, 3, true, 0), (1, 3, false, 1)]
        {
            plan.serving.num_envs = asked;
            let reviewed = review(&plan, &handshake(served, None, boxed(&[1])));
            assert_eq!(reviewed.is_err(), fails, "{asked} {served}");
            assert_eq!(reviewed.map_or(0, |warnings| warnings.len()), warns, "{asked} {served}");
        }
        plan.serving.num_envs = 2;
        let error = review(&plan, &handshake(1, None, boxed(&[1]))).unwrap_err();
        assert_eq!(error.to_string(), "the environment serves 1 copy, but -n 2 was requested");
        assert!(
            error.hints()[0].starts_with("make_env in env.py decides that itself: use -n 1"),
            "{error:?}"
        );
        // A prebuilt image may choose how many copies it serves if the user does not.
        assert!(review(&samples::prebuilt("x"), &handshake(3, None, boxed(&[1]))).unwrap().is_empty());
    }

    #[test]
    fn an_empty_space_is_found_where_it_is() {
        let nested = Space::Dict {
            spaces: vec![
                ("a".to_owned(), boxed(&[2])),
                ("b".to_owned(), Space::Tuple { spaces: vec![boxed(&[1]), boxed(&[3, 0])] }),
            ],
        };
        let error = review(&samples::prebuilt("x"), &handshake(1, None, nested)).unwrap_err();
        assert_eq!(error.to_string(), "the observation space['b'][1] of X-v0 is empty: Box((3, 0), float32)");
        // An array without axes has one element.
        assert!(review(&samples::prebuilt("x"), &handshake(1, None, boxed(&[]))).is_ok());
    }

    #[test]
    fn a_render_mode_that_is_not_there_is_a_warning() {
        let mut plan = samples::prebuilt("x");
        for (asked, has, warning) in [
            (None, None, ""),
            (None, Some("human"), ""),
            (Some("rgb_array"), Some("rgb_array"), ""),
            (Some("rgb_array"), None, "has no render mode (it lists human, rgb_array)"),
            (Some("rgb_array"), Some("human"), "has render mode human"),
            (Some("ansi"), Some("ansi"), "render_mode=ansi is not one of the environment's render modes"),
        ] {
            plan.serving.kwargs.clear();
            if let Some(asked) = asked {
                plan.serving.kwargs.insert("render_mode".to_owned(), asked.into());
            }
            let warnings = review(&plan, &handshake(1, has, boxed(&[1]))).unwrap().join(";");
            assert_eq!(warnings.is_empty(), warning.is_empty(), "{warnings}");
            assert!(warnings.contains(warning), "{warnings}");
        }
    }

    fn wait_here(address: &str, limit: Duration, interrupt: &Interrupt, has_ended: bool) -> NotReady {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(wait(address, limit, interrupt, || has_ended)).unwrap_err()
    }

    /// A port without a server.
    fn closed() -> String {
        std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
    }

    #[test]
    fn the_wait_ends_with_the_time_the_watch_or_a_signal() {
        let limit = Duration::from_millis(60);
        let calm = Interrupt::default();
        assert!(matches!(wait_here(&closed(), limit, &calm, false), NotReady::TimedOut(_)));
        let long = Duration::from_secs(3600);
        assert!(matches!(wait_here(&closed(), long, &calm, true), NotReady::Ended));
        let raised = Interrupt::default();
        raised.raise(crate::error::Signal::Interrupt);
        assert!(matches!(wait_here(&closed(), long, &raised, false), NotReady::Interrupted(_)));
    }

    #[test]
    fn a_port_that_accepts_and_says_nothing_is_not_ready() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let outcome = wait_here(&address, Duration::from_millis(200), &Interrupt::default(), false);
        assert!(matches!(outcome, NotReady::TimedOut(_)), "{outcome:?}");
    }
}
