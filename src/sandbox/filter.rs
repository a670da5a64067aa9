//! The conditions of `ps --filter`.

use crate::error::InvalidValue;
use crate::sandbox::listing::{OwnerState, Sandbox};

/// One condition: `source=CartPole`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(not(feature = "cli"), allow(unreachable_pub))]
pub struct Filter {
    key: Key,
    value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Source,
    Name,
    Image,
    State,
    Owner,
}

const KEYS: [(&str, Key); 6] = [
    ("source", Key::Source),
    ("name", Key::Name),
    ("image", Key::Image),
    ("state", Key::State),
    // Docker's name for it.
    ("status", Key::State),
    ("owner", Key::Owner),
];

/// Parses `KEY=VALUE`.
///
/// # Errors
/// [`InvalidValue`].
pub(crate) fn filter(text: &str) -> Result<Filter, InvalidValue> {
    const HINT: &str = "use source=TEXT, name=TEXT or image=TEXT (a part is enough), state=running, or owner=none|alive|gone|unknown|PID";
    let (key, value) = text.split_once('=').ok_or_else(|| InvalidValue::new("it has no `=`", HINT))?;
    let (key, value) = (key.trim().to_ascii_lowercase(), value.trim().to_ascii_lowercase());
    let key = KEYS.iter().find(|(name, _)| *name == key).map(|(_, key)| *key);
    let key = key.ok_or_else(|| InvalidValue::new("there is no filter of that name", HINT))?;
    let is_owner =
        ["none", "alive", "gone", "unknown"].contains(&value.as_str()) || value.parse::<u32>().is_ok();
    if value.is_empty() || key == Key::Owner && !is_owner {
        return Err(InvalidValue::new("it has no valid value", HINT));
    }
    Ok(Filter { key, value })
}

/// Whether a sandbox meets the conditions: those with the same key are alternatives, and all keys must be met.
pub(crate) fn is_wanted(sandbox: &Sandbox, filters: &[Filter]) -> bool {
    filters.iter().all(|one| {
        filters.iter().filter(|other| other.key == one.key).any(|alternative| alternative.is_met(sandbox))
    })
}

impl Filter {
    fn is_met(&self, sandbox: &Sandbox) -> bool {
        let contains = |text: &str| text.to_ascii_lowercase().contains(&self.value);
        match self.key {
            Key::Source => sandbox.source().is_some_and(contains),
            Key::Name => contains(sandbox.name()),
            Key::Image => contains(&sandbox.container.config.image),
            Key::State => sandbox.container.state.status == self.value,
            Key::Owner => match sandbox.owner {
                OwnerState::None => self.value == "none",
                OwnerState::Alive(pid) => self.value == "alive" || self.value == pid.to_string(),
                OwnerState::Gone(pid) => self.value == "gone" || self.value == pid.to_string(),
                OwnerState::Unknown(pid) => self.value == "unknown" || self.value == pid.to_string(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::listing::samples::sandbox;

    #[test]
    fn filters_with_the_same_key_are_alternatives() {
        let cartpole = sandbox("1", "rlmesh-sandbox-cartpole-v1-ab3f", "gym://CartPole-v1", 1);
        let owned = Sandbox { owner: OwnerState::Alive(42), ..cartpole.clone() };
        let is_wanted = |sandbox: &Sandbox, filters: &[&str]| {
            let filters: Vec<Filter> = filters.iter().map(|text| filter(text).unwrap()).collect();
            is_wanted(sandbox, &filters)
        };
        assert!(is_wanted(&cartpole, &[]));
        assert!(is_wanted(&cartpole, &["source=cartpole", "state=running", "owner=none"]));
        assert!(is_wanted(&cartpole, &["source=Ant", "source=CartPole", "STATUS=running"]));
        assert!(!is_wanted(&cartpole, &["source=CartPole", "state=exited"]));
        assert!(!is_wanted(&cartpole, &["owner=alive", "owner=gone"]));
        assert!(is_wanted(&owned, &["owner=42"]) && !is_wanted(&owned, &["owner=43"]));
    }

    #[test]
    fn a_filter_needs_a_known_key_and_a_value() {
        for text in ["", "source", "source=", "label=x", "owner=me"] {
            assert!(filter(text).is_err(), "{text}");
        }
    }
}
