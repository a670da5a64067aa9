//! Where the Hub is, who asks it, and whether it may be asked at all: read from the variables that Hugging Face's own client reads; it opens no connection.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use url::Url;

use crate::error::SandboxError;
use crate::settings::sandbox::invalid;
use crate::settings::variables::Variables;

/// Where repositories are unless HF_ENDPOINT says otherwise.
const PUBLIC_ENDPOINT: &str = "https://huggingface.co";

/// How to reach the Hub.
#[derive(Debug, Clone)]
pub(crate) struct HubSettings {
    /// Its address; the path ends without a slash, unless there is none.
    pub(crate) endpoint: Url,
    pub(crate) token: Option<Token>,
    /// Whether the user has forbidden to use the network.
    pub(crate) is_offline: bool,
    pub(crate) proxies: Proxies,
}

/// A user's access token. No formatting shows it.
#[derive(Clone)]
pub(crate) struct Token {
    value: String,
    /// The variable or file that it was read from.
    pub(crate) origin: String,
}

impl Token {
    /// The value of the Authorization header.
    pub(crate) fn authorization(&self) -> String {
        format!("Bearer {}", self.value)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token(from {})", self.origin)
    }
}

/// The proxies that the environment names. Their addresses may hold passwords: no formatting shows them.
#[derive(Clone, Default)]
pub(crate) struct Proxies {
    pub(crate) http: Option<Url>,
    pub(crate) https: Option<Url>,
    /// Hosts that are asked directly, as NO_PROXY lists them.
    pub(crate) exceptions: Vec<String>,
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proxies")
    }
}

impl HubSettings {
    /// What the environment says.
    ///
    /// # Errors
    /// [`SandboxError::InvalidOption`] for an address or a token that can't be one.
    pub(crate) fn from_environment(variables: &Variables) -> Result<Self, SandboxError> {
        Ok(Self {
            endpoint: endpoint(variables.text("HF_ENDPOINT")?)?,
            token: token(variables)?,
            is_offline: is_on(variables, "HF_HUB_OFFLINE")?,
            proxies: proxies(variables)?,
        })
    }

    /// The address of something on the Hub; `path` starts with a slash and is percent-encoded.
    pub(crate) fn address(&self, path: &str) -> Url {
        let mut address = self.endpoint.clone();
        let base = self.endpoint.path().trim_end_matches('/');
        address.set_path(&format!("{base}{path}"));
        address
    }

    /// Whether it is the public Hub, rather than a mirror or a company's own.
    pub(crate) fn is_public(&self) -> bool {
        self.endpoint_text() == PUBLIC_ENDPOINT
    }

    /// The Hub's address as users write it.
    pub(crate) fn endpoint_text(&self) -> &str {
        self.endpoint.as_str().trim_end_matches('/')
    }
}

fn endpoint(text: Option<&str>) -> Result<Url, SandboxError> {
    const HINT: &str = "set it to the Hub's address, such as https://huggingface.co, or unset it";
    let text = text.unwrap_or(PUBLIC_ENDPOINT).trim_end_matches('/');
    let refused = |why: &str| invalid(format!("HF_ENDPOINT {why}"), HINT);
    let url = Url::parse(text).map_err(|_| refused("is no address"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(refused("is no http or https address"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("holds a user name or a password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refused("holds a query or a fragment"));
    }
    Ok(url)
}

/// As Hugging Face reads its switches.
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
            return checked_token(value, name.to_owned()).map(Some);
        }
    }
    let Some(file) = token_file(variables) else { return Ok(None) };
    match fs::read_to_string(&file) {
        Ok(text) if !text.trim().is_empty() => {
            checked_token(text.trim(), file.display().to_string()).map(Some)
        }
        // Most people have none.
        _ => Ok(None),
    }
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

/// Hugging Face's client takes a leading `~` in these variables for the home folder.
fn expand_home(path: &Path, variables: &Variables) -> PathBuf {
    match (path.strip_prefix("~"), variables.path("HOME")) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    }
}

fn checked_token(value: &str, origin: String) -> Result<Token, SandboxError> {
    // What isn't visible ASCII can't stand in a header, and is a wrong file or a bad paste.
    if !value.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(invalid(
            format!("the Hugging Face token from {origin} holds characters that no token has"),
            "log in again with `hf auth login`, or set HF_TOKEN to the token alone",
        ));
    }
    Ok(Token { value: value.to_owned(), origin })
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
            invalid(
                format!("{name} is no proxy's address"),
                format!("set {name} to an address such as http://proxy.example.com:3128, or unset it"),
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Result<HubSettings, SandboxError> {
        HubSettings::from_environment(&variables.iter().copied().collect())
    }

    #[test]
    fn a_mirror_keeps_its_path_and_loses_its_last_slash() {
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
