//! `hash`: the build hash of a source, without Docker.

use crate::cli::HashArgs;
use crate::commands::{Session, arguments};
use crate::error::{Exit, Problem, SandboxError};
use crate::output::{Format, json};
use crate::plan::resolve::Purpose;

pub(super) fn run(args: &HashArgs, session: Session) -> Result<Exit, SandboxError> {
    let session = session.with_settings(arguments::with_hub)?;
    let options = arguments::sandbox_options(&args.sandbox, &session.variables)?;
    let on_event = &mut |event| session.output.event(&event);
    let plan = session.client.plan(&args.sandbox.source, options, Purpose::Hash, on_event)?;
    session.output.clear();
    let Some(hash) = plan.build_hash() else {
        return Err(SandboxError::InvalidSource(Problem::new(
            "a prebuilt image is not built, and has no build hash",
            "name a Gymnasium id or hf://org/repo@commit",
        )));
    };
    let tag = plan.image_name();
    match session.output.format() {
        Format::Json => session.output.json(&json::Hashed {
            source: &plan.resolved_source().to_string(),
            build_hash: &hash,
            image: &tag,
        })?,
        Format::Text | Format::Env => session.output.result(if args.tag { &tag } else { &hash })?,
    }
    Ok(Exit::Done)
}
