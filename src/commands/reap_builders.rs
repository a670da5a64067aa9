//! `reap --builders`: removes builders with a memory limit that no build has used for a while.

use std::time::Duration;

use indicatif::HumanBytes;

use crate::commands::Session;
use crate::error::{Exit, SandboxError};
use crate::image::memory_limit::prune::{self, Decision, FoundBuilder};
use crate::output::json::{Action, ReapedBuilder};
use crate::output::{Format, Output};

pub(super) fn run(older_than: Duration, is_dry: bool, session: &Session) -> Result<Exit, SandboxError> {
    let docker = session.client.docker()?;
    let cache = session.client.settings().needed_cache_folder()?;
    let mut freed = 0;
    for mut builder in prune::find_builders(docker, cache, older_than)? {
        let action = match builder.decision {
            Decision::Keep => Action::Kept,
            Decision::Remove if is_dry => Action::WouldRemove,
            Decision::Remove if prune::remove_builder(docker, &builder.name, cache)? => Action::Removed,
            Decision::Remove => {
                prune::IN_USE.clone_into(&mut builder.reason);
                Action::Kept
            }
        };
        if !matches!(action, Action::Kept) {
            freed += builder.bytes.unwrap_or_default();
        }
        print(&session.output, &builder, action, is_dry)?;
    }
    if freed > 0 {
        let verb = if is_dry { "would give back" } else { "gave back" };
        session.output.note(&format!("{verb} {}", HumanBytes(freed)));
    }
    Ok(Exit::Done)
}

/// The names of removed builders are the result; why, and what stays, is for people. JSON has all of it.
fn print(output: &Output, builder: &FoundBuilder, action: Action, is_dry: bool) -> Result<(), SandboxError> {
    let FoundBuilder { name, bytes, reason, .. } = builder;
    if output.format() == Format::Json {
        return output.json(&ReapedBuilder { builder: name, action, reason, bytes: *bytes });
    }
    let size = bytes.map_or("unknown size".to_owned(), |bytes| HumanBytes(bytes).to_string());
    let note = |verb: &str| output.note(&format!("{verb} {name} ({size}): {reason}"));
    match action {
        Action::Kept if is_dry || output.is_verbose() => note("keep"),
        Action::Kept => {}
        Action::WouldRemove => {
            note("would remove");
            output.result(name)?;
        }
        Action::Removed => {
            note("removed");
            output.result(name)?;
        }
    }
    Ok(())
}
