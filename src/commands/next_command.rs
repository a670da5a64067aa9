//! The whole command to type next: the user's own command line with changes applied.

use std::ffi::OsString;

use clap::ArgAction;

use crate::cli::{self, Command};
use crate::error::{Change, shell_word};
use crate::source::EnvironmentSourceRef;

/// The command line with the changes, quoted for a shell, on one line. `None` if a change does not apply to it, or
/// if it is not valid UTF-8.
///
/// The values of `-e` are not repeated, because they may be secrets.
pub(super) fn next_command(arguments: &[OsString], changes: &[Change]) -> Option<String> {
    Some(line(&changed(words(arguments)?, changes)?))
}

/// The words after the program's name, without the values of `-e`. `None` if they are not valid UTF-8.
pub(super) fn words(arguments: &[OsString]) -> Option<Vec<String>> {
    let words: Option<Vec<&str>> = arguments.iter().skip(1).map(|word| word.to_str()).collect();
    let mut words: Vec<String> = words?.into_iter().map(str::to_owned).collect();
    let end = end_of_options(&words);
    hide_values(&mut words[..end]);
    Some(words)
}

/// The words with the changes; `None` if a change does not apply to them.
pub(super) fn changed(mut words: Vec<String>, changes: &[Change]) -> Option<Vec<String>> {
    let users_command = words.split_off(end_of_options(&words));
    for change in changes {
        match change {
            Change::Source(source) => replace_source(&mut words, source)?,
            Change::Add(option, value) => add(&mut words, option, value),
            Change::Flag(option) => words.push((*option).to_owned()),
            Change::Replace { old, new, .. } => replace_value(&mut words, old, new)?,
        }
    }
    words.extend(users_command);
    Some(words)
}

/// The words as a command line, quoted for a shell.
pub(super) fn line(words: &[String]) -> String {
    format!("rlmesh-sandbox {}", quoted(words))
}

/// The words, quoted for a shell.
pub(super) fn quoted(words: &[String]) -> String {
    words.iter().map(|word| shell_word(word)).collect::<Vec<_>>().join(" ")
}

/// Where the user's own command starts, with its `--`.
pub(super) fn end_of_options(words: &[impl PartialEq<str>]) -> usize {
    words.iter().position(|word| *word == *"--").unwrap_or(words.len())
}

/// Whether `run` takes an option only once.
fn is_single(option: &str) -> bool {
    let program = cli::command();
    let arguments = program.find_subcommand("run").into_iter().flat_map(clap::Command::get_arguments);
    arguments
        .filter(|argument| argument.get_long() == option.strip_prefix("--") && argument.get_long().is_some())
        .any(|argument| matches!(argument.get_action(), ArgAction::Set))
}

/// Adds an option, unless the words have it. An option that can be given once is replaced.
fn add(words: &mut Vec<String>, option: &str, value: &str) {
    let start = format!("{option}=");
    let has =
        words.windows(2).any(|pair| pair == [option, value]) || words.contains(&format!("{start}{value}"));
    if has {
        return;
    }
    if is_single(option) {
        let at = words.iter().position(|word| word == option);
        if let Some(given) = at.and_then(|at| words.get_mut(at + 1)) {
            value.clone_into(given);
            return;
        }
        if let Some(word) = words.iter_mut().find(|word| word.starts_with(&start)) {
            *word = start + value;
            return;
        }
    }
    words.extend([option.to_owned(), value.to_owned()]);
}

fn is_short(option: &str) -> bool {
    option.len() == 2 && option.starts_with('-')
}

/// Replaces the value of an option: of those that are equal, the one that makes the command line valid.
fn replace_value(words: &mut [String], old: &str, new: &str) -> Option<()> {
    let is_option = |before: &str| {
        let option = before.strip_suffix('=').unwrap_or(before);
        before.is_empty() || is_short(option) || option.starts_with("--") && option.len() < before.len()
    };
    let with_new = |word: &str| {
        let before = word.strip_suffix(old).filter(|before| is_option(before))?;
        Some(format!("{before}{new}"))
    };
    let all: Vec<usize> = (0..words.len()).filter(|at| with_new(&words[*at]).is_some()).collect();
    let is_valid = |at: &usize| {
        let changed = words.iter().enumerate().map(|(other, word)| match with_new(word) {
            Some(changed) if other == *at => changed,
            _ => word.clone(),
        });
        cli::parse(std::iter::once("rlmesh-sandbox".to_owned()).chain(changed)).is_ok()
    };
    let at = *all.iter().find(|at| is_valid(at)).or(all.first())?;
    words[at] = with_new(&words[at])?;
    Some(())
}

