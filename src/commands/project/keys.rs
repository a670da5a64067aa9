//! The keys of a project file: their options, the shapes of their values, and what a file cannot set.

use std::error::Error as _;
use std::path::{Component, Path};
use std::sync::LazyLock;

use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgAction, ValueHint};
use serde_json::{Map, Value};

use crate::cli;
use crate::commands::project::{SOURCE, VERBS};
use crate::commands::usage::{is_env_id, usage_error};
use crate::error::{InvalidValue, SandboxError};
use crate::settings::project_file::{ENVIRONMENTS, Entry, Environment, ProjectFile};
use crate::settings::variables::DEFAULTS;
use crate::source::EnvironmentSourceRef;
use crate::source::local_requirement::LocalRequirement;

/// The options that a project file cannot set, and why. A file may come with the code of other people: it
/// describes environments, which are isolated, but it decides nothing about this machine and gives no consent.
const REFUSED: [(&[&str], &str); 7] = [
    (
        &["trust-remote-code", "allow-unpinned-hf"],
        "a file cannot consent to code from the Hub for you: pass it on the command line",
    ),
    (&["docker"], "it names a program that runs on this machine: pass it on the command line"),
    (
        &["env-file"],
        "it can copy variables of this machine: write env = { NAME = \"VALUE\" }, or pass it on the command line",
    ),
    (
        &["cache-from", "ca-cert"],
        "it changes images without changing their hash, which other projects share: pass it on the command line",
    ),
    (&["tag", "push", "cache-to"], "it writes outside of the sandbox: pass it on the command line"),
    (&["kwarg"], "write kwargs = { NAME = VALUE }"),
    (
        &[
            "detach",
            "owner-pid",
            "check",
            "dry-run",
            "rebuild",
            "pull",
            "format",
            "quiet",
            "verbose",
            "color",
            "progress",
            "config",
            "no-config",
            "json",
            "name",
            "ttl",
        ],
        "it is about one command, not about an environment: pass it on the command line",
    ),
];

/// The option of a command with this long name, unless it prints help.
pub(super) fn option_of(verb: &str, key: &str) -> Option<Arg> {
    static PROGRAM: LazyLock<clap::Command> = LazyLock::new(|| {
        let mut program = cli::command();
        program.build();
        program
    });
    let mut options = PROGRAM.find_subcommand(verb)?.get_arguments();
    let option = options.find(|option| option.get_long() == Some(key))?;
    matches!(option.get_action(), ArgAction::Set | ArgAction::Append | ArgAction::SetTrue)
        .then(|| option.clone())
}

/// The variable that sets an option.
pub(super) fn variable_of(option: &Arg) -> Option<&'static str> {
    let name = format!("--{}", option.get_long()?);
    let dockers = [("--platform", "DOCKER_DEFAULT_PLATFORM")];
    DEFAULTS.iter().chain(&dockers).find(|(option, _)| *option == name).map(|(_, variable)| *variable)
}

/// Checks every key and value of a file, and makes its paths usable from the current folder.
pub(super) fn checked(file: &ProjectFile) -> Result<ProjectFile, SandboxError> {
    let each = |entries: &[Entry], is_named: bool| -> Result<Vec<Entry>, SandboxError> {
        entries.iter().map(|entry| checked_entry(file, entry, is_named)).collect()
    };
    let named = |environment: &Environment| {
        if let Some(reason) = wrong_name(&environment.name) {
            let reason = format!("the name {:?} {reason}", environment.name);
            return Err(file.invalid(environment.line, &reason, "use a name such as pong or my_env"));
        }
        if !environment.entries.iter().any(|entry| entry.key == SOURCE) {
            let reason = format!("the environment {} has no {SOURCE}", environment.name);
            return Err(file.invalid(
                environment.line,
                &reason,
                "add a line such as source = \"CartPole-v1\"",
            ));
        }
        Ok(Environment { entries: each(&environment.entries, true)?, ..environment.clone() })
    };
    Ok(ProjectFile {
        defaults: each(&file.defaults, false)?,
        environments: file.environments.iter().map(named).collect::<Result<_, _>>()?,
        ..file.clone()
    })
}

/// Why a text cannot be an environment's name. A name must not look like another source.
pub(super) fn wrong_name(name: &str) -> Option<&'static str> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || name.starts_with('-') || !name.chars().all(is_word) {
        return Some("has other characters than letters, digits, '_' and '-'");
    }
    is_env_id(name).then_some("is written like the id of a Gymnasium environment")
}

