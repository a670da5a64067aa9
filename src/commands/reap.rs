//! `reap`: removes what killed runs left behind, or prints what it would remove.

use crate::cli::ReapArgs;
use crate::commands::Session;
use crate::engine::docker::inspection::short;
use crate::error::{Exit, SandboxError};
use crate::output::json::{Action, Treated};
use crate::output::{Format, Output, text};
use crate::sandbox::listing::Sandbox;
use crate::sandbox::orphans::Candidate;
use crate::sandbox::owner::Decision;

pub(super) fn run(args: &ReapArgs, session: &Session) -> Result<Exit, SandboxError> {
    let output = &session.output;
    let found = session.client.orphans()?;
    // JSON is one list, which is printed at the end.
    let mut reported: Vec<(Sandbox, Action, String)> = Vec::new();
    let mut report = |candidate: &Candidate, action, reason: String| {
        if output.format() != Format::Json {
            return print(output, &candidate.sandbox, action, &reason, args.dry_run);
        }
        reported.push((candidate.sandbox.clone(), action, reason));
        Ok(())
    };
    for candidate in &found.containers {
        if let Decision::Keep(reason) = candidate.decision {
            report(candidate, Action::Kept, reason.to_string())?;
        }
    }
    for (folder, engine) in &found.elsewhere {
        let folder = folder.display();
        output
            .note(&format!("keep the run directory {folder}: its container is on another engine ({engine})"));
    }
    let removed = if args.dry_run {
        for candidate in &found.containers {
            if let Decision::Orphan(proof) = candidate.decision {
                report(candidate, Action::WouldRemove, proof.to_string())?;
            }
        }
        for folder in &found.folders {
            output
                .note(&format!("would remove the run directory {}: its run is gone", folder.path.display()));
        }
        Ok(())
    } else {
        let folders = found.folders.len();
        let mut printed = Ok(());
        let removed = found.remove(session.client.docker()?, &mut |candidate| {
            if let (Decision::Orphan(proof), Ok(())) = (candidate.decision, &printed) {
                printed = report(candidate, Action::Removed, proof.to_string());
            }
        });
        if folders > 0 && removed.is_ok() {
            output.note(&format!(
                "removed {folders} run director{} of runs that are gone",
                if folders == 1 { "y" } else { "ies" }
            ));
        }
        removed.and(printed)
    };
    if output.format() == Format::Json {
        let items: Vec<Treated<'_>> = reported
            .iter()
            .map(|(sandbox, action, reason)| Treated::new(sandbox, *action, Some(reason.clone())))
            .collect();
        output.json_list(&items, args.format)?;
    }
    removed.map(|()| Exit::Done)
}

/// Prints the ids of removed containers as the result, and notes with the reasons.
fn print(
    output: &Output,
    sandbox: &Sandbox,
    action: Action,
    reason: &str,
    is_dry: bool,
) -> Result<(), SandboxError> {
    let who = format!("{} ({})", text::one_line(sandbox.name()), short(sandbox.id()));
    match action {
        Action::Kept if is_dry || output.is_verbose() => output.note(&format!("keep {who}: {reason}")),
        Action::Kept => {}
        Action::WouldRemove => {
            output.note(&format!("would remove {who}: {reason}"));
            output.result(sandbox.id())?;
        }
        Action::Removed | Action::Stopped => {
            output.note(&format!("removed {who}: {reason}"));
            output.result(sandbox.id())?;
        }
    }
    Ok(())
}
