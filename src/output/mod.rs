//! Everything that is printed to stdout and stderr.

mod closed_stdout;
pub(crate) mod json;
pub(crate) mod progress;
pub(crate) mod table;
pub(crate) mod text;
pub(crate) mod variables;

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use indicatif::MultiProgress;
use serde::Serialize;

use crate::cli::{ColorWhen, GlobalArgs, ListFormat, ProgressHow};
use crate::error::SandboxError;
use crate::progress::Event;
use crate::sandbox::failure::is_rlmesh_notice;
use crate::settings::terminal::Terminal;
use progress::Progress;
use text::VisibleStream;

/// The most lines of a log that an error shows.
const TELLING_LINES: usize = 8;

/// The format of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Json,
    Env,
}

/// How much is printed besides results and errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Volume {
    Quiet,
    Normal,
    Verbose,
}

/// The output. Clones write to the same streams.
#[derive(Clone)]
pub(crate) struct Output {
    inner: Arc<Inner>,
}

struct Inner {
    format: Format,
    volume: Volume,
    has_color: bool,
    /// The progress bars on the terminal; other lines are printed above them.
    bars: MultiProgress,
    progress: Mutex<Progress>,
    /// The incomplete last line of a container's log.
    log_line: Mutex<Vec<u8>>,
}

impl Output {
    pub(crate) fn new(global: &GlobalArgs, format: Format, terminal: Terminal) -> Self {
        let Terminal { no_color, is_dumb } = terminal;
        let is_terminal = io::stderr().is_terminal();
        let has_color = match global.color {
            Some(ColorWhen::Always) => true,
            Some(ColorWhen::Never) => false,
            Some(ColorWhen::Auto) | None => is_terminal && !is_dumb && !no_color,
        };
        let volume = match (global.quiet, global.verbose) {
            (true, _) => Volume::Quiet,
            (false, true) => Volume::Verbose,
            (false, false) => Volume::Normal,
        };
        let how = match global.progress {
            Some(ProgressHow::Json) => progress::How::Json,
            Some(ProgressHow::Plain) if format == Format::Json => progress::How::Json,
            _ if volume == Volume::Quiet => progress::How::None,
            Some(ProgressHow::None) => progress::How::None,
            Some(ProgressHow::Plain) => progress::How::Plain,
            // A program that reads JSON from stdout probably reads stderr too.
            Some(ProgressHow::Auto) | None if format == Format::Json => progress::How::None,
            Some(ProgressHow::Auto) | None if is_terminal && !is_dumb && volume == Volume::Normal => {
                progress::How::Bars
            }
            Some(ProgressHow::Auto) | None => progress::How::Plain,
        };
        let bars = MultiProgress::with_draw_target(indicatif::ProgressDrawTarget::hidden());
        let progress = Mutex::new(Progress::new(how, bars.clone(), has_color));
        let log_line = Mutex::default();
        Self { inner: Arc::new(Inner { format, volume, has_color, bars, progress, log_line }) }
    }

    pub(crate) fn format(&self) -> Format {
        self.inner.format
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.inner.volume == Volume::Quiet
    }

    /// The width of the terminal that stdout is; `None` for a file or a pipe.
    pub(crate) fn width(&self) -> Option<usize> {
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
        Some(usize::from(size.ws_col)).filter(|width| *width > 0)
    }

    pub(crate) fn is_verbose(&self) -> bool {
        self.inner.volume == Volume::Verbose
    }

    /// Prints a result and a line break to stdout, in one write.
    ///
    /// # Errors
    /// If stdout is closed: an unread result is a failure.
    pub(crate) fn result(&self, text: &str) -> Result<(), SandboxError> {
        let line = format!("{text}\n");
        Ok(self.inner.bars.suspend(|| write_out(line.as_bytes()))?)
    }

    /// Prints a result as one line of JSON.
    ///
    /// # Errors
    /// As [`Self::result`].
    pub(crate) fn json(&self, result: &impl Serialize) -> Result<(), SandboxError> {
        let json = serde_json::to_string(result).context("the result cannot be written as JSON")?;
        self.result(&json::harmless(&json))
    }

    /// Prints a list: as one array, or with one object on each line.
    ///
    /// # Errors
    /// As [`Self::result`].
    pub(crate) fn json_list(&self, items: &[impl Serialize], format: ListFormat) -> Result<(), SandboxError> {
        if format == ListFormat::Jsonl {
            return items.iter().try_for_each(|item| self.json(item));
        }
        self.json(&items)
    }

    /// Writes bytes to stdout as they are.
    ///
    /// # Errors
    /// As [`Self::result`].
    pub(crate) fn raw_result(&self, bytes: &[u8]) -> Result<(), SandboxError> {
        Ok(write_out(bytes)?)
    }

    /// Writes a piece of untrusted text to stdout. A file or pipe receives it unchanged; on a terminal,
    /// control characters are escaped.
    ///
    /// # Errors
    /// As [`Self::result`].
    pub(crate) fn untrusted(&self, stream: &mut VisibleStream, bytes: &[u8]) -> Result<(), SandboxError> {
        if !io::stdout().is_terminal() {
            return self.raw_result(bytes);
        }
        self.raw_result(stream.push(bytes).as_bytes())
    }

    /// Whether text for people is printed besides results and errors.
    fn has_notes(&self) -> bool {
        self.inner.volume > Volume::Quiet && self.inner.format != Format::Json
    }

    /// Prints a note for the user.
    pub(crate) fn note(&self, text: &str) {
        if self.has_notes() {
            self.print_line(&text::line(text));
        }
    }

