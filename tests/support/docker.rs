//! The stand-in for docker: rules in, recorded command lines out. For what a real engine can't be made to do on demand.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// What the stand-in answers to a command.
#[derive(Default)]
pub(crate) struct Reply {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    pub(crate) status: i32,
    /// Shell lines that run first; `$STAND_IN` is the stand-in's folder.
    pub(crate) hook: Option<String>,
    pub(crate) once: bool,
}

impl Reply {
    pub(crate) fn stdout(text: impl Into<Vec<u8>>) -> Self {
        Self { stdout: text.into(), ..Self::default() }
    }

    pub(crate) fn fails(status: i32, stderr: &str) -> Self {
        Self { stderr: stderr.as_bytes().to_vec(), status, ..Self::default() }
    }

    pub(crate) fn stderr(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.stderr = text.into();
        self
    }

    pub(crate) fn hook(mut self, lines: &str) -> Self {
        self.hook = Some(lines.to_owned());
        self
    }

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
        std::fs::create_dir(folder.path().join("rules")).unwrap();
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

    /// Adds a rule: `pattern` is a shell pattern for the whole command line.
    pub(crate) fn on(mut self, pattern: &str, reply: Reply) -> Self {
        let rule = self.folder.path().join(format!("rules/{:03}", self.rules));
        std::fs::create_dir(&rule).unwrap();
        let put = |name: &str, content: &[u8]| std::fs::write(rule.join(name), content).unwrap();
        put("pattern", pattern.as_bytes());
        put("stdout", &reply.stdout);
        put("stderr", &reply.stderr);
        put("status", reply.status.to_string().as_bytes());
        if let Some(hook) = &reply.hook {
            put("hook", hook.as_bytes());
        }
        if reply.once {
            put("once", b"");
        }
        self.rules += 1;
        self
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// PATH for the program under test.
    pub(crate) fn path(&self) -> std::ffi::OsString {
        let mut folders: Vec<PathBuf> = Vec::new();
        if self.is_on_path {
            folders.push(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/stand-in"));
            folders.extend(["/usr/bin", "/bin"].map(PathBuf::from));
        }
        std::env::join_paths(folders).unwrap()
    }

    /// The command lines so far, in the order of their start.
    pub(crate) fn calls(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.path().join("calls")).unwrap_or_default();
        text.lines().map(|line| line.trim_end().to_owned()).collect()
    }

    /// What a hook has left in the stand-in's folder.
    pub(crate) fn left(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.folder.path().join(name)).unwrap()
    }
}
