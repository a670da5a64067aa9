//! Errors of command lines that are not valid, and the command lines that were most likely meant.

mod line;
mod options;
mod verbs;
mod words;

use std::error::Error as _;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::cli;
use crate::commands::next_command::{end_of_options, line, quoted, words};
use crate::error::{InvalidValue, Problem, SandboxError};
use crate::settings::variables::{DEFAULTS, Variables};
use line::Line;
pub(super) use words::{is_env_id, nearest};

/// The most mistakes of one command line that are corrected.
const MOST_MISTAKES: usize = 8;

/// The error for a command line that clap did not accept.
pub(super) fn usage_error(error: &clap::Error, arguments: &[OsString]) -> SandboxError {
    let words = words(arguments);
    let steps = words.clone().map(|words| corrections(words, error)).unwrap_or_default();
    let line = Line::new(words.unwrap_or_default());
    let own = own_problem(error);
    let message = own.as_ref().map_or_else(|| message(error, &line), ToString::to_string);
    let wrap = match error.source().and_then(|source| source.downcast_ref()) {
        Some(SandboxError::InvalidSource(_)) => SandboxError::InvalidSource,
        _ => SandboxError::InvalidOption,
    };
    wrap(match (with_steps(message.clone(), steps), own) {
        (Some(problem), _) => problem,
        (None, Some(own)) => own,
        (None, None) => Problem::new(message, general_hint(error, &line)),
    })
}

/// The error for a command line that is valid, but was most likely meant as another one.
pub(super) fn misunderstood(arguments: &[OsString]) -> Option<SandboxError> {
    let line = Line::new(words(arguments)?);
    let step = line.misread().or_else(|| line.options_after_dashes())?;
    is_valid(&step.words).then(|| {
        let message = step.message.clone().unwrap_or_else(|| step.why.clone());
        SandboxError::InvalidOption(Problem::new(message, step.why.clone()).command(next(&step)))
    })
}

/// The values that come from variables, because the command line does not have their options: option, variable and
/// value.
pub(super) fn defaults(
    arguments: &[OsString],
    variables: &Variables,
) -> Vec<(&'static str, &'static str, String)> {
    let ours: Vec<_> =
        arguments[..end_of_options(arguments)].iter().map(|word| word.to_string_lossy()).collect();
    let is_given = |option: &str| ours.iter().any(|word| word.split('=').next() == Some(option));
    let set = DEFAULTS.iter().filter(|(option, _)| !is_given(option));
    set.filter_map(|(option, variable)| {
        Some((*option, *variable, variables.text(variable).ok()??.to_owned()))
    })
    .collect()
}

/// The error, which says so if it is about a value that comes from a variable.
pub(super) fn with_origin(error: SandboxError, defaults: &[(&str, &str, String)]) -> SandboxError {
    let details = error.details().unwrap_or_default().to_owned();
    let said = [&[error.to_string(), details], error.hints().as_slice()].concat().join(" ");
    let is_about = |(option, variable, value): &&(&str, &str, String)| {
        !said.contains(variable)
            && (said.contains(option) || value.len() > 3 && said.contains(value.as_str()))
    };
    match defaults.iter().find(is_about) {
        Some((option, variable, _)) => {
            error.map_problem(|problem| problem.hint(format!("{variable} sets {option}")))
        }
        None => error,
    }
}

/// A correction of one mistake.
#[derive(Debug, Clone)]
struct Step {
    /// What is wrong, if clap does not say it.
    message: Option<String>,
    /// Why it is corrected in this way, or what is meant.
    why: String,
    words: Vec<String>,
    /// Whether the words are of docker, and not of this program.
    is_dockers: bool,
}

impl Step {
    fn new(why: impl Into<String>, words: Vec<String>) -> Self {
        Self { message: None, why: why.into(), words, is_dockers: false }
    }

    fn message(self, message: String) -> Self {
        Self { message: Some(message), ..self }
    }
}

fn next(step: &Step) -> String {
    if step.is_dockers { format!("docker {}", quoted(&step.words)) } else { line(&step.words) }
}

fn is_valid(words: &[String]) -> bool {
    parsed(words).is_ok_and(|()| Line::new(words.to_vec()).misread().is_none())
}

