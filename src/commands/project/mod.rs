//! The project file's part of a command line: its keys are the names of long options, and become these options.

mod keys;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::builder::ValueParser;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches};
use serde_json::Value;

use crate::cli;
use crate::commands::next_command::{end_of_options, next_command};
use crate::error::{Change, Problem, SandboxError};
use crate::output::{Output, text};
use crate::settings::container_variables;
use crate::settings::project_file::{self, Entry, ProjectFile};
use crate::settings::variables::Variables;
use crate::source::EnvironmentSourceRef;
use crate::source::known_ids::distance;
use keys::{checked, option_of, variable_of, words_of, wrong_name};

/// The commands that use a project file.
const VERBS: [&str; 4] = ["run", "build", "check", "hash"];

/// The key of an environment's source.
const SOURCE: &str = "source";

/// A command line, with the options of the project file.
pub(super) struct CommandLine {
    given: Vec<OsString>,
    project: Option<Expanded>,
}

/// A command line that the project file changed.
struct Expanded {
    /// The whole command line.
    words: Vec<OsString>,
    /// The same as it has to be typed: the project file is not used again.
    without_file: Vec<OsString>,
    /// Whether the source is from the file.
    has_source: bool,
    note: String,
    ignored: Option<String>,
}

impl CommandLine {
    /// Without a project file.
    pub(super) fn plain(given: Vec<OsString>) -> Self {
        Self { given, project: None }
    }

    /// Reads the project file, if the command uses one. A command line that is not valid is left as it is.
    ///
    /// # Errors
    /// As [`project_file::find`]; [`SandboxError::InvalidOption`] for a key or a value that is not valid, and if the
    /// command does not name one of several environments.
    pub(super) fn read(given: Vec<OsString>, variables: &Variables) -> Result<Self, SandboxError> {
        let Some(probe) = Probe::of(&given).filter(|probe| !probe.no_config) else {
            return Ok(Self::plain(given));
        };
        let file = match &probe.config {
            Some(file) => Some(project_file::read(file)?),
            // A folder that was removed has no project file.
            None => match std::env::current_dir() {
                Ok(here) => project_file::find(&here)?,
                Err(_) => None,
            },
        };
        let project = match file {
            Some(file) => expand(&given, &probe, &file, variables)?,
            None => None,
        };
        Ok(Self { given, project })
    }

    /// The words that the user gave.
    pub(super) fn given(&self) -> &[OsString] {
        &self.given
    }

    /// The words to parse.
    pub(super) fn words(&self) -> &[OsString] {
        self.project.as_ref().map_or(&self.given, |expanded| &expanded.words)
    }

    /// Prints which project file is used, and which one is not.
    pub(super) fn print_notes(&self, output: &Output) {
        let Some(expanded) = &self.project else { return };
        expanded.ignored.iter().for_each(|ignored| output.warn(ignored));
        output.note(&text::line(&expanded.note));
        next_command(&expanded.without_file, &[]).into_iter().for_each(|command| output.trace(&command));
    }

    /// The whole command to type next: the user's own if the changes apply to it, and otherwise one that contains
    /// the options of the project file.
    pub(super) fn next(&self, changes: &[Change]) -> Option<String> {
        let Some(expanded) = &self.project else { return next_command(&self.given, changes) };
        let replaces_source = changes.iter().any(|change| matches!(change, Change::Source(_)));
        if !(replaces_source && expanded.has_source)
            && let Some(command) = next_command(&self.given, changes)
        {
            return Some(command);
        }
        next_command(&expanded.without_file, changes)
    }
}

/// What a command line has, before the project file is read.
struct Probe {
    verb: &'static str,
    source: Option<OsString>,
    config: Option<PathBuf>,
    no_config: bool,
    /// The names of the variables in the files of --env-file.
    in_env_files: Vec<String>,
    matches: ArgMatches,
}

