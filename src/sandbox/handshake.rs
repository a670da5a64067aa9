//! The handshake of rlmesh's wire protocol, and the wait for its first answer.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use http::uri::PathAndQuery;
use tonic::transport::Endpoint;

use crate::contract::{HANDSHAKE_METHOD, PROTOCOL_GENERATION};
use crate::error::SandboxError;
use crate::host::interrupt::Interrupt;
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
            observation_space: spec.observation_space.unwrap_or_default().into(),
            action_space: spec.action_space.unwrap_or_default().into(),
            versions,
            mismatch,
        }
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

/// Tries the handshake with `address` (`host:port`) until it is answered, `limit` is reached, or `has_ended`
/// returns true. `has_ended` is called between attempts and must not block.
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
    let endpoint = Endpoint::from_shared(format!("http://{address}"))
        .map_err(|error| Attempt::NotYet(error.to_string()))?;
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
    use super::*;

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
