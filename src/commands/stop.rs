//! `stop`: ends sandboxes by name, and removes them.

use crate::cli::StopArgs;
use crate::commands::Session;
use crate::error::{Exit, SandboxError};
use crate::output::{Format, json};
use crate::sandbox::stop::{self, Which};
use crate::settings::sandbox::parse_duration;

pub(super) fn run(args: &StopArgs, session: &Session) -> Result<Exit, SandboxError> {
    let grace = parse_duration("timeout (--timeout)", &args.timeout)?;
    let which = if args.all { Which::All } else { Which::These(args.containers.clone()) };
    let stopped = stop::stop(&session.docker()?, &which, grace)?;
    for name in &stopped.missing {
        session.report.note(&format!("there is no container {name}: nothing to stop"));
    }
    for container in &stopped.containers {
        match session.report.format() {
            Format::Json => {
                session.report.json(&json::Stopped { id: &container.id, name: container.name() })?;
            }
            Format::Text | Format::Env => session.report.result(&container.id)?,
        }
    }
    if args.all && stopped.containers.is_empty() {
        session.report.note("there are no sandboxes");
    }
    Ok(Exit::Done)
}
