//! Whether an environment id is a misspelling, an old id or one that cannot be served: decided before anything is built.

use std::sync::LazyLock;

use crate::error::{Change, Problem};
use crate::source::families::Family;
use crate::source::{families, quoted};

/// Ids of Gymnasium 1.4 that belong to no family.
const COMPATIBILITY: [&str; 2] = ["GymV21Environment-v0", "GymV26Environment-v0"];

/// Namespaces that users write, folded, and the one that the ids have, folded.
const NAMESPACES: [(&str, &str); 4] = [("gym", ""), ("gymnasium", ""), ("alepy", "ale"), ("atari", "ale")];

/// The most ids that a message lists.
const LONGEST_LIST: usize = 3;

/// What is wrong with an environment id, if the user gives neither a package nor an import: then only Gymnasium
/// and the known families can register it.
///
/// Ids with a module (`module:ID`) and ids of families whose ids are not listed are never judged.
pub(crate) fn judge(env_id: &str) -> Option<Problem> {
    if env_id.contains(':') || COMPATIBILITY.contains(&env_id) {
        return None;
    }
    if is_listed(env_id) {
        return None;
    }
    replaced(env_id).or_else(|| unserved(env_id)).or_else(|| misspelt(env_id))
}

/// The listed ids that start with `start` in any case and can be served, with their families, in alphabetical order.
pub(crate) fn starting_with(start: &str) -> Vec<(&'static str, &'static Family)> {
    let folded = start.to_lowercase();
    let mut found: Vec<_> = LISTED
        .iter()
        .filter(|known| known.text.to_lowercase().starts_with(&folded))
        .filter(|known| families::unserved(&known.text).is_none())
        .map(|known| (known.text.as_str(), &families::all()[known.family]))
        .collect();
    found.sort_by_key(|(id, _)| *id);
    found
}

static LISTED: LazyLock<Vec<Listed>> = LazyLock::new(|| {
    let listed = |text: String, family: usize| Listed { family, id: Id::exact(&text), text };
    let families = families::all().iter().enumerate();
    families.flat_map(|(at, family)| family.listed_ids().map(move |text| listed(text, at))).collect()
});

fn is_listed(env_id: &str) -> bool {
    LISTED.iter().any(|known| known.text == env_id)
}

fn replaced(env_id: &str) -> Option<Problem> {
    let new = families::new_id(env_id)?;
    // Patterns such as `*-ram-v4` also match ids that never existed.
    let is_open = || families::of(&new).is_some_and(|family| !family.is_complete());
    if !is_listed(&new) && !is_open() || families::unserved(&new).is_some() {
        return None;
    }
    let arguments = env_id.contains("-ram-v") && new.starts_with("ALE/");
    Some(
        Problem::new(
            format!("{env_id} was replaced by {new}"),
            "to use the old environment, pass the release of its package that has it with -p",
        )
        .changes([Change::Source(new)])
        .changes(arguments.then(|| Change::Add("-k", "obs_type=ram".to_owned()))),
    )
}

fn unserved(env_id: &str) -> Option<Problem> {
    let entry = families::unserved(env_id)?;
    let add = |option, values: &'static [String]| {
        values.iter().map(move |value| Change::Add(option, value.clone()))
    };
    let options: Vec<Change> = (entry.base_image.iter().cloned())
        .map(|image| Change::Add("--base-image", image))
        .chain(add("-p", &entry.packages))
        .chain(add("-i", &entry.imports))
        .chain(add("--apt", &entry.apt))
        .collect();
    let (verdict, hint) = if options.is_empty() {
        ("cannot be served", "to try it anyway, pass --no-auto, and its package with -p")
    } else {
        ("is not served by its id alone", "it should work with these options, which were not tested")
    };
    Some(Problem::new(format!("{env_id} {verdict}: {}", entry.reason), hint).changes(options))
}

