//! Explains why an environment did not start, or why a call of it failed: from its log to a cause, hints and changes
//! of the command line.

mod ends;
mod environments;
mod interfaces;
mod isolation;
mod libraries;
mod log;
mod modules;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use crate::engine::Isolation;
use crate::error::{Change, Problem};
use crate::plan::{Plan, ResolvedSource};
use crate::settings::values::{debian_package, import, wrapper};
use crate::source::{EnvironmentSourceRef, GymSourceRef};
use log::Log;

/// What happened, and what to do about it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Diagnosis {
    /// The failed program's own error message, if there is one.
    pub(crate) cause: Option<String>,
    /// What the user can do. The most likely remedy comes first.
    pub(crate) hints: Vec<String>,
    /// What to change in the command line. Every value is valid for its option.
    pub(crate) changes: Vec<Change>,
    /// The lines of the log that are worth showing.
    pub(crate) telling: String,
}

impl Diagnosis {
    /// The error for the user, with the whole log.
    pub(crate) fn into_problem(self, message: String, log: &str) -> Problem {
        let mut hints = self.hints.into_iter();
        let first = hints.next().unwrap_or_else(|| "read the log".to_owned());
        let problem = hints.fold(Problem::new(message, first), Problem::hint);
        // A single line may only repeat the message.
        let is_said =
            self.cause.as_deref().is_some_and(|cause| cause.starts_with(self.telling.trim_end_matches('…')));
        problem.changes(self.changes).details(if is_said { "" } else { &self.telling }).log(log)
    }
}

/// How a container ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ContainerEnd {
    pub(crate) exit_code: i64,
    pub(crate) is_out_of_memory: bool,
}

/// What a look into the image or at the container found. Everything in it may come from the image.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Facts {
    /// The shared libraries that the loader does not find, and the packages that need them.
    pub(crate) missing: BTreeMap<String, Vec<String>>,
    /// What the user's imports register, the nearest id first.
    pub(crate) registered: Vec<String>,
    /// What other modules of the user's packages register.
    pub(crate) others: BTreeMap<String, Vec<String>>,
    /// The modules of the user's packages.
    pub(crate) modules: BTreeMap<String, Vec<String>>,
    /// Functions that may register environments, as `MODULE:FUNCTION`.
    pub(crate) callables: Vec<String>,
    /// How much the container computes, in percent of a core.
    #[serde(skip)]
    pub(crate) cpu: Option<f64>,
    /// How long the container had to answer.
    #[serde(skip)]
    pub(crate) limit: Option<Duration>,
    /// What the container may do.
    #[serde(skip)]
    pub(crate) isolation: Option<Isolation>,
}

/// The most entries of each list of [`Facts`].
const MOST_FACTS: usize = 100;

impl Facts {
    /// The same facts about a container with this isolation.
    pub(crate) fn within(self, isolation: &Isolation) -> Self {
        Self { isolation: Some(isolation.clone()), ..self }
    }

    /// Drops whatever is not valid: the image's code may have printed it.
    pub(crate) fn checked(mut self) -> Self {
        let names = |names: &mut Vec<String>, is_valid: fn(&str) -> bool| {
            names.retain(|name| is_valid(name));
            names.truncate(MOST_FACTS);
        };
        let is_module = |name: &str| modules::is_module(name);
        self.missing.retain(|soname, _| libraries::is_soname(soname));
        self.missing.values_mut().for_each(|packages| names(packages, is_module));
        names(&mut self.registered, is_env_id);
        self.others.retain(|module, _| modules::is_module(module));
        self.others.values_mut().for_each(|ids| names(ids, is_env_id));
        self.modules.values_mut().for_each(|modules| names(modules, is_module));
        names(&mut self.callables, |text| import(text).is_ok() && text.is_ascii() && text.len() <= 200);
        self
    }
}

/// What to look for in the image, so that a failure can be explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    /// Which shared libraries are missing?
    Libraries,
    /// Which environments do the user's packages register?
    Environments,
}

/// What to look for in the image.
pub(crate) fn question(plan: &Plan, log: &str) -> Option<Question> {
    let log = Log::read(log);
    let facts = Facts::default();
    let case = Case { plan, log: &log, facts: &facts };
    if libraries::is_missing(&log) {
        Some(Question::Libraries)
    } else if environments::is_unknown(&case) || modules::is_users_import(&case) {
        Some(Question::Environments)
    } else {
        None
    }
}

/// Explains why a container that was started from `plan` did not serve, or why a call of it failed.
///
/// `end` is `None` if the container still runs but did not answer.
pub(crate) fn startup(plan: &Plan, end: Option<ContainerEnd>, log: &str, facts: &Facts) -> Diagnosis {
    let log = Log::read(log);
    let case = Case { plan, log: &log, facts };
    let is_out_of_memory = end.is_some_and(|end| end.is_out_of_memory);
    let of_log = || RULES.iter().find_map(|rule| rule(&case));
    let advice = if is_out_of_memory { isolation::memory(&case) } else { of_log() }
        .unwrap_or_else(|| ends::advice(&case, end));
    let cause = log.cause().map(str::to_owned).or_else(|| ends::cause(&case, end));
    Diagnosis { cause, hints: advice.hints, changes: advice.changes, telling: log.telling() }
}

/// Whether a log contains an error of the environment.
pub(crate) fn has_error(log: &str) -> bool {
    Log::read(log).cause().is_some()
}

