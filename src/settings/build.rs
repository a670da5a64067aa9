//! How an image comes to be, read from flags and checked; nothing of it enters the build hash, and it starts nothing.

use std::path::PathBuf;

use crate::cli::ImageArgs;
use crate::error::SandboxError;
use crate::image::build_context::dockerfile::Steps;
use crate::image::build_context::recipe;
use crate::image::labels;
use crate::plan::EffectiveSpec;
use crate::plan::lockfile::Locking;
use crate::settings::package_index::Secrets;
use crate::settings::sandbox::{Field, checked_text, invalid};
use crate::settings::size::BuildMemory;
use crate::settings::variables::Variables;
use crate::source::image_reference::is_image_reference;

const TAG: Field = Field("tag", "--tag");
const PUSH: Field = Field("push", "--push");
const LABEL: Field = Field("label", "--label");
const PLATFORM: Field = Field("platform", "--platform");
const CACHE_FROM: Field = Field("cache_from", "--cache-from");
const INSTALLER: Field = Field("installer", "--installer");
const CA_CERT: Field = Field("ca_cert", "--ca-cert");
const CACHE_TO: Field = Field("cache_to", "--cache-to");

/// What starts the labels that this tool and the SDK judge containers by, and those of its images.
/// A container inherits its image's labels, so none of them may be a user's.
const OWN_LABELS: [&str; 2] = ["rlmesh.sandbox", "rlmesh.image"];

/// Whether an image that exists is good enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Rebuild {
    #[default]
    IfMissing,
    Always,
}

/// Whether a build asks the registry for a newer base image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum BaseImage {
    /// What the engine or its cache has is good enough.
    #[default]
    AsItIs,
    Newest,
}

/// What installs Python packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Installer {
    /// uv, and pip where uv cannot be had.
    #[default]
    Uv,
    Pip,
}

/// How the image comes to be, beside what goes into it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct BuildOptions {
    pub(crate) rebuild: Rebuild,
    pub(crate) base: BaseImage,
    /// Further names for the image.
    pub(crate) tags: Vec<String>,
    /// Further names under which it is pushed.
    pub(crate) pushes: Vec<String>,
    pub(crate) labels: Vec<(String, String)>,
    /// `linux/arm64`; `None` is the engine's own.
    pub(crate) platform: Option<String>,
    pub(crate) cache_from: Vec<String>,
    pub(crate) cache_to: Vec<String>,
    pub(crate) installer: Installer,
    /// A file of certificates that the build trusts beside its base image's.
    pub(crate) ca_cert: Option<PathBuf>,
}

impl BuildOptions {
    /// The flags, checked. Only the platform may come from the environment: docker itself would read it there.
    ///
    /// # Errors
    /// [`SandboxError::InvalidOption`], which names the flag.
    pub(crate) fn from_args(args: &ImageArgs, variables: &Variables) -> Result<Self, SandboxError> {
        let platform = match &args.platform {
            Some(platform) => Some(platform.clone()),
            None => variables.text("DOCKER_DEFAULT_PLATFORM")?.map(str::to_owned),
        };
        Ok(Self {
            // A newer base image is of no use to an image that is not built.
            rebuild: if args.rebuild || args.pull { Rebuild::Always } else { Rebuild::IfMissing },
            base: if args.pull { BaseImage::Newest } else { BaseImage::AsItIs },
            tags: all(&args.tag, |text| reference(TAG, text))?,
            pushes: all(&args.push, |text| reference(PUSH, text))?,
            labels: all(&args.label, label)?,
            platform: platform.as_deref().map(self::platform).transpose()?,
            cache_from: all(&args.cache_from, |text| cache(CACHE_FROM, text))?,
            cache_to: all(&args.cache_to, |text| cache(CACHE_TO, text))?,
            installer: args.installer.as_deref().map_or(Ok(Installer::Uv), installer)?,
            ca_cert: args
                .ca_cert
                .clone()
                .or_else(|| variables.path("RLMESH_SANDBOX_CA_CERT"))
                .map(|file| ca_cert(file, variables))
                .transpose()?,
        })
    }

