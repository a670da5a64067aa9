//! The process's environment variables as a value, read once at the start; it gives them no meaning but the folders that they name.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use crate::error::{Problem, SandboxError};

/// The process's environment variables as a value: read here and nowhere else, so that a test passes a map.
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
            return Err(SandboxError::InvalidOption(Problem::new(
                format!("{name} is not valid UTF-8"),
                format!("set {name} to plain text"),
            )));
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

    /// The program's own folder for what is worth keeping and belongs to nobody's project, such as logs:
    /// `$XDG_STATE_HOME/rlmesh-sandbox`, else `~/.local/state/rlmesh-sandbox`; `None` where there is no home.
    pub(crate) fn state_folder(&self) -> Option<PathBuf> {
        let state = self.path("XDG_STATE_HOME").filter(|path| path.is_absolute());
        let state = state.or_else(|| self.path("HOME").map(|home| home.join(".local/state")))?;
        Some(state.join("rlmesh-sandbox"))
    }

    /// Where temporary folders go: TMPDIR, else the system's own place.
    pub(crate) fn temp_dir(&self) -> PathBuf {
        self.path("TMPDIR").unwrap_or_else(|| {
            if cfg!(target_os = "macos") { std::env::temp_dir() } else { PathBuf::from("/tmp") }
        })
    }

    /// Where this program keeps what can be had again: `rlmesh-sandbox` in XDG_CACHE_HOME, else in `~/.cache`.
    /// A relative XDG_CACHE_HOME counts as unset, as its specification says.
    pub(crate) fn cache_folder(&self) -> Option<PathBuf> {
        let caches = self
            .path("XDG_CACHE_HOME")
            .filter(|folder| folder.is_absolute())
            .or_else(|| Some(self.path("HOME")?.join(".cache")))?;
        Some(caches.join("rlmesh-sandbox"))
    }
}

impl<K: Into<OsString>, V: Into<OsString>> FromIterator<(K, V)> for Variables {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(variables: I) -> Self {
        Self { variables: variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect() }
    }
}