fn misspelt(env_id: &str) -> Option<Problem> {
    let given = Id::loose(env_id);
    let owner = families::of(env_id);
    if owner.is_some_and(|owner| !owner.is_complete()) {
        return None;
    }
    let candidates: Vec<&Listed> = LISTED
        .iter()
        .filter(|known| owner.is_none_or(|owner| std::ptr::eq(owner, &families::all()[known.family])))
        .collect();
    let same_name = |near: &dyn Fn(&Listed) -> bool| -> Vec<&Listed> {
        let is_near = |known: &&&Listed| known.id.name == given.name && near(known);
        candidates.iter().filter(is_near).copied().collect()
    };
    let is_version = |known: &Listed| given.version.is_none() || known.id.version == given.version;

    let same_id = same_name(&|known| known.id == given);
    if !same_id.is_empty() {
        return Some(unknown(env_id, &best_of_each_family(&same_id, &given)));
    }
    let versions = same_name(&|known| known.id.namespace == given.namespace);
    if !versions.is_empty() {
        // ALE has the newest versions in its namespace, and the older ones without.
        let versions = same_name(&|known| versions.iter().any(|other| other.family == known.family));
        return Some(other_version(env_id, &given, &versions));
    }
    let typo_in_namespace = same_name(&|known| {
        let is_typo = distance(&known.id.namespace, &given.namespace) == 1;
        is_version(known) && known.id.namespace.len() >= 3 && is_typo
    });
    let without_namespace = same_name(&|known| is_version(known) && given.namespace.is_empty());
    for found in [typo_in_namespace, without_namespace] {
        if !found.is_empty() {
            return Some(unknown(env_id, &best_of_each_family(&found, &given)));
        }
    }
    let nearest = nearest_names(&given, &candidates);
    (!nearest.is_empty()).then(|| unknown(env_id, &best_of_each_family(&nearest, &given)))
}

fn unknown(env_id: &str, meant: &[&str]) -> Problem {
    let problem = Problem::new(
        format!("{} is not a known environment id: did you mean {}?", quoted(env_id), any_of(meant)),
        "for an environment of your own, pass its package with -p and its module with -i",
    );
    with_source(problem, meant)
}

fn other_version(env_id: &str, given: &Id, versions: &[&Listed]) -> Problem {
    let best = best_of_each_family(versions, given);
    let mut all: Vec<&str> = versions.iter().map(|known| known.text.as_str()).collect();
    all.sort_unstable();
    all.dedup();
    let problem = match given.version {
        Some(_) => Problem::new(
            format!("{} is not a known version: there is {}", quoted(env_id), all_of(&all)),
            "if a newer release of its package has it, pass that release with -p, or --no-auto",
        ),
        None => Problem::new(
            format!("{} has no version: did you mean {}?", quoted(env_id), any_of(&best)),
            "an id ends in -v and its version, so that the environment stays the same",
        ),
    };
    with_source(problem, &best)
}

/// Several ids are a choice, which only the user can make.
fn with_source(problem: Problem, meant: &[&str]) -> Problem {
    match meant {
        [one] => problem.changes([Change::Source((*one).to_owned())]),
        _ => problem,
    }
}

fn any_of(names: &[&str]) -> String {
    join(names, "or")
}

/// A list in words: `a, b and c`.
pub(crate) fn all_of(names: &[impl AsRef<str>]) -> String {
    join(names, "and")
}

fn join(names: &[impl AsRef<str>], word: &str) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    match names[..] {
        [] => String::new(),
        [one] => one.to_owned(),
        [ref before @ .., last] => format!("{} {word} {last}", before.join(", ")),
    }
}

/// For each family and name, the given version if it exists, otherwise the newest; at most [`LONGEST_LIST`].
fn best_of_each_family<'a>(found: &[&'a Listed], given: &Id) -> Vec<&'a str> {
    let mut best: Vec<&Listed> = Vec::new();
    let rank = |known: &Listed| (known.id.version == given.version, known.id.version);
    for known in found {
        match best.iter_mut().find(|other| other.family == known.family && other.id.name == known.id.name) {
            Some(other) if rank(known) > rank(other) => *other = known,
            Some(_) => {}
            None => best.push(known),
        }
    }
    let mut texts: Vec<&str> = best.iter().map(|known| known.text.as_str()).collect();
    texts.dedup();
    texts.truncate(LONGEST_LIST);
    texts
}

/// The listed ids whose names are nearest to the given one, all at the same distance.
fn nearest_names<'a>(given: &Id, candidates: &[&'a Listed]) -> Vec<&'a Listed> {
    let with_distance: Vec<(usize, &Listed)> = candidates
        .iter()
        .filter(|known| known.id.namespace == given.namespace)
        .filter_map(|known| Some((typing_errors(given, &known.id)?, *known)))
        .collect();
    let Some(least) = with_distance.iter().map(|(errors, _)| *errors).min() else { return Vec::new() };
    with_distance.into_iter().filter(|(errors, _)| *errors == least).map(|(_, known)| known).collect()
}

