//! What is added for an environment of a known family, as if the user had given the options.

use std::fmt;

use serde_json::Value;

use crate::error::shell_word;
use crate::settings::sandbox::SandboxOptions;
use crate::source::families::{self, Family};
use crate::source::{EnvironmentSourceRef, GymSourceRef};

/// The options that are added. What the user gave wins: it is never replaced, and never given twice.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Additions {
    pub(crate) packages: Vec<String>,
    pub(crate) imports: Vec<String>,
    pub(crate) apt: Vec<String>,
    pub(crate) wrap: Vec<String>,
    pub(crate) kwargs: Vec<(String, Value)>,
    /// Variables of the container.
    pub(crate) variables: Vec<(String, String)>,
}

impl Additions {
    /// What `source` needs in addition to `options`.
    pub(crate) fn of(source: &EnvironmentSourceRef, options: &SandboxOptions) -> Self {
        match source {
            EnvironmentSourceRef::Gym(GymSourceRef { env_id }) if !options.no_auto => families::of(env_id)
                .map_or_else(Self::default, |family| Self::of_family(family, env_id, options)),
            _ => Self::default(),
        }
    }

    fn of_family(family: &Family, env_id: &str, options: &SandboxOptions) -> Self {
        let renders = options.kwargs.get("render_mode").is_some_and(|mode| !mode.is_null());
        let render = renders.then_some(&family.render);
        let packages = family.packages.iter().chain(render.iter().flat_map(|render| &render.packages));
        let apt = family.apt.iter().chain(render.iter().flat_map(|render| &render.apt));
        let variables = family.variables.iter().chain(render.iter().flat_map(|render| &render.variables));
        // `module:Env-v0` imports its module.
        let module = env_id.split_once(':').map(|(module, _)| module);
        let has_import = |import: &str| {
            module == Some(import)
                || options
                    .imports
                    .iter()
                    .any(|given| given == import || before(given, ':') == before(import, ':'))
        };
        let has_apt = |name: &str| options.apt.iter().any(|given| before(before(given, '='), ':') == name);
        let mut imports: Vec<String> =
            family.imports.iter().filter(|import| !has_import(import)).cloned().collect();
        // An import may need those before it, such as the ones that register with OpenAI's gym.
        if !imports.is_empty() {
            imports.clone_from(&family.imports);
        }
        let mut all = Self {
            packages: packages.filter_map(|package| missing(package, &options.packages)).collect(),
            imports,
            apt: apt.filter(|name| !has_apt(name)).cloned().collect(),
            // The user's wrappers may be instead of the family's.
            wrap: if options.wrap.is_empty() { family.wrap.clone() } else { Vec::new() },
            kwargs: family
                .kwargs
                .iter()
                .filter(|(name, _)| !options.kwargs.contains_key(*name))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            variables: variables.map(|(name, value)| (name.clone(), value.clone())).collect(),
        };
        dedup(&mut all.packages);
        dedup(&mut all.apt);
        dedup(&mut all.variables);
        all
    }

    /// Adds the options, before those that the user gave.
    pub(crate) fn add_to(&self, options: &mut SandboxOptions) {
        options.packages.splice(..0, self.packages.iter().cloned());
        options.imports.retain(|given| !self.imports.contains(given));
        options.imports.splice(..0, self.imports.iter().cloned());
        options.apt.splice(..0, self.apt.iter().cloned());
        options.wrap.splice(..0, self.wrap.iter().cloned());
        for (name, value) in &self.kwargs {
            options.kwargs.insert(name.clone(), value.clone());
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Additions {
    /// As options of a command line, quoted for a shell.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = |option: &str, values: &[String]| {
            values.iter().map(|value| format!("{option} {}", shell_word(value))).collect::<Vec<_>>()
        };
        let kwargs = self.kwargs.iter().map(|(name, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            format!("{name}={value}")
        });
        let variables = self.variables.iter().map(|(name, value)| format!("{name}={value}"));
        let all = [
            words("-p", &self.packages),
            words("-i", &self.imports),
            words("--apt", &self.apt),
            words("--wrap", &self.wrap),
            words("-k", &kwargs.collect::<Vec<_>>()),
            words("-e", &variables.collect::<Vec<_>>()),
        ];
        f.write_str(&all.concat().join(" "))
    }
}

fn before(text: &str, end: char) -> &str {
    text.split(end).next().unwrap_or_default()
}

fn dedup<T: PartialEq + Clone>(values: &mut Vec<T>) {
    let mut kept: Vec<T> = Vec::new();
    values.retain(|value| {
        let is_new = !kept.contains(value);
        if is_new {
            kept.push(value.clone());
        }
        is_new
    });
}

/// What is missing of a family's requirement: nothing if the user gave the package, and only its extras if the
/// user gave the package without them.
fn missing(requirement: &str, given: &[String]) -> Option<String> {
    let (name, extras) = name_and_extras(requirement);
    let users: Vec<_> = given.iter().filter(|given| is_of(given, &name)).collect();
    if users.is_empty() {
        return Some(requirement.to_owned());
    }
    let has_extra = |extra: &String| users.iter().any(|given| name_and_extras(given).1.contains(extra));
    let left: Vec<String> = extras.into_iter().filter(|extra| !has_extra(extra)).collect();
    // A package from an address may be another version than the index has.
    let is_address = users.iter().any(|given| given.contains("://") || given.contains(" @ "));
    (!left.is_empty() && !is_address).then(|| format!("{name}[{}]", left.join(",")))
}

/// Whether a requirement is for the package `name`: by its name, or by the last part of its address or path.
fn is_of(requirement: &str, name: &str) -> bool {
    let is_name = |text: &str| normalized(text) == name;
    let (own, _) = name_and_extras(requirement);
    if own == name {
        return true;
    }
    let address = before(before(before(requirement, '#'), '?'), ' ');
    let last = address.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let last = before(last, '@');
    let stem = last.trim_end_matches(".git").trim_end_matches(".zip").trim_end_matches(".tar.gz");
    address.contains('/') && (is_name(stem) || is_name(before(stem, '-')))
}

/// The name of a requirement, normalized as in PEP 503, and its extras.
fn name_and_extras(requirement: &str) -> (String, Vec<String>) {
    let end = requirement
        .find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | '.'))
        .unwrap_or(requirement.len());
    let (name, rest) = requirement.split_at(end);
    let extras = rest.trim_start().strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let extras = extras.map(|(extras, _)| extras.split(',').map(|extra| extra.trim().to_owned()).collect());
    (normalized(name), extras.unwrap_or_default())
}

