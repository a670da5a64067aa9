//! The project file, as it is written: `rlmesh-sandbox.toml`, or the table `[tool.rlmesh-sandbox]` of a
//! `pyproject.toml`.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::{SandboxError, cannot_read, invalid_option};

/// The name of the project file.
pub(crate) const FILE: &str = "rlmesh-sandbox.toml";

/// The file that can contain the table instead.
const PYPROJECT: &str = "pyproject.toml";

/// The name of the table in `[tool]`.
const TABLE: &str = "rlmesh-sandbox";

/// The key of the named environments.
pub(crate) const ENVIRONMENTS: &str = "environments";

/// The most that is read of a file, in bytes.
const LARGEST: u64 = 4 << 20;

/// A project file. Its keys are not checked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ProjectFile {
    /// Its path as it is shown: relative if it is in the current folder.
    pub(crate) path: PathBuf,
    /// The folder of its relative paths.
    pub(crate) folder: PathBuf,
    /// What applies to every environment.
    pub(crate) defaults: Vec<Entry>,
    pub(crate) environments: Vec<Environment>,
    /// Another file in the same folder that is not used.
    pub(crate) ignored: Option<PathBuf>,
}

/// A named environment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Environment {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) entries: Vec<Entry>,
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) value: Value,
    /// Counted from 1.
    pub(crate) line: usize,
}

impl ProjectFile {
    /// The error for a line of this file.
    pub(crate) fn invalid(&self, line: usize, reason: &str, hint: impl Into<String>) -> SandboxError {
        invalid_at(&self.path, line, reason, hint)
    }
}

/// Finds the project file of a folder: in the folder, or in the nearest folder above it that has one.
///
/// # Errors
/// [`SandboxError::InvalidOption`] if it is not valid TOML; [`SandboxError::System`] if it cannot be read.
pub(crate) fn find(here: &Path) -> Result<Option<ProjectFile>, SandboxError> {
    for folder in here.ancestors() {
        let [own, pyproject] = [FILE, PYPROJECT].map(|name| folder.join(name));
        let is_here = folder == here;
        let own = found(&own, is_here)?;
        let pyproject = found(&pyproject, is_here)?;
        if let Some(file) = own {
            return Ok(Some(ProjectFile { ignored: pyproject.map(|file| file.path), ..file }));
        }
        if pyproject.is_some() {
            return Ok(pyproject);
        }
    }
    Ok(None)
}

/// Reads the file that the user names.
///
/// # Errors
/// As [`find`]; also if there is no such file or table.
pub(crate) fn read(file: &Path) -> Result<ProjectFile, SandboxError> {
    let text = text_of(file).map_err(|error| cannot_read(file, &error, "check the path of --config"))?;
    parse(file, &text)?.ok_or_else(|| {
        invalid_option(
            format!("{} has no table [tool.{TABLE}]", file.display()),
            format!("add the table, or use a file with the name {FILE}"),
        )
    })
}

/// A file that may not be there. A file of another user is not used: it could change what this user's commands do.
fn found(file: &Path, is_here: bool) -> Result<Option<ProjectFile>, SandboxError> {
    let Ok(metadata) = file.metadata() else { return Ok(None) };
    let user = rustix::process::geteuid().as_raw();
    if !metadata.is_file() || ![0, user].contains(&metadata.uid()) && user != 0 {
        return Ok(None);
    }
    let shown = if is_here { Path::new(file.file_name().unwrap_or_default()) } else { file };
    let text = match text_of(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cannot_read(file, &error, "check its permissions, or pass --no-config")),
    };
    // A pyproject.toml that is not valid is only reported if it is about this program.
    if file.ends_with(PYPROJECT) && !text.contains(TABLE) {
        return Ok(None);
    }
    parse(shown, &text)
}

fn text_of(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(file)?.take(LARGEST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LARGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is larger than 4 MiB"));
    }
    Ok(text)
}

/// Parses a file; `None` for a `pyproject.toml` without the table.
fn parse(path: &Path, text: &str) -> Result<Option<ProjectFile>, SandboxError> {
    let line_at =
        |offset: usize| text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1;
    let table = DeTable::parse(text).map_err(|error| {
        let line = line_at(error.span().unwrap_or_default().start);
        invalid_at(path, line, error.message().trim(), "the file is TOML: key = value, with texts in quotes")
    })?;
    let mut table = table.into_inner();
    if path.ends_with(PYPROJECT) {
        let own = table.remove("tool").and_then(|tool| match tool.into_inner() {
            DeValue::Table(mut tool) => tool.remove(TABLE),
            _ => None,
        });
        match own.map(Spanned::into_inner) {
            Some(DeValue::Table(own)) => table = own,
            _ => return Ok(None),
        }
    }
    let mut file = ProjectFile {
        path: path.to_owned(),
        folder: path.parent().unwrap_or(Path::new("")).to_owned(),
        defaults: Vec::new(),
        environments: Vec::new(),
        ignored: None,
    };
    let entries = |table: DeTable<'_>| -> Result<Vec<Entry>, SandboxError> {
        let mut entries = table
            .into_iter()
            .map(|(key, value)| {
                let line = line_at(key.span().start);
                let key = key.into_inner().into_owned();
                let value = json(value.into_inner()).map_err(|reason| {
                    invalid_at(path, line, &format!("{key}: {reason}"), "use another number")
                })?;
                Ok(Entry { key, value, line })
            })
            .collect::<Result<Vec<_>, SandboxError>>()?;
        entries.sort_by_key(|entry| entry.line);
        Ok(entries)
    };
    if let Some(named) = table.remove(ENVIRONMENTS) {
        let wrong = |line| {
            invalid_at(
                path,
                line,
                &format!("{ENVIRONMENTS} has to contain tables"),
                "write [environments.NAME]",
            )
        };
        let line = line_at(named.span().start);
        let DeValue::Table(named) = named.into_inner() else { return Err(wrong(line)) };
        for (name, environment) in named {
            let line = line_at(name.span().start);
            let DeValue::Table(environment) = environment.into_inner() else { return Err(wrong(line)) };
            let entries = entries(environment)?;
            file.environments.push(Environment { name: name.into_inner().into_owned(), line, entries });
        }
        file.environments.sort_by_key(|environment| environment.line);
    }
    file.defaults = entries(table)?;
    Ok(Some(file))
}

