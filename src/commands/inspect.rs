//! `inspect`: all about one sandbox.

use std::time::Duration;

use crate::cli::InspectArgs;
use crate::commands::Session;
use crate::engine::Phase;
use crate::error::{Exit, SandboxError};
use crate::output::{Format, json, text};
use crate::sandbox::handshake::Handshake;
use crate::sandbox::listing::{OwnerState, Sandbox};
use crate::sandbox::ready;
use crate::settings::size::HumanSize;

/// How long a sandbox may take to answer.
const LIMIT: Duration = Duration::from_secs(3);

pub(super) fn run(args: &InspectArgs, session: &Session) -> Result<Exit, SandboxError> {
    let sandbox = session.client.sandbox(&args.sandbox)?;
    let answer = match sandbox.address() {
        Some(address) if sandbox.container.phase() == Phase::Running => {
            ready::ask(&address, LIMIT, &session.interrupt)?
        }
        _ => Err("it does not run".to_owned()),
    };
    let output = &session.output;
    if output.format() == Format::Json {
        if let Err(reason) = &answer {
            output.warn(&format!("the environment did not answer: {reason}"));
        }
        output.json(&json::Inspected::new(&sandbox, answer.as_ref().ok()))?;
    } else {
        output.result(&described(&sandbox, &answer))?;
    }
    Ok(Exit::Done)
}

fn described(sandbox: &Sandbox, answer: &Result<Handshake, String>) -> String {
    let container = &sandbox.container;
    let age = text::age(&container.created).map(|age| format!(" ({age} ago)")).unwrap_or_default();
    let or_dash = |text: Option<&str>| text.unwrap_or("-").to_owned();
    let mut rows = vec![
        ("id", sandbox.id().to_owned()),
        ("name", sandbox.name().to_owned()),
        ("source", or_dash(sandbox.source())),
        ("address", or_dash(sandbox.address().as_deref())),
        ("isolation", or_dash(sandbox.isolation())),
        ("state", sandbox.state()),
        ("owner", owner(sandbox.owner)),
        ("created", format!("{}{age}", container.created)),
        ("image", container.config.image.clone()),
        ("image id", container.image.clone()),
        ("build hash", or_dash(sandbox.build_hash())),
    ];
    match answer {
        Ok(handshake) => {
            rows.push(("environment", handshake.env_id.clone()));
            rows.extend(text::environment(handshake));
        }
        Err(reason) => rows.push(("environment", format!("no answer: {reason}"))),
    }
    rows.push(("limits", limits(sandbox)));
    rows.extend(container.labels().map(|(name, value)| ("label", format!("{name}={value}"))));
    let rows: Vec<(&str, String)> =
        rows.into_iter().map(|(name, value)| (name, text::one_line(&value))).collect();
    text::properties(&rows)
}

fn owner(owner: OwnerState) -> String {
    match owner {
        OwnerState::None => "none".to_owned(),
        OwnerState::Alive(pid) => format!("process {pid}"),
        OwnerState::Gone(pid) => {
            format!("process {pid}, which is gone; `rlmesh-sandbox reap` removes the sandbox")
        }
        OwnerState::Unknown(pid) => format!("process {pid}, perhaps on another machine"),
    }
}

fn limits(sandbox: &Sandbox) -> String {
    let limits = &sandbox.container.host_config;
    let or_none = |limit: Option<String>| limit.unwrap_or_else(|| "no limit".to_owned());
    let memory = (limits.memory > 0).then(|| HumanSize(limits.memory).to_string());
    let pids = limits.pids_limit.filter(|pids| *pids > 0).map(|pids| pids.to_string());
    format!(
        "memory {}, cpus {}, processes {}, /dev/shm {}",
        or_none(memory),
        or_none(limits.cpus().map(|cpus| cpus.to_string())),
        or_none(pids),
        HumanSize(limits.shm_size)
    )
}
