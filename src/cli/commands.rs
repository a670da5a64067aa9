//! The arguments of each command.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};

use super::options::{ContainerArgs, ImageArgs, PublishArgs, SandboxArgs};
use super::{ListFormat, LogFormat, ResultFormat, RunFormat};
use crate::sandbox::filter::{Filter, filter};
use crate::sandbox::manifest::{ManifestKind, manifest_name};
use crate::settings::build::image_name;
use crate::settings::duration::{age, lifetime, positive_timeout, since, timeout};
use crate::settings::isolation::cpus;
use crate::settings::size::size_of;
use crate::settings::values::{container_name, count, lines, process_id};
use crate::source::EnvironmentSourceRef;

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
