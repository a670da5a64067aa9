//! Other spellings of sources, which users copy from elsewhere, and the right ones.

use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::error::{Change, Problem};
use crate::source::image_reference::is_image_reference;
use crate::source::python_literal::{literal, string};
use crate::source::{is_path, quoted};

/// What is wrong with a source that is spelt as in a browser, in Python code or in another tool, with the change
/// that makes it right. `None` if it is none of these.
pub(crate) fn misspelt(text: &str) -> Option<Problem> {
    if text.starts_with("hf://") && !is_hub_url(&text["hf://".len()..]) {
        return None;
    }
    if let Some(env_id) = text.strip_prefix("gym://") {
        return stray_character(env_id.trim());
    }
    if ["image://", "docker://"].iter().any(|scheme| text.starts_with(scheme)) {
        return None;
    }
    // A path may contain any character.
    if is_path(text) {
        return python_file(text);
    }
    made_in_python(text)
        .or_else(|| stray_character(text))
        .or_else(|| hub_url(text))
        .or_else(|| scheme(text))
        .or_else(|| python_file(text))
        .or_else(|| image(text))
}

fn use_instead(message: String, hint: &str, source: String) -> Problem {
    Problem::new(message, hint).changes([Change::Source(source)])
}

/// Quotes around the source, separators after it, and characters that come from copying.
fn stray_character(text: &str) -> Option<Problem> {
    const HINT: &str = "the text may have been copied from a web page or from code";
    let strange = text.chars().find_map(|c| Some((c, strange_character(c)?)));
    let (what, clean) = if let Some((c, name)) = strange {
        let clean = text.chars().filter_map(|c| match strange_character(c) {
            Some(TYPOGRAPHIC_DASH) => Some('-'),
            Some(_) => None,
            None => Some(c),
        });
        (format!("contains {name} (U+{:04X})", u32::from(c)), clean.collect())
    } else if text.starts_with(['"', '\'', '`']) || text.ends_with(['"', '\'', '`', ',', ';', '\\']) {
        let clean = text.trim_matches(['"', '\'', '`', ',', ';', '\\', ' ']);
        let stray = text.chars().next().filter(|c| matches!(c, '"' | '\'' | '`')).or(text.chars().last())?;
        (format!("contains a stray {stray}"), clean.to_owned())
    } else if text.contains(char::is_whitespace) && !text.contains(char::is_control) {
        ("contains white space".to_owned(), text.split_whitespace().collect())
    } else {
        return None;
    };
    let clean: String = clean;
    let clean = clean.trim_matches(['"', '\'', '`', ' ']).to_owned();
    let message = format!("the source {} {what}", quoted(text));
    // What is left may be no source at all.
    let is_source =
        clean.parse::<super::EnvironmentSourceRef>().is_ok() && !clean.contains(char::is_whitespace);
    Some(if is_source { use_instead(message, HINT, clean) } else { Problem::new(message, HINT) })
}

const TYPOGRAPHIC_DASH: &str = "a typographic dash";

/// The name of a character that looks like another one, or like nothing.
fn strange_character(c: char) -> Option<&'static str> {
    match c {
        '\u{2018}'..='\u{201f}' | '\u{ab}' | '\u{bb}' => Some("a typographic quote"),
        '\u{2010}'..='\u{2015}' | '\u{2212}' => Some(TYPOGRAPHIC_DASH),
        '\u{ad}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2064}'
        | '\u{feff}' => Some("an invisible character"),
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{3000}' => Some("an unusual space"),
        _ => None,
    }
}

/// `gym.make("ID", key=value)`.
fn made_in_python(text: &str) -> Option<Problem> {
    let (before, call) = text.split_once("make(").or_else(|| text.split_once("make_vec("))?;
    let module = before.trim_end_matches('.').rsplit(['=', ' ']).next()?;
    if !matches!(module, "gym" | "gymnasium" | "") {
        return None;
    }
    let call = call.trim_start();
    let (env_id, mut rest) = string(call.strip_prefix("id=").unwrap_or(call))?;
    let mut changes = vec![Change::Source(env_id)];
    while let Some(argument) = rest.trim_start().strip_prefix(',') {
        let Some((key, value)) = argument.split_once('=') else { break };
        let Some((value, after)) = literal(value, usize::from(u8::MAX)) else { break };
        changes.push(Change::Add("-k", format!("{}={}", key.trim(), as_kwarg(&value))));
        rest = after;
    }
    let is_whole = rest.trim_start().trim_start_matches(',').trim_start().starts_with(')');
    let hint = if is_whole {
        "pass the id, and its arguments with -k"
    } else {
        "pass the id; give its other arguments with -k"
    };
    Some(Problem::new(format!("{} is Python code, not a source", quoted(text)), hint).changes(changes))
}

