//! The engine that live tests use, and what they leave on it: nothing.

use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::support::program;

/// Any test's `run` removes orphans. A test that makes some, and asks who removed them, must be alone.
static ORPHANS: RwLock<()> = RwLock::new(());

pub(crate) fn together() -> RwLockReadGuard<'static, ()> {
    ORPHANS.read().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn alone() -> RwLockWriteGuard<'static, ()> {
    ORPHANS.write().unwrap_or_else(PoisonError::into_inner)
}

/// Runs docker and gives what it printed. Fails the test where docker fails.
#[track_caller]
pub(crate) fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker")
        .args(arguments)
        .output()
        .expect("docker is not installed: run tests/engine/up");
    assert!(
        output.status.success(),
        "docker {arguments:?}: {}\nis an engine there? run tests/engine/up",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The layers of an image, the first one first.
pub(crate) fn layers(tag: &str) -> Vec<String> {
    let printed = docker(&["image", "inspect", "--format", "{{join .RootFS.Layers \" \"}}", tag]);
    printed.split_whitespace().map(str::to_owned).collect()
}

/// Whether docker knows a container, by id or name.
pub(crate) fn exists(container: &str) -> bool {
    Command::new("docker").args(["container", "inspect", container]).output().unwrap().status.success()
}

/// The names of the containers, in any state, that carry this label.
pub(crate) fn containers(label: &str) -> Vec<String> {
    let filter = format!("label={label}");
    docker(&["ps", "--all", "--filter", &filter, "--format", "{{.Names}}"])
        .lines()
        .map(str::to_owned)
        .collect()
}

/// How many tests use an image that was not there before.
static IMAGES: Mutex<Option<HashMap<String, usize>>> = Mutex::new(None);

/// Images that go when the last test that uses them is over, unless they were there before.
pub(crate) struct Images(Vec<String>);

impl Images {
    /// The images of these sources with their options, each as one command line.
    pub(crate) fn of(lines: &[&str]) -> Self {
        Self::tags(lines.iter().map(|line| tag(line)).collect())
    }

    pub(crate) fn tags(tags: Vec<String>) -> Self {
        let mut images = IMAGES.lock().unwrap_or_else(PoisonError::into_inner);
        let images = images.get_or_insert_default();
        let mut ours = Vec::new();
        for tag in tags {
            let is_there =
                Command::new("docker").args(["image", "inspect", &tag]).output().unwrap().status.success();
            if let Some(count) = images.get_mut(&tag) {
                *count += 1;
            } else if is_there {
                continue;
            } else {
                images.insert(tag.clone(), 1);
            }
            ours.push(tag);
        }
        Self(ours)
    }
}

impl Drop for Images {
    fn drop(&mut self) {
        let mut images = IMAGES.lock().unwrap_or_else(PoisonError::into_inner);
        let images = images.get_or_insert_default();
        for tag in &self.0 {
            let count = images.entry(tag.clone()).or_insert(1);
            *count -= 1;
            if *count == 0 {
                images.remove(tag);
                let _ = Command::new("docker").args(["image", "rm", "--force", tag]).output();
            }
        }
    }
}

/// A package that no index has: no layer that is there was built with it.
pub(crate) fn fresh_package() -> String {
    format!("rlmesh-sandbox-test-{}", uuid::Uuid::new_v4().simple())
}

/// The image tag of a source with its options.
pub(crate) fn tag(line: &str) -> String {
    let output =
        Command::new(program()).args(["hash", "--tag"]).args(line.split_whitespace()).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A run of the real program against the real engine, with a temporary folder of its own.
pub(crate) struct Live {
    pub(crate) tmp: tempfile::TempDir,
    pub(crate) state: tempfile::TempDir,
}

impl Live {
    pub(crate) fn new() -> Self {
        docker(&["version", "--format", "{{.Server.Version}}"]);
        Self { tmp: tempfile::tempdir().unwrap(), state: tempfile::tempdir().unwrap() }
    }

    /// The program, not started yet.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(arguments).env("TMPDIR", self.tmp.path());
        // What a test wants to fail is no log to keep for the user.
        command.env("XDG_STATE_HOME", self.state.path());
        command
    }

    /// The names of the containers, in any state, that its runs started: others may use the engine too.
    pub(crate) fn containers(&self) -> Vec<String> {
        let label = format!("{{{{.Names}}}} {{{{.Label \"{}\"}}}}", "rlmesh.sandbox.run-dir");
        let listed = docker(&["ps", "--all", "--filter", "label=rlmesh.sandbox", "--format", &label]);
        let folder = self.tmp.path().to_str().unwrap();
        let own = listed.lines().filter_map(|line| line.split_once(' '));
        own.filter(|(_, run)| run.starts_with(folder)).map(|(name, _)| name.to_owned()).collect()
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        Done::new(arguments, self.command(arguments).output().unwrap())
    }

    /// Fails the test if the program has left anything in its temporary folder.
    #[track_caller]
    pub(crate) fn assert_clean(&self) {
        assert_eq!(entries(self.tmp.path()), Vec::<String>::new(), "left in the temporary folder");
    }
}

pub(crate) fn entries(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

/// What a run has done.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) arguments: String,
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Done {
    pub(crate) fn new(arguments: &[&str], output: Output) -> Self {
        Self {
            arguments: arguments.join(" "),
            status: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Fails the test unless the run ended like that.
    #[track_caller]
    pub(crate) fn ended(self, status: i32) -> Self {
        assert_eq!(self.status, Some(status), "{}\n{}{}", self.arguments, self.stdout, self.stderr);
        self
    }

    /// The one variable of `--format env` with that name.
    #[track_caller]
    pub(crate) fn variable(&self, name: &str) -> String {
        let start = format!("{name}=");
        let line = self.stdout.lines().find_map(|line| line.strip_prefix(&start));
        line.unwrap_or_else(|| panic!("no {name} in {:?}", self.stdout)).to_owned()
    }
}
