//! Options that several commands have.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueHint};
use serde_json::Value;

use crate::settings::build::{Installer, cache, image_name, label, platform_of};
use crate::settings::container_variables::variable;
use crate::settings::duration::{positive_timeout, timeout};
use crate::settings::isolation::{
    IsolationLevel, Limit, Network, Transport, Volume, add_host, cpus, device, file, gpus, memory,
    pids_limit, runtime, security_opt, tmpfs, ulimit, user, volume,
};
use crate::settings::kwargs::parse_kwarg;
use crate::settings::sandbox::VectorizationMode;
use crate::settings::size::{BuildMemory, size_of};
use crate::settings::values::{base_image, count, date, debian_package, import, requirement, wrapper};
use crate::source::EnvironmentSourceRef;

/// What is served, and how: the options of every command that takes a source.
#[derive(Debug, Args)]
pub struct SandboxArgs {
    /// CartPole-v1, ./FOLDER, hf://org/repo@commit, or image://REF
    ///
    /// A folder has an env.py or a Python package. A repository of the Hugging Face Hub may name a suite and a task:
    /// hf://org/repo@commit:suite/task. Or the name of an environment in the project file.
    #[arg(value_name = "SOURCE")]
    pub source: EnvironmentSourceRef,

    /// The image to build on [env: RLMESH_SANDBOX_BASE_IMAGE] [default: python:3.11-slim]
    ///
    /// It needs Python 3.10 or newer.
    #[arg(long, value_name = "IMAGE", help_heading = "Image options", value_parser = base_image)]
    pub base_image: Option<String>,
    /// The rlmesh to install: a pip requirement, a wheel file, or `local` for the newest wheel of the
    /// rlmesh checkout around this folder [env: RLMESH_SANDBOX_RLMESH_PACKAGE] [default: rlmesh==0.1.0]
    #[arg(long, value_name = "PACKAGE", help_heading = "Image options", value_parser = requirement)]
    pub rlmesh_package: Option<String>,
    /// A pip requirement or ./FOLDER to install (can be repeated)
    ///
    /// Your own package is a ./FOLDER, FILE.whl or FILE.tar.gz.
    #[arg(short, long = "package", value_name = "REQUIREMENT", help_heading = "Image options", value_parser = requirement)]
    pub packages: Vec<String>,
    /// A module that registers the environment (can be repeated)
    ///
    /// It is imported before the environment is created. With a function, the function is called.
    #[arg(short, long = "import", value_name = "MODULE[:FUNCTION]", help_heading = "Image options", value_parser = import)]
    pub imports: Vec<String>,
    /// A wrapper to apply to the environment; the first one is the innermost (can be repeated)
    #[arg(long, value_name = "MODULE:CLASS", help_heading = "Image options", value_parser = wrapper)]
    pub wrap: Vec<String>,
    /// Install exactly the packages in this lockfile, with their hashes; if it does not exist, write it after
    /// the build
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Image options")]
    pub lock: Option<PathBuf>,
    /// A Debian package to install, for a base image with apt (can be repeated)
    #[arg(long, value_name = "NAME", help_heading = "Image options", value_parser = debian_package)]
    pub apt: Vec<String>,
    /// Install the packages that were the newest on this date, such as 2025-03-31: for an environment that a newer
    /// package broke
    #[arg(long, value_name = "DATE", help_heading = "Image options", value_parser = date)]
    pub as_of: Option<String>,
    /// Add nothing for known environments: no packages, imports, variables or wrappers that were not given
    #[arg(long, help_heading = "Image options")]
    pub no_auto: bool,
    /// Allow an hf:// source to run its repository's code
    #[arg(long, help_heading = "Image options")]
    pub trust_remote_code: bool,
    /// Allow an hf:// source whose revision is not a full commit id
    #[arg(long, help_heading = "Image options")]
    pub allow_unpinned_hf: bool,
    /// The largest total size of the files of an hf:// source or a folder
    /// [env: RLMESH_SANDBOX_MAX_SOURCE_SIZE] [default: 10g]
    #[arg(long, value_name = "SIZE", help_heading = "Image options", value_parser = size_of)]
    pub max_source_size: Option<u64>,
    /// Memory limit of the build: 20g, 1.5g, 2048m, a number of bytes, off, or auto for the engine's memory
    /// minus 8 GiB [env: RLMESH_SANDBOX_BUILD_MEMORY] [default: off]
    #[arg(long, value_name = "SIZE|auto|off", help_heading = "Image options")]
    pub build_memory: Option<BuildMemory>,

