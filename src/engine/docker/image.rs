//! Images that the engine has: what they are, further names for them, and pushing; it builds none.

use crate::engine::docker::Docker;
use crate::engine::docker::info::not_docker;
use crate::engine::docker::invocation::Failure;
use crate::error::SandboxError;

/// An image that the engine has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImageFacts {
    pub(crate) id: String,
    /// `linux/amd64`; `None` where the engine did not tell.
    pub(crate) platform: Option<String>,
}

impl Docker {
    /// What the engine knows of an image, by its tag.
    ///
    /// # Errors
    /// [`SandboxError::Docker`] where the engine does not answer; a missing image is `None`.
    pub(crate) fn image(&self, tag: &str) -> Result<Option<ImageFacts>, SandboxError> {
        let asked = self.command(["image", "inspect", "--format", "{{.Id}} {{.Os}}/{{.Architecture}}", tag]);
        match asked.run() {
            Ok(printed) if printed.stdout.starts_with("sha256:") => {
                let mut words = printed.stdout.split_whitespace().map(str::to_owned);
                Ok(words.next().map(|id| ImageFacts { id, platform: words.next() }))
            }
            Ok(printed) => Err(not_docker("docker image inspect", &printed.stdout)),
            // Status and output are the same for a dead engine: the text decides.
            Err(failure) if failure.stderr.to_lowercase().contains("no such image") => Ok(None),
            Err(failure) => Err(failure.into_error(
                &format!("docker could not look for the image {tag}"),
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

    /// Gives an image a further name.
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

    /// Pushes an image to the registry that its name begins with.
    ///
    /// # Errors
    /// [`SandboxError::ImageBuild`] where the registry does not take it.
    pub(crate) fn push_image(&self, name: &str) -> Result<(), SandboxError> {
        self.command(["push", "--quiet", name]).unlimited().run().map(|_| ()).map_err(|failure| {
            let hint = push_hint(&failure.stderr);
            failure.into_error(&format!("{name} was not pushed"), hint, SandboxError::ImageBuild)
        })
    }
}

/// What to do where a registry did not take an image.
fn push_hint(said: &str) -> &'static str {
    let said = said.to_lowercase();
    let has = |needles: &[&str]| needles.iter().any(|needle| said.contains(needle));
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
    fn a_push_that_failed_comes_with_what_to_do() {
        for (said, hint) in [
            ("denied: requested access to the resource is denied", "docker login"),
            ("unauthorized: authentication required", "docker login"),
            (
                "Get \"https://r:5000/v2/\": http: server gave HTTP response to HTTPS client",
                "insecure-registries",
            ),
            ("dial tcp: lookup r: no such host", "network"),
        ] {
            assert!(push_hint(said).contains(hint), "{said}");
        }
    }
}