fn checked_entry(file: &ProjectFile, entry: &Entry, is_named: bool) -> Result<Entry, SandboxError> {
    let key = entry.key.as_str();
    let wrong = |reason: &str, hint: &str| file.invalid(entry.line, reason, hint);
    let with_place =
        |invalid: InvalidValue| file.invalid(entry.line, &format!("{key}: {}", invalid.reason), invalid.hint);
    if key == SOURCE {
        if !is_named {
            return Err(wrong("source is not a default", "write it below [environments.NAME]"));
        }
        let Value::String(source) = &entry.value else {
            return Err(with_place(InvalidValue::new(
                "it has to be a text",
                "write source = \"CartPole-v1\"",
            )));
        };
        let source = source_from(source, &file.folder).map_err(with_place)?;
        return Ok(Entry { value: Value::String(source), ..entry.clone() });
    }
    let Some((verb, option)) = VERBS.iter().find_map(|verb| Some((*verb, option_of(verb, key)?))) else {
        return Err(wrong(&format!("unknown key {key}"), &near_key(key, is_named)));
    };
    if let Some(reason) = why_refused(&option) {
        return Err(wrong(&format!("{key} cannot be set in a project file"), reason));
    }
    let mut value = entry.value.clone();
    localize(&option, &mut value, &file.folder).map_err(with_place)?;
    let words = words_of(&option, &value).map_err(with_place)?;
    let line = ["rlmesh-sandbox", verb, "CartPole-v1"].map(str::to_owned).into_iter().chain(words);
    if let Err(error) = cli::parse(line) {
        let has_hint = error.source().is_some_and(|source| source.is::<InvalidValue>());
        let error = usage_error(&error, &[]);
        let hint = error.hints().into_iter().next().filter(|_| has_hint);
        let hint = hint.unwrap_or_else(|| format!("`rlmesh-sandbox {verb} --help` describes --{key}"));
        return Err(wrong(&error.to_string(), &hint));
    }
    Ok(Entry { value, ..entry.clone() })
}

/// Why a project file cannot set an option. What isolates an environment is for its user to decide; a file can ask
/// for what an environment needs to work.
fn why_refused(option: &Arg) -> Option<&'static str> {
    let key = option.get_long().unwrap_or_default();
    let refused = REFUSED.iter().find(|(keys, _)| keys.contains(&key)).map(|(_, reason)| *reason);
    let isolates = option.get_help_heading() == Some("Isolation options")
        && !["cpus", "gpus", "memory", "tmpfs"].contains(&key);
    refused.or(isolates
        .then_some("it decides what an environment may do on this machine: pass it on the command line"))
}

/// The hint for a key that does not exist.
fn near_key(key: &str, is_named: bool) -> String {
    let option = format!("--{}", key.replace('_', "-"));
    let near = VERBS.iter().find_map(|verb| {
        let error = cli::parse(["rlmesh-sandbox", *verb, "CartPole-v1", &option]).err()?;
        let name = match error.get(ContextKind::SuggestedArg).or(error.get(ContextKind::InvalidArg))? {
            ContextValue::String(name) => name.split([' ', '=']).next()?.trim_start_matches("--").to_owned(),
            _ => return None,
        };
        option_of(verb, &name).filter(|option| why_refused(option).is_none()).map(|_| name)
    });
    match near {
        Some(name) => format!("did you mean {name}?"),
        None if !is_named => {
            format!("the keys are the long options of `rlmesh-sandbox run`, and {ENVIRONMENTS}")
        }
        None => format!("the keys are {SOURCE}, and the long options of `rlmesh-sandbox run`"),
    }
}

/// The words for an option and its value.
pub(super) fn words_of(option: &Arg, value: &Value) -> Result<Vec<String>, InvalidValue> {
    let key = option.get_long().unwrap_or_default();
    let takes = |what: &str, example: &str| {
        InvalidValue::new(format!("it has to be {what}"), format!("write {key} = {example}"))
    };
    Ok(match (shape_of(option), value) {
        (Shape::Flag, Value::Bool(true)) => vec![format!("--{key}")],
        (Shape::Flag, Value::Bool(false)) => Vec::new(),
        (Shape::Flag, _) => return Err(takes("true or false", "true")),
        (Shape::Object, Value::Object(entries)) => {
            vec![format!("--{key}={}", Value::Object(entries.clone()))]
        }
        (Shape::Object, _) => return Err(takes("a table", "{ NAME = VALUE }")),
        (Shape::Pairs, Value::Object(entries)) => {
            pairs(key, entries).ok_or_else(|| takes("a table of texts", "{ NAME = \"VALUE\" }"))?
        }
        (Shape::Pairs, _) => return Err(takes("a table", "{ NAME = \"VALUE\" }")),
        (Shape::List, Value::Array(items)) => {
            let texts: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
            let texts = texts.ok_or_else(|| takes("a list of texts", "[\"…\"]"))?;
            texts.into_iter().map(|text| format!("--{key}={text}")).collect()
        }
        (Shape::List, _) => return Err(takes("a list", "[\"…\"]")),
        (Shape::Single, value) => {
            let text = scalar(value).ok_or_else(|| takes("a text or a number", "\"…\""))?;
            vec![format!("--{key}={text}")]
        }
    })
}

