//! What goes wrong between here and the Hub, and how the user is told; it asks nobody again.

use std::time::Duration;

use crate::error::{Problem, SandboxError, Signal};
use crate::settings::hub::HubSettings;

/// Why a request brought nothing.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    Interrupted(Signal),
    /// Another request's failure ended this one.
    Stopped,
    /// There was an answer, and it was no.
    Refused(Refusal),
    NoConnection {
        host: String,
        reason: String,
    },
    /// Nobody says that the server is who it claims to be.
    NotTrusted {
        host: String,
        reason: String,
    },
    Proxy(String),
    /// The answer began, or should have, and did not end.
    Broken {
        host: String,
        reason: String,
    },
    /// A redirect that is not followed.
    Redirect(String),
    /// An answer that no Hub gives.
    Nonsense(String),
    /// A content that is not what the commit says.
    Mismatch(String),
}

/// An answer that was no.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// What the Hub's X-Error-Code says: `RevisionNotFound`.
    pub(crate) code: Option<String>,
    pub(crate) message: Option<String>,
    /// How long it asks to wait.
    pub(crate) wait: Option<Duration>,
    pub(crate) host: String,
    /// Whether it was the Hub, rather than a host that it redirects to.
    pub(crate) is_home: bool,
}

impl Fault {
    /// What a failed request means.
    pub(crate) fn of(error: ureq::Error, host: String) -> Self {
        use std::io::ErrorKind;
        let said = error.to_string();
        match error {
            ureq::Error::HostNotFound => {
                Fault::NoConnection { reason: format!("{host} has no address"), host }
            }
            ureq::Error::ConnectionFailed
            | ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
                Fault::NoConnection { reason: format!("{host} does not answer"), host }
            }
            ureq::Error::Tls(_) | ureq::Error::Rustls(_) => Fault::NotTrusted { host, reason: said },
            ureq::Error::ConnectProxyFailed(reason) => Fault::Proxy(reason),
            ureq::Error::InvalidProxyUrl => Fault::Proxy(said),
            ureq::Error::Timeout(_) => Fault::Broken { reason: format!("{host} fell silent"), host },
            ureq::Error::Io(error) if said.contains("certificate") || said.contains("tls") => {
                Fault::NotTrusted { host, reason: error.to_string() }
            }
            // What the resolver says has no kind of its own.
            ureq::Error::Io(_) if said.contains("lookup address") || said.contains("resolve") => {
                Fault::NoConnection {
                    reason: format!("{host} has no address, or no name server answers"),
                    host,
                }
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
                    Fault::Broken { reason: format!("{host} cut the connection"), host }
                }
                _ => Fault::Broken { host, reason: error.to_string() },
            },
            _ => Fault::Broken { host, reason: said },
        }
    }

    /// Whether the same request may bring something later.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Fault::Refused(refusal) => {
                matches!(refusal.status, 408 | 425 | 429 | 500 | 502 | 503 | 504)
                    // A file store's address is signed for a time, and the Hub gives a new one.
                    || (!refusal.is_home && (400..500).contains(&refusal.status))
            }
            Fault::Broken { .. } | Fault::NoConnection { .. } | Fault::Mismatch(_) => true,
            Fault::Interrupted(_)
            | Fault::Stopped
            | Fault::NotTrusted { .. }
            | Fault::Proxy(_)
            | Fault::Redirect(_)
            | Fault::Nonsense(_) => false,
        }
    }

    /// The same in a few words, for progress.
    pub(crate) fn in_short(&self) -> String {
        match self {
            Fault::Refused(Refusal { status: 429, host, .. }) => format!("{host} asks to slow down"),
            Fault::Refused(refusal) => format!("{} answered {}", refusal.host, refusal.status),
            Fault::NoConnection { reason, .. } | Fault::Broken { reason, .. } => reason.clone(),
            Fault::Mismatch(text) | Fault::Redirect(text) | Fault::Nonsense(text) | Fault::Proxy(text) => {
                text.clone()
            }
            Fault::NotTrusted { reason, .. } => reason.clone(),
            Fault::Interrupted(_) | Fault::Stopped => "interrupted".to_owned(),
        }
    }
}

