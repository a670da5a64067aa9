//! Finds sandboxes by what the user has: an id, a name, an address or a source.

use std::path::Path;

use crate::contract::CONTAINER_PREFIX;
use crate::engine::docker::inspection::short;
use crate::error::{Change, Problem, SandboxError};
use crate::sandbox::listing::Sandbox;
use crate::source::{EnvironmentSourceRef, HfSourceRef};

/// How many sandboxes an error lists.
const LISTED: usize = 7;

/// How many characters of a source or name an error shows.
const SHOWN: usize = 60;

/// What the user typed to name sandboxes.
#[derive(Debug, Clone)]
pub(crate) struct Selector {
    text: String,
    source: Option<EnvironmentSourceRef>,
    address: Option<Address>,
}

/// An address, as far as the text has one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Address {
    /// In lower case; `None` for this machine.
    host: Option<String>,
    port: u16,
}

impl Selector {
    /// Reads a text. The path of a folder is made absolute, as it is in the sandboxes' labels.
    ///
    /// # Errors
    /// [`SandboxError::InvalidOption`] for a text that can be none of these.
    pub(crate) fn new(text: &str) -> Result<Self, SandboxError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(SandboxError::InvalidOption(Problem::new(
                "the name of the sandbox is empty",
                "use its id, name, address or source: run `rlmesh-sandbox ps` to list the sandboxes",
            )));
        }
        let source = match text.parse() {
            Ok(EnvironmentSourceRef::Folder(mut folder)) => {
                if let Ok(path) = Path::new(&folder.path).canonicalize() {
                    folder.path = path.to_string_lossy().into_owned();
                }
                Some(EnvironmentSourceRef::Folder(folder))
            }
            Ok(source) => Some(source),
            Err(_) => None,
        };
        let text = text.strip_prefix('/').filter(|rest| !rest.contains('/')).unwrap_or(text);
        let address = Address::read(text);
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        if source.is_none() && address.is_none() && !text.chars().all(is_name) {
            return Err(SandboxError::InvalidOption(Problem::new(
                format!("{text:?} is not a valid id, name, address or source"),
                "run `rlmesh-sandbox ps` to list the sandboxes",
            )));
        }
        Ok(Self { text: text.to_owned(), source, address })
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether it is a whole id, in its long or short form: its sandbox may be gone.
    pub(crate) fn is_full_id(&self) -> bool {
        matches!(self.text.len(), 12 | 64) && self.text.bytes().all(|byte| byte.is_ascii_hexdigit())
    }

    /// The sandboxes that it names. A whole id or name comes before an address, that before a source, and that before
    /// the start of an id or name.
    pub(crate) fn matches<'a>(&self, sandboxes: &'a [Sandbox]) -> Vec<&'a Sandbox> {
        let text = self.text.as_str();
        let lower = text.to_ascii_lowercase();
        let starts_id = |sandbox: &Sandbox| sandbox.id().starts_with(&lower);
        let is_port = text.bytes().all(|byte| byte.is_ascii_digit());
        let tiers: [&dyn Fn(&Sandbox) -> bool; 4] = [
            &|sandbox| sandbox.id() == text || sandbox.name() == text,
            &|sandbox| self.has_address(sandbox) || is_port && starts_id(sandbox),
            &|sandbox| sandbox.source().is_some_and(|source| self.is_source(source)),
            &|sandbox| {
                let name = sandbox.name().to_ascii_lowercase();
                let own = name.strip_prefix(CONTAINER_PREFIX).unwrap_or(&name);
                starts_id(sandbox) || name.starts_with(&lower) || own.starts_with(&lower)
            },
        ];
        tiers
            .iter()
            .map(|matches| sandboxes.iter().filter(|sandbox| matches(sandbox)).collect::<Vec<_>>())
            .find(|found| !found.is_empty())
            .unwrap_or_default()
    }

    /// The one sandbox that it names.
    ///
    /// # Errors
    /// [`SandboxError::InvalidOption`] if it names none, or several.
    pub(crate) fn one<'a>(&self, sandboxes: &'a [Sandbox]) -> Result<&'a Sandbox, SandboxError> {
        match self.matches(sandboxes)[..] {
            [] => Err(self.no_match(sandboxes)),
            [sandbox] => Ok(sandbox),
            ref several => Err(SandboxError::InvalidOption(
                self.several(several, "use the id or the address of one of them"),
            )),
        }
    }

    /// The error for a text that names no sandbox. It lists the sandboxes that there are.
    pub(crate) fn no_match(&self, sandboxes: &[Sandbox]) -> SandboxError {
        let text = &self.text;
        SandboxError::InvalidOption(if sandboxes.is_empty() {
            Problem::new(
                format!("no sandbox matches {text:?}: there are no sandboxes on this engine"),
                "start one with `rlmesh-sandbox run SOURCE`",
            )
        } else {
            let all: Vec<&Sandbox> = sandboxes.iter().collect();
            Problem::new(
                format!("no sandbox matches {text:?}; these exist:"),
                "use the id, name, address or source of one of them",
            )
            .details(lines(&all))
        })
    }

    /// The error for a text that names several sandboxes where one is needed, or `--all`.
    pub(crate) fn several_to_stop(&self, found: &[&Sandbox]) -> SandboxError {
        let problem = self.several(found, "use the id or the address of one of them, or stop all of them:");
        SandboxError::InvalidOption(problem.changes([Change::Flag("--all")]))
    }

    fn several(&self, found: &[&Sandbox], hint: &str) -> Problem {
        Problem::new(format!("{:?} matches {} sandboxes:", self.text, found.len()), hint)
            .details(lines(found))
    }

    fn has_address(&self, sandbox: &Sandbox) -> bool {
        if sandbox.address().is_some_and(|address| address == self.text) {
            return true;
        }
        let (Some(wanted), Some(has)) = (&self.address, sandbox.host_and_port()) else { return false };
        Address::read(&has).is_some_and(|has| has == *wanted)
    }

    /// Whether the canonical source of a sandbox is the one that the text names. A part that the text leaves out,
    /// such as a commit, may be anything.
    fn is_source(&self, source: &str) -> bool {
        if source.split_once("://").is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(&self.text)) {
            return true;
        }
        let (Some(wanted), Ok(has)) = (&self.source, source.parse()) else { return false };
        match (wanted, &has) {
            (EnvironmentSourceRef::Hf(wanted), EnvironmentSourceRef::Hf(has)) => is_repository(wanted, has),
            _ => *wanted == has,
        }
    }
}

