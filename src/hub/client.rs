//! Requests to the Hub: where the token may go, which redirects are followed, what is tried again and when; it does not know what an answer means.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use ureq::config::Config;
use ureq::http::{HeaderMap, Response, header};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body, Proxy, ProxyProtocol};
use url::Url;

use crate::error::SandboxError;
use crate::error::invalid_option as invalid;
use crate::host::interrupt::{Interrupt, Signals};
use crate::hub::failure::{Fault, Refusal};
use crate::settings::hub::{HubSettings, Proxies};

/// How many redirects lead to something, as browsers see it too.
const REDIRECTS: usize = 10;

/// How many requests are under way at once, and so how many connections are kept.
pub(crate) const PARALLEL: usize = 16;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(15);

/// The first pause before another try; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(300);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// The Hub counts requests in windows of five minutes: it never has to be waited for longer.
const LONGEST_WAIT: Duration = Duration::from_secs(330);

/// How much of a refusal's text is read.
const LARGEST_REFUSAL: u64 = 16 * 1024;

/// How often something is tried that fails for a reason which may pass.
const TRIES: u32 = 6;

/// The same where nobody answers at all: that passes less often, and people wait.
const TRIES_WITHOUT_CONNECTION: u32 = 3;

/// How patient a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// One try: nobody needs the answer.
    None,
    /// Tried again as long as that makes sense.
    Usual,
}

/// Where an answer may come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The Hub alone: what it lists is what files are verified against.
    Hub,
    /// Any host that it redirects to: the content is verified.
    Anywhere,
}

/// A connection to the Hub that ends with the interrupt. Threads share it.
pub(crate) struct Client {
    pub(crate) settings: HubSettings,
    http: Agent,
    https: Agent,
    interrupt: Interrupt,
    /// Until when the Hub asked everybody to wait.
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
    /// [`SandboxError::InvalidOption`] for a proxy that can't be one.
    pub(crate) fn new(
        settings: HubSettings,
        read_timeout: Duration,
        interrupt: Interrupt,
    ) -> Result<Self, SandboxError> {
        let agent = |proxy: Option<&Url>| -> Result<Agent, SandboxError> {
            let proxy = proxy.map(|proxy| as_proxy(proxy, &settings.proxies)).transpose()?;
            Ok(config(proxy, read_timeout).new_agent())
        };
        let (http, https) = (agent(settings.proxies.http.as_ref())?, agent(settings.proxies.https.as_ref())?);
        let is_stopped = Arc::new(AtomicBool::new(false));
        let client = Self { settings, http, https, interrupt, closed_until: Mutex::default(), is_stopped };
        client.watch_for_the_interrupt();
        Ok(client)
    }

