//! What known families of environments need: the table in `families.toml`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

/// A family of environments, and what they need in addition to gymnasium. The table says what each field is.
#[derive(Debug, Deserialize)]
pub(crate) struct Family {
    ids: Vec<String>,
    pub(crate) packages: Vec<String>,
    pub(crate) imports: Vec<String>,
    pub(crate) apt: Vec<String>,
    /// As `MODULE:CLASS`.
    pub(crate) wrap: Vec<String>,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) kwargs: BTreeMap<String, serde_json::Value>,
    pub(crate) render: Render,
    #[serde(default)]
    known_ids: Vec<String>,
}

impl Family {
    /// Whether Gymnasium itself has these environments.
    pub(crate) fn is_gymnasiums(&self) -> bool {
        self.packages.iter().all(|package| package == "gymnasium" || package.starts_with("gymnasium["))
    }

    /// Whether the table lists all ids, so that no others exist.
    pub(crate) fn is_complete(&self) -> bool {
        !self.known_ids.is_empty()
    }

    /// The ids that the table lists one by one. For ALE, `known_ids` are the names of games.
    pub(crate) fn listed_ids(&self) -> impl Iterator<Item = String> {
        let is_game = |id: &&String| !id.contains(['-', '/']);
        let games = self.known_ids.iter().filter(is_game).map(|game| format!("ALE/{game}-v5"));
        let ids = self.known_ids.iter().filter(move |id| !is_game(id)).chain(&self.ids);
        ids.filter(|id| !id.contains('*')).cloned().chain(games).chain(self.frameskip_ids())
    }

    /// `GAMENoFrameskip-v0` for each `GAME-v0` of ALE.
    fn frameskip_ids(&self) -> impl Iterator<Item = String> {
        let has_them = self.ids.iter().any(|id| id.starts_with("*NoFrameskip-"));
        let games = self.ids.iter().filter(move |id| has_them && !id.contains('*'));
        games
            .filter_map(|id| id.rsplit_once("-v"))
            .map(|(game, version)| format!("{game}NoFrameskip-v{version}"))
    }
}

/// What a frame needs in addition.
#[derive(Debug, Deserialize)]
pub(crate) struct Render {
    pub(crate) packages: Vec<String>,
    pub(crate) apt: Vec<String>,
    pub(crate) variables: BTreeMap<String, String>,
}

/// Environments that rlmesh cannot serve, or that were not seen working.
#[derive(Debug, Deserialize)]
pub(crate) struct Unserved {
    ids: Vec<String>,
    /// The rest of a sentence about the environment.
    pub(crate) reason: String,
    /// What probably serves them nevertheless; all lists are empty if nothing does.
    #[serde(default)]
    pub(crate) packages: Vec<String>,
    #[serde(default)]
    pub(crate) imports: Vec<String>,
    #[serde(default)]
    pub(crate) apt: Vec<String>,
    pub(crate) base_image: Option<String>,
}

/// Ids that were replaced by another one.
#[derive(Debug, Deserialize)]
struct Renamed {
    old: String,
    new: String,
}

#[derive(Debug, Default, Deserialize)]
struct Table {
    family: Vec<Family>,
    unserved: Vec<Unserved>,
    renamed: Vec<Renamed>,
}

// A test parses the table, so that the default is never used.
static TABLE: LazyLock<Table> =
    LazyLock::new(|| toml::from_str(include_str!("families.toml")).unwrap_or_default());

/// All known families.
pub(crate) fn all() -> &'static [Family] {
    &TABLE.family
}

/// The family of an environment id, if it is known. The id may have a module: `flappy_bird_gymnasium:FlappyBird-v0`.
pub(crate) fn of(env_id: &str) -> Option<&'static Family> {
    let env_id = without_module(env_id);
    let (fit, family) = best(&TABLE.family, env_id, |family| &family.ids)?;
    let unserved = best(&TABLE.unserved, env_id, |unserved| &unserved.ids);
    unserved.is_none_or(|(other, _)| other <= fit).then_some(family)
}

/// The family that a module registers.
pub(crate) fn by_import(module: &str) -> Option<&'static Family> {
    TABLE.family.iter().find(|family| family.imports.iter().any(|import| import == module))
}

/// Why an environment is not served, if that is known.
pub(crate) fn unserved(env_id: &str) -> Option<&'static Unserved> {
    let env_id = without_module(env_id);
    let (fit, unserved) = best(&TABLE.unserved, env_id, |unserved| &unserved.ids)?;
    let family = best(&TABLE.family, env_id, |family| &family.ids);
    family.is_none_or(|(other, _)| other < fit).then_some(unserved)
}

