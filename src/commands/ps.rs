//! `ps`: the sandboxes on this engine.

use std::time::SystemTime;

use crate::commands::Session;
use crate::contract::label;
use crate::engine::docker::inspection::{Inspection, short};
use crate::error::{Exit, SandboxError};
use crate::output::{Format, json, text};
use crate::sandbox::owner::Owner;

pub(super) fn run(session: &Session) -> Result<Exit, SandboxError> {
    let sandboxes = session.client.docker()?.sandboxes()?;
    if session.output.format() == Format::Json {
        for container in &sandboxes {
            session.output.json(&json::Listed {
                id: &container.id,
                name: container.name(),
                source: container.label(label::SOURCE),
                image: &container.config.image,
                state: &container.state.status,
                address: container.address(),
                owner_pid: owner_of(container).pid,
                created: &container.created,
                isolation: container.label(label::ISOLATION),
                memory_limit: container.memory_limit(),
            })?;
        }
        return Ok(Exit::Done);
    }
    let rows: Vec<Vec<String>> = sandboxes.iter().map(row).collect();
    session
        .output
        .result(&text::table(&["ID", "SOURCE", "ADDRESS", "STATE", "OWNER", "AGE", "NAME"], &rows))?;
    Ok(Exit::Done)
}

fn row(container: &Inspection) -> Vec<String> {
    vec![
        short(&container.id).to_owned(),
        text::safe(container.label(label::SOURCE).unwrap_or("-")),
        container.address().unwrap_or_else(|| "-".to_owned()),
        container.state.status.clone(),
        owner_of(container).pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string()),
        age(&container.created).unwrap_or_else(|| "-".to_owned()),
        container.name().to_owned(),
    ]
}

fn owner_of(container: &Inspection) -> Owner {
    Owner::from_labels(|name| container.label(name))
}

/// The time since `created`, in its two largest units: `2h 5m`.
fn age(created: &str) -> Option<String> {
    let created = humantime::parse_rfc3339_weak(created).ok()?;
    let age = SystemTime::now().duration_since(created).unwrap_or_default();
    let whole = humantime::format_duration(std::time::Duration::from_secs(age.as_secs())).to_string();
    Some(whole.split(' ').take(2).collect::<Vec<_>>().join(" "))
}