    /// An argument for the environment (can be repeated)
    ///
    /// VALUE is JSON if it parses as JSON, otherwise text.
    #[arg(short, long = "kwarg", value_name = "KEY=VALUE", help_heading = "Environment options", value_parser = parse_kwarg)]
    pub kwarg: Vec<(String, Value)>,
    /// Arguments for the environment as one JSON object, or @FILE to read it from a file (@- for stdin)
    #[arg(long, value_name = "JSON|@FILE", help_heading = "Environment options")]
    pub kwargs: Option<String>,
    /// How many copies to serve [default: 1]
    ///
    /// They are served as one vector environment.
    #[arg(short, long, value_name = "N", help_heading = "Environment options", value_parser = count)]
    pub num_envs: Option<u32>,
    /// How the copies are stepped: one after the other, or each in its own process [default: sync]
    #[arg(long, value_name = "MODE", help_heading = "Environment options")]
    pub vectorization_mode: Option<VectorizationMode>,
    #[command(flatten)]
    pub project: ProjectArgs,
}

/// Which project file is used. It is read before the command line is parsed.
#[derive(Debug, Args)]
#[command(next_help_heading = "Project file options")]
pub struct ProjectArgs {
    /// Use this project file [default: rlmesh-sandbox.toml, or the table tool.rlmesh-sandbox of pyproject.toml, in
    /// this folder or the nearest one above]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "no_config")]
    pub config: Option<PathBuf>,
    /// Use no project file
    #[arg(long)]
    pub no_config: bool,
}

