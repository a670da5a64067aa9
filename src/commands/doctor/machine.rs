//! What `doctor` looks at on this machine: folders, the Hub, the caller's Python, and shell completion.

use std::ffi::OsString;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::commands::doctor::Finding;
use crate::error::SandboxError;
use crate::host::interrupt::{Interrupt, Signals};
use crate::host::logs;
use crate::host::run_dir::RunDir;
use crate::hub::{self, Hub};
use crate::plan::rlmesh_package::default_rlmesh_package;
use crate::settings::Settings;
use crate::settings::hub::{HubSettings, cache_folder};
use crate::settings::size::HumanSize;
use crate::settings::variables::Variables;

/// Prints Python's version, and rlmesh's.
const VERSIONS: &str = "\
import sys
from importlib import metadata
print('.'.join(map(str, sys.version_info[:3])))
try:
    print(metadata.version('rlmesh'))
except metadata.PackageNotFoundError:
    print()";

/// A cache of more than this is worth a look, in bytes.
const LARGE_CACHE: u64 = 5 << 30;

/// The most that is read of a start-up file of a shell, in bytes.
const LONGEST: u64 = 1 << 20;

pub(super) fn temp_folder(folder: &Path) -> Result<Finding, SandboxError> {
    Ok(match RunDir::create(folder) {
        Ok(_) => Finding::ok(folder.display().to_string()),
        Err(error) => {
            Finding::no(format!("{}: {error}", folder.display()), "set TMPDIR to a writable folder")
        }
    })
}

/// Only `hf://` sources need it.
pub(super) fn hub(
    settings: Result<HubSettings, SandboxError>,
    interrupt: Interrupt,
) -> Result<Finding, SandboxError> {
    let settings = settings?;
    if settings.is_offline {
        return Ok(Finding::ok("not used: HF_HUB_OFFLINE is set"));
    }
    let endpoint = settings.endpoint_text().to_owned();
    let token = settings.token.as_ref().map(|token| token.origin().to_owned());
    Ok(match Hub::new(&settings, interrupt).ping() {
        Ok(()) => Finding::ok(match token {
            Some(origin) => format!("{endpoint} accepts the token from {origin}"),
            None => format!("{endpoint} answers; there is no token"),
        }),
        Err(error) => Finding::failed(&error).at_most_a_warning(),
    })
}

/// The Python that the user's commands run with.
pub(super) fn python_program(variables: &Variables) -> Option<PathBuf> {
    let active = ["VIRTUAL_ENV", "CONDA_PREFIX"].iter().find_map(|name| variables.path(name));
    let active = active.map(|folder| folder.join("bin/python")).filter(|python| python.is_file());
    active.or_else(|| ["python3", "python"].iter().find_map(|name| which::which(name).ok()))
}

/// Clients need the rlmesh that images have.
pub(super) fn python(program: Option<PathBuf>, interrupt: &Interrupt) -> Result<Finding, SandboxError> {
    let wanted = default_rlmesh_package();
    let Some(program) = program else {
        return Ok(Finding::warn("python3 is not on PATH", "to step environments from Python, install it"));
    };
    let shown = program.display();
    let Some(printed) = output_of(&program, interrupt) else {
        return Ok(Finding::warn(
            format!("{shown} does not work"),
            format!("check that `{shown} --version` works"),
        ));
    };
    let mut lines = printed.lines().map(str::trim);
    let (python, rlmesh) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    Ok(match rlmesh {
        "" => Finding::warn(
            format!("Python {python} ({shown}) has no rlmesh"),
            format!("{shown} -m pip install {wanted}"),
        ),
        version if wanted.ends_with(&format!("=={version}")) => {
            Finding::ok(format!("rlmesh {version} in Python {python} ({shown})"))
        }
        version => Finding::warn(
            format!("rlmesh {version} in Python {python} ({shown}), but images have {wanted}"),
            format!("{shown} -m pip install {wanted}, or pass --rlmesh-package rlmesh=={version}"),
        ),
    })
}

/// What Python prints, unless it fails. It runs in the root folder, so that it imports nothing of this one.
fn output_of(program: &Path, interrupt: &Interrupt) -> Option<String> {
    let mut child = Command::new(program)
        .args(["-c", VERSIONS])
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if interrupt.reached(Signals::First).is_none() => {
                std::thread::sleep(Duration::from_millis(5));
            }
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
        }
    };
    let mut printed = String::new();
    child.stdout.take()?.take(LONGEST).read_to_string(&mut printed).ok()?;
    status.success().then_some(printed)
}

/// The user's shell, and where its completion may be.
pub(super) struct Shell {
    name: String,
    /// Scripts that packages and users install.
    scripts: Vec<PathBuf>,
    /// Files that may load the script.
    startup: Vec<PathBuf>,
    home: Option<PathBuf>,
}

