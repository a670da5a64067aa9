//! `check`: starts an environment, resets, steps and renders it once, stops it, and prints what was seen.

use std::time::Instant;

use crate::cli::CheckArgs;
use crate::commands::{Session, arguments, dry_run};
use crate::error::{Exit, SandboxError};
use crate::output::{Format, json, text};

pub(super) fn run(args: &CheckArgs, session: Session) -> Result<Exit, SandboxError> {
    let session = session
        .with_settings(|settings, variables| arguments::with_build(settings, &args.image, variables))?;
    let build = arguments::build_options(&args.image, &session.variables)?;
    let sandbox = arguments::sandbox_options(&args.sandbox, &session.variables)?;
    let options = arguments::check_options(args, &session.variables)?;
    let purpose = arguments::purpose(&args.image);
    let on_event = &mut |event| session.output.event(&event);
    let plan = session.client.plan(&args.sandbox.source, sandbox, purpose, on_event)?;
    if args.image.dry_run {
        return dry_run::run(&plan, &build, &session);
    }
    let running = session.client.start(&plan, &build, &options, on_event)?;
    let began = Instant::now();
    running.stop(session.client.docker()?, options.stop_timeout)?;
    let stopped_in = began.elapsed();
    session.output.clear();
    // A signal during the stop ends the command, but not the stop itself.
    session.interrupt.check()?;
    match session.output.format() {
        Format::Json => {
            let source = plan.resolved_source().to_string();
            let checked = json::Checked::new(&running, &source, plan.build_hash(), stopped_in);
            session.output.json(&checked)?;
        }
        Format::Text | Format::Env => session.output.result(&text::checked(&running, stopped_in))?,
    }
    Ok(Exit::Done)
}