impl Probe {
    /// `None` if the command line is not valid apart from its source, or if its command uses no project file.
    fn of(words: &[OsString]) -> Option<Self> {
        let matches_of = |words: &[OsString]| {
            let command = VERBS.iter().fold(cli::command(), |command, verb| {
                command.mut_subcommand(verb, |verb| {
                    verb.mut_arg(SOURCE, |source| {
                        source.required(false).value_parser(ValueParser::os_string())
                    })
                })
            });
            command.try_get_matches_from(words).ok()
        };
        // Without a source, clap would take the first word of the user's command as one.
        let end = end_of_options(words);
        let mut matches = matches_of(&words[..end])?;
        if matches.subcommand_name() != Some("run") && end < words.len() {
            matches = matches_of(words)?;
        }
        let (verb, matches) = matches.subcommand()?;
        let verb = VERBS.into_iter().find(|own| *own == verb)?;
        Some(Self {
            verb,
            source: matches.get_one::<OsString>(SOURCE).cloned(),
            config: matches.get_one::<PathBuf>("config").cloned(),
            no_config: matches.get_flag("no_config"),
            in_env_files: match matches.try_get_many::<PathBuf>("env_file") {
                Ok(Some(files)) => files.flat_map(|file| container_variables::names(file)).collect(),
                Ok(None) | Err(_) => Vec::new(),
            },
            matches: matches.clone(),
        })
    }

    /// Whether the user gave this option, or its variable.
    fn has(&self, option: &Arg, variables: &Variables) -> bool {
        let source = self.matches.value_source(option.get_id().as_str());
        source.is_some_and(|source| source != ValueSource::DefaultValue)
            || variable_of(option).is_some_and(|name| variables.path(name).is_some())
    }

    /// Where the command line has the command.
    fn verb_at(&self, words: &[OsString]) -> Option<usize> {
        (1..words.len()).find(|at| {
            words[*at] == self.verb && Probe::of(&words[..=*at]).is_some_and(|probe| probe.verb == self.verb)
        })
    }
}

/// The command line with the source in it replaced.
fn with_source(words: &[OsString], source: &OsStr, new: &str) -> Option<Vec<OsString>> {
    const MARK: &str = "the-source";
    (1..words.len()).filter(|at| words[*at] == source).find_map(|at| {
        let mut words = words.to_vec();
        words[at] = MARK.into();
        let is_source = Probe::of(&words)?.source? == MARK;
        words[at] = new.into();
        is_source.then_some(words)
    })
}

fn expand(
    given: &[OsString],
    probe: &Probe,
    file: &ProjectFile,
    variables: &Variables,
) -> Result<Option<Expanded>, SandboxError> {
    let file = checked(file)?;
    let environment = match &probe.source {
        Some(name) => {
            let found = file.environments.iter().find(|environment| environment.name.as_str() == name);
            found.is_none().then(|| misspelt(&file, name)).flatten().map_or(Ok(()), Err)?;
            found
        }
        None => match &file.environments[..] {
            [] => return Ok(None),
            [one] => Some(one),
            several => {
                let names: Vec<&str> = several.iter().map(|environment| environment.name.as_str()).collect();
                let problem = Problem::new(
                    format!("{} has {} environments: {}", file.path.display(), names.len(), names.join(", ")),
                    format!("name the one to use, such as `rlmesh-sandbox {} {}`", probe.verb, names[0]),
                );
                return Err(SandboxError::InvalidOption(problem));
            }
        },
    };
    let named = environment.map_or(&[][..], |environment| &environment.entries);
    let source = named.iter().find(|entry| entry.key == SOURCE).and_then(|entry| entry.value.as_str());
    let is_image = source.map(OsStr::new).or(probe.source.as_deref()).is_some_and(is_image);
    let merged = merged(probe, &file.defaults, named, is_image, variables);
    if merged.is_empty() && environment.is_none() {
        return Ok(None);
    }
    let mut options: Vec<OsString> = Vec::new();
    for (option, value) in &merged {
        // The values have been checked.
        let words =
            words_of(option, value).map_err(|invalid| file.invalid(1, &invalid.reason, invalid.hint))?;
        options.extend(words.into_iter().map(OsString::from));
    }
    let words = match (&probe.source, source) {
        (Some(name), Some(source)) => with_source(given, name, source),
        (None, Some(source)) => {
            options.push(source.into());
            Some(given.to_vec())
        }
        (_, None) => Some(given.to_vec()),
    };
    let (Some(words), Some(verb_at)) = (words, probe.verb_at(given)) else { return Ok(None) };
    let (before, after) = words.split_at(verb_at + 1);
    let expanded = [before, &options, after].concat();
    let without_file = [before, &["--no-config".into()], &options, &without_config(after)].concat();
    let what = environment.map_or("the defaults".to_owned(), |environment| environment.name.clone());
    Ok(Some(Expanded {
        words: expanded,
        without_file,
        has_source: source.is_some(),
        note: format!("using {what} of {}", file.path.display()),
        ignored: file.ignored.as_ref().map(|ignored| {
            format!(
                "[tool.rlmesh-sandbox] of {} is not used, because of {}",
                ignored.display(),
                file.path.display()
            )
        }),
    }))
}

