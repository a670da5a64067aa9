//! `init`: writes a new environment that `run` can start.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::cli::InitArgs;
use crate::commands::Session;
use crate::error::{Exit, Problem, SandboxError, cannot_write, invalid_option, shell_word};
use crate::output::{Format, json};
use crate::plan::folder::Places;
use crate::source::{EnvironmentSourceRef, is_path};

/// The files of the new environment.
const FILES: [(&str, &str); 3] = [
    ("env.py", include_str!("init/env.py")),
    ("requirements.txt", include_str!("init/requirements.txt")),
    ("README.md", include_str!("init/README.md")),
];

const HINT: &str = "use a folder that does not exist yet or that you can write to";

pub(super) fn run(args: &InitArgs, session: &Session) -> Result<Exit, SandboxError> {
    let source = source(&args.folder)?;
    let folder = &folder(&source, session.client.settings().home_folder.as_deref())?;
    let exists = |path: &Path| path.symlink_metadata().is_ok();
    let taken: Vec<&str> =
        FILES.into_iter().map(|(name, _)| name).filter(|name| exists(&folder.join(name))).collect();
    if !taken.is_empty() {
        return Err(SandboxError::System(Problem::new(
            format!("{} already has {}", folder.display(), taken.join(", ")),
            "use another folder, or move these files away; nothing was written",
        )));
    }
    fs::create_dir_all(folder).map_err(|error| cannot_write(folder, &error, HINT))?;
    for (name, content) in FILES {
        write_new(&folder.join(name), content)?;
    }
    match session.output.format() {
        Format::Json => {
            session.output.json(&json::Created { folder: &source, files: FILES.map(|(name, _)| name) })?;
        }
        Format::Text | Format::Env => {
            session.output.note(&format!("wrote {}", FILES.map(|(name, _)| name).join(", ")));
            session.output.note("to start the environment, run:");
            session.output.result(&format!("rlmesh-sandbox run {}", shell_word(&source)))?;
        }
    }
    Ok(Exit::Done)
}

fn write_new(file: &Path, content: &str) -> Result<(), SandboxError> {
    let written = File::create_new(file).and_then(|mut created| created.write_all(content.as_bytes()));
    written.map_err(|error: io::Error| cannot_write(file, &error, HINT))
}

/// The folder that a source names, also one that starts with a `~` that no shell expanded.
fn folder(source: &str, home: Option<&Path>) -> Result<PathBuf, SandboxError> {
    let EnvironmentSourceRef::Folder(folder) = source.parse()? else {
        return Err(invalid_option(format!("{source} is not a folder"), HINT));
    };
    Places { folder: Path::new(""), home }.path(&folder.path).map_err(SandboxError::InvalidOption)
}

/// The folder as a source: a relative path needs a `./`.
fn source(folder: &Path) -> Result<String, SandboxError> {
    let Some(text) = folder.to_str() else {
        return Err(invalid_option(format!("the name of {} is not valid UTF-8", folder.display()), HINT));
    };
    Ok(if is_path(text) { text.to_owned() } else { format!("./{text}") })
}