/// The number of typing errors between two names; `None` if they are more likely to be two names.
fn typing_errors(given: &Id, known: &Id) -> Option<usize> {
    let shorter = given.name.len().min(known.name.len());
    let allowed = match shorter {
        0..=3 => return None,
        4..=7 => 1,
        _ => 2,
    };
    // Other digits make another variant: 4x4 and 8x8, Atlantis and Atlantis2.
    let digits = |id: &Id| id.name.chars().filter(char::is_ascii_digit).collect::<String>();
    if digits(given) != digits(known) || is_longer_name(given, known) {
        return None;
    }
    let errors = distance(&given.name, &known.name);
    // A short name has many neighbours, so more has to agree; a namespace is enough.
    let is_old =
        || families::new_id(&format!("{}-v{}", known.spelling, given.version.unwrap_or_default())).is_some();
    let is_version = given.version.is_none() || given.version == known.version || is_old();
    let is_start =
        given.name.len() == known.name.len() && given.name.chars().next() == known.name.chars().next();
    let is_likely = match shorter {
        0..=5 => is_version && is_start || !given.namespace.is_empty(),
        6..=7 => is_version,
        _ => is_version || errors == 1,
    };
    (errors <= allowed && is_likely).then_some(errors)
}

/// Whether a name is another one with more words: `MyCartPole`, `CartPoleX`.
fn is_longer_name(given: &Id, known: &Id) -> bool {
    let Some((before, after)) = given.name.split_once(known.name.as_str()) else { return false };
    let is_typo =
        before.is_empty() && after.len() <= 1 && given.spelling.ends_with(|c: char| c.is_ascii_lowercase());
    !is_typo
}

/// A listed id.
struct Listed {
    /// The index of its family.
    family: usize,
    id: Id,
    text: String,
}

/// The parts of an id. Two ids are equal if only capitals and separators differ.
struct Id {
    namespace: String,
    name: String,
    version: Option<u32>,
    /// The name as it is written.
    spelling: String,
}

impl PartialEq for Id {
    fn eq(&self, other: &Self) -> bool {
        (&self.namespace, &self.name, self.version) == (&other.namespace, &other.name, other.version)
    }
}

impl Id {
    /// `[namespace/]name[-vN]`.
    fn exact(text: &str) -> Self {
        let (namespace, rest) = text.rsplit_once('/').unwrap_or(("", text));
        let versioned = rest.rsplit_once("-v").and_then(|(name, digits)| Some((name, digits.parse().ok()?)));
        let (name, version) = versioned.map_or((rest, None), |(name, version)| (name, Some(version)));
        Self { namespace: folded(namespace), name: folded(name), version, spelling: name.to_owned() }
    }

    /// The same, with the version as users also write it: `_v1`, `-1`, `v1`, `-V1`, `-v`.
    fn loose(text: &str) -> Self {
        let (namespace, rest) = text.rsplit_once('/').unwrap_or(("", text));
        let before_digits = rest.trim_end_matches(|c: char| c.is_ascii_digit());
        let digits = &rest[before_digits.len()..];
        let before_v = before_digits.strip_suffix(['v', 'V']);
        let before = before_v.unwrap_or(before_digits);
        let name = before.strip_suffix(['-', '_', '.']);
        let name = match (name, before_v) {
            (Some(name), _) => name,
            (None, Some(name)) if !digits.is_empty() => name,
            _ => rest,
        };
        let version = if name.len() < rest.len() { digits.parse().ok() } else { None };
        let namespace = folded(namespace);
        let namespace = match NAMESPACES.iter().find(|(given, _)| *given == namespace) {
            Some((_, meant)) => (*meant).to_owned(),
            None => namespace,
        };
        Self { namespace, name: folded(name), version, spelling: name.to_owned() }
    }
}

