//! The program's commands: each resolves its arguments, calls the [`Client`] and prints the result.

mod arguments;
mod build;
mod check;
mod complete;
mod completions;
mod confirm;
mod doctor;
mod dry_run;
mod hash;
mod images;
mod init;
mod inspect;
mod logs;
mod ls;
mod manifest;
mod next_command;
mod other_tools;
mod project;
mod prune;
mod ps;
mod reap;
mod run;
mod signals;
mod stop;
mod usage;

use std::ffi::OsString;

use clap::error::ErrorKind;

use crate::api::Client;
use crate::cli::{self, Cli, Command, GlobalArgs, ListFormat, LogFormat, ResultFormat, RunFormat};
use crate::error::{Change, Exit, SandboxError};
use crate::host::interrupt::Interrupt;
use crate::output::{Format, Output};
use crate::settings::Settings;
use crate::settings::terminal::Terminal;
use crate::settings::variables::{self, Variables};
use project::CommandLine;
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
    let line = match CommandLine::read(arguments.clone(), &variables) {
        Ok(line) => line,
        Err(error) => return refused(error, &CommandLine::plain(arguments), terminal),
    };
    let cli = match cli::parse(line.words()) {
        Ok(cli) => cli,
        Err(error) => return not_parsed(&error, &line, terminal),
    };
    let format = if cli.global.json { Format::Json } else { format(&cli.command) };
    let output = Output::new(&cli.global, format, terminal);
    line.print_notes(&output);
    if let Some(error) = usage::misunderstood(&arguments) {
        output.error(&error);
        return error.exit();
    }
    let is_listing = matches!(
        cli.command,
        Command::Logs(_)
            | Command::Ps(_)
            | Command::Inspect(_)
            | Command::Images(_)
            | Command::Ls(_)
            | Command::Completions(_)
    );
    if !matches!(cli.command, Command::Completions(_)) {
        warn_of_variables(&variables, &output);
    }
    let defaults = usage::defaults(&arguments, &variables);
    match dispatch(cli, variables, output.clone()) {
        Ok(exit) => exit,
        // `logs … | head` closes stdout early.
        Err(error) if is_listing && is_closed_pipe(&error) => Exit::Done,
        Err(error) => {
            let command = |changes: &[Change]| line.next(changes);
            let error = usage::with_origin(error, &defaults);
            let error = error.map_problem(|problem| problem.with_command(command));
            output.error(&error);
            error.exit()
        }
    }
}

fn dispatch(cli: Cli, variables: Variables, output: Output) -> Result<Exit, SandboxError> {
    let interrupt = Interrupt::default();
    let signals = SignalHandler::listen(interrupt.clone(), output.clone()).map_err(anyhow::Error::from)?;
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
        Command::Ps(args) => ps::run(&args, &session),
        Command::Inspect(args) => inspect::run(&args, &session),
        Command::Images(args) => images::run(&args, &session),
        Command::Prune(args) => prune::run(&args, &session),
        Command::Logs(args) => logs::run(&args, &session),
        Command::Doctor(_) => doctor::run(&session),
        Command::Completions(args) => completions::run(&args, &session),
    }
}

/// Warns of variables that have no effect because their names are wrong.
fn warn_of_variables(variables: &Variables, output: &Output) {
    for name in variables.unknown() {
        let hint = match usage::nearest(name, variables::known()) {
            Some(near) => format!("did you mean {near}?"),
            None => "it has no effect".to_owned(),
        };
        output.warn(&format!("there is no variable {name}: {hint}"));
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
    let list = |format: ListFormat| match format {
        ListFormat::Text => Format::Text,
        ListFormat::Json | ListFormat::Jsonl => Format::Json,
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
        Command::Stop(args) => list(args.format),
        Command::Reap(args) => list(args.format),
        Command::Hash(args) => result(args.format),
        Command::Ls(args) => result(args.format),
        Command::Manifest(args) => result(args.format),
        Command::Ps(args) => list(args.format),
        Command::Inspect(args) => result(args.format),
        Command::Images(args) => list(args.format),
        Command::Prune(args) => list(args.format),
        Command::Doctor(args) => result(args.format),
        Command::Logs(args) => match args.format {
            LogFormat::Text => Format::Text,
            LogFormat::Jsonl => Format::Json,
        },
        Command::Completions(_) => Format::Text,
    }
}

/// Prints help and version as results, and everything else as a usage error in the program's own format.
fn not_parsed(error: &clap::Error, line: &CommandLine, terminal: Terminal) -> Exit {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return if error.print().is_ok() { Exit::Done } else { Exit::Failure };
    }
    let (_, format) = global_arguments(line.words());
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand && format != Format::Json {
        let _ = error.print();
        return Exit::Usage;
    }
    refused(usage::usage_error(error, line.given()), line, terminal)
}

/// Reports an error in a command line or its project file.
fn refused(error: SandboxError, line: &CommandLine, terminal: Terminal) -> Exit {
    let (global, format) = global_arguments(line.words());
    let error = error.map_problem(|problem| problem.with_command(|changes| line.next(changes)));
    Output::new(&global, format, terminal).error(&error);
    error.exit()
}

/// Finds `--color`, `--quiet` and `--format` on a command line that could not be parsed.
fn global_arguments(arguments: &[OsString]) -> (GlobalArgs, Format) {
    let ours = &arguments[..next_command::end_of_options(arguments)];
    let ours: Vec<&str> = ours.iter().map(|argument| argument.to_str().unwrap_or_default()).collect();
    let value = |option: &str| {
        ours.iter().enumerate().find_map(|(at, argument)| match argument.strip_prefix(option)? {
            "" => ours.get(at + 1).copied(),
            rest => rest.strip_prefix('='),
        })
    };
    let parsed = value("--color").and_then(|when| clap::ValueEnum::from_str(when, false).ok());
    let quiet = ours.iter().any(|argument| matches!(*argument, "-q" | "--quiet"));
    let json = ours.contains(&"--json");
    let is_json = json || matches!(value("--format"), Some("json" | "jsonl"));
    let format = if is_json { Format::Json } else { Format::Text };
    (GlobalArgs { quiet, verbose: false, json, color: parsed, progress: None, docker: None }, format)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_options_of_a_wrong_command_line_are_respected() {
        let read = |line: &str| {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let (global, format) = global_arguments(&words);
            (global.quiet, global.color, format)
        };
        use crate::cli::ColorWhen::{Always, Never};
        assert_eq!(read("x run --bad --color never --format=json"), (false, Some(Never), Format::Json));
        assert_eq!(read("x stop --json --bad").2, Format::Json);
        assert_eq!(read("x -q --color=always run --bad"), (true, Some(Always), Format::Text));
        assert_eq!(read("x run A --bad -- y --format json"), (false, None, Format::Text));
    }

    #[test]
    fn the_command_line_is_well_defined() {
        crate::cli::command().debug_assert();
    }
}
