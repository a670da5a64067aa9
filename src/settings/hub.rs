//! How to reach the Hugging Face Hub and where to cache its files, as Hugging Face's own client is
//! configured.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use url::Url;

use crate::error::SandboxError;
use crate::error::invalid_option;
use crate::host::waits::Waits;
use crate::settings::duration::timeout;
use crate::settings::size::size_of;
use crate::settings::variables::Variables;

const PUBLIC_ENDPOINT: &str = "https://huggingface.co";

/// The default limit of the cache, in bytes.
const DEFAULT_CACHE_LIMIT: u64 = 20 << 30;

/// The read timeout of Hugging Face's own client.
const DEFAULT_READ_TIMEOUT: Duration = Duration::from_secs(10);

/// The most that is read from a token file, in bytes. Tokens are about 40 bytes long.
const LONGEST_TOKEN: u64 = 4096;

/// How to reach the Hugging Face Hub, and where to cache its files.
///
/// The default is the public Hub, without a token, a proxy or a cache folder. It does not depend on
/// environment variables.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HubSettings {
    /// The address of the Hub: http or https, without user name, password, query or fragment. It may have a
    /// path. Default: `https://huggingface.co`.
    pub endpoint: Url,
    /// The user's access token. It is only sent to the endpoint's own host. Default: none; public
    /// repositories do not need one.
    pub token: Option<Token>,
    /// Whether to use only the cache folder and make no connections. Default: false.
    pub is_offline: bool,
    /// The proxies to use. Default: none.
    pub proxies: Proxies,
    /// The folder in which files and listings are cached. It must not be used for anything else, and is
    /// created when it is needed. If it is not set or not writable, a temporary folder is used instead.
    /// Default: none.
    pub cache_folder: Option<PathBuf>,
    /// Where temporary folders are created. Default: `/tmp`.
    pub temporary_folder: PathBuf,
    /// The largest size of the cache folder after a source was fetched, in bytes: the least recently used
    /// files are removed. Default: 20 GiB.
    pub cache_limit: u64,
    /// How long to wait for the next bytes of an answer, at least 100 ms. Default: 10 seconds.
    pub read_timeout: Duration,
    pub(crate) waits: Waits,
}

/// A user's access token. `Debug` does not show it.
#[derive(Clone)]
pub struct Token {
    value: String,
    origin: String,
}

impl Token {
    /// Creates a token. `origin` is the variable or file that it was read from, for messages.
    ///
    /// # Errors
    /// [`SandboxError::InvalidOption`] if the text is empty or has characters that a header cannot contain.
    pub fn new(value: &str, origin: impl Into<String>) -> Result<Self, SandboxError> {
        let origin = origin.into();
        if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(not_a_token(&origin));
        }
        Ok(Self { value: value.to_owned(), origin })
    }

    /// The variable or file that it was read from.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// The value of the Authorization header.
    pub(crate) fn authorization(&self) -> String {
        format!("Bearer {}", self.value)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// The proxies to use. `Debug` does not show their addresses, which may contain passwords.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Proxies {
    /// The proxy for http addresses. Its scheme is http, https, socks4, socks4a, socks5 or socks5h.
    pub http: Option<Url>,
    /// The proxy for https addresses.
    pub https: Option<Url>,
    /// Hosts that are reached without a proxy, as NO_PROXY lists them. A name includes its subdomains.
    pub exceptions: Vec<String>,
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proxies")
    }
}

impl Default for HubSettings {
    fn default() -> Self {
        Self {
            endpoint: public_endpoint(),
            token: None,
            is_offline: false,
            proxies: Proxies::default(),
            cache_folder: None,
            temporary_folder: PathBuf::from("/tmp"),
            cache_limit: DEFAULT_CACHE_LIMIT,
            read_timeout: DEFAULT_READ_TIMEOUT,
            waits: Waits::default(),
        }
    }
}