fn without_module(env_id: &str) -> &str {
    env_id.rsplit_once(':').map_or(env_id, |(_, id)| id)
}

/// The entry whose pattern says most about an id, and how many characters of it the pattern has. Of two that say as
/// much, the first one.
fn best<'a, T>(
    entries: &'a [T],
    env_id: &str,
    ids: impl Fn(&'a T) -> &'a [String],
) -> Option<(usize, &'a T)> {
    let fits = |entry: &'a T| {
        let matching = ids(entry).iter().filter(|pattern| rest(pattern, env_id).is_some());
        // A pattern without a star is the id itself, and says more than any other.
        matching
            .map(|pattern| {
                if pattern.contains('*') { pattern.len() - pattern.matches('*').count() } else { usize::MAX }
            })
            .max()
    };
    let found = entries.iter().filter_map(|entry| Some((fits(entry)?, entry)));
    found.reduce(|best, other| if other.0 > best.0 { other } else { best })
}

/// The id that replaced an old one, if that is known.
pub(crate) fn new_id(env_id: &str) -> Option<String> {
    TABLE.renamed.iter().find_map(|renamed| Some(renamed.new.replacen('*', rest(&renamed.old, env_id)?, 1)))
}

/// The text that the last `*` of a pattern stands for: empty where the pattern has none, `None` where it does not
/// match.
fn rest<'a>(pattern: &str, text: &'a str) -> Option<&'a str> {
    let Some((before, after)) = pattern.split_once('*') else {
        return (pattern == text).then_some("");
    };
    let text = text.strip_prefix(before)?;
    if !after.contains('*') {
        return text.strip_suffix(after);
    }
    text.char_indices().find_map(|(at, _)| rest(after, &text[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_find_their_family() {
        for (id, package) in [
            ("ALE/Pong-v5", Some("ale-py")),
            ("PongNoFrameskip-v4", Some("ale-py")),
            ("Pong-v0", Some("ale-py")),
            ("LunarLander-v3", Some("gymnasium[box2d]")),
            ("Ant-v5", Some("gymnasium[mujoco]")),
            ("AntMaze_UMaze-v5", Some("gymnasium-robotics")),
            ("MiniGrid-Empty-5x5-v0", Some("minigrid")),
            ("highway-v0", Some("highway-env")),
            ("CartPoleSwingUp-v0", Some("gymnasium-cartpole-swingup")),
            ("Antics-v0", None),
            ("Pong", None),
        ] {
            assert_eq!(of(id).map(|family| family.packages[0].as_str()), package, "{id}");
        }
        assert!(of("CartPole-v1").unwrap().packages.is_empty());
        assert_eq!(of("ale_py:ALE/Pong-v5").unwrap().imports, ["ale_py"]);
    }

    #[test]
    fn the_pattern_that_says_most_wins() {
        let has_package = |id: &str| of(id).map(|family| family.packages[0].as_str());
        assert_eq!(has_package("MiniGrid-Empty-5x5-v0"), Some("minigrid"));
        assert!(of("MiniGrid-WFC-MazeSimple-v0").is_none());
        assert!(unserved("MiniGrid-WFC-MazeSimple-v0").is_some());
        assert!(unserved("MiniGrid-Empty-5x5-v0").is_none());
        assert_eq!(has_package("Pusher-v5"), Some("gymnasium[mujoco]"));
    }

    #[test]
    fn the_table_is_valid() {
        let table: Table = toml::from_str(include_str!("families.toml")).unwrap();
        assert!(table.family.len() >= 60);
        for family in &table.family {
            assert!(!family.ids.is_empty());
            for word in family.packages.iter().chain(&family.imports).chain(&family.apt) {
                assert!(!word.starts_with('-') && !word.contains(char::is_whitespace), "{word}");
            }
        }
        for unserved in &table.unserved {
            assert!(
                !unserved.reason.ends_with('.') && !unserved.reason.contains('\n'),
                "{}",
                unserved.reason
            );
        }
    }

    #[test]
    fn old_ids_have_a_new_one() {
        for (old, new) in [
            ("Ant-v3", Some("Ant-v5")),
            ("PandaReach-v2", Some("PandaReach-v3")),
            ("Ant-v5", None),
            ("CartPole-v1", None),
        ] {
            assert_eq!(new_id(old).as_deref(), new, "{old}");
        }
        assert!(unserved("pistonball_v6").is_some());
        assert!(unserved("CartPole-v1").is_none());
    }
}
