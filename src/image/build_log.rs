//! Writes the whole log of a build to a file, which is kept if the build fails. Errors while writing are
//! ignored.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::engine::docker::tail::Tail;
use crate::host::logs;
use crate::progress::BuildEvent;

/// The largest log, in bytes. After that, only the end is kept in addition.
const LARGEST: u64 = 64 * 1024 * 1024;

/// The length at which a long line is split, in bytes.
const LONGEST_LINE: usize = 64 * 1024;

/// The log of a running build. The file is removed when this value is dropped, unless it was kept.
pub(crate) struct BuildLog {
    /// `None` once writing has failed.
    file: Option<BufWriter<File>>,
    path: PathBuf,
    room: u64,
    /// The number of bytes that did not fit, and the last of them.
    end: Option<(u64, Tail)>,
    /// The incomplete last line of each step.
    lines: HashMap<usize, Vec<u8>>,
    is_kept: bool,
    /// Whether any event was added.
    has_events: bool,
}

impl BuildLog {
    /// Starts the log of a build in the folder; `None` if there is no folder, or it is not writable.
    pub(crate) fn begin(folder: Option<&Path>, tag: &str) -> Option<Self> {
        let name = tag.rsplit(':').next().unwrap_or_default();
        let (file, path) = logs::create(folder?, "build", name).ok()?;
        let mut log = Self {
            file: Some(BufWriter::new(file)),
            path,
            room: LARGEST,
            end: None,
            lines: HashMap::new(),
            is_kept: false,
            has_events: false,
        };
        let now = humantime::format_rfc3339_seconds(SystemTime::now());
        log.line(&format!("build of {tag}, {now}"));
        Some(log)
    }

    /// Writes an event.
    pub(crate) fn add(&mut self, event: &BuildEvent) {
        self.has_events = true;
        match event {
            BuildEvent::StepStarted { step, name } => self.line(&format!("#{step} {name}")),
            BuildEvent::StepFinished { step, name, cached: true, .. } => {
                self.flush(*step);
                self.line(&format!("#{step} CACHED {name}"));
            }
            BuildEvent::StepFinished { step, name, seconds, .. } => {
                self.flush(*step);
                self.line(&format!("#{step} DONE {seconds:.1}s {name}"));
            }
            BuildEvent::StepFailed { step, name, error } => {
                self.flush(*step);
                self.line(&format!("#{step} ERROR {name}: {error}"));
            }
            BuildEvent::Output { step, text } => self.output(*step, text),
            BuildEvent::Warning { text } => self.line(&format!("WARNING {text}")),
            BuildEvent::Text { line } => self.line(line),
            BuildEvent::Transfer { .. } => {}
        }
    }

    /// Keeps the log, and removes old ones. A build without events leaves no log.
    pub(crate) fn keep(mut self) -> Option<PathBuf> {
        if !self.has_events {
            return None;
        }
        let steps: Vec<usize> = self.lines.keys().copied().collect();
        steps.into_iter().for_each(|step| self.flush(step));
        if let Some((left_out, tail)) = self.end.take() {
            self.write(&format!("\n… {left_out} bytes were left out, except for the end:\n"));
            self.write(&format!("{}\n", tail.into_text()));
        }
        self.file.take()?.flush().ok()?;
        self.is_kept = true;
        self.path.parent().map(logs::keep_the_newest);
        Some(self.path.clone())
    }

    /// Adds a piece of a step's output. Lines are written when they are complete.
    fn output(&mut self, step: usize, text: &str) {
        let mut pending = self.lines.remove(&step).unwrap_or_default();
        for byte in text.bytes() {
            // pip and uv use carriage returns to rewrite a line.
            if matches!(byte, b'\n' | b'\r') || pending.len() >= LONGEST_LINE {
                let whole = std::mem::take(&mut pending);
                self.step_line(step, &whole);
            }
            if !matches!(byte, b'\n' | b'\r') {
                pending.push(byte);
            }
        }
        self.lines.insert(step, pending);
    }

    fn flush(&mut self, step: usize) {
        if let Some(rest) = self.lines.remove(&step) {
            self.step_line(step, &rest);
        }
    }

    fn step_line(&mut self, step: usize, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.line(&format!("#{step} {}", String::from_utf8_lossy(bytes)));
        }
    }

    /// Writes a line without control characters.
    fn line(&mut self, text: &str) {
        let mut line: String = text
            .chars()
            .map(|c| if matches!(c, '\n' | '\r') { ' ' } else { c })
            .filter(|c| !c.is_control() || *c == '\t')
            .collect();
        line.push('\n');
        let length = line.len() as u64;
        match self.room.checked_sub(length) {
            Some(room) => {
                self.room = room;
                self.write(&line);
            }
            None => {
                self.room = 0;
                let (left_out, tail) = self.end.get_or_insert_default();
                *left_out += length;
                tail.push(line.as_bytes());
            }
        }
    }

    fn write(&mut self, text: &str) {
        if let Some(file) = &mut self.file
            && file.write_all(text.as_bytes()).is_err()
        {
            self.file = None;
        }
    }
}

impl Drop for BuildLog {
    fn drop(&mut self) {
        if !self.is_kept {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn output(text: &str) -> BuildEvent {
        BuildEvent::Output { step: 3, text: text.to_owned() }
    }

    #[test]
    fn the_log_of_a_failed_build_is_whole_and_private() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("state/logs");
        let mut log = BuildLog::begin(Some(&folder), "image:1234").unwrap();
        log.add(&BuildEvent::StepStarted { step: 3, name: "[2/2] RUN x".to_owned() });
        log.add(&output("one\ntw"));
        log.add(&output("o\n\x1b[31mred\x07\r\nhalf"));
        log.add(&BuildEvent::StepFailed {
            step: 3,
            name: "[2/2] RUN x".to_owned(),
            error: "exit code: 1".to_owned(),
        });
        let path = log.keep().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(
            lines,
            [
                "#3 [2/2] RUN x",
                "#3 one",
                "#3 two",
                "#3 [31mred",
                "#3 half",
                "#3 ERROR [2/2] RUN x: exit code: 1"
            ]
        );
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&folder)), (0o600, 0o700));
    }

    #[test]
    fn a_log_that_is_not_kept_is_removed() {
        let home = tempfile::tempdir().unwrap();
        let log = BuildLog::begin(Some(home.path()), "image:1234").unwrap();
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
        drop(log);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
        assert!(BuildLog::begin(None, "x").is_none());
        assert!(BuildLog::begin(Some(Path::new("/dev/null/x")), "x").is_none());
    }

    #[test]
    fn a_build_without_events_leaves_no_log() {
        let home = tempfile::tempdir().unwrap();
        assert!(BuildLog::begin(Some(home.path()), "x").unwrap().keep().is_none());
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_long_log_is_limited_but_keeps_its_end() {
        let home = tempfile::tempdir().unwrap();
        let mut log = BuildLog::begin(Some(home.path()), "image:1234").unwrap();
        log.room = 1000;
        for number in 0..5000 {
            log.add(&output(&format!("line {number}\n")));
        }
        let text = fs::read_to_string(log.keep().unwrap()).unwrap();
        assert!(text.len() < 80 * 1024, "{}", text.len());
        assert!(text.contains("bytes were left out") && text.ends_with("#3 line 4999\n"));
    }
}
