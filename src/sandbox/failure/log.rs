//! Reads the log of an environment: Python's exceptions, its crash reports, and the lines that are worth showing.

/// The most of a line that is shown, in characters: two rows of a terminal.
const LONGEST_LINE: usize = 150;

/// The most of a log that is read, in bytes from its end.
const LONGEST_LOG: usize = 256 * 1024;

/// How many lines of a log an error shows, and how many rows of 80 columns they may take.
const SHOWN_LINES: usize = 8;
const SHOWN_ROWS: usize = 11;

/// The log of an environment.
#[derive(Debug, Default)]
pub(super) struct Log {
    lines: Vec<String>,
    /// In the order of the log.
    exceptions: Vec<Exception>,
    /// Where a crash or a signal found the program, the innermost frame first.
    pub(super) crash: Vec<Frame>,
}

/// An exception with its traceback.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Exception {
    /// `package.module.Class: message`, without further lines of the message.
    text: String,
    /// The outermost frame first.
    frames: Vec<Frame>,
    /// The number of its last line.
    line: usize,
}

/// Whether a line says why a library called abort.
fn is_abort_reason(line: &str) -> bool {
    ["terminate called", "what():", "malloc", "free()", "realloc()", "corrupted", "double free", "*** "]
        .iter()
        .any(|start| line.starts_with(start))
        || line.contains("Assertion ")
}

/// The function of a frame that names none: the place of a syntax error.
const UNKNOWN: &str = "?";

/// A frame of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) file: String,
    pub(super) line: String,
    pub(super) function: String,
    /// The line of the source, if it was printed.
    code: String,
}

impl Log {
    pub(super) fn read(text: &str) -> Self {
        let start =
            (text.len().saturating_sub(LONGEST_LOG)..text.len()).find(|at| text.is_char_boundary(*at));
        let lines: Vec<String> = text[start.unwrap_or(text.len())..].split('\n').map(plain).collect();
        let mut log = Self { exceptions: exceptions(&lines), crash: crash(&lines), lines };
        if log.exceptions.is_empty() {
            log.exceptions.extend(log.lines.iter().enumerate().rev().find_map(lone_exception));
        }
        log
    }

    /// The exception that ended the program. If rlmesh wraps another one, this is the other one, which says more.
    pub(super) fn cause(&self) -> Option<&str> {
        self.exception().map(|exception| exception.text.as_str())
    }

    fn exception(&self) -> Option<&Exception> {
        let mut found = self.exceptions.iter().rev();
        let last = found.next()?;
        let is_wrapper = last.text.contains("failed to create gym environment")
            || last.text.contains("Unable to import package");
        if is_wrapper { found.next().or(Some(last)) } else { Some(last) }
    }

    /// The texts of all exceptions, the last one first.
    pub(super) fn exceptions(&self) -> impl Iterator<Item = &str> {
        self.exceptions.iter().rev().map(|exception| exception.text.as_str())
    }

