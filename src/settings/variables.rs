//! The process's environment variables, read once at the start.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use crate::error::{InvalidValue, SandboxError, invalid_option};
use crate::host::waits::Waits;

/// The options whose defaults are variables.
pub(crate) const DEFAULTS: [(&str, &str); 6] = [
    ("--base-image", "RLMESH_SANDBOX_BASE_IMAGE"),
    ("--rlmesh-package", "RLMESH_SANDBOX_RLMESH_PACKAGE"),
    ("--build-memory", "RLMESH_SANDBOX_BUILD_MEMORY"),
    ("--max-source-size", "RLMESH_SANDBOX_MAX_SOURCE_SIZE"),
    ("--ca-cert", "RLMESH_SANDBOX_CA_CERT"),
    ("--docker", "RLMESH_SANDBOX_DOCKER"),
];

/// The other variables of this program. The last three are set for the command of `run … -- COMMAND`.
const OTHERS: [&str; 5] = [
    "RLMESH_SANDBOX_CACHE_LIMIT",
    "RLMESH_SANDBOX_TEST_WAITS",
    "RLMESH_SANDBOX_ADDRESS",
    "RLMESH_SANDBOX_CONTAINER_ID",
    "RLMESH_SANDBOX_IMAGE",
];

/// The names of all variables of this program.
pub(crate) fn known() -> impl Iterator<Item = &'static str> {
    DEFAULTS.iter().map(|(_, variable)| *variable).chain(OTHERS)
}

/// Environment variables as a value, so that tests can pass their own.
#[derive(Debug, Clone, Default)]
pub struct Variables {
    variables: BTreeMap<OsString, OsString>,
}

impl Variables {
    /// The variables of this process.
    pub fn of_this_process() -> Self {
        std::env::vars_os().collect()
    }

    /// A variable's trimmed text. A blank variable counts as unset.
    ///
    /// # Errors
    /// [`SandboxError::InvalidOption`] if the value is not UTF-8.
    pub fn text(&self, name: &str) -> Result<Option<&str>, SandboxError> {
        let Some(value) = self.variables.get(&OsString::from(name)) else { return Ok(None) };
        let Some(value) = value.to_str() else {
            return Err(invalid_option(
                format!("{name} is not valid UTF-8"),
                format!("set {name} to valid UTF-8"),
            ));
        };
        Ok(Some(value.trim()).filter(|value| !value.is_empty()))
    }

    /// A variable's value as it is, which may be empty or blank; `None` if it is unset.
    ///
    /// # Errors
    /// [`SandboxError::InvalidOption`] if the value is not UTF-8.
    pub(crate) fn exact(&self, name: &str) -> Result<Option<String>, SandboxError> {
        // `text` reports what is not valid.
        self.text(name)?;
        let value = self.variables.get(&OsString::from(name));
        Ok(value.map(|value| value.to_string_lossy().into_owned()))
    }

    /// A variable as a path. A blank variable counts as unset.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        let value = self.variables.get(&OsString::from(name))?;
        (!value.to_string_lossy().trim().is_empty()).then(|| PathBuf::from(value))
    }

    /// The names of all variables, except those that are not valid UTF-8.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.keys().filter_map(|name| name.to_str())
    }

    /// The variables that have a name like those of this program, but are none of them.
    pub(crate) fn unknown(&self) -> impl Iterator<Item = &str> {
        self.names()
            .filter(|name| name.starts_with("RLMESH_SANDBOX_") && !known().any(|known| known == *name))
    }

    /// Whether a variable is set and not empty, which is how NO_COLOR is defined.
    pub fn is_set(&self, name: &str) -> bool {
        self.variables.get(&OsString::from(name)).is_some_and(|value| !value.is_empty())
    }

    /// A variable's parsed value; `None` if it is unset or blank.
    ///
    /// # Errors
    /// [`SandboxError::InvalidOption`], which names the variable.
    pub(crate) fn parsed<T>(
        &self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, InvalidValue>,
    ) -> Result<Option<T>, SandboxError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        parse(text)
            .map(Some)
            .map_err(|invalid| invalid_option(format!("{name} {text:?}: {}", invalid.reason), invalid.hint))
    }

    /// How long to wait for other processes. RLMESH_SANDBOX_TEST_WAITS, a factor such as 0.05 for every wait, is
    /// only for this project's own tests.
    ///
    /// # Errors
    /// [`SandboxError::InvalidOption`] unless the factor is a number above 0, up to 1000.
    pub(crate) fn waits(&self) -> Result<Waits, SandboxError> {
        let factor = self.parsed("RLMESH_SANDBOX_TEST_WAITS", |text| {
            let factor = text.parse().ok().filter(|factor| *factor > 0.0 && *factor <= 1000.0);
            factor.ok_or_else(|| InvalidValue::new("it is not a factor", "use a number above 0, up to 1000"))
        })?;
        Ok(factor.map_or_else(Waits::default, Waits::scaled))
    }

    /// This program's folder for logs: `$XDG_STATE_HOME/rlmesh-sandbox`, or else
    /// `~/.local/state/rlmesh-sandbox`; `None` without a home folder. A relative XDG_STATE_HOME is ignored,
    /// as its specification requires.
    pub(crate) fn state_folder(&self) -> Option<PathBuf> {
        self.own_folder("XDG_STATE_HOME", ".local/state")
    }

    /// This program's folder for files that can be downloaded again: `$XDG_CACHE_HOME/rlmesh-sandbox`, or
    /// else `~/.cache/rlmesh-sandbox`; `None` without a home folder.
    pub(crate) fn cache_folder(&self) -> Option<PathBuf> {
        self.own_folder("XDG_CACHE_HOME", ".cache")
    }

    fn own_folder(&self, variable: &str, below_home: &str) -> Option<PathBuf> {
        let parent = self.path(variable).filter(|folder| folder.is_absolute());
        let parent = parent.or_else(|| self.path("HOME").map(|home| home.join(below_home)))?;
        Some(parent.join("rlmesh-sandbox"))
    }

    /// The folder for temporary folders: TMPDIR, or else the system's default.
    pub(crate) fn temp_folder(&self) -> PathBuf {
        self.path("TMPDIR").unwrap_or_else(|| {
            if cfg!(target_os = "macos") { std::env::temp_dir() } else { PathBuf::from("/tmp") }
        })
    }
}

impl<K: Into<OsString>, V: Into<OsString>> FromIterator<(K, V)> for Variables {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(variables: I) -> Self {
        Self { variables: variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_scaled_by_a_factor_alone() {
        let waits = |factor: &str| Variables::from_iter([("RLMESH_SANDBOX_TEST_WAITS", factor)]).waits();
        assert_eq!(Variables::default().waits().unwrap(), Waits::default());
        assert_eq!(waits("0.5").unwrap().termination, Waits::default().termination / 2);
        for wrong in ["soon", "0", "-1", "1001", "inf", "nan"] {
            assert!(waits(wrong).unwrap_err().to_string().contains("RLMESH_SANDBOX_TEST_WAITS"), "{wrong}");
        }
    }
}
