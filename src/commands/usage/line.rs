//! A command line in words, and the correction of one mistake in it.

use std::error::Error as _;

use clap::error::{ContextKind, ErrorKind};
use clap::{Arg, ArgAction};

use super::words::{is_env_id, is_source, nearest};
use super::{Step, argument, own_problem, parsed, plain, text, values};
use crate::cli;
use crate::commands::next_command::{changed, end_of_options};
use crate::commands::other_tools::{OPTIONS, has};
use crate::error::{Change, InvalidValue, Problem};

/// A command line in words, without the program's name.
pub(super) struct Line {
    pub(super) words: Vec<String>,
    /// Where the user's own command starts, with its `--`.
    pub(super) end: usize,
    /// The command, by its position.
    pub(super) verb: Option<usize>,
    pub(super) program: clap::Command,
}

impl Line {
    pub(super) fn new(words: Vec<String>) -> Self {
        let mut program = cli::command();
        program.build();
        let end = end_of_options(&words);
        let first = first_word(&program, &words[..end]);
        let verb = first.filter(|at| program.find_subcommand(&words[*at]).is_some());
        Self { words, end, verb, program }
    }

    pub(super) fn verb_name(&self) -> Option<&str> {
        Some(&self.words[self.verb?])
    }

    pub(super) fn name(&self) -> String {
        self.verb_name().map_or_else(|| "rlmesh-sandbox".to_owned(), |verb| format!("`{verb}`"))
    }

    pub(super) fn has_verb(&self, names: &[&str]) -> bool {
        self.verb_name().is_some_and(|verb| names.contains(&verb))
    }

    /// The command as clap knows it: the whole program if there is none.
    pub(super) fn command(&self) -> &clap::Command {
        self.verb_name().and_then(|verb| self.program.find_subcommand(verb)).unwrap_or(&self.program)
    }

    /// An option of the command, by how it is written: `--apt` or `-p`.
    pub(super) fn option(&self, name: &str) -> Option<&Arg> {
        option(self.command(), name)
    }

    pub(super) fn replaced(&self, at: usize, with: &[&str]) -> Vec<String> {
        self.replaced_range(at..at + 1, with)
    }

    pub(super) fn replaced_range(&self, range: std::ops::Range<usize>, with: &[&str]) -> Vec<String> {
        let mut words = self.words.clone();
        words.splice(range, with.iter().map(|word| (*word).to_owned()));
        words
    }

    /// The correction of the mistake that clap found.
    pub(super) fn correction(&self, error: &clap::Error) -> Option<Step> {
        if let Some(step) = self.misread() {
            return Some(step);
        }
        if let Some(problem) = own_problem(error) {
            let by_place = self.value_of_another_kind(error);
            return by_place.or_else(|| self.with_changes(error, &problem));
        }
        match error.kind() {
            ErrorKind::InvalidSubcommand => {
                let word = text(error, ContextKind::InvalidSubcommand)?;
                self.unknown_verb(self.words.iter().position(|other| *other == word)?)
            }
            ErrorKind::UnknownArgument => {
                let name = text(error, ContextKind::InvalidArg)?;
                if name.starts_with('-') { self.unknown_option(&name) } else { self.extra_word(&name) }
            }
            ErrorKind::InvalidValue => {
                let (old, values) = (text(error, ContextKind::InvalidValue)?, values(error));
                let new = nearest(&old, values.iter().map(String::as_str))?.to_owned();
                let change = Change::Replace { option: "", old, new: new.clone() };
                Some(Step::new(format!("did you mean {new}?"), changed(self.words.clone(), &[change])?))
            }
            ErrorKind::TooManyValues => {
                let name = argument(error);
                let at = self.words.iter().position(|word| word.starts_with(&format!("{name}=")))?;
                Some(Step::new(format!("give {name} alone"), self.replaced(at, &[&name])))
            }
            ErrorKind::ArgumentConflict => self.conflict(error),
            ErrorKind::MissingRequiredArgument => self.missing(error),
            _ => None,
        }
    }

