//! The definition of the command line: names, help texts, and the parser of each value.

mod help;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum, ValueHint};
use serde_json::Value;

use crate::sandbox::filter::{Filter, filter};
use crate::sandbox::manifest::{ManifestKind, manifest_name};
use crate::settings::build::{Installer, cache, image_name, label, platform_of};
use crate::settings::container_variables::variable;
use crate::settings::duration::{age, lifetime, positive_timeout, since, timeout};
use crate::settings::isolation::{
    IsolationLevel, Limit, Network, Transport, Volume, add_host, cpus, device, file, gpus, memory,
    pids_limit, runtime, security_opt, tmpfs, ulimit, user, volume,
};
use crate::settings::kwargs::parse_kwarg;
use crate::settings::sandbox::{
    VectorizationMode, base_image, container_name, count, date, debian_package, import, lines, process_id,
    requirement, wrapper,
};
use crate::settings::size::{BuildMemory, size_of};
use crate::source::EnvironmentSourceRef;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Turn a reinforcement-learning environment into a running, isolated Docker container
///
/// `rlmesh-sandbox run CartPole-v1` builds an image for the environment, starts a container that serves it
/// over gRPC with rlmesh, waits until it answers, prints its address, and cleans up afterwards. Step it
/// from Python with `rlmesh.numpy.RemoteEnv(address)`.
#[derive(Debug, Parser)]
#[command(name = "rlmesh-sandbox", version, styles = STYLES, max_term_width = 100)]
#[command(propagate_version = false, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    pub global: GlobalArgs,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Init(InitArgs),
    Build(BuildArgs),
    Run(Box<RunArgs>),
    Check(Box<CheckArgs>),
    Stop(StopArgs),
    Reap(ReapArgs),
    Hash(HashArgs),
    Ls(LsArgs),
    Manifest(Box<ManifestArgs>),
    Ps(PsArgs),
    Inspect(InspectArgs),
    Logs(LogsArgs),
    Images(ImagesArgs),
    Prune(PruneArgs),
    Doctor(DoctorArgs),
    Completions(CompletionsArgs),
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArgs {
    /// Print only results and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Also print each docker command as it runs
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// Print results and errors as JSON: short for --format json, or jsonl where that is a stream
    #[arg(long, global = true)]
    pub json: bool,
    /// When to use colours [default: auto, which also honours NO_COLOR]
    #[arg(long, global = true, value_name = "WHEN", hide_possible_values = false)]
    pub color: Option<ColorWhen>,
    /// How to show progress [default: auto]
    #[arg(long, global = true, value_name = "HOW")]
    pub progress: Option<ProgressHow>,
    /// The docker client to use [env: RLMESH_SANDBOX_DOCKER] [default: docker on PATH]
    #[arg(long, global = true, value_name = "PATH", value_hint = ValueHint::ExecutablePath)]
    pub docker: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorWhen {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    Always,
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProgressHow {
    /// Bars on a terminal, plain lines elsewhere
    Auto,
    /// One line per finished step
    Plain,
    /// One JSON object per event, on stderr
    Json,
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ResultFormat {
    /// For people, and for `$(…)`
    #[default]
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ListFormat {
    /// For people, and for `$(…)`
    #[default]
    Text,
    /// One array
    Json,
    /// One object on each line
    Jsonl,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum LogFormat {
    /// As the container wrote it
    #[default]
    Text,
    /// One object for each line
    Jsonl,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum RunFormat {
    /// For people, and for `$(…)`
    #[default]
    Text,
    Json,
    /// NAME=value lines, ready for `>> "$GITHUB_ENV"`
    Env,
}

/// Write a new environment, as a start for your own
///
/// Writes env.py, requirements.txt and README.md into FOLDER, which is created if it does not exist, and prints the
/// command that starts the environment. Existing files are never replaced.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The folder of the environment
    #[arg(value_name = "FOLDER", default_value = ".", value_hint = ValueHint::DirPath)]
    pub folder: PathBuf,
    /// The format of the result
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: ResultFormat,
}

/// Build the image for an environment and print its tag
///
/// An image that already exists is not built again: its tag contains a hash of everything that went into it.
#[derive(Debug, Args)]
pub struct BuildArgs {
    #[command(flatten)]
    pub sandbox: SandboxArgs,
    #[command(flatten)]
    pub image: ImageArgs,
    #[command(flatten)]
    pub publish: PublishArgs,
    /// The format of the result
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: ResultFormat,
}

/// Start an environment, wait until it answers, and print its address
///
/// By default, `run` stays in the foreground and prints the container's log to stderr until you press Ctrl-C.
/// With -d, the container runs in the background. With `-- COMMAND`, COMMAND runs while the environment is
/// up, and `run` ends with its exit code; RLMESH_SANDBOX_ADDRESS, RLMESH_SANDBOX_CONTAINER_ID and
/// RLMESH_SANDBOX_IMAGE are set for it.
#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    pub sandbox: SandboxArgs,
    #[command(flatten)]
    pub image: ImageArgs,
    /// Leave the container running in the background
    ///
    /// It has no owner, and runs until `rlmesh-sandbox stop`.
    #[arg(short, long, help_heading = "Container options", conflicts_with = "command")]
    pub detach: bool,
    /// With -d: the process that owns the container (a script's $$); once it has ended, `reap` removes the
    /// container
    #[arg(long, value_name = "PID", help_heading = "Container options", requires = "detach", value_parser = process_id)]
    pub owner_pid: Option<u32>,
    /// The name of the container [default: rlmesh-sandbox-, the environment, and four characters]
    #[arg(long, value_name = "NAME", help_heading = "Container options", value_parser = container_name)]
    pub name: Option<String>,
    /// Stop the environment after this time, even if this command was killed: 90s, 30m, 2h [default: no limit]
    #[arg(long, value_name = "TIME", help_heading = "Container options", value_parser = lifetime)]
    pub ttl: Option<Duration>,
    /// Use it once before its address is printed
    ///
    /// The environment is reset, stepped and rendered. If that fails, it is stopped.
    #[arg(long, help_heading = "Container options")]
    pub check: bool,
    #[command(flatten)]
    pub container: ContainerArgs,
    /// The format of the result
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: RunFormat,
    /// A command to run while the environment is up
    ///
    /// `{address}` in its arguments is replaced by the address.
    #[arg(last = true, value_name = "COMMAND", value_hint = ValueHint::CommandWithArguments)]
    pub command: Vec<OsString>,
}

/// Start an environment, use it once as a client does, and stop it
///
/// `check` resets the environment, takes 5 steps with random actions, renders a frame if the environment has a
/// render mode, and prints what it saw. If a call fails or does not return, it says which one, and where. The calls
/// may take a minute in total, or --ready-timeout if that is longer.
///
/// The calls are made inside the container, with the rlmesh client of the image.
#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    pub sandbox: SandboxArgs,
    #[command(flatten)]
    pub image: ImageArgs,
    #[command(flatten)]
    pub container: ContainerArgs,
    /// The format of the result
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: ResultFormat,
}

/// Stop sandboxes and remove their containers
///
/// SANDBOX is an id or its start, a name or its start, an address, or the source that it serves. Nothing is stopped
/// if one of them matches no sandbox, or several without --all. A whole id whose container no longer exists is not an
/// error. A container that is not a sandbox is never touched.
#[derive(Debug, Args)]
pub struct StopArgs {
    /// The sandboxes to stop, by id, name, address or source
    #[arg(value_name = "SANDBOX", required_unless_present_any = ["all", "mine"])]
    pub sandboxes: Vec<String>,
    /// Stop every sandbox that matches SANDBOX; without SANDBOX, every sandbox on this engine, including those of other
    /// users
    #[arg(short, long)]
    pub all: bool,
    /// Stop every sandbox except those that belong to other running processes or to other machines
    #[arg(long, conflicts_with = "sandboxes")]
    pub mine: bool,
    /// With --all: do not ask before sandboxes of other processes are stopped
    #[arg(short, long)]
    pub yes: bool,
    /// How long to wait for a sandbox to stop before it is killed, in seconds or as 30s, 2m
    #[arg(short, long, value_name = "TIME", default_value = "10", value_parser = timeout)]
    pub timeout: Duration,
    /// The format of the result
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: ListFormat,
}

/// Remove sandboxes whose owner is gone
///
/// A sandbox belongs to the process that started it. If that process is killed before it can clean up, its
/// container and run directory stay behind; `reap` removes them. If it is not certain that the owner is gone
/// (another machine, another PID namespace), `reap` leaves the sandbox alone.
#[derive(Debug, Args)]
pub struct ReapArgs {
    /// Print what would be removed, and why the rest stays, but remove nothing
    #[arg(long)]
    pub dry_run: bool,
    /// The format of the result
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: ListFormat,
}

/// Remove what is not needed any more: images, builders, cached files and logs
///
/// Removes images that no container uses, builders of --build-memory that no build uses, files from the Hugging Face
/// Hub, and logs of failed builds and starts, and reports how much disk space this gives back. Everything that is
/// removed can be made again. Only images that this tool or the rlmesh SDK built, and that have no other name, are
/// removed. On a terminal, it asks first.
///
/// To remove sandboxes whose owner is gone, use `rlmesh-sandbox reap`.
#[derive(Debug, Args)]
pub struct PruneArgs {
    /// Remove images
    #[arg(long)]
    pub images: bool,
    /// Remove builders of --build-memory, with their caches
    #[arg(long)]
    pub builders: bool,
    /// Remove cached files from the Hugging Face Hub
    #[arg(long)]
    pub cache: bool,
    /// Remove logs of failed builds and starts
    #[arg(long)]
    pub logs: bool,
    /// Print what would be removed, and why the rest stays, but remove nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Remove only what is older than this: images by when they were built or tagged, the rest by its last use; in
    /// seconds or as 90m, 24h, 7d
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = age)]
    pub older_than: Duration,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// The format of the result
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: ListFormat,
}

/// List the files of a Hugging Face source, to review them before you trust it
///
/// Prints the source pinned to its current commit, and its files with their sizes. None of its code runs, and
/// no consent is needed. `--show FILE` prints one of the files.
#[derive(Debug, Args)]
pub struct LsArgs {
    /// The repository, as for `run`: `hf://org/repo[@revision]`
    #[arg(value_name = "SOURCE")]
    pub source: EnvironmentSourceRef,
    /// Print this file, such as env.py, instead of the list
    #[arg(long, value_name = "FILE", conflicts_with = "format")]
    pub show: Option<String>,
    /// The format of the result
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: ResultFormat,
}

/// Print the build hash of an environment, without Docker
#[derive(Debug, Args)]
pub struct HashArgs {
    #[command(flatten)]
    pub sandbox: SandboxArgs,
    /// Print the image tag instead
    #[arg(long)]
    pub tag: bool,
    /// The format of the result
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: ResultFormat,
}

/// Print a Kubernetes manifest or a Compose file that starts an environment
///
/// Nothing is built or started. The containers have no root user, a read-only file system, no capabilities, limits,
/// and no way out to the network. Each has an address of its own.
#[derive(Debug, Args)]
#[command(after_long_help = MANIFEST_EXAMPLES)]
pub struct ManifestArgs {
    #[command(flatten)]
    pub sandbox: SandboxArgs,
    /// What to print
    #[arg(long, value_name = "KIND", default_value = "kubernetes", help_heading = "Manifest options")]
    pub kind: ManifestKind,
    /// The number of containers
    #[arg(short = 'N', long, value_name = "N", default_value = "1", help_heading = "Manifest options", value_parser = count)]
    pub replicas: u32,
    /// The name of the StatefulSet, Job, Service and NetworkPolicy, or of the Compose project [default: from the
    /// source]
    #[arg(long, value_name = "NAME", help_heading = "Manifest options", value_parser = manifest_name)]
    pub name: Option<String>,
    /// The image as the nodes pull it, such as registry.example.com/envs/cartpole:1 [default: its local tag]
    #[arg(long, value_name = "REF", help_heading = "Manifest options", value_parser = image_name)]
    pub image: Option<String>,
    /// Kubernetes: end the containers after this time, such as 2h; it makes the StatefulSet a Job
    #[arg(long, value_name = "TIME", help_heading = "Manifest options", value_parser = positive_timeout)]
    pub ttl: Option<Duration>,
    /// The memory limit of each container
    #[arg(long, value_name = "SIZE", default_value = "2g", help_heading = "Manifest options", value_parser = size_of)]
    pub memory: u64,
    /// The CPU limit of each container, in cores
    #[arg(long, value_name = "CPUS", default_value = "2", help_heading = "Manifest options", value_parser = cpus)]
    pub cpus: String,
    /// The size of /tmp, the only folder that the environment can write to
    #[arg(long, value_name = "SIZE", default_value = "1g", help_heading = "Manifest options", value_parser = size_of)]
    pub tmp_size: u64,
    /// The format of the result: `text` is YAML
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: ResultFormat,
}

const MANIFEST_EXAMPLES: &str = "\
Examples:
  rlmesh-sandbox build CartPole-v1 --push registry.example.com/cartpole:1
  rlmesh-sandbox manifest CartPole-v1 -N 8 --image registry.example.com/cartpole:1 | kubectl apply -f -
  rlmesh-sandbox manifest CartPole-v1 -N 4 --kind compose > compose.yaml";

/// List the sandboxes on this engine
///
/// With -q, only their ids. On a terminal, the table fits its width.
#[derive(Debug, Args)]
pub struct PsArgs {
    /// List only these: source=TEXT, name=TEXT, image=TEXT, state=running, owner=none|alive|gone|unknown|PID (can be
    /// repeated)
    #[arg(short, long, value_name = "KEY=VALUE", value_parser = filter)]
    pub filter: Vec<Filter>,
    /// The format of the result
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: ListFormat,
}

/// Show all about a sandbox: what it serves, its spaces and versions, its limits and labels
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// The sandbox, by id, name, address or source
    #[arg(value_name = "SANDBOX")]
    pub sandbox: String,
    /// The format of the result
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: ResultFormat,
}

