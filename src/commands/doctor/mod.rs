//! `doctor`: checks what sandboxes need, one line after the other, and suggests how to fix what is missing.

mod engine;
mod index;
mod machine;

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::commands::Session;
use crate::contract::DEFAULT_BASE_IMAGE;
use crate::engine::docker::Docker;
use crate::error::{Exit, SandboxError, Signal};
use crate::host::interrupt::{Interrupt, Signals};
use crate::output::json::{Check, Examined, Status};
use crate::output::{Format, Output, Paint, json, text};
use crate::settings::hub::HubSettings;
use crate::settings::package_index::PackageIndex;
use crate::settings::sandbox::SandboxOptions;

/// How often the user's interrupt is looked at while a check runs.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// What a check saw, and what helps.
struct Finding {
    status: Status,
    found: String,
    hint: Option<String>,
}

impl Finding {
    fn ok(found: impl Into<String>) -> Self {
        Self { status: Status::Ok, found: found.into(), hint: None }
    }

    fn warn(found: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { status: Status::Warn, found: found.into(), hint: Some(hint.into()) }
    }

    fn no(found: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { status: Status::No, found: found.into(), hint: Some(hint.into()) }
    }

    fn failed(error: &SandboxError) -> Self {
        Self { status: Status::No, found: error.to_string(), hint: error.hints().first().cloned() }
    }

    /// Sandboxes can run without it.
    fn at_most_a_warning(self) -> Self {
        Self { status: if self.status == Status::No { Status::Warn } else { self.status }, ..self }
    }
}

/// The checks so far.
struct Examination<'a> {
    session: &'a Session,
    checks: Vec<Check>,
}

pub(super) fn run(session: &Session) -> Result<Exit, SandboxError> {
    let mut examination = Examination { session, checks: Vec::new() };
    examination.all()?;
    let is_ready = examination.checks.iter().all(|check| check.ok);
    if session.output.format() == Format::Json {
        session.output.json(&Examined { ok: is_ready, checks: &examination.checks })?;
    }
    Ok(if is_ready { Exit::Done } else { Exit::Docker })
}

