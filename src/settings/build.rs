//! Options of a build and of publishing its image. They are not part of the build hash.

use crate::contract::label;
use crate::error::{Field, InvalidValue, SandboxError};
use crate::settings::values::{each, one, one_line};
use crate::source::image_reference::is_image_reference;

/// The installer for Python packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[non_exhaustive]
pub enum Installer {
    /// uv, or pip if uv is not available.
    #[default]
    Uv,
    /// Always pip.
    Pip,
}

/// How the image of a source is built.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct BuildOptions {
    /// Build even if the image exists.
    pub rebuild: bool,
    /// Pull a newer base image if the registry has one, and build again.
    pub pull: bool,
    /// The platform, such as `linux/arm64`; `None` is the engine's own.
    pub platform: Option<String>,
    /// Where to import the build cache from, as for `docker buildx build --cache-from`.
    pub cache_from: Vec<String>,
    /// The installer for Python packages.
    pub installer: Installer,
}

/// How the image is named, labelled and pushed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PublishOptions {
    /// Additional names for the image.
    pub tags: Vec<String>,
    /// Additional names under which the image is pushed to a registry.
    pub pushes: Vec<String>,
    /// Labels for the image, set when it is built: key and value.
    pub labels: Vec<(String, String)>,
    /// Where to export the build cache to, as for `docker buildx build --cache-to`.
    pub cache_to: Vec<String>,
}

impl BuildOptions {
    /// Whether to build on the base image that the engine has.
    pub(crate) fn uses_local_base_image(&self) -> bool {
        !self.pull && self.platform.is_none()
    }

    /// # Errors
    /// [`SandboxError::InvalidOption`], which names the field.
    pub(crate) fn checked(self) -> Result<Self, SandboxError> {
        Ok(Self {
            platform: one(Field::PLATFORM, self.platform.as_ref(), platform_of)?,
            cache_from: each(Field::CACHE_FROM, &self.cache_from, cache)?,
            ..self
        })
    }
}

impl PublishOptions {
    /// # Errors
    /// [`SandboxError::InvalidOption`], which names the field.
    pub(crate) fn checked(self) -> Result<Self, SandboxError> {
        for (key, value) in &self.labels {
            let text = format!("{key}={value}");
            label(&text).map_err(|invalid| Field::LABEL.invalid(&text, &invalid))?;
        }
        Ok(Self {
            tags: each(Field::TAG, &self.tags, image_name)?,
            pushes: each(Field::PUSH, &self.pushes, image_name)?,
            cache_to: each(Field::CACHE_TO, &self.cache_to, cache)?,
            ..self
        })
    }
}

/// Parses a name for an image.
///
/// # Errors
/// [`InvalidValue`].
pub(crate) fn image_name(text: &str) -> Result<String, InvalidValue> {
    let text = one_line(text)?;
    if text.contains('@') || !is_image_reference(&text) {
        return Err(InvalidValue::new(
            "it is not a valid image name",
            "use a name such as ghcr.io/org/image:tag",
        ));
    }
    Ok(text)
}

/// Parses `KEY=VALUE`.
///
/// # Errors
/// [`InvalidValue`], also for a key that decides what happens to containers: they inherit their image's
/// labels.
pub(crate) fn label(text: &str) -> Result<(String, String), InvalidValue> {
    let text = one_line(text)?;
    let (key, value) =
        text.split_once('=').ok_or_else(|| InvalidValue::new("it has no '='", "write it as KEY=VALUE"))?;
    if key.is_empty() || key.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(InvalidValue::new(
            "its key is not valid",
            "use letters, digits, dots and dashes before the '='",
        ));
    }
    let is_below =
        |own: &str| key.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    if label::RESERVED.into_iter().any(is_below) {
        return Err(InvalidValue::new(
            "this key is reserved for rlmesh",
            "use a key that does not start with rlmesh.sandbox or rlmesh.image",
        ));
    }
    Ok((key.to_owned(), value.to_owned()))
}