/// Print a sandbox's log, or that of the last failed build
#[derive(Debug, Args)]
pub struct LogsArgs {
    /// The sandbox, by id, name, address or source
    #[arg(value_name = "SANDBOX", required_unless_present = "build")]
    pub sandbox: Option<String>,
    /// Print the log of the last failed build instead
    #[arg(long, conflicts_with_all = ["sandbox", "follow", "since", "timestamps"])]
    pub build: bool,
    /// Follow the log until the container ends or you press Ctrl-C
    #[arg(short, long)]
    pub follow: bool,
    /// Print only the last N lines
    #[arg(short = 'n', long, value_name = "N", visible_alias = "lines", value_parser = lines)]
    pub tail: Option<u64>,
    /// Print only what was written since then: 90s, 10m, 2h, or a time such as 2026-11-25T09:00:00Z
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub since: Option<String>,
    /// Print when each line was written
    #[arg(short, long)]
    pub timestamps: bool,
    /// The format of the result
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: LogFormat,
}

/// List the images that this tool and the rlmesh SDK built
///
/// With -q, only their tags. The size includes layers that images share. `rlmesh-sandbox prune` removes images that no
/// container uses.
#[derive(Debug, Args)]
pub struct ImagesArgs {
    /// The format of the result
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: ListFormat,
}

/// Check that this machine can run sandboxes, and suggest how to fix what is missing
///
/// Each line is printed as soon as its check ends, and each check has a time limit: ok, warn (sandboxes run, but
/// something may be missing) or no, with the command that helps. The exit code is 7 if there is a no.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// The format of the result
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: ResultFormat,
}

/// Print the completion script for a shell
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
    #[value(alias = "pwsh")]
    Powershell,
    Elvish,
}

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

/// The clap command that parsing, completions and man pages use.
pub fn command() -> clap::Command {
    help::arranged(Cli::command())
}

/// Parses the words of a command line, of which the first one is the program's name.
///
/// # Errors
/// clap's error. Help and the version are errors too.
pub fn parse(words: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> Result<Cli, clap::Error> {
    let mut command = command();
    let matches = command.try_get_matches_from_mut(words)?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}