    /// Prints that something is ready, and its properties, which are lines that can be shown as they are.
    pub(crate) fn ready(&self, what: &str, properties: &[String]) {
        if self.has_notes() {
            let head = format!("{} {}", self.paint(Paint::Good, "✓"), text::line(what));
            self.print_line(&[&[head], properties].concat().join("\n"));
        }
    }

    /// Prints a warning.
    pub(crate) fn warn(&self, text: &str) {
        if self.inner.format == Format::Json {
            self.print_line(&json::message("warning", text));
        } else if self.inner.volume > Volume::Quiet {
            self.print_line(&format!("{} {}", self.paint(Paint::Warning, "warning:"), text::line(text)));
        }
    }

    /// Prints a problem that did not make the program fail, like an error.
    pub(crate) fn warn_of(&self, problem: &SandboxError) {
        self.warn(&problem.to_string());
        if self.has_notes() {
            self.details_and_hints(problem);
        }
    }

    /// Prints a line that is only shown with `--verbose`.
    pub(crate) fn trace(&self, text: &str) {
        if self.inner.volume == Volume::Verbose && self.inner.format == Format::Json {
            self.print_line(&json::message("trace", text));
        } else if self.inner.volume == Volume::Verbose {
            self.print_line(&self.paint(Paint::Dim, &format!("+ {}", text::line(text))));
        }
    }

    /// Prints a piece of a container's log to stderr. Each line is marked, so that it does not look like one of this
    /// program, and [`text::visible`]. `logs` prints the log itself.
    pub(crate) fn log(&self, bytes: &[u8]) {
        if self.inner.volume > Volume::Quiet {
            let mut pending = self.inner.log_line.lock().unwrap_or_else(PoisonError::into_inner);
            text::for_each_line(&mut pending, bytes, &mut |line| self.log_line(line));
        }
    }

    /// Prints the incomplete last line of a container's log.
    pub(crate) fn end_log(&self) {
        let rest = std::mem::take(&mut *self.inner.log_line.lock().unwrap_or_else(PoisonError::into_inner));
        if !rest.is_empty() {
            self.log_line(&String::from_utf8_lossy(&rest));
        }
    }

    fn log_line(&self, line: &str) {
        if is_rlmesh_notice(line) {
            return;
        }
        let line = match self.inner.format {
            Format::Json => json::message("log", line),
            Format::Text | Format::Env => {
                format!("{} {}", self.paint(Paint::Dim, "|"), text::visible(line)).trim_end().to_owned()
            }
        };
        self.print_line(&line);
    }

    /// Prints a question, without a line break.
    pub(crate) fn ask(&self, question: &str) {
        let _ = self.inner.bars.suspend(|| io::stderr().lock().write_all(question.as_bytes()));
    }

    /// Prints why the program failed. Errors are printed even with `--quiet`.
    pub(crate) fn error(&self, error: &SandboxError) {
        self.progress().clear();
        if self.inner.format == Format::Json {
            self.print_line(&json::error(error));
            return;
        }
        if let SandboxError::Interrupted(_) = error {
            // The user asked for it, so it is not an error.
            return self.note(&error.to_string());
        }
        if let Some(log) = error.log().filter(|_| self.is_verbose()) {
            self.print_line(&format!("the whole log:\n{}", text::indented(log)));
        }
        self.print_line(&format!(
            "{} {}",
            self.paint(Paint::Error, "error:"),
            text::line(&error.to_string())
        ));
        self.details_and_hints(error);
    }

    /// Prints the few telling lines, where the whole log is, and the hints.
    fn details_and_hints(&self, error: &SandboxError) {
        let lines = match (error.log(), error.log_file()) {
            // Without the whole log in a file, more of it is shown.
            (Some(log), None) => Some(text::last_lines(log, 20)),
            _ => error.details().map(|details| text::last_lines(details, TELLING_LINES)),
        };
        if let Some(lines) = lines {
            self.print_line(&text::indented(&lines));
        }
        if let Some(file) = error.log_file() {
            self.print_line(&format!("the whole log: {}", text::line(&file.display().to_string())));
        }
        // The hints come last, so that they stay on the screen.
        for hint in error.hints() {
            self.print_line(&format!("{} {}", self.paint(Paint::Hint, "hint:"), text::line(&hint)));
        }
    }

    /// Shows what long work is doing.
    pub(crate) fn event(&self, event: &Event) {
        match event {
            Event::Warning(text) => self.warn(text),
            Event::Note(text) => self.note(text),
            _ => {}
        }
        let lines = self.progress().lines(event);
        for line in lines {
            self.print_line(&line);
        }
    }

    /// Removes the progress bars from the terminal.
    pub(crate) fn clear(&self) {
        self.progress().clear();
    }

    /// The text in colour, if colours are on.
    pub(crate) fn paint(&self, paint: Paint, text: &str) -> String {
        paint.on(text, self.inner.has_color)
    }

    fn progress(&self) -> std::sync::MutexGuard<'_, Progress> {
        self.inner.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Prints a line to stderr. A closed stderr is not an error.
    fn print_line(&self, text: &str) {
        let line = format!("{text}\n");
        let _ = self.inner.bars.suspend(|| io::stderr().lock().write_all(line.as_bytes()));
    }
}

fn write_out(bytes: &[u8]) -> anyhow::Result<()> {
    if closed_stdout::was_closed() {
        anyhow::bail!("cannot write the result to stdout: it is closed");
    }
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).context("cannot write the result to stdout")
}

/// What a colour is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    Error,
    Warning,
    Hint,
    Good,
    Dim,
}

impl Paint {
    pub(crate) fn on(self, text: &str, has_color: bool) -> String {
        let code = match self {
            Paint::Error => "1;31",
            Paint::Warning => "1;33",
            Paint::Hint => "1;36",
            Paint::Good => "1;32",
            Paint::Dim => "2",
        };
        if has_color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}