/// What was asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) settings: &'a HubSettings,
    /// `org/repo`.
    pub(crate) repo: &'a str,
    pub(crate) revision: Option<&'a str>,
    /// The file, where it was one.
    pub(crate) file: Option<&'a str>,
}

impl Asked<'_> {
    /// The failure as the user meets it.
    pub(crate) fn failed(&self, fault: Fault) -> SandboxError {
        let endpoint = self.settings.endpoint_text();
        let what = self.what();
        let problem = match fault {
            Fault::Interrupted(signal) => return SandboxError::Interrupted(signal),
            Fault::Refused(refusal) => self.refused(&refusal),
            Fault::NoConnection { host, reason } => Problem::new(
                format!("{what} cannot be fetched: no connection to {host}: {reason}"),
                "check the network, HTTPS_PROXY and HF_ENDPOINT",
            )
            .hint("what was fetched before is used with HF_HUB_OFFLINE=1"),
            Fault::NotTrusted { host, reason } => Problem::new(
                format!("{what} cannot be fetched: the certificate of {host} is not trusted: {reason}"),
                "behind a company's proxy, set SSL_CERT_FILE to its certificates, or add them to the system's",
            )
            .hint("is this machine's clock right?"),
            Fault::Proxy(reason) => Problem::new(
                format!("{what} cannot be fetched through the proxy: {reason}"),
                "check HTTPS_PROXY, HTTP_PROXY and NO_PROXY",
            ),
            Fault::Broken { host, reason } => Problem::new(
                format!("{what} cannot be fetched: the connection to {host} keeps breaking ({reason})"),
                "run it again: what is there already is not fetched twice",
            ),
            Fault::Redirect(why) => Problem::new(
                format!("{what} is not fetched: {why}"),
                format!("is {endpoint} the Hub? check HF_ENDPOINT"),
            ),
            Fault::Nonsense(why) => Problem::new(
                format!("{what} cannot be fetched: {endpoint} does not answer like a Hub: {why}"),
                "check HF_ENDPOINT; a login page of the network in between looks like that too",
            ),
            Fault::Mismatch(why) => Problem::new(
                format!("{what} is not what the commit says: {why}"),
                "run it again; if it stays, the Hub or something on the way to it changes the file: do not trust it",
            ),
            Fault::Stopped => Problem::new(format!("{what} was not fetched"), "run it again"),
        };
        SandboxError::SourceResolution(problem)
    }

    fn refused(&self, refusal: &Refusal) -> Problem {
        let (what, endpoint, repo) = (self.what(), self.settings.endpoint_text(), self.repo);
        let message = refusal.message.as_deref().unwrap_or_default();
        if !refusal.is_home {
            return Problem::new(
                format!(
                    "{what} cannot be fetched: the file store {} answered {}",
                    refusal.host, refusal.status
                ),
                "run it again: what is there already is not fetched twice",
            );
        }
        let token = self.settings.token.as_ref().map(|token| token.origin.as_str());
        let log_in = "set HF_TOKEN, or log in with `hf auth login`";
        match (refusal.status, refusal.code.as_deref()) {
            (401, _) if message.contains("Invalid credentials") => match token {
                Some(origin) => Problem::new(
                    format!("the Hub refuses the token from {origin}"),
                    format!(
                        "make a new one at {endpoint}/settings/tokens, or remove it: public repositories need none"
                    ),
                ),
                None => Problem::new("the Hub refuses the request's credentials", log_in),
            },
            (403, _) if message.contains("is disabled") => Problem::new(
                format!("the Hub has disabled hf://{repo}"),
                format!("see {endpoint}/{repo} for the reason, or ask its owner"),
            ),
            (401 | 403, Some("GatedRepo")) => match token {
                Some(origin) => Problem::new(
                    format!(
                        "hf://{repo} is gated, and the user of the token from {origin} has no access to it"
                    ),
                    format!("ask for access at {endpoint}/{repo}"),
                ),
                None => Problem::new(
                    format!("hf://{repo} is gated: its owner decides who may read it"),
                    format!("ask for access at {endpoint}/{repo}, then {log_in}"),
                ),
            },
            (404, Some("RevisionNotFound")) => Problem::new(
                format!("hf://{repo} has no revision {}", self.revision.unwrap_or("of that name")),
                format!("see {endpoint}/{repo}/commits/main; a commit needs all of its 40 digits"),
            ),
            (404, Some("EntryNotFound")) => Problem::new(
                format!("{what} is listed, and yet the Hub does not have it"),
                "run it again; if it stays, the repository is damaged",
            ),
            (404, None) if !self.settings.is_public() => Problem::new(
                format!("{endpoint} knows no hf://{repo}"),
                "check the name, and that HF_ENDPOINT is a Hub",
            ),
            (401 | 404, _) => match token {
                Some(origin) => Problem::new(
                    format!(
                        "the Hub shows no hf://{repo}: there is none, or the token from {origin} may not read it"
                    ),
                    format!(
                        "check the name at {endpoint}/{repo}; a private repository needs a token of somebody who may read it"
                    ),
                ),
                None => Problem::new(
                    format!("the Hub shows no hf://{repo}: there is none, or it is private or gated"),
                    format!("check the name at {endpoint}/{repo}; for a private one {log_in}"),
                ),
            },
            (429, _) => {
                let when = refusal.wait.map_or_else(
                    || "in five minutes".to_owned(),
                    |wait| format!("in {} s", wait.as_secs_f64().ceil()),
                );
                let problem = Problem::new(
                    format!("{what} cannot be fetched: the Hub asks to slow down"),
                    format!("try again {when}: what is there already is not fetched twice"),
                );
                if token.is_some() {
                    problem
                } else {
                    problem.hint(format!("users with a token get more: {log_in}"))
                }
            }
            (status @ 500.., _) => Problem::new(
                format!("{what} cannot be fetched: the Hub is in trouble (it answered {status})"),
                "try again later; https://status.huggingface.co tells more",
            ),
            (status, _) => {
                let said = if message.is_empty() { String::new() } else { format!(": {message}") };
                Problem::new(
                    format!("{what} cannot be fetched: the Hub answered {status}{said}"),
                    format!("check the name at {endpoint}/{repo}, and HF_ENDPOINT"),
                )
            }
        }
    }

    /// What was asked for, in words.
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
        let asked = Asked { settings: &settings, repo: "org/repo", revision: Some("v1"), file: None };
        let error = asked.failed(Fault::Refused(Refusal {
            status,
            code: code.map(str::to_owned),
            message: message.map(str::to_owned),
            wait: None,
            host: "huggingface.co".to_owned(),
            is_home: true,
        }));
        assert_eq!(error.kind(), "SourceResolution");
        assert!(!error.hints().is_empty());
        format!("{error} | {}", error.hints().join(" | "))
    }

    #[test]
    fn each_refusal_has_a_sentence_and_a_remedy_of_its_own() {
        let token = [("HF_TOKEN", "hf_secret")];
        let mut sentences = Vec::new();
        for (variables, status, code, message, part) in [
            (&[][..], 401, None, None, "private or gated"),
            (&token[..], 404, Some("RepoNotFound"), None, "the token from HF_TOKEN may not read it"),
            (
                &token[..],
                401,
                None,
                Some("Invalid credentials in Authorization header"),
                "refuses the token from HF_TOKEN",
            ),
            (&[][..], 401, Some("GatedRepo"), None, "its owner decides"),
            (&token[..], 403, Some("GatedRepo"), None, "has no access to it"),
            (&[][..], 403, None, Some("Access to this resource is disabled."), "disabled"),
            (&[][..], 404, Some("RevisionNotFound"), None, "no revision v1"),
            (&[][..], 404, Some("EntryNotFound"), None, "does not have it"),
            (&[][..], 429, None, None, "slow down"),
            (&[][..], 503, None, None, "answered 503"),
            (&[][..], 418, None, Some("teapot"), "answered 418: teapot"),
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
