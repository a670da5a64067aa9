//! Package indexes, proxies and certificates for the installers in a build. They are not part of the image or
//! its hash.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::error::{Field, SandboxError, invalid_option};
use crate::host::redact::{Redactor, authorities};
use crate::settings::variables::Variables;

/// The variables of pip and uv that configure package indexes.
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

/// The proxy variables. They are read in upper and lower case, because tools differ in which one they read.
const PROXIES: &[&str] = &["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"];

/// uv's variables for the login of a named index: `UV_INDEX_<NAME>_USERNAME`, `UV_INDEX_<NAME>_PASSWORD`.
const LOGIN: (&str, [&str; 2]) = ("UV_INDEX_", ["_USERNAME", "_PASSWORD"]);

/// The largest secret that BuildKit accepts, in bytes.
const LARGEST_CERTIFICATES: u64 = 500 * 1024;

/// Which secrets the steps of a build receive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Secrets {
    pub(crate) settings: bool,
    pub(crate) certificates: bool,
}

/// Settings for the installers in a build. `Debug` does not show them, because addresses may contain
/// passwords.
#[derive(Clone, Default)]
pub struct PackageIndex {
    /// Names and values of the variables of pip, uv and proxies.
    variables: Vec<(String, String)>,
    /// A PEM file of certificates to trust in addition to the base image's.
    certificates: Option<PathBuf>,
}

impl fmt::Debug for PackageIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PackageIndex")
    }
}

impl PackageIndex {
    /// Reads the variables of pip, uv and proxies.
    ///
    /// # Errors
    /// [`SandboxError::InvalidOption`] for a value of more than one line.
    pub fn from_variables(variables: &Variables) -> Result<Self, SandboxError> {
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
                return Err(invalid_option(
                    format!("{name} contains a line break"),
                    format!("set {name} to one line; separate addresses with spaces"),
                ));
            }
            found.push((name, value.to_owned()));
        }
        Ok(Self { variables: found, certificates: None })
    }

    /// Adds a PEM file of certificates to trust in addition to the base image's.
    ///
    /// # Errors
    /// [`SandboxError::InvalidOption`] if the file cannot be read, contains no certificate, or is too large.
    pub fn with_certificates(self, file: &Path) -> Result<Self, SandboxError> {
        check_certificates(file)?;
        Ok(Self { certificates: Some(file.to_owned()), ..self })
    }

    /// Reads the variables, and the certificates of `--ca-cert` or of its variable.
    ///
    /// # Errors
    /// As [`Self::from_variables`] and [`Self::with_certificates`]; also for `auto` without SSL_CERT_FILE.
    pub(crate) fn with_ca_cert(ca_cert: Option<&Path>, variables: &Variables) -> Result<Self, SandboxError> {
        let index = Self::from_variables(variables)?;
        match certificates_file(ca_cert, variables)? {
            Some(file) => index.with_certificates(&file),
            None => Ok(index),
        }
    }

    /// Names and values of the variables of pip, uv and proxies.
    #[cfg(feature = "cli")]
    pub(crate) fn variables(&self) -> &[(String, String)] {
        &self.variables
    }

    /// The variables as NAME=value lines; `None` if there are none.
    pub(crate) fn lines(&self) -> Option<String> {
        let lines: String = self.variables.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        (!lines.is_empty()).then_some(lines)
    }

    /// Which secrets a build needs.
    pub(crate) fn secrets(&self) -> Secrets {
        Secrets { settings: !self.variables.is_empty(), certificates: self.certificates.is_some() }
    }

    pub(crate) fn certificates(&self) -> Option<&Path> {
        self.certificates.as_deref()
    }

    /// A redactor for the passwords in these settings.
    pub(crate) fn redactor(&self) -> Redactor {
        let mut redactor = Redactor::default();
        for (name, value) in &self.variables {
            redactor.hide_logins(value);
            if name.ends_with("_PASSWORD") {
                redactor.hide(value);
            }
        }
        redactor
    }

    /// Whether an index or a proxy is on the loopback interface, which a build only reaches on the host's
    /// network.
    pub(crate) fn needs_host_network(&self) -> bool {
        let is_address = |name: &str| !name.eq_ignore_ascii_case("NO_PROXY");
        let values = self.variables.iter().filter(|(name, _)| is_address(name)).map(|(_, value)| value);
        values
            .flat_map(|value| authorities(value))
            .any(|authority| is_loopback(authority.rsplit('@').next().unwrap_or_default()))
    }
}

