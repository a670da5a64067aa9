//! The definition of the command line: the program, its commands, its global options and its formats.

mod commands;
mod help;
mod options;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum, ValueHint};

pub use commands::{
    BuildArgs, CheckArgs, CompletionsArgs, DoctorArgs, HashArgs, ImagesArgs, InitArgs, InspectArgs, LogsArgs,
    LsArgs, ManifestArgs, PruneArgs, PsArgs, ReapArgs, RunArgs, Shell, StopArgs,
};
pub use options::{ContainerArgs, ImageArgs, IsolationArgs, ProjectArgs, PublishArgs, SandboxArgs};

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
