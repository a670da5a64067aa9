//! The verbs: resolved values in, library calls, a report out. The only place where docker and report meet.

mod build;
mod completions;
mod doctor;
mod dry_run;
mod hash;
mod logs;
mod ls;
mod ps;
mod reap;
mod reap_builders;
mod run;
mod stop;

use std::ffi::OsString;
use std::sync::Arc;

use clap::Parser as _;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::cli::{Cli, GlobalArgs, ResultFormat, RunFormat, SandboxArgs, Verb};
use crate::engine::docker::Docker;
use crate::error::{Exit, Problem, SandboxError};
use crate::host::interrupt::{Interrupt, SignalHandler};
use crate::hub::Hub;
use crate::output::{Format, Report};
use crate::plan::Plan;
use crate::plan::resolve::{self, Consent, World};
use crate::settings::hub::HubSettings;
use crate::settings::sandbox::SandboxOptions;
use crate::settings::variables::Variables;
use crate::source::{EnvironmentSourceRef, HfSourceRef};

/// What every verb works with.
pub(crate) struct Session {
    global: GlobalArgs,
    variables: Variables,
    report: Report,
    interrupt: Interrupt,
    signals: SignalHandler,
}

/// Runs the program: parses the command line, does what it says, and tells how that went.
pub fn main(arguments: impl IntoIterator<Item = OsString>, variables: Variables) -> Exit {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return not_parsed(&error, &arguments, &variables),
    };
    let report = Report::new(&cli.global, format(&cli.verb), &variables);
    match dispatch(cli, variables, report.clone()) {
        Ok(exit) => exit,
        Err(error) => {
            report.error(&error);
            error.exit()
        }
    }
}

fn dispatch(cli: Cli, variables: Variables, report: Report) -> Result<Exit, SandboxError> {
    let interrupt = Interrupt::default();
    let signals = SignalHandler::listen(interrupt.clone()).map_err(anyhow::Error::from)?;
    let session = Session { global: cli.global, variables, report, interrupt, signals };
    match cli.verb {
        Verb::Build(args) => build::run(&args, &session),
        Verb::Run(args) => run::run(&args, &session),
        Verb::Stop(args) => stop::run(&args, &session),
        Verb::Reap(args) => reap::run(&args, &session),
        Verb::Hash(args) => hash::run(&args, &session),
        Verb::Ls(args) => ls::run(&args, &session),
        Verb::Ps(_) => ps::run(&session),
        Verb::Logs(args) => logs::run(&args, &session),
        Verb::Doctor(_) => doctor::run(&session),
        Verb::Completions(args) => completions::run(&args, &session),
    }
}

impl Session {
    /// The docker client, found but not yet asked for anything.
    fn docker(&self) -> Result<Docker, SandboxError> {
        let report = self.report.clone();
        let trace = Arc::new(move |text: &str| report.trace(text));
        Docker::find(self.global.docker.as_deref(), &self.variables, self.interrupt.clone(), trace)
    }

    /// The Hub, not yet asked for anything.
    fn hub(&self) -> Result<Hub, SandboxError> {
        Ok(Hub::new(&HubSettings::from_variables(&self.variables)?, self.interrupt.clone()))
    }

    /// Source and options → plan. Docker is asked only for the engine's processor, and only for `local`.
    fn plan(&self, args: &SandboxArgs, consent: Consent) -> Result<Plan, SandboxError> {
        self.plan_for(args, consent, &|| Ok(self.docker()?.engine()?.arch))
    }

    /// The same for an engine with this machine's own processor, without asking it: nothing of it is to run.
    fn plan_to_show(&self, args: &SandboxArgs) -> Result<Plan, SandboxError> {
        self.plan_for(args, Consent::ToLookUp, &|| Ok(own_processor().to_owned()))
    }

