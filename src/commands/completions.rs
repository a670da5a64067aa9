//! `completions`: prints the completion script for a shell.

use crate::cli::{CompletionsArgs, Shell};
use crate::commands::Session;
use crate::error::{Exit, SandboxError};

pub(super) fn run(args: &CompletionsArgs, session: &Session) -> Result<Exit, SandboxError> {
    let script = match args.shell {
        Shell::Bash => include_str!("../../completions/rlmesh-sandbox.bash"),
        Shell::Zsh => include_str!("../../completions/_rlmesh-sandbox"),
        Shell::Fish => include_str!("../../completions/rlmesh-sandbox.fish"),
        Shell::Powershell => include_str!("../../completions/_rlmesh-sandbox.ps1"),
        Shell::Elvish => include_str!("../../completions/rlmesh-sandbox.elv"),
    };
    session.output.raw_result(script.as_bytes())?;
    Ok(Exit::Done)
}
