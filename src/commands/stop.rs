//! `stop`: ends sandboxes by name, and removes them.

use crate::cli::StopArgs;
use crate::commands::Session;
use crate::error::{Exit, SandboxError};
use crate::output::{Format, json};
use crate::sandbox::stop::Which;

pub(super) fn run(args: &StopArgs, session: &Session) -> Result<Exit, SandboxError> {
    let which = if args.all { Which::All } else { Which::These(args.containers.clone()) };
    let stopped = session.client.stop(&which, args.timeout)?;
    for name in &stopped.missing {
        session.output.note(&format!("there is no container {name}: nothing to stop"));
    }
    for container in &stopped.containers {
        match session.output.format() {
            Format::Json => {
                session.output.json(&json::Stopped { id: &container.id, name: container.name() })?;
            }
            Format::Text | Format::Env => session.output.result(&container.id)?,
        }
    }
    if args.all && stopped.containers.is_empty() {
        session.output.note("there are no sandboxes");
    }
    Ok(Exit::Done)
}
