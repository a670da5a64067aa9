//! `build --dry-run` and `run --dry-run`: what would be built, printed; no docker command runs.

use crate::commands::Session;
use crate::error::{Exit, SandboxError};
use crate::image;
use crate::image::build_context::dockerfile;
use crate::output::{Format, json, text};
use crate::plan::{Plan, bootstrap};
use crate::settings::build::BuildOptions;

pub(super) fn run(plan: &Plan, build: &BuildOptions, session: &Session) -> Result<Exit, SandboxError> {
    let (image, source) = (plan.image_name(), plan.resolved_source().to_string());
    let files = plan.build().map(|planned| {
        let steps = image::steps(build, session.client.settings());
        (
            dockerfile::dockerfile(&planned.spec, steps),
            bootstrap::bootstrap_json(&planned.spec, &plan.serving),
        )
    });
    let (dockerfile, bootstrap) = files.unzip();
    match session.output.format() {
        Format::Json => session.output.json(&json::Rendered {
            source: &source,
            image: &image,
            build_hash: plan.build_hash(),
            dockerfile,
            bootstrap: bootstrap.and_then(|payload| serde_json::from_str(&payload).ok()),
        })?,
        Format::Text | Format::Env => {
            let parts = [("Dockerfile", dockerfile), ("bootstrap.json", bootstrap)];
            let parts = parts.into_iter().filter_map(|(name, content)| Some((name, content?)));
            session.output.result(&text::rendered(&image, parts))?;
        }
    }
    Ok(Exit::Done)
}
