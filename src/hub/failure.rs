//! Why a request to the Hub failed, and the error for the user.

use std::path::PathBuf;
use std::time::Duration;

use crate::error::{Problem, SandboxError, Signal};
use crate::hub::offline;
use crate::hub::tree::{ListingError, quote};
use crate::settings::hub::HubSettings;
use crate::settings::size::HumanSize;

/// Why a request, or the handling of its answer, failed.
#[derive(Debug)]
pub(crate) enum Fault {
    Interrupted(Signal),
    /// Another request failed, so this one was stopped.
    Stopped,
    /// The settings do not allow requests.
    Offline,
    /// A server answered with an error.
    Refused(Refusal),
    NoConnection {
        host: String,
        reason: String,
    },
    /// The server's certificate is not trusted.
    NotTrusted {
        host: String,
        reason: String,
    },
    Proxy(String),
    /// The connection broke before the answer was complete.
    Broken {
        host: String,
        reason: String,
    },
    /// A redirect that is not followed.
    Redirect(String),
    /// An answer that the Hub would not give.
    Unexpected(String),
    /// A listing that is not safe to use.
    Unsafe(ListingError),
    /// An answer for another commit, with its name.
    OtherCommit(String),
    /// A content that differs from the one that the commit records.
    Mismatch(String),
    /// The destination of a file already exists.
    Occupied(PathBuf),
    /// An error on this machine, such as a full disk.
    System(SandboxError),
}

impl From<SandboxError> for Fault {
    fn from(error: SandboxError) -> Self {
        Fault::System(error)
    }
}

/// An answer that is an error.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// The Hub's X-Error-Code, such as `RevisionNotFound`.
    pub(crate) code: Option<String>,
    pub(crate) message: Option<String>,
    /// How long the server asks to wait.
    pub(crate) wait: Option<Duration>,
    pub(crate) host: String,
    /// Whether it came from the Hub, rather than from a host that the Hub redirects to.
    pub(crate) is_hub: bool,
}

