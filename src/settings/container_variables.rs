//! The user's environment variables for a container: `-e NAME[=VALUE]` and `--env-file`.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::contract::variable;
use crate::error::{Field, InvalidValue, SandboxError, cannot_read, invalid_option};
use crate::settings::variables::Variables;

/// The largest file of variables, in bytes.
const LARGEST_FILE: u64 = 1 << 20;

/// The longest line that docker reads from a file of variables, in bytes.
const LONGEST_LINE: usize = 60_000;

/// Parses `NAME=VALUE`, or `NAME` for a variable whose value is taken from this process.
///
/// # Errors
/// [`InvalidValue`] for a name that is not valid or that this tool sets itself, and for a value that a line of
/// docker's `--env-file` cannot contain.
pub(crate) fn variable(text: &str) -> Result<(String, Option<String>), InvalidValue> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    };
    check(name, value.unwrap_or_default())?;
    Ok((name.to_owned(), value.map(str::to_owned)))
}

/// Checks a variable.
///
/// # Errors
/// As [`variable`].
pub(crate) fn check(name: &str, value: &str) -> Result<(), InvalidValue> {
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_name {
        return Err(InvalidValue::new(
            "it does not start with a variable's name",
            "use NAME=VALUE or NAME, where NAME consists of letters, digits and underscores",
        ));
    }
    let own = [
        (variable::BOOTSTRAP_JSON, "-k, -i and -n"),
        (variable::MAKE_KWARGS, "-k"),
        (variable::NUM_ENVS, "-n"),
        (variable::VECTORIZATION_MODE, "--vectorization-mode"),
        (variable::PORT, "no option: the port in the container is fixed"),
        (variable::ADDRESS, "--transport: the address in the container is fixed"),
    ];
    if let Some((_, instead)) = own.iter().find(|(own, _)| *own == name) {
        return Err(InvalidValue::new(
            format!("rlmesh-sandbox sets {name} itself"),
            format!("use {instead}"),
        ));
    }
    if value.contains(['\n', '\r', '\0']) {
        return Err(InvalidValue::new(
            "its value contains a line break or a NUL byte, which a container's variable cannot have",
            "encode the value, for example as base64, and decode it in the environment",
        ));
    }
    if name.len() + value.len() > LONGEST_LINE {
        return Err(InvalidValue::new(
            format!("it is longer than {LONGEST_LINE} bytes"),
            "pass long data to the environment with --kwargs @FILE",
        ));
    }
    Ok(())
}

/// The variables of the files, and then those of `-e`, which win.
///
/// # Errors
/// [`SandboxError::InvalidOption`] for a line that is not valid, and for a name alone that is not set here;
/// [`SandboxError::System`] for a file that cannot be read.
pub(crate) fn read(
    files: &[PathBuf],
    given: &[(String, Option<String>)],
    here: &Variables,
) -> Result<Vec<(String, String)>, SandboxError> {
    let mut found = Vec::new();
    for file in files {
        for (at, line) in text_of(file)?.lines().enumerate() {
            let line = line.trim_start();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let place = || format!("line {} of {}", at + 1, file.display());
            // The line may contain a secret, so it is not quoted.
            let (name, value) = variable(line).map_err(|invalid| {
                invalid_option(format!("{}: {}", place(), invalid.reason), invalid.hint)
            })?;
            found.push(with_value(&name, value, here, &place())?);
        }
    }
    for (name, value) in given {
        found.push(with_value(name, value.clone(), here, &Field::ENV.to_string())?);
    }
    Ok(found)
}

fn with_value(
    name: &str,
    value: Option<String>,
    here: &Variables,
    place: &str,
) -> Result<(String, String), SandboxError> {
    let value = match value {
        Some(value) => value,
        None => here.exact(name)?.ok_or_else(|| {
            invalid_option(
                format!("{place}: the variable {name} is not set here"),
                format!("set {name}, or give its value: {name}=VALUE"),
            )
        })?,
    };
    check(name, &value)
        .map_err(|invalid| invalid_option(format!("{place}: {name}: {}", invalid.reason), invalid.hint))?;
    Ok((name.to_owned(), value))
}

fn text_of(file: &Path) -> Result<String, SandboxError> {
    let hint = "check the path that you pass to --env-file";
    let mut bytes = Vec::new();
    File::open(file)
        .and_then(|opened| opened.take(LARGEST_FILE + 1).read_to_end(&mut bytes))
        .map_err(|error| cannot_read(file, &error, hint))?;
    let not_usable = |reason: &str, hint: &str| invalid_option(format!("{} {reason}", file.display()), hint);
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(not_usable("is larger than 1 MiB", "use a file with one NAME=VALUE on each line"));
    }
    let text =
        String::from_utf8(bytes).map_err(|_| not_usable("is not valid UTF-8", "save the file as UTF-8"))?;
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> Variables {
        [("TOKEN", " abc "), ("EMPTY", "")].into_iter().collect()
    }

    #[test]
    fn values_are_given_or_taken_from_here() {
        let given = ["A=1", "TOKEN", "EMPTY", "B=x=y ", "C="].map(|text| variable(text).unwrap());
        let read = read(&[], &given, &here()).unwrap();
        let expected = [("A", "1"), ("TOKEN", " abc "), ("EMPTY", ""), ("B", "x=y "), ("C", "")];
        assert_eq!(read, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn a_variable_that_is_not_set_here_is_an_error() {
        let error = read(&[], &[variable("MISSING").unwrap()], &here()).unwrap_err();
        assert_eq!(error.kind(), "InvalidOption");
        assert!(error.to_string().contains("MISSING is not set here"), "{error}");
    }

    #[test]
    fn names_and_values_that_cannot_be_passed_are_refused() {
        let long = format!("A={}", "x".repeat(70_000));
        for text in
            ["", "=x", "1A=x", "A B=x", "A-B=x", "A=x\ny", "RLMESH_PORT=1", "RLMESH_BOOTSTRAP_JSON", &long]
        {
            assert!(variable(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_file_has_one_variable_on_each_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("env");
        std::fs::write(&file, "\u{feff}# a comment\n\nA=1 # no comment\r\n  TOKEN\nQ=\"x\"\n").unwrap();
        let found = read(std::slice::from_ref(&file), &[variable("A=2").unwrap()], &here()).unwrap();
        let expected = [("A", "1 # no comment"), ("TOKEN", " abc "), ("Q", "\"x\""), ("A", "2")];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        std::fs::write(&file, "A=1\nsecret word\n").unwrap();
        let error = read(&[file], &[], &here()).unwrap_err().to_string();
        assert!(error.contains("line 2 of") && !error.contains("secret"), "{error}");
        assert_eq!(read(&[folder.path().join("no")], &[], &here()).unwrap_err().kind(), "System");
    }
}