/// How the image is built.
#[derive(Debug, Args)]
#[command(next_help_heading = "Build options")]
pub struct ImageArgs {
    /// Build the image even if it exists
    #[arg(long)]
    pub rebuild: bool,
    /// The installer for Python packages [default: uv, or pip where uv is not available]
    #[arg(long, value_name = "INSTALLER")]
    pub installer: Option<Installer>,
    /// Certificates (PEM) that the build trusts in addition to its base image's, or `auto` for the file that
    /// SSL_CERT_FILE names; they do not become part of the image [env: RLMESH_SANDBOX_CA_CERT]
    #[arg(long, value_name = "FILE|auto", value_hint = ValueHint::FilePath)]
    pub ca_cert: Option<PathBuf>,
    /// Build for this platform instead of the engine's own, such as linux/arm64 [env: DOCKER_DEFAULT_PLATFORM]
    #[arg(long, value_name = "OS/ARCH", value_parser = platform_of)]
    pub platform: Option<String>,
    /// Pull a newer base image if the registry has one, and build again
    #[arg(long)]
    pub pull: bool,
    /// Import the build cache from here, as for `docker buildx build`: type=registry,ref=… (can be repeated)
    #[arg(long, value_name = "SPEC", value_parser = cache)]
    pub cache_from: Vec<String>,
    /// Print the Dockerfile and the bootstrap JSON, but build nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// How the image is named, labelled and pushed.
#[derive(Debug, Args)]
#[command(next_help_heading = "Publish options")]
pub struct PublishArgs {
    /// Give the image this additional name (can be repeated)
    #[arg(long, value_name = "REF", value_parser = image_name)]
    pub tag: Vec<String>,
    /// Give the image this additional name and push it to its registry (can be repeated)
    #[arg(long, value_name = "REF", value_parser = image_name)]
    pub push: Vec<String>,
    /// A label for the image, set when it is built (can be repeated)
    #[arg(long, value_name = "KEY=VALUE", value_parser = label)]
    pub label: Vec<(String, String)>,
    /// Export the build cache to here, as for `docker buildx build`: type=local,dest=… (can be repeated)
    #[arg(long, value_name = "SPEC", value_parser = cache)]
    pub cache_to: Vec<String>,
}

/// How the container runs.
#[derive(Debug, Args)]
#[command(next_help_heading = "Container options")]
pub struct ContainerArgs {
    /// Set a variable in the container (can be repeated)
    ///
    /// A name alone takes its value from here.
    #[arg(short, long, value_name = "NAME[=VALUE]", value_parser = variable)]
    pub env: Vec<(String, Option<String>)>,
    /// Set the variables in this file, one NAME=VALUE or NAME on each line (can be repeated)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub env_file: Vec<PathBuf>,
    /// The size of /dev/shm, such as 1g [default: Docker's, 64m]
    #[arg(long, value_name = "SIZE", value_parser = size_of)]
    pub shm_size: Option<u64>,
    /// How long to wait for the environment to answer, in seconds or as 90s, 5m
    #[arg(long, value_name = "TIME", default_value = "30", value_parser = positive_timeout)]
    pub ready_timeout: Duration,
    /// How long to wait for the environment to stop before it is killed, in seconds or as 30s, 2m
    #[arg(long, value_name = "TIME", default_value = "10", value_parser = timeout)]
    pub stop_timeout: Duration,
    #[command(flatten)]
    pub isolation: IsolationArgs,
}

/// What the container may do, and what it is given.
#[derive(Debug, Args)]
#[command(next_help_heading = "Isolation options")]
pub struct IsolationArgs {
    /// How much the environment may do [default: strict for hf:// sources, otherwise default]
    #[arg(long, value_name = "LEVEL")]
    pub isolation: Option<IsolationLevel>,
    /// How clients reach it [default: unix with strict isolation or without a network, otherwise tcp]
    #[arg(long, value_name = "TRANSPORT")]
    pub transport: Option<Transport>,
    /// Its network: none, default (the internet, but no other sandbox), egress-off (no internet), or the name of a
    /// network of the engine [default: none with strict isolation, otherwise default]
    #[arg(long, value_name = "NETWORK")]
    pub network: Option<Network>,
    /// With strict isolation: let it write anywhere in its container, as the image's user
    #[arg(long)]
    pub writable: bool,
    /// A folder in memory, such as /tmp:exec,size=2g (can be repeated) [default: /tmp:size=512m with strict isolation]
    #[arg(long, value_name = "PATH[:OPTIONS]", value_parser = tmpfs)]
    pub tmpfs: Vec<String>,
    /// The user that it runs as [default: 65532:65532 with strict isolation, otherwise the image's user]
    #[arg(long, value_name = "USER[:GROUP]", value_parser = user)]
    pub user: Option<String>,
    /// Its memory, such as 4g, or off [default: half of the engine's; a quarter with strict isolation]
    #[arg(long, value_name = "SIZE|off", value_parser = memory)]
    pub memory: Option<Limit>,
    /// How many processors it may use, such as 1.5 [default: all]
    #[arg(long, value_name = "NUMBER", value_parser = cpus)]
    pub cpus: Option<String>,
    /// How many processes and threads it may have, or off [default: 512, and 64 for each copy]
    #[arg(long, value_name = "NUMBER|off", value_parser = pids_limit)]
    pub pids_limit: Option<Limit>,
    /// A limit of its processes, such as nofile=4096 (can be repeated) [default: core=0]
    #[arg(long, value_name = "NAME=SOFT[:HARD]", value_parser = ulimit)]
    pub ulimit: Vec<String>,
    /// GPUs for it, as for `docker run`: all, 1, device=0
    #[arg(long, value_name = "GPUS", value_parser = gpus)]
    pub gpus: Option<String>,
    /// A device of the engine's machine for it, such as /dev/dri (can be repeated)
    #[arg(long, value_name = "DEVICE", value_parser = device)]
    pub device: Vec<String>,
    /// A folder or file of the engine's machine, or a named volume, for it: read-only unless :rw is added (can be
    /// repeated)
    #[arg(long, value_name = "SOURCE:TARGET[:rw]", value_parser = volume)]
    pub volume: Vec<Volume>,
    /// A file to copy into the container before it starts (can be repeated)
    #[arg(long, value_name = "FILE:TARGET", value_parser = file)]
    pub file: Vec<(PathBuf, String)>,
    /// A name for an address, in the container (can be repeated)
    #[arg(long, value_name = "NAME:ADDRESS", value_parser = add_host)]
    pub add_host: Vec<String>,
    /// The engine's runtime to use, such as runsc or kata
    #[arg(long, value_name = "NAME", value_parser = runtime)]
    pub runtime: Option<String>,
    /// A security profile: seccomp=FILE, apparmor=PROFILE or label=VALUE (can be repeated)
    #[arg(long, value_name = "OPTION", value_parser = security_opt)]
    pub security_opt: Vec<String>,
}
