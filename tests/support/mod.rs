//! A run of the real program, strict by default: all of stdout and stderr, the status, and an empty
//! temporary folder afterwards are compared.

pub(crate) mod docker;
pub(crate) mod hub;
pub(crate) mod server;
pub(crate) mod tls;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use regex::Regex;
use tempfile::TempDir;

pub(crate) use docker::{Reply, StandIn};

/// The program under test.
pub(crate) fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_rlmesh-sandbox"))
}

/// A file that was recorded from a real run.
pub(crate) fn fixture(name: &str) -> Vec<u8> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// What a strict run expects. A text that is not set is expected to be empty.
pub(crate) struct Run {
    arguments: Vec<OsString>,
    environment: BTreeMap<OsString, OsString>,
    stdin: Vec<u8>,
    stdout: String,
    stderr: String,
    status: i32,
    docker: StandIn,
    /// TMPDIR, HOME and the current folder of the run.
    world: TempDir,
}

impl Run {
    pub(crate) fn new<I>(arguments: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<OsString>,
    {
        let world = tempfile::tempdir().unwrap();
        for folder in ["tmp", "home", "here"] {
            std::fs::create_dir(world.path().join(folder)).unwrap();
        }
        Self {
            arguments: arguments.into_iter().map(Into::into).collect(),
            environment: BTreeMap::new(),
            stdin: Vec::new(),
            stdout: String::new(),
            stderr: String::new(),
            status: 0,
            docker: StandIn::new(),
            world,
        }
    }

    /// The words of a command line that needs no quoting.
    pub(crate) fn line(line: &str) -> Self {
        Self::new(line.split_whitespace())
    }

    pub(crate) fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    pub(crate) fn stdin(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.stdin = text.into();
        self
    }

    pub(crate) fn stdout(mut self, text: impl Into<String>) -> Self {
        self.stdout = text.into();
        self
    }

    pub(crate) fn stderr(mut self, text: impl Into<String>) -> Self {
        self.stderr = text.into();
        self
    }

    pub(crate) fn status(mut self, status: i32) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn docker(mut self, docker: StandIn) -> Self {
        self.docker = docker;
        self
    }

    pub(crate) fn stand_in(&self) -> &StandIn {
        &self.docker
    }

    /// The folder in which the program runs.
    pub(crate) fn here(&self) -> PathBuf {
        self.world.path().join("here")
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.world.path().join("home")
    }

    pub(crate) fn tmp(&self) -> PathBuf {
        self.world.path().join("tmp")
    }

    /// The program, not started yet.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(program());
        command
            .args(&self.arguments)
            .env_clear()
            .env("PATH", self.docker.path())
            .env("STAND_IN", self.docker.folder())
            .env("HOME", self.world.path().join("home"))
            .env("TMPDIR", self.tmp())
            .env("LANG", "C.UTF-8")
            .envs(&self.environment)
            .current_dir(self.here())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Starts the program, for tests that do something to it while it runs.
    pub(crate) fn spawn(&self) -> Child {
        let mut child = self.command().spawn().unwrap();
        child.stdin.take().unwrap().write_all(&self.stdin).ok();
        child
    }

    /// Runs the program and compares.
    #[track_caller]
    pub(crate) fn check(self) -> Checked {
        let output = self.spawn().wait_with_output().unwrap();
        self.compare(output)
    }

    /// Compares what a program that was spawned has done.
    #[track_caller]
    pub(crate) fn compare(self, output: Output) -> Checked {
        let shown = |text: &[u8]| self.normal(&String::from_utf8_lossy(text));
        let got = (output.status.code(), shown(&output.stdout), shown(&output.stderr));
        let expected = (Some(self.status), self.stdout.clone(), self.stderr.clone());
        assert!(
            got == expected,
            "{:?}\n--- expected status {:?}, stdout:\n{}--- stderr:\n{}--- got status {:?}, stdout:\n{}--- stderr:\n{}--- docker was called:\n{}\n",
            self.arguments,
            expected.0,
            expected.1,
            expected.2,
            got.0,
            got.1,
            got.2,
            self.docker.calls().join("\n"),
        );
        let left: Vec<_> =
            std::fs::read_dir(self.tmp()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(left.is_empty(), "left in the temporary folder: {left:?}");
        let calls = self.docker.calls().iter().map(|call| self.normal(call)).collect();
        Checked { calls, docker: self.docker }
    }

    /// What differs from run to run, replaced by what it is.
    fn normal(&self, text: &str) -> String {
        let world = self.world.path().to_str().unwrap();
        let mut text = text.replace(world, "<world>");
        for (pattern, name) in [
            (r"-[0-9a-f]{32}\b", "-<uuid>"),
            (r"rlmesh-sandbox-run-[A-Za-z0-9]{6}", "rlmesh-sandbox-run-<random>"),
            (r"build-\d{14}-[0-9a-f]{12}-\d+\.log", "<log>"),
            (r"\b\d+\.\d s\b", "N s"),
            (r#""seconds":\d+(\.\d+)?"#, r#""seconds":N"#),
            (r"\b127\.0\.0\.1:\d+", "127.0.0.1:<port>"),
        ] {
            text = Regex::new(pattern).unwrap().replace_all(&text, name).into_owned();
        }
        text
    }
}

/// A run that was as expected, for further questions.
pub(crate) struct Checked {
    /// Docker's command lines, in order.
    pub(crate) calls: Vec<String>,
    pub(crate) docker: StandIn,
}

impl Checked {
    /// The command lines without those of the sweep and the watch, whose place among the others is chance.
    pub(crate) fn main_calls(&self) -> Vec<&str> {
        let is_aside =
            |call: &str| ["ps --all", "wait ", "logs --follow "].iter().any(|start| call.starts_with(start));
        self.calls.iter().map(String::as_str).filter(|call| !is_aside(call)).collect()
    }
}

/// Every file below a folder, by its path.
pub(crate) fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut rest = vec![folder.to_owned()];
    while let Some(next) = rest.pop() {
        for entry in std::fs::read_dir(&next).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                rest.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                found.insert(name, std::fs::read(path).unwrap());
            }
        }
    }
    found
}

/// Waits until something is there, for as long as a loaded machine may need.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(120);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(std::time::Instant::now() < deadline, "never: {what}");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

/// A process that does not outlive the test, even one that fails.
pub(crate) struct Owned(pub(crate) Child);

impl Drop for Owned {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Sends a signal to a child that is still ours.
pub(crate) fn signal(child: &Child, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, signal).unwrap();
}
