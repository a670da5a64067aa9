//! A run of the real program, strict by default: all of stdout and stderr, the status, and an empty
//! temporary folder afterwards are compared.

pub(crate) mod docker;
pub(crate) mod hub;
pub(crate) mod server;
pub(crate) mod tls;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::LazyLock;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use regex::Regex;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tempfile::TempDir;

pub(crate) use docker::{Reply, StandIn};

/// The variable that holds a factor for everything that the program waits for.
pub(crate) const WAITS: &str = "RLMESH_SANDBOX_TEST_WAITS";

/// The program under test.
pub(crate) fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_rlmesh-sandbox"))
}

/// A file that was recorded from a real run.
pub(crate) fn fixture(name: &str) -> Vec<u8> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// A run and what it must come to. A stream of which nothing is expected must be empty.
pub(crate) struct Run {
    arguments: Vec<OsString>,
    environment: BTreeMap<OsString, OsString>,
    stdin: Vec<u8>,
    stdout: Text,
    stderr: Text,
    /// `None` where any status will do.
    status: Option<i32>,
    folders_left: usize,
    docker: StandIn,
    /// TMPDIR, HOME and the current folder of the run.
    world: TempDir,
}

/// What a stream must hold.
enum Text {
    Exactly(String),
    /// Each of these somewhere, for what cannot be known before, or is another test's business.
    Parts(Vec<String>),
}

impl Text {
    fn is(&self, text: &str) -> bool {
        match self {
            Text::Exactly(expected) => expected == text,
            Text::Parts(parts) => parts.iter().all(|part| text.contains(part)),
        }
    }
}

impl std::fmt::Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Text::Exactly(text) => f.write_str(text),
            Text::Parts(parts) => parts.iter().try_for_each(|part| writeln!(f, "… {part:?} …")),
        }
    }
}

