//! What known families of environments need, for hints.

/// A family of environments, and what they need in addition to gymnasium.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Family {
    ids: Ids,
    /// Pip requirements.
    pub(crate) packages: &'static [&'static str],
    /// Modules that register the family's environments when they are imported.
    pub(crate) imports: &'static [&'static str],
}

#[derive(Debug, PartialEq, Eq)]
enum Ids {
    /// Ids that start with one of these.
    StartingWith(&'static [&'static str]),
    /// Ids whose name without the version is one of these.
    Named(&'static [&'static str]),
}

/// Measured against gymnasium 1.3 and 1.4 on Python 3.11; an extra's name outlives what it holds.
const FAMILIES: &[Family] = &[
    Family {
        ids: Ids::Named(&[
            "LunarLander",
            "LunarLanderContinuous",
            "BipedalWalker",
            "BipedalWalkerHardcore",
            "CarRacing",
        ]),
        packages: &["gymnasium[box2d]"],
        imports: &[],
    },
    Family {
        ids: Ids::Named(&[
            "Ant",
            "HalfCheetah",
            "Hopper",
            "Humanoid",
            "HumanoidStandup",
            "InvertedPendulum",
            "InvertedDoublePendulum",
            "Pusher",
            "Reacher",
            "Swimmer",
            "Walker2d",
        ]),
        packages: &["gymnasium[mujoco]"],
        imports: &[],
    },
    Family { ids: Ids::StartingWith(&["ALE/"]), packages: &["ale-py"], imports: &["ale_py"] },
    Family { ids: Ids::StartingWith(&["phys2d/", "tabular/"]), packages: &["gymnasium[jax]"], imports: &[] },
    Family { ids: Ids::StartingWith(&["MiniGrid-"]), packages: &["minigrid"], imports: &["minigrid"] },
    Family {
        ids: Ids::Named(&[
            "highway",
            "highway-fast",
            "merge",
            "roundabout",
            "parking",
            "intersection",
            "racetrack",
        ]),
        packages: &["highway-env"],
        imports: &["highway_env"],
    },
    Family {
        ids: Ids::StartingWith(&[
            "Fetch",
            "PointMaze_",
            "AntMaze_",
            "Adroit",
            "HandReach",
            "HandManipulate",
            "FrankaKitchen",
        ]),
        packages: &["gymnasium-robotics", "mujoco<3.3"],
        imports: &["gymnasium_robotics"],
    },
    Family { ids: Ids::StartingWith(&["gym_pusht/"]), packages: &["gym-pusht"], imports: &["gym_pusht"] },
    Family {
        ids: Ids::StartingWith(&["gym_aloha/"]),
        packages: &["gym-aloha", "mujoco<3.3"],
        imports: &["gym_aloha"],
    },
    Family {
        ids: Ids::StartingWith(&["dm_control/"]),
        packages: &["shimmy[dm-control]", "packaging"],
        imports: &["shimmy"],
    },
    Family {
        ids: Ids::Named(&["FlappyBird"]),
        packages: &["flappy-bird-gymnasium"],
        imports: &["flappy_bird_gymnasium"],
    },
];

/// The family of an env id, if it is a known one.
pub(crate) fn of(env_id: &str) -> Option<&'static Family> {
    let name = without_version(env_id);
    FAMILIES
        .iter()
        .find(|family| match family.ids {
            Ids::StartingWith(starts) => starts.iter().any(|start| env_id.starts_with(start)),
            Ids::Named(names) => names.contains(&name),
        })
        // Gymnasium's own older ids of the Atari games.
        .or_else(|| is_old_atari_id(env_id).then(|| &FAMILIES[2]))
}

/// `Pong-v4`, `PongNoFrameskip-v4`: the Arcade Learning Environment's ids before the namespace.
fn is_old_atari_id(env_id: &str) -> bool {
    const GAMES: &[&str] =
        &["Pong", "Breakout", "SpaceInvaders", "Qbert", "Seaquest", "BeamRider", "Enduro", "MsPacman"];
    let name = without_version(env_id);
    let is_old = env_id.ends_with("-v0") || env_id.ends_with("-v4");
    is_old && (name.ends_with("NoFrameskip") || name.ends_with("Deterministic") || GAMES.contains(&name))
}

fn without_version(env_id: &str) -> &str {
    match env_id.rsplit_once("-v") {
        Some((name, version)) if !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit()) => {
            name
        }
        _ => env_id,
    }
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
            ("CartPole-v1", None),
            ("Antics-v0", None),
            ("Pong", None),
        ] {
            assert_eq!(of(id).map(|family| family.packages[0]), package, "{id}");
        }
    }
}
