//! The stand-in for docker: records its command line and answers with the first rule that matches it.
//!
//! `$STAND_IN` names a folder with `rules/<number>/`, whose files are written by `support/docker.rs`:
//! - `pattern`: the whole command line, where `*` matches any text;
//! - `once`: the rule answers one call only;
//! - `until`: the rule answers no more once there is this file of the folder;
//! - `hook`: shell lines that run first, with the arguments of the call;
//! - `stdout`, `stderr`, `status`: the answer;
//! - `mark`: a file of the folder that is written with this process's id once the output is;
//! - `hang`: then it waits until this file of the folder exists; without a name, until it is killed.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

fn main() -> ExitCode {
    match answer() {
        Ok(status) => ExitCode::from(status),
        Err(problem) => {
            let _ = writeln!(io::stderr(), "stand-in docker: {problem}");
            ExitCode::from(99)
        }
    }
}

fn answer() -> Result<u8, String> {
    let folder = PathBuf::from(std::env::var_os("STAND_IN").ok_or("STAND_IN is not set")?);
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let words: Vec<&[u8]> = arguments.iter().map(|argument| argument.as_bytes()).collect();
    let line = words.join(&b' ');
    record(&folder, &line).map_err(|error| format!("the call was not recorded: {error}"))?;
    let mut rules: Vec<PathBuf> = fs::read_dir(folder.join("rules"))
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
        .map_err(|error| format!("there are no rules: {error}"))?;
    rules.sort();
    for rule in rules {
        if matches(&fs::read(rule.join("pattern")).unwrap_or_default(), &line) && may_answer(&folder, &rule) {
            return play(&folder, &rule, &arguments).map_err(|error| format!("{}: {error}", rule.display()));
        }
    }
    Err(format!("no rule for: {}", String::from_utf8_lossy(&line)))
}

/// Adds the call as one line, in one write: calls at the same time must not mix.
fn record(folder: &Path, line: &[u8]) -> io::Result<()> {
    let mut record: Vec<u8> = line.iter().map(|byte| if *byte == b'\n' { b' ' } else { *byte }).collect();
    record.push(b'\n');
    fs::OpenOptions::new().create(true).append(true).open(folder.join("calls"))?.write_all(&record)
}

fn may_answer(folder: &Path, rule: &Path) -> bool {
    if fs::read_to_string(rule.join("until")).is_ok_and(|name| folder.join(name).exists()) {
        return false;
    }
    // Making the file is what decides between two calls at the same time.
    !rule.join("once").exists() || fs::File::create_new(rule.join("used")).is_ok()
}

fn play(folder: &Path, rule: &Path, arguments: &[OsString]) -> Result<u8, String> {
    let read = |name: &str| fs::read(rule.join(name)).ok();
    let text = |name: &str| read(name).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let failed = |error: io::Error| error.to_string();
    if let Some(hook) = text("hook") {
        let mut shell = Command::new("/bin/sh");
        let ended = shell.arg("-ec").arg(hook).arg("docker").args(arguments).status().map_err(failed)?;
        if !ended.success() {
            return Err(format!("the hook failed: {ended}"));
        }
    }
    // A reader that has gone away is the program's choice, not a failure.
    let _ = io::stdout().write_all(&read("stdout").unwrap_or_default());
    let _ = io::stdout().flush();
    let _ = io::stderr().write_all(&read("stderr").unwrap_or_default());
    if let Some(mark) = text("mark") {
        // Renamed, so that a test never sees it empty.
        let draft = folder.join(format!("{mark}.new"));
        fs::write(&draft, std::process::id().to_string()).map_err(failed)?;
        fs::rename(draft, folder.join(mark)).map_err(failed)?;
    }
    if let Some(until) = text("hang") {
        // The folder goes with the test: no stand-in outlives it.
        while folder.exists() && (until.is_empty() || !folder.join(&until).exists()) {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    text("status").unwrap_or_default().parse().map_err(|error| format!("the status is not one: {error}"))
}

/// Whether `pattern`, where `*` stands for any text, matches the whole of `line`.
fn matches(pattern: &[u8], line: &[u8]) -> bool {
    let mut parts = pattern.split(|byte| *byte == b'*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = (0..=rest.len()).find(|at| rest[*at..].starts_with(part)) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}
