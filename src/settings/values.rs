//! Parsers of the values of options: image references, requirements, names and numbers.

use crate::error::{Field, InvalidValue, SandboxError};
use crate::settings::requirement::{module_of, refuse_requirement};
use crate::source::image_reference::is_image_reference;

/// The longest name of a container, in bytes: it becomes a host name in some networks.
const LONGEST_CONTAINER_NAME: usize = 128;

type Parse = fn(&str) -> Result<String, InvalidValue>;

/// Checks the value of a field.
///
/// # Errors
/// [`SandboxError::InvalidOption`], which names the field.
pub(crate) fn one(
    field: Field,
    value: Option<&String>,
    parse: Parse,
) -> Result<Option<String>, SandboxError> {
    value.map(|text| parse(text).map_err(|invalid| field.invalid(text, &invalid))).transpose()
}

/// Checks every value of a field.
///
/// # Errors
/// As [`one`].
pub(crate) fn each(field: Field, values: &[String], parse: Parse) -> Result<Vec<String>, SandboxError> {
    let parse = |text: &String| parse(text).map_err(|invalid| field.invalid(text, &invalid));
    values.iter().map(parse).collect()
}

/// Trims a text and checks that it is one line.
///
/// # Errors
/// [`InvalidValue`] if it is empty or contains a line break or a NUL byte.
pub(crate) fn one_line(text: &str) -> Result<String, InvalidValue> {
    let text = text.trim();
    if text.is_empty() {
        return Err(InvalidValue::new("it is empty", "use a value that is not empty, or remove the option"));
    }
    if text.contains(['\n', '\r']) {
        return Err(InvalidValue::new(
            "it contains a line break",
            "repeat the option to give several values",
        ));
    }
    if text.contains('\0') {
        return Err(InvalidValue::new("it contains a NUL byte", "remove the NUL byte"));
    }
    Ok(text.to_owned())
}

/// Parses an image reference. Docker could take other texts as an option, or as further words of FROM.
pub(crate) fn base_image(text: &str) -> Result<String, InvalidValue> {
    let text = one_line(text)?;
    if !is_image_reference(&text) {
        return Err(InvalidValue::new(
            "it is not a valid image reference",
            "use an image such as python:3.11-slim or ghcr.io/org/image:tag",
        ));
    }
    Ok(text)
}

/// Parses a pip requirement: what PEP 508 allows, a URL or a path.
pub(crate) fn requirement(text: &str) -> Result<String, InvalidValue> {
    let requirement = one_line(text)?;
    match refuse_requirement(&requirement) {
        Some(invalid) => Err(invalid),
        None => Ok(requirement),
    }
}

/// Parses `NAME[:ARCHITECTURE][=VERSION]`, by Debian's grammar. apt would remove a package whose name ends
/// with a dash, and would take a name that starts with one as an option.
pub(crate) fn debian_package(text: &str) -> Result<String, InvalidValue> {
    let package = one_line(text)?;
    if package.ends_with(".so") || package.contains(".so.") {
        return Err(InvalidValue::new(
            "it is a library, not a Debian package",
            "use the package that has it, such as libgl1 for libGL.so.1 or libxcb1 for libxcb.so.1",
        ));
    }
    let (name, version) = match package.split_once('=') {
        Some((name, version)) => (name, Some(version)),
        None => (package.as_str(), None),
    };
    let (name, architecture) = match name.split_once(':') {
        Some((name, architecture)) => (name, Some(architecture)),
        None => (name, None),
    };
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_name = name.len() >= 2
        && name.starts_with(is_word)
        && !name.ends_with('-')
        && name.chars().all(|c| is_word(c) || matches!(c, '+' | '-' | '.'));
    let is_architecture = architecture
        .is_none_or(|text| text.starts_with(is_word) && text.chars().all(|c| is_word(c) || c == '-'));
    let is_version = version.is_none_or(|text| {
        text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '-' | ':' | '~'))
    });
    if is_name && is_architecture && is_version {
        return Ok(package);
    }
    Err(InvalidValue::new(
        "it is not a valid Debian package name",
        "use NAME or NAME=VERSION, and repeat --apt for several packages",
    ))
}

/// Parses `MODULE[:FUNCTION]`: the name of a Python module, which may contain dots, and a function in it.
pub(crate) fn import(text: &str) -> Result<String, InvalidValue> {
    let text = one_line(text)?;
    let (module, function) = match text.split_once(':') {
        Some((module, function)) => (module, Some(function)),
        None => (text.as_str(), None),
    };
    let right = module_of(module, is_module);
    if !is_module(module) || right.is_some() {
        let invalid = InvalidValue::new(
            if is_module(module) {
                "Python's name of the module is another"
            } else {
                "it is not a valid module name"
            },
            "use the name that Python imports, such as ale_py (the package on PyPI may be spelled differently)",
        );
        return Err(match (right, function) {
            (Some(right), None) => invalid.instead("-i", &text, right),
            _ => invalid,
        });
    }
    if !function.is_none_or(is_python_name) {
        let without_call = text.trim_end_matches("()");
        let invalid = InvalidValue::new(
            "it does not name a function of the module",
            "use MODULE, or MODULE:FUNCTION without parentheses to call a function that registers environments",
        );
        let is_call = without_call.len() < text.len() && import(without_call).is_ok();
        return Err(if is_call { invalid.instead("-i", &text, without_call) } else { invalid });
    }
    Ok(text)
}