    /// What the parser of the value suggests.
    fn with_changes(&self, error: &clap::Error, problem: &Problem) -> Option<Step> {
        let changes: Vec<Change> = match error.source()?.downcast_ref::<InvalidValue>() {
            Some(invalid) => invalid.changes.clone(),
            None => problem.suggested().to_vec(),
        };
        let words = changed(self.words.clone(), &changes).filter(|words| *words != self.words)?;
        let why = problem.first_hint().to_owned();
        Some(Step::new(why, words))
    }

    /// Words that clap takes for something else than what was meant.
    pub(super) fn misread(&self) -> Option<Step> {
        let ours = &self.words[..self.end];
        for (at, word) in ours.iter().enumerate() {
            let dashed = word.trim_start_matches(['–', '—', '−']);
            if dashed.len() < word.len() {
                let dashes = if dashed.chars().count() == 1 { "-" } else { "--" };
                let new = format!("{dashes}{dashed}");
                let message = format!("{word} does not start with a plain dash");
                let step = Step::new(format!("type {new} with the minus key"), self.replaced(at, &[&new]));
                return Some(step.message(message));
            }
            if matches!(word.as_str(), "-it" | "-ti" | "-itd" | "-dit") && self.option("--import").is_some() {
                let instead: &[&str] = if word.contains('d') { &["-d"] } else { &[] };
                let step = Step::new("a sandbox has no terminal: leave it out", self.replaced(at, instead));
                return Some(step.message(format!("{word} is an option of docker")));
            }
            let name = word.split('=').next().unwrap_or_default();
            if name.len() > 3 && !name.starts_with("--") && name.starts_with('-') {
                let long = format!("-{name}");
                let known = self.option(&long).is_some()
                    || OPTIONS
                        .iter()
                        .any(|foreign| has(foreign.names, &long) && self.applies(foreign).is_some());
                if known {
                    let step = Step::new(
                        "long options start with two dashes",
                        self.replaced(at, &[&format!("-{word}")]),
                    );
                    return Some(step.message(format!("{name} starts with one dash")));
                }
            }
            let value = ours.get(at + 1).map_or("", String::as_str);
            let is_path =
                value.starts_with(['/', '.', '~', '$']) && value.contains(':') && !value.contains("://");
            if word == "-v" && is_path {
                let (why, words) = match self.option("--volume") {
                    Some(_) => ("write --volume", self.replaced(at, &["--volume"])),
                    None => (
                        "files come with the environment: run ./FOLDER",
                        self.replaced_range(at..at + 2, &[]),
                    ),
                };
                let message = "-v means --verbose here, not a volume".to_owned();
                return Some(Step::new(why, words).message(message));
            }
        }
        None
    }

    /// Options that were given as the user's command: `run CartPole-v1 -- -d`.
    pub(super) fn options_after_dashes(&self) -> Option<Step> {
        let command = self.words.get(self.end + 1..)?;
        if !command.first()?.starts_with('-') {
            return None;
        }
        let all =
            (1..=command.len()).filter(|count| command.get(*count).is_none_or(|word| !word.starts_with('-')));
        let moved = all.map(|count| {
            let (options, rest) = command.split_at(count);
            let dashes: &[String] = if rest.is_empty() { &[] } else { &self.words[self.end..=self.end] };
            [&self.words[..self.end], options, dashes, rest].concat()
        });
        let words = moved.into_iter().find(|words| parsed(words).is_ok())?;
        let message = format!("{} is not a command", command[0]);
        let step = Step::new("put options before --, and the command to run after it", words);
        Some(step.message(message))
    }

