//! Reads the environment's keyword arguments from pairs, JSON and files.

use std::fs::File;
use std::io::{self, Read};

use serde_json::{Map, Value};

use crate::error::{Change, Field, InvalidValue, Problem, SandboxError, invalid_option, shell_word};
use crate::source::python_literal::{is_too_large, to_json};

/// The largest JSON that is read, in bytes.
const LARGEST: u64 = 64 * 1024 * 1024;

/// Reads the environment's keyword arguments. Pairs override the object, and later pairs override earlier
/// ones.
///
/// `object` is JSON, `@FILE`, or `@-` for standard input.
///
/// # Errors
/// [`SandboxError::InvalidOption`].
pub(crate) fn read_kwargs(
    pairs: &[(String, Value)],
    object: Option<&str>,
) -> Result<Map<String, Value>, SandboxError> {
    let mut kwargs = object.map_or_else(|| Ok(Map::new()), read_object)?;
    kwargs.extend(pairs.iter().cloned());
    Ok(kwargs)
}

/// Parses `KEY=VALUE`, where VALUE is JSON if it parses as JSON, and otherwise text. KEY is the name of a Python
/// argument.
///
/// # Errors
/// [`InvalidValue`] without a valid key, and for values that are written in Python: as text they would reach the
/// environment unnoticed.
pub(crate) fn parse_kwarg(pair: &str) -> Result<(String, Value), InvalidValue> {
    const HINT: &str = "write KEY=VALUE, such as -k render_mode=rgb_array";
    let Some((key, value)) = pair.split_once('=') else {
        let invalid = InvalidValue::new("it has no '='", HINT);
        return Err(match pair.split_once(':') {
            Some((key, value)) if is_name(key.trim()) && !value.trim().is_empty() => {
                invalid.instead("-k", pair, format!("{}={}", key.trim(), value.trim()))
            }
            _ if pair.trim_start().starts_with('{') => {
                InvalidValue::new("it is a JSON object", "pass it with --kwargs")
            }
            _ => invalid,
        });
    };
    let key = key.trim();
    if key.is_empty() {
        return Err(InvalidValue::new("it has no key", HINT));
    }
    if !is_name(key) {
        let right = key.trim_start_matches('-').replace('-', "_");
        let invalid = InvalidValue::new(
            format!("the key {key:?} is not the name of a Python argument"),
            "use the name as the environment's code has it",
        );
        return Err(if is_name(&right) {
            invalid.instead("-k", pair, format!("{right}={value}"))
        } else {
            invalid
        });
    }
    let parsed = match serde_json::from_str(value) {
        Ok(parsed) if has_too_large_number(&parsed) => {
            return Err(InvalidValue::new("it has a number that is too large", TOO_LARGE));
        }
        Ok(parsed) => parsed,
        Err(_) => match written_in_python(value.trim()) {
            Some((reason, right)) => {
                let hint = format!("use JSON; for the text itself, write {}", as_text(key, value));
                let invalid = InvalidValue::new(reason, hint);
                return Err(match right {
                    Some(right) => invalid.instead("-k", pair, format!("{key}={right}")),
                    None => invalid,
                });
            }
            None => Value::String(value.to_owned()),
        },
    };
    Ok((key.to_owned(), parsed))
}

const TOO_LARGE: &str = "a number with a fraction or an exponent is at most about 1.8e308, as in Python";

/// Refuses what no environment in a sandbox can do.
///
/// # Errors
/// [`SandboxError::InvalidOption`] for `render_mode=human`, which opens a window.
pub(crate) fn check_kwargs(kwargs: &Map<String, Value>) -> Result<(), SandboxError> {
    if kwargs.get("render_mode").and_then(Value::as_str) != Some("human") {
        return Ok(());
    }
    let problem = Problem::new(
        format!("{} render_mode=human: there is no display in a sandbox", Field::KWARGS),
        "use rgb_array: render() then returns the frame, which you can show",
    );
    Err(SandboxError::InvalidOption(problem.changes([Change::Replace {
        option: "-k",
        old: "render_mode=human".to_owned(),
        new: "render_mode=rgb_array".to_owned(),
    }])))
}

/// Whether a text can be the name of a Python argument.
fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_alphanumeric() || c == '_')
}

fn as_text(key: &str, value: &str) -> String {
    shell_word(&format!("{key}={}", Value::String(value.to_owned())))
}

