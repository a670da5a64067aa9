//! `doctor`: what this machine has of what sandboxes need, and what to mend.

use crate::commands::Session;
use crate::engine::EngineSite;
use crate::engine::docker::Docker;
use crate::error::{Exit, SandboxError};
use crate::host::run_dir::RunDir;
use crate::output::json::{Check, Examined};
use crate::output::{Format, Paint, Report, text};
use crate::settings::sandbox::DEFAULT_BASE_IMAGE;
use crate::settings::variables::Variables;

pub(super) fn run(session: &Session) -> Result<Exit, SandboxError> {
    let checks = examine(session);
    let is_fit = checks.iter().all(|check| check.ok);
    let report = &session.report;
    match report.format() {
        Format::Json => report.json(&Examined { ok: is_fit, checks: &checks })?,
        Format::Text | Format::Env => {
            for check in &checks {
                report.result(&line(report, check))?;
            }
        }
    }
    Ok(if is_fit { Exit::Done } else { Exit::Docker })
}

fn line(report: &Report, check: &Check) -> String {
    let mark = if check.ok { report.paint(Paint::Good, "ok") } else { report.paint(Paint::Error, "no") };
    let line = format!("{mark}  {:<12} {}", check.name, text::safe(&check.found));
    match &check.hint {
        Some(hint) => format!("{line}\n    {} {}", report.paint(Paint::Hint, "hint:"), text::safe(hint)),
        None => line,
    }
}

fn examine(session: &Session) -> Vec<Check> {
    let mut checks = vec![temporary_folder(&session.variables)];
    let docker = match session.docker() {
        Ok(docker) => docker,
        Err(error) => {
            checks.push(failed("docker", &error));
            return checks;
        }
    };
    let engine = docker.engine().map(|engine| {
        let site = match docker.site() {
            EngineSite::ThisMachine => "behind a local socket",
            EngineSite::Elsewhere => "on another machine: addresses are reachable only there",
        };
        format!("{} on {}/{}, {site}", engine.version, engine.os, engine.arch)
    });
    let answers = engine.is_ok();
    checks.push(checked("engine", engine));
    checks.push(checked("buildx", docker.buildx()));
    if answers {
        checks.push(checked("base image", base_image(&docker, &session.variables)));
        checks.push(checked(
            "sandboxes",
            docker.sandboxes().map(|found| format!("{} on this engine", found.len())),
        ));
    }
    checks
}

fn base_image(docker: &Docker, variables: &Variables) -> Result<String, SandboxError> {
    let image = variables.text("RLMESH_SANDBOX_BASE_IMAGE")?.unwrap_or(DEFAULT_BASE_IMAGE);
    Ok(match docker.image(image)? {
        Some(_) => format!("{image} is there"),
        None => format!("{image} is not there yet; the first build pulls it"),
    })
}

fn temporary_folder(variables: &Variables) -> Check {
    let folder = variables.temp_dir();
    match RunDir::create(&folder) {
        Ok(_) => Check { name: "temp folder", ok: true, found: folder.display().to_string(), hint: None },
        Err(error) => Check {
            name: "temp folder",
            ok: false,
            found: format!("{}: {error}", folder.display()),
            hint: Some("set TMPDIR to a folder that can be written".to_owned()),
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