/// The value as JSON. A date becomes a text.
fn json(value: DeValue<'_>) -> Result<Value, &'static str> {
    Ok(match value {
        DeValue::String(text) => Value::String(text.into_owned()),
        DeValue::Boolean(value) => Value::Bool(value),
        DeValue::Datetime(date) => Value::String(date.to_string()),
        DeValue::Integer(integer) => {
            let number = i64::from_str_radix(integer.as_str(), integer.radix());
            Value::Number(number.map_err(|_| "the number is too large")?.into())
        }
        DeValue::Float(float) => {
            let number = float.as_str().parse().ok().and_then(Number::from_f64);
            Value::Number(number.ok_or("JSON has no such number")?)
        }
        DeValue::Array(items) => {
            Value::Array(items.into_iter().map(|item| json(item.into_inner())).collect::<Result<_, _>>()?)
        }
        DeValue::Table(entries) => Value::Object(
            entries
                .into_iter()
                .map(|(key, value)| Ok((key.into_inner().into_owned(), json(value.into_inner())?)))
                .collect::<Result<Map<_, _>, &'static str>>()?,
        ),
    })
}

fn invalid_at(path: &Path, line: usize, reason: &str, hint: impl Into<String>) -> SandboxError {
    invalid_option(format!("{}:{line}: {reason}", path.display()), hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, name: &str, text: &str) {
        std::fs::write(folder.join(name), text).unwrap();
    }

    #[test]
    fn keys_have_their_values_and_lines() {
        let text = "# x\nbase-image = 'a'\nn = [1, 0x10, 1.5, true]\n\n[environments.b]\nsource = 'x'\n[environments.a.kwargs]\nday = 2026-01-02\n";
        let file = parse(Path::new("x.toml"), text).unwrap().unwrap();
        let lines: Vec<_> = file.defaults.iter().map(|entry| (entry.key.as_str(), entry.line)).collect();
        assert_eq!(lines, [("base-image", 2), ("n", 3)]);
        assert_eq!(file.defaults[1].value, serde_json::json!([1, 16, 1.5, true]));
        let named: Vec<_> = file.environments.iter().map(|named| (named.name.as_str(), named.line)).collect();
        assert_eq!(named, [("b", 5), ("a", 7)]);
        assert_eq!(file.environments[1].entries[0].value, serde_json::json!({"day": "2026-01-02"}));
    }

    #[test]
    fn what_is_not_toml_is_reported_with_its_line() {
        for (text, start) in [
            ("a = 1\nb = \n", "f.toml:2: "),
            ("a = 1\na = 2\n", "f.toml:2: "),
            ("\na = inf", "f.toml:2: a: JSON has no such number"),
            ("a = 99999999999999999999", "f.toml:1: "),
            ("environments = 1", "f.toml:1: environments has to contain tables"),
            ("[environments]\nx = 1", "f.toml:2: environments has to contain tables"),
        ] {
            let error = parse(Path::new("f.toml"), text).unwrap_err().to_string();
            assert!(error.starts_with(start), "{text:?}: {error}");
        }
    }

    #[test]
    fn the_nearest_file_is_found_and_its_own_name_wins() {
        let top = tempfile::tempdir().unwrap();
        let below = top.path().join("a/b");
        std::fs::create_dir_all(&below).unwrap();
        assert_eq!(find(&below).unwrap(), None);
        write(top.path(), PYPROJECT, "[tool.rlmesh-sandbox]\nx = 1\n");
        let file = find(&below).unwrap().unwrap();
        assert_eq!((file.path, file.folder), (top.path().join(PYPROJECT), top.path().to_owned()));
        assert_eq!(file.defaults[0].line, 2);
        // These say nothing about this program.
        write(&below, PYPROJECT, "[tool.other]\n");
        write(&top.path().join("a"), PYPROJECT, "not valid");
        assert_eq!(find(&below).unwrap().unwrap().folder, top.path());
        write(&below, PYPROJECT, "[tool.rlmesh-sandbox]\n");
        write(&below, FILE, "");
        let file = find(&below).unwrap().unwrap();
        assert_eq!((file.path.as_path(), file.folder.as_path()), (Path::new(FILE), Path::new("")));
        assert_eq!(file.ignored, Some(PathBuf::from(PYPROJECT)));
        write(&below, PYPROJECT, "tool.rlmesh-sandbox = 3 =");
        assert!(find(&below).unwrap_err().to_string().starts_with("pyproject.toml:1: "));
    }

    #[test]
    fn a_file_that_is_named_has_to_be_there() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(&folder.path().join("x.toml")).unwrap_err().kind(), "System");
        write(folder.path(), PYPROJECT, "[tool.other]\n");
        let error = read(&folder.path().join(PYPROJECT)).unwrap_err();
        assert!(error.to_string().ends_with("has no table [tool.rlmesh-sandbox]"), "{error}");
    }
}
