//! What variables say about the terminal.

use crate::settings::variables::Variables;

/// How text may be shown on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Terminal {
    /// Whether the user wants no colours (NO_COLOR set to anything).
    pub(crate) no_color: bool,
    /// Whether it can neither move its cursor nor show colours (TERM=dumb).
    pub(crate) is_dumb: bool,
}

impl Terminal {
    pub(crate) fn from_variables(variables: &Variables) -> Self {
        Self {
            no_color: variables.is_set("NO_COLOR"),
            is_dumb: variables.text("TERM").ok().flatten() == Some("dumb"),
        }
    }
}
