//! Reads what a dead container or a failed build left behind, and says what happened and what the user can do: pure text in, text out.

pub(crate) mod build;
pub(crate) mod ceiling;
pub(crate) mod startup;

/// What stands between the first `start` and the next `end`.
fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    rest.split_once(end).map(|(found, _)| found)
}