fn has_too_large_number(value: &Value) -> bool {
    match value {
        Value::Number(number) => is_too_large(number),
        Value::Array(items) => items.iter().any(has_too_large_number),
        Value::Object(entries) => entries.values().any(has_too_large_number),
        _ => false,
    }
}

/// Why a value that is not JSON is written in Python, and its JSON if there is one.
fn written_in_python(value: &str) -> Option<(&'static str, Option<String>)> {
    match value {
        "True" => Some(("in JSON, True is true", Some("true".to_owned()))),
        "False" => Some(("in JSON, False is false", Some("false".to_owned()))),
        "None" => Some(("in JSON, None is null", Some("null".to_owned()))),
        "NaN" | "Infinity" | "-Infinity" => Some(("JSON has no such number", None)),
        _ if is_in_brackets(value) => {
            Some(("it has brackets, but is not JSON", to_json(value).map(|json| json.to_string())))
        }
        _ => None,
    }
}

/// Whether a text is in brackets: the bracket at its start is closed at its end.
fn is_in_brackets(text: &str) -> bool {
    if !text.starts_with(['[', '{', '(']) {
        return false;
    }
    let (mut open, mut quote) = (Vec::new(), None);
    for (at, c) in text.char_indices() {
        match c {
            _ if quote == Some(c) => quote = None,
            _ if quote.is_some() => {}
            '\'' | '"' => quote = Some(c),
            '[' => open.push(']'),
            '{' => open.push('}'),
            '(' => open.push(')'),
            ']' | '}' | ')' => {
                if open.pop() != Some(c) {
                    return false;
                }
                if open.is_empty() {
                    return at + c.len_utf8() == text.len();
                }
            }
            _ => {}
        }
    }
    false
}

fn read_object(given: &str) -> Result<Map<String, Value>, SandboxError> {
    const HINT: &str =
        r#"use a JSON object, such as '{"render_mode": "rgb_array"}', or @FILE for a file that contains one"#;
    let field = Field::KWARGS;
    let (text, from) = match given.trim().strip_prefix('@') {
        None => (Ok(given.to_owned()), "--kwargs"),
        Some("-") => (read_bounded(io::stdin()), "standard input"),
        Some(file) => (File::open(file).and_then(read_bounded), file),
    };
    let text = text.map_err(|error| invalid_option(format!("{field}: cannot read {from}: {error}"), HINT))?;
    match serde_json::from_str(&text) {
        Ok(object @ Value::Object(_)) if has_too_large_number(&object) => {
            Err(invalid_option(format!("{field} from {from} has a number that is too large"), TOO_LARGE))
        }
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(invalid_option(format!("{field} from {from} is not a JSON object"), HINT)),
        Err(error) => {
            let problem = Problem::new(format!("{field} from {from} is not valid JSON: {error}"), HINT);
            let right = to_json(&text).filter(|value| value.is_object() && text == given);
            let change =
                right.map(|right| Change::Replace { option: "--kwargs", old: text, new: right.to_string() });
            Err(SandboxError::InvalidOption(problem.changes(change)))
        }
    }
}

