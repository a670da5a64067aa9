//! `logs`: a sandbox's log on stdout.

use crate::cli::LogsArgs;
use crate::commands::Session;
use crate::engine::docker::inspection::not_a_sandbox;
use crate::engine::docker::log::{Follow, LogLines};
use crate::error::{Exit, SandboxError};
use crate::output::text::VisibleStream;
use crate::sandbox::stop::{container_name, no_such_sandbox};

pub(super) fn run(args: &LogsArgs, session: &Session) -> Result<Exit, SandboxError> {
    let docker = session.client.docker()?;
    let name = container_name(&args.container)?;
    let found = docker.inspect(std::slice::from_ref(&name))?;
    let container = found.first().ok_or_else(|| no_such_sandbox(&name))?;
    if !container.is_sandbox() {
        return Err(not_a_sandbox(container));
    }
    let follow = if args.follow { Follow::UntilTheEnd } else { Follow::No };
    let (mut written, mut shown) = (Ok(()), VisibleStream::default());
    let read = docker.follow_log(&container.id, LogLines { follow, tail: args.tail }, &mut |chunk| {
        if written.is_ok() {
            written = session.output.untrusted(&mut shown, chunk);
            if written.is_err() {
                session.interrupt.raise(crate::error::Signal::Terminate);
            }
        }
    });
    written?;
    read.map_err(|failure| {
        failure.into_error("cannot read the log", "check `docker logs`", SandboxError::Docker)
    })?;
    Ok(Exit::Done)
}
