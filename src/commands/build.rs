//! `build`: makes sure that the image of a source is there, and prints its tag.

use crate::cli::BuildArgs;
use crate::commands::Session;
use crate::error::{Exit, Problem, SandboxError};
use crate::image::{self, Rebuild};
use crate::plan::Consent;
use crate::report::{Format, json};
use crate::spec::Plan;

pub(super) fn run(args: &BuildArgs, session: &Session) -> Result<Exit, SandboxError> {
    let plan = session.plan(&args.sandbox, Consent::ToRun)?;
    let Plan::Build(spec) = &plan else {
        return Err(SandboxError::InvalidSource(Problem::new(
            "a prebuilt image is not built",
            "name a Gymnasium id or hf://org/repo@commit; `run` takes image://REF as it is",
        )));
    };
    let docker = session.docker()?;
    let image =
        image::ensure(&docker, &plan, rebuild(args.image.rebuild), &session.environment, &mut |stage| {
            session.report.stage(&stage);
        })?;
    session.report.clear();
    if image.built_in.is_none() {
        session.report.note("the image is there already; --rebuild builds it again");
    }
    match session.report.format() {
        Format::Json => {
            let source = plan.resolved_source();
            session.report.json(&json::Built::new(&image, &source, Some(spec.build_hash())))?;
        }
        Format::Text | Format::Env => session.report.result(&image.tag)?,
    }
    Ok(Exit::Done)
}

/// The flag as what it means.
pub(super) fn rebuild(is_asked_for: bool) -> Rebuild {
    if is_asked_for { Rebuild::Always } else { Rebuild::IfMissing }
}