impl Fault {
    pub(crate) fn of(error: ureq::Error, host: String) -> Self {
        use std::io::ErrorKind;
        let text = error.to_string();
        match error {
            ureq::Error::HostNotFound => {
                Fault::NoConnection { reason: format!("the name {host} has no address"), host }
            }
            ureq::Error::ConnectionFailed
            | ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
                Fault::NoConnection { reason: format!("{host} does not respond"), host }
            }
            ureq::Error::Tls(_) | ureq::Error::Rustls(_) => Fault::NotTrusted { host, reason: text },
            ureq::Error::BodyExceedsLimit(limit) => {
                Fault::Unexpected(format!("its answer is larger than {}", HumanSize(limit)))
            }
            ureq::Error::ConnectProxyFailed(reason) => Fault::Proxy(reason),
            ureq::Error::InvalidProxyUrl => Fault::Proxy(text),
            ureq::Error::Timeout(_) => Fault::Broken { reason: format!("{host} sent no data in time"), host },
            ureq::Error::Io(error) if text.contains("certificate") || text.contains("tls") => {
                Fault::NotTrusted { host, reason: error.to_string() }
            }
            // Errors of the resolver have no special kind.
            ureq::Error::Io(_) if text.contains("lookup address") || text.contains("resolve") => {
                Fault::NoConnection { reason: format!("the name {host} could not be resolved"), host }
            }
            ureq::Error::Io(error) => match error.kind() {
                ErrorKind::ConnectionRefused
                | ErrorKind::HostUnreachable
                | ErrorKind::NetworkUnreachable
                | ErrorKind::AddrNotAvailable
                | ErrorKind::PermissionDenied => Fault::NoConnection { host, reason: error.to_string() },
                ErrorKind::UnexpectedEof
                | ErrorKind::ConnectionReset
                | ErrorKind::ConnectionAborted
                | ErrorKind::BrokenPipe => {
                    Fault::Broken { reason: format!("{host} closed the connection"), host }
                }
                _ => Fault::Broken { host, reason: error.to_string() },
            },
            _ => Fault::Broken { host, reason: text },
        }
    }

    /// Whether the same request may succeed later.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Fault::Refused(refusal) => {
                matches!(refusal.status, 408 | 425 | 429 | 500 | 502 | 503 | 504)
                    // The address of a file on another host expires. The Hub then returns a new one.
                    || (!refusal.is_hub && (400..500).contains(&refusal.status))
            }
            Fault::Broken { .. } | Fault::NoConnection { .. } | Fault::Mismatch(_) => true,
            Fault::Interrupted(_)
            | Fault::Stopped
            | Fault::Offline
            | Fault::NotTrusted { .. }
            | Fault::Proxy(_)
            | Fault::Redirect(_)
            | Fault::Unexpected(_)
            | Fault::Unsafe(_)
            | Fault::OtherCommit(_)
            | Fault::Occupied(_)
            | Fault::System(_) => false,
        }
    }

    /// How long the server asks to wait before the next request.
    pub(crate) fn wait(&self) -> Option<Duration> {
        match self {
            Fault::Refused(refusal) => refusal.wait,
            _ => None,
        }
    }

    /// A short description of a fault that may pass, for progress.
    pub(crate) fn summary(&self) -> String {
        match self {
            Fault::Refused(Refusal { status: 429, host, .. }) => {
                format!("{host} limits the number of requests")
            }
            Fault::Refused(refusal) => format!("{} answered with status {}", refusal.host, refusal.status),
            Fault::NoConnection { reason, .. } | Fault::Broken { reason, .. } => reason.clone(),
            Fault::Mismatch(text) => text.clone(),
            _ => "the request failed".to_owned(),
        }
    }

    /// The error for a request about no repository.
    #[cfg(feature = "cli")]
    pub(crate) fn on_the_way(self, endpoint: &str) -> SandboxError {
        let reason = match self {
            Fault::Interrupted(signal) => return SandboxError::Interrupted(signal),
            Fault::System(error) => return error,
            Fault::NoConnection { reason, .. } | Fault::Proxy(reason) => reason,
            Fault::NotTrusted { reason, .. } => format!("its certificate is not trusted: {reason}"),
            other => other.summary(),
        };
        SandboxError::SourceResolution(Problem::new(
            format!("{endpoint} does not answer: {reason}"),
            "only hf:// sources need it: check the network, HTTPS_PROXY and HF_ENDPOINT, or set HF_HUB_OFFLINE=1",
        ))
    }
}

/// What is requested, for messages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) settings: &'a HubSettings,
    /// `org/repo`.
    pub(crate) repo: &'a str,
    pub(crate) revision: Option<&'a str>,
    /// The file, if only one is requested.
    pub(crate) file: Option<&'a str>,
}