    /// A read that waits for a silent server ends only with its connection.
    fn watch_for_the_interrupt(&self) {
        let (http, https) = (self.http.clone(), self.https.clone());
        let (interrupt, is_stopped) = (self.interrupt.clone(), Arc::clone(&self.is_stopped));
        std::thread::spawn(move || {
            while !is_stopped.load(Ordering::SeqCst) {
                if interrupt.reached(Signals::First).is_some() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            http.shutdown();
            https.shutdown();
        });
    }

    /// Ends every request that is under way on any thread; later ones fail.
    pub(crate) fn stop(&self) {
        self.is_stopped.store(true, Ordering::SeqCst);
        self.http.clone().shutdown();
        self.https.clone().shutdown();
    }

    /// One request, from byte `from` of the answer on, with redirects followed: a successful answer or why there is none.
    pub(crate) fn get(&self, start: &Url, from: u64, reach: Reach) -> Result<Response<Body>, Fault> {
        let mut address = start.clone();
        // Once the way has left the Hub, nothing on it gets the token any more.
        let mut is_home = self.is_home(&address);
        for _ in 0..=REDIRECTS {
            self.wait_until_open()?;
            let response = self.send(&address, from, is_home)?;
            if response.status().is_success() {
                return Ok(response);
            }
            let Some(next) = redirect(&response, &address)? else {
                return Err(self.refusal(response, &address, is_home));
            };
            if reach == Reach::Hub && !is_same_host(&next, &self.settings.endpoint) {
                return Err(Fault::Redirect(format!(
                    "{} answers with a redirect to another host, {}",
                    host(&address),
                    host(&next)
                )));
            }
            // An unread body would cost the connection.
            let _ = std::io::copy(
                &mut response.into_body().into_with_config().limit(LARGEST_REFUSAL).reader(),
                &mut std::io::sink(),
            );
            is_home &= self.is_home(&next);
            address = next;
        }
        Err(Fault::Redirect(format!("{} redirects without an end", host(start))))
    }

    /// Does something again and again while it fails for a reason that may pass. `waits` is told before each pause.
    pub(crate) fn persistently<T>(
        &self,
        patience: Patience,
        waits: &mut dyn FnMut(Duration, &Fault),
        mut attempt: impl FnMut() -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut failures = 0;
        loop {
            let fault = match attempt() {
                Ok(done) => return Ok(done),
                Err(fault) => fault,
            };
            failures += 1;
            let Some(pause) = self.pause_after(&fault, failures, patience) else { return Err(fault) };
            waits(pause, &fault);
            self.sleep(pause)?;
        }
    }

    /// How long to wait before the next try; `None` where there should be none.
    pub(crate) fn pause_after(&self, fault: &Fault, failures: u32, patience: Patience) -> Option<Duration> {
        let tries = match fault {
            _ if patience == Patience::None => 1,
            Fault::NoConnection { .. } => TRIES_WITHOUT_CONNECTION,
            fault if fault.may_pass() => TRIES,
            _ => 1,
        };
        if failures >= tries || self.is_stopped.load(Ordering::SeqCst) {
            return None;
        }
        if let Fault::Refused(Refusal { wait: Some(wait), .. }) = fault {
            if *wait > LONGEST_WAIT {
                return None;
            }
            // The others need not ask to learn the same.
            let until = Instant::now() + *wait;
            let mut closed = self.closed_until.lock().unwrap_or_else(PoisonError::into_inner);
            *closed = Some(closed.map_or(until, |before| before.max(until)));
            return Some(*wait);
        }
        let pause = FIRST_PAUSE * 2_u32.saturating_pow(failures - 1);
        Some(pause.min(LONGEST_PAUSE).mul_f64(jitter()))
    }

    fn wait_until_open(&self) -> Result<(), Fault> {
        let until = *self.closed_until.lock().unwrap_or_else(PoisonError::into_inner);
        match until.map(|until| until.saturating_duration_since(Instant::now())) {
            Some(wait) if !wait.is_zero() => self.sleep(wait),
            _ => Ok(()),
        }
    }

    /// # Errors
    /// [`Fault::Interrupted`] as soon as there is an interrupt.
    pub(crate) fn sleep(&self, time: Duration) -> Result<(), Fault> {
        let end = Instant::now() + time;
        loop {
            self.check()?;
            let rest = end.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return Ok(());
            }
            std::thread::sleep(rest.min(Duration::from_millis(20)));
        }
    }

    /// # Errors
    /// [`Fault::Interrupted`] once there is an interrupt, [`Fault::Stopped`] after [`Self::stop`].
    pub(crate) fn check(&self) -> Result<(), Fault> {
        if let Some(signal) = self.interrupt.reached(Signals::First) {
            return Err(Fault::Interrupted(signal));
        }
        if self.is_stopped.load(Ordering::SeqCst) {
            return Err(Fault::Stopped);
        }
        Ok(())
    }

    fn send(&self, address: &Url, from: u64, is_home: bool) -> Result<Response<Body>, Fault> {
        let agent = if address.scheme() == "https" { &self.https } else { &self.http };
        let mut request = agent.get(address.as_str());
        if let (true, Some(token)) = (is_home, &self.settings.token) {
            request = request.header(header::AUTHORIZATION, token.authorization());
        }
        if from > 0 {
            request = request.header(header::RANGE, format!("bytes={from}-"));
        }
        request.call().map_err(|error| self.fault(error, address))
    }

