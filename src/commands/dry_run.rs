//! `build --dry-run` and `run --dry-run`: what would be built, printed; no docker command runs, and nothing is written.

use crate::commands::Session;
use crate::error::{Exit, SandboxError};
use crate::image::build_context::dockerfile;
use crate::output::{Format, json, text};
use crate::plan::Plan;
use crate::plan::bootstrap;
use crate::settings::build::BuildOptions;
use crate::settings::package_index::InstallSettings;

pub(super) fn run(plan: &Plan, build: &BuildOptions, session: &Session) -> Result<Exit, SandboxError> {
    let (image, source) = (plan.image(), plan.resolved_source());
    let files = match plan {
        Plan::Build(spec) => {
            let settings = InstallSettings::read(&session.variables, build.ca_cert.as_deref())?;
            let dockerfile = dockerfile::dockerfile(spec, build.steps(settings.secrets()));
            Some((dockerfile, bootstrap::bootstrap_json(spec)))
        }
        Plan::Prebuilt { .. } => None,
    };
    let (dockerfile, bootstrap) = files.unzip();
    let build_hash = match plan {
        Plan::Build(spec) => Some(spec.build_hash()),
        Plan::Prebuilt { .. } => None,
    };
    match session.report.format() {
        Format::Json => session.report.json(&json::Rendered {
            source: &source,
            image: &image,
            build_hash,
            dockerfile,
            bootstrap: bootstrap.and_then(|payload| serde_json::from_str(&payload).ok()),
        })?,
        Format::Text | Format::Env => {
            let parts = [("Dockerfile", dockerfile), ("bootstrap.json", bootstrap)];
            let parts = parts.into_iter().filter_map(|(name, content)| Some((name, content?)));
            session.report.result(&text::rendered(&image, parts))?;
        }
    }
    Ok(Exit::Done)
}
