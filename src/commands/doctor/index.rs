//! Whether a container reaches the package index, as a build has to.

use serde::Deserialize;
use uuid::Uuid;

use crate::commands::doctor::Finding;
use crate::contract::CONTAINER_PREFIX;
use crate::engine::docker::Docker;
use crate::error::SandboxError;
use crate::settings::package_index::PackageIndex;

/// The script that runs in the container.
const SCRIPT: &str = include_str!("index.py");

#[derive(Deserialize)]
struct Answer {
    ok: bool,
    line: String,
}

pub(super) fn reached(docker: &Docker, image: &str, index: &PackageIndex) -> Result<Finding, SandboxError> {
    const HINT: &str =
        "check that containers have a network and a proxy: HTTPS_PROXY, PIP_INDEX_URL, --ca-cert";
    if docker.image(image)?.is_none() {
        return Ok(Finding::warn("not checked: it needs the base image", format!("docker pull {image}")));
    }
    let mut variables = index.variables().to_vec();
    if let Some(text) = index.certificates().and_then(|file| std::fs::read_to_string(file).ok()) {
        variables.push(("RLMESH_SANDBOX_CERTIFICATES".to_owned(), text));
    }
    let name = format!("{CONTAINER_PREFIX}doctor-{}", Uuid::new_v4().simple());
    let network = if index.needs_host_network() { "host" } else { "default" };
    let redactor = index.redactor();
    Ok(match docker.ask_from(image, &name, SCRIPT, network, &variables) {
        Ok(printed) => match serde_json::from_str::<Answer>(printed.trim()) {
            Ok(answer) if answer.ok => {
                Finding::ok(format!("reached from a container: {}", redactor.apply(&answer.line)))
            }
            Ok(answer) => {
                Finding::no(format!("not reached from a container: {}", redactor.apply(&answer.line)), HINT)
            }
            Err(_) => Finding::warn(
                "not checked: the base image has no pip",
                "uv is used if pip is missing; a build shows whether that works",
            ),
        },
        Err(failure) => match failure.as_docker_error() {
            Some(error) => return Err(error),
            None => Finding::warn(
                format!("not checked: {}", redactor.apply(failure.stderr.lines().last().unwrap_or_default())),
                format!("check that `docker run --rm --entrypoint python {image} -m pip --version` works"),
            ),
        },
    })
}