impl Request<'_> {
    /// The error that a user sees for a fault.
    pub(crate) fn error(&self, fault: Fault) -> SandboxError {
        let endpoint = self.settings.endpoint_text();
        let what = self.what();
        let problem = match fault {
            Fault::Interrupted(signal) => return SandboxError::Interrupted(signal),
            Fault::System(error) => return error,
            Fault::Offline => return offline(&format!("{what} was not fetched on this machine before")),
            Fault::Occupied(path) => {
                return SandboxError::System(Problem::new(
                    format!("{} already exists", path.display()),
                    "run it again",
                ));
            }
            Fault::Refused(refusal) => self.refused(&refusal),
            Fault::NoConnection { host, reason } => Problem::new(
                format!("{what} cannot be fetched: no connection to {host}: {reason}"),
                "check the network, HTTPS_PROXY and HF_ENDPOINT",
            )
            .hint("set HF_HUB_OFFLINE=1 to use files that were fetched before"),
            Fault::NotTrusted { host, reason } => Problem::new(
                format!("{what} cannot be fetched: the certificate of {host} is not trusted: {reason}"),
                "behind a company's proxy, set SSL_CERT_FILE to its certificates, or install them on this system",
            )
            .hint("check this machine's clock"),
            Fault::Proxy(reason) => Problem::new(
                format!("{what} cannot be fetched through the proxy: {reason}"),
                "check HTTPS_PROXY, HTTP_PROXY and NO_PROXY",
            ),
            Fault::Broken { host, reason } => Problem::new(
                format!("{what} cannot be fetched: the connection to {host} keeps breaking ({reason})"),
                "run it again; it continues where it stopped",
            ),
            Fault::Redirect(why) => Problem::new(
                format!("{what} cannot be fetched: {why}"),
                format!("check that HF_ENDPOINT is the address of a Hub: it is {endpoint}"),
            ),
            Fault::Unexpected(why) => Problem::new(
                format!("{what} cannot be fetched: {endpoint} did not answer like a Hub: {why}"),
                "check HF_ENDPOINT, and check that the network does not require a login first",
            ),
            Fault::Unsafe(error) => Problem::new(
                format!("{what} cannot be used: {error}"),
                "ask the owner of the repository to fix it; nothing was fetched",
            ),
            Fault::OtherCommit(commit) => Problem::new(
                format!("{what} cannot be used: the Hub answered with the commit {} instead of {}", quote(&commit), self.revision.unwrap_or("the requested one")),
                "run it again; if that does not help, do not trust the answers: check HF_ENDPOINT and the network",
            ),
            Fault::Mismatch(why) => Problem::new(
                format!("{what} is not the file that the commit records: {why}"),
                "run it again; if that does not help, do not trust the file: it was changed on the Hub or on the network",
            ),
            Fault::Stopped => Problem::new(format!("{what} was not fetched"), "run it again"),
        };
        SandboxError::SourceResolution(problem)
    }

    fn refused(&self, refusal: &Refusal) -> Problem {
        let (what, endpoint, repo) = (self.what(), self.settings.endpoint_text(), self.repo);
        let message = refusal.message.as_deref().unwrap_or_default();
        if !refusal.is_hub {
            return Problem::new(
                format!(
                    "{what} cannot be fetched: the file store {} answered with status {}",
                    refusal.host, refusal.status
                ),
                "run it again; it continues where it stopped",
            );
        }
        let token = self.settings.token.as_ref().map(|token| token.origin());
        let log_in = "set HF_TOKEN, or log in with `hf auth login`";
        match (refusal.status, refusal.code.as_deref()) {
            (401, _) if message.contains("Invalid credentials") => match token {
                Some(origin) => Problem::new(
                    format!("the Hub refuses the token from {origin}"),
                    format!(
                        "create a new token at {endpoint}/settings/tokens, or remove the token: public repositories do not need one"
                    ),
                ),
                None => Problem::new("the Hub refuses the request's credentials", log_in),
            },
            (403, _) if message.contains("is disabled") => Problem::new(
                format!("the Hub has disabled hf://{repo}"),
                format!("see {endpoint}/{repo} for the reason, or ask the repository's owner"),
            ),
            (401 | 403, Some("GatedRepo")) => match token {
                Some(origin) => Problem::new(
                    format!(
                        "hf://{repo} is gated, and the user of the token from {origin} has no access to it"
                    ),
                    format!("ask for access at {endpoint}/{repo}"),
                ),
                None => Problem::new(
                    format!("hf://{repo} is gated: its owner must grant you access"),
                    format!("ask for access at {endpoint}/{repo}, then {log_in}"),
                ),
            },
            (404, Some("RevisionNotFound")) => Problem::new(
                format!("hf://{repo} has no revision {}", self.revision.unwrap_or("of that name")),
                format!(
                    "see {endpoint}/{repo}/commits/main for its commits; use all 40 digits of a commit id"
                ),
            ),
            (404, Some("EntryNotFound")) => Problem::new(
                format!("{what} cannot be fetched: the Hub lists it but does not have it"),
                "run it again; if that does not help, ask the owner of the repository to upload the file again",
            ),
            (404, None) if !self.settings.is_public() => Problem::new(
                format!("hf://{repo} was not found at {endpoint}"),
                "check the name and HF_ENDPOINT",
            ),
            (401 | 404, _) => match token {
                Some(origin) => Problem::new(
                    format!(
                        "hf://{repo} was not found: it does not exist, or the token from {origin} has no access to it"
                    ),
                    format!(
                        "check the name at {endpoint}/{repo}; for a private repository, use the token of a user who can read it"
                    ),
                ),
                None => Problem::new(
                    format!("hf://{repo} was not found: it does not exist, or it is private or gated"),
                    format!(
                        "check the name at {endpoint}/{repo}; for a private or gated repository, {log_in}"
                    ),
                ),
            },
            (429, _) => {
                let when = refusal.wait.map_or_else(
                    || "in five minutes".to_owned(),
                    |wait| format!("in {} s", wait.as_secs_f64().ceil()),
                );
                let problem = Problem::new(
                    format!("{what} cannot be fetched: too many requests were sent to the Hub"),
                    format!("run it again {when}; it continues where it stopped"),
                );
                if token.is_some() {
                    problem
                } else {
                    problem.hint(format!("to be allowed more requests, {log_in}"))
                }
            }
            (status @ 500.., _) => Problem::new(
                format!("{what} cannot be fetched: the Hub has a problem and answered with status {status}"),
                "run it again later; see https://status.huggingface.co",
            ),
            (status, _) => {
                let message = if message.is_empty() { String::new() } else { format!(": {message}") };
                Problem::new(
                    format!("{what} cannot be fetched: the Hub answered with status {status}{message}"),
                    format!("check the name at {endpoint}/{repo}, and HF_ENDPOINT"),
                )
            }
        }
    }

    /// What is requested, in the form of a source.
    pub(crate) fn what(&self) -> String {
        match (self.file, self.revision) {
            (Some(file), _) => format!("{file} of hf://{}", self.repo),
            (None, Some(revision)) => format!("hf://{}@{revision}", self.repo),
            (None, None) => format!("hf://{}", self.repo),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(variables: &[(&str, &str)], status: u16, code: Option<&str>, message: Option<&str>) -> String {
        let settings = HubSettings::from_variables(&variables.iter().copied().collect()).unwrap();
        let request = Request { settings: &settings, repo: "org/repo", revision: Some("v1"), file: None };
        let error = request.error(Fault::Refused(Refusal {
            status,
            code: code.map(str::to_owned),
            message: message.map(str::to_owned),
            wait: None,
            host: "huggingface.co".to_owned(),
            is_hub: true,
        }));
        assert_eq!(error.kind(), "SourceResolution");
        assert!(!error.hints().is_empty());
        format!("{error} | {}", error.hints().join(" | "))
    }

    #[test]
    fn each_refusal_has_its_own_message_and_hint() {
        let token = [("HF_TOKEN", "hf_secret")];
        let mut sentences = Vec::new();
        for (variables, status, code, message, part) in [
            (&[][..], 401, None, None, "private or gated"),
            (&token[..], 404, Some("RepoNotFound"), None, "the token from HF_TOKEN has no access to it"),
            (
                &token[..],
                401,
                None,
                Some("Invalid credentials in Authorization header"),
                "refuses the token from HF_TOKEN",
            ),
            (&[][..], 401, Some("GatedRepo"), None, "its owner must grant"),
            (&token[..], 403, Some("GatedRepo"), None, "has no access to it"),
            (&[][..], 403, None, Some("Access to this resource is disabled."), "disabled"),
            (&[][..], 404, Some("RevisionNotFound"), None, "no revision v1"),
            (&[][..], 404, Some("EntryNotFound"), None, "does not have it"),
            (&[][..], 429, None, None, "too many requests"),
            (&[][..], 503, None, None, "answered with status 503"),
            (&[][..], 418, None, Some("teapot"), "answered with status 418: teapot"),
        ] {
            let sentence = error(variables, status, code, message);
            assert!(sentence.contains(part), "{sentence}");
            assert!(!sentence.contains("hf_secret"), "{sentence}");
            sentences.push(sentence);
        }
        let count = sentences.len();
        sentences.sort();
        sentences.dedup();
        assert_eq!(sentences.len(), count);
    }
}
