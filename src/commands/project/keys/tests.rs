//! Tests of the keys: which there are, and that the JSON Schema says the same.

use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::settings::project_file;

/// The options that a project file can set.
fn options() -> BTreeMap<String, Arg> {
    let mut program = cli::command();
    program.build();
    let all = VERBS.iter().filter_map(|verb| program.find_subcommand(verb));
    let names = all.flat_map(|verb| verb.get_arguments().filter_map(Arg::get_long).map(str::to_owned));
    names
        .filter_map(|key| {
            let option = VERBS.iter().find_map(|verb| option_of(verb, &key))?;
            why_refused(&option).is_none().then_some((key, option))
        })
        .collect()
}

/// A new option may be dangerous in a file that came with the code of other people: see [`REFUSED`].
#[test]
fn every_option_was_considered() {
    let expected = [
        "apt",
        "as-of",
        "base-image",
        "build-memory",
        "cpus",
        "env",
        "gpus",
        "import",
        "installer",
        "kwargs",
        "label",
        "lock",
        "max-source-size",
        "memory",
        "no-auto",
        "num-envs",
        "package",
        "platform",
        "ready-timeout",
        "rlmesh-package",
        "shm-size",
        "stop-timeout",
        "tmpfs",
        "vectorization-mode",
        "wrap",
    ];
    let options = options();
    let keys: Vec<&str> = options.keys().map(String::as_str).collect();
    assert_eq!(keys, expected, "decide whether a project file can set it, and add it here or to REFUSED");
    for key in REFUSED.iter().flat_map(|(keys, _)| *keys) {
        assert!(VERBS.iter().any(|verb| option_of(verb, key).is_some()), "--{key} does not exist");
    }
}

#[test]
fn variables_are_those_that_the_help_names() {
    let named: Vec<&str> = options().values().filter_map(variable_of).collect();
    assert_eq!(
        named,
        [
            "RLMESH_SANDBOX_BASE_IMAGE",
            "RLMESH_SANDBOX_BUILD_MEMORY",
            "RLMESH_SANDBOX_MAX_SOURCE_SIZE",
            "DOCKER_DEFAULT_PLATFORM",
            "RLMESH_SANDBOX_RLMESH_PACKAGE",
        ]
    );
}

fn schema() -> Value {
    let scalar = json!(["string", "number"]);
    let of = |option: &Arg| {
        let mut schema = match shape_of(option) {
            Shape::Flag => json!({"type": "boolean"}),
            Shape::List => json!({"type": "array", "items": {"type": "string"}}),
            Shape::Pairs => json!({"type": "object", "additionalProperties": {"type": scalar}}),
            Shape::Object => json!({"type": "object"}),
            Shape::Single => json!({"type": scalar}),
        };
        let values: Vec<String> =
            option.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
        if !values.is_empty() && shape_of(option) == Shape::Single {
            schema = json!({"enum": values});
        }
        let help = option.get_help().map(ToString::to_string).unwrap_or_default();
        schema["description"] = help.replace(" (can be repeated)", "").into();
        schema
    };
    let keys: Map<String, Value> = options().iter().map(|(key, option)| (key.clone(), of(option))).collect();
    let (mut defaults, mut named) = (keys.clone(), keys);
    named.insert(
        SOURCE.to_owned(),
        json!({"type": "string", "description": "What to serve, as for `rlmesh-sandbox run`"}),
    );
    defaults.insert(
        ENVIRONMENTS.to_owned(),
        json!({
            "type": "object",
            "description": "Named environments: `rlmesh-sandbox run NAME`",
            "propertyNames": {"pattern": "^[A-Za-z0-9_][A-Za-z0-9_-]*$", "not": {"pattern": "-v[0-9]+$"}},
            "additionalProperties": {"$ref": "#/definitions/environment"},
        }),
    );
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "rlmesh-sandbox.toml, and [tool.rlmesh-sandbox] of pyproject.toml",
        "type": "object",
        "properties": defaults,
        "additionalProperties": false,
        "definitions": {
            "environment": {
                "type": "object",
                "properties": named,
                "required": [SOURCE],
                "additionalProperties": false,
            },
        },
    })
}

#[test]
fn generated_schema_is_up_to_date() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/project-file.json");
    let text = format!("{:#}\n", schema());
    if std::env::var_os("REGENERATE").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(committed == text, "it is out of date: run REGENERATE=1 cargo test generated");
}

