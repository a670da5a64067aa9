//! `stop`: stops sandboxes and removes their containers.

use crate::cli::StopArgs;
use crate::commands::Session;
use crate::error::{Exit, SandboxError};
use crate::host::process::Host;
use crate::output::Format;
use crate::output::json::{Action, Treated};
use crate::sandbox::listing::Sandbox;
use crate::sandbox::stop::{Which, parent};

pub(super) fn run(args: &StopArgs, session: &Session) -> Result<Exit, SandboxError> {
    let output = &session.output;
    let which = match args.sandboxes[..] {
        [] if args.mine => Which::Mine,
        [] => Which::All,
        _ => Which::These { texts: args.sandboxes.clone(), are_several_allowed: args.all },
    };
    let chosen = session.client.choose(&which)?;
    for id in &chosen.gone {
        output.note(&format!("there is no sandbox {id}"));
    }
    if which == Which::All && !args.yes && !confirm(&chosen.sandboxes, session)? {
        output.note("nothing was stopped");
        return Ok(Exit::Failure);
    }
    session.client.stop(&chosen.sandboxes, args.timeout)?;
    if output.format() == Format::Json {
        let stopped: Vec<Treated<'_>> =
            chosen.sandboxes.iter().map(|sandbox| Treated::new(sandbox, Action::Stopped, None)).collect();
        output.json_list(&stopped, args.format)?;
        return Ok(Exit::Done);
    }
    for sandbox in &chosen.sandboxes {
        output.result(sandbox.id())?;
    }
    if args.sandboxes.is_empty() && chosen.sandboxes.is_empty() {
        output.note(if args.mine { "there are no sandboxes of yours" } else { "there are no sandboxes" });
    }
    Ok(Exit::Done)
}

/// Asks on a terminal if some of the sandboxes belong to other processes.
fn confirm(sandboxes: &[Sandbox], session: &Session) -> Result<bool, SandboxError> {
    let (here, parent) = (Host::here(), parent());
    let others = sandboxes.iter().filter(|sandbox| !sandbox.is_mine(&here, parent)).count();
    if others == 0 || !session.can_ask() {
        return Ok(true);
    }
    let all = sandboxes.len();
    let belong = if others == 1 {
        "1 belongs to another process"
    } else {
        &format!("{others} belong to other processes")
    };
    session
        .output
        .note(&format!("of {all} sandboxes, {belong}; `stop --mine` leaves out those of other processes"));
    session.confirm(&format!("stop all {all}?"))
}
