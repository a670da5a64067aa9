//! What the user's environment says of package indexes, proxies and certificates, for the build alone; it reaches no image and no hash.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::error::SandboxError;
use crate::host::redact::Redactor;
use crate::settings::sandbox::invalid;
use crate::settings::variables::Variables;

/// The variables of pip and uv that say where packages come from.
const INSTALLERS: &[&str] = &[
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_TRUSTED_HOST",
    "UV_DEFAULT_INDEX",
    "UV_INDEX_URL",
    "UV_INDEX",
    "UV_EXTRA_INDEX_URL",
    "UV_INDEX_STRATEGY",
    "UV_INSECURE_HOST",
    "UV_HTTP_TIMEOUT",
];

/// In both cases, as every tool reads one or the other.
const PROXIES: &[&str] = &["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"];

/// uv's names for the login of an index that has a name: `UV_INDEX_<NAME>_USERNAME`, `UV_INDEX_<NAME>_PASSWORD`.
const LOGIN: (&str, [&str; 2]) = ("UV_INDEX_", ["_USERNAME", "_PASSWORD"]);

/// BuildKit takes no larger secret.
const LARGEST_CERTIFICATES: u64 = 500 * 1024;

/// Which secrets the steps of a build are handed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Secrets {
    pub(crate) settings: bool,
    pub(crate) certificates: bool,
}

/// What the installers inside the build are told.
#[derive(Debug, Clone, Default)]
pub(crate) struct InstallSettings {
    variables: Vec<(String, String)>,
    /// A file of certificates to trust beside the system's.
    certificates: Option<PathBuf>,
}

impl InstallSettings {
    /// Reads what there is; `certificates` is what `--ca-cert` names.
    ///
    /// # Errors
    /// [`SandboxError::InvalidOption`] for a value of more than one line, or certificates that cannot be read.
    pub(crate) fn read(variables: &Variables, certificates: Option<&Path>) -> Result<Self, SandboxError> {
        let mut names: Vec<String> = INSTALLERS.iter().map(ToString::to_string).collect();
        names.extend(PROXIES.iter().flat_map(|name| [(*name).to_owned(), name.to_lowercase()]));
        let (start, ends) = LOGIN;
        names.extend(
            variables
                .names()
                .filter(|name| name.starts_with(start) && ends.iter().any(|end| name.ends_with(end)))
                .map(str::to_owned),
        );
        let mut found = Vec::new();
        for name in names {
            let Some(value) = variables.text(&name)? else { continue };
            if value.contains(['\n', '\r', '\0']) {
                return Err(invalid(
                    format!("{name} holds a line break"),
                    format!("set {name} to one line; separate addresses by blanks"),
                ));
            }
            found.push((name, value.to_owned()));
        }
        if let Some(file) = certificates {
            check_certificates(file)?;
        }
        Ok(Self { variables: found, certificates: certificates.map(Path::to_owned) })
    }

    /// The variables as NAME=value lines; nothing where there are none.
    pub(crate) fn lines(&self) -> Option<String> {
        let lines: String = self.variables.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        (!lines.is_empty()).then_some(lines)
    }

    /// What of it there is.
    pub(crate) fn secrets(&self) -> Secrets {
        Secrets { settings: !self.variables.is_empty(), certificates: self.certificates.is_some() }
    }

    pub(crate) fn certificates(&self) -> Option<&Path> {
        self.certificates.as_deref()
    }

    /// Every password among them.
    pub(crate) fn mask(&self) -> Redactor {
        let mut mask = Redactor::default();
        for (name, value) in &self.variables {
            mask.hide_logins(value);
            if name.ends_with("_PASSWORD") {
                mask.hide(value);
            }
        }
        mask
    }

    /// Whether an index or a proxy is on the loopback interface, which only the host's own network reaches.
    pub(crate) fn needs_host_network(&self) -> bool {
        self.variables.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("NO_PROXY")).any(|(_, value)| {
            value.split("://").skip(1).any(|rest| {
                let authority = rest.split(['/', '?', '#', ' ', '\t', ',']).next().unwrap_or_default();
                is_loopback(authority.rsplit('@').next().unwrap_or_default())
            })
        })
    }
}

