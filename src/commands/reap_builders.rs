//! `reap --builders`: removes bounded builders and copies of base images that nobody uses any more, or says what it would remove.

use std::time::Duration;

use indicatif::HumanBytes;

use crate::commands::Session;
use crate::error::{Exit, SandboxError};
use crate::image::memory_limit::prune::{self, Judged, Prunable, Reason, Verdict};
use crate::output::json::{Action, ReapedBuilder};
use crate::output::{Format, Output};

pub(super) fn run(older_than: Duration, is_dry: bool, session: &Session) -> Result<Exit, SandboxError> {
    let docker = session.client.docker()?;
    let (output, settings) = (&session.output, session.client.settings());
    let mut given_back = 0;
    for mut judged in prune::look(docker, settings, older_than)? {
        let action = match judged.verdict {
            Verdict::Stay(_) => Action::Kept,
            Verdict::Go(_) if is_dry => Action::WouldRemove,
            Verdict::Go(_) if judged.remove(docker, settings)? => Action::Removed,
            Verdict::Go(_) => {
                judged.verdict = Verdict::Stay(Reason::InUse);
                Action::Kept
            }
        };
        if !matches!(action, Action::Kept) {
            given_back += judged.bytes.unwrap_or_default();
        }
        print(output, &judged, action, is_dry)?;
    }
    if !is_dry {
        prune::tidy_locks(docker, settings)?;
    }
    if given_back > 0 {
        let verb = if is_dry { "would give back" } else { "gave back" };
        output.note(&format!("{verb} {}", HumanBytes(given_back)));
    }
    Ok(Exit::Done)
}

/// Names of builders that go are the result; the rest is for people. JSON has it all.
fn print(output: &Output, judged: &Judged, action: Action, is_dry: bool) -> Result<(), SandboxError> {
    let (builder, base_image) = match &judged.thing {
        Prunable::Builder(name) => (Some(name.as_str()), None),
        Prunable::Copy(copy) => (None, Some(format!("sha256:{}", copy.image))),
    };
    if output.format() == Format::Json {
        let reason = judged.verdict.to_string();
        return output.json(&ReapedBuilder { builder, base_image, action, reason, bytes: judged.bytes });
    }
    let what = match (builder, &base_image) {
        (Some(name), _) => name.to_owned(),
        (None, image) => format!(
            "the copy of the base image {}",
            image.as_deref().and_then(|image| image.get(7..19)).unwrap_or_default()
        ),
    };
    let size = judged.bytes.map_or("unknown size".to_owned(), |bytes| HumanBytes(bytes).to_string());
    let line = |verb: &str| format!("{verb} {what} ({size}): {}", judged.verdict);
    match action {
        Action::Kept if is_dry || output.is_verbose() => output.note(&line("keep")),
        Action::Kept => {}
        Action::WouldRemove => {
            output.note(&line("would remove"));
            builder.map_or(Ok(()), |name| output.result(name))?;
        }
        Action::Removed => {
            output.note(&line("removed"));
            builder.map_or(Ok(()), |name| output.result(name))?;
        }
    }
    Ok(())
}