/// The options of the file that apply to a command line: the defaults, and then those of the named environment.
fn merged(
    probe: &Probe,
    defaults: &[Entry],
    named: &[Entry],
    is_image: bool,
    variables: &Variables,
) -> Vec<(Arg, Value)> {
    let mut merged: Vec<(Arg, Value)> = Vec::new();
    let all = defaults.iter().map(|entry| (entry, true)).chain(named.iter().map(|entry| (entry, false)));
    for (entry, is_default) in all {
        let Some(option) = option_of(probe.verb, &entry.key) else { continue };
        // Defaults for images that are built say nothing about one that exists.
        let is_for_builds = option.get_help_heading() == Some("Image options");
        let is_single = !matches!(option.get_action(), ArgAction::Append);
        if (is_image && is_default && is_for_builds) || (is_single && probe.has(&option, variables)) {
            continue;
        }
        let mut value = entry.value.clone();
        // The program reads --env-file before --env, so variables in such a file would lose.
        if let (Some("env"), Value::Object(variables)) = (option.get_long(), &mut value) {
            variables.retain(|name, _| !probe.in_env_files.contains(name));
        }
        match merged.iter_mut().find(|(known, _)| known.get_id() == option.get_id()) {
            Some((_, before)) => merge(before, &value),
            None => merged.push((option, value)),
        }
    }
    merged
}

/// The error for a source that is most likely a misspelt name of an environment.
fn misspelt(file: &ProjectFile, given: &OsStr) -> Option<SandboxError> {
    let given = given.to_str().filter(|given| wrong_name(given).is_none())?;
    let most = if given.len() < 5 { 1 } else { 2 };
    let names = file.environments.iter().map(|environment| &environment.name);
    let (_, near) = names
        .map(|name| (distance(given, name), name))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)?;
    let problem = Problem::new(
        format!("{} has no environment {given}", file.path.display()),
        format!("for the environment of Gymnasium with this name, use gym://{given}"),
    );
    Some(SandboxError::InvalidSource(problem.changes([Change::Source(near.clone())])))
}

fn is_image(source: &OsStr) -> bool {
    let parsed = source.to_str().and_then(|source| source.parse::<EnvironmentSourceRef>().ok());
    matches!(parsed, Some(EnvironmentSourceRef::Image(_)))
}

/// The words without `--config FILE`.
fn without_config(words: &[OsString]) -> Vec<OsString> {
    let mut words = words.to_vec();
    let end = end_of_options(&words);
    let at = words[..end].iter().position(|word| {
        word == "--config" || word.to_str().is_some_and(|word| word.starts_with("--config="))
    });
    if let Some(at) = at {
        words.drain(at..at + if words[at] == "--config" { 2 } else { 1 });
    }
    words
}

/// Lists are added to, tables are merged, and everything else is replaced.
fn merge(before: &mut Value, new: &Value) {
    match (before, new) {
        (Value::Array(items), Value::Array(more)) => items.extend(more.iter().cloned()),
        (Value::Object(entries), Value::Object(more)) => entries.extend(more.clone()),
        (before, new) => *before = new.clone(),
    }
}
