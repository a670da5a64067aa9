//! `build`: makes sure that the engine has the image of a source, and prints its tag.

use crate::cli::BuildArgs;
use crate::commands::{Session, arguments, dry_run};
use crate::error::{Exit, Problem, SandboxError};
use crate::output::{Format, json};

pub(super) fn run(args: &BuildArgs, session: Session) -> Result<Exit, SandboxError> {
    let publish = arguments::publish_options(&args.publish);
    let build = arguments::build_options(&args.image, &session.variables)?;
    let options = arguments::sandbox_options(&args.sandbox, &session.variables)?;
    let session = session
        .with_settings(|settings, variables| arguments::with_build(settings, &args.image, variables))?;
    let purpose = arguments::purpose(&args.image);
    let on_event = &mut |event| session.output.event(&event);
    let plan = session.client.plan(&args.sandbox.source, options, purpose, on_event)?;
    if plan.build().is_none() {
        return Err(SandboxError::InvalidSource(Problem::new(
            "a prebuilt image cannot be built",
            "use a Gymnasium id or hf://org/repo@commit; to start a prebuilt image, use `rlmesh-sandbox run image://REF`",
        )));
    }
    if args.image.dry_run {
        return dry_run::run(&plan, &build, &session);
    }
    let image = session.client.build(&plan, &build, &publish, on_event)?;
    session.output.clear();
    if image.built_in.is_none() {
        let mut note = "the image already exists; use --rebuild to build it again".to_owned();
        if !publish.labels.is_empty() || !publish.cache_to.is_empty() {
            note += " (--label and --cache-to only take effect in a build)";
        }
        session.output.note(&note);
    }
    match session.output.format() {
        Format::Json => {
            let source = plan.resolved_source().to_string();
            session.output.json(&json::Built::new(&image, &source, plan.build_hash()))?;
        }
        Format::Text | Format::Env => session.output.result(&image.tag)?,
    }
    Ok(Exit::Done)
}
