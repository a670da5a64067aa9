//! The program's commands: each resolves its arguments, calls the [`Client`] and prints the result.

mod arguments;
mod build;
mod check;
mod complete;
mod completions;
mod doctor;
mod dry_run;
mod hash;
mod init;
mod logs;
mod ls;
mod manifest;
mod next_command;
mod ps;
mod reap;
mod reap_builders;
mod run;
mod signals;
mod stop;

use std::error::Error as _;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::api::Client;
use crate::cli::{self, Cli, Command, GlobalArgs, ResultFormat, RunFormat};
use crate::error::{Change, Exit, InvalidValue, Problem, SandboxError};
use crate::host::interrupt::Interrupt;
use crate::output::{Format, Output};
use crate::settings::Settings;
use crate::settings::terminal::Terminal;
use crate::settings::variables::Variables;
use signals::SignalHandler;

/// What every command needs.
pub(crate) struct Session {
    variables: Variables,
    output: Output,
    interrupt: Interrupt,
    signals: SignalHandler,
    client: Client,
}

/// Runs the program: parses the command line, runs the command, and reports errors.
pub fn main(arguments: impl IntoIterator<Item = OsString>, variables: Variables) -> Exit {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let terminal = Terminal::from_variables(&variables);
    if arguments.get(1).is_some_and(|verb| verb == complete::VERB) {
        let answer = complete::answer(&arguments[2..], &variables);
        let (global, format) = global_arguments(&[]);
        // The shell may have stopped reading.
        let _ = Output::new(&global, format, terminal).raw_result(answer.as_bytes());
        return Exit::Done;
    }
    let cli = match cli::parse(&arguments) {
        Ok(cli) => cli,
        Err(error) => return not_parsed(&error, &arguments, terminal),
    };
    let output = Output::new(&cli.global, format(&cli.command), terminal);
    let is_listing =
        matches!(cli.command, Command::Logs(_) | Command::Ps(_) | Command::Ls(_) | Command::Completions(_));
    match dispatch(cli, variables, output.clone()) {
        Ok(exit) => exit,
        // `logs … | head` closes stdout early.
        Err(error) if is_listing && is_closed_pipe(&error) => Exit::Done,
        Err(error) => {
            let command = |changes: &[Change]| next_command::next_command(&arguments, changes);
            let error = error.map_problem(|problem| problem.with_command(command));
            output.error(&error);
            error.exit()
        }
    }
}

fn dispatch(cli: Cli, variables: Variables, output: Output) -> Result<Exit, SandboxError> {
    let interrupt = Interrupt::default();
    let signals = SignalHandler::listen(interrupt.clone()).map_err(anyhow::Error::from)?;
    let mut settings = Settings::local(&variables)?;
    settings.docker = cli.global.docker.or(settings.docker);
    let session =
        Session { client: client(settings, &interrupt, &output), variables, output, interrupt, signals };
    match cli.command {
        Command::Init(args) => init::run(&args, &session),
        Command::Build(args) => build::run(&args, session),
        Command::Run(args) => run::run(&args, session),
        Command::Check(args) => check::run(&args, session),
        Command::Stop(args) => stop::run(&args, &session),
        Command::Reap(args) => reap::run(&args, &session),
        Command::Hash(args) => hash::run(&args, session),
        Command::Ls(args) => ls::run(&args, session),
        Command::Manifest(args) => manifest::run(&args, session),
        Command::Ps(_) => ps::run(&session),
        Command::Logs(args) => logs::run(&args, &session),
        Command::Doctor(_) => doctor::run(&session),
        Command::Completions(args) => completions::run(&args, &session),
    }
}

