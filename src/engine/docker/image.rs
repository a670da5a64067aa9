//! Images on the engine: inspect, tag, push and pull.

use crate::engine::docker::info::not_docker;
use crate::engine::docker::invocation::Failure;
use crate::engine::docker::{DISK_FULL, Docker, NO_SPACE};
use crate::error::SandboxError;

/// What `docker image inspect` prints of an image, as far as it is used here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImageInspection {
    /// `sha256:…`
    pub(crate) id: String,
    /// `linux/amd64`; `None` where the engine does not say.
    pub(crate) platform: Option<String>,
    /// In bytes; 0 where the engine does not say.
    pub(crate) size: u64,
    /// `NAME@sha256:…` for each registry that it was pulled from or pushed to.
    pub(crate) repo_digests: Vec<String>,
}

impl ImageInspection {
    const FORMAT: &str = "{{.Id}} {{.Os}}/{{.Architecture}} {{.Size}} {{json .RepoDigests}}";

    /// Reads a line in [`Self::FORMAT`].
    fn parse(printed: &str) -> Option<Self> {
        let mut words = printed.split_whitespace();
        Some(Self {
            id: words.next().filter(|id| id.starts_with("sha256:"))?.to_owned(),
            platform: words.next().map(str::to_owned),
            size: words.next().and_then(|size| size.parse().ok()).unwrap_or_default(),
            repo_digests: words
                .next()
                .and_then(|digests| serde_json::from_str(digests).ok())
                .unwrap_or_default(),
        })
    }
}

impl Docker {
    /// An image by its name; `None` where the engine has none of that name.
    ///
    /// # Errors
    /// [`SandboxError::Docker`] where the engine does not answer.
    pub(crate) fn image(&self, name: &str) -> Result<Option<ImageInspection>, SandboxError> {
        match self.command(["image", "inspect", "--format", ImageInspection::FORMAT, name]).run() {
            Ok(printed) => match ImageInspection::parse(&printed.stdout) {
                Some(image) => Ok(Some(image)),
                None => Err(not_docker("docker image inspect", &printed.stdout)),
            },
            // Status and stdout are the same for an engine that does not answer: the text decides.
            Err(failure) if failure.stderr.to_lowercase().contains("no such image") => Ok(None),
            Err(failure) => Err(failure.into_error(
                &format!("docker could not look for the image {name}"),
                "check `docker image ls`",
                SandboxError::Docker,
            )),
        }
    }

    /// The ids of the images that carry a label and a name (`x-*`, where `*` stands for no slash), the newest first.
    ///
    /// # Errors
    /// Docker's own.
    pub(crate) fn images_with_label(
        &self,
        (label, value): (&str, &str),
        name: &str,
    ) -> Result<Vec<String>, Failure> {
        let (label, name) = (format!("label={label}={value}"), format!("reference={name}"));
        let list = ["image", "ls", "--quiet", "--no-trunc", "--filter", &label, "--filter", &name];
        let printed = self.command(list).run()?;
        Ok(printed.stdout.split_whitespace().map(str::to_owned).collect())
    }

    /// Gives an image another name.
    ///
    /// # Errors
    /// [`SandboxError::ImageBuild`] where docker refuses the name.
    pub(crate) fn tag_image(&self, image: &str, name: &str) -> Result<(), SandboxError> {
        self.command(["tag", image, name]).run().map(|_| ()).map_err(|failure| {
            failure.into_error(
                &format!("the image could not be named {name}"),
                "check the name that --tag or --push gives it",
                SandboxError::ImageBuild,
            )
        })
    }

    /// Pushes an image to the registry in its name.
    ///
    /// # Errors
    /// [`SandboxError::ImageBuild`] where the registry refuses it or cannot be reached.
    pub(crate) fn push_image(&self, name: &str) -> Result<(), SandboxError> {
        self.command(["push", "--quiet", name]).unlimited().run().map(|_| ()).map_err(|failure| {
            let hint = push_hint(&failure.stderr);
            failure.into_error(&format!("{name} was not pushed"), hint, SandboxError::ImageBuild)
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
        self.command(arguments).unlimited().run().map(|_| ()).map_err(|failure| {
            let hint = if failure.stderr.to_lowercase().contains(NO_SPACE) {
                DISK_FULL
            } else {
                "check its name, and `docker login` where it is private"
            };
            failure.into_error(
                &format!("the image {image} is not here and could not be pulled"),
                hint,
                SandboxError::ContainerStartup,
            )
        })
    }
}

/// What to do where a push failed.
fn push_hint(stderr: &str) -> &'static str {
    let stderr = stderr.to_lowercase();
    let has = |needles: &[&str]| needles.iter().any(|needle| stderr.contains(needle));
    if has(&["denied", "unauthorized", "no basic auth credentials", "authentication required"]) {
        "log in with `docker login REGISTRY`, and check that you may push there"
    } else if has(&["http response to https client", "x509", "certificate"]) {
        "the engine speaks HTTPS to registries: list this one under insecure-registries, or give it a certificate that the engine trusts"
    } else {
        "the image is here under that name; check the registry's address and the engine's network, then run it again"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inspection_is_read_as_far_as_it_goes() {
        let line = "sha256:0 linux/arm64 1234 [\"registry.example/x@sha256:1\"]\n";
        let image = ImageInspection {
            id: "sha256:0".into(),
            platform: Some("linux/arm64".into()),
            size: 1234,
            repo_digests: vec!["registry.example/x@sha256:1".into()],
        };
        assert_eq!(ImageInspection::parse(line).as_ref(), Some(&image));
        let local = ImageInspection { repo_digests: Vec::new(), ..image };
        for line in ["sha256:0 linux/arm64 1234 []", "sha256:0 linux/arm64 1234 null"] {
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