impl HubSettings {
    /// Reads the variables of Hugging Face's own client, those for proxies, those for the user's folders, and
    /// RLMESH_SANDBOX_CACHE_LIMIT.
    ///
    /// # Errors
    /// [`SandboxError::InvalidOption`], which names the variable.
    pub fn from_variables(variables: &Variables) -> Result<Self, SandboxError> {
        let cache_limit = variables.parsed("RLMESH_SANDBOX_CACHE_LIMIT", size_of)?;
        let read_timeout = variables.parsed("HF_HUB_DOWNLOAD_TIMEOUT", timeout)?;
        Ok(Self {
            endpoint: variables.text("HF_ENDPOINT")?.map_or_else(|| Ok(public_endpoint()), endpoint)?,
            token: token(variables)?,
            is_offline: is_on(variables, "HF_HUB_OFFLINE")?,
            proxies: proxies(variables)?,
            cache_folder: cache_folder(variables),
            temporary_folder: variables.temp_folder(),
            cache_limit: cache_limit.unwrap_or(DEFAULT_CACHE_LIMIT),
            read_timeout: read_timeout.unwrap_or(DEFAULT_READ_TIMEOUT),
            waits: variables.waits()?,
        })
    }

    /// The address of something on the Hub; `path` starts with a slash and is percent-encoded.
    pub(crate) fn address(&self, path: &str) -> Url {
        let mut address = self.endpoint.clone();
        let base = self.endpoint.path().trim_end_matches('/');
        address.set_path(&format!("{base}{path}"));
        address
    }

    /// Whether it is the public Hub, rather than a mirror or a private Hub.
    pub(crate) fn is_public(&self) -> bool {
        self.endpoint_text() == PUBLIC_ENDPOINT
    }

    /// The Hub's address as users write it.
    pub(crate) fn endpoint_text(&self) -> &str {
        self.endpoint.as_str().trim_end_matches('/')
    }
}

/// This user's cache folder for the Hub; `None` without a home folder.
pub(crate) fn cache_folder(variables: &Variables) -> Option<PathBuf> {
    variables.cache_folder().map(|folder| folder.join("hub"))
}

fn public_endpoint() -> Url {
    Url::parse(PUBLIC_ENDPOINT).unwrap_or_else(|error| unreachable!("a valid address: {error}"))
}