/// Whether `host` or `host:port` is the machine itself.
fn is_loopback(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn check_certificates(file: &Path) -> Result<(), SandboxError> {
    let shown = file.display();
    let content = fs::read(file).map_err(|error| {
        invalid(
            format!("ca_cert (--ca-cert) {shown} cannot be read: {error}"),
            "name a file of certificates in PEM form",
        )
    })?;
    if !content.windows(27).any(|window| window == b"-----BEGIN CERTIFICATE-----") {
        return Err(invalid(
            format!("ca_cert (--ca-cert) {shown} holds no certificate"),
            "name a file in PEM form; convert one in DER form with `openssl x509 -inform der -in FILE`",
        ));
    }
    if content.len() as u64 > LARGEST_CERTIFICATES {
        return Err(invalid(
            format!("ca_cert (--ca-cert) {shown} is larger than {} KiB", LARGEST_CERTIFICATES / 1024),
            "name only the certificates that the system's own do not hold",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> InstallSettings {
        InstallSettings::read(&variables.iter().copied().collect(), None).unwrap()
    }

    #[test]
    fn indexes_and_proxies_are_taken_and_nothing_else() {
        let settings = settings(&[
            ("PIP_INDEX_URL", "https://me:secret@host/simple"),
            ("https_proxy", "http://proxy:3128"),
            ("UV_INDEX_CORP_PASSWORD", "hunter2"),
            ("UV_INDEX_STRATEGY", " "),
            ("PIP_FIND_LINKS", "/opt/wheels"),
            ("AWS_SECRET_ACCESS_KEY", "x"),
        ]);
        assert_eq!(
            settings.lines().unwrap(),
            "PIP_INDEX_URL=https://me:secret@host/simple\nhttps_proxy=http://proxy:3128\nUV_INDEX_CORP_PASSWORD=hunter2\n"
        );
        assert_eq!(settings.mask().apply("secret hunter2 proxy"), "*** *** proxy");
        assert_eq!(self::settings(&[("PATH", "/bin")]).lines(), None);
    }

    #[test]
    fn the_loopback_interface_in_its_spellings() {
        for (value, expected) in [
            ("http://127.0.0.1:8080/simple", true),
            ("https://me:x@localhost/simple", true),
            ("http://[::1]:80/", true),
            ("https://pypi.org/simple http://127.8.0.1/x", true),
            ("name=http://LocalHost:1", true),
            ("https://127.0.0.1.example.com/", false),
            ("https://pypi.org/simple", false),
            ("https://host/http/127.0.0.1", false),
        ] {
            assert_eq!(settings(&[("UV_INDEX", value)]).needs_host_network(), expected, "{value}");
        }
        assert!(!settings(&[("NO_PROXY", "http://127.0.0.1")]).needs_host_network());
    }

    #[test]
    fn what_cannot_be_passed_on_is_refused() {
        let broken: Variables = [("PIP_INDEX_URL", "https://a\nhttps://b")].into_iter().collect();
        assert_eq!(InstallSettings::read(&broken, None).unwrap_err().kind(), "InvalidOption");
        let file = tempfile::NamedTempFile::new().unwrap();
        let read = || InstallSettings::read(&Variables::default(), Some(file.path()));
        assert!(read().unwrap_err().to_string().contains("holds no certificate"));
        fs::write(file.path(), "-----BEGIN CERTIFICATE-----\n").unwrap();
        assert_eq!(read().unwrap().certificates(), Some(file.path()));
        fs::write(file.path(), format!("-----BEGIN CERTIFICATE-----\n{}", "x".repeat(600_000))).unwrap();
        assert!(read().unwrap_err().to_string().contains("larger"));
        let missing = InstallSettings::read(&Variables::default(), Some(Path::new("/nonexistent.pem")));
        assert!(missing.unwrap_err().to_string().contains("cannot be read"));
    }
}
