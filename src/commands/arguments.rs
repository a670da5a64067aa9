//! Command-line arguments → the library's options and settings. A flag wins over an environment variable.

use crate::cli::{CheckArgs, ContainerArgs, ImageArgs, IsolationArgs, PublishArgs, RunArgs, SandboxArgs};
use crate::error::SandboxError;
use crate::plan::resolve::Purpose;
use crate::settings::Settings;
use crate::settings::build::{BuildOptions, PublishOptions, platform_of};
use crate::settings::container_variables;
use crate::settings::hub::HubSettings;
use crate::settings::isolation::ContainerOptions;
use crate::settings::kwargs::read_kwargs;
use crate::settings::package_index::PackageIndex;
use crate::settings::sandbox::{Ownership, RunOptions, SandboxOptions};
use crate::settings::variables::Variables;

/// # Errors
/// [`SandboxError::InvalidOption`] for a variable, or kwargs that cannot be read.
pub(super) fn sandbox_options(
    args: &SandboxArgs,
    variables: &Variables,
) -> Result<SandboxOptions, SandboxError> {
    let from_variables = SandboxOptions::from_variables(variables)?;
    Ok(SandboxOptions {
        base_image: args.base_image.clone().or(from_variables.base_image),
        rlmesh_package: args.rlmesh_package.clone().or(from_variables.rlmesh_package),
        packages: args.packages.clone(),
        apt: args.apt.clone(),
        imports: args.imports.clone(),
        wrap: args.wrap.clone(),
        no_auto: args.no_auto,
        as_of: args.as_of.clone(),
        kwargs: read_kwargs(&args.kwarg, args.kwargs.as_deref())?,
        num_envs: args.num_envs,
        vectorization_mode: args.vectorization_mode,
        lock: args.lock.clone(),
        trust_remote_code: args.trust_remote_code,
        allow_unpinned_hf: args.allow_unpinned_hf,
        max_source_size: args.max_source_size.or(from_variables.max_source_size),
        build_memory: args.build_memory.or(from_variables.build_memory),
    })
}

/// The default platform is DOCKER_DEFAULT_PLATFORM, as for docker itself.
///
/// # Errors
/// [`SandboxError::InvalidOption`].
pub(super) fn build_options(args: &ImageArgs, variables: &Variables) -> Result<BuildOptions, SandboxError> {
    let default = variables.parsed("DOCKER_DEFAULT_PLATFORM", platform_of)?;
    Ok(BuildOptions {
        rebuild: args.rebuild,
        pull: args.pull,
        platform: args.platform.clone().or(default),
        cache_from: args.cache_from.clone(),
        installer: args.installer.unwrap_or_default(),
    })
}

/// What a plan is for.
pub(super) fn purpose(args: &ImageArgs) -> Purpose {
    if args.dry_run { Purpose::DryRun } else { Purpose::Run }
}

pub(super) fn publish_options(args: &PublishArgs) -> PublishOptions {
    PublishOptions {
        tags: args.tag.clone(),
        pushes: args.push.clone(),
        labels: args.label.clone(),
        cache_to: args.cache_to.clone(),
    }
}

/// # Errors
/// [`SandboxError::InvalidOption`] for a variable that is not set here, or a file that cannot be read.
pub(super) fn run_options(args: &RunArgs, variables: &Variables) -> Result<RunOptions, SandboxError> {
    let ownership = match (args.owner_pid, args.detach) {
        (Some(pid), _) => Ownership::Process(pid),
        (None, true) => Ownership::Detached,
        (None, false) => Ownership::ThisProcess,
    };
    let options = container_options(&args.container, variables)?;
    Ok(RunOptions { ownership, name: args.name.clone(), check: args.check, ttl: args.ttl, ..options })
}

/// # Errors
/// As [`run_options`].
pub(super) fn check_options(args: &CheckArgs, variables: &Variables) -> Result<RunOptions, SandboxError> {
    Ok(RunOptions { check: true, ..container_options(&args.container, variables)? })
}

fn container_options(args: &ContainerArgs, variables: &Variables) -> Result<RunOptions, SandboxError> {
    Ok(RunOptions {
        env: container_variables::read(&args.env_file, &args.env, variables)?,
        shm_size: args.shm_size,
        container: isolation_options(&args.isolation),
        ready_timeout: args.ready_timeout,
        stop_timeout: args.stop_timeout,
        ..RunOptions::default()
    })
}

fn isolation_options(args: &IsolationArgs) -> ContainerOptions {
    ContainerOptions {
        isolation: args.isolation,
        transport: args.transport,
        network: args.network.clone(),
        writable: args.writable,
        tmpfs: args.tmpfs.clone(),
        user: args.user.clone(),
        memory: args.memory,
        pids_limit: args.pids_limit,
        cpus: args.cpus.clone(),
        ulimits: args.ulimit.clone(),
        gpus: args.gpus.clone(),
        devices: args.device.clone(),
        volumes: args.volume.clone(),
        files: args.file.clone(),
        add_hosts: args.add_host.clone(),
        runtime: args.runtime.clone(),
        security_opts: args.security_opt.clone(),
    }
}

/// Adds the settings that are needed to look up a source: how to reach the Hub.
///
/// # Errors
/// [`SandboxError::InvalidOption`], which names the variable.
pub(super) fn with_hub(settings: Settings, variables: &Variables) -> Result<Settings, SandboxError> {
    Ok(Settings { hub: HubSettings::from_variables(variables)?, ..settings })
}

/// Adds the settings that are needed for a build: how to reach the Hub and package indexes.
///
/// # Errors
/// [`SandboxError::InvalidOption`] for a variable, or for certificates that cannot be used.
pub(super) fn with_build(
    settings: Settings,
    args: &ImageArgs,
    variables: &Variables,
) -> Result<Settings, SandboxError> {
    let package_index = PackageIndex::with_ca_cert(args.ca_cert.as_deref(), variables)?;
    with_hub(Settings { package_index, ..settings }, variables)
}
