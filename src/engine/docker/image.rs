//! Images on the engine: inspect, tag, push and pull.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Deserializer};

use crate::engine::docker::buildx::parse_decimal;
use crate::engine::docker::info::{not_docker, unreadable};
use crate::engine::docker::invocation::Failure;
use crate::engine::docker::{DISK_FULL, Docker, NO_SPACE};
use crate::error::SandboxError;

/// The time limit for measuring and removing images.
const MEASURE_LIMIT: Duration = Duration::from_secs(120);

/// The fields of `docker image inspect` that are used here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImageInspection {
    /// `sha256:…`
    pub(crate) id: String,
    /// The platform, such as `linux/amd64`; `None` if unknown.
    pub(crate) platform: Option<String>,
    /// `NAME@sha256:…` for each registry from which the image was pulled or to which it was pushed.
    pub(crate) repo_digests: Vec<String>,
}

impl ImageInspection {
    const FORMAT: &str = "{{.Id}} {{.Os}}/{{.Architecture}} {{json .RepoDigests}}";

    /// Parses a line in [`Self::FORMAT`].
    fn parse(printed: &str) -> Option<Self> {
        let mut words = printed.split_whitespace();
        Some(Self {
            id: words.next().filter(|id| id.starts_with("sha256:"))?.to_owned(),
            platform: words.next().map(str::to_owned),
            repo_digests: words
                .next()
                .and_then(|digests| serde_json::from_str(digests).ok())
                .unwrap_or_default(),
        })
    }
}

/// More of `docker image inspect`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ImageDetails {
    pub(crate) id: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) repo_tags: Vec<String>,
    #[serde(default)]
    pub(crate) created: String,
    /// In bytes, with the layers that it shares with other images.
    #[serde(default)]
    pub(crate) size: u64,
    #[serde(default, deserialize_with = "or_default")]
    config: ImageConfig,
    #[serde(default, deserialize_with = "or_default")]
    metadata: ImageMetadata,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ImageConfig {
    #[serde(deserialize_with = "or_default")]
    labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_default")]
    entrypoint: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ImageMetadata {
    #[serde(deserialize_with = "or_default")]
    last_tag_time: String,
}

/// Whether a command failed because the engine does not have the image.
fn is_missing(failure: &Failure) -> bool {
    failure.stderr.to_lowercase().contains("no such image")
}

/// Docker prints `null` for what is empty.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(value: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(value)?.unwrap_or_default())
}

impl ImageDetails {
    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        self.config.labels.get(name).map(String::as_str)
    }

    pub(crate) fn entrypoint(&self) -> &[String] {
        &self.config.entrypoint
    }

    /// When it was last built or tagged; `None` if unknown.
    pub(crate) fn last_change(&self) -> Option<SystemTime> {
        // Docker prints the year 1 for an unknown time, which cannot be parsed.
        let parse = |text: &str| humantime::parse_rfc3339_weak(text).ok();
        parse(&self.metadata.last_tag_time).max(parse(&self.created))
    }
}

impl Docker {
    /// Every image that meets all filters of `docker image ls`, the newest first.
    ///
    /// # Errors
    /// [`SandboxError::Docker`].
    pub(crate) fn images(&self, filters: &[&str]) -> Result<Vec<ImageDetails>, SandboxError> {
        let failed = |failure: Failure| {
            let hint = "check that `docker image ls` works";
            failure.into_error("docker cannot list the images", hint, SandboxError::Docker)
        };
        let ids = self.image_ids(filters).map_err(failed)?;
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let inspected = match self
            .command(["image", "inspect"].into_iter().chain(ids.iter().map(String::as_str)))
            .run()
        {
            Ok(printed) => printed.stdout,
            // Some were removed in the meantime.
            Err(failure) if is_missing(&failure) => failure.stdout,
            Err(failure) => return Err(failed(failure)),
        };
        serde_json::from_str(&inspected)
            .map_err(|error| unreadable("docker image inspect", &error, &inspected))
    }

    /// The ids of the images that meet all filters of `docker image ls`, the newest first.
    ///
    /// # Errors
    /// A failed docker command.
    pub(crate) fn image_ids(&self, filters: &[&str]) -> Result<Vec<String>, Failure> {
        let filters = filters.iter().flat_map(|filter| ["--filter", filter]);
        let list = ["image", "ls", "--quiet", "--no-trunc"].into_iter().chain(filters);
        let mut ids: Vec<String> = Vec::new();
        for id in self.command(list).run()?.stdout.split_whitespace() {
            // An image is listed once for each of its names.
            if !ids.iter().any(|known| known == id) {
                ids.push(id.to_owned());
            }
        }
        Ok(ids)
    }