    /// The first of those flags that say something about an image that is built.
    pub(crate) fn first_of_a_build(&self) -> Option<&'static str> {
        [
            (TAG, !self.tags.is_empty()),
            (PUSH, !self.pushes.is_empty()),
            (LABEL, !self.labels.is_empty()),
            (CACHE_FROM, !self.cache_from.is_empty()),
            (CACHE_TO, !self.cache_to.is_empty()),
        ]
        .iter()
        .find_map(|(field, is_given)| is_given.then_some(field.1))
    }

    /// The flags that came to nothing because the image was there already.
    pub(crate) fn in_vain(&self) -> Vec<&'static str> {
        [
            (LABEL, !self.labels.is_empty()),
            (CACHE_FROM, !self.cache_from.is_empty()),
            (CACHE_TO, !self.cache_to.is_empty()),
        ]
        .iter()
        .filter_map(|(field, is_given)| is_given.then_some(field.1))
        .collect()
    }

    /// What `docker buildx build` is told where it makes no image, but looks into one that it has just made.
    pub(crate) fn flags_beside_the_image(&self) -> Vec<String> {
        let platform = self.platform.iter().map(|platform| format!("--platform={platform}"));
        platform.chain(self.cache_from.iter().map(|spec| format!("--cache-from={spec}"))).collect()
    }

    /// What `docker buildx build` is told.
    pub(crate) fn flags(&self, spec: &EffectiveSpec, secrets: Secrets) -> Vec<String> {
        let mut flags = self.flags_beside_the_image();
        if self.base == BaseImage::Newest {
            flags.push("--pull".to_owned());
        }
        flags.extend(self.cache_to.iter().map(|spec| format!("--cache-to={spec}")));
        flags.extend(
            self.image_labels(spec, secrets).iter().map(|(key, value)| format!("--label={key}={value}")),
        );
        flags
    }

    /// How the steps of the build install.
    pub(crate) fn steps(&self, secrets: Secrets) -> Steps {
        Steps { installer: self.installer, secrets }
    }

    /// The image's labels beside its base's; of two with one key, the latter is the one to be.
    pub(crate) fn image_labels(&self, spec: &EffectiveSpec, secrets: Secrets) -> Vec<(String, String)> {
        let mut labels = labels::of(spec);
        labels.extend(self.recipe(spec, secrets).map(|digest| (labels::RECIPE.to_owned(), digest)));
        labels.extend_from_slice(&self.labels);
        labels
    }

    /// The digest of what the image is made by; images for a platform that was named are nobody's twins.
    fn recipe(&self, spec: &EffectiveSpec, secrets: Secrets) -> Option<String> {
        if self.platform.is_some() { None } else { recipe::digest(spec, self.steps(secrets)) }
    }

    /// The digest, where an image that was made by the same may stand in for a build: nothing is asked of the
    /// build itself.
    pub(crate) fn recipe_instead_of_a_build(&self, spec: &EffectiveSpec, secrets: Secrets) -> Option<String> {
        let is_about_the_build = self.rebuild == Rebuild::Always
            || !self.cache_from.is_empty()
            || !self.cache_to.is_empty()
            || spec.build_memory != BuildMemory::Off
            || matches!(spec.locking, Locking::Write(_));
        if is_about_the_build { None } else { self.recipe(spec, secrets) }
    }

    /// Whether the base image that the engine has is the one to build on.
    pub(crate) fn takes_the_base_as_it_is(&self) -> bool {
        self.base == BaseImage::AsItIs && self.platform.is_none()
    }

    /// Whether nothing is asked of an image that is there, so that a container can start at once.
    pub(crate) fn leaves_the_image_alone(&self) -> bool {
        self.rebuild == Rebuild::IfMissing && self.first_of_a_build().is_none()
    }
}

