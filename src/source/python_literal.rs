//! Python literals → JSON: what users copy from Python code.

use serde_json::{Map, Number, Value};

/// The deepest nesting that is read.
const DEEPEST: usize = 32;

/// The JSON value of a Python literal; tuples become lists. `None` for anything else.
pub(crate) fn to_json(text: &str) -> Option<Value> {
    let (value, rest) = literal(text.trim(), DEEPEST)?;
    rest.trim().is_empty().then_some(value)
}

/// The literal at the start of a text, and the text after it.
pub(crate) fn literal(text: &str, depth: usize) -> Option<(Value, &str)> {
    let text = text.trim_start();
    let depth = depth.checked_sub(1)?;
    match text.chars().next()? {
        '[' => items(&text[1..], ']', depth).map(|(items, _, rest)| (Value::Array(items), rest)),
        '(' => match items(&text[1..], ')', depth)? {
            // Parentheses around one value are not a tuple.
            (items, false, rest) if items.len() == 1 => Some((items.into_iter().next()?, rest)),
            (items, _, rest) => Some((Value::Array(items), rest)),
        },
        '{' => entries(&text[1..], depth),
        '\'' | '"' => string(text).map(|(text, rest)| (Value::String(text), rest)),
        _ => word(text),
    }
}

/// The items up to the closing bracket, and whether there was a comma.
fn items(mut text: &str, close: char, depth: usize) -> Option<(Vec<Value>, bool, &str)> {
    let (mut items, mut has_comma) = (Vec::new(), false);
    loop {
        text = text.trim_start();
        if let Some(rest) = text.strip_prefix(close) {
            return Some((items, has_comma, rest));
        }
        let (item, rest) = literal(text, depth)?;
        items.push(item);
        text = rest.trim_start();
        match text.strip_prefix(',') {
            Some(rest) => (text, has_comma) = (rest, true),
            None if text.starts_with(close) => {}
            None => return None,
        }
    }
}

fn entries(mut text: &str, depth: usize) -> Option<(Value, &str)> {
    let mut entries = Map::new();
    loop {
        text = text.trim_start();
        if let Some(rest) = text.strip_prefix('}') {
            return Some((Value::Object(entries), rest));
        }
        let (Value::String(key), rest) = literal(text, depth)? else { return None };
        let (value, rest) = literal(rest.trim_start().strip_prefix(':')?, depth)?;
        entries.insert(key, value);
        text = rest.trim_start();
        match text.strip_prefix(',') {
            Some(rest) => text = rest,
            None if text.starts_with('}') => {}
            None => return None,
        }
    }
}

/// A string between single or double quotes, with the usual escapes.
pub(crate) fn string(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let mut read = String::new();
    let mut characters = text.char_indices().skip(1);
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => match characters.next()?.1 {
                'n' => read.push('\n'),
                't' => read.push('\t'),
                escaped @ ('\\' | '\'' | '"') => read.push(escaped),
                _ => return None,
            },
            '\n' => return None,
            _ if c == quote => return Some((read, &text[at + 1..])),
            _ => read.push(c),
        }
    }
    None
}

/// A number, `True`, `False` or `None`; also a bare word, because a shell removes quotes.
fn word(text: &str) -> Option<(Value, &str)> {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '+' | '.' | '/');
    let end = text.find(|c| !is_word(c)).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let value = match word {
        "" | "NaN" | "Infinity" | "nan" | "inf" => return None,
        "True" | "true" => Value::Bool(true),
        "False" | "false" => Value::Bool(false),
        "None" | "null" => Value::Null,
        _ if word.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.')) => number(word)?,
        _ if rest.trim_start().starts_with(['(', '[', '{', '\'', '"', '=']) => return None,
        _ => Value::String(word.to_owned()),
    };
    Some((value, rest))
}

fn number(word: &str) -> Option<Value> {
    if let Ok(Value::Number(number)) = serde_json::from_str(word) {
        return (!is_too_large(&number)).then_some(Value::Number(number));
    }
    // `1.`, `.5` and `+1` are not JSON.
    let number = word.parse::<f64>().ok()?;
    Number::from_f64(number).map(Value::Number)
}

/// Whether a number with a fraction or an exponent is beyond the largest one that Python's `float` has.
pub(crate) fn is_too_large(number: &Number) -> bool {
    let text = number.to_string();
    text.contains(['.', 'e', 'E']) && text.parse::<f64>().is_ok_and(f64::is_infinite)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_become_json() {
        for (text, json) in [
            ("(1, 2)", "[1,2]"),
            ("(1,)", "[1]"),
            ("()", "[]"),
            ("(1)", "1"),
            ("[1, 'a', \"b\", None, True]", r#"[1,"a","b",null,true]"#),
            ("{'a': 1, 'b': {'c': (1.5, -2)}}", r#"{"a":1,"b":{"c":[1.5,-2]}}"#),
            ("{'a': 1,}", r#"{"a":1}"#),
            ("[a, b/c.d]", r#"["a","b/c.d"]"#),
            ("[.5, 1., 1e-3]", "[0.5,1.0,1e-3]"),
            (r"'it\'s'", r#""it's""#),
            ("'é'", r#""é""#),
        ] {
            assert_eq!(to_json(text).unwrap().to_string(), json, "{text}");
        }
    }

    #[test]
    fn anything_else_is_not_a_literal() {
        for text in
            ["", "[1", "[1 2]", "{1: 2}", "{'a'}", "f(x)", "[f(x)]", "'a", "[a='b']", "(,)", "[1e999]", "1 2"]
        {
            assert_eq!(to_json(text), None, "{text}");
        }
        assert_eq!(to_json(&"[".repeat(100_000)), None);
        assert_eq!(to_json(&format!("{}{}", "[".repeat(100), "]".repeat(100))), None);
    }
}
