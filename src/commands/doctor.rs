//! `doctor`: checks that this machine has what sandboxes need, and suggests how to fix what is missing.

use std::path::Path;

use crate::commands::Session;
use crate::contract::DEFAULT_BASE_IMAGE;
use crate::engine::EngineSite;
use crate::engine::docker::Docker;
use crate::error::{Exit, SandboxError};
use crate::host::run_dir::RunDir;
use crate::output::json::{Check, Examined};
use crate::output::{Format, Output, Paint, text};
use crate::settings::sandbox::SandboxOptions;

pub(super) fn run(session: &Session) -> Result<Exit, SandboxError> {
    let checks = examine(session);
    let is_ready = checks.iter().all(|check| check.ok);
    let output = &session.output;
    match output.format() {
        Format::Json => output.json(&Examined { ok: is_ready, checks: &checks })?,
        Format::Text | Format::Env => {
            for check in &checks {
                output.result(&line(output, check))?;
            }
        }
    }
    Ok(if is_ready { Exit::Done } else { Exit::Docker })
}

fn line(output: &Output, check: &Check) -> String {
    let mark = if check.ok { output.paint(Paint::Good, "ok") } else { output.paint(Paint::Error, "no") };
    let line = format!("{mark}  {:<12} {}", check.name, text::line(&check.found));
    match &check.hint {
        Some(hint) => format!("{line}\n    {} {}", output.paint(Paint::Hint, "hint:"), text::line(hint)),
        None => line,
    }
}

fn examine(session: &Session) -> Vec<Check> {
    let mut checks = vec![temporary_folder(&session.client.settings().temp_folder)];
    let docker = match session.client.docker() {
        Ok(docker) => docker,
        Err(error) => {
            checks.push(failed("docker", &error));
            return checks;
        }
    };
    let engine = docker.engine().map(|engine| {
        let site = match docker.site() {
            EngineSite::ThisMachine => "behind a local socket",
            EngineSite::Elsewhere => "on another machine; addresses can only be reached from there",
        };
        format!("{} on {}/{}, {site}", engine.version, engine.os, engine.arch)
    });
    let answers = engine.is_ok();
    checks.push(checked("engine", engine));
    checks.push(checked("buildx", docker.buildx()));
    if answers {
        checks.push(checked("base image", base_image(docker, session)));
        checks.push(checked(
            "sandboxes",
            docker.sandboxes().map(|found| format!("{} on this engine", found.len())),
        ));
    }
    checks
}

fn base_image(docker: &Docker, session: &Session) -> Result<String, SandboxError> {
    let options = SandboxOptions::from_variables(&session.variables)?;
    let image = options.base_image.as_deref().unwrap_or(DEFAULT_BASE_IMAGE);
    Ok(match docker.image(image)? {
        Some(_) => format!("the engine has {image}"),
        None => format!("the engine does not have {image} yet; the first build pulls it"),
    })
}

fn temporary_folder(folder: &Path) -> Check {
    match RunDir::create(folder) {
        Ok(_) => Check { name: "temp folder", ok: true, found: folder.display().to_string(), hint: None },
        Err(error) => Check {
            name: "temp folder",
            ok: false,
            found: format!("{}: {error}", folder.display()),
            hint: Some("set TMPDIR to a writable folder".to_owned()),
        },
    }
}

fn checked(name: &'static str, found: Result<String, SandboxError>) -> Check {
    match found {
        Ok(found) => Check { name, ok: true, found, hint: None },
        Err(error) => failed(name, &error),
    }
}

fn failed(name: &'static str, error: &SandboxError) -> Check {
    Check { name, ok: false, found: error.to_string(), hint: error.hints().first().map(ToString::to_string) }
}
