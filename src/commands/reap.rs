//! `reap`: removes what killed runs left behind, or prints what it would remove.

use indicatif::HumanBytes;

use crate::cli::ReapArgs;
use crate::commands::{Session, reap_builders};
use crate::engine::docker::inspection::short;
use crate::error::{Exit, SandboxError};
use crate::hub;
use crate::output::json::{Action, Reaped, ReapedCache};
use crate::output::{Format, Output};
use crate::sandbox::orphans::Candidate;
use crate::sandbox::owner::Decision;
use crate::settings::hub::cache_folder;

pub(super) fn run(args: &ReapArgs, session: &Session) -> Result<Exit, SandboxError> {
    if args.cache || args.builders {
        if args.cache {
            empty_cache(args, session)?;
        }
        if args.builders {
            reap_builders::run(args.older_than, args.dry_run, session)?;
        }
        return Ok(Exit::Done);
    }
    let output = &session.output;
    let found = session.client.orphans()?;
    for candidate in &found.containers {
        if let Decision::Keep(reason) = candidate.decision {
            print(output, candidate, Action::Kept, &reason.to_string(), args.dry_run)?;
        }
    }
    for (folder, engine) in &found.elsewhere {
        let folder = folder.display();
        output
            .note(&format!("keep the run directory {folder}: its container is on another engine ({engine})"));
    }
    if args.dry_run {
        for candidate in &found.containers {
            if let Decision::Orphan(proof) = candidate.decision {
                print(output, candidate, Action::WouldRemove, &proof.to_string(), true)?;
            }
        }
        for folder in &found.folders {
            output
                .note(&format!("would remove the run directory {}: its run is gone", folder.path.display()));
        }
        return Ok(Exit::Done);
    }
    let folders = found.folders.len();
    let mut printed = Ok(());
    found.remove(session.client.docker()?, &mut |candidate| {
        if let (Decision::Orphan(proof), Ok(())) = (candidate.decision, &printed) {
            printed = print(output, candidate, Action::Removed, &proof.to_string(), false);
        }
    })?;
    if folders > 0 {
        output.note(&format!(
            "removed {folders} run director{} of runs that are gone",
            if folders == 1 { "y" } else { "ies" }
        ));
    }
    printed.map(|()| Exit::Done)
}

/// Empties the cache, without running docker.
fn empty_cache(args: &ReapArgs, session: &Session) -> Result<(), SandboxError> {
    let output = &session.output;
    let folder = cache_folder(&session.variables);
    let held = match &folder {
        None => None,
        Some(folder) if args.dry_run => hub::survey(folder)?,
        Some(folder) => hub::clear(folder, &session.interrupt)?,
    };
    let (Some(folder), Some(held)) = (folder, held) else {
        output.note("there is no cache");
        return Ok(());
    };
    let action = match (held.is_in_use, args.dry_run) {
        (true, _) => Action::Kept,
        (false, true) => Action::WouldRemove,
        (false, false) => Action::Removed,
    };
    let folder = folder.display().to_string();
    if output.format() == Format::Json {
        return output.json(&ReapedCache { cache: &folder, action, files: held.files, bytes: held.size });
    }
    let what = format!("{} files, {}", held.files, HumanBytes(held.size));
    match action {
        Action::Kept => output.note(&format!("keep {folder} ({what}): a run is using it")),
        Action::WouldRemove => output.note(&format!("would empty {folder} ({what})")),
        Action::Removed => output.note(&format!("emptied {folder} ({what})")),
    }
    if !matches!(action, Action::Kept) && held.files > 0 {
        output.result(&folder)?;
    }
    Ok(())
}

/// Prints the ids of removed containers as the result, and notes with the reasons. JSON includes all
/// containers.
fn print(
    output: &Output,
    candidate: &Candidate,
    action: Action,
    reason: &str,
    is_dry: bool,
) -> Result<(), SandboxError> {
    let container = &candidate.container;
    let who = format!("{} ({})", container.name(), short(&container.id));
    if output.format() == Format::Json {
        return output.json(&Reaped {
            id: &container.id,
            name: container.name(),
            action,
            reason: reason.to_owned(),
        });
    }
    match action {
        Action::Kept if is_dry || output.is_verbose() => output.note(&format!("keep {who}: {reason}")),
        Action::Kept => {}
        Action::WouldRemove => {
            output.note(&format!("would remove {who}: {reason}"));
            output.result(&container.id)?;
        }
        Action::Removed => {
            output.note(&format!("removed {who}: {reason}"));
            output.result(&container.id)?;
        }
    }
    Ok(())
}