/// Parses a platform, `os/arch[/variant]`, and returns it in lower case.
///
/// # Errors
/// [`InvalidValue`].
pub(crate) fn platform_of(text: &str) -> Result<String, InvalidValue> {
    let text = one_line(text)?.to_ascii_lowercase();
    let is_word = |word: &str| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    let words: Vec<&str> = text.split('/').collect();
    if text.contains(',') {
        return Err(InvalidValue::new("it names several platforms", "run it once for each platform"));
    }
    if !(2..=3).contains(&words.len()) || !words.iter().copied().all(is_word) {
        return Err(InvalidValue::new(
            "it is not a valid platform",
            "use OS/ARCH, such as linux/amd64 or linux/arm64",
        ));
    }
    Ok(text)
}

/// Parses a cache location: `type=…,key=value,…`, or an image's name. buildx checks the keys.
///
/// # Errors
/// [`InvalidValue`].
pub(crate) fn cache(text: &str) -> Result<String, InvalidValue> {
    let text = one_line(text)?;
    // A quoted field may contain commas: buildx parses the text as CSV.
    let is_list =
        || text.contains("type=") && (text.contains('"') || text.split(',').all(|part| part.contains('=')));
    if !is_list() && !is_image_reference(&text) {
        return Err(InvalidValue::new(
            "it is not a valid cache location",
            "use type=registry,ref=ghcr.io/org/cache, or type=local,src=FOLDER (for --cache-to: dest=FOLDER)",
        ));
    }
    Ok(text)
}

/// Whether an image for the platform `has` (`os/arch`) is one for `wanted` (`os/arch[/variant]`).
pub(crate) fn is_for_platform(has: &str, wanted: &str) -> bool {
    let mut parts = wanted.splitn(3, '/');
    let (os, arch) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    // Other names for the same architecture.
    let arch = match arch {
        "x86_64" | "x86-64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    has.split_once('/') == Some((os, arch))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_docker_would_refuse_are_refused() {
        let refused = |text: &str, parse: fn(&str) -> Result<String, InvalidValue>| {
            assert!(parse(text).is_err(), "{text}");
        };
        refused("UPPER:1", image_name);
        refused("x@sha256:00000000000000000000000000000000", image_name);
        refused("amd64", platform_of);
        refused("linux/amd64,linux/arm64", platform_of);
        refused("type=local,src", cache);
        refused("no/t\u{e4}g", cache);
        for (text, said) in [
            ("x", "no '='"),
            ("=x", "key is not valid"),
            ("rlmesh.sandbox=1", "reserved"),
            ("rlmesh.sandbox.owner-pid=1", "reserved"),
            ("rlmesh.image.source=x", "reserved"),
        ] {
            assert!(label(text).unwrap_err().reason.contains(said), "{text}");
        }
    }

    #[test]
    fn valid_values_are_kept() {
        assert_eq!(image_name("localhost:5000/a").unwrap(), "localhost:5000/a");
        assert_eq!(label("rlmesh.sandboxes=1").unwrap().1, "1");
        assert_eq!(label("a=b=c").unwrap(), ("a".to_owned(), "b=c".to_owned()));
        assert_eq!(platform_of("Linux/arm64/v8").unwrap(), "linux/arm64/v8");
        for text in ["ghcr.io/org/cache", "type=local,dest=/tmp/x"] {
            assert_eq!(cache(text).unwrap(), text);
        }
    }

    #[test]
    fn a_library_users_values_are_checked_too() {
        let options = BuildOptions { platform: Some("x".to_owned()), ..BuildOptions::default() };
        assert!(options.checked().unwrap_err().to_string().starts_with("platform (--platform) \"x\""));
        let labels = vec![("rlmesh.sandbox".to_owned(), "1".to_owned())];
        let options = PublishOptions { labels, ..PublishOptions::default() };
        assert!(options.checked().unwrap_err().to_string().contains("reserved"));
    }

    #[test]
    fn platforms_are_compared_by_os_and_architecture() {
        assert!(is_for_platform("linux/arm64", "linux/arm64/v8"));
        assert!(is_for_platform("linux/amd64", "linux/x86_64"));
        assert!(!is_for_platform("linux/amd64", "linux/arm64"));
        assert!(!is_for_platform("windows/amd64", "linux/amd64"));
    }
}