/// The value as `-k KEY=VALUE` needs it: text that does not read as JSON needs no quotes.
fn as_kwarg(value: &Value) -> String {
    match value {
        Value::String(text) if serde_json::from_str::<Value>(text).is_err() => text.clone(),
        _ => value.to_string(),
    }
}

fn is_hub_url(text: &str) -> bool {
    let host = text.trim_start_matches("https://").trim_start_matches("http://").trim_start_matches("www.");
    host.starts_with("huggingface.co/") || host.starts_with("hf.co/")
}

/// `https://huggingface.co/org/repo[/tree/REVISION]`, `hf:org/repo`.
fn hub_url(text: &str) -> Option<Problem> {
    const HINT: &str = "a Hugging Face source has the form hf://org/repo[@revision][:suite[/task]]";
    let message = format!("{} is not a valid spelling of a Hugging Face source", quoted(text));
    let without_scheme = text.strip_prefix("hf://").unwrap_or(text);
    if !is_hub_url(without_scheme) {
        let rest =
            ["hf:", "HF://", "HF:", "huggingface:"].iter().find_map(|start| text.strip_prefix(start))?;
        let rest = rest.trim_start_matches('/');
        // A file at the end (`:env.py`) is not a part of a source.
        return Some(use_instead(message, HINT, format!("hf://{}", rest.trim_end_matches(":env.py"))));
    }
    let (_, path) = without_scheme.split_once(".co/")?;
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let source = match parts[..] {
        ["datasets" | "spaces" | "models" | "docs" | "papers", ..] => {
            return Some(Problem::new(
                format!("{} is not a model repository of the Hugging Face Hub", quoted(text)),
                HINT,
            ));
        }
        [org, repo] => format!("hf://{org}/{repo}"),
        [org, repo, "tree" | "blob" | "resolve" | "raw" | "commit", revision, ..] => {
            format!("hf://{org}/{repo}@{}", percent_decode_str(revision).decode_utf8().ok()?)
        }
        [org, repo, ..] => format!("hf://{org}/{repo}"),
        _ => return Some(Problem::new(message, HINT)),
    };
    Some(use_instead(message, HINT, source))
}

/// `gym:ID`, `docker:IMAGE` and the like.
fn scheme(text: &str) -> Option<Problem> {
    let (name, rest) = text.split_once(':')?;
    let is_url = rest.starts_with("//");
    let rest = rest.trim_start_matches('/');
    if rest.is_empty() {
        return None;
    }
    let (right, hint) = match name.to_ascii_lowercase().as_str() {
        // `gym:` alone would name a module to import.
        "gym" | "gymnasium" => (rest.to_owned(), "an environment id needs no prefix"),
        "docker" | "image" | "oci" => (format!("image://{rest}"), "an image has the form image://REF"),
        _ => return None,
    };
    let start = format!("{name}:{}", if is_url { "//" } else { "" });
    Some(use_instead(format!("{} is not a known kind of source", quoted(&start)), hint, right))
}

/// `path/to/env.py`: the source is its folder.
fn python_file(text: &str) -> Option<Problem> {
    let path = text.strip_suffix(".py")?;
    if path.contains(':') {
        return None;
    }
    let (folder, name) = path.rsplit_once('/').unwrap_or((".", path));
    let message = format!("{} is a file", quoted(text));
    if name != "env" {
        return Some(Problem::new(
            message,
            "use the folder of an env.py that has make_env, or pass your package with -p",
        ));
    }
    let folder = match folder {
        "" | "." => format!("{folder}/"),
        _ if is_path(folder) => folder.to_owned(),
        _ => format!("./{folder}"),
    };
    Some(use_instead(message, "use the folder that contains env.py", folder))
}