/// Replaces the word that the parser takes as the source.
fn replace_source(words: &mut [String], source: &str) -> Option<()> {
    let wanted: EnvironmentSourceRef = source.parse().ok()?;
    (0..words.len()).find_map(|at| {
        let old = std::mem::replace(&mut words[at], source.to_owned());
        let parsed = cli::parse(std::iter::once("rlmesh-sandbox").chain(words.iter().map(String::as_str)));
        if parsed.is_ok_and(|cli| source_of(&cli.command) == Some(&wanted)) {
            return Some(());
        }
        words[at] = old;
        None
    })
}

fn source_of(command: &Command) -> Option<&EnvironmentSourceRef> {
    match command {
        Command::Build(args) => Some(&args.sandbox.source),
        Command::Run(args) => Some(&args.sandbox.source),
        Command::Check(args) => Some(&args.sandbox.source),
        Command::Hash(args) => Some(&args.sandbox.source),
        Command::Manifest(args) => Some(&args.sandbox.source),
        Command::Ls(args) => Some(&args.source),
        _ => None,
    }
}

/// Replaces the values of container variables by an ellipsis.
fn hide_values(words: &mut [String]) {
    let mut is_value = false;
    for word in words {
        let at = match word.as_str() {
            _ if is_value => Some(0),
            text if text.starts_with("--env=") => Some("--env=".len()),
            text if text.starts_with("-e") && !text.starts_with("--") => Some("-e".len()),
            _ => None,
        };
        is_value = matches!(word.as_str(), "-e" | "--env") && !is_value;
        if let Some(at) = at
            && let Some((name, _)) = word[at..].split_once('=')
        {
            let end = at + name.len();
            word.replace_range(end.., "=…");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(line: &str, changes: &[Change]) -> Option<String> {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        next_command(&words, changes)
    }

    #[test]
    fn changes_apply_to_the_users_own_command() {
        let apt = Change::Add("--apt", "libgl1".to_owned());
        assert_eq!(
            next("x run PushT-v0 -q -- pytest -x", std::slice::from_ref(&apt)).unwrap(),
            "rlmesh-sandbox run PushT-v0 -q --apt libgl1 -- pytest -x"
        );
        let source = Change::Source("CartPole-v1".to_owned());
        assert_eq!(
            next("x run -p CartPol-v1 CartPol-v1", std::slice::from_ref(&source)).unwrap(),
            "rlmesh-sandbox run -p CartPol-v1 CartPole-v1"
        );
        let human = |new: &str| Change::Replace {
            option: "-k",
            old: "render_mode=human".to_owned(),
            new: new.to_owned(),
        };
        for (line, with) in [
            ("x run A -k render_mode=human", "rlmesh-sandbox run A -k render_mode=rgb_array"),
            ("x run A -krender_mode=human", "rlmesh-sandbox run A -krender_mode=rgb_array"),
            ("x run A --kwarg=render_mode=human", "rlmesh-sandbox run A --kwarg=render_mode=rgb_array"),
        ] {
            assert_eq!(next(line, &[human("render_mode=rgb_array")]).unwrap(), with);
        }
        let python = Change::Add("--base-image", "python:3.10-slim".to_owned());
        for line in ["x run A --base-image x:1 --apt libgl1", "x run A --base-image=x:1 --apt=libgl1"] {
            let expected = line.replace("x:1", "python:3.10-slim").replacen('x', "rlmesh-sandbox", 1);
            assert_eq!(next(line, &[python.clone(), apt.clone()]).unwrap(), expected);
        }
        assert_eq!(next("x run A", &[python]).unwrap(), "rlmesh-sandbox run A --base-image python:3.10-slim");
        let memory = Change::Add("--memory", "2m".to_owned());
        assert_eq!(next("x run --memory 1m A", &[memory]).unwrap(), "rlmesh-sandbox run --memory 2m A");
        let tmpfs = Change::Add("--tmpfs", "/b".to_owned());
        assert_eq!(
            next("x run A --tmpfs /a", &[tmpfs]).unwrap(),
            "rlmesh-sandbox run A --tmpfs /a --tmpfs /b"
        );
        assert_eq!(next("x run A --kwargs @file", &[human("x")]), None);
        let module = Change::Replace { option: "-i", old: "ale-py".to_owned(), new: "ale_py".to_owned() };
        assert_eq!(
            next("x run A -p=ale-py -p ale-py --import=ale-py", &[module]).unwrap(),
            "rlmesh-sandbox run A -p=ale-py -p ale-py --import=ale_py"
        );
        assert_eq!(next("x ps", &[source]), None);
    }

    #[test]
    fn words_are_quoted_and_values_of_variables_hidden() {
        let package = Change::Add("-p", "numpy<2; $(x)".to_owned());
        let variable = Change::Add("-e", "MUJOCO_GL=egl".to_owned());
        assert_eq!(
            next("x run A -e TOKEN=abc -eX=1 --env=Y=2 -e Z", &[package, variable]).unwrap(),
            "rlmesh-sandbox run A -e 'TOKEN=…' '-eX=…' '--env=Y=…' -e Z -p 'numpy<2; $(x)' -e MUJOCO_GL=egl"
        );
    }
}
