//! `reap`: removes what killed runs left behind, or says what it would remove.

use indicatif::HumanBytes;

use crate::cli::ReapArgs;
use crate::commands::{Session, reap_builders};
use crate::engine::docker::inspection::short;
use crate::error::{Exit, SandboxError};
use crate::hub;
use crate::output::json::{Action, Reaped, ReapedCache};
use crate::output::{Format, Report};
use crate::sandbox::orphans::{self, Care, Judged};
use crate::sandbox::owner::Verdict;

pub(super) fn run(args: &ReapArgs, session: &Session) -> Result<Exit, SandboxError> {
    if args.cache || args.builders {
        if args.cache {
            empty_cache(args, session)?;
        }
        if args.builders {
            reap_builders::run(&args.older_than, args.dry_run, session)?;
        }
        return Ok(Exit::Done);
    }
    let docker = session.docker()?;
    let report = &session.report;
    let found = orphans::look(&docker, &session.variables, Care::Thorough)?;
    for judged in &found.containers {
        if let Verdict::Keep(reason) = judged.verdict {
            tell(report, judged, Action::Kept, &reason.to_string(), args.dry_run)?;
        }
    }
    if args.dry_run {
        for judged in &found.containers {
            if let Verdict::Orphan(proof) = judged.verdict {
                tell(report, judged, Action::WouldRemove, &proof.to_string(), true)?;
            }
        }
        for folder in &found.folders {
            report.note(&format!("would remove the folder {}: its run is gone", folder.path.display()));
        }
        return Ok(Exit::Done);
    }
    let folders = found.folders.len();
    let mut on_event = Ok(());
    found.remove(&docker, &mut |judged| {
        if let (Verdict::Orphan(proof), Ok(())) = (judged.verdict, &on_event) {
            on_event = tell(report, judged, Action::Removed, &proof.to_string(), false);
        }
    })?;
    if folders > 0 {
        report.note(&format!(
            "removed {folders} temporary folder{} of runs that are gone",
            if folders == 1 { "" } else { "s" }
        ));
    }
    on_event.map(|()| Exit::Done)
}

/// The cache belongs to no engine, and docker is not asked.
fn empty_cache(args: &ReapArgs, session: &Session) -> Result<(), SandboxError> {
    let report = &session.report;
    let held = if args.dry_run { hub::survey(&session.variables) } else { hub::clear(&session.variables)? };
    let Some(held) = held else {
        report.note("there is no cache");
        return Ok(());
    };
    let action = match (held.is_in_use, args.dry_run) {
        (true, _) => Action::Kept,
        (false, true) => Action::WouldRemove,
        (false, false) => Action::Removed,
    };
    let folder = held.folder.display().to_string();
    if report.format() == Format::Json {
        return report.json(&ReapedCache { cache: &folder, action, files: held.files, bytes: held.size });
    }
    let what = format!("{} files, {}", held.files, HumanBytes(held.size));
    match action {
        Action::Kept => report.note(&format!("keep {folder} ({what}): a run is using it")),
        Action::WouldRemove => report.note(&format!("would empty {folder} ({what})")),
        Action::Removed => report.note(&format!("emptied {folder} ({what})")),
    }
    if !matches!(action, Action::Kept) && held.files > 0 {
        report.result(&folder)?;
    }
    Ok(())
}

/// Ids that go are the result; why, and what stays, is for people. JSON has it all.
fn tell(
    report: &Report,
    judged: &Judged,
    action: Action,
    reason: &str,
    is_dry: bool,
) -> Result<(), SandboxError> {
    let container = &judged.container;
    let who = format!("{} ({})", container.name(), short(&container.id));
    if report.format() == Format::Json {
        return report.json(&Reaped {
            id: &container.id,
            name: container.name(),
            action,
            reason: reason.to_owned(),
        });
    }
    match action {
        Action::Kept if is_dry || report.is_verbose() => report.note(&format!("keep {who}: {reason}")),
        Action::Kept => {}
        Action::WouldRemove => {
            report.note(&format!("would remove {who}: {reason}"));
            report.result(&container.id)?;
        }
        Action::Removed => {
            report.note(&format!("removed {who}: {reason}"));
            report.result(&container.id)?;
        }
    }
    Ok(())
}