    /// The instruction that made an image from another: the last one of its Dockerfile.
    ///
    /// # Errors
    /// [`SandboxError::Docker`].
    pub(crate) fn last_instruction(&self, image: &str) -> Result<String, SandboxError> {
        let history = ["image", "history", "--no-trunc", "--format", "{{.CreatedBy}}", image];
        match self.command(history).run() {
            Ok(printed) => Ok(printed.stdout.lines().next().unwrap_or_default().to_owned()),
            // It was removed in the meantime.
            Err(failure) if is_missing(&failure) => Ok(String::new()),
            Err(failure) => Err(failure.into_error(
                &format!("docker cannot read the history of the image {image}"),
                "check that `docker image ls` works",
                SandboxError::Docker,
            )),
        }
    }

    /// How many containers, in any state, were created from each image, by the image's id.
    ///
    /// # Errors
    /// [`SandboxError::Docker`].
    pub(crate) fn containers_of_images(&self) -> Result<BTreeMap<String, usize>, SandboxError> {
        let failed = |failure: Failure| {
            let hint = "check that `docker ps` works";
            failure.into_error("docker cannot list the containers", hint, SandboxError::Docker)
        };
        let listed = self.command(["ps", "--all", "--no-trunc", "--quiet"]).run().map_err(failed)?.stdout;
        let ids: Vec<&str> = listed.split_whitespace().collect();
        let mut counts = BTreeMap::new();
        if ids.is_empty() {
            return Ok(counts);
        }
        let inspect = ["container", "inspect", "--format", "{{.Image}}", "--"];
        let printed = match self.command([&inspect, &ids[..]].concat()).run() {
            Ok(printed) => printed.stdout,
            Err(failure) if failure.stderr.to_lowercase().contains("no such container") => failure.stdout,
            Err(failure) => return Err(failed(failure)),
        };
        for image in printed.split_whitespace() {
            *counts.entry(image.to_owned()).or_default() += 1;
        }
        Ok(counts)
    }

    /// How many bytes each image has that no other image shares, by the image's id. The engine measures them for this,
    /// which takes a while.
    ///
    /// # Errors
    /// Docker's own.
    pub(crate) fn unique_sizes(&self) -> Result<BTreeMap<String, u64>, Failure> {
        #[derive(Deserialize)]
        struct Usage {
            #[serde(rename = "ID")]
            id: String,
            #[serde(rename = "UniqueSize")]
            size: String,
        }
        let usage = self.command(["system", "df", "-v", "--format", "{{json .Images}}"]);
        let printed = usage.limit(MEASURE_LIMIT).run()?.stdout;
        let images: Vec<Usage> = serde_json::from_str(printed.trim()).unwrap_or_default();
        Ok(images.into_iter().filter_map(|image| Some((image.id, parse_decimal(&image.size)?))).collect())
    }

    /// Removes names of an image, and the image with its last name. It is not removed if a container uses it.
    ///
    /// # Errors
    /// A failed docker command.
    pub(crate) fn remove_image(&self, names: &[String]) -> Result<(), Failure> {
        let mut arguments = vec!["image".to_owned(), "rm".to_owned()];
        arguments.extend_from_slice(names);
        match self.command(arguments).limit(MEASURE_LIMIT).run() {
            Err(failure) if !is_missing(&failure) => Err(failure),
            _ => Ok(()),
        }
    }

    /// Inspects an image; `None` if the engine does not have it.
    ///
    /// # Errors
    /// [`SandboxError::Docker`] if the engine does not answer.
    pub(crate) fn image(&self, name: &str) -> Result<Option<ImageInspection>, SandboxError> {
        match self.command(["image", "inspect", "--format", ImageInspection::FORMAT, name]).run() {
            Ok(printed) => match ImageInspection::parse(&printed.stdout) {
                Some(image) => Ok(Some(image)),
                None => Err(not_docker("docker image inspect", &printed.stdout)),
            },
            // The status and stdout are the same if the engine does not answer.
            Err(failure) if is_missing(&failure) => Ok(None),
            Err(failure) => Err(failure.into_error(
                &format!("docker cannot inspect the image {name}"),
                "check that `docker image ls` works",
                SandboxError::Docker,
            )),
        }
    }

