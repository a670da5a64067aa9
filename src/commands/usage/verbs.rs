//! The correction of a command that does not exist.

use super::Step;
use super::line::Line;
use super::words::{is_source, nearest};
use crate::commands::other_tools::{VERBS, Verb, has};
use crate::error::Change;
use crate::source::known_ids;

impl Line {
    pub(super) fn unknown_verb(&self, at: usize) -> Option<Step> {
        let word = self.words[at].as_str();
        if matches!(word, "rlmesh-sandbox" | "docker" | "$" | "sandbox" | "rlmesh") {
            return Some(Step::new(format!("leave {word} out"), self.replaced(at, &[])));
        }
        let rows = VERBS.iter().filter(|(names, _)| has(names, word)).map(|(_, verb)| verb);
        for verb in rows {
            match verb {
                Verb::Ours(ours) => {
                    let name = ours.split(' ').next().unwrap_or_default();
                    if name.starts_with('-') || self.program.find_subcommand(name).is_some() {
                        let next = self.words.get(at + 1).filter(|word| !word.starts_with('-'));
                        if word.ends_with("start") && next.is_some_and(|word| !is_source(word)) {
                            let why =
                                "a stopped sandbox is not started again: run its environment with `run`";
                            return Some(Step::new(why, self.words.clone()));
                        }
                        let new: Vec<&str> = ours.split(' ').collect();
                        return Some(Step::new(format!("use `{ours}`"), self.replaced(at, &new)));
                    }
                }
                Verb::Dockers(dockers) => {
                    let new: Vec<&str> = match *dockers {
                        "" => vec![word],
                        other => other.split(' ').collect(),
                    };
                    let mut words = self.replaced(at, &new);
                    words.drain(..at);
                    let step =
                        Step::new("use docker itself, with an id that `rlmesh-sandbox ps` lists", words);
                    return Some(Step { is_dockers: true, ..step });
                }
            }
        }
        let verbs = self.program.get_subcommands().filter(|verb| !verb.is_hide_set());
        if let Some(near) = nearest(word, verbs.map(clap::Command::get_name)) {
            return Some(Step::new(format!("did you mean `{near}`?"), self.replaced(at, &[near])));
        }
        self.forgotten_verb(at)
    }

    /// `rlmesh-sandbox CartPole-v1`
    fn forgotten_verb(&self, at: usize) -> Option<Step> {
        if !is_source(&self.words[at]) {
            return None;
        }
        let mut words = self.words.clone();
        if let Some(Change::Source(known)) =
            known_ids::judge(&words[at]).as_ref().and_then(|problem| problem.suggested().first())
        {
            known.clone_into(&mut words[at]);
        }
        // `CartPole-v1 run`
        let names = |word: &String| self.program.find_subcommand(word).is_some();
        let verb = match words.get(at + 1).filter(|word| names(word)) {
            Some(_) => words.remove(at + 1),
            None => "run".to_owned(),
        };
        let why = format!("put the command first, such as `{verb}`");
        words.insert(0, verb);
        Some(Step::new(why, words))
    }
}