fn pairs(key: &str, entries: &Map<String, Value>) -> Option<Vec<String>> {
    entries.iter().map(|(name, value)| Some(format!("--{key}={name}={}", scalar(value)?))).collect()
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// What an option's value looks like in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// true or false
    Flag,
    /// a text or a number
    Single,
    /// a list of texts
    List,
    /// a table of texts and numbers: NAME=VALUE on the command line
    Pairs,
    /// a table of anything: JSON on the command line
    Object,
}

fn shape_of(option: &Arg) -> Shape {
    let names = |test: fn(&str) -> bool| {
        option.get_value_names().is_some_and(|names| names.iter().any(|name| test(name)))
    };
    match option.get_action() {
        ArgAction::SetTrue => Shape::Flag,
        ArgAction::Append if names(|name| name.contains('=')) => Shape::Pairs,
        ArgAction::Append => Shape::List,
        _ if names(|name| name.starts_with("JSON")) => Shape::Object,
        _ => Shape::Single,
    }
}

/// Makes the paths in a value usable from the current folder.
fn localize(option: &Arg, value: &mut Value, folder: &Path) -> Result<(), InvalidValue> {
    let is_path =
        matches!(option.get_value_hint(), ValueHint::FilePath | ValueHint::DirPath | ValueHint::AnyPath);
    let is_requirement = matches!(option.get_long(), Some("package" | "rlmesh-package"));
    let texts: Vec<&mut Value> = match value {
        Value::Array(items) => items.iter_mut().collect(),
        value => vec![value],
    };
    for value in texts {
        let Value::String(text) = value else { continue };
        if is_path {
            *text = path_from(text, folder)?;
        } else if is_requirement && let Some(local) = LocalRequirement::parse(text) {
            let path = path_from(&local.path, folder)?;
            let marker = if local.marker.is_empty() { String::new() } else { format!(" ; {}", local.marker) };
            *text = match local.name {
                Some(name) => format!("{name} @ file:{path}{marker}"),
                None => format!("{path}{}{marker}", local.extras),
            };
        }
    }
    Ok(())
}

/// The source of a file, as it has to be written in the current folder.
fn source_from(text: &str, folder: &Path) -> Result<String, InvalidValue> {
    match text.parse() {
        Ok(EnvironmentSourceRef::Folder(source)) => path_from(&source.path, folder),
        Ok(_) => Ok(text.to_owned()),
        Err(error) => {
            Err(InvalidValue::new(error.to_string(), error.hints().last().map_or("", String::as_str)))
        }
    }
}

/// A path of a file, as it has to be written in the current folder.
///
/// # Errors
/// For a path that is not below the file's folder: a file of other people must not copy anything else into an image.
fn path_from(text: &str, folder: &Path) -> Result<String, InvalidValue> {
    let outside = || {
        InvalidValue::new(
            format!("{text} is not below the folder of the project file"),
            "use a relative path to something below it, or move the project file up",
        )
    };
    let path = Path::new(text);
    let mut depth = 0_i32;
    for part in path.components() {
        match part {
            Component::Normal(_) => depth += 1,
            Component::ParentDir => depth -= 1,
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return Err(outside()),
        }
        if depth < 0 {
            return Err(outside());
        }
    }
    let base = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let base = base.canonicalize().map_err(|_| outside())?;
    // Links may lead elsewhere. What does not exist yet is below the nearest folder that does.
    let real = base.join(path).ancestors().find_map(|path| path.canonicalize().ok());
    if text.starts_with('~') || !real.is_some_and(|real| real.starts_with(&base)) {
        return Err(outside());
    }
    if folder.as_os_str().is_empty() {
        return Ok(text.to_owned());
    }
    let path = base.join(path.strip_prefix(".").unwrap_or(path));
    path.to_str().map(str::to_owned).ok_or_else(outside)
}

#[cfg(test)]
mod tests;
