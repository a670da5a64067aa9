//! The environment's keyword arguments, from pairs, JSON and files.

use std::fs::File;
use std::io::{self, Read};

use serde_json::{Map, Value};

use crate::error::{Field, InvalidValue, SandboxError, invalid_option};

/// The largest JSON that is read, in bytes.
const LARGEST: u64 = 64 * 1024 * 1024;

/// The environment's keyword arguments: the object first, then each pair over it, the last one winning.
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

/// `KEY=VALUE`, where VALUE is JSON if it parses as JSON, and else text.
///
/// # Errors
/// [`InvalidValue`] where there is no key.
pub(crate) fn parse_kwarg(pair: &str) -> Result<(String, Value), InvalidValue> {
    const HINT: &str = "write KEY=VALUE, such as -k render_mode=rgb_array";
    let (key, value) = pair.split_once('=').ok_or_else(|| InvalidValue::new("it has no '='", HINT))?;
    let key = key.trim();
    if key.is_empty() {
        return Err(InvalidValue::new("it has no key", HINT));
    }
    Ok((key.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()))))
}

fn read_object(given: &str) -> Result<Map<String, Value>, SandboxError> {
    const HINT: &str =
        r#"give a JSON object, such as '{"render_mode": "rgb_array"}', or @FILE that holds one"#;
    let field = Field::KWARGS;
    let (text, from) = match given.trim().strip_prefix('@') {
        None => (Ok(given.to_owned()), "--kwargs"),
        Some("-") => (read_bounded(io::stdin()), "standard input"),
        Some(file) => (File::open(file).and_then(read_bounded), file),
    };
    let text = text.map_err(|error| invalid_option(format!("{field}: cannot read {from}: {error}"), HINT))?;
    match serde_json::from_str(&text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(invalid_option(format!("{field} from {from} is not a JSON object"), HINT)),
        Err(error) => Err(invalid_option(format!("{field} from {from} is not JSON: {error}"), HINT)),
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
    fn a_kwarg_is_json_where_it_is_json_and_text_elsewhere() {
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
            ("nan=NaN", "nan", r#""NaN""#),
        ] {
            let (read_key, read) = parse_kwarg(pair).unwrap();
            assert_eq!((read_key.as_str(), read.to_string().as_str()), (key, value), "{pair}");
        }
        assert!(parse_kwarg("x").unwrap_err().to_string().contains("no '='"));
        assert!(parse_kwarg("=x").unwrap_err().to_string().contains("no key"));
    }

    #[test]
    fn pairs_stand_over_the_object_and_the_last_one_wins() {
        let pairs = ["a=2", "a=3"].map(|pair| parse_kwarg(pair).unwrap());
        let kwargs = read_kwargs(&pairs, Some(r#"{"a":1,"b":1}"#)).unwrap();
        assert_eq!(Value::Object(kwargs).to_string(), r#"{"a":3,"b":1}"#);
        for bad in ["[1]", "{", "3", "@/nonexistent/file"] {
            assert_eq!(read_kwargs(&[], Some(bad)).unwrap_err().kind(), "InvalidOption", "{bad}");
        }
    }

    #[test]
    fn a_file_without_end_is_read_up_to_a_bound() {
        let error = read_kwargs(&[], Some("@/dev/zero")).unwrap_err();
        assert!(error.to_string().contains("larger than 64 MiB"), "{error}");
    }
}
