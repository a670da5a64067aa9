//! The payload that tells a built image what to serve, as pure text; how it reaches the container is `docker`'s matter.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::plan::{EffectiveSpec, ResolvedSource};
use crate::settings::sandbox::VectorizationMode;

/// The folder under the image's own that holds an hf source's repository.
pub(crate) const SOURCE_SUBDIR: &str = "source";

#[derive(Serialize)]
struct Payload<'a> {
    spec: Spec<'a>,
}

#[derive(Serialize)]
struct Spec<'a> {
    #[serde(flatten)]
    source: Source<'a>,
    imports: &'a [String],
    kwargs: &'a Map<String, Value>,
    num_envs: usize,
    vectorization_mode: VectorizationMode,
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Source<'a> {
    Gym { env_id: &'a str },
    Hf { source_subdir: &'a str, suite: Option<&'a str>, task: Option<&'a str> },
}

/// The JSON that rlmesh's bootstrap reads, on one line.
pub(crate) fn bootstrap_json(spec: &EffectiveSpec) -> String {
    let source = match &spec.source {
        ResolvedSource::Gym { env_id } => Source::Gym { env_id },
        ResolvedSource::Hf { suite, task, .. } => {
            Source::Hf { source_subdir: SOURCE_SUBDIR, suite: suite.as_deref(), task: task.as_deref() }
        }
    };
    let payload = Payload {
        spec: Spec {
            source,
            imports: &spec.imports,
            kwargs: &spec.serving.kwargs,
            num_envs: spec.serving.num_envs,
            vectorization_mode: spec.serving.vectorization_mode.unwrap_or_default(),
        },
    };
    serde_json::to_string(&payload)
        .unwrap_or_else(|error| unreachable!("JSON values always serialize: {error}"))
}
