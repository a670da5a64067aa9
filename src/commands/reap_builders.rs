//! `reap --builders`: removes builders with a memory limit that no build has used for a while.

use std::time::Duration;

use indicatif::HumanBytes;

use crate::commands::Session;
use crate::error::{Exit, SandboxError};
use crate::image::memory_limit::prune::{self, Decision, FoundBuilder};
use crate::output::json::{Action, ReapedBuilder};
use crate::output::{Format, Report};
use crate::settings::sandbox::parse_duration_within;

/// How long ago the last use may have to be.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Removes builders that have not been used for the time in `older_than`.
///
/// # Errors
/// InvalidOption, Docker, System, Interrupted.
pub(super) fn run(older_than: &str, is_dry: bool, session: &Session) -> Result<Exit, SandboxError> {
    let older_than = parse_duration_within("older_than (--older-than)", older_than, LONGEST)?;
    let docker = session.docker()?;
    let cache = session.variables.cache_folder();
    let mut freed = 0;
    for mut builder in prune::find_builders(&docker, cache.as_deref(), older_than)? {
        let action = match builder.decision {
            Decision::Keep => Action::Kept,
            Decision::Remove if is_dry => Action::WouldRemove,
            Decision::Remove if prune::remove_builder(&docker, &builder.name, cache.as_deref())? => {
                Action::Removed
            }
            Decision::Remove => {
                prune::IN_USE.clone_into(&mut builder.reason);
                Action::Kept
            }
        };
        if !matches!(action, Action::Kept) {
            freed += builder.bytes.unwrap_or_default();
        }
        print(&session.report, &builder, action, is_dry)?;
    }
    if freed > 0 {
        let verb = if is_dry { "would give back" } else { "gave back" };
        session.report.note(&format!("{verb} {}", HumanBytes(freed)));
    }
    Ok(Exit::Done)
}

/// The names of removed builders are the result; why, and what stays, is for people. JSON has all of it.
fn print(report: &Report, builder: &FoundBuilder, action: Action, is_dry: bool) -> Result<(), SandboxError> {
    let FoundBuilder { name, bytes, reason, .. } = builder;
    if report.format() == Format::Json {
        return report.json(&ReapedBuilder { builder: name, action, reason, bytes: *bytes });
    }
    let size = bytes.map_or("unknown size".to_owned(), |bytes| HumanBytes(bytes).to_string());
    let note = |verb: &str| report.note(&format!("{verb} {name} ({size}): {reason}"));
    match action {
        Action::Kept if is_dry || report.is_verbose() => note("keep"),
        Action::Kept => {}
        Action::WouldRemove => {
            note("would remove");
            report.result(name)?;
        }
        Action::Removed => {
            note("removed");
            report.result(name)?;
        }
    }
    Ok(())
}
