//! What single words of a command line are, and which name is meant by another spelling.

use crate::source::EnvironmentSourceRef;
use crate::source::known_ids::{self, distance};

/// The name that is most likely meant: a near spelling, or the only one that starts like this.
pub(in crate::commands) fn nearest<'a>(given: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let fold = |text: &str| text.to_lowercase().replace('_', "-");
    let folded = fold(given);
    let names: Vec<&str> = names.collect();
    let allowed = |name: &str| match name
        .trim_start_matches('-')
        .chars()
        .count()
        .min(folded.trim_start_matches('-').chars().count())
    {
        0..=2 => 0,
        3..=6 => 1,
        _ => 2,
    };
    let near = names.iter().map(|name| (distance(&folded, &fold(name)), *name));
    let near = near.filter(|(errors, name)| *errors <= allowed(name)).min_by_key(|(errors, _)| *errors);
    near.map(|(_, name)| name).or_else(|| {
        let is_long = folded.trim_start_matches('-').len() >= 3;
        let mut longer = names.iter().filter(|name| is_long && name.starts_with(&folded));
        longer.next().filter(|_| longer.next().is_none()).copied()
    })
}

/// Whether a word is meant as an environment.
pub(in crate::commands) fn is_source(word: &str) -> bool {
    let looks_like = is_env_id(word) || word.contains(['/', ':', '.']);
    looks_like && word.parse::<EnvironmentSourceRef>().is_ok()
        || known_ids::judge(word).is_some_and(|problem| !problem.suggested().is_empty())
}

/// Whether a word ends in a version, as the ids of Gymnasium do.
pub(in crate::commands) fn is_env_id(word: &str) -> bool {
    word.rsplit_once("-v").is_some_and(|(name, version)| {
        !name.is_empty() && !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit())
    })
}
