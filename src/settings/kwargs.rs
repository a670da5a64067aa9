//! The environment's keyword arguments, from pairs, JSON and files; what they mean is the environment's matter.

use std::io::Read as _;

use serde_json::{Map, Value};

use crate::error::SandboxError;
use crate::settings::sandbox::{Field, invalid};

const KWARGS: Field = Field("kwargs", "--kwarg, --kwargs");

/// The environment's keyword arguments: the object first, then each `KEY=VALUE` over it, the last one winning.
pub(crate) fn read_kwargs(
    pairs: &[String],
    object: Option<&str>,
) -> Result<Map<String, Value>, SandboxError> {
    let mut kwargs = object.map_or_else(|| Ok(Map::new()), read_kwargs_object)?;
    for pair in pairs {
        let (key, value) = parse_kwarg(pair)?;
        kwargs.insert(key, value);
    }
    Ok(kwargs)
}

fn parse_kwarg(pair: &str) -> Result<(String, Value), SandboxError> {
    let Some((key, value)) = pair.split_once('=') else {
        return Err(invalid(
            format!("{KWARGS} {pair:?} has no '='"),
            "write KEY=VALUE, such as -k render_mode=rgb_array",
        ));
    };
    let key = key.trim();
    if key.is_empty() {
        return Err(invalid(format!("{KWARGS} {pair:?} has no key"), "write KEY=VALUE"));
    }
    Ok((key.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()))))
}

fn read_kwargs_object(given: &str) -> Result<Map<String, Value>, SandboxError> {
    const HINT: &str =
        r#"give a JSON object, such as '{"render_mode": "rgb_array"}', or @FILE that holds one"#;
    let (text, from) = match given.trim().strip_prefix('@') {
        None => (given.to_owned(), "--kwargs".to_owned()),
        Some("-") => {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(|error| invalid(format!("{KWARGS} could not be read from stdin: {error}"), HINT))?;
            (text, "stdin".to_owned())
        }
        Some(file) => {
            let text = std::fs::read_to_string(file)
                .map_err(|error| invalid(format!("{KWARGS} could not be read from {file}: {error}"), HINT))?;
            (text, file.to_owned())
        }
    };
    match serde_json::from_str(&text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(invalid(format!("{KWARGS} from {from} is JSON, but no object"), HINT)),
        Err(error) => Err(invalid(format!("{KWARGS} from {from} is not JSON: {error}"), HINT)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal<T: std::fmt::Debug>(result: Result<T, SandboxError>) -> String {
        match result {
            Err(error @ SandboxError::InvalidOption(_)) => error.to_string(),
            other => panic!("expected InvalidOption, got {other:?}"),
        }
    }

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
        assert!(refusal(parse_kwarg("x")).contains("no '='"));
        assert!(refusal(parse_kwarg("=x")).contains("no key"));
    }

    #[test]
    fn pairs_stand_over_the_object_and_the_last_one_wins() {
        let kwargs = read_kwargs(&["a=2".into(), "a=3".into()], Some(r#"{"a":1,"b":1}"#)).unwrap();
        assert_eq!(Value::Object(kwargs).to_string(), r#"{"a":3,"b":1}"#);
        for bad in ["[1]", "{", "3", "@/nonexistent/file"] {
            refusal(read_kwargs(&[], Some(bad)));
        }
    }
}
