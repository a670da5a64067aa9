//! Shell completion: what may follow on an unfinished command line. The scripts in `completions/` call it.
//!
//! The scripts run `rlmesh-sandbox __complete INDEX WORD…`, where the words start with the program's name and
//! INDEX is the number of the word to complete. The answer is one candidate on each line, with a tab and a
//! description, which may be empty. A candidate that ends in `/`, `:`, `=` or `@` is unfinished: no space follows
//! it. An empty candidate with the description `command INDEX` says that the words from INDEX on are a command of
//! the user's. Installed scripts may be older than the program, so this must not change.

mod paths;
mod values;

use std::ffi::OsString;

use clap::{Arg, ArgAction, Command};

use crate::cli;
use crate::output::text;
use crate::settings::variables::Variables;

/// The first argument that asks for completions.
pub(super) const VERB: &str = "__complete";

/// The longest description, in characters.
const LONGEST_DESCRIPTION: usize = 100;

/// The answer for the arguments after [`VERB`]. It is empty if nothing can be known: there are no errors.
pub(super) fn answer(arguments: &[OsString], variables: &Variables) -> String {
    let mut words: Vec<String> =
        arguments.iter().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let index = arguments.first().and_then(|index| index.to_str()?.parse::<usize>().ok());
    let Some(index) = index.filter(|index| *index > 0 && *index <= words.len()) else { return String::new() };
    words.truncate(index + 1);
    // Some shells do not pass an empty word.
    let word = if words.len() > index { words.pop().unwrap_or_default() } else { String::new() };
    let mut command = cli::command();
    command.build();
    let line = Line::read(&command, &words);
    if let Some(start) = line.command_from {
        return format!("\tcommand {start}\n");
    }
    let candidates = line.candidates(&word, variables);
    candidates.iter().filter_map(Candidate::printed).collect()
}

/// What may stand where the cursor is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Candidate {
    value: String,
    description: String,
}

impl Candidate {
    fn new(value: impl Into<String>, description: impl Into<String>) -> Self {
        Self { value: value.into(), description: description.into() }
    }

    /// Its line; `None` if the value cannot be typed.
    fn printed(&self) -> Option<String> {
        if self.value.is_empty() || text::line(&self.value) != self.value {
            return None;
        }
        // Descriptions contain text of labels.
        let description = self.description.split_whitespace().collect::<Vec<_>>().join(" ");
        let description: String = text::line(&description).chars().take(LONGEST_DESCRIPTION).collect();
        Some(format!("{}\t{description}\n", self.value))
    }
}

/// The words before the one that is completed.
struct Line<'a> {
    /// The command that they name: the program itself, or a verb.
    command: &'a Command,
    /// The arguments that are there, with their values.
    given: Vec<(&'a Arg, String)>,
    /// The option whose value comes next.
    pending: Option<&'a Arg>,
    /// The index of the first word of the user's own command, after `--`.
    command_from: Option<usize>,
    /// Whether a word stands where only verbs may stand, but is none.
    has_unknown_verb: bool,
}

impl<'a> Line<'a> {
    fn read(program: &'a Command, words: &[String]) -> Self {
        let mut line = Self {
            command: program,
            given: Vec::new(),
            pending: None,
            command_from: None,
            has_unknown_verb: false,
        };
        for (index, word) in words.iter().enumerate().skip(1) {
            if let Some(option) = line.pending.take() {
                line.given.push((option, word.clone()));
            } else if word == "--" {
                line.command_from = Some(index + 1);
                return line;
            } else if let Some(option) = word.strip_prefix("--") {
                line.long(option);
            } else if let Some(options) = word.strip_prefix('-').filter(|options| !options.is_empty()) {
                line.short(options);
            } else if let Some(verb) = line.command.find_subcommand(word) {
                line.command = verb;
            } else if line.command.has_subcommands() {
                line.has_unknown_verb = true;
            } else if let Some(positional) = line.positional() {
                line.given.push((positional, word.clone()));
            }
        }
        line
    }

    fn long(&mut self, text: &str) {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        let Some(option) = self.option(name) else { return };
        match value {
            None if option.get_action().takes_values() => self.pending = Some(option),
            _ => self.given.push((option, value.unwrap_or_default().to_owned())),
        }
    }

    fn short(&mut self, text: &str) {
        for (at, letter) in text.char_indices() {
            let mut options = self.command.get_arguments();
            let Some(option) = options.find(|option| option.get_short() == Some(letter)) else { return };
            let value = text[at + letter.len_utf8()..].trim_start_matches('=');
            if !option.get_action().takes_values() {
                self.given.push((option, String::new()));
            } else if value.is_empty() {
                return self.pending = Some(option);
            } else {
                return self.given.push((option, value.to_owned()));
            }
        }
    }

