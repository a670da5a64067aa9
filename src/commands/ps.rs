//! `ps`: the sandboxes on this engine.

use crate::cli::PsArgs;
use crate::commands::Session;
use crate::engine::docker::inspection::short;
use crate::error::{Exit, SandboxError};
use crate::output::table::{self, Column};
use crate::output::{Format, json, text};
use crate::sandbox::filter::is_wanted;
use crate::sandbox::listing::{OwnerState, Sandbox};

/// The table for 60, 80 and 120 columns.
const COLUMNS: [Column; 9] = [
    Column::fixed("ID", 0),
    Column::flexible("SOURCE", 12, 0),
    Column::fixed("ENVS", 4),
    Column::fixed("ADDRESS", 0),
    Column::fixed("STATE", 3),
    Column::fixed("OWNER", 1),
    Column::fixed("AGE", 2),
    Column::fixed("ISOLATION", 5),
    Column::flexible("NAME", 12, 6),
];

/// Below this width, addresses are shown without `tcp://`.
const WIDE: usize = 72;

pub(super) fn run(args: &PsArgs, session: &Session) -> Result<Exit, SandboxError> {
    let output = &session.output;
    let mut sandboxes = session.client.sandboxes()?;
    sandboxes.retain(|sandbox| is_wanted(sandbox, &args.filter));
    if output.format() == Format::Json {
        let listed: Vec<json::Sandbox<'_>> = sandboxes.iter().map(json::Sandbox::from).collect();
        output.json_list(&listed, args.format)?;
        return Ok(Exit::Done);
    }
    if output.is_quiet() {
        sandboxes.iter().try_for_each(|sandbox| output.result(sandbox.id()))?;
        return Ok(Exit::Done);
    }
    let width = output.width();
    let is_narrow = width.is_some_and(|width| width < WIDE);
    let rows: Vec<Vec<String>> = sandboxes.iter().map(|sandbox| row(sandbox, is_narrow)).collect();
    output.result(&table::table(&COLUMNS, &rows, width))?;
    if sandboxes.iter().any(|sandbox| matches!(sandbox.owner, OwnerState::Gone(_))) {
        output.note("hint: to remove sandboxes whose owner is gone, run `rlmesh-sandbox reap`");
    }
    Ok(Exit::Done)
}

fn row(sandbox: &Sandbox, is_narrow: bool) -> Vec<String> {
    let address = if is_narrow { sandbox.host_and_port() } else { sandbox.address() };
    vec![
        short(sandbox.id()).to_owned(),
        text::one_line(sandbox.title()),
        sandbox.num_envs().map_or_else(|| "-".to_owned(), |count| count.to_string()),
        // The column of the state does not fit every terminal.
        address.unwrap_or_else(|| sandbox.state()),
        sandbox.state(),
        owner(sandbox.owner),
        text::age(&sandbox.container.created).unwrap_or_else(|| "-".to_owned()),
        text::one_line(sandbox.isolation().unwrap_or("-")),
        text::one_line(sandbox.name()),
    ]
}

fn owner(owner: OwnerState) -> String {
    match owner {
        OwnerState::None => "none".to_owned(),
        OwnerState::Alive(pid) => format!("pid {pid}"),
        OwnerState::Gone(_) => "gone".to_owned(),
        OwnerState::Unknown(pid) => format!("pid {pid}?"),
    }
}
