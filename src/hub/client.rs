//! Sends requests to the Hub: decides which hosts receive the token, and which redirects are followed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ureq::config::Config;
use ureq::http::{HeaderMap, Response, header};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body, Proxy, ProxyProtocol};
use url::Url;

use crate::error::SandboxError;
use crate::error::invalid_option as invalid;
use crate::host::interrupt::{Interrupt, Signals};
use crate::hub::failure::{Fault, Refusal};
use crate::hub::retry::{Retries, pause_before_retry, requested_wait};
use crate::settings::hub::{HubSettings, Proxies};

/// The most redirects of one request that are followed.
const REDIRECTS: usize = 10;

/// The number of parallel requests, and of connections that are kept open.
pub(crate) const PARALLEL: usize = 16;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// The shortest read timeout.
const SHORTEST_READ_TIMEOUT: Duration = Duration::from_millis(100);

/// The most that is read of the body of a refusal or a redirect, in bytes.
const LARGEST_REFUSAL: u64 = 16 * 1024;

/// How often the interrupt is checked during a wait.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Which hosts an answer may come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach<'a> {
    /// Only the Hub, for answers that are trusted.
    Hub,
    /// Any host that the Hub redirects to, for contents of this commit that are verified.
    Anywhere { commit: &'a str },
}

/// Connections to the Hub, shared by threads. An interrupt closes them.
pub(crate) struct Client {
    settings: HubSettings,
    http: Agent,
    https: Agent,
    interrupt: Interrupt,
    /// The time until which the Hub asked not to send requests.
    closed_until: Mutex<Option<Instant>>,
    is_stopped: Arc<AtomicBool>,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.is_stopped.store(true, Ordering::SeqCst);
    }
}

impl Client {
    /// # Errors
    /// [`SandboxError::InvalidOption`] for a proxy that cannot be used.
    pub(crate) fn new(settings: HubSettings, interrupt: Interrupt) -> Result<Self, SandboxError> {
        let read_timeout = settings.read_timeout.max(SHORTEST_READ_TIMEOUT);
        let agent = |proxy: Option<&Url>| -> Result<Agent, SandboxError> {
            let proxy = proxy.map(|proxy| as_proxy(proxy, &settings.proxies)).transpose()?;
            Ok(config(proxy, read_timeout).new_agent())
        };
        let (http, https) = (agent(settings.proxies.http.as_ref())?, agent(settings.proxies.https.as_ref())?);
        let is_stopped = Arc::new(AtomicBool::new(false));
        let client = Self { settings, http, https, interrupt, closed_until: Mutex::default(), is_stopped };
        client.close_on_interrupt();
        Ok(client)
    }

    /// Closes all connections on an interrupt, because a blocked read does not check it.
    fn close_on_interrupt(&self) {
        let (http, https) = (self.http.clone(), self.https.clone());
        let (interrupt, is_stopped) = (self.interrupt.clone(), Arc::clone(&self.is_stopped));
        std::thread::spawn(move || {
            while !is_stopped.load(Ordering::SeqCst) {
                if interrupt.reached(Signals::First).is_some() {
                    break;
                }
                std::thread::sleep(POLL_INTERVAL);
            }
            http.shutdown();
            https.shutdown();
        });
    }

    /// Stops the requests of all threads. Later requests fail with [`Fault::Stopped`].
    pub(crate) fn stop(&self) {
        self.is_stopped.store(true, Ordering::SeqCst);
        self.http.clone().shutdown();
        self.https.clone().shutdown();
    }