/// A text that can only be an image: with a registry, or with a tag that is not the name of an environment.
fn image(text: &str) -> Option<Problem> {
    let is_version = text.rsplit_once("-v").is_some_and(|(_, digits)| digits.parse::<u32>().is_ok());
    if is_version || !is_image_reference(text) {
        return None;
    }
    let has_registry = text.split_once('/').is_some_and(|(host, _)| host.contains(['.', ':']));
    let has_digest = text.contains("@sha256:");
    let has_tag = text
        .rsplit_once(':')
        .is_some_and(|(_, tag)| tag == "latest" || tag.starts_with(|c: char| c.is_ascii_digit()));
    (has_registry || has_digest || has_tag).then(|| {
        use_instead(
            format!("{} is an image, not an environment id", quoted(text)),
            "an image that serves rlmesh has the form image://REF",
            format!("image://{text}"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::SandboxError;
    use crate::source::EnvironmentSourceRef;

    fn refused(text: &str) -> SandboxError {
        match text.parse::<EnvironmentSourceRef>() {
            Err(error @ SandboxError::InvalidSource(_)) => error,
            other => panic!("{text:?} gave {other:?}"),
        }
    }

    #[test]
    fn other_spellings_lead_to_the_right_source() {
        for (text, right) in [
            ("hf:org/repo", "hf://org/repo"),
            ("hf:/org/repo", "hf://org/repo"),
            ("HF://org/repo@main", "hf://org/repo@main"),
            ("hf:org/repo@main:suite/0", "hf://org/repo@main:suite/0"),
            ("huggingface.co/org/repo", "hf://org/repo"),
            ("hf.co/org/repo", "hf://org/repo"),
            ("https://huggingface.co/org/repo", "hf://org/repo"),
            ("https://huggingface.co/org/repo/", "hf://org/repo"),
            ("https://www.huggingface.co/org/repo/tree/main", "hf://org/repo@main"),
            ("https://huggingface.co/org/repo/blob/v1.0/env.py", "hf://org/repo@v1.0"),
            ("https://huggingface.co/org/repo/resolve/abc/env.py?download=true", "hf://org/repo@abc"),
            ("https://huggingface.co/org/repo/tree/refs%2Fpr%2F1", "hf://org/repo@refs/pr/1"),
            ("hf://https://huggingface.co/org/repo", "hf://org/repo"),
            ("hf://huggingface.co/org/repo/tree/main", "hf://org/repo@main"),
            ("gym:CartPole-v1", "CartPole-v1"),
            ("gymnasium:CartPole-v1", "CartPole-v1"),
            ("gymnasium://ALE/Pong-v5", "ALE/Pong-v5"),
            ("GYM://CartPole-v1", "CartPole-v1"),
            ("gym.make(\"CartPole-v1\")", "CartPole-v1"),
            (
                "gymnasium.make('CartPole-v1', render_mode=\"rgb_array\", goal=(1, 2), x=None)",
                "CartPole-v1 -k render_mode=rgb_array -k 'goal=[1,2]' -k x=null",
            ),
            ("env = gym.make('CartPole-v1', name=\"1\")", "CartPole-v1 -k 'name=\"1\"'"),
            ("gym.make(id='CartPole-v1', f=f(x))", "CartPole-v1"),
            ("docker:ghcr.io/org/env:1.0", "image://ghcr.io/org/env:1.0"),
            ("image:env", "image://env"),
            ("python:3.11-slim", "image://python:3.11-slim"),
            ("ghcr.io/org/env", "image://ghcr.io/org/env"),
            ("localhost:5000/env", "image://localhost:5000/env"),
            ("env:latest", "image://env:latest"),
            ("\"CartPole-v1\"", "CartPole-v1"),
            ("'CartPole-v1'", "CartPole-v1"),
            ("CartPole-v1,", "CartPole-v1"),
            ("CartPole-v1 \\", "CartPole-v1"),
            ("\"CartPole-v1\",", "CartPole-v1"),
            ("CartPole -v1", "CartPole-v1"),
            ("“CartPole-v1”", "CartPole-v1"),
            ("CartPole–v1", "CartPole-v1"),
            ("CartPole\u{200b}-v1", "CartPole-v1"),
            ("gym://CartPole\u{2011}v1", "CartPole-v1"),
            ("“hf://org/repo”", "hf://org/repo"),
            ("./env.py", "./"),
            ("env.py", "./"),
            ("path/to/env.py", "./path/to"),
            ("./a/env.py", "./a"),
            ("../env.py", ".."),
            ("/abs/env.py", "/abs"),
            ("~/a/env.py", "'~/a'"),
            ("/env.py", "/"),
        ] {
            let error = refused(text);
            assert_eq!(error.hints().last().unwrap(), &format!("use {right}"), "{text}: {error}");
        }
    }

    #[test]
    fn a_strange_character_is_named() {
        let message = refused("CartPole\u{200b}-v1").to_string();
        assert!(message.contains("an invisible character (U+200B)"), "{message}");
        assert!(refused("CartPole–v1").to_string().contains("a typographic dash (U+2013)"));
        assert!(refused("my_env.py").hints()[0].contains("env.py"));
        assert!(
            refused("https://huggingface.co/datasets/org/repo")
                .to_string()
                .contains("not a model repository")
        );
    }

    #[test]
    fn sources_are_not_misspelt() {
        for text in [
            "CartPole-v1",
            "ALE/Pong-v5",
            "pkg:Env-v0",
            "pkg:Env",
            "my.pkg:ns/Env-v0",
            "my_env.Foo-v0",
            "pgtg-exploration_2x2-v0",
            "C172-HeadingControlTask-Shaping.STANDARD-NoFG-v0",
            "Meta-World/MT1",
            "dm_control/cartpole-swingup-v0",
            "日本-v0",
            "Ünï-v0",
            "hf://org/repo@main",
            "gym://gym:x",
            "image://org/env:1",
            "org/repo",
            "./my folder",
            "~/it's",
            "/a/“b”,",
            ".",
            "..",
            "make-v0",
            "mymake(x",
        ] {
            assert_eq!(misspelt(text), None, "{text}");
        }
    }
}
