//! The process's environment variables as a value, read once at the start.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use crate::error::{InvalidValue, SandboxError, invalid_option};

/// Environment variables as a value, so that a test can pass a map.
#[derive(Debug, Clone, Default)]
pub struct Variables {
    variables: BTreeMap<OsString, OsString>,
}

impl Variables {
    /// The variables of this process.
    pub fn of_this_process() -> Self {
        std::env::vars_os().collect()
    }

    /// A variable's trimmed text; a blank one counts as unset.
    ///
    /// # Errors
    /// [`SandboxError::InvalidOption`] where the value is not UTF-8.
    pub fn text(&self, name: &str) -> Result<Option<&str>, SandboxError> {
        let Some(value) = self.variables.get(&OsString::from(name)) else { return Ok(None) };
        let Some(value) = value.to_str() else {
            return Err(invalid_option(
                format!("{name} is not valid UTF-8"),
                format!("set {name} to plain text"),
            ));
        };
        Ok(Some(value.trim()).filter(|value| !value.is_empty()))
    }

    /// A variable as a path; a blank one counts as unset.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        let value = self.variables.get(&OsString::from(name))?;
        (!value.to_string_lossy().trim().is_empty()).then(|| PathBuf::from(value))
    }

    /// The names of all variables that are text.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.keys().filter_map(|name| name.to_str())
    }

    /// Whether a variable is set to anything at all, as NO_COLOR is meant to be read.
    pub fn is_set(&self, name: &str) -> bool {
        self.variables.get(&OsString::from(name)).is_some_and(|value| !value.is_empty())
    }

    /// A variable's value, parsed; `None` where it is unset or blank.
    ///
    /// # Errors
    /// [`SandboxError::InvalidOption`], which names the variable.
    pub(crate) fn parsed<T>(
        &self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, InvalidValue>,
    ) -> Result<Option<T>, SandboxError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        parse(text).map(Some).map_err(|invalid| {
            invalid_option(format!("{name} is {text:?}: {}", invalid.reason), invalid.hint)
        })
    }

    /// This program's folder for logs: `$XDG_STATE_HOME/rlmesh-sandbox`, else `~/.local/state/rlmesh-sandbox`;
    /// `None` where there is no home. A relative XDG_STATE_HOME counts as unset, as its specification says.
    pub(crate) fn state_folder(&self) -> Option<PathBuf> {
        self.own_folder("XDG_STATE_HOME", ".local/state")
    }

    /// This program's folder for what can be downloaded again: `$XDG_CACHE_HOME/rlmesh-sandbox`, else
    /// `~/.cache/rlmesh-sandbox`; `None` where there is no home.
    pub(crate) fn cache_folder(&self) -> Option<PathBuf> {
        self.own_folder("XDG_CACHE_HOME", ".cache")
    }

    fn own_folder(&self, variable: &str, below_home: &str) -> Option<PathBuf> {
        let parent = self.path(variable).filter(|folder| folder.is_absolute());
        let parent = parent.or_else(|| self.path("HOME").map(|home| home.join(below_home)))?;
        Some(parent.join("rlmesh-sandbox"))
    }

    /// Where temporary folders go: TMPDIR, else the system's own place.
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