fn all<T>(texts: &[String], check: impl Fn(&str) -> Result<T, SandboxError>) -> Result<Vec<T>, SandboxError> {
    texts.iter().map(|text| check(text)).collect()
}

fn installer(text: &str) -> Result<Installer, SandboxError> {
    match text.trim() {
        "uv" => Ok(Installer::Uv),
        "pip" => Ok(Installer::Pip),
        _ => Err(invalid(format!("{INSTALLER} is {text:?}"), "use uv or pip")),
    }
}

/// The file itself, or for `auto` the one that the environment names for OpenSSL and its kin.
fn ca_cert(file: PathBuf, variables: &Variables) -> Result<PathBuf, SandboxError> {
    if file.as_os_str() != "auto" {
        return Ok(file);
    }
    variables.path("SSL_CERT_FILE").ok_or_else(|| {
        invalid(
            format!("{CA_CERT} is auto, and SSL_CERT_FILE is not set"),
            "set SSL_CERT_FILE to a file of certificates, or name the file (one of that name is ./auto)",
        )
    })
}

fn reference(field: Field, text: &str) -> Result<String, SandboxError> {
    let text = checked_text(field, text)?;
    if text.contains('@') || !is_image_reference(&text) {
        return Err(invalid(
            format!("{field} {text:?} is no name for an image"),
            "name it as docker does, such as ghcr.io/org/image:tag",
        ));
    }
    Ok(text)
}

fn label(text: &str) -> Result<(String, String), SandboxError> {
    let text = checked_text(LABEL, text)?;
    let (key, value) = text
        .split_once('=')
        .ok_or_else(|| invalid(format!("{LABEL} {text:?} has no ="), "write it as KEY=VALUE"))?;
    if key.is_empty() || key.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(invalid(
            format!("{LABEL} {text:?} has no key that docker takes"),
            "use letters, digits, dots and dashes before the =",
        ));
    }
    let is_below =
        |own: &str| key.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    if OWN_LABELS.into_iter().any(is_below) {
        return Err(invalid(
            format!("{LABEL} {key} is one of this tool's own"),
            "use another key: containers take over their image's labels, and would be judged by it",
        ));
    }
    Ok((key.to_owned(), value.to_owned()))
}

/// `os/arch[/variant]`, in lower case as docker prints it.
fn platform(text: &str) -> Result<String, SandboxError> {
    let text = checked_text(PLATFORM, text)?.to_ascii_lowercase();
    let is_word = |word: &str| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    let words: Vec<&str> = text.split('/').collect();
    if !(2..=3).contains(&words.len()) || !words.iter().copied().all(is_word) {
        let hint = if text.contains(',') {
            "name one platform; build once for each"
        } else {
            "name it as docker does, such as linux/amd64 or linux/arm64"
        };
        return Err(invalid(format!("{PLATFORM} is {text:?}"), hint));
    }
    Ok(text)
}

/// `type=…,key=value,…`, or an image's name, as buildx takes it; what the keys mean is its matter.
fn cache(field: Field, text: &str) -> Result<String, SandboxError> {
    let text = checked_text(field, text)?;
    // A quoted field may hold commas: buildx reads it as CSV.
    let is_list =
        || text.contains("type=") && (text.contains('"') || text.split(',').all(|part| part.contains('=')));
    if !is_list() && !is_image_reference(&text) {
        return Err(invalid(
            format!("{field} is {text:?}"),
            "write it as buildx takes it: type=registry,ref=ghcr.io/org/cache or type=local,src=FOLDER (dest=FOLDER)",
        ));
    }
    Ok(text)
}