    /// What a container of an image runs with these arguments; `None` if the engine does not have the image.
    ///
    /// # Errors
    /// [`SandboxError::Docker`] if the engine does not answer.
    pub(crate) fn image_program(
        &self,
        name: &str,
        arguments: &[String],
    ) -> Result<Option<Vec<String>>, SandboxError> {
        const FORMAT: &str = "[{{json .Config.Entrypoint}}, {{json .Config.Cmd}}]";
        match self.command(["image", "inspect", "--format", FORMAT, name]).run() {
            Ok(printed) => {
                let [entrypoint, command]: [Option<Vec<String>>; 2] =
                    serde_json::from_str(&printed.stdout)
                        .map_err(|_| not_docker("docker image inspect", &printed.stdout))?;
                let arguments =
                    if arguments.is_empty() { command.unwrap_or_default() } else { arguments.to_vec() };
                Ok(Some([entrypoint.unwrap_or_default(), arguments].concat()))
            }
            Err(failure) if is_missing(&failure) => Ok(None),
            Err(failure) => Err(failure.into_error(
                &format!("docker cannot inspect the image {name}"),
                "check that `docker image ls` works",
                SandboxError::Docker,
            )),
        }
    }

    /// Gives an image an additional name.
    ///
    /// # Errors
    /// [`SandboxError::ImageBuild`] if docker refuses the name.
    pub(crate) fn tag_image(&self, image: &str, name: &str) -> Result<(), SandboxError> {
        self.command(["tag", image, name]).run().map(|_| ()).map_err(|failure| {
            failure.into_error(
                &format!("the image could not be tagged as {name}"),
                "check the name that you pass to --tag or --push",
                SandboxError::ImageBuild,
            )
        })
    }

    /// Pushes an image to the registry that its name contains.
    ///
    /// # Errors
    /// [`SandboxError::ImageBuild`] if the registry refuses it or cannot be reached.
    pub(crate) fn push_image(&self, name: &str) -> Result<(), SandboxError> {
        self.command(["push", "--quiet", name]).long().run().map(|_| ()).map_err(|failure| {
            let hint = push_hint(&failure.stderr);
            failure.into_error(
                &format!("the image {name} could not be pushed"),
                hint,
                SandboxError::ImageBuild,
            )
        })
    }

    /// Pulls an image, for a platform (`linux/arm64`) or the engine's own.
    ///
    /// # Errors
    /// [`SandboxError::ContainerStartup`].
    pub(crate) fn pull(&self, image: &str, platform: Option<&str>) -> Result<(), SandboxError> {
        let mut arguments = vec!["pull", "--quiet"];
        arguments.extend(platform.map(|platform| ["--platform", platform]).iter().flatten());
        arguments.push(image);
        self.command(arguments).long().run().map(|_| ()).map_err(|failure| {
            let hint = if failure.stderr.to_lowercase().contains(NO_SPACE) {
                DISK_FULL
            } else {
                "check the image's name; if the image is private, run `docker login REGISTRY`"
            };
            failure.into_error(
                &format!("the engine does not have the image {image}, and could not pull it"),
                hint,
                SandboxError::ContainerStartup,
            )
        })
    }
}

/// The hint for a failed push.
fn push_hint(stderr: &str) -> &'static str {
    let stderr = stderr.to_lowercase();
    let has = |needles: &[&str]| needles.iter().any(|needle| stderr.contains(needle));
    if has(&["denied", "unauthorized", "no basic auth credentials", "authentication required"]) {
        "run `docker login REGISTRY`, and check that you have permission to push there"
    } else if has(&["http response to https client", "x509", "certificate"]) {
        "the engine uses HTTPS for registries: give the registry a certificate that the engine trusts, or add it to the engine's insecure-registries"
    } else {
        "check the registry's address and the engine's network, and run it again; the engine keeps the image under this name"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_fields_of_an_inspection_are_allowed() {
        let line = "sha256:0 linux/arm64 [\"registry.example/x@sha256:1\"]\n";
        let image = ImageInspection {
            id: "sha256:0".into(),
            platform: Some("linux/arm64".into()),
            repo_digests: vec!["registry.example/x@sha256:1".into()],
        };
        assert_eq!(ImageInspection::parse(line).as_ref(), Some(&image));
        let local = ImageInspection { repo_digests: Vec::new(), ..image };
        for line in ["sha256:0 linux/arm64 []", "sha256:0 linux/arm64 null"] {
            assert_eq!(ImageInspection::parse(line).as_ref(), Some(&local));
        }
        assert_eq!(ImageInspection::parse("sha256:0\n").map(|image| image.platform), Some(None));
        assert_eq!(ImageInspection::parse("yes"), None);
    }

    #[test]
    fn a_failed_push_has_a_hint() {
        for (stderr, hint) in [
            ("denied: requested access to the resource is denied", "docker login"),
            ("unauthorized: authentication required", "docker login"),
            (
                "Get \"https://r:5000/v2/\": http: server gave HTTP response to HTTPS client",
                "insecure-registries",
            ),
            ("dial tcp: lookup r: no such host", "network"),
        ] {
            assert!(push_hint(stderr).contains(hint), "{stderr}");
        }
    }
}