/// A text without capitals and separators.
fn folded(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The edit distance: insertions, deletions, substitutions and swaps of neighbours (optimal string alignment).
pub(crate) fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > 2 {
        return a.len().abs_diff(b.len());
    }
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let substitution = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = substitution.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::SandboxError;

    /// The id to use instead.
    fn meant(env_id: &str) -> Option<String> {
        let problem = judge(env_id)?;
        let hints = SandboxError::InvalidSource(problem).hints();
        Some(hints.last()?.strip_prefix("use ")?.to_owned())
    }

    fn message(env_id: &str) -> String {
        judge(env_id).map(|problem| problem.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_misspelt_id_leads_to_the_right_one() {
        for (given, right) in [
            ("Taxo-v4", "Taxi-v4"),
            ("CartPol-v1", "CartPole-v1"),
            ("CratPole-v1", "CartPole-v1"),
            ("CartPoel-v1", "CartPole-v1"),
            ("Cartpool-v1", "CartPole-v1"),
            ("CartPolee-v1", "CartPole-v1"),
            ("cartpole-v1", "CartPole-v1"),
            ("CARTPOLE-V1", "CartPole-v1"),
            ("cart_pole-v1", "CartPole-v1"),
            ("CartPole_v1", "CartPole-v1"),
            ("CartPole-1", "CartPole-v1"),
            ("CartPolev1", "CartPole-v1"),
            ("CartPole", "CartPole-v1"),
            ("CartPole-v", "CartPole-v1"),
            ("CartPole-", "CartPole-v1"),
            ("gym/CartPole-v1", "CartPole-v1"),
            ("CartPole-v7", "CartPole-v1"),
            ("ant-v5", "Ant-v5"),
            ("Ant-v6", "Ant-v5"),
            ("Pendelum-v1", "Pendulum-v1"),
            ("LunarLander", "LunarLander-v3"),
            ("LunarLandar-v2", "LunarLander-v3"),
            ("Frozenlake-v1", "FrozenLake-v1"),
            ("MountianCar-v0", "MountainCar-v0"),
            ("Acrobat-v1", "Acrobot-v1"),
            ("HalfCheeta-v5", "HalfCheetah-v5"),
            ("Walker2D-v5", "Walker2d-v5"),
            ("ALE/Pongg-v5", "ALE/Pong-v5"),
            ("ale/pong-v5", "ALE/Pong-v5"),
            ("AEL/Pong-v5", "ALE/Pong-v5"),
            ("ale_py/Pong-v5", "ALE/Pong-v5"),
            ("ALE/Pong", "ALE/Pong-v5"),
            ("ALE/Pong-v4", "Pong-v4"),
            ("Pong", "ALE/Pong-v5"),
            ("pong-v4", "Pong-v4"),
            ("Breakout-v2", "ALE/Breakout-v5"),
            ("PongNoFramskip-v4", "PongNoFrameskip-v4"),
            ("PongNoFrameskip", "PongNoFrameskip-v4"),
            ("SpaceInvader-v4", "SpaceInvaders-v4"),
            ("PushT-v0", "gym_pusht/PushT-v0"),
            ("gym-pusht/PushT-v0", "gym_pusht/PushT-v0"),
            ("highway-v9", "highway-v0"),
            ("PandaReech-v3", "PandaReach-v3"),
            ("CartPoleSwingup-v0", "CartPoleSwingUp-v0"),
            ("Meta-World/mt1", "Meta-World/MT1"),
        ] {
            assert_eq!(meant(given).as_deref(), Some(right), "{given}: {}", message(given));
        }
    }

    #[test]
    fn an_old_id_leads_to_the_new_one() {
        for (given, right) in [
            ("Taxi-v3", "Taxi-v4"),
            ("Ant-v2", "Ant-v5"),
            ("Ant-v3", "Ant-v5"),
            ("HumanoidStandup-v2", "HumanoidStandup-v5"),
            ("LunarLander-v2", "LunarLander-v3"),
            ("PandaReach-v2", "PandaReach-v3"),
            ("FetchReach-v1", "FetchReach-v4"),
            ("Pong-v5", "ALE/Pong-v5"),
            ("PongDeterministic-v4", "ALE/Pong-v5"),
            ("Pong-ram-v4", "ALE/Pong-v5 -k obs_type=ram"),
        ] {
            assert_eq!(meant(given).as_deref(), Some(right), "{given}: {}", message(given));
        }
        assert_eq!(message("Taxi-v3"), "Taxi-v3 was replaced by Taxi-v4");
    }

    #[test]
    fn an_id_that_cannot_be_served_comes_with_its_reason() {
        for given in
            ["pistonball_v6", "Duckietown-udem1-v0", "PyFlyt/QuadX-Gates-v3", "PyFlyt/QuadX-Gates-v0"]
        {
            assert!(message(given).contains("cannot be served: "), "{given}: {}", message(given));
            assert_eq!(meant(given), None);
        }
    }

    #[test]
    fn an_id_that_was_not_tested_comes_with_its_options() {
        assert!(message("supertuxkart/simple-v0").contains("is not served by its id alone: "));
        let problem = judge("supertuxkart/simple-v0").unwrap();
        let hints = SandboxError::InvalidSource(problem).hints();
        assert_eq!(hints.last().unwrap(), "pass -p pystk2-gymnasium -i pystk2_gymnasium");
    }

    #[test]
    fn versions_and_equally_near_ids_are_listed() {
        assert_eq!(
            message("CartPole-v7"),
            "'CartPole-v7' is not a known version: there is CartPole-v0 and CartPole-v1"
        );
        assert_eq!(
            message("CartPol-v1"),
            "'CartPol-v1' is not a known environment id: did you mean CartPole-v1?"
        );
        let two = message("TinyPA-v0");
        assert!(two.contains(" or ") && meant("TinyPA-v0").is_none(), "{two}");
    }

    #[test]
    fn ids_of_other_packages_and_of_users_are_not_misspellings() {
        for env_id in [
            "CartPoleSwingUp-v0",
            "HalfCheetahBulletEnv-v0",
            "reach-v3",
            "push-v3",
            "Art-v5",
            "Aunt-v0",
            "MyEnv-v0",
            "MyCartPole-v0",
            "MyCartPole-v1",
            "CartPoleX-v1",
            "CartPole2-v1",
            "CartPoleContinuous-v1",
            "ContinuousCartPole-v0",
            "Pendulum3D-v0",
            "NewAnt-v5",
            "AntX-v5",
            "Carter-v0",
            "ant-colony-v1",
            "my_pkg/Foo-v3",
            "my_pkg/CartPole-v1",
            "my_pkg:CartPol-v1",
            "my_pkg.Foo-v0",
            "GridWorld-v0",
            "Maze-v0",
            "Rusher-v0",
            "Bong-v0",
            "Song-v5",
            "Chess-v1",
            "Trading-v0",
            "Drone-v0",
            "Arm-v0",
            "Foo",
            "x",
            "-",
            "",
            "/",
            "日本-v0",
            "Ünï-v0",
            "nopkg/Pong-v5",
            "MiniGrid-Emty-5x5-v0",
            "BabyAI-GoTo-v9",
            "SimpleGrid-5x5-v0",
            "ALE/Atlantis3-v5",
            "MyGame-ram-v4",
            "GymV26Environment-v0",
        ] {
            assert_eq!(message(env_id), "", "{env_id}");
        }
    }

    /// `sorted(gymnasium.registry)` of Gymnasium 1.4.0, without the ids that only raise DeprecatedEnv.
    const GYMNASIUM: &str = "Acrobot-v1 Ant-v4 Ant-v5 BipedalWalker-v3 BipedalWalkerHardcore-v3 Blackjack-v1 \
        CarRacing-v3 CartPole-v0 CartPole-v1 CliffWalking-v1 CliffWalkingSlippery-v1 FrozenLake-v1 FrozenLake8x8-v1 \
        GymV21Environment-v0 GymV26Environment-v0 HalfCheetah-v4 HalfCheetah-v5 Hopper-v4 Hopper-v5 Humanoid-v4 \
        Humanoid-v5 HumanoidStandup-v4 HumanoidStandup-v5 InvertedDoublePendulum-v4 InvertedDoublePendulum-v5 \
        InvertedPendulum-v4 InvertedPendulum-v5 LunarLander-v3 LunarLanderContinuous-v3 MountainCar-v0 \
        MountainCarContinuous-v0 Pendulum-v1 Pusher-v4 Pusher-v5 Reacher-v4 Reacher-v5 Swimmer-v4 Swimmer-v5 Taxi-v4 \
        Walker2d-v4 Walker2d-v5 phys2d/CartPole-v0 phys2d/CartPole-v1 phys2d/Pendulum-v0 tabular/Blackjack-v0 \
        tabular/CliffWalking-v0";

    #[test]
    fn every_known_id_is_accepted() {
        let listed: Vec<String> = families::all().iter().flat_map(|family| family.listed_ids()).collect();
        assert!(listed.len() > 1000, "{}", listed.len());
        for env_id in GYMNASIUM.split_whitespace() {
            assert_eq!(message(env_id), "");
            let is_listed = listed.iter().any(|known| known == env_id);
            assert!(is_listed || COMPATIBILITY.contains(&env_id), "{env_id}");
        }
        for env_id in &listed {
            assert_eq!(message(env_id), "");
        }
        for env_id in ["ALE/Pong-v5", "Pong-v0", "Pong-v4", "PongNoFrameskip-v0", "PongNoFrameskip-v4"] {
            assert!(listed.iter().any(|known| known == env_id), "{env_id}");
        }
    }

    #[test]
    fn distances_count_typing_errors() {
        for (a, b, errors) in [
            ("ab", "ab", 0),
            ("ab", "ba", 1),
            ("abc", "abd", 1),
            ("abc", "ab", 1),
            ("abcd", "acbx", 2),
            ("", "ab", 2),
        ] {
            assert_eq!(distance(a, b), errors, "{a} {b}");
        }
    }
}