impl Shell {
    pub(super) fn of(variables: &Variables) -> Self {
        let shell = variables.path("SHELL");
        let name = shell.as_deref().and_then(Path::file_name).map(OsString::from).unwrap_or_default();
        let home = variables.path("HOME");
        let below = |variable: &str, default: &str| {
            variables.path(variable).or_else(|| home.as_ref().map(|home| home.join(default)))
        };
        // Next to the program: a virtual environment, pipx, uv, Homebrew.
        let prefix =
            std::env::current_exe().ok().and_then(|program| Some(program.parent()?.parent()?.join("share")));
        let shares: Vec<PathBuf> = [PathBuf::from("/usr/share"), PathBuf::from("/usr/local/share")]
            .into_iter()
            .chain(prefix)
            .chain(below("XDG_DATA_HOME", ".local/share"))
            .collect();
        let in_shares = |names: &[&str]| -> Vec<PathBuf> {
            shares.iter().flat_map(|share| names.iter().map(|name| share.join(name))).collect()
        };
        let in_home = |names: &[&str]| -> Vec<PathBuf> {
            home.iter().flat_map(|home| names.iter().map(|name| home.join(name))).collect()
        };
        let config = below("XDG_CONFIG_HOME", ".config");
        let (scripts, startup) = match name.to_str() {
            Some("bash") => (
                in_shares(&["bash-completion/completions/rlmesh-sandbox"]),
                in_home(&[".bashrc", ".bash_profile", ".bash_completion", ".profile"]),
            ),
            Some("zsh") => (
                in_shares(&["zsh/site-functions/_rlmesh-sandbox", "zsh/vendor-completions/_rlmesh-sandbox"]),
                in_home(&[".zshrc", ".zshenv", ".zprofile"]),
            ),
            Some("fish") => {
                let own = config.iter().map(|config| config.join("fish/completions/rlmesh-sandbox.fish"));
                let shared = in_shares(&["fish/vendor_completions.d/rlmesh-sandbox.fish"]);
                let startup = config.iter().map(|config| config.join("fish/config.fish")).collect();
                (own.chain(shared).collect(), startup)
            }
            _ => (Vec::new(), Vec::new()),
        };
        Self { name: name.to_string_lossy().into_owned(), scripts, startup, home }
    }
}

pub(super) fn completion(shell: Shell) -> Result<Finding, SandboxError> {
    let Shell { name, scripts, startup, home } = shell;
    let loads = |file: &&PathBuf| {
        let mut text = String::new();
        let read = fs::File::open(file).and_then(|file| file.take(LONGEST).read_to_string(&mut text));
        read.is_ok()
            && text.lines().any(|line| !line.trim_start().starts_with('#') && line.contains("rlmesh-sandbox"))
    };
    let file = scripts.iter().find(|file| file.is_file()).or_else(|| startup.iter().find(loads));
    if let Some(file) = file {
        return Ok(Finding::ok(format!("{name}: {}", file.display())));
    }
    let Some(first) = startup.first().or(scripts.first()) else {
        let shell = if name.is_empty() { "SHELL is not set".to_owned() } else { format!("for {name}") };
        return Ok(Finding::ok(format!("not checked: {shell}")));
    };
    let shown = |file: &Path| match home.as_ref().and_then(|home| file.strip_prefix(home).ok()) {
        Some(below) => format!("~/{}", below.display()),
        None => file.display().to_string(),
    };
    let hint = if name == "fish" {
        let script = scripts.first().unwrap_or(first);
        format!("rlmesh-sandbox completions fish > {}", shown(script))
    } else {
        format!("echo 'source <(rlmesh-sandbox completions {name})' >> {}", shown(first))
    };
    Ok(Finding::warn(format!("not installed for {name}"), hint))
}

/// What this program keeps on this machine.
pub(super) fn files(
    settings: &Settings,
    variables: &Variables,
    interrupt: &Interrupt,
) -> Result<Finding, SandboxError> {
    let cache = match cache_folder(variables) {
        Some(folder) => {
            hub::prune(&folder, Duration::ZERO, true, interrupt)?.map_or(0, |content| content.size)
        }
        None => 0,
    };
    let logs: u64 = settings
        .logs_folder()
        .iter()
        .flat_map(|folder| logs::list(folder))
        .filter_map(|file| Some(file.metadata().ok()?.len()))
        .sum();
    let found = format!("{} of the Hub in the cache, {} of logs", HumanSize(cache), HumanSize(logs));
    Ok(if cache > LARGE_CACHE {
        Finding::warn(found, "rlmesh-sandbox prune --cache")
    } else {
        Finding::ok(found)
    })
}