    /// Sends a request for the content from byte `from`, and follows redirects.
    ///
    /// # Errors
    /// [`Fault`], also for an answer that is not a success; [`Fault::OtherCommit`] if the Hub answers for
    /// another commit than that of the request.
    pub(crate) fn get(&self, start: &Url, from: u64, reach: Reach<'_>) -> Result<Response<Body>, Fault> {
        let mut address = start.clone();
        // After a redirect to another host, no host receives the token, not even the Hub.
        let mut is_hub = self.is_hub(&address);
        for _ in 0..=REDIRECTS {
            self.wait_until_open()?;
            let response = self.send(&address, from, is_hub)?;
            if let (true, Reach::Anywhere { commit }) = (is_hub, reach) {
                check_commit(response.headers(), commit)?;
            }
            if response.status().is_success() {
                return Ok(response);
            }
            let Some(next) = redirect(&response, &address)? else {
                return Err(self.refusal(response, &address, is_hub));
            };
            if reach == Reach::Hub && !is_same_host(&next, &self.settings.endpoint) {
                return Err(Fault::Redirect(format!(
                    "{} redirects to another host, {}",
                    host(&address),
                    host(&next)
                )));
            }
            // The connection can only be reused after its body was read.
            let _ = std::io::copy(
                &mut response.into_body().into_with_config().limit(LARGEST_REFUSAL).reader(),
                &mut std::io::sink(),
            );
            is_hub &= self.is_hub(&next);
            address = next;
        }
        Err(Fault::Redirect(format!("{} redirects too many times", host(start))))
    }

    /// Calls `attempt` until it succeeds or fails for a permanent reason, and `on_pause` before each pause.
    pub(crate) fn with_retries<T>(
        &self,
        retries: Retries,
        on_pause: &mut dyn FnMut(Duration, &Fault),
        mut attempt: impl FnMut() -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut failures = 0;
        loop {
            let fault = match attempt() {
                Ok(done) => return Ok(done),
                Err(fault) => fault,
            };
            failures += 1;
            let Some(pause) = self.pause_before_retry(&fault, failures, retries) else { return Err(fault) };
            on_pause(pause, &fault);
            self.pause(pause, &fault)?;
        }
    }

    /// How long to wait before the next attempt; `None` if there is none.
    pub(crate) fn pause_before_retry(
        &self,
        fault: &Fault,
        failures: u32,
        retries: Retries,
    ) -> Option<Duration> {
        pause_before_retry(fault, failures, retries, self.settings.waits.hub_retry)
    }

    /// Waits before the next attempt. If the Hub asked for the pause, all threads wait.
    ///
    /// # Errors
    /// [`Fault::Interrupted`], [`Fault::Stopped`].
    pub(crate) fn pause(&self, pause: Duration, fault: &Fault) -> Result<(), Fault> {
        if fault.wait().is_some() {
            let until = Instant::now() + pause;
            let mut closed = self.closed_until.lock().unwrap_or_else(PoisonError::into_inner);
            *closed = Some(closed.map_or(until, |before| before.max(until)));
        }
        self.sleep(pause)
    }

    fn wait_until_open(&self) -> Result<(), Fault> {
        let until = *self.closed_until.lock().unwrap_or_else(PoisonError::into_inner);
        match until.map(|until| until.saturating_duration_since(Instant::now())) {
            Some(wait) if !wait.is_zero() => self.sleep(wait),
            _ => Ok(()),
        }
    }