impl Examination<'_> {
    fn all(&mut self) -> Result<(), SandboxError> {
        let Session { variables, client, .. } = self.session;
        let (settings, variables) = (client.settings().clone(), variables.clone());
        let limit = settings.waits.examination;
        let folder = settings.temp_folder.clone();
        self.check("temp folder", limit, "set TMPDIR to another folder", move |_| {
            machine::temp_folder(&folder)
        })?;
        if let Some(docker) = self.docker()? {
            self.engine(&docker, limit)?;
        }
        let hub = HubSettings::from_variables(&variables);
        let network = "check the network, HTTPS_PROXY and HF_ENDPOINT";
        self.check("Hub", limit, network, |interrupt| machine::hub(hub, interrupt))?;
        let python = machine::python_program(&variables);
        let stalls = "check that python3 starts";
        self.check("Python", limit, stalls, move |interrupt| machine::python(python, &interrupt))?;
        let shell = machine::Shell::of(&variables);
        self.check("completion", limit, "check the home folder", move |_| machine::completion(shell))?;
        self.check("files", limit, "check the home folder", move |interrupt| {
            machine::files(&settings, &variables, &interrupt)
        })?;
        Ok(())
    }

    fn docker(&mut self) -> Result<Option<Docker>, SandboxError> {
        match self.session.client.docker() {
            Ok(docker) => Ok(Some(docker.clone())),
            Err(error) => {
                self.add("docker", Finding::failed(&error), Duration::ZERO)?;
                Ok(None)
            }
        }
    }

    fn engine(&mut self, docker: &Docker, limit: Duration) -> Result<(), SandboxError> {
        const STALLS: &str = "check that `docker info` answers, or restart Docker";
        let variables = self.session.variables.clone();
        let options = SandboxOptions::from_variables(&variables);
        let variable = engine::chosen_by(&variables);
        self.check("client", limit, STALLS, ask(docker, engine::client))?;
        let context = ask(docker, move |docker| engine::context(docker, variable));
        self.check("context", limit, STALLS, context)?;
        let answers = self.check("engine", limit, STALLS, ask(docker, engine::version))?;
        self.check("buildx", limit, STALLS, ask(docker, |docker| docker.buildx().map(Finding::ok)))?;
        if !answers {
            return Ok(());
        }
        self.check("BuildKit", limit, STALLS, ask(docker, engine::build_kit))?;
        self.check("limits", limit, STALLS, ask(docker, engine::limits))?;
        self.check("disk", limit, STALLS, ask(docker, engine::disk))?;
        let image = match options {
            Ok(options) => options.base_image.unwrap_or_else(|| DEFAULT_BASE_IMAGE.to_owned()),
            Err(error) => return self.add("base image", Finding::failed(&error), Duration::ZERO).map(|_| ()),
        };
        let named = image.clone();
        let has_image = ask(docker, move |docker| engine::base_image(docker, &named));
        self.check("base image", limit, STALLS, has_image)?;
        let index = PackageIndex::with_ca_cert(None, &variables);
        let stalls = "check that containers reach the network, for example with `docker run --rm busybox ping -c 1 1.1.1.1`";
        let reached = ask(docker, move |docker| index::reached(docker, &image, &index?));
        self.check("index", limit * 4, stalls, reached)?;
        let folder = self.session.client.settings().temp_folder.clone();
        let sandboxes = ask(docker, move |docker| engine::sandboxes(docker, &folder));
        self.check("sandboxes", limit, STALLS, sandboxes)?;
        self.check("images", limit, STALLS, ask(docker, engine::images))?;
        let cache = self.session.client.settings().cache_folder.clone();
        let builders = ask(docker, move |docker| engine::builders(docker, cache.as_deref()));
        self.check("builders", limit * 2, STALLS, builders)?;
        Ok(())
    }

    /// Runs a check for at most `limit`. Returns whether nothing is wrong.
    ///
    /// # Errors
    /// [`SandboxError::Interrupted`] by the user; or if the line cannot be printed.
    fn check(
        &mut self,
        name: &'static str,
        limit: Duration,
        if_it_stalls: &str,
        look: impl FnOnce(Interrupt) -> Result<Finding, SandboxError> + Send + 'static,
    ) -> Result<bool, SandboxError> {
        let (started, interrupt) = (Instant::now(), Interrupt::default());
        let (sender, receiver) = channel();
        let inner = interrupt.clone();
        std::thread::spawn(move || sender.send(look(inner)));
        let finding = loop {
            match receiver.recv_timeout(POLL_INTERVAL) {
                Ok(Ok(finding)) => break finding,
                Ok(Err(error)) => break Finding::failed(&error),
                Err(RecvTimeoutError::Disconnected) => break Finding::no("the check failed", if_it_stalls),
                Err(RecvTimeoutError::Timeout) => {}
            }
            let by_user = self.session.interrupt.reached(Signals::First);
            if let Some(signal) = by_user.or((started.elapsed() > limit).then_some(Signal::Terminate)) {
                // This ends its docker commands.
                interrupt.raise(signal);
                self.session.interrupt.check()?;
                let limit = humantime::format_duration(limit);
                break Finding::no(format!("no answer within {limit}"), if_it_stalls);
            }
        };
        self.add(name, finding, started.elapsed())
    }

    fn add(&mut self, name: &'static str, finding: Finding, took: Duration) -> Result<bool, SandboxError> {
        let Finding { status, found, hint } = finding;
        let ok = status != Status::No;
        let check = Check { name, status, ok, found, hint, seconds: json::seconds(took) };
        let output = &self.session.output;
        if output.format() != Format::Json {
            output.result(&line(output, &check))?;
        }
        self.checks.push(check);
        Ok(ok)
    }
}

/// A check that asks docker: its commands end with the check.
fn ask(
    docker: &Docker,
    look: impl FnOnce(&Docker) -> Result<Finding, SandboxError> + Send + 'static,
) -> impl FnOnce(Interrupt) -> Result<Finding, SandboxError> + Send + 'static {
    let docker = docker.clone();
    move |interrupt| look(&docker.with_interrupt(interrupt))
}

fn line(output: &Output, check: &Check) -> String {
    let (paint, mark) = match check.status {
        Status::Ok => (Paint::Good, "ok"),
        Status::Warn => (Paint::Warning, "warn"),
        Status::No => (Paint::Error, "no"),
    };
    let mark = output.paint(paint, &format!("{mark:<4}"));
    let line = format!("{mark}  {:<12} {}", check.name, text::line(&check.found));
    match &check.hint {
        Some(hint) => format!("{line}\n      {} {}", output.paint(Paint::Hint, "hint:"), text::line(hint)),
        None => line,
    }
}