/// Whether an image for `has` (`os/arch`) is one for `wanted` (`os/arch[/variant]`).
pub(crate) fn is_for_platform(has: &str, wanted: &str) -> bool {
    let mut parts = wanted.splitn(3, '/');
    let (os, arch) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    // Names that people use for the same thing.
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
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        image: ImageArgs,
    }

    fn options(line: &str) -> Result<BuildOptions, SandboxError> {
        let words = std::iter::once("x").chain(line.split_whitespace());
        BuildOptions::from_args(&Line::try_parse_from(words).unwrap().image, &Variables::default())
    }

    #[test]
    fn what_docker_would_refuse_late_is_refused_at_once() {
        for (line, said) in [
            ("--tag UPPER:1", "tag (--tag)"),
            ("--push x@sha256:00000000000000000000000000000000", "push (--push)"),
            ("--label x", "label (--label) \"x\" has no ="),
            ("--label =x", "no key"),
            ("--label rlmesh.sandbox=1", "own"),
            ("--label rlmesh.sandbox.owner-pid=1", "own"),
            ("--label rlmesh.image.source=x", "own"),
            ("--platform amd64", "platform (--platform)"),
            ("--platform linux/amd64,linux/arm64", "platform (--platform)"),
            ("--cache-from type=local,src", "cache_from (--cache-from)"),
            ("--cache-to no/t\u{e4}g", "cache_to (--cache-to)"),
        ] {
            let error = options(line).unwrap_err();
            assert_eq!(error.kind(), "InvalidOption", "{line}");
            assert!(error.to_string().contains(said), "{line}: {error}");
        }
    }

    #[test]
    fn what_is_right_is_taken_as_it_is() {
        let options = options(
            "--tag a:1 --tag localhost:5000/a --label rlmesh.sandboxes=1 --label a=b=c --platform Linux/arm64/v8 \
             --cache-from ghcr.io/org/cache --cache-to type=local,dest=/tmp/x --pull",
        )
        .unwrap();
        assert_eq!(options.tags, ["a:1", "localhost:5000/a"]);
        assert_eq!(options.labels[1], ("a".to_owned(), "b=c".to_owned()));
        assert_eq!(options.platform.as_deref(), Some("linux/arm64/v8"));
        assert_eq!((options.rebuild, options.base), (Rebuild::Always, BaseImage::Newest));
        assert_eq!(options.in_vain(), ["--label", "--cache-from", "--cache-to"]);
    }

    #[test]
    fn certificates_come_from_the_environment_only_where_that_is_asked_for() {
        let read = |line: &str, variables: &[(&str, &str)]| {
            let words = std::iter::once("x").chain(line.split_whitespace());
            let variables = variables.iter().copied().collect();
            let options = BuildOptions::from_args(&Line::try_parse_from(words).unwrap().image, &variables);
            options.map(|options| options.ca_cert.map(|file| file.display().to_string()))
        };
        let system = ("SSL_CERT_FILE", "/etc/company.pem");
        for (line, variables, file) in [
            ("", &[system][..], None),
            ("--ca-cert auto", &[system], Some("/etc/company.pem")),
            ("--ca-cert ./auto", &[system], Some("./auto")),
            ("", &[system, ("RLMESH_SANDBOX_CA_CERT", "auto")], Some("/etc/company.pem")),
            ("--ca-cert mine.pem", &[system, ("RLMESH_SANDBOX_CA_CERT", "auto")], Some("mine.pem")),
        ] {
            assert_eq!(read(line, variables).unwrap().as_deref(), file, "{line} {variables:?}");
        }
        let error = read("--ca-cert auto", &[]).unwrap_err();
        assert_eq!(error.to_string(), "ca_cert (--ca-cert) is auto, and SSL_CERT_FILE is not set");
    }

    #[test]
    fn platforms_are_compared_by_system_and_processor() {
        assert!(is_for_platform("linux/arm64", "linux/arm64/v8"));
        assert!(is_for_platform("linux/amd64", "linux/x86_64"));
        assert!(!is_for_platform("linux/amd64", "linux/arm64"));
        assert!(!is_for_platform("windows/amd64", "linux/amd64"));
    }
}