    fn sleep(&self, time: Duration) -> Result<(), Fault> {
        let end = Instant::now() + time;
        loop {
            self.check()?;
            let rest = end.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return Ok(());
            }
            std::thread::sleep(rest.min(POLL_INTERVAL));
        }
    }

    /// # Errors
    /// [`Fault::Interrupted`] after an interrupt, [`Fault::Stopped`] after [`Self::stop`].
    pub(crate) fn check(&self) -> Result<(), Fault> {
        if let Some(signal) = self.interrupt.reached(Signals::First) {
            return Err(Fault::Interrupted(signal));
        }
        if self.is_stopped.load(Ordering::SeqCst) {
            return Err(Fault::Stopped);
        }
        Ok(())
    }

    fn send(&self, address: &Url, from: u64, is_hub: bool) -> Result<Response<Body>, Fault> {
        let agent = if address.scheme() == "https" { &self.https } else { &self.http };
        let mut request = agent.get(address.as_str());
        if let (true, Some(token)) = (is_hub, &self.settings.token) {
            request = request.header(header::AUTHORIZATION, token.authorization());
        }
        if from > 0 {
            request = request.header(header::RANGE, format!("bytes={from}-"));
        }
        request.call().map_err(|error| self.fault(error, address))
    }

    /// Why a request, or reading its answer, failed.
    pub(crate) fn fault(&self, error: ureq::Error, address: &Url) -> Fault {
        // This program may have closed the connection.
        if let Err(fault) = self.check() {
            return fault;
        }
        match Fault::of(error, host(address)) {
            Fault::NoConnection { reason, .. } if let Some(proxy) = self.proxy_of(address) => {
                Fault::Proxy(format!("no connection to {proxy}: {reason}"))
            }
            fault => fault,
        }
    }

    /// The host of the proxy that an address is reached through.
    fn proxy_of(&self, address: &Url) -> Option<String> {
        let is_https = address.scheme() == "https";
        let (agent, proxies) = (if is_https { &self.https } else { &self.http }, &self.settings.proxies);
        let uri = address.as_str().parse().ok()?;
        if agent.config().proxy()?.is_no_proxy(&uri) {
            return None;
        }
        let proxy = if is_https { &proxies.https } else { &proxies.http };
        proxy.as_ref().map(host)
    }

    fn refusal(&self, response: Response<Body>, address: &Url, is_hub: bool) -> Fault {
        let status = response.status().as_u16();
        let text = |name: &str| {
            let value = response.headers().get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let (code, message) = (text("x-error-code"), text("x-error-message"));
        let wait = requested_wait(response.headers());
        let body =
            response.into_body().into_with_config().limit(LARGEST_REFUSAL).read_to_vec().unwrap_or_default();
        let message = message.or_else(|| {
            let body: serde_json::Value = serde_json::from_slice(&body).ok()?;
            Some(body.get("error")?.as_str()?.to_owned())
        });
        Fault::Refused(Refusal { status, code, message, wait, host: host(address), is_hub })
    }

    fn is_hub(&self, address: &Url) -> bool {
        address.origin() == self.settings.endpoint.origin()
    }
}

fn config(proxy: Option<Proxy>, read_timeout: Duration) -> Config {
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(proxy)
        .user_agent(concat!("rlmesh-sandbox/", env!("CARGO_PKG_VERSION")))
        // Lengths and ranges must be those of the content, not of a compressed form.
        .accept_encoding("identity")
        .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .timeout_resolve(Some(CONNECT_TIMEOUT))
        .timeout_per_read(Some(read_timeout))
        .timeout_per_write(Some(read_timeout))
        .max_idle_connections(2 * PARALLEL)
        .max_idle_connections_per_host(PARALLEL)
        .build()
}

fn as_proxy(address: &Url, proxies: &Proxies) -> Result<Proxy, SandboxError> {
    let protocol = match address.scheme() {
        "https" => ProxyProtocol::Https,
        "socks4" => ProxyProtocol::Socks4,
        "socks4a" => ProxyProtocol::Socks4A,
        "socks" | "socks5" | "socks5h" => ProxyProtocol::Socks5,
        _ => ProxyProtocol::Http,
    };
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let mut proxy = Proxy::builder(protocol).host(address.host_str().unwrap_or_default());
    if let Some(port) = address.port_or_known_default() {
        proxy = proxy.port(port);
    }
    if !address.username().is_empty() {
        proxy = proxy.username(&decoded(address.username()));
    }
    if let Some(password) = address.password() {
        proxy = proxy.password(&decoded(password));
    }
    for host in &proxies.exceptions {
        // As in curl and Python, a name includes its subdomains.
        proxy = proxy.no_proxy(host).no_proxy(&format!(".{}", host.trim_start_matches('.')));
    }
    proxy.build().map_err(|_| {
        invalid("the address of the proxy is not valid", "check HTTPS_PROXY, HTTP_PROXY and ALL_PROXY")
    })
}

/// The address that an answer redirects to; `None` if it is not a redirect.
fn redirect(response: &Response<Body>, from: &Url) -> Result<Option<Url>, Fault> {
    let status = response.status();
    let Some(location) = response.headers().get(header::LOCATION).filter(|_| status.is_redirection()) else {
        return Ok(None);
    };
    let refused = |why: &str| Fault::Redirect(format!("{} redirects to {why}", host(from)));
    let location = location.to_str().map_err(|_| refused("an invalid address"))?;
    let mut next = from.join(location).map_err(|_| refused("an invalid address"))?;
    if !matches!(next.scheme(), "http" | "https") || next.host_str().is_none() {
        return Err(refused("an address that is neither http nor https"));
    }
    if from.scheme() == "https" && next.scheme() != "https" {
        return Err(refused(&format!("{} without encryption", host(&next))));
    }
    // A server must not choose the credentials that are sent.
    let _ = next.set_username("");
    let _ = next.set_password(None);
    next.set_fragment(None);
    Ok(Some(next))
}

