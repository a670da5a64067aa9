//! `ls`: lists the files of a Hugging Face source, so that users can review them before they trust it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use crate::cli::LsArgs;
use crate::commands::{Session, arguments};
use crate::error::{Exit, Problem, SandboxError, cannot_read};
use crate::hub::{ENV_FILE, Hub, REQUIREMENTS_FILE, Retries, Tree};
use crate::output::json::{Repository, RepositoryFile};
use crate::output::text::VisibleStream;
use crate::output::{Format, text};
use crate::settings::size::HumanSize;
use crate::source::{EnvironmentSourceRef, HfSourceRef};

/// The most that is read and printed of a line at once, in bytes.
const LONGEST_LINE: usize = 64 * 1024;

pub(super) fn run(args: &LsArgs, session: Session) -> Result<Exit, SandboxError> {
    let session = session.with_settings(arguments::with_hub)?;
    let EnvironmentSourceRef::Hf(hf) = &args.source else {
        return Err(SandboxError::InvalidSource(Problem::new(
            "only a Hugging Face source has files to list",
            "use hf://org/repo[@revision]",
        )));
    };
    let hub = session.client.hub();
    let on_event = &mut |event| session.output.event(&event);
    let commit = hub.commit(hf, Retries::Usual, on_event)?;
    let tree = hub.tree(&hf.repo, &commit, on_event)?;
    session.output.clear();
    match &args.show {
        Some(file) => show(&session, &hub, hf, &commit, &tree, file)?,
        None => list(&session, hf, &commit, &tree)?,
    }
    Ok(Exit::Done)
}

fn list(session: &Session, hf: &HfSourceRef, commit: &str, tree: &Tree) -> Result<(), SandboxError> {
    let output = &session.output;
    let source = HfSourceRef { revision: Some(commit.to_owned()), ..hf.clone() }.to_string();
    let (has_env, has_requirements) = (tree.file(ENV_FILE).is_some(), tree.file(REQUIREMENTS_FILE).is_some());
    if output.format() == Format::Json {
        return output.json(&Repository {
            source: &source,
            repo: &hf.repo,
            commit,
            has_env_py: has_env,
            has_requirements_txt: has_requirements,
            size: tree.size(),
            files: tree
                .files()
                .iter()
                .map(|file| RepositoryFile {
                    path: &file.path,
                    size: file.content.size,
                    is_lfs: file.is_lfs,
                    digest: file.content.digest.to_string(),
                })
                .collect(),
        });
    }
    output.result(&source)?;
    for file in tree.files() {
        let size = HumanSize(file.content.size).to_string();
        let lfs = if file.is_lfs { "  (LFS)" } else { "" };
        output.result(&format!("{size:>12}  {}{lfs}", text::visible(&file.path)))?;
    }
    let presence = |has: bool| if has { "exists" } else { "is missing" };
    output.note(&format!(
        "{}; {ENV_FILE} {}, {REQUIREMENTS_FILE} {}",
        text::files(tree.files().len(), HumanSize(tree.size())),
        presence(has_env),
        presence(has_requirements),
    ));
    if has_env {
        output.note(&format!("to read its code, run `rlmesh-sandbox ls {source} --show {ENV_FILE}`"));
    } else {
        output.warn(&format!("it is not an environment: it has no {ENV_FILE} at its root"));
    }
    Ok(())
}

fn show(
    session: &Session,
    hub: &Hub,
    hf: &HfSourceRef,
    commit: &str,
    tree: &Tree,
    name: &str,
) -> Result<(), SandboxError> {
    let file = tree.file(name).ok_or_else(|| {
        SandboxError::SourceResolution(Problem::new(
            format!("hf://{}@{commit} has no file {name}", hf.repo),
            "run it without --show to list the files",
        ))
    })?;
    let content = hub.file(&hf.repo, commit, file, &mut |event| session.output.event(&event))?;
    session.output.clear();
    let mut content = BufReader::with_capacity(LONGEST_LINE, content);
    let (mut line, mut shown) = (Vec::new(), VisibleStream::default());
    loop {
        session.interrupt.check()?;
        line.clear();
        let read = content.by_ref().take(LONGEST_LINE as u64).read_until(b'\n', &mut line);
        match read.map_err(|error| cannot_read(Path::new(name), &error, "run it again"))? {
            0 => return Ok(()),
            _ => session.output.untrusted(&mut shown, &line)?,
        }
    }
}
