//! The correction of an option that a command does not have.

use clap::Arg;

use super::Step;
use super::line::{Line, first_word, option};
use super::words::nearest;
use crate::commands::other_tools::{Foreign, Instead, OPTIONS, has};
use crate::source::known_ids::all_of;

impl Line {
    pub(super) fn unknown_option(&self, name: &str) -> Option<Step> {
        let ours = &self.words[..self.end];
        let at = ours
            .iter()
            .position(|word| *word == name || word.starts_with(&format!("{name}=")))
            .or_else(|| {
                // A letter in `-dt`.
                let letter = name.strip_prefix('-').filter(|letter| letter.chars().count() == 1)?;
                ours.iter().position(|word| {
                    word.starts_with('-') && !word.starts_with("--") && word.contains(letter)
                })
            })?;
        if self.verb.is_none() && first_word(&self.program, ours).is_some() {
            // `-d CartPole-v1`
            let words = [&["run".to_owned()], self.words.as_slice()].concat();
            return Some(Step::new("put the command first, such as `run`", words));
        }
        let dashed = name.replace('_', "-");
        let whole = self.words[at] == name || name.starts_with("--");
        let foreign = OPTIONS.iter().find_map(|foreign| {
            let known = has(foreign.names, name) || has(foreign.names, &dashed);
            known.then(|| self.applies(foreign)).flatten()
        });
        // The same letter has other meanings elsewhere; a long name does not.
        let is_clear = |foreign: &&Foreign| foreign.instead != Instead::Nothing || !name.starts_with("--");
        if let Some(foreign) = foreign.filter(is_clear) {
            return self.translated(at, name, whole, foreign);
        }
        if matches!(name, "--version" | "-V") {
            return Some(Step::new("the version is an option of the program", vec!["--version".to_owned()]));
        }
        let long = |near: &str| {
            let given = self.words[at].as_str();
            let new = given.strip_prefix(name).map_or(near.to_owned(), |rest| format!("{near}{rest}"));
            Step::new(format!("did you mean {near}?"), self.replaced(at, &[&new]))
        };
        if dashed != name && self.option(&dashed).is_some() {
            return Some(long(&dashed));
        }
        if name == "--dry-run" {
            // Without it, the command would do what the user only wanted to see.
            return None;
        }
        if let Some((owners, takes_value)) = self.owners(name) {
            let range = at..self.after(at, takes_value && !self.words[at].contains('='));
            return Some(Step::new(format!("{owners} {name}"), self.replaced_range(range, &[])));
        }
        if let Some(foreign) = foreign {
            return self.translated(at, name, whole, foreign);
        }
        let known: Vec<String> = self
            .command()
            .get_arguments()
            .filter_map(Arg::get_long)
            .map(|long| format!("--{long}"))
            .collect();
        nearest(&dashed, known.iter().map(String::as_str)).map(long)
    }

    /// Which other commands have an option, and whether it takes a value.
    fn owners(&self, name: &str) -> Option<(String, bool)> {
        let verbs = self.program.get_subcommands().filter(|verb| !verb.is_hide_set());
        let owners: Vec<&clap::Command> = verbs.filter(|verb| option(verb, name).is_some()).collect();
        let takes_value = option(owners.first()?, name)?.get_action().takes_values();
        let names: Vec<String> = owners.iter().map(|verb| format!("`{}`", verb.get_name())).collect();
        let have = if names.len() == 1 { "has" } else { "have" };
        Some((format!("only {} {have}", all_of(&names)), takes_value))
    }

    /// The row, if this command has what it stands for.
    pub(super) fn applies<'a>(&self, foreign: &'a Foreign) -> Option<&'a Foreign> {
        if !foreign.verbs.is_empty() && !self.verb_name().is_some_and(|verb| has(foreign.verbs, verb)) {
            return None;
        }
        let exists = match foreign.instead {
            Instead::Words(words) => {
                let mut words = words.split(' ');
                let option = self.option(words.next().unwrap_or_default())?;
                option.get_action().takes_values() == (foreign.takes_value || words.next().is_some())
            }
            Instead::Kwarg(_) => self.option("--kwarg").is_some(),
            Instead::PythonImage | Instead::Value => self.option("--base-image").is_some(),
            Instead::Nothing => !foreign.names.split(' ').all(|name| self.option(name).is_some()),
        };
        exists.then_some(foreign)
    }

    /// An option of another tool, in this program's words.
    fn translated(&self, at: usize, name: &str, is_whole: bool, foreign: &Foreign) -> Option<Step> {
        if !is_whole && !foreign.takes_value {
            // `-dt`: the other letters stay.
            let rest = self.words[at].replacen(&name[1..], "", 1);
            let instead: &[&str] = if rest == "-" { &[] } else { &[&rest] };
            return Some(Step::new(foreign.why, self.replaced(at, instead)));
        }
        let attached = self.words[at].split_once('=').map(|(_, value)| value.to_owned());
        let separate = foreign.takes_value && attached.is_none();
        let after = self.after(at, separate);
        let value =
            attached.or_else(|| separate.then(|| self.words[at + 1..after].first().cloned()).flatten());
        let (what, new) = match (foreign.instead, value) {
            (Instead::Nothing, _) => (format!("leave {name} out"), Vec::new()),
            (Instead::Words(words), value) => {
                let value = value.filter(|_| foreign.takes_value);
                (format!("use {words}"), words.split(' ').map(str::to_owned).chain(value).collect())
            }
            (Instead::Kwarg(key), Some(value)) => (
                "it is an argument of the environment".to_owned(),
                vec!["-k".to_owned(), format!("{key}={value}")],
            ),
            (Instead::Value, Some(value)) => (String::new(), vec![value]),
            (Instead::PythonImage, Some(value)) => {
                (String::new(), vec!["--base-image".to_owned(), format!("python:{value}-slim")])
            }
            (_, None) => return None,
        };
        let why = if foreign.why.is_empty() { what } else { foreign.why.to_owned() };
        let new: Vec<&str> = new.iter().map(String::as_str).collect();
        Some(Step::new(why, self.replaced_range(at..after, &new)))
    }

    /// The end of an option and its value.
    pub(super) fn after(&self, at: usize, has_value: bool) -> usize {
        let value = self.words[..self.end].get(at + 1).filter(|word| has_value && !word.starts_with('-'));
        at + 1 + usize::from(value.is_some())
    }
}
