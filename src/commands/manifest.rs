//! `manifest`: prints what starts sandboxes on a cluster.

use crate::cli::ManifestArgs;
use crate::commands::{Session, arguments};
use crate::error::{Exit, SandboxError};
use crate::output::Format;
use crate::sandbox::manifest::{ManifestKind, ManifestOptions};
use crate::source::EnvironmentSourceRef;

pub(super) fn run(args: &ManifestArgs, session: Session) -> Result<Exit, SandboxError> {
    let session = session.with_settings(arguments::with_hub)?;
    let options = arguments::sandbox_options(&args.sandbox, &session.variables)?;
    let on_event = &mut |event| session.output.event(&event);
    let of_manifest = ManifestOptions {
        kind: args.kind,
        replicas: args.replicas,
        name: args.name.clone(),
        image: args.image.clone(),
        ttl: args.ttl,
        memory: args.memory,
        cpus: args.cpus.clone(),
        tmp_size: args.tmp_size,
    };
    let manifest = session.client.manifest(&args.sandbox.source, options, &of_manifest, on_event)?;
    session.output.clear();
    match session.output.format() {
        Format::Json => session.output.json(&manifest.documents)?,
        Format::Text | Format::Env => session.output.result(manifest.yaml()?.trim_end())?,
    }
    if args.image.is_none() && !matches!(args.sandbox.source, EnvironmentSourceRef::Image(_)) {
        let image = &manifest.image;
        session.output.warn(&match args.kind {
            ManifestKind::Kubernetes => format!(
                "the nodes need the image {image}: push it with `rlmesh-sandbox build … --push REF`, and pass --image REF"
            ),
            ManifestKind::Compose => {
                format!("the engine needs the image {image}: build it there with `rlmesh-sandbox build …`")
            }
        });
    }
    for line in manifest.usage.lines() {
        session.output.note(line);
    }
    Ok(Exit::Done)
}