/// The file of `--ca-cert`, or else of RLMESH_SANDBOX_CA_CERT; for `auto`, the file of SSL_CERT_FILE.
///
/// # Errors
/// [`SandboxError::InvalidOption`] for `auto` without SSL_CERT_FILE.
fn certificates_file(given: Option<&Path>, variables: &Variables) -> Result<Option<PathBuf>, SandboxError> {
    match given.map(Path::to_owned).or_else(|| variables.path("RLMESH_SANDBOX_CA_CERT")) {
        Some(file) if file.as_os_str() == "auto" => {
            variables.path("SSL_CERT_FILE").map(Some).ok_or_else(|| {
                invalid_option(
                    format!("{} is auto, but SSL_CERT_FILE is not set", Field::CA_CERT),
                    "set SSL_CERT_FILE, or pass the path of the file (./auto for a file called auto)",
                )
            })
        }
        file => Ok(file),
    }
}

/// Whether `host` or `host:port` is on the loopback interface.
fn is_loopback(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn check_certificates(file: &Path) -> Result<(), SandboxError> {
    let (field, shown) = (Field::CA_CERT, file.display());
    let mut content = Vec::new();
    File::open(file)
        .and_then(|opened| opened.take(LARGEST_CERTIFICATES + 1).read_to_end(&mut content))
        .map_err(|error| {
            invalid_option(
                format!("{field}: cannot read {shown}: {error}"),
                "use a readable file of certificates in PEM format",
            )
        })?;
    if content.len() as u64 > LARGEST_CERTIFICATES {
        return Err(invalid_option(
            format!("{field}: {shown} is larger than {} KiB", LARGEST_CERTIFICATES / 1024),
            "use a file with only the certificates that the base image lacks",
        ));
    }
    if !content.windows(27).any(|window| window == b"-----BEGIN CERTIFICATE-----") {
        return Err(invalid_option(
            format!("{field}: {shown} contains no certificate"),
            "use a file in PEM format; convert a file in DER format with `openssl x509 -inform der -in FILE -out FILE.pem`",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> PackageIndex {
        PackageIndex::from_variables(&variables.iter().copied().collect()).unwrap()
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
        assert_eq!(settings.redactor().apply("secret hunter2 proxy"), "*** *** proxy");
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
    fn ssl_cert_file_is_only_used_for_auto() {
        let read = |given: Option<&str>, variables: &[(&str, &str)]| {
            let file = certificates_file(given.map(Path::new), &variables.iter().copied().collect());
            file.map(|file| file.map(|file| file.display().to_string()))
        };
        let system = ("SSL_CERT_FILE", "/etc/company.pem");
        let auto = ("RLMESH_SANDBOX_CA_CERT", "auto");
        for (given, variables, file) in [
            (None, &[system][..], None),
            (Some("auto"), &[system], Some("/etc/company.pem")),
            (Some("./auto"), &[system], Some("./auto")),
            (None, &[system, auto], Some("/etc/company.pem")),
            (Some("mine.pem"), &[system, auto], Some("mine.pem")),
        ] {
            assert_eq!(read(given, variables).unwrap().as_deref(), file, "{given:?} {variables:?}");
        }
        let error = read(Some("auto"), &[]).unwrap_err();
        assert_eq!(error.to_string(), "ca_cert (--ca-cert) is auto, but SSL_CERT_FILE is not set");
    }

    #[test]
    fn settings_that_cannot_be_passed_on_are_refused() {
        let broken: Variables = [("PIP_INDEX_URL", "https://a\nhttps://b")].into_iter().collect();
        assert_eq!(PackageIndex::from_variables(&broken).unwrap_err().kind(), "InvalidOption");
        let file = tempfile::NamedTempFile::new().unwrap();
        let with = |file: &Path| PackageIndex::default().with_certificates(file);
        assert!(with(file.path()).unwrap_err().to_string().contains("contains no certificate"));
        std::fs::write(file.path(), "-----BEGIN CERTIFICATE-----\n").unwrap();
        assert_eq!(with(file.path()).unwrap().certificates(), Some(file.path()));
        let large = format!("-----BEGIN CERTIFICATE-----\n{}", "x".repeat(600_000));
        std::fs::write(file.path(), large).unwrap();
        assert!(with(file.path()).unwrap_err().to_string().contains("larger"));
        assert!(with(Path::new("/nonexistent.pem")).unwrap_err().to_string().contains("cannot read"));
        assert!(with(Path::new("/dev/zero")).unwrap_err().to_string().contains("larger"));
    }
}