fn parts<T: Into<String>>(parts: impl IntoIterator<Item = T>) -> Text {
    Text::Parts(parts.into_iter().map(Into::into).collect())
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
            stdout: Text::Exactly(String::new()),
            stderr: Text::Exactly(String::new()),
            status: Some(0),
            folders_left: 0,
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
        self.stdout = Text::Exactly(text.into());
        self
    }

    /// What is printed to stdout is the test's own to check.
    pub(crate) fn any_stdout(mut self) -> Self {
        self.stdout = Text::Parts(Vec::new());
        self
    }

    /// What is printed to stderr is the test's own to check.
    pub(crate) fn any_stderr(mut self) -> Self {
        self.stderr = Text::Parts(Vec::new());
        self
    }

    /// Stdout must hold each of these parts, and may hold more.
    pub(crate) fn stdout_with<T: Into<String>>(mut self, some: impl IntoIterator<Item = T>) -> Self {
        self.stdout = parts(some);
        self
    }

    pub(crate) fn stderr(mut self, text: impl Into<String>) -> Self {
        self.stderr = Text::Exactly(text.into());
        self
    }

    /// Stderr must hold each of these parts, and may hold more.
    pub(crate) fn stderr_with<T: Into<String>>(mut self, some: impl IntoIterator<Item = T>) -> Self {
        self.stderr = parts(some);
        self
    }

    pub(crate) fn status(mut self, status: i32) -> Self {
        self.status = Some(status);
        self
    }

    /// How it ends is the test's own to check.
    pub(crate) fn any_status(mut self) -> Self {
        self.status = None;
        self
    }

    /// How many entries stay in the temporary folder, instead of none.
    pub(crate) fn leaves(mut self, entries: usize) -> Self {
        self.folders_left = entries;
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
            .env("HOME", self.home())
            .env("TMPDIR", self.tmp())
            .env("LANG", "C.UTF-8")
            // What the program waits for takes no time here, unless the test itself makes it.
            .env(WAITS, "0.05")
            .envs(&self.environment)
            .current_dir(self.here())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// The program, started by a line of the shell that ends in `exec "$@"`.
    pub(crate) fn command_of_a_shell(&self, script: &str) -> Command {
        self.command_of("/bin/sh", &["-c", script, "sh"])
    }

    /// The program as the last arguments of another one, which starts it.
    fn command_of(&self, program: &str, arguments: &[&str]) -> Command {
        let ours = self.command();
        let mut command = Command::new(program);
        command.args(arguments).arg(ours.get_program()).args(ours.get_args());
        command.env_clear().envs(ours.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(self.here()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs the program on a terminal, types an answer, and returns its status and what the terminal shows.
    #[track_caller]
    pub(crate) fn on_a_terminal(&self, answer: &str) -> (Option<i32>, String) {
        const SCRIPT: &str = "\
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[2], sys.argv[2:])
shown, answered = b'', False
while True:
    try:
        piece = os.read(terminal, 1000)
    except OSError:
        break
    if not piece:
        break
    shown += piece
    if not answered and b'[y/N]' in shown:
        os.write(terminal, sys.argv[1].encode() + b'\\n')
        answered = True
sys.stdout.buffer.write(shown.replace(b'\\r\\n', b'\\n'))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
";
        let output = Owned(self.command_of("python3", &["-c", SCRIPT, answer]).spawn().unwrap()).output();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    }

    /// Runs the program and compares.
    #[track_caller]
    pub(crate) fn check(self) -> Checked {
        self.check_while(|_, _| {})
    }

    /// Starts the program, does something to it, and compares how it ended.
    #[track_caller]
    pub(crate) fn check_while(self, meanwhile: impl FnOnce(&Run, &Child)) -> Checked {
        let command = self.command();
        self.check_command(command, meanwhile)
    }

    /// The same for a command that is not quite [`Self::command`].
    #[track_caller]
    pub(crate) fn check_command(self, mut command: Command, meanwhile: impl FnOnce(&Run, &Child)) -> Checked {
        let mut process = Owned(command.spawn().unwrap());
        // Our copies of its streams: while one is open, the reader of the other end continues.
        drop(command);
        // A program that reads nothing may be gone before all is written.
        process.0.stdin.take().unwrap().write_all(&self.stdin).ok();
        meanwhile(&self, &process.0);
        let output = process.output();
        self.compare(&output)
    }

    #[track_caller]
    fn compare(self, output: &Output) -> Checked {
        let status = output.status.code();
        let shown = |text: &[u8]| self.normal(&String::from_utf8_lossy(text));
        let (stdout, stderr) = (shown(&output.stdout), shown(&output.stderr));
        assert!(
            (self.status.is_none() || status == self.status)
                && self.stdout.is(&stdout)
                && self.stderr.is(&stderr),
            "{:?}\n--- expected status {:?}, stdout:\n{}--- stderr:\n{}--- got status {status:?}, stdout:\n{stdout}--- stderr:\n{stderr}--- docker was called:\n{}\n",
            self.arguments,
            self.status,
            self.stdout,
            self.stderr,
            self.docker.calls().join("\n"),
        );
        let left: Vec<_> =
            std::fs::read_dir(self.tmp()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(left.len(), self.folders_left, "left in the temporary folder: {left:?}");
        let calls = self.docker.calls().iter().map(|call| self.normal(call)).collect();
        Checked { calls, status, stdout, stderr, run: self }
    }

    /// What differs from run to run, replaced by what it is.
    fn normal(&self, text: &str) -> String {
        static DIFFERENCES: LazyLock<[(Regex, &str); 7]> = LazyLock::new(|| {
            [
                (r"-[0-9a-f]{32}\b", "-<uuid>"),
                (r"(rlmesh-sandbox-(?:[a-z0-9-]+-v\d|env))-[2-9b-z]{4}\b", "$1-<uuid>"),
                (r"rlmesh-sandbox-run-[A-Za-z0-9]{6}", "rlmesh-sandbox-run-<random>"),
                (r"(build|start)-\d{14}-[0-9a-z-]+-\d+\.log", "<log>"),
                (r"\b\d+\.\d s\b", "N s"),
                (r#""seconds":\d+(\.\d+)?"#, r#""seconds":0"#),
                (r"\b127\.0\.0\.1:\d+", "127.0.0.1:<port>"),
            ]
            .map(|(pattern, name)| (Regex::new(pattern).unwrap(), name))
        });
        let text = text.replace(self.world.path().to_str().unwrap(), "<world>");
        DIFFERENCES.iter().fold(text, |text, (pattern, name)| pattern.replace_all(&text, *name).into_owned())
    }
}

/// A run that was as expected, for further questions.
pub(crate) struct Checked {
    /// Docker's command lines, in order.
    pub(crate) calls: Vec<String>,
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// What was run; it can be run again.
    pub(crate) run: Run,
}

impl Checked {
    /// The command lines without those of the sweep and the watch, whose place among the others is chance.
    pub(crate) fn main_calls(&self) -> Vec<&str> {
        let is_aside =
            |call: &str| ["ps --all", "wait ", "logs --follow "].iter().any(|start| call.starts_with(start));
        self.calls.iter().map(String::as_str).filter(|call| !is_aside(call)).collect()
    }

    /// All of stdout as JSON.
    #[track_caller]
    pub(crate) fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}:\n{}\n{}", self.stdout, self.stderr))
    }

    /// The error that is the last line of stderr as JSON.
    #[track_caller]
    pub(crate) fn json_error(&self) -> Value {
        let line = self.stderr.lines().last().unwrap_or_default();
        let printed: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}:\n{}", self.stderr));
        printed["error"].clone()
    }

    /// What a hook has left in the stand-in's folder, as text.
    pub(crate) fn left(&self, name: &str) -> String {
        let file = self.run.docker.folder().join(name);
        std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{name}: {error}"))
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

/// How long a test waits for what must come: longer than any loaded machine needs.
const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until something is there.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The id of a process that has ended.
pub(crate) fn dead_pid() -> u32 {
    let mut child = Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    child.id()
}

/// The PID namespace of this process, as labels name it.
pub(crate) fn pid_namespace() -> String {
    std::fs::read_link("/proc/self/ns/pid").unwrap().to_str().unwrap().to_owned()
}

/// A process that runs longer than any test.
pub(crate) fn living_process() -> Owned {
    Owned(Command::new("sleep").arg("600").spawn().unwrap())
}

/// A process that does not outlive the test, even one that fails.
pub(crate) struct Owned(pub(crate) Child);

impl Owned {
    /// Waits for the end of the process and of what it prints. Fails the test where that does not come.
    #[track_caller]
    pub(crate) fn output(mut self) -> Output {
        let deadline = Instant::now() + PATIENCE;
        let (stdout, stderr) = (read(self.0.stdout.take()), read(self.0.stderr.take()));
        let read = |printed: Receiver<Vec<u8>>| {
            let left = deadline.saturating_duration_since(Instant::now());
            printed.recv_timeout(left).unwrap_or_else(|_| panic!("it goes on: {:?}", self.0))
        };
        let (stdout, stderr) = (read(stdout), read(stderr));
        Output { status: self.0.wait().unwrap(), stdout, stderr }
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Reads all of a pipe on a thread of its own; of one that is not there, nothing.
fn read(pipe: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (sender, printed) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            pipe.read_to_end(&mut bytes).unwrap();
        }
        let _ = sender.send(bytes);
    });
    printed
}

/// Sends a signal to a child that is still ours.
pub(crate) fn signal(child: &Child, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, signal).unwrap();
}
