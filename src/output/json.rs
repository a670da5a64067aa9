//! The JSON objects that are printed as results and errors.

mod sandbox;

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use crate::error::SandboxError;
use crate::image::Image;
use crate::output::text::is_invisible;
pub(crate) use sandbox::{Checked, Inspected, Sandbox, Started, Treated};

/// `init`.
#[derive(Serialize)]
pub(crate) struct Created<'a> {
    pub(crate) folder: &'a str,
    pub(crate) files: [&'a str; 3],
}

/// `build`.
#[derive(Serialize)]
pub(crate) struct Built<'a> {
    pub(crate) source: &'a str,
    pub(crate) image: &'a str,
    pub(crate) image_id: &'a str,
    pub(crate) build_hash: Option<String>,
    /// Whether this run built it; false if it already existed.
    pub(crate) built: bool,
    pub(crate) seconds: f64,
}

impl<'a> Built<'a> {
    pub(crate) fn new(image: &'a Image, source: &'a str, build_hash: Option<String>) -> Self {
        Self {
            source,
            image: &image.tag,
            image_id: &image.id,
            build_hash,
            built: image.built_in.is_some(),
            seconds: seconds(image.built_in.unwrap_or_default()),
        }
    }
}

/// `--dry-run`.
#[derive(Serialize)]
pub(crate) struct Rendered<'a> {
    pub(crate) source: &'a str,
    pub(crate) image: &'a str,
    pub(crate) build_hash: Option<String>,
    /// `None` for a prebuilt image, like `bootstrap`.
    pub(crate) dockerfile: Option<String>,
    pub(crate) bootstrap: Option<Box<serde_json::value::RawValue>>,
}

/// `hash`.
#[derive(Serialize)]
pub(crate) struct Hashed<'a> {
    pub(crate) source: &'a str,
    pub(crate) build_hash: &'a str,
    pub(crate) image: &'a str,
}

/// `logs --format jsonl`: one object for each line.
#[derive(Serialize)]
pub(crate) struct LogLine<'a> {
    pub(crate) container_id: &'a str,
    /// With `--timestamps`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) time: Option<&'a str>,
    pub(crate) message: &'a str,
}

/// `images`: one object for each tag.
#[derive(Serialize)]
pub(crate) struct ListedImage<'a> {
    pub(crate) image: &'a str,
    pub(crate) image_id: &'a str,
    pub(crate) source: Option<&'a str>,
    pub(crate) base_image: Option<&'a str>,
    pub(crate) rlmesh_package: Option<&'a str>,
    /// Its layers, including those that it shares with other images.
    pub(crate) bytes: u64,
    pub(crate) created: &'a str,
    /// How many containers, in any state, were created from it.
    pub(crate) containers: usize,
}

/// `prune`: one object for each thing.
#[derive(Serialize)]
pub(crate) struct Pruned<'a> {
    /// `image`, `builder`, `cache` or `logs`.
    pub(crate) kind: &'static str,
    /// A tag of the image, the name of a builder, or a folder.
    pub(crate) name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) image_id: Option<&'a str>,
    pub(crate) action: Action,
    pub(crate) reason: &'a str,
    /// How many files of a folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) files: Option<usize>,
    /// What its removal gives back; `null` if unknown.
    pub(crate) bytes: Option<u64>,
}

/// `ls`.
#[derive(Serialize)]
pub(crate) struct Repository<'a> {
    /// The source with its full commit id.
    pub(crate) source: &'a str,
    pub(crate) repo: &'a str,
    pub(crate) commit: &'a str,
    pub(crate) has_env_py: bool,
    pub(crate) has_requirements_txt: bool,
    /// In bytes.
    pub(crate) size: u64,
    pub(crate) files: Vec<RepositoryFile<'a>>,
}

#[derive(Serialize)]
pub(crate) struct RepositoryFile<'a> {
    pub(crate) path: &'a str,
    /// In bytes.
    pub(crate) size: u64,
    pub(crate) is_lfs: bool,
    /// `git:<blob id>` or `sha256:<digest>`.
    pub(crate) digest: String,
}

/// What a command did or would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    Stopped,
    Removed,
    WouldRemove,
    Kept,
}

/// `doctor`.
#[derive(Serialize)]
pub(crate) struct Examined<'a> {
    pub(crate) ok: bool,
    pub(crate) checks: &'a [Check],
}

/// One check of `doctor`.
#[derive(Debug, Serialize)]
pub(crate) struct Check {
    pub(crate) name: &'static str,
    pub(crate) status: Status,
    /// Whether sandboxes can run.
    pub(crate) ok: bool,
    pub(crate) found: String,
    pub(crate) hint: Option<String>,
    pub(crate) seconds: f64,
}

/// What a check of `doctor` comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    Ok,
    /// Sandboxes can run, but something may be missing.
    Warn,
    No,
}

#[derive(Serialize)]
struct Wrapped<'a> {
    error: Failed<'a>,
}

#[derive(Serialize)]
struct Failed<'a> {
    kind: &'a str,
    exit_code: u8,
    message: String,
    hints: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<&'a str>,
    log_file: Option<String>,
}

/// An error as one line of JSON.
pub(crate) fn error(error: &SandboxError) -> String {
    let wrapped = Wrapped {
        error: Failed {
            kind: error.kind(),
            exit_code: error.exit().code(),
            message: error.to_string(),
            hints: error.hints(),
            details: error.details(),
            log_file: error.log_file().map(|file| file.display().to_string()),
        },
    };
    let json = serde_json::to_string(&wrapped);
    harmless(&json.unwrap_or_else(|error| unreachable!("texts always serialize: {error}")))
}

/// A line of stderr that is not an error: `{"log":{"message":…}}`.
pub(crate) fn message(kind: &str, text: &str) -> String {
    harmless(&serde_json::json!({ kind: { "message": text } }).to_string())
}

/// The same JSON, with characters escaped that change how a terminal shows a line.
pub(crate) fn harmless(json: &str) -> String {
    let mut result = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_control() || is_invisible(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(result, "\\u{unit:04x}");
            }
        } else {
            result.push(c);
        }
    }
    result
}

/// A time in seconds, rounded to milliseconds.
pub(crate) fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_harmless_and_means_the_same() {
        let text = "a\u{9b}31m\u{202e}b\u{e0041}\x1b";
        let line = message("log", text);
        assert!(line.is_ascii() && !line.contains(char::is_control), "{line}");
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["log"]["message"], text);
    }
}