fn is_repository(wanted: &HfSourceRef, has: &HfSourceRef) -> bool {
    let is_or_open = |wanted: &Option<String>, has: &Option<String>| wanted.is_none() || wanted == has;
    let revision = match (&wanted.revision, &has.revision) {
        (Some(wanted), Some(has)) => has.to_ascii_lowercase().starts_with(&wanted.to_ascii_lowercase()),
        (wanted, _) => wanted.is_none(),
    };
    wanted.repo.eq_ignore_ascii_case(&has.repo)
        && revision
        && is_or_open(&wanted.suite, &has.suite)
        && is_or_open(&wanted.task, &has.task)
}

impl Address {
    /// Reads `tcp://127.0.0.1:49153` and the like: the scheme and the host can be left out.
    fn read(text: &str) -> Option<Self> {
        let schemes = ["tcp://", "grpc://", "http://", "dns:///"];
        let rest = schemes.iter().find_map(|scheme| text.strip_prefix(scheme)).unwrap_or(text);
        let (host, port) = rest.trim_end_matches('/').rsplit_once(':').unwrap_or(("", rest));
        let port = port.parse().ok().filter(|port| *port > 0)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let is_here =
            matches!(host.as_str(), "" | "localhost" | "127.0.0.1" | "0.0.0.0" | "::1" | "::" | "*");
        Some(Self { host: (!is_here).then_some(host), port })
    }
}