    fn plan_for(
        &self,
        args: &SandboxArgs,
        consent: Consent,
        processor: &dyn Fn() -> Result<String, SandboxError>,
    ) -> Result<Plan, SandboxError> {
        let source: EnvironmentSourceRef = args.source.parse()?;
        let options = SandboxOptions::from_args(args, &self.variables)?;
        let folder = std::env::current_dir().map_err(anyhow::Error::from)?;
        let commit = |hf: &HfSourceRef, patience| {
            let on_event = &mut |event| self.report.event(&event);
            let commit = self.hub()?.commit(hf, patience, on_event);
            self.report.clear();
            commit
        };
        let world = World { folder: &folder, processor, commit: &commit };
        resolve::resolve(&source, options, consent, &world)
    }
}

/// This machine's processor in Docker's naming.
fn own_processor() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn format(verb: &Verb) -> Format {
    let result = |format: ResultFormat| match format {
        ResultFormat::Text => Format::Text,
        ResultFormat::Json => Format::Json,
    };
    match verb {
        Verb::Build(args) => result(args.format),
        Verb::Run(args) => match args.format {
            RunFormat::Text => Format::Text,
            RunFormat::Json => Format::Json,
            RunFormat::Env => Format::Env,
        },
        Verb::Stop(args) => result(args.format),
        Verb::Reap(args) => result(args.format),
        Verb::Hash(args) => result(args.format),
        Verb::Ls(args) => result(args.format),
        Verb::Ps(args) => result(args.format),
        Verb::Doctor(args) => result(args.format),
        Verb::Logs(_) | Verb::Completions(_) => Format::Text,
    }
}

/// Help and version are results; everything else that stops the parser is a usage error in our own form.
fn not_parsed(error: &clap::Error, arguments: &[OsString], variables: &Variables) -> Exit {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return if error.print().is_ok() { Exit::Done } else { Exit::Failure };
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let _ = error.print();
        return Exit::Usage;
    }
    let wants_json = arguments
        .iter()
        .take_while(|argument| *argument != "--")
        .zip(arguments.iter().skip(1).chain([&OsString::new()]))
        .any(|(argument, next)| argument == "--format=json" || (argument == "--format" && next == "json"));
    let global = GlobalArgs { quiet: false, verbose: false, color: None, progress: None, docker: None };
    let format = if wants_json { Format::Json } else { Format::Text };
    let usage = usage_error(error);
    Report::new(&global, format, variables).error(&usage);
    usage.exit()
}

fn usage_error(error: &clap::Error) -> SandboxError {
    let rendered = error.render().to_string();
    let mut paragraphs = rendered.split("\n\n");
    let said = paragraphs.next().unwrap_or_default().trim_start_matches("error: ");
    // What is missing is listed below the sentence, an argument a line.
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
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
        (None, None) => "rlmesh-sandbox --help lists the verbs, and VERB --help their options".to_owned(),
    };
    SandboxError::InvalidOption(Problem::new(said, hint).hint("see --help"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(line: &str) -> SandboxError {
        let words = line.split(' ');
        usage_error(&Cli::try_parse_from(words).unwrap_err())
    }

    #[test]
    fn a_wrong_command_line_is_said_in_one_line_with_a_hint() {
        let error = refusal("rlmesh-sandbox run CartPole-v1 --base-imag x");
        assert_eq!(error.to_string(), "unexpected argument '--base-imag' found");
        assert_eq!(error.hints()[0], "did you mean --base-image?");
        let error = refusal("rlmesh-sandbox run");
        assert!(
            error.to_string().starts_with("the following required arguments were not provided"),
            "{error}"
        );
        assert!(error.hints()[0].starts_with("usage: rlmesh-sandbox run"), "{error:?}");
        let error = refusal("rlmesh-sandbox buidl x");
        assert_eq!(error.hints()[0], "did you mean build?");
        assert_eq!(error.exit().code(), 2);
    }

    #[test]
    fn the_definitions_hold_together() {
        crate::cli::command().debug_assert();
    }
}