fn read_bounded(source: impl Read) -> io::Result<String> {
    let mut text = String::new();
    if source.take(LARGEST + 1).read_to_string(&mut text)? as u64 > LARGEST {
        return Err(io::Error::other(format!("it is larger than {} MiB", LARGEST >> 20)));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kwarg_is_json_if_it_parses_and_text_otherwise() {
        for (pair, key, value) in [
            ("render_mode=rgb_array", "render_mode", r#""rgb_array""#),
            ("max_episode_steps=50", "max_episode_steps", "50"),
            ("goal=[1,2]", "goal", "[1,2]"),
            ("flag=true", "flag", "true"),
            ("nothing=null", "nothing", "null"),
            ("text=\"50\"", "text", r#""50""#),
            ("empty=", "empty", r#""""#),
            ("formula=a=b", "formula", r#""a=b""#),
            ("big=123456789012345678901234567890", "big", "123456789012345678901234567890"),
            ("exact=0.1000000000000000055511151231257827", "exact", "0.1000000000000000055511151231257827"),
            ("nan=\"NaN\"", "nan", r#""NaN""#),
            ("text='abc'", "text", r#""'abc'""#),
            ("text=[abc", "text", r#""[abc""#),
            ("text=[a]/[b]", "text", r#""[a]/[b]""#),
            ("text=(a) or (b)", "text", r#""(a) or (b)""#),
            ("text=[a)", "text", r#""[a)""#),
            ("text=\"(1,2)\"", "text", r#""(1,2)""#),
            ("text=true story", "text", r#""true story""#),
            ("text=TRUE", "text", r#""TRUE""#),
            ("text=/a/b,c", "text", r#""/a/b,c""#),
            ("_x1=é", "_x1", r#""é""#),
            (" é =1", "é", "1"),
            ("small=1e-400", "small", "1e-400"),
        ] {
            let (read_key, read) = parse_kwarg(pair).unwrap();
            assert_eq!((read_key.as_str(), read.to_string().as_str()), (key, value), "{pair}");
        }
        assert!(parse_kwarg("x").unwrap_err().to_string().contains("no '='"));
        assert!(parse_kwarg("=x").unwrap_err().to_string().contains("no key"));
    }

    #[test]
    fn a_value_that_is_written_in_python_leads_to_json() {
        for (pair, right) in [
            ("flag=True", Some("flag=true")),
            ("flag=False", Some("flag=false")),
            ("x=None", Some("x=null")),
            ("goal=(1, 2)", Some("'goal=[1,2]'")),
            ("goal=(1,)", Some("'goal=[1]'")),
            ("goal=[1, 'a']", Some(r#"'goal=[1,"a"]'"#)),
            ("goal=[a, b]", Some(r#"'goal=["a","b"]'"#)),
            ("config={'a': 1, 'b': None}", Some(r#"'config={"a":1,"b":null}'"#)),
            ("config={1: 2}", None),
            ("x=NaN", None),
            ("x=Infinity", None),
            ("x=-Infinity", None),
            ("x=1e400", None),
            ("x=[1, -1e400]", None),
            ("x=[nan(), f(x)]", None),
            ("render-mode=rgb_array", Some("render_mode=rgb_array")),
            ("--flag=1", Some("flag=1")),
            ("a b=1", None),
            ("1a=1", None),
            ("goal:1", Some("goal=1")),
            ("{\"a\": 1}", None),
            ("flag", None),
        ] {
            let invalid = parse_kwarg(pair).unwrap_err();
            let change = invalid.changes.first().map(ToString::to_string);
            assert_eq!(change, right.map(|right| format!("-k {right}")), "{pair}");
            if let Some(Change::Replace { old, new, .. }) = invalid.changes.first() {
                assert_eq!(old, pair);
                assert!(parse_kwarg(new).is_ok(), "{new}");
            }
        }
        let hint = parse_kwarg("goal=(1,2)").unwrap_err().hint;
        assert!(hint.ends_with(r#"'goal="(1,2)"'"#), "{hint}");
    }

    #[test]
    fn an_object_that_is_written_in_python_leads_to_json() {
        let hint = |object: &str| read_kwargs(&[], Some(object)).unwrap_err().hints().pop().unwrap();
        assert_eq!(hint("{'a': True}"), r#"pass --kwargs '{"a":true}'"#);
        for object in ["{'a': f()}", "[True]", "{\"a\": NaN}", "{\"a\": [1e400]}"] {
            assert!(!hint(object).starts_with("pass"), "{object}");
        }
    }

    #[test]
    fn a_window_is_refused() {
        let kwargs = |mode: &str| read_kwargs(&[("render_mode".to_owned(), mode.into())], None).unwrap();
        let error = check_kwargs(&kwargs("human")).unwrap_err();
        assert_eq!(error.hints().last().unwrap(), "pass -k render_mode=rgb_array");
        assert!(check_kwargs(&kwargs("rgb_array")).is_ok());
    }

    #[test]
    fn pairs_override_the_object_and_the_last_one_wins() {
        let pairs = ["a=2", "a=3"].map(|pair| parse_kwarg(pair).unwrap());
        let kwargs = read_kwargs(&pairs, Some(r#"{"a":1,"b":1}"#)).unwrap();
        assert_eq!(Value::Object(kwargs).to_string(), r#"{"a":3,"b":1}"#);
        for bad in ["[1]", "{", "3", "@/nonexistent/file"] {
            assert_eq!(read_kwargs(&[], Some(bad)).unwrap_err().kind(), "InvalidOption", "{bad}");
        }
    }

    #[test]
    fn an_endless_file_is_read_up_to_a_limit() {
        let error = read_kwargs(&[], Some("@/dev/zero")).unwrap_err();
        assert!(error.to_string().contains("larger than 64 MiB"), "{error}");
    }
}