fn endpoint(text: &str) -> Result<Url, SandboxError> {
    const HINT: &str = "set it to the Hub's address, such as https://huggingface.co, or unset it";
    let refused = |why: &str| invalid_option(format!("HF_ENDPOINT {why}"), HINT);
    let url = Url::parse(text.trim_end_matches('/')).map_err(|_| refused("is not a valid address"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(refused("is not an http or https address"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("contains a user name or a password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refused("contains a query or a fragment"));
    }
    Ok(url)
}

/// Whether a variable is set to one of the values that Hugging Face's client accepts as true.
fn is_on(variables: &Variables, name: &str) -> Result<bool, SandboxError> {
    let value = variables.text(name)?.map(str::to_ascii_lowercase);
    Ok(value.is_some_and(|value| matches!(value.as_str(), "1" | "on" | "yes" | "true")))
}

fn token(variables: &Variables) -> Result<Option<Token>, SandboxError> {
    if is_on(variables, "HF_HUB_DISABLE_IMPLICIT_TOKEN")? {
        return Ok(None);
    }
    for name in ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"] {
        if let Some(value) = variables.text(name)? {
            return Token::new(value, name).map(Some);
        }
    }
    let Some(file) = token_file(variables) else { return Ok(None) };
    let mut text = Vec::new();
    let read = File::open(&file).and_then(|opened| opened.take(LONGEST_TOKEN + 1).read_to_end(&mut text));
    let origin = file.display().to_string();
    match (read, std::str::from_utf8(&text).map(str::trim)) {
        // Most users have no token file.
        (Err(_), _) | (_, Ok("")) => Ok(None),
        (Ok(_), Ok(token)) if text.len() as u64 <= LONGEST_TOKEN => Token::new(token, origin).map(Some),
        _ => Err(not_a_token(&origin)),
    }
}

fn not_a_token(origin: &str) -> SandboxError {
    invalid_option(
        format!("the Hugging Face token from {origin} is not a valid token"),
        "log in again with `hf auth login`, or set HF_TOKEN to the token and nothing else",
    )
}

fn token_file(variables: &Variables) -> Option<PathBuf> {
    let under = |folder: PathBuf, name: &str| expand_home(&folder, variables).join(name);
    if let Some(file) = variables.path("HF_TOKEN_PATH") {
        return Some(expand_home(&file, variables));
    }
    if let Some(home) = variables.path("HF_HOME") {
        return Some(under(home, "token"));
    }
    if let Some(cache) = variables.path("XDG_CACHE_HOME") {
        return Some(under(cache, "huggingface/token"));
    }
    variables.path("HOME").map(|home| home.join(".cache/huggingface/token"))
}

/// Replaces a leading `~` by the home folder, as Hugging Face's client does.
fn expand_home(path: &Path, variables: &Variables) -> PathBuf {
    match (path.strip_prefix("~"), variables.path("HOME")) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    }
}

fn proxies(variables: &Variables) -> Result<Proxies, SandboxError> {
    let first = |names: [&'static str; 2]| -> Result<Option<(&'static str, &str)>, SandboxError> {
        for name in names {
            if let Some(value) = variables.text(name)? {
                return Ok(Some((name, value)));
            }
        }
        Ok(None)
    };
    let all = first(["all_proxy", "ALL_PROXY"])?;
    let of = |names| -> Result<Option<Url>, SandboxError> {
        first(names)?.or(all).map(|(name, value)| proxy(name, value)).transpose()
    };
    let exceptions = first(["no_proxy", "NO_PROXY"])?.map_or("", |(_, value)| value);
    Ok(Proxies {
        http: of(["http_proxy", "HTTP_PROXY"])?,
        https: of(["https_proxy", "HTTPS_PROXY"])?,
        exceptions: exceptions
            .split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
            .map(str::to_owned)
            .collect(),
    })
}

fn proxy(name: &str, value: &str) -> Result<Url, SandboxError> {
    let text = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
    Url::parse(&text)
        .ok()
        .filter(|url| {
            url.host_str().is_some_and(|host| !host.is_empty())
                && matches!(
                    url.scheme(),
                    "http" | "https" | "socks" | "socks4" | "socks4a" | "socks5" | "socks5h"
                )
        })
        .ok_or_else(|| {
            invalid_option(
                format!("{name} is not a valid proxy address"),
                format!("set {name} to an address such as http://proxy.example.com:3128, or unset it"),
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn settings(variables: &[(&str, &str)]) -> Result<HubSettings, SandboxError> {
        HubSettings::from_variables(&variables.iter().copied().collect())
    }

    #[test]
    fn an_endpoint_keeps_its_path_without_the_last_slash() {
        for (endpoint, address) in [
            (None, "https://huggingface.co/api/models/o/r"),
            (Some("http://127.0.0.1:8080/"), "http://127.0.0.1:8080/api/models/o/r"),
            (Some("https://corp.example/hub//"), "https://corp.example/hub/api/models/o/r"),
        ] {
            let variables: Vec<_> = endpoint.map(|endpoint| ("HF_ENDPOINT", endpoint)).into_iter().collect();
            assert_eq!(settings(&variables).unwrap().address("/api/models/o/r").as_str(), address);
        }
        for endpoint in ["hub", "ftp://hub", "https://user:secret@hub", "https://hub/?a=b", "https://"] {
            let error = settings(&[("HF_ENDPOINT", endpoint)]).unwrap_err();
            assert_eq!(error.kind(), "InvalidOption");
            assert!(!error.to_string().contains("secret"));
        }
    }

    #[test]
    fn the_token_comes_from_the_first_place_that_has_one_and_is_never_shown() {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        for (name, token) in [
            ("given", "hf_given"),
            ("hf/token", "hf_home"),
            ("xdg/huggingface/token", "hf_xdg"),
            (".cache/huggingface/token", "hf_plain"),
        ] {
            fs::create_dir_all(path(name).parent().unwrap()).unwrap();
            fs::write(path(name), format!("{token}\n")).unwrap();
        }
        let (given, hf, xdg) = (path("given"), path("hf"), path("xdg"));
        let home = home.path().to_str().unwrap();
        let mut variables = vec![
            ("HF_TOKEN", "hf_first"),
            ("HUGGING_FACE_HUB_TOKEN", "hf_second"),
            ("HF_TOKEN_PATH", given.to_str().unwrap()),
            ("HF_HOME", hf.to_str().unwrap()),
            ("XDG_CACHE_HOME", xdg.to_str().unwrap()),
            ("HOME", home),
        ];
        for expected in ["hf_first", "hf_second", "hf_given", "hf_home", "hf_xdg", "hf_plain"] {
            let token = settings(&variables).unwrap().token.unwrap();
            assert_eq!(token.authorization(), format!("Bearer {expected}"));
            assert!(!format!("{token:?}").contains(expected));
            assert!(!format!("{:?}", settings(&variables).unwrap()).contains(expected));
            variables.remove(0);
        }
        assert!(
            settings(&[("HF_TOKEN", "x"), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]).unwrap().token.is_none()
        );
        assert!(settings(&[("HF_HOME", "~/hf"), ("HOME", home)]).unwrap().token.is_some());
        let error = settings(&[("HF_TOKEN", "hf secret")]).unwrap_err();
        assert!(error.to_string().contains("HF_TOKEN") && !error.to_string().contains("secret"));
    }

    #[test]
    fn a_token_file_is_read_up_to_the_length_of_a_token() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        for (content, is_valid) in [("x".repeat(4096), true), ("x".repeat(4097), false), ("ü".into(), false)]
        {
            fs::write(&file, content).unwrap();
            let settings = settings(&[("HF_TOKEN_PATH", file.to_str().unwrap())]);
            assert_eq!(settings.is_ok(), is_valid, "{settings:?}");
        }
        assert_eq!(settings(&[("HF_TOKEN_PATH", "/dev/zero")]).unwrap_err().kind(), "InvalidOption");
    }

    #[test]
    fn without_variables_the_settings_are_the_default() {
        let (read, default) = (settings(&[]).unwrap(), HubSettings::default());
        assert_eq!(format!("{read:?}"), format!("{default:?}"));
        assert_eq!((default.endpoint_text(), default.cache_limit), ("https://huggingface.co", 20 << 30));
        assert!(default.is_public() && default.cache_folder.is_none());
        let read = settings(&[
            ("XDG_CACHE_HOME", "/c"),
            ("TMPDIR", "/t"),
            ("RLMESH_SANDBOX_CACHE_LIMIT", "1.5k"),
            ("HF_HUB_DOWNLOAD_TIMEOUT", "0.4"),
        ])
        .unwrap();
        assert_eq!(read.cache_folder, Some(PathBuf::from("/c/rlmesh-sandbox/hub")));
        assert_eq!(read.temporary_folder, Path::new("/t"));
        assert_eq!((read.cache_limit, read.read_timeout), (1536, Duration::from_millis(400)));
        for name in ["RLMESH_SANDBOX_CACHE_LIMIT", "HF_HUB_DOWNLOAD_TIMEOUT"] {
            assert!(settings(&[(name, "lots")]).unwrap_err().to_string().contains(name));
        }
    }

    #[test]
    fn offline_is_read_as_hugging_face_reads_it() {
        for (value, expected) in
            [("1", true), ("ON", true), ("yes", true), ("True", true), ("0", false), ("", false)]
        {
            assert_eq!(settings(&[("HF_HUB_OFFLINE", value)]).unwrap().is_offline, expected, "{value:?}");
        }
    }

    #[test]
    fn each_scheme_has_its_proxy() {
        let proxies = settings(&[
            ("HTTPS_PROXY", "proxy:3128"),
            ("ALL_PROXY", "socks5://s:1"),
            ("NO_PROXY", "a, .b ,"),
        ])
        .unwrap()
        .proxies;
        assert_eq!(proxies.https.unwrap().as_str(), "http://proxy:3128/");
        assert_eq!(proxies.http.unwrap().scheme(), "socks5");
        assert_eq!(proxies.exceptions, ["a", ".b"]);
        let error = settings(&[("HTTPS_PROXY", "ftp://user:secret@x")]).unwrap_err();
        assert!(error.to_string().contains("HTTPS_PROXY") && !error.to_string().contains("secret"));
    }
}
