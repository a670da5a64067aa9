//! The bootstrap payload, which says what a built image serves.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::contract::SOURCE_FOLDER;
use crate::plan::{EffectiveSpec, ResolvedSource, Serving};
use crate::settings::sandbox::VectorizationMode;

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
    num_envs: u32,
    vectorization_mode: VectorizationMode,
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Source<'a> {
    Gym { env_id: &'a str },
    Hf { source_subdir: &'a str, suite: Option<&'a str>, task: Option<&'a str> },
}

/// The JSON that rlmesh's bootstrap reads, on one line.
pub(crate) fn bootstrap_json(spec: &EffectiveSpec, serving: &Serving) -> String {
    let source = match &spec.source {
        ResolvedSource::Gym { env_id } => Source::Gym { env_id },
        ResolvedSource::Hf { suite, task, .. } => {
            Source::Hf { source_subdir: SOURCE_FOLDER, suite: suite.as_deref(), task: task.as_deref() }
        }
        // The files of a folder have the layout of a repository.
        ResolvedSource::Folder(_) => Source::Hf { source_subdir: SOURCE_FOLDER, suite: None, task: None },
    };
    let payload = Payload {
        spec: Spec {
            source,
            imports: &spec.imports,
            kwargs: &serving.kwargs,
            num_envs: serving.num_envs,
            vectorization_mode: serving.vectorization_mode.unwrap_or_default(),
        },
    };
    serde_json::to_string(&payload)
        .unwrap_or_else(|error| unreachable!("JSON values always serialize: {error}"))
}
