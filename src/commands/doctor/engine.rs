//! What `doctor` asks the docker client and its engine.

use std::path::Path;
use std::time::Duration;

use crate::commands::doctor::Finding;
use crate::engine::EngineSite;
use crate::engine::docker::Docker;
use crate::error::SandboxError;
use crate::image::memory_limit::prune;
use crate::sandbox::orphans::{self, Request};
use crate::sandbox::owner::Decision;
use crate::settings::size::HumanSize;
use crate::settings::variables::Variables;

/// Less free disk space is probably not enough for the next image, in bytes.
const LITTLE_DISK: u64 = 5 << 30;

/// Less free disk space is not enough, in bytes.
const TOO_LITTLE_DISK: u64 = 1 << 30;

/// Images of more than this are worth a look, in bytes.
const MANY_IMAGES: u64 = 20 << 30;

/// Less memory is not enough for most environments, in bytes.
const LITTLE_MEMORY: u64 = 2 << 30;

/// A builder that was not used for this long is left over: the default of `prune`.
const UNUSED: Duration = Duration::from_secs(24 * 3600);

/// The variable that decides which context docker uses.
pub(super) fn chosen_by(variables: &Variables) -> Option<&'static str> {
    ["DOCKER_HOST", "DOCKER_CONTEXT"].into_iter().find(|name| variables.is_set(name))
}

pub(super) fn client(docker: &Docker) -> Result<Finding, SandboxError> {
    Ok(Finding::ok(format!("{} ({})", docker.client_version()?, docker.program().display())))
}

pub(super) fn context(docker: &Docker, variable: Option<&str>) -> Result<Finding, SandboxError> {
    let endpoint = docker.endpoint()?;
    let origin = match (variable, endpoint.context.as_str()) {
        (Some(variable), _) => format!("from {variable}"),
        (None, "default") => "the default".to_owned(),
        (None, _) => "from `docker context use`".to_owned(),
    };
    Ok(Finding::ok(format!("{} ({}), {origin}", endpoint.context, endpoint.host)))
}

pub(super) fn version(docker: &Docker) -> Result<Finding, SandboxError> {
    let engine = docker.engine()?;
    let site = match docker.site() {
        EngineSite::ThisMachine => "behind a local socket",
        EngineSite::Elsewhere => "on another machine; addresses can only be reached from there",
    };
    Ok(Finding::ok(format!("{} on {}/{}, {site}", engine.version, engine.os, engine.arch)))
}

pub(super) fn build_kit(docker: &Docker) -> Result<Finding, SandboxError> {
    let builder = docker.current_builder()?;
    let found = format!("{} in the builder {} (driver {})", builder.version, builder.name, builder.driver);
    if builder.driver == "docker" {
        return Ok(Finding::ok(found));
    }
    Ok(Finding::warn(
        format!("{found}, which has to copy every image to the engine"),
        "builds are faster with the engine's own builder: `docker buildx use default`",
    ))
}

pub(super) fn limits(docker: &Docker) -> Result<Finding, SandboxError> {
    let host = docker.host()?;
    let missing: Vec<&str> = [
        ("memory", host.memory_limit),
        ("swap", host.swap_limit),
        ("processes", host.pids_limit),
        ("processors", host.cpu_cfs_quota),
    ]
    .into_iter()
    .filter_map(|(name, is_there)| (!is_there).then_some(name))
    .collect();
    let what = format!(
        "{} processors, {} memory, cgroup v{} ({}){}",
        host.processors,
        HumanSize(host.memory),
        host.cgroup_version,
        host.cgroup_driver,
        if host.is_rootless() { ", rootless" } else { "" }
    );
    Ok(if !missing.is_empty() {
        Finding::warn(
            format!("{what}; the engine cannot limit: {}", missing.join(", ")),
            "see `docker info` for its warnings: the kernel may need cgroup_enable=memory swapaccount=1, and rootless Docker needs cgroup v2 with systemd",
        )
    } else if host.memory < LITTLE_MEMORY {
        Finding::warn(
            format!("{what}: that is little"),
            "give the engine more memory: Docker Desktop has it in its settings",
        )
    } else {
        Finding::ok(what)
    })
}

pub(super) fn disk(docker: &Docker) -> Result<Finding, SandboxError> {
    let root = docker.host()?.root;
    let space = match docker.site() {
        EngineSite::ThisMachine => rustix::fs::statvfs(Path::new(&root)).ok(),
        EngineSite::Elsewhere => None,
    };
    // In the virtual machine of Docker Desktop, for example.
    let Some(space) = space else {
        return Ok(Finding::ok(format!(
            "the engine keeps its images in {root}, which is not on this machine"
        )));
    };
    let free = space.f_bavail * space.f_frsize;
    let found = format!("{} free for images in {root}", HumanSize(free));
    let hint = "free some space: `docker builder prune`, `docker image prune`";
    Ok(if free < TOO_LITTLE_DISK {
        Finding::no(found, hint)
    } else if free < LITTLE_DISK {
        Finding::warn(found, hint)
    } else {
        Finding::ok(found)
    })
}

pub(super) fn base_image(docker: &Docker, image: &str) -> Result<Finding, SandboxError> {
    Ok(match docker.image(image)? {
        Some(_) => Finding::ok(format!("the engine has {image}")),
        None => Finding::warn(
            format!("the engine does not have {image} yet; the first build pulls it"),
            format!("docker pull {image}"),
        ),
    })
}

/// Sandboxes, and those that `reap` would remove.
pub(super) fn sandboxes(docker: &Docker, temp_folder: &Path) -> Result<Finding, SandboxError> {
    let findings = orphans::find(docker, temp_folder, Request::Sweep)?;
    let is_orphan = |candidate: &&orphans::Candidate| matches!(candidate.decision, Decision::Orphan(_));
    let all = findings.containers.len();
    let orphans = findings.containers.iter().filter(is_orphan).count();
    let folders = findings.folders.len();
    let found = format!("{all} on this engine");
    Ok(if orphans + folders == 0 {
        Finding::ok(found)
    } else {
        Finding::warn(
            format!("{found}; {orphans} sandboxes and {folders} run directories have lost their owner"),
            "rlmesh-sandbox reap",
        )
    })
}

pub(super) fn images(docker: &Docker) -> Result<Finding, SandboxError> {
    let sizes = docker.image_sizes("rlmesh-sandbox-*")?;
    let all: u64 = sizes.iter().sum();
    let found = match sizes.len() {
        0 => "none of rlmesh-sandbox".to_owned(),
        count => format!("{count} of rlmesh-sandbox, at most {}: they share layers", HumanSize(all)),
    };
    Ok(if all > MANY_IMAGES {
        Finding::warn(found, "rlmesh-sandbox prune --images")
    } else {
        Finding::ok(found)
    })
}

/// The builders of --build-memory, which keep a cache of their own.
pub(super) fn builders(docker: &Docker, cache: Option<&Path>) -> Result<Finding, SandboxError> {
    let none = Finding::ok("none of --build-memory");
    let Some(cache) = cache else { return Ok(none) };
    let found = prune::find_builders(docker, cache, UNUSED)?;
    let bytes: u64 = found.iter().filter_map(|builder| builder.bytes).sum();
    let unused = found.iter().filter(|builder| builder.decision == prune::Decision::Remove).count();
    let all = format!("{} of --build-memory, {}", found.len(), HumanSize(bytes));
    Ok(match (found.len(), unused) {
        (0, _) => none,
        (_, 0) => Finding::ok(all),
        (_, unused) => {
            Finding::warn(format!("{all}; {unused} not used for a day"), "rlmesh-sandbox prune --builders")
        }
    })
}