    /// A value that belongs to another option or to none.
    fn value_of_another_kind(&self, error: &clap::Error) -> Option<Step> {
        let value = text(error, ContextKind::InvalidValue)?;
        let is_port = value.contains(':') && value.chars().all(|c| c.is_ascii_digit() || ".:".contains(c));
        let at = self.words[..self.end].iter().position(|word| *word == value)?;
        let option = at.checked_sub(1).map(|before| self.words[before].as_str()).unwrap_or_default();
        if matches!(option, "-p") && (is_port || value.ends_with("/tcp")) {
            return Some(Step::new(
                "-p means --package here; docker chooses a free port, and the address is printed",
                self.replaced_range(at - 1..at + 1, &[]),
            ));
        }
        // `--env CartPole-v1`
        if matches!(option, "--env" | "-e") && is_env_id(&value) {
            return Some(Step::new(
                "the environment is given without an option",
                self.replaced_range(at - 1..at, &[]),
            ));
        }
        None
    }

    /// A word that is not an option, after all that the command takes.
    fn extra_word(&self, word: &str) -> Option<Step> {
        // `run run CartPole-v1` makes the second `run` the source.
        let at = (0..self.words.len()).find(|at| Some(*at) != self.verb && self.words[*at] == word)?;
        if at > self.end {
            // `check CartPole-v1 -- python x.py`
            let verb = self.verb.filter(|_| self.has_verb(&["check", "build"]))?;
            return Some(Step::new("only `run` runs a command", self.replaced(verb, &["run"])));
        }
        let source =
            (self.verb? + 1..at).rev().find(|before| is_positional(self.command(), &self.words, *before))?;
        if Some(word) == self.verb_name() {
            return Some(Step::new("give one command", self.replaced(at, &[])));
        }
        if self.program.find_subcommand(&self.words[source]).is_some() && is_source(word) {
            return Some(Step::new("give one command", self.replaced(source, &[])));
        }
        let is_pair = word.split_once('=').is_some_and(|(key, _)| {
            !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        });
        if is_pair && self.option("--kwarg").is_some() {
            return Some(Step::new(
                "arguments of the environment follow -k",
                self.replaced(at, &["-k", word]),
            ));
        }
        // `-p numpy scipy CartPole-v1`, `CartPole-v1 -p numpy scipy`
        let is_last = self.words[..self.end].get(at + 1).is_none_or(|next| next.starts_with('-'));
        let second = if is_env_id(&self.words[source]) { at } else { source };
        let list = second.checked_sub(2).map(|at| self.words[at].clone()).filter(|option| {
            matches!(
                option.as_str(),
                "-p" | "--package" | "-i" | "--import" | "--apt" | "--wrap" | "-k" | "--kwarg"
            )
        });
        if let Some(list) = list.filter(|_| second == source || is_last) {
            let given = self.words[second].clone();
            let why = format!("{list} takes one value: repeat it; a command to run follows --");
            return Some(Step::new(why, self.replaced(second, &[&list, &given])));
        }
        if is_env_id(word) {
            let one = "one environment for each command, or -n N for copies of one";
            return Some(Step::new(one, self.replaced(at, &[])));
        }
        if self.end < self.words.len() || !self.has_verb(&["run", "check", "build"]) {
            return None;
        }
        let mut words = self.replaced(at, &["--", word]);
        "run".clone_into(&mut words[self.verb?]);
        let why = if self.has_verb(&["run"]) {
            "put -- before the command to run"
        } else {
            "only `run` runs a command, after --"
        };
        Some(Step::new(why, words))
    }

