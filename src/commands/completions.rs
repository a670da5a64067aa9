//! `completions`: the script for a shell, out of the same definitions that parse the command line.

use crate::cli::{self, CompletionsArgs};
use crate::commands::Session;
use crate::error::{Exit, SandboxError};

pub(super) fn run(args: &CompletionsArgs, session: &Session) -> Result<Exit, SandboxError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut cli::command(), "rlmesh-sandbox", &mut script);
    session.output.raw_result(&script)?;
    Ok(Exit::Done)
}