    /// The log's lines, the last one first.
    pub(super) fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().rev().map(String::as_str)
    }

    pub(super) fn has(&self, text: &str) -> bool {
        self.lines.iter().any(|line| line.contains(text))
    }

    /// The packages or modules whose code the cause ran through, the innermost first.
    pub(super) fn chain(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for frame in self.exception().iter().flat_map(|exception| exception.frames.iter().rev()) {
            if let Some(name) = frame.package()
                && !names.contains(&name)
            {
                names.push(name);
            }
        }
        names
    }

    /// Why the program crashed, as Python and what ended it say: the first report counts, because a crash can crash
    /// again. `Aborted: free(): invalid pointer`
    pub(super) fn crash_reason(&self) -> Option<String> {
        const REPORT: &str = "Fatal Python error: ";
        let at = self.lines.iter().position(|line| line.starts_with(REPORT))?;
        let kind = self.lines[at][REPORT.len()..].trim().to_lowercase();
        // Libraries say why they abort, in the lines before.
        let mut before = self.lines[at.saturating_sub(2)..at].iter().map(|line| line.trim());
        let said = before.find(|line| kind == "aborted" && is_abort_reason(line));
        Some(match said {
            _ if kind.is_empty() => return None,
            Some(said) => format!("{kind}: {}", shortened(said.trim_start_matches("what():").trim())),
            None => kind,
        })
    }

    /// The innermost frame of a crash that is the environment's own code.
    pub(super) fn place(&self) -> Option<&Frame> {
        self.crash.iter().find(|frame| frame.is_foreign()).or_else(|| self.crash.first())
    }

    /// The lines that are worth showing.
    pub(super) fn telling(&self) -> String {
        let shown = match self.exception() {
            Some(exception) => self.lines_of(exception),
            None if !self.crash.is_empty() => {
                self.crash.iter().filter(|frame| frame.is_foreign()).take(3).flat_map(Frame::lines).collect()
            }
            None => Vec::new(),
        };
        let shown = if shown.is_empty() {
            self.lines.iter().filter(|line| is_news(line)).cloned().collect()
        } else {
            shown
        };
        let mut rows = 0;
        let mut last: Vec<String> = Vec::new();
        for line in shown.iter().rev().map(|line| shortened(line)) {
            rows += (line.chars().count() + 2).div_ceil(80);
            if last.len() == SHOWN_LINES || (rows > SHOWN_ROWS && !last.is_empty()) {
                break;
            }
            last.push(line);
        }
        last.reverse();
        last.join("\n")
    }

    /// The last frames of the environment's own code, the exception, and the rest of its message.
    fn lines_of(&self, exception: &Exception) -> Vec<String> {
        let foreign: Vec<&Frame> = exception.frames.iter().filter(|frame| frame.is_foreign()).collect();
        let frames = &foreign[foreign.len().saturating_sub(3)..];
        let message = self.lines[exception.line + 1..]
            .iter()
            .take_while(|line| !line.trim().is_empty() && !is_traceback(line))
            .take(2);
        let own = std::iter::once(exception.text.clone());
        // Without frames, what was printed before says where it was.
        let before = self.lines[..exception.line].iter().filter(|line| is_news(line) && !is_traceback(line));
        let before = before.filter(|_| exception.frames.is_empty()).cloned();
        before
            .chain(frames.iter().flat_map(|frame| frame.lines()))
            .chain(own)
            .chain(message.cloned())
            .collect()
    }
}

impl Frame {
    /// The package or module that a file belongs to, if it was installed.
    fn package(&self) -> Option<&str> {
        let (_, rest) = self.file.split_once("-packages/")?;
        let name = rest.split('/').next()?.trim_end_matches(".py");
        (!name.is_empty()).then_some(name)
    }

    /// Whether this is code of neither Python, rlmesh, gymnasium nor this tool.
    fn is_foreign(&self) -> bool {
        match self.package() {
            Some(name) => !matches!(name, "rlmesh" | "gymnasium"),
            None => {
                !self.file.starts_with('<')
                    && !["/lib/python", "/rlmesh_sandbox/"].iter().any(|own| self.file.contains(own))
            }
        }
    }

    /// The file without the folder of installed packages.
    pub(super) fn short_file(&self) -> String {
        match self.file.split_once("-packages/") {
            Some((_, rest)) => format!("…/{rest}"),
            None => self.file.clone(),
        }
    }

    fn lines(&self) -> Vec<String> {
        let mut at = format!("File \"{}\", line {}", self.short_file(), self.line);
        if self.function != UNKNOWN {
            at += &format!(", in {}", self.function);
        }
        let code = (!self.code.is_empty()).then(|| format!("  {}", self.code));
        std::iter::once(at).chain(code).collect()
    }
}

/// A line without terminal codes and control characters.
fn plain(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line.chars().peekable();
    while let Some(c) = rest.next() {
        if c == '\u{1b}' && rest.peek() == Some(&'[') {
            rest.next();
            while rest.next().is_some_and(|c| !('\u{40}'..='\u{7e}').contains(&c)) {}
        } else if c == '\t' || !c.is_control() {
            text.push(c);
        }
    }
    text.truncate(text.trim_end().len());
    text
}