    /// What a failed request or a failed read means.
    pub(crate) fn fault(&self, error: ureq::Error, address: &Url) -> Fault {
        // A connection that was closed from this side is no failure of the other's.
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

    fn refusal(&self, response: Response<Body>, address: &Url, is_home: bool) -> Fault {
        let status = response.status().as_u16();
        let text = |name: &str| {
            let value = response.headers().get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let (code, message) = (text("x-error-code"), text("x-error-message"));
        let wait = wait(response.headers());
        let body =
            response.into_body().into_with_config().limit(LARGEST_REFUSAL).read_to_vec().unwrap_or_default();
        let message = message.or_else(|| {
            let body: serde_json::Value = serde_json::from_slice(&body).ok()?;
            Some(body.get("error")?.as_str()?.to_owned())
        });
        Fault::Refused(Refusal { status, code, message, wait, host: host(address), is_home })
    }

    fn is_home(&self, address: &Url) -> bool {
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
        // A size that is promised, and the range that is asked for, are those of the content itself.
        .accept_encoding("identity")
        .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
        .timeout_connect(Some(CONNECT))
        .timeout_resolve(Some(CONNECT))
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
        // As curl and Python read it: a name stands for its subdomains too.
        proxy = proxy.no_proxy(host).no_proxy(&format!(".{}", host.trim_start_matches('.')));
    }
    proxy.build().map_err(|_| {
        invalid(
            "the environment names a proxy that cannot be used",
            "check HTTPS_PROXY, HTTP_PROXY and ALL_PROXY",
        )
    })
}

/// Where an answer redirects to; `None` where it does not.
fn redirect(response: &Response<Body>, from: &Url) -> Result<Option<Url>, Fault> {
    let status = response.status();
    let Some(location) = response.headers().get(header::LOCATION).filter(|_| status.is_redirection()) else {
        return Ok(None);
    };
    let refused = |why: &str| Fault::Redirect(format!("{} redirects to {why}", host(from)));
    let location = location.to_str().map_err(|_| refused("something that is no address"))?;
    let mut next = from.join(location).map_err(|_| refused("something that is no address"))?;
    if !matches!(next.scheme(), "http" | "https") || next.host_str().is_none() {
        return Err(refused("something that is neither http nor https"));
    }
    if from.scheme() == "https" && next.scheme() != "https" {
        return Err(refused(&format!("{} without encryption", host(&next))));
    }
    // Whoever redirects does not choose who we say that we are.
    let _ = next.set_username("");
    let _ = next.set_password(None);
    next.set_fragment(None);
    Ok(Some(next))
}

/// The same host and port, or the same host's encrypted side.
fn is_same_host(address: &Url, home: &Url) -> bool {
    let is_upgrade = (home.scheme(), address.scheme()) == ("http", "https") && address.port().is_none();
    address.origin() == home.origin() || (is_upgrade && address.host() == home.host())
}

/// The host and port of an address, for people; never its path or query, which may be signed.
pub(crate) fn host(address: &Url) -> String {
    let host = address.host_str().unwrap_or_default();
    address.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// How long an answer asks to wait: Retry-After, else the Hub's own `ratelimit: "api";r=0;t=55`.
fn wait(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    if let Some(value) = text("retry-after") {
        if let Ok(seconds) = value.trim().parse::<f64>() {
            return Duration::try_from_secs_f64(seconds).ok();
        }
        let at = httpdate::parse_http_date(value.trim()).ok()?;
        return Some(at.duration_since(SystemTime::now()).unwrap_or_default());
    }
    let limit = text("ratelimit")?;
    // `r` is what is left of the window: as long as there is something, nobody has to wait.
    let field = |name: &str| limit.split(';').find_map(|field| field.trim().strip_prefix(name));
    (field("r=")? == "0").then(|| field("t=")?.parse().ok().map(Duration::from_secs)).flatten()
}

/// A factor around 1, so that those who failed together don't come back together.
fn jitter() -> f64 {
    use std::hash::{BuildHasher as _, RandomState};
    0.75 + 0.5 * (RandomState::new().hash_one(0) as f64 / u64::MAX as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn the_hub_says_how_long_to_wait_in_three_ways() {
        let seconds = |pairs| wait(&headers(pairs)).map(|wait| wait.as_secs());
        assert_eq!(seconds(&[("retry-after", "7")]), Some(7));
        assert_eq!(seconds(&[("ratelimit", "\"api\";r=0;t=55")]), Some(55));
        assert_eq!(seconds(&[("ratelimit", "\"api\";r=3;t=55")]), None);
        assert_eq!(seconds(&[("retry-after", "7"), ("ratelimit", "\"api\";r=0;t=55")]), Some(7));
        assert_eq!(seconds(&[("retry-after", "Thu, 01 Jan 1970 00:00:00 GMT")]), Some(0));
        assert_eq!(seconds(&[("retry-after", "-1")]), None);
        assert_eq!(seconds(&[]), None);
    }

    #[test]
    fn a_redirect_never_gives_up_encryption_nor_takes_credentials() {
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
    fn only_the_hub_itself_is_home() {
        let url = |text: &str| Url::parse(text).unwrap();
        for (home, address, expected) in [
            ("https://hub.co", "https://hub.co/x", true),
            ("https://hub.co", "https://hub.co:444/x", false),
            ("https://hub.co", "https://evil.hub.co/x", false),
            ("http://hub.co", "https://hub.co/x", true),
            ("http://127.0.0.1:1", "http://127.0.0.1:2", false),
        ] {
            assert_eq!(is_same_host(&url(address), &url(home)), expected, "{home} {address}");
        }
        assert_eq!(host(&url("https://u:p@cdn.co:8443/a?signature=secret")), "cdn.co:8443");
    }
}
