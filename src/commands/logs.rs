//! `logs`: a sandbox's log on stdout, or that of the last failed build.

use std::fs::File;
use std::io::Read as _;

use crate::cli::LogsArgs;
use crate::commands::Session;
use crate::engine::docker::log::{Follow, LogLines};
use crate::error::{Exit, Problem, SandboxError, Signal, cannot_read};
use crate::host::logs;
use crate::output::Format;
use crate::output::json::LogLine;
use crate::output::text::{VisibleStream, for_each_line};

/// How much of a file is read at once, in bytes.
const PIECE: usize = 64 * 1024;

pub(super) fn run(args: &LogsArgs, session: &Session) -> Result<Exit, SandboxError> {
    let Some(text) = &args.sandbox else { return build_log(args, session) };
    let docker = session.client.docker()?;
    let sandbox = session.client.sandbox(text)?;
    let lines = LogLines {
        follow: if args.follow { Follow::UntilTheEnd } else { Follow::No },
        tail: args.tail,
        since: args.since.as_deref(),
        timestamps: args.timestamps,
    };
    let mut printer = Printer::new(session, sandbox.id(), args.timestamps);
    let mut written = Ok(());
    let read = docker.follow_log(sandbox.id(), lines, &mut |chunk| {
        if written.is_ok() {
            written = printer.print(chunk);
            if written.is_err() {
                session.interrupt.raise(Signal::Terminate);
            }
        }
    });
    written?;
    read.map_err(|failure| {
        failure.into_error("cannot read the log", "check that `docker logs` works", SandboxError::Docker)
    })?;
    printer.finish()?;
    Ok(Exit::Done)
}

/// Prints pieces of a log: as they are, or one JSON object for each line.
struct Printer<'a> {
    session: &'a Session,
    container_id: &'a str,
    has_times: bool,
    shown: VisibleStream,
    pending: Vec<u8>,
}

impl<'a> Printer<'a> {
    fn new(session: &'a Session, container_id: &'a str, has_times: bool) -> Self {
        Self { session, container_id, has_times, shown: VisibleStream::default(), pending: Vec::new() }
    }

    fn print(&mut self, piece: &[u8]) -> Result<(), SandboxError> {
        let output = &self.session.output;
        if output.format() != Format::Json {
            return output.untrusted(&mut self.shown, piece);
        }
        let (container_id, has_times, mut printed) = (self.container_id, self.has_times, Ok(()));
        for_each_line(&mut self.pending, piece, &mut |line| {
            let (time, message) = match line.split_once(' ') {
                Some((time, message)) if has_times => (Some(time), message),
                _ => (None, line),
            };
            if printed.is_ok() {
                printed = output.json(&LogLine { container_id, time, message });
            }
        });
        printed
    }

    /// Prints a last line without a line break.
    fn finish(&mut self) -> Result<(), SandboxError> {
        if self.pending.is_empty() { Ok(()) } else { self.print(b"\n") }
    }
}

/// Prints the log of the last failed build, or its last lines.
fn build_log(args: &LogsArgs, session: &Session) -> Result<Exit, SandboxError> {
    const HINT: &str = "the newest thirty logs of failed builds and starts are kept";
    let folder = session.client.settings().logs_folder();
    let file = folder.as_deref().and_then(|folder| logs::newest(folder, "build"));
    let file =
        file.ok_or_else(|| SandboxError::System(Problem::new("there is no log of a failed build", HINT)))?;
    session.output.note(&format!("the log of the last failed build: {}", file.display()));
    let failed = |error: std::io::Error| cannot_read(&file, &error, HINT);
    let mut opened = File::open(&file).map_err(failed)?;
    if let Some(count) = args.tail {
        logs::skip_to_last_lines(&mut opened, count).map_err(failed)?;
    }
    let (mut piece, mut shown) = (vec![0; PIECE], VisibleStream::default());
    loop {
        session.interrupt.check()?;
        match opened.read(&mut piece).map_err(failed)? {
            0 => return Ok(Exit::Done),
            length => session.output.untrusted(&mut shown, &piece[..length])?,
        }
    }
}
