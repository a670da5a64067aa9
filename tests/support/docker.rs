//! The stand-in for docker: rules in, recorded command lines out. For what a real engine can't be made to do on demand.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// What the stand-in answers to a command, and what it does before it ends.
#[derive(Default)]
pub(crate) struct Reply {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    pub(crate) status: u8,
    pub(crate) hook: Option<String>,
    pub(crate) mark: Option<String>,
    pub(crate) hang: Option<String>,
    pub(crate) once: bool,
    pub(crate) until: Option<String>,
}

impl Reply {
    pub(crate) fn stdout(text: impl Into<Vec<u8>>) -> Self {
        Self { stdout: text.into(), ..Self::default() }
    }

    pub(crate) fn fails(status: u8, stderr: &str) -> Self {
        Self { stderr: stderr.as_bytes().to_vec(), status, ..Self::default() }
    }

    /// As docker fails to inspect an image that it does not have.
    pub(crate) fn missing_image() -> Self {
        Self::missing("image")
    }

    /// As docker fails to inspect a container that does not exist.
    pub(crate) fn missing_container() -> Self {
        Self::missing("container")
    }

    fn missing(kind: &str) -> Self {
        let stderr = format!("Error response from daemon: No such {kind}: x\n");
        Self { stdout: b"[]\n".to_vec(), ..Self::fails(1, &stderr) }
    }

    pub(crate) fn stderr(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.stderr = text.into();
        self
    }

    /// Shell lines that run before the answer, with the call's arguments; `$STAND_IN` is the stand-in's folder.
    pub(crate) fn hook(mut self, lines: &str) -> Self {
        self.hook = Some(lines.to_owned());
        self
    }

    /// Keeps the build context as `context` in the stand-in's folder.
    pub(crate) fn keeps_context(self) -> Self {
        self.hook("for word; do :; done; cp -r \"$word\" \"$STAND_IN/context\"")
    }

    /// Leaves a file of this name, with its process's id, once the answer is printed.
    pub(crate) fn marks(mut self, name: &str) -> Self {
        self.mark = Some(name.to_owned());
        self
    }

    /// Prints the answer and does not end until it is killed.
    pub(crate) fn hangs(self) -> Self {
        self.hangs_until("")
    }

    /// Prints the answer and does not end until there is a file of this name in the stand-in's folder.
    pub(crate) fn hangs_until(mut self, name: &str) -> Self {
        self.hang = Some(name.to_owned());
        self
    }

    /// Serves as long as there is no file of this name; then calls go to the next rule that matches.
    pub(crate) fn until(mut self, name: &str) -> Self {
        self.until = Some(name.to_owned());
        self
    }

    /// Serves one call; the next one goes to the next rule that matches.
    pub(crate) fn once(mut self) -> Self {
        self.once = true;
        self
    }
}

/// A stand-in with its rules; the first that matches serves.
pub(crate) struct StandIn {
    folder: TempDir,
    rules: usize,
    is_on_path: bool,
}

impl StandIn {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["rules", "bin"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        std::os::unix::fs::symlink(program(), folder.path().join("bin/docker")).unwrap();
        Self { folder, rules: 0, is_on_path: true }
    }

    /// No docker at all.
    pub(crate) fn missing() -> Self {
        Self { is_on_path: false, ..Self::new() }
    }

    /// Every command finds a dead engine, with the text and status that docker has for it.
    pub(crate) fn dead() -> Self {
        const DEAD: &str = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?\n";
        Self::new()
            .on(
                "run *",
                Reply::fails(125, &format!("docker: {DEAD}\nRun 'docker run --help' for more information\n")),
            )
            .on("buildx build *", Reply::fails(1, &format!("ERROR: {DEAD}")))
            .on("*inspect *", Reply { stdout: b"[]\n".to_vec(), ..Reply::fails(1, DEAD) })
            .on("*", Reply::fails(1, DEAD))
    }

    /// Adds a rule for the command lines that `pattern` matches as a whole, where `*` stands for any text.
    pub(crate) fn on(mut self, pattern: &str, reply: Reply) -> Self {
        let rule = self.folder.path().join(format!("rules/{:03}", self.rules));
        std::fs::create_dir(&rule).unwrap();
        let put = |name: &str, content: &[u8]| std::fs::write(rule.join(name), content).unwrap();
        put("pattern", pattern.as_bytes());
        put("stdout", &reply.stdout);
        put("stderr", &reply.stderr);
        put("status", reply.status.to_string().as_bytes());
        let once = reply.once.then(String::new);
        for (name, content) in [
            ("hook", reply.hook),
            ("mark", reply.mark),
            ("hang", reply.hang),
            ("once", once),
            ("until", reply.until),
        ] {
            content.iter().for_each(|content| put(name, content.as_bytes()));
        }
        self.rules += 1;
        self
    }

    /// Adds the rules of another stand-in after these.
    pub(crate) fn and(mut self, other: Self) -> Self {
        for number in 0..other.rules {
            let to = self.folder.path().join(format!("rules/{:03}", self.rules));
            std::fs::rename(other.folder.path().join(format!("rules/{number:03}")), to).unwrap();
            self.rules += 1;
        }
        self
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// PATH for the program under test.
    pub(crate) fn path(&self) -> std::ffi::OsString {
        let mut folders: Vec<PathBuf> = Vec::new();
        if self.is_on_path {
            folders.push(self.folder.path().join("bin"));
            folders.extend(["/usr/bin", "/bin"].map(PathBuf::from));
        }
        std::env::join_paths(folders).unwrap()
    }

    /// The command lines so far, in the order of their start.
    pub(crate) fn calls(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.path().join("calls")).unwrap_or_default();
        text.lines().map(|line| line.trim_end().to_owned()).collect()
    }

    /// Waits for the mark of a reply.
    #[track_caller]
    pub(crate) fn wait_for(&self, mark: &str) {
        let file = self.folder.path().join(mark);
        super::eventually(mark, || file.exists().then_some(()));
    }

    /// Ends the reply that hangs until there is this file.
    pub(crate) fn release(&self, name: &str) {
        std::fs::write(self.folder.path().join(name), "").unwrap();
    }
}

/// The stand-in's program, `stand_in.rs`. It is an example because `cargo test` and `cargo nextest run` build
/// those, at a path that is known, and `cargo install` takes none: a second `[[bin]]` would be installed with
/// the program, and where Cargo puts a `[[test]]` is not known here.
fn program() -> PathBuf {
    let program = super::program().with_file_name("examples").join("docker-stand-in");
    let build = "cargo build --example docker-stand-in";
    assert!(
        program.exists(),
        "there is no {}: `cargo test` builds it, and so does `{build}`",
        program.display()
    );
    program
}