/// The lines of a log that are worth showing.
pub(crate) fn telling(log: &str) -> String {
    Log::read(log).telling()
}

/// Whether a line of a log is only rlmesh's own: an address inside the container, or advice for packages that serve
/// environments.
pub(crate) fn is_rlmesh_notice(line: &str) -> bool {
    let line = line.trim();
    line.starts_with("RLMesh sandbox serving tcp://") && line.split(' ').count() == 4
        || line.contains(": WorkflowEditionWarning: no workflow edition declared")
        || line == "s = EnvServer("
}

/// A failure and everything that is known about it.
struct Case<'a> {
    plan: &'a Plan,
    log: &'a Log,
    facts: &'a Facts,
}

/// What to do about a failure.
#[derive(Debug, Default)]
struct Advice {
    hints: Vec<String>,
    changes: Vec<Change>,
}

impl Advice {
    fn hint(hint: impl Into<String>) -> Self {
        Self { hints: vec![hint.into()], changes: Vec::new() }
    }

    fn with(hint: impl Into<String>, change: Option<Change>) -> Self {
        Self { hints: vec![hint.into()], changes: change.into_iter().collect() }
    }
}

type Rule = fn(&Case<'_>) -> Option<Advice>;

/// The known failures. The first rule that fits wins.
const RULES: [Rule; 9] = [
    isolation::advice,
    libraries::advice,
    interfaces::advice,
    environments::advice,
    modules::advice,
    environments::arguments,
    interfaces::display,
    ends::system,
    ends::versions,
];

impl<'a> Case<'a> {
    /// The id of a Gymnasium environment.
    fn env_id(&self) -> Option<&'a str> {
        match &self.plan.build()?.spec.source {
            ResolvedSource::Gym { env_id } => Some(env_id),
            ResolvedSource::Hf { .. } | ResolvedSource::Folder(_) => None,
        }
    }

    /// The modules that the user imports.
    fn imports(&self) -> impl Iterator<Item = &'a str> {
        let imports = self.plan.build().map(|build| build.spec.imports.as_slice()).unwrap_or_default();
        imports.iter().map(|import| import.split(':').next().unwrap_or(import))
    }

    fn packages(&self) -> &'a [String] {
        self.plan.build().map(|build| build.spec.packages.as_slice()).unwrap_or_default()
    }

    /// An option to add. `None` if its value is not valid, if the user gave it already, or if the image is not built
    /// by this tool.
    fn add(&self, option: &'static str, value: &str) -> Option<Change> {
        let build = self.plan.build();
        let spec = build.map(|build| &build.spec);
        let is_new = match option {
            "-e" => {
                let (name, value) = value.split_once('=')?;
                !self.plan.serving.variables.iter().any(|(known, set)| known == name && set == value)
            }
            "--shm-size" | "--ready-timeout" => true,
            "-p" => is_requirement(value) && !spec?.packages.iter().any(|given| given == value),
            "-i" => import(value).is_ok() && !spec?.imports.iter().any(|given| given == value),
            "--apt" => debian_package(value).is_ok() && !spec?.apt.iter().any(|given| given == value),
            "--wrap" => wrapper(value).is_ok() && !spec?.wrap.iter().any(|given| given == value),
            _ => false,
        };
        is_new.then(|| Change::Add(option, value.to_owned()))
    }
}

/// Whether a text from outside is a plain requirement: a name, extras and a version. Neither a URL nor a path.
fn is_requirement(text: &str) -> bool {
    let name = text.find(|c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at(name);
    let is_word = |c: char| c.is_ascii_alphanumeric();
    let (extras, version) = match rest.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some(found) => found,
            None => return false,
        },
        None => ("", rest),
    };
    text.len() <= 100
        && name.starts_with(is_word)
        && name.ends_with(is_word)
        && extras.chars().all(|c| is_word(c) || "-_.,".contains(c))
        && (version.is_empty() || version.starts_with(['<', '>', '=', '!', '~']))
        && version.chars().all(|c| is_word(c) || "<>=!~.,*+".contains(c))
}

/// Whether a text from outside is an environment id that can be used as a source.
fn is_env_id(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_./:-".contains(c);
    text.len() <= 200
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(is_plain)
        && !text.contains("//")
        && text.parse().is_ok_and(|source: EnvironmentSourceRef| {
            source == EnvironmentSourceRef::Gym(GymSourceRef { env_id: text.to_owned() })
        })
}

/// Whether a name is most likely a misspelling of another.
fn near(one: &str, other: &str) -> bool {
    let plain = |text: &str| text.to_lowercase().replace(['-', '_'], "");
    let (one, other) = (plain(one), plain(other));
    let most = if one.chars().count() < 6 { 1 } else { 2 };
    distance(&one, &other) <= most
}

/// The number of characters to change, add, remove or swap. Long texts count as different.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    if one.len().max(other.len()) > 200 {
        return usize::MAX;
    }
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (row, a) in one.iter().enumerate() {
        let mut next = vec![row + 1];
        for (column, b) in other.iter().enumerate() {
            let change = last[column] + usize::from(a != b);
            let mut least = change.min(last[column + 1] + 1).min(next[column] + 1);
            if row > 0 && column > 0 && *a == other[column - 1] && one[row - 1] == *b {
                least = least.min(before_last[column - 1] + 1);
            }
            next.push(least);
        }
        before_last = std::mem::replace(&mut last, next);
    }
    last[other.len()]
}

#[cfg(test)]
mod tests;
