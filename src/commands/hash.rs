//! `hash`: the build hash of a source, without Docker.

use crate::cli::HashArgs;
use crate::commands::Session;
use crate::error::{Exit, Problem, SandboxError};
use crate::output::{Format, json};
use crate::plan::Plan;
use crate::plan::resolve::Consent;

pub(super) fn run(args: &HashArgs, session: &Session) -> Result<Exit, SandboxError> {
    let Plan::Build(spec) = session.plan(&args.sandbox, Consent::ToLookUp)? else {
        return Err(SandboxError::InvalidSource(Problem::new(
            "a prebuilt image is not built, and has no build hash",
            "name a Gymnasium id or hf://org/repo@commit",
        )));
    };
    let (hash, tag) = (spec.build_hash(), spec.image_tag());
    match session.report.format() {
        Format::Json => session.report.json(&json::Hashed {
            source: &spec.source.to_ref().to_string(),
            build_hash: &hash,
            image: &tag,
        })?,
        Format::Text | Format::Env => session.report.result(if args.tag { &tag } else { &hash })?,
    }
    Ok(Exit::Done)
}