    fn conflict(&self, error: &clap::Error) -> Option<Step> {
        let (name, other) = (argument(error), plain(&text(error, ContextKind::PriorArg)?));
        let ours = &self.words[..self.end];
        let option = |name: &str| self.option(name);
        let is = |word: &str, name: &str| match option(name) {
            Some(known) => {
                known.get_long().is_some_and(|long| word.split('=').next() == Some(&format!("--{long}")))
                    || known.get_short().is_some_and(|short| word.starts_with(&format!("-{short}")))
            }
            None => false,
        };
        if name == other {
            // `-vv`
            let letter = option(&name)?.get_short();
            let is_repeated = |word: &&String| {
                !word.starts_with("--") && letter.is_some_and(|letter| word.matches(letter).count() > 1)
            };
            if let Some(word) = ours.iter().find(is_repeated) {
                let mut is_first = true;
                let one = |c: &char| Some(*c) != letter || std::mem::take(&mut is_first);
                let once = word.chars().filter(one).collect();
                let change = Change::Replace { option: "", old: word.clone(), new: once };
                return Some(Step::new(format!("give {name} once"), changed(self.words.clone(), &[change])?));
            }
            // The last one counts.
            let first = ours.iter().position(|word| is(word, &name))?;
            let takes_value = option(&name)?.get_action().takes_values();
            let is_apart = takes_value && (ours[first].len() == 2 || ours[first] == name);
            let words = self.replaced_range(first..self.after(first, is_apart), &[]);
            return Some(Step::new(format!("give {name} once"), words));
        }
        let flag =
            [&name, &other].into_iter().find_map(|name| ours.iter().position(|word| is(word, name)))?;
        let why = format!("leave {name} or {other} out");
        let words = self.replaced(flag, &[]);
        Some(Step::new(why, words))
    }

    fn missing(&self, error: &clap::Error) -> Option<Step> {
        let name = argument(error);
        if name.starts_with("--") {
            // An option that another one needs.
            let flag =
                self.option(&name).filter(|option| matches!(option.get_action(), ArgAction::SetTrue))?;
            let words = self.replaced_range(self.end..self.end, &[&format!("--{}", flag.get_long()?)]);
            return Some(Step::new(format!("add {name}"), words));
        }
        // `run -- CartPole-v1`
        if let Some(word) = self.words.get(self.end + 1).filter(|word| is_source(word)) {
            let rest = &self.words[self.end + 2..];
            let dashes: &[String] = if rest.is_empty() { &[] } else { &self.words[self.end..=self.end] };
            let words = [&self.words[..self.end], std::slice::from_ref(word), dashes, rest].concat();
            return Some(Step::new("put the environment before --", words));
        }
        let (why, example) = match name.as_str() {
            "SOURCE" if self.has_verb(&["ls"]) => {
                ("`ls` lists the files of a Hugging Face source, and `ps` lists sandboxes", "hf://org/repo")
            }
            "SOURCE" => {
                ("give an environment: an id such as CartPole-v1, ./FOLDER, or hf://org/repo", "CartPole-v1")
            }
            "SHELL" => ("give the name of your shell: bash, zsh, fish, powershell or elvish", "bash"),
            "SANDBOX" => ("give a sandbox: `rlmesh-sandbox ps` lists them", "ID"),
            _ => return None,
        };
        Some(Step::new(why, self.replaced_range(self.end..self.end, &[example])))
    }
}

/// An option of a command, by how it is written.
pub(super) fn option<'a>(command: &'a clap::Command, name: &str) -> Option<&'a Arg> {
    let name = name.split('=').next().unwrap_or_default();
    command.get_arguments().find(|known| match name.strip_prefix("--") {
        Some(long) => known.get_long() == Some(long),
        None => known.get_short().is_some_and(|short| name == format!("-{short}")),
    })
}

/// The first word that is neither an option nor the value of a global one.
pub(super) fn first_word(program: &clap::Command, words: &[String]) -> Option<usize> {
    (0..words.len()).find(|at| is_positional(program, words, *at))
}

/// Whether a word is neither an option nor the value of the option before it.
fn is_positional(command: &clap::Command, words: &[String], at: usize) -> bool {
    let takes_next = |word: &String| {
        !word.contains('=') && option(command, word).is_some_and(|option| option.get_action().takes_values())
    };
    !words[at].starts_with('-') && !at.checked_sub(1).is_some_and(|before| takes_next(&words[before]))
}