/// Whether stdout was closed by its reader.
fn is_closed_pipe(error: &SandboxError) -> bool {
    let SandboxError::Other(error) = error else { return false };
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    causes.any(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

fn client(settings: Settings, interrupt: &Interrupt, output: &Output) -> Client {
    let output = output.clone();
    Client::new(settings).with_interrupt(interrupt.clone()).with_trace(move |text| output.trace(text))
}

impl Session {
    /// The same session with changed settings.
    fn with_settings(
        self,
        change: impl FnOnce(Settings, &Variables) -> Result<Settings, SandboxError>,
    ) -> Result<Self, SandboxError> {
        let settings = change(self.client.settings().clone(), &self.variables)?;
        Ok(Self { client: client(settings, &self.interrupt, &self.output), ..self })
    }
}

fn format(command: &Command) -> Format {
    let result = |format: ResultFormat| match format {
        ResultFormat::Text => Format::Text,
        ResultFormat::Json => Format::Json,
    };
    match command {
        Command::Init(args) => result(args.format),
        Command::Build(args) => result(args.format),
        Command::Run(args) => match args.format {
            RunFormat::Text => Format::Text,
            RunFormat::Json => Format::Json,
            RunFormat::Env => Format::Env,
        },
        Command::Check(args) => result(args.format),
        Command::Stop(args) => result(args.format),
        Command::Reap(args) => result(args.format),
        Command::Hash(args) => result(args.format),
        Command::Ls(args) => result(args.format),
        Command::Manifest(args) => result(args.format),
        Command::Ps(args) => result(args.format),
        Command::Doctor(args) => result(args.format),
        Command::Logs(_) | Command::Completions(_) => Format::Text,
    }
}

/// Prints help and version as results, and everything else as a usage error in the program's own format.
fn not_parsed(error: &clap::Error, arguments: &[OsString], terminal: Terminal) -> Exit {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return if error.print().is_ok() { Exit::Done } else { Exit::Failure };
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let _ = error.print();
        return Exit::Usage;
    }
    let (global, format) = global_arguments(arguments);
    let command = |changes: &[Change]| next_command::next_command(arguments, changes);
    let usage = usage_error(error).map_problem(|problem| problem.with_command(command));
    Output::new(&global, format, terminal).error(&usage);
    usage.exit()
}

/// Finds `--color`, `--quiet` and `--format` on a command line that could not be parsed.
fn global_arguments(arguments: &[OsString]) -> (GlobalArgs, Format) {
    let ours: Vec<&str> = arguments
        .iter()
        .take_while(|argument| *argument != "--")
        .map(|argument| argument.to_str().unwrap_or_default())
        .collect();
    let value = |option: &str| {
        ours.iter().enumerate().find_map(|(at, argument)| match argument.strip_prefix(option)? {
            "" => ours.get(at + 1).copied(),
            rest => rest.strip_prefix('='),
        })
    };
    let parsed = value("--color").and_then(|when| clap::ValueEnum::from_str(when, false).ok());
    let quiet = ours.iter().any(|argument| matches!(*argument, "-q" | "--quiet"));
    let format = if value("--format") == Some("json") { Format::Json } else { Format::Text };
    (GlobalArgs { quiet, verbose: false, color: parsed, progress: None, docker: None }, format)
}

fn usage_error(error: &clap::Error) -> SandboxError {
    // The error of the source's parser is complete.
    if let Some(SandboxError::InvalidSource(problem)) =
        error.source().and_then(|source| source.downcast_ref())
    {
        return SandboxError::InvalidSource(problem.clone());
    }
    let rendered = error.render().to_string();
    let mut paragraphs = rendered.split("\n\n");
    let message = paragraphs.next().unwrap_or_default().trim_start_matches("error: ");
    // clap lists missing arguments below the message, one on each line.
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some(invalid) = error.source().and_then(|source| source.downcast_ref::<InvalidValue>()) {
        let problem = Problem::new(message, invalid.hint.clone());
        return SandboxError::InvalidOption(problem.changes(invalid.changes.iter().cloned()));
    }
    let usage = rendered.lines().find_map(|line| line.trim().strip_prefix("Usage: "));
    let suggestion =
        [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand, ContextKind::SuggestedValue]
            .iter()
            .find_map(|kind| match error.get(*kind) {
                Some(ContextValue::String(name)) => Some(name.clone()),
                Some(ContextValue::Strings(names)) => names.first().cloned(),
                _ => None,
            });
    let hint = match (suggestion, usage) {
        (Some(name), _) => format!("did you mean {name}?"),
        (None, Some(usage)) => format!("usage: {usage}"),
        (None, None) => "run `rlmesh-sandbox --help` to list the commands, and `rlmesh-sandbox COMMAND --help` for their options".to_owned(),
    };
    SandboxError::InvalidOption(Problem::new(message, hint).hint("run it with --help to see all options"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_error(line: &str) -> SandboxError {
        let words = line.split(' ');
        usage_error(&cli::parse(words).unwrap_err())
    }

    #[test]
    fn a_wrong_command_line_is_reported_in_one_line_with_a_hint() {
        let error = parse_error("rlmesh-sandbox run CartPole-v1 --base-imag x");
        assert_eq!(error.to_string(), "unexpected argument '--base-imag' found");
        assert_eq!(error.hints()[0], "did you mean --base-image?");
        let error = parse_error("rlmesh-sandbox run");
        assert!(
            error.to_string().starts_with("the following required arguments were not provided"),
            "{error}"
        );
        assert!(error.hints()[0].starts_with("usage: rlmesh-sandbox run"), "{error:?}");
        let error = parse_error("rlmesh-sandbox buidl x");
        assert_eq!(error.hints()[0], "did you mean build?");
        assert_eq!(error.exit().code(), 2);
    }

    #[test]
    fn a_wrong_value_comes_with_the_hint_of_its_parser() {
        let error = parse_error("rlmesh-sandbox run CartPole-v1 --apt LibGL");
        assert_eq!(
            error.to_string(),
            "invalid value 'LibGL' for '--apt <NAME>': it is not a valid Debian package name"
        );
        assert!(error.hints()[0].contains("NAME=VERSION"), "{error:?}");
        let error = parse_error("rlmesh-sandbox run hf://org");
        assert_eq!(error.kind(), "InvalidSource");
        assert!(!error.to_string().contains("invalid value"), "{error}");
    }

    #[test]
    fn the_output_options_of_a_wrong_command_line_are_respected() {
        let read = |line: &str| {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let (global, format) = global_arguments(&words);
            (global.quiet, global.color, format)
        };
        use crate::cli::ColorWhen::{Always, Never};
        assert_eq!(read("x run --bad --color never --format=json"), (false, Some(Never), Format::Json));
        assert_eq!(read("x -q --color=always run --bad"), (true, Some(Always), Format::Text));
        assert_eq!(read("x run A --bad -- y --format json"), (false, None, Format::Text));
    }

    #[test]
    fn the_command_line_is_well_defined() {
        crate::cli::command().debug_assert();
    }
}