/// A line, shortened to what an error shows.
fn shortened(line: &str) -> String {
    match line.char_indices().nth(LONGEST_LINE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

fn is_traceback(line: &str) -> bool {
    line.ends_with("Traceback (most recent call last):")
}

/// Whether a line is about this environment: neither blank nor printed by each of them.
fn is_news(line: &str) -> bool {
    const NOISE: [&str; 4] =
        ["RLMesh sandbox serving", "WorkflowEditionWarning", "bootstrap failed: ", "s = EnvServer("];
    !line.trim().is_empty() && !NOISE.iter().any(|noise| line.contains(noise))
}

/// The exceptions with tracebacks. Each ends with the first line after its frames that is not indented, whatever the
/// name of its class.
fn exceptions(lines: &[String]) -> Vec<Exception> {
    let mut found = Vec::new();
    let mut frames: Option<Vec<Frame>> = None;
    for (number, line) in lines.iter().enumerate() {
        if is_traceback(line) {
            frames = Some(Vec::new());
        } else if let Some(known) = &mut frames {
            if line.starts_with(' ') {
                read_frame(known, line);
            } else if !line.is_empty() {
                let frames = frames.take().unwrap_or_default();
                found.push(Exception { text: message(line), frames, line: number });
            }
        } else if let Some(text) = call_failure(line) {
            found.push(Exception { text: message(text), frames: Vec::new(), line: number });
        }
    }
    found
}

/// The exception of a call over rlmesh: `… step failed: TypeError: …`.
fn call_failure(line: &str) -> Option<&str> {
    let calls = ["reset failed: ", "step failed: ", "render failed: ", "close failed: "];
    calls.iter().find_map(|call| line.split_once(call)).map(|(_, text)| text)
}

/// An exception whose traceback was not printed.
fn lone_exception((number, line): (usize, &String)) -> Option<Exception> {
    let name = line.split(':').next().unwrap_or_default();
    let is_path = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
    let class = name.rsplit('.').next().unwrap_or_default();
    let is_class = class.starts_with(|c: char| c.is_ascii_uppercase());
    let is_error = ["Error", "Exception", "NotFound", "NotInstalled"].iter().any(|end| class.ends_with(end))
        || matches!(class, "DeprecatedEnv" | "UnregisteredEnv" | "KeyboardInterrupt" | "SystemExit");
    (is_path && is_class && is_error).then(|| Exception {
        text: message(line),
        frames: Vec::new(),
        line: number,
    })
}

/// The exception's line, as far as a message quotes it.
fn message(line: &str) -> String {
    let text = line.trim_end_matches('.');
    match text.char_indices().nth(360) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Reads an indented line of a traceback: a frame, the code of the last one, or marks below it.
fn read_frame(frames: &mut Vec<Frame>, line: &str) {
    if let Some(frame) = frame(line) {
        frames.push(frame);
    } else if let Some(last) = frames.last_mut()
        && last.code.is_empty()
        && !line.trim_start_matches([' ', '^', '~']).is_empty()
    {
        line.trim().clone_into(&mut last.code);
    }
}

/// `  File "x.py", line 3, in f`, or without a comma before `in` in crash reports.
fn frame(line: &str) -> Option<Frame> {
    let (file, rest) = line.trim_start().strip_prefix("File \"")?.split_once("\", line ")?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let function = rest[digits..].trim_start_matches(',').trim_start().strip_prefix("in ").unwrap_or(UNKNOWN);
    Some(Frame {
        file: file.to_owned(),
        line: rest[..digits].to_owned(),
        function: function.to_owned(),
        code: String::new(),
    })
}

/// The stack that Python's fault handler prints, of the thread that was running.
fn crash(lines: &[String]) -> Vec<Frame> {
    let Some(at) = lines
        .iter()
        .rposition(|line| line.starts_with("Current thread ") && line.contains("(most recent call first)"))
    else {
        return Vec::new();
    };
    lines[at + 1..].iter().map_while(|line| frame(line)).take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAIN: &str = r#"bootstrap failed: Unable to import package 'cv2': No module named 'cv2'.
Traceback (most recent call last):
  File "/usr/local/lib/python3.11/site-packages/rlmesh/_bootstrap/loaders.py", line 267, in import_packages
    _ = importlib.import_module(module_name)
        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "<frozen importlib._bootstrap>", line 1142, in _find_and_load_unlocked
ModuleNotFoundError: No module named 'cv2'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "<frozen runpy>", line 198, in _run_module_as_main
  File "/usr/local/lib/python3.11/site-packages/rlmesh/_bootstrap/loaders.py", line 270, in import_packages
    raise ImportError(msg) from exc
ImportError: Unable to import package 'cv2': No module named 'cv2'.
"#;

    #[test]
    fn the_cause_is_what_rlmesh_wraps() {
        let log = Log::read(CHAIN);
        assert_eq!(log.cause(), Some("ModuleNotFoundError: No module named 'cv2'"));
        assert_eq!(log.exceptions().count(), 2);
        assert_eq!(log.telling(), "ModuleNotFoundError: No module named 'cv2'");
    }

    #[test]
    fn an_exception_is_found_whatever_the_name_of_its_class() {
        for line in [
            "pygame.error: No available video device",
            "LicenseMissing",
            "thing.core.Ok.custom.<locals>.LicenseMissing: no license file found",
            "subprocess.TimeoutExpired: Command '['sleep', '5']' timed out after 0.1 seconds",
        ] {
            let log = Log::read(&format!(
                "RuntimeError: from before\nTraceback (most recent call last):\n  File \"/opt/e.py\", line 3, in f\n    g()\n    ^^^\n{line}\nhint: rm -rf /\n\nbye\n"
            ));
            assert_eq!(log.cause(), Some(line));
            assert_eq!(
                log.telling(),
                format!("File \"/opt/e.py\", line 3, in f\n  g()\n{line}\nhint: rm -rf /")
            );
        }
    }

    #[test]
    fn only_the_environments_own_frames_are_shown() {
        let frames: String = (0..9)
            .map(|number| format!("  File \"/usr/local/lib/python3.11/dist-packages/gym_pusht/envs/pusht{number}.py\", line {number}, in <module>\n    import cv2\n"))
            .collect();
        let log = Log::read(&format!(
            "Traceback (most recent call last):\n{frames}  File \"/usr/lib/python3.11/importlib/__init__.py\", line 126, in import_module\n    return x\nImportError: libxcb.so.1: cannot open shared object file: No such file or directory\n"
        ));
        assert_eq!(
            log.telling(),
            "File \"…/gym_pusht/envs/pusht6.py\", line 6, in <module>\n  import cv2\n\
             File \"…/gym_pusht/envs/pusht7.py\", line 7, in <module>\n  import cv2\n\
             File \"…/gym_pusht/envs/pusht8.py\", line 8, in <module>\n  import cv2\n\
             ImportError: libxcb.so.1: cannot open shared object file: No such file or directory"
        );
        assert_eq!(log.chain(), ["gym_pusht"]);
    }

    #[test]
    fn a_failed_call_is_an_exception() {
        let log = Log::read(
            "\u{1b}[2m2026-11-25T04:48:55Z\u{1b}[0m \u{1b}[31mERROR\u{1b}[0m env step failed \u{1b}[3merror\u{1b}[0m=[Internal] step failed: ValueError: assignment destination is read-only\n",
        );
        assert_eq!(log.cause(), Some("ValueError: assignment destination is read-only"));
    }

    #[test]
    fn a_crash_report_has_a_place() {
        let log = Log::read(
            "Fatal Python error: Segmentation fault\n\nCurrent thread 0x00007f (most recent call first):\n  File \"/usr/lib/python3.11/ctypes/__init__.py\", line 519 in string_at\n  File \"/usr/local/lib/python3.11/dist-packages/sfenvs.py\", line 21 in segv\n  File \"/usr/local/lib/python3.11/dist-packages/gymnasium/envs/registration.py\", line 738 in make\n\nExtension modules: numpy\n",
        );
        let place = log.place().unwrap();
        assert_eq!((place.short_file().as_str(), place.line.as_str()), ("…/sfenvs.py", "21"));
        assert_eq!(place.function, "segv");
        assert_eq!(log.telling(), "File \"…/sfenvs.py\", line 21, in segv");
    }

    #[test]
    fn what_is_shown_is_bounded() {
        let log = Log::read(&format!("{}\n{}", "x".repeat(10_000_000), "line\0 é\x1b[31m!\n".repeat(50)));
        assert_eq!(log.telling(), ["line é!"; 8].join("\n"));
        let log = Log::read(&"x".repeat(1000));
        assert_eq!(log.telling().chars().count(), LONGEST_LINE + 1);
        assert_eq!(Log::read("RLMesh sandbox serving tcp://0.0.0.0:50051\n\n").telling(), "");
    }

    #[test]
    fn ordinary_log_lines_are_not_exceptions() {
        for line in
            ["RLMesh sandbox serving tcp://0.0.0.0:50051", "  File \"x.py\", line 1", "http://Error: x"]
        {
            assert_eq!(Log::read(line).cause(), None, "{line}");
        }
    }
}