/// One line for each sandbox: id, source, address and name.
fn lines(sandboxes: &[&Sandbox]) -> String {
    let shown = |text: &str| {
        let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        match text.char_indices().nth(SHOWN) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }
    };
    let mut lines: Vec<String> = sandboxes
        .iter()
        .take(LISTED)
        .map(|sandbox| {
            let place = sandbox.address().unwrap_or_else(|| sandbox.state());
            let (id, title, name) = (short(sandbox.id()), shown(sandbox.title()), shown(sandbox.name()));
            format!("{id}  {title}  {place}  {name}")
        })
        .collect();
    if let Some(more) = sandboxes.len().checked_sub(LISTED).filter(|more| *more > 0) {
        lines.push(format!("… and {more} more"));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::listing::samples::sandbox;

    const A: &str = "45d51db4c7f03554471a711a1fdb027606d2a6171802410b7e9bffa1cdfab1e0";
    const B: &str = "49153db4c7f03554471a711a1fdb027606d2a6171802410b7e9bffa1cdfab1e1";
    const C: &str = "c0ffeedb4c7f03554471a711a1fdb027606d2a6171802410b7e9bffa1cdfab1e2";

    fn all() -> Vec<Sandbox> {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        vec![
            sandbox(A, "rlmesh-sandbox-cartpole-v1-ab3f", "gym://CartPole-v1", 49153),
            sandbox(B, "trainer", "gym://CartPole-v1", 40000),
            sandbox(C, "rlmesh-sandbox-acme-walker-9x2k", &format!("hf://acme/walker@{commit}:s/t"), 49155),
        ]
    }

    fn names(text: &str) -> Vec<String> {
        let (sandboxes, selector) = (all(), Selector::new(text).unwrap());
        selector.matches(&sandboxes).iter().map(|sandbox| sandbox.name().to_owned()).collect()
    }

    #[test]
    fn a_sandbox_is_found_by_all_that_names_it() {
        let (cartpole, walker) = ("rlmesh-sandbox-cartpole-v1-ab3f", "rlmesh-sandbox-acme-walker-9x2k");
        for (text, expected) in [
            (A, &[cartpole][..]),
            ("45d51db4c7f0", &[cartpole]),
            ("45D5", &[cartpole]),
            (cartpole, &[cartpole]),
            ("/rlmesh-sandbox-cartpole-v1-ab3f", &[cartpole]),
            ("rlmesh-sandbox-cart", &[cartpole]),
            ("cartpole-v1", &[cartpole, "trainer"]),
            ("CartPole", &[cartpole]),
            ("Acme-Walker", &[walker]),
            ("cartpole-v1-ab3f", &[cartpole]),
            ("train", &["trainer"]),
            ("tcp://127.0.0.1:40000", &["trainer"]),
            ("tcp://127.0.0.1:40000/", &["trainer"]),
            ("127.0.0.1:40000", &["trainer"]),
            ("localhost:40000", &["trainer"]),
            ("grpc://LOCALHOST:40000", &["trainer"]),
            ("http://[::1]:40000", &["trainer"]),
            ("0.0.0.0:40000", &["trainer"]),
            (":40000", &["trainer"]),
            ("40000", &["trainer"]),
            ("CartPole-v1", &[cartpole, "trainer"]),
            ("gym://CartPole-v1", &[cartpole, "trainer"]),
            ("hf://acme/walker", &[walker]),
            ("hf://acme/walker@0123456", &[walker]),
            ("hf://acme/walker:s/t", &[walker]),
            ("acme/walker@0123456789abcdef0123456789abcdef01234567:s/t", &[walker]),
            ("hf://acme/walker:other", &[]),
            ("hf://acme/walker@fff", &[]),
            ("10.0.0.1:40000", &[]),
            ("40001", &[]),
            ("CartPole-v2", &[]),
            ("rainer", &[]),
            // A port of one and the start of the id of another.
            ("49153", &[cartpole, "trainer"]),
        ] {
            assert_eq!(names(text), expected, "{text}");
        }
        for text in ["", " ", "a b", "hf://x y"] {
            assert!(Selector::new(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn only_a_whole_id_can_be_of_a_sandbox_that_is_gone() {
        for (text, is_full) in [(A, true), (&A[..12], true), (&A[..11], false), ("cartpole-v1x", false)] {
            assert_eq!(Selector::new(text).unwrap().is_full_id(), is_full, "{text}");
        }
    }

    #[test]
    fn a_folder_is_found_by_any_path_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap().display().to_string();
        let sandboxes = [sandbox(A, "x", &path, 1)];
        let found = |text: &str| Selector::new(text).unwrap().matches(&sandboxes).len();
        assert_eq!(
            (
                found(&path),
                found(&format!("{path}/../{}", folder.path().file_name().unwrap().to_str().unwrap()))
            ),
            (1, 1)
        );
        assert_eq!(found(&format!("{path}x")), 0);
    }

    #[test]
    fn the_errors_list_what_there_is_on_one_line_each() {
        let mut sandboxes = all();
        let error = Selector::new("nope").unwrap().one(&sandboxes).unwrap_err();
        assert_eq!(error.to_string(), "no sandbox matches \"nope\"; these exist:");
        assert_eq!(error.details().unwrap().lines().count(), 3);
        let error = Selector::new("CartPole-v1").unwrap().one(&sandboxes).unwrap_err();
        assert_eq!(error.to_string(), "\"CartPole-v1\" matches 2 sandboxes:");
        sandboxes = (0..20).map(|_| sandbox(A, "x", "gym://a\nhint: b\x1b[2J", 1)).collect();
        let error = Selector::new("nope").unwrap().one(&sandboxes).unwrap_err();
        let details = error.details().unwrap();
        assert_eq!(details.lines().count(), LISTED + 1);
        assert!(details.ends_with("… and 13 more") && !details.contains('\x1b'), "{details}");
    }
}