fn parsed(words: &[String]) -> Result<(), clap::Error> {
    let all = std::iter::once("rlmesh-sandbox").chain(words.iter().map(String::as_str));
    match cli::parse(all) {
        Ok(_) => Ok(()),
        Err(error) if !error.use_stderr() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Corrects one mistake after the other, until the command line is valid or a mistake is not known.
fn corrections(words: Vec<String>, error: &clap::Error) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut line = Line::new(words);
    let mut step = line.correction(error);
    while let Some(found) = step {
        let is_new = found.words != line.words || found.is_dockers;
        line = Line::new(found.words.clone());
        let is_last = found.is_dockers;
        steps.push(found);
        if !is_new || is_last || steps.len() == MOST_MISTAKES {
            break;
        }
        step = match parsed(&line.words) {
            Ok(()) => line.misread(),
            Err(error) => line.correction(&error),
        };
    }
    steps
}

/// The error with the reasons of the corrections, and the corrected command line if it is valid.
fn with_steps(message: String, steps: Vec<Step>) -> Option<Problem> {
    let last = steps.last()?.clone();
    let message = steps[0].message.clone().unwrap_or(message);
    let mut reasons = steps.into_iter().map(|step| step.why).filter(|why| !why.is_empty());
    let problem = Problem::new(message, reasons.next()?);
    let problem = reasons.take(2).fold(problem, Problem::hint);
    let is_whole = last.is_dockers || is_valid(&last.words);
    Some(if is_whole { problem.command(next(&last)) } else { problem })
}

/// The error of a parser of this program.
fn own_problem(error: &clap::Error) -> Option<Problem> {
    let source = error.source()?;
    if let Some(SandboxError::InvalidSource(problem)) = source.downcast_ref() {
        return Some(problem.clone());
    }
    let invalid: &InvalidValue = source.downcast_ref()?;
    let message = wrong_value(error, &invalid.reason);
    Some(Problem::new(message, invalid.hint.clone()).changes(invalid.changes.iter().cloned()))
}

/// The one form of the message for a wrong value.
fn wrong_value(error: &clap::Error, reason: &str) -> String {
    let (name, value) = (argument(error), text(error, ContextKind::InvalidValue).unwrap_or_default());
    format!("{name} {value:?}: {reason}")
}

fn text(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) => texts.first().cloned(),
        _ => None,
    }
}

/// The argument that an error is about, as a user writes it.
fn argument(error: &clap::Error) -> String {
    plain(&text(error, ContextKind::InvalidArg).unwrap_or_default())
}

/// `--apt` of `--apt <NAME>`, `SOURCE` of `<SOURCE>`.
fn plain(argument: &str) -> String {
    if argument.contains("COMMAND]") {
        return "-- COMMAND".to_owned();
    }
    let word = if argument.starts_with('-') { argument.split(' ').next() } else { Some(argument) };
    word.unwrap_or_default().trim_end_matches("...").trim_matches(['<', '>', '[', ']']).to_owned()
}

fn message(error: &clap::Error, line: &Line) -> String {
    let (name, verb) = (argument(error), line.name());
    match error.kind() {
        ErrorKind::UnknownArgument if name.starts_with('-') => match &line.verb {
            Some(_) => format!("{verb} has no option {name}"),
            None => format!("there is no option {name} before the command"),
        },
        ErrorKind::UnknownArgument => format!("{name:?} is one word too many for {verb}"),
        ErrorKind::InvalidSubcommand => {
            let word = text(error, ContextKind::InvalidSubcommand).unwrap_or_default();
            format!("there is no command {word:?}")
        }
        ErrorKind::InvalidValue
            if text(error, ContextKind::InvalidValue).is_none_or(|value| value.is_empty()) =>
        {
            format!("{name} needs a value")
        }
        ErrorKind::InvalidValue => wrong_value(error, "it is not a valid value"),
        ErrorKind::TooManyValues => format!("{name} takes no value"),
        ErrorKind::ArgumentConflict => match text(error, ContextKind::PriorArg).map(|other| plain(&other)) {
            Some(other) if other != name => format!("{name} cannot be used with {other}"),
            _ => format!("{name} is given more than once"),
        },
        ErrorKind::MissingRequiredArgument => format!("{name} is missing"),
        ErrorKind::MissingSubcommand => "a command is missing".to_owned(),
        ErrorKind::InvalidUtf8 => "the command line is not valid UTF-8".to_owned(),
        _ => {
            let rendered = error.render().to_string();
            let first = rendered.lines().next().unwrap_or_default();
            first.trim_start_matches("error: ").to_owned()
        }
    }
}

fn general_hint(error: &clap::Error, line: &Line) -> String {
    match (error.kind(), line.verb_name()) {
        (ErrorKind::InvalidValue, _) if !values(error).is_empty() => {
            format!("use one of {}", values(error).join(", "))
        }
        (ErrorKind::InvalidValue, _) => {
            format!(
                "write {}",
                text(error, ContextKind::InvalidArg).unwrap_or_default().replace(['<', '>'], "")
            )
        }
        (ErrorKind::ArgumentConflict, _) => "leave one of them out".to_owned(),
        (_, Some(verb)) if verb != "help" => {
            format!("run `rlmesh-sandbox {verb} --help` to list its options")
        }
        _ => "run `rlmesh-sandbox --help` to list the commands".to_owned(),
    }
}

fn values(error: &clap::Error) -> Vec<String> {
    match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(values)) => values.clone(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
