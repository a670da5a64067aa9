//! `build`: makes sure that the image of a source is there, and prints its tag.

use crate::cli::BuildArgs;
use crate::commands::{Session, dry_run};
use crate::error::{Exit, Problem, SandboxError};
use crate::image::{self, Known};
use crate::output::{Format, json};
use crate::plan::Plan;
use crate::plan::resolve::Consent;
use crate::settings::build::BuildOptions;

pub(super) fn run(args: &BuildArgs, session: &Session) -> Result<Exit, SandboxError> {
    let build = BuildOptions::from_args(&args.image, &session.variables)?;
    let plan = match args.image.dry_run {
        true => session.plan_to_show(&args.sandbox)?,
        false => session.plan(&args.sandbox, Consent::ToRun)?,
    };
    let Plan::Build(spec) = &plan else {
        return Err(SandboxError::InvalidSource(Problem::new(
            "a prebuilt image is not built",
            "name a Gymnasium id or hf://org/repo@commit; `run` takes image://REF as it is",
        )));
    };
    if args.image.dry_run {
        return dry_run::run(&plan, &build, session);
    }
    let docker = session.docker()?;
    let image = image::ensure(&docker, &plan, &build, &session.variables, Known::Nothing, &mut |event| {
        session.report.event(&event);
    })?;
    session.report.clear();
    if image.built_in.is_none() {
        session.report.note(&note(&build));
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

/// What people should know of an image that was not built.
pub(super) fn note(build: &BuildOptions) -> String {
    let mut note = "the image is there already; --rebuild builds it again".to_owned();
    let in_vain = build.in_vain();
    if !in_vain.is_empty() {
        note += &format!(
            ", which {} ask{} for",
            in_vain.join(" and "),
            if in_vain.len() == 1 { "s" } else { "" }
        );
    }
    note
}