/// Compares the commit that the Hub answers for, if it names one, with the requested one.
fn check_commit(headers: &HeaderMap, commit: &str) -> Result<(), Fault> {
    let names = headers.get_all("x-repo-commit").iter();
    let other = names
        .map(|name| String::from_utf8_lossy(name.as_bytes()).trim().to_owned())
        .find(|name| !name.is_empty() && !name.eq_ignore_ascii_case(commit));
    other.map_or(Ok(()), |name| Err(Fault::OtherCommit(name)))
}

/// Whether an address has the Hub's host and port, or is the https address of a Hub with an http address.
fn is_same_host(address: &Url, hub: &Url) -> bool {
    let is_upgrade = (hub.scheme(), address.scheme()) == ("http", "https") && address.port().is_none();
    address.origin() == hub.origin() || (is_upgrade && address.host() == hub.host())
}

/// The host and port of an address, for messages. The query is not shown, because it may contain a signature
/// that gives access.
pub(crate) fn host(address: &Url) -> String {
    let host = address.host_str().unwrap_or_default();
    address.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_that_the_hub_asks_for_stops_the_other_threads() {
        let refused = |status, wait| {
            Fault::Refused(Refusal {
                status,
                code: None,
                message: None,
                wait,
                host: "hub".to_owned(),
                is_hub: true,
            })
        };
        let wait = Duration::from_millis(30);
        let slow_down = refused(429, Some(wait));
        let client = Client::new(HubSettings::default(), Interrupt::default()).unwrap();
        client.pause(Duration::ZERO, &refused(503, None)).unwrap();
        assert!(client.closed_until.lock().unwrap().is_none());
        let start = Instant::now();
        client.pause(wait, &slow_down).unwrap();
        assert!(client.closed_until.lock().unwrap().unwrap() >= start + wait);
        client.stop();
        assert!(matches!(client.pause(Duration::ZERO, &slow_down), Err(Fault::Stopped)));
    }

    #[test]
    fn a_redirect_keeps_encryption_and_drops_credentials() {
        let to = |from: &str, location: &str| {
            let answer = Response::builder().status(302).header("location", location);
            let answer = answer.body(Body::builder().data("")).unwrap();
            redirect(&answer, &Url::parse(from).unwrap()).map(|next| next.map(String::from))
        };
        let next = |from, location| to(from, location).ok().flatten();
        assert_eq!(next("https://hub/a/b", "../c").as_deref(), Some("https://hub/c"));
        assert_eq!(next("https://hub/a", "https://u:p@cdn/x?s=1#f").as_deref(), Some("https://cdn/x?s=1"));
        assert_eq!(next("http://hub/a", "https://hub/a").as_deref(), Some("https://hub/a"));
        for location in ["http://hub/a", "file:///etc/passwd", "ftp://x", "http://["] {
            assert!(matches!(to("https://hub/a", location), Err(Fault::Redirect(_))), "{location}");
        }
    }

    #[test]
    fn only_the_hub_itself_is_hub() {
        let url = |text: &str| Url::parse(text).unwrap();
        for (hub, address, expected) in [
            ("https://hub.co", "https://hub.co/x", true),
            ("https://hub.co", "https://hub.co:444/x", false),
            ("https://hub.co", "https://evil.hub.co/x", false),
            ("http://hub.co", "https://hub.co/x", true),
            ("http://127.0.0.1:1", "http://127.0.0.1:2", false),
        ] {
            assert_eq!(is_same_host(&url(address), &url(hub)), expected, "{hub} {address}");
        }
        assert_eq!(host(&url("https://u:p@cdn.co:8443/a?signature=secret")), "cdn.co:8443");
    }
}
