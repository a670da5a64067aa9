//! The bootstrap payload, which says what a built image serves.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::contract::SOURCE_FOLDER;
use crate::plan::startup::{self, Startup};
use crate::plan::{EffectiveSpec, ResolvedSource, Serving};
use crate::settings::sandbox::VectorizationMode;

#[derive(Serialize)]
struct Payload<'a> {
    spec: Spec<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    startup: Option<Startup<'a>>,
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

fn source_subdir(is_wrapped: bool) -> &'static str {
    if is_wrapped { startup::WRAPPED_SOURCE } else { SOURCE_FOLDER }
}

/// The JSON that rlmesh's bootstrap reads, on one line.
pub(crate) fn bootstrap_json(spec: &EffectiveSpec, serving: &Serving) -> String {
    let is_wrapped = !spec.wrap.is_empty();
    let source = match &spec.source {
        ResolvedSource::Gym { env_id } => Source::Gym { env_id },
        ResolvedSource::Hf { suite, task, .. } => Source::Hf {
            source_subdir: source_subdir(is_wrapped),
            suite: suite.as_deref(),
            task: task.as_deref(),
        },
        // The files of a folder have the layout of a repository.
        ResolvedSource::Folder(_) => {
            Source::Hf { source_subdir: source_subdir(is_wrapped), suite: None, task: None }
        }
    };
    let has_folder = matches!(source, Source::Hf { .. });
    let startup = startup::is_needed(spec).then_some(Startup {
        imports: &spec.imports,
        wrap: &spec.wrap,
        source_subdir: (is_wrapped && has_folder).then_some(SOURCE_FOLDER),
    });
    let instead = [startup::MODULE.to_owned()];
    let payload = Payload {
        spec: Spec {
            source,
            imports: if startup.is_some() { &instead } else { &spec.imports },
            kwargs: &serving.kwargs,
            num_envs: serving.num_envs,
            vectorization_mode: serving.vectorization_mode.unwrap_or_default(),
        },
        startup,
    };
    serde_json::to_string(&payload)
        .unwrap_or_else(|error| unreachable!("JSON values always serialize: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::samples;

    #[test]
    fn wrappers_and_calls_are_left_to_the_startup_package() {
        let json = |change: fn(&mut EffectiveSpec), mut spec: EffectiveSpec| {
            change(&mut spec);
            serde_json::from_str::<Value>(&bootstrap_json(&spec, &samples::serving())).unwrap()
        };
        let plain = json(|spec| spec.imports = vec!["a".into()], samples::hf());
        assert_eq!(
            (&plain["spec"]["imports"][0], &plain["spec"]["source_subdir"]),
            (&"a".into(), &"source".into())
        );
        assert!(plain.get("startup").is_none());

        let called = json(|spec| spec.imports = vec!["a".into(), "b:c".into()], samples::hf());
        assert_eq!(called["spec"]["imports"], serde_json::json!(["rlmesh_sandbox.startup"]));
        assert_eq!(called["spec"]["source_subdir"], "source");
        assert_eq!(called["startup"], serde_json::json!({ "imports": ["a", "b:c"], "wrap": [] }));

        let wrapped = json(|spec| spec.wrap = vec!["a:B".into()], samples::hf());
        assert_eq!(wrapped["spec"]["source_subdir"], "rlmesh_sandbox/source");
        let startup = serde_json::json!({ "imports": [], "wrap": ["a:B"], "source_subdir": "source" });
        assert_eq!(wrapped["startup"], startup);
        let wrapped = json(|spec| spec.wrap = vec!["a:B".into()], samples::gym("X-v0"));
        assert_eq!(wrapped["startup"], serde_json::json!({ "imports": [], "wrap": ["a:B"] }));
    }
}