/// Whether a value is valid by a schema. Only the keywords that the schema uses are known.
fn is_valid(schema: &Value, value: &Value, root: &Value) -> bool {
    let is_type = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        other => panic!("unknown type {other}"),
    };
    let keys = value.as_object();
    schema.as_object().unwrap().iter().all(|(keyword, rule)| match keyword.as_str() {
        "$schema" | "title" | "description" | "definitions" => true,
        "$ref" => {
            let target = root.pointer(rule.as_str().unwrap().trim_start_matches('#')).unwrap();
            is_valid(target, value, root)
        }
        "type" => match rule {
            Value::Array(types) => types.iter().any(|name| is_type(name.as_str().unwrap())),
            name => is_type(name.as_str().unwrap()),
        },
        "enum" => rule.as_array().unwrap().contains(value),
        "items" => value.as_array().is_none_or(|items| items.iter().all(|item| is_valid(rule, item, root))),
        "required" => keys.is_none_or(|keys| {
            rule.as_array().unwrap().iter().all(|key| keys.contains_key(key.as_str().unwrap()))
        }),
        "properties" => keys.is_none_or(|keys| {
            keys.iter().all(|(key, value)| rule.get(key).is_none_or(|rule| is_valid(rule, value, root)))
        }),
        "additionalProperties" => keys.is_none_or(|keys| {
            let known = |key: &str| schema.get("properties").is_some_and(|known| known.get(key).is_some());
            let mut others = keys.iter().filter(|(key, _)| !known(key));
            others.all(|(_, value)| rule.as_bool().unwrap_or_else(|| is_valid(rule, value, root)))
        }),
        "propertyNames" => {
            keys.is_none_or(|keys| keys.keys().all(|key| is_valid(rule, &Value::String(key.clone()), root)))
        }
        "pattern" => {
            let pattern = regex::Regex::new(rule.as_str().unwrap()).unwrap();
            value.as_str().is_none_or(|text| pattern.is_match(text))
        }
        "not" => !is_valid(rule, value, root),
        other => panic!("unknown keyword {other}"),
    })
}

#[test]
fn the_parser_and_the_schema_agree() {
    let (schema, options) = (schema(), options());
    let values = [
        "true",
        "3",
        "1.5",
        "'x'",
        "[]",
        "['x']",
        "[1]",
        "{}",
        "{ A = 'x' }",
        "{ A = 1 }",
        "{ A = true }",
        "{ A = ['x'] }",
        "'uv'",
        "'sync'",
    ];
    let keys = options.keys().cloned();
    let others = ["source", "kwarg", "docker", "trust-remote-code", "packages", "environments", "help", "x"];
    let mut texts = Vec::new();
    for key in keys.chain(others.map(str::to_owned)) {
        for value in values {
            texts.push(format!("{key} = {value}"));
            let source = if key == SOURCE { "" } else { "source = 'X-v0'" };
            texts.push(format!("[environments.x]\n{source}\n{key} = {value}"));
        }
    }
    for name in ["a", "_", "-a", "A1-b", "X-v0", "a-v", "\"\"", "\"a b\"", "\"ü\""] {
        texts.push(format!("[environments.{name}]\nsource = 'X-v0'"));
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.toml");
    let (mut valid, mut wrong) = (0, 0);
    for text in texts {
        std::fs::write(&file, &text).unwrap();
        let value = serde_json::to_value(text.parse::<toml::Table>().unwrap()).unwrap();
        let parsed = project_file::read(&file).and_then(|file| checked(&file));
        // The schema knows the values of an option only if there is a list of them.
        let is_value = |error: &SandboxError| {
            let message = error.to_string();
            let option =
                message.split_once(": --").map(|(_, rest)| rest.split(' ').next().unwrap_or_default());
            option.is_some_and(|key| {
                options.get(key).is_none_or(|option| option.get_possible_values().is_empty())
            })
        };
        match parsed {
            Err(error) if is_value(&error) => {}
            parsed => {
                assert_eq!(is_valid(&schema, &value, &schema), parsed.is_ok(), "{text}: {parsed:?}");
                if parsed.is_ok() { valid += 1 } else { wrong += 1 }
            }
        }
    }
    assert!(valid > 50 && wrong > 200, "{valid} {wrong}");
}