    fn option(&self, name: &str) -> Option<&'a Arg> {
        let is_named = |option: &&Arg| {
            option.get_long() == Some(name)
                || option.get_all_aliases().is_some_and(|aliases| aliases.contains(&name))
        };
        self.command.get_arguments().find(is_named)
    }

    /// The positional argument that the next word belongs to.
    fn positional(&self) -> Option<&'a Arg> {
        let mut positionals = self.command.get_positionals().filter(|positional| !positional.is_last_set());
        positionals.find(|positional| is_repeatable(positional) || !self.is_given(positional))
    }

    fn is_given(&self, argument: &Arg) -> bool {
        self.given.iter().any(|(given, _)| given.get_id() == argument.get_id())
    }

    fn values_of(&self, id: &str) -> impl Iterator<Item = &str> {
        self.given.iter().filter(move |(given, _)| given.get_id() == id).map(|(_, value)| value.as_str())
    }

    fn candidates(&self, word: &str, variables: &Variables) -> Vec<Candidate> {
        if self.has_unknown_verb {
            return Vec::new();
        }
        if let Some(option) = self.pending {
            return fitting(values::of(option, word, self, variables), word);
        }
        if let Some((name, value)) = word.strip_prefix("--").and_then(|option| option.split_once('=')) {
            let Some(option) = self.option(name) else { return Vec::new() };
            let candidates = fitting(values::of(option, value, self, variables), value);
            return prefixed(&format!("--{name}="), candidates);
        }
        let candidates = if word.starts_with('-') {
            self.options()
        } else if self.command.has_subcommands() {
            self.verbs()
        } else {
            match self.positional() {
                Some(positional) => values::of(positional, word, self, variables),
                None => self.options(),
            }
        };
        fitting(candidates, word)
    }

    fn verbs(&self) -> Vec<Candidate> {
        let verbs = self.command.get_subcommands().filter(|verb| !verb.is_hide_set());
        verbs.map(|verb| Candidate::new(verb.get_name(), first_line(verb.get_about()))).collect()
    }

    /// The options that may still be added.
    fn options(&self) -> Vec<Candidate> {
        let options = self.command.get_arguments().filter(|option| {
            !option.is_hide_set()
                && !option.is_positional()
                && (is_repeatable(option) || !self.is_given(option))
        });
        let mut candidates: Vec<Candidate> = options
            .filter_map(|option| {
                let name = match (option.get_long(), option.get_short()) {
                    (Some(long), _) => format!("--{long}"),
                    (None, Some(short)) => format!("-{short}"),
                    (None, None) => return None,
                };
                Some(Candidate::new(name, first_line(option.get_help())))
            })
            .collect();
        if let Some(last) = self.command.get_positionals().find(|positional| positional.is_last_set())
            && self.positional().is_none()
        {
            candidates.push(Candidate::new("--", first_line(last.get_help())));
        }
        candidates
    }
}

fn is_repeatable(argument: &Arg) -> bool {
    matches!(argument.get_action(), ArgAction::Append | ArgAction::Count)
}

/// The first line of a help text, without what follows in brackets and parentheses.
fn first_line(help: Option<&clap::builder::StyledStr>) -> String {
    let help = help.map(ToString::to_string).unwrap_or_default();
    let paragraph =
        help.split("\n\n").next().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    let end = [" [", " (can be repeated)", "; "].iter().filter_map(|start| paragraph.find(start)).min();
    paragraph[..end.unwrap_or(paragraph.len())].to_owned()
}

/// The candidates with the start of the word that they belong to.
fn prefixed(start: &str, mut candidates: Vec<Candidate>) -> Vec<Candidate> {
    candidates.iter_mut().for_each(|candidate| candidate.value.insert_str(0, start));
    candidates
}

/// The candidates that continue the word; if there are none, those that do so in another case.
fn fitting(candidates: Vec<Candidate>, word: &str) -> Vec<Candidate> {
    let folded = word.to_lowercase();
    let (exact, others): (Vec<_>, Vec<_>) =
        candidates.into_iter().partition(|candidate| candidate.value.starts_with(word));
    if exact.is_empty() {
        others.into_iter().filter(|other| other.value.to_lowercase().starts_with(&folded)).collect()
    } else {
        exact
    }
}

#[cfg(test)]
mod tests;