/// Parses `MODULE:CLASS`.
pub(crate) fn wrapper(text: &str) -> Result<String, InvalidValue> {
    let text = one_line(text)?;
    if !text.split_once(':').is_some_and(|(module, class)| is_module(module) && is_python_name(class)) {
        return Err(InvalidValue::new(
            "it is not MODULE:CLASS",
            "use a module and a wrapper class in it, such as gymnasium.wrappers:FlattenObservation",
        ));
    }
    Ok(text)
}

/// Parses a date of the calendar, such as 2025-03-31.
pub(crate) fn date(text: &str) -> Result<String, InvalidValue> {
    let text = one_line(text)?;
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<u32>().ok();
    let has_form = text.len() == 10
        && text
            .bytes()
            .enumerate()
            .all(|(at, byte)| if matches!(at, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() });
    let is_date = match (number(0..4), number(5..7), number(8..10)) {
        (Some(year), Some(month), Some(day)) => {
            let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let days = match month {
                2 if is_leap => 29,
                2 => 28,
                4 | 6 | 9 | 11 => 30,
                1..=12 => 31,
                _ => 0,
            };
            (1..=days).contains(&day)
        }
        _ => false,
    };
    if !has_form || !is_date {
        return Err(InvalidValue::new("it is not a date", "use a date such as 2025-03-31"));
    }
    Ok(text)
}

fn is_module(text: &str) -> bool {
    text.split('.').all(is_python_name)
}

fn is_python_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// Parses the number of copies.
pub(crate) fn count(text: &str) -> Result<u32, InvalidValue> {
    let number = text.trim().parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| {
        InvalidValue::new("it is not a valid number of copies", "use a whole number, 1 or more")
    })
}

/// Parses a number of lines.
///
/// # Errors
/// [`InvalidValue`].
pub(crate) fn lines(text: &str) -> Result<u64, InvalidValue> {
    text.trim().parse().map_err(|_| {
        InvalidValue::new("it is not a valid number of lines", "use a whole number, such as 100")
    })
}

/// Whether a text is a name in docker's sense: it starts with a letter or digit, so it is never an option.
pub(crate) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

/// Checks the name of a container, by Docker's rules.
///
/// # Errors
/// [`InvalidValue`].
pub(crate) fn container_name(text: &str) -> Result<String, InvalidValue> {
    if is_name(text) && (2..=LONGEST_CONTAINER_NAME).contains(&text.len()) {
        return Ok(text.to_owned());
    }
    Err(InvalidValue::new(
        "it is not a valid container name",
        "use 2 to 128 letters, digits, `_`, `.` and `-`, and start with a letter or digit",
    ))
}

/// Parses a process id.
pub(crate) fn process_id(text: &str) -> Result<u32, InvalidValue> {
    let number = text.trim().parse().ok().filter(|pid| (1..=i32::MAX as u32).contains(pid));
    number.ok_or_else(|| {
        InvalidValue::new("it is not a valid process id", "use the id of a running process, such as $$")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_name_is_checked() {
        for name in ["trainer", "a1", "A_b.c-2"] {
            assert_eq!(container_name(name).as_deref(), Ok(name));
        }
        for name in ["", "a", "-x", "_x", "a b", "a/b", "é1", &"x".repeat(129)] {
            assert!(container_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn only_debian_packages_are_accepted() {
        for package in ["libgl1", "g++", "libstdc++6", "libgl1=1.6.0-1", "libc6:arm64", "x11-apps=2:1~rc1+b2"]
        {
            assert!(debian_package(package).is_ok(), "{package}");
        }
        for package in [
            "",
            "x",
            "-y",
            "libgl1-",
            "LibGL",
            "a b",
            "libgl1=",
            "libgl1/sid",
            "a;b",
            "lib*",
            "./x.deb",
            "libxcb.so.1",
        ] {
            assert!(debian_package(package).is_err(), "{package}");
        }
    }

    #[test]
    fn imports_and_wrappers_are_names_of_python() {
        for text in ["ale_py", "a.b.c", "minatar.gym:register_envs", "ünï:é"] {
            assert_eq!(import(text).unwrap(), text);
        }
        for text in ["", "ale-py", "a..b", "a:", ":b", "a:b.c", "a:b()", "a:b:c", "a b", "a:b;c", "1a"] {
            assert!(import(text).is_err(), "{text}");
        }
        assert_eq!(wrapper(" gymnasium.wrappers:FlattenObservation ").unwrap().len(), 37);
        for text in ["", "a", "a:", ":B", "a:B.C", "a:B()", "a.B", "a-b:C", "a:B:C", "a:B C"] {
            assert!(wrapper(text).is_err(), "{text}");
        }
    }

    #[test]
    fn dates_exist_in_the_calendar() {
        for text in ["2025-03-31", "2024-02-29", " 1999-12-01 "] {
            assert!(date(text).is_ok(), "{text}");
        }
        for text in [
            "2025-02-29",
            "2025-13-01",
            "2025-00-10",
            "2025-1-1",
            "yesterday",
            "2025-03-31T00",
            "+025-01-01",
            "",
        ] {
            assert!(date(text).is_err(), "{text}");
        }
    }

    #[test]
    fn counts_and_process_ids() {
        assert_eq!(count(" 4 ").unwrap(), 4);
        for text in ["0", "-1", "1.5", "", "x", "99999999999"] {
            assert!(count(text).is_err(), "{text}");
        }
        assert_eq!(lines("0").unwrap(), 0);
        assert!(lines("-1").is_err() && lines("x").is_err());
        assert_eq!(process_id("1").unwrap(), 1);
        for text in ["0", "-1", "", "x", "4294967295"] {
            assert!(process_id(text).is_err(), "{text}");
        }
    }
}