fn normalized(name: &str) -> String {
    let words: Vec<&str> = name.split(['-', '_', '.']).filter(|word| !word.is_empty()).collect();
    words.join("-").to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(env_id: &str, change: impl FnOnce(&mut SandboxOptions)) -> String {
        let mut options = SandboxOptions::default();
        change(&mut options);
        Additions::of(&env_id.parse().unwrap(), &options).to_string()
    }

    fn rendered(options: &mut SandboxOptions) {
        options.kwargs.insert("render_mode".to_owned(), "rgb_array".into());
    }

    #[test]
    fn known_environments_get_what_they_need() {
        for (env_id, flags) in [
            ("CartPole-v1", ""),
            ("MyEnv-v0", ""),
            ("LunarLander-v3", "-p 'gymnasium[box2d]'"),
            ("ALE/Pong-v5", "-p ale-py -i ale_py"),
            ("ale_py:ALE/Pong-v5", "-p ale-py"),
            ("Ant-v5", "-p 'gymnasium[mujoco]'"),
            ("MiniGrid-Empty-5x5-v0", "-p minigrid -i minigrid --wrap minigrid.wrappers:ImgObsWrapper"),
            ("gym_pusht/PushT-v0", "-p gym-pusht -i gym_pusht --apt libxcb1 --apt libgl1 --apt libglib2.0-0"),
        ] {
            assert_eq!(added(env_id, |_| {}), flags, "{env_id}");
        }
        assert_eq!(added("CartPole-v1", rendered), "-p 'gymnasium[classic-control]'");
        assert_eq!(
            added("Ant-v5", rendered),
            "-p 'gymnasium[mujoco]' --apt libegl1 --apt libgl1 -e MUJOCO_GL=egl"
        );
        assert_eq!(added("Ant-v5", |options| options.no_auto = true), "");
    }

    #[test]
    fn what_the_user_gives_wins() {
        let with_packages = |packages: &[&str]| {
            let packages: Vec<String> = packages.iter().map(|text| (*text).to_owned()).collect();
            added("ALE/Pong-v5", |options| options.packages = packages)
        };
        assert_eq!(with_packages(&["numpy<2"]), "-p ale-py -i ale_py");
        for own in [
            "ale_py==0.10",
            "Ale.Py",
            "ale-py @ https://example.com/x.whl",
            "git+https://github.com/o/ale-py.git@v1",
            "https://example.com/ale_py-0.11-cp311-cp311-linux_x86_64.whl",
            "./ale-py",
        ] {
            assert_eq!(with_packages(&[own]), "-i ale_py", "{own}");
        }
        assert_eq!(added("ALE/Pong-v5", |options| options.imports = vec!["ale_py".into()]), "-p ale-py");
        let sokoban = "-i gym_sokoban -i rlmesh_sandbox.openai_gym:register";
        let with_import = |import: &str| {
            added("Sokoban-v0", |options| options.imports = vec![import.to_owned()]).contains(sokoban)
        };
        assert!(with_import("gym_sokoban") && added("gym_sokoban:Sokoban-v0", |_| {}).contains(sokoban));
        let lunar =
            |package: &str| added("LunarLander-v3", |options| options.packages = vec![package.to_owned()]);
        assert_eq!(lunar("gymnasium==1.1"), "-p 'gymnasium[box2d]'");
        assert_eq!(lunar("gymnasium[box2d,other]>=1.0"), "");
        assert_eq!(
            added("gym_pusht/PushT-v0", |options| options.apt = vec!["libgl1=1.6".into()]),
            "-p gym-pusht -i gym_pusht --apt libxcb1 --apt libglib2.0-0"
        );
        assert_eq!(
            added("Meta-World/MT1", |options| {
                options.kwargs.insert("env_name".to_owned(), "pick-place-v3".into());
            })
            .matches("env_name")
            .count(),
            0
        );
    }
}
