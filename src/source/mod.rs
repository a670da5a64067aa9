//! Sources of environments as users write them: grammar, canonical form and slug. Nothing is looked up.

pub(crate) mod families;
pub(crate) mod image_reference;
pub(crate) mod known_ids;
pub(crate) mod local_requirement;
pub(crate) mod python_literal;
mod spelling;

use std::fmt;
use std::str::FromStr;

use crate::error::{Change, Problem, SandboxError};
use crate::source::image_reference::is_image_reference;

/// A parsed source. `Display` gives the canonical text, which parses back to the same value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EnvironmentSourceRef {
    /// An id that Gymnasium (or Gym) knows: `CartPole-v1`, `gym://CartPole-v1`.
    Gym(GymSourceRef),
    /// A Hugging Face repository with an `env.py` at its root: `hf://org/repo@revision:suite/task`.
    Hf(HfSourceRef),
    /// An image that contains an rlmesh server: `image://REF` or `docker://REF`.
    Image(ImageSourceRef),
    /// A folder of this machine with an `env.py` or a Python package: `./my_env`.
    Folder(FolderSourceRef),
}

/// A Gymnasium env id, with its optional namespace (`ALE/Pong-v5`) or module (`pkg:Env-v0`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct GymSourceRef {
    /// Not empty, and without surrounding white space and control characters.
    pub env_id: String,
}

/// A Hugging Face EnvHub repository, a revision of it, and which of its environments to serve.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct HfSourceRef {
    /// `org/repo`.
    pub repo: String,
    /// A commit id, branch or tag; `None` is the default branch.
    pub revision: Option<String>,
    /// The suite among those that `make_env` returns.
    pub suite: Option<String>,
    /// The task within the suite; never without a suite.
    pub task: Option<String>,
}

/// A Docker image reference that is run as it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ImageSourceRef {
    /// The reference, as for `docker run`.
    pub reference: String,
}

/// A folder of this machine: in the layout of a Hugging Face EnvHub repository, or a Python package that registers
/// an environment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct FolderSourceRef {
    /// Starts with `/`, `./`, `../` or `~/`, or is `.`, `..` or `~`. A resolved source has the absolute path without
    /// links.
    pub path: String,
}

impl HfSourceRef {
    /// The revision, if it is a full commit id (40 hex digits, in upper or lower case).
    pub fn commit(&self) -> Option<&str> {
        self.revision
            .as_deref()
            .filter(|revision| revision.len() == 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit()))
    }
}

impl EnvironmentSourceRef {
    /// The part of image and container names that describes the environment: lower-case ASCII letters and
    /// digits, with single dashes between them; `env` if the source has no ASCII letters or digits.
    pub fn slug(&self) -> String {
        match self {
            EnvironmentSourceRef::Gym(gym) => slug(&gym.env_id),
            EnvironmentSourceRef::Hf(hf) => {
                let parts = [Some(&hf.repo), hf.suite.as_ref(), hf.task.as_ref()];
                slug(&parts.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join("-"))
            }
            EnvironmentSourceRef::Image(image) => {
                // The registry, tag and digest do not describe the environment.
                let name = image.reference.rsplit('/').next().unwrap_or_default();
                slug(name.split([':', '@']).next().unwrap_or_default())
            }
            EnvironmentSourceRef::Folder(folder) => {
                slug(folder.path.trim_end_matches('/').rsplit('/').next().unwrap_or_default())
            }
        }
    }
}

pub(crate) fn slug(text: &str) -> String {
    let words: Vec<String> = text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    if words.is_empty() { "env".to_owned() } else { words.join("-") }
}

impl FromStr for EnvironmentSourceRef {
    type Err = SandboxError;

    /// # Errors
    /// [`SandboxError::InvalidSource`] for anything that does not follow the grammar.
    fn from_str(text: &str) -> Result<Self, SandboxError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(invalid("the source is empty", "use an environment id, such as CartPole-v1"));
        }
        if let Some(problem) = spelling::misspelt(text) {
            return Err(SandboxError::InvalidSource(problem));
        }
        if is_path(text) {
            return parse_folder(text).map(EnvironmentSourceRef::Folder);
        }
        if let Some(rest) = text.strip_prefix("hf://") {
            return parse_hf(rest).map(EnvironmentSourceRef::Hf);
        }
        if let Some(reference) = text.strip_prefix("image://").or_else(|| text.strip_prefix("docker://")) {
            return parse_image(reference.trim()).map(EnvironmentSourceRef::Image);
        }
        if let Some(env_id) = text.strip_prefix("gym://") {
            return parse_gym(env_id.trim()).map(EnvironmentSourceRef::Gym);
        }
        if let Some(path) = text.strip_prefix("file://")
            && is_path(path)
        {
            return Err(SandboxError::InvalidSource(
                Problem::new(
                    "'file://' is not a known kind of source",
                    "a folder is written as its path alone",
                )
                .changes([Change::Source(path.to_owned())]),
            ));
        }
        if let Some((scheme, _)) = text.split_once("://") {
            return Err(invalid(
                format!("{} is not a known kind of source", quoted(&format!("{scheme}://"))),
                "use a Gymnasium env id, gym://ID, hf://org/repo@commit, image://REF or ./FOLDER",
            ));
        }
        parse_gym(text).map(EnvironmentSourceRef::Gym)
    }
}

/// Whether a source or a requirement is written as a path.
pub(crate) fn is_path(text: &str) -> bool {
    matches!(text, "." | "..") || ["./", "../", "/", "~"].iter().any(|start| text.starts_with(start))
}

fn parse_folder(text: &str) -> Result<FolderSourceRef, SandboxError> {
    refuse_control_characters(text, "folder")?;
    if text.starts_with('~') && text != "~" && !text.starts_with("~/") {
        return Err(invalid(
            format!("the folder {} starts with the name of a user", quoted(text)),
            "use ~/FOLDER for your own home folder, or an absolute path",
        ));
    }
    let path = text.trim_end_matches('/');
    Ok(FolderSourceRef { path: if path.is_empty() { "/" } else { path }.to_owned() })
}

fn parse_gym(env_id: &str) -> Result<GymSourceRef, SandboxError> {
    if env_id.is_empty() {
        return Err(invalid("the source has no env id after gym://", "add one, such as gym://CartPole-v1"));
    }
    refuse_control_characters(env_id, "env id")?;
    Ok(GymSourceRef { env_id: env_id.to_owned() })
}

fn parse_image(reference: &str) -> Result<ImageSourceRef, SandboxError> {
    const HINT: &str = "use a reference such as image://ghcr.io/org/env:1.0";
    if reference.is_empty() {
        return Err(invalid("the source has no image reference after image://", HINT));
    }
    // An image id is not a reference, but docker accepts it too.
    let is_id = |text: &str| text.len() >= 12 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_image_reference(reference) && !is_id(reference.trim_start_matches("sha256:")) {
        return Err(invalid(format!("{} is not a valid image reference", quoted(reference)), HINT));
    }
    Ok(ImageSourceRef { reference: reference.to_owned() })
}

fn parse_hf(text: &str) -> Result<HfSourceRef, SandboxError> {
    let text = text.trim();
    let (head, selector) = match text.rsplit_once(':') {
        Some((head, selector)) => (head, Some(selector)),
        None => (text, None),
    };
    let (repo, revision) = match head.rsplit_once('@') {
        Some((repo, revision)) => (repo, Some(revision)),
        None => (head, None),
    };
    match repo.split('/').collect::<Vec<_>>()[..] {
        [org, name] => {
            check_repo_part("organisation", org)?;
            check_repo_part("repository", name)?;
        }
        _ => {
            return Err(invalid(
                format!("{} does not have the form hf://org/repo", quoted(&format!("hf://{text}"))),
                "use hf://org/repo[@revision][:suite[/task]]",
            ));
        }
    }
    if let Some(revision) = revision {
        check_word("revision", revision)?;
    }
    let (suite, task) = match selector {
        None => (None, None),
        Some(selector) => parse_selector(selector)?,
    };
    Ok(HfSourceRef { repo: repo.to_owned(), revision: revision.map(str::to_owned), suite, task })
}

fn parse_selector(selector: &str) -> Result<(Option<String>, Option<String>), SandboxError> {
    let parts: Vec<&str> = selector.split('/').collect();
    if parts.len() > 2 || selector.ends_with(".py") {
        let problem = format!("{} does not select a suite or a task", quoted(&format!(":{selector}")));
        return Err(if selector.ends_with(".py") {
            invalid(
                problem,
                "use :suite or :suite/task, or remove this part: the code is always env.py at the repository's root",
            )
        } else {
            invalid(problem, "use :suite or :suite/task")
        });
    }
    for (part, name) in parts.iter().zip(["suite", "task"]) {
        check_word(name, part)?;
    }
    let mut parts = parts.into_iter().map(str::to_owned);
    Ok((parts.next(), parts.next()))
}

fn check_repo_part(name: &str, part: &str) -> Result<(), SandboxError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let at_an_end = |c: char| part.starts_with(c) || part.ends_with(c);
    let problem = if part.is_empty() {
        "is empty"
    } else if !part.chars().all(allowed) {
        "contains characters other than letters, digits, '-', '_' and '.'"
    } else if at_an_end('-') || at_an_end('.') {
        "starts or ends with '-' or '.'"
    } else if part.contains("--") || part.contains("..") {
        "contains '--' or '..'"
    } else {
        return Ok(());
    };
    Err(invalid(
        format!("the {name} {} of the Hugging Face source {problem}", quoted(part)),
        "use hf://org/repo[@revision][:suite[/task]] with the names that the Hub shows",
    ))
}

fn check_word(name: &str, word: &str) -> Result<(), SandboxError> {
    let problem = if word.is_empty() {
        "is empty"
    } else if word.chars().any(char::is_whitespace) {
        "contains white space"
    } else if word.starts_with('-') {
        "starts with '-'"
    } else {
        return refuse_control_characters(word, name);
    };
    Err(invalid(
        format!("the {name} {} of the Hugging Face source {problem}", quoted(word)),
        "use hf://org/repo[@revision][:suite[/task]]",
    ))
}

fn refuse_control_characters(text: &str, name: &str) -> Result<(), SandboxError> {
    if text.chars().any(char::is_control) {
        return Err(invalid(
            format!("the {name} {} contains a control character", quoted(text)),
            "check the source for a stray line break or tab",
        ));
    }
    Ok(())
}

/// The text in quotes, with control characters made visible.
pub(crate) fn quoted(text: &str) -> String {
    let visible: String = text
        .chars()
        .flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] })
        .collect();
    format!("'{visible}'")
}

fn invalid(message: impl Into<String>, hint: &str) -> SandboxError {
    SandboxError::InvalidSource(Problem::new(message, hint))
}

impl fmt::Display for EnvironmentSourceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EnvironmentSourceRef::Gym(gym) => write!(f, "gym://{}", gym.env_id),
            EnvironmentSourceRef::Hf(hf) => hf.fmt(f),
            EnvironmentSourceRef::Image(image) => write!(f, "image://{}", image.reference),
            EnvironmentSourceRef::Folder(folder) => f.write_str(&folder.path),
        }
    }
}

impl fmt::Display for HfSourceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hf://{}", self.repo)?;
        if let Some(revision) = &self.revision {
            write!(f, "@{revision}")?;
        }
        if let Some(suite) = &self.suite {
            write!(f, ":{suite}")?;
        }
        if let Some(task) = &self.task {
            write!(f, "/{task}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    fn parse(text: &str) -> EnvironmentSourceRef {
        text.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"))
    }

    fn refusal(text: &str) -> String {
        match text.parse::<EnvironmentSourceRef>() {
            Err(error @ SandboxError::InvalidSource(_)) => error.to_string(),
            other => panic!("{text:?} gave {other:?}"),
        }
    }

    #[test]
    fn gymnasium_ids_in_every_spelling() {
        for (text, canonical, slug) in [
            ("CartPole-v1", "gym://CartPole-v1", "cartpole-v1"),
            ("  gym://  CartPole-v1 \n", "gym://CartPole-v1", "cartpole-v1"),
            ("ALE/Pong-v5", "gym://ALE/Pong-v5", "ale-pong-v5"),
            ("pkg:Env-v0", "gym://pkg:Env-v0", "pkg-env-v0"),
            ("my_env.Foo-v0", "gym://my_env.Foo-v0", "my-env-foo-v0"),
            ("Ünï-v0", "gym://Ünï-v0", "n-v0"),
            ("日本", "gym://日本", "env"),
            ("---", "gym://---", "env"),
            ("gym://hf://x", "gym://hf://x", "hf-x"),
        ] {
            let source = parse(text);
            assert_eq!((source.to_string().as_str(), source.slug().as_str()), (canonical, slug), "{text:?}");
        }
    }

    #[test]
    fn hugging_face_sources_in_every_form() {
        for (text, slug) in [
            ("hf://org/repo".to_owned(), "org-repo"),
            ("hf://org/repo@release/1.0".to_owned(), "org-repo"),
            (format!("hf://org/repo@{COMMIT}"), "org-repo"),
            (format!("hf://org/repo@{COMMIT}:suite"), "org-repo-suite"),
            (format!("hf://o.r-g/re_po@{COMMIT}:suite/0"), "o-r-g-re-po-suite-0"),
            ("hf://org/repo:suite@x/y".to_owned(), "org-repo-suite-x-y"),
        ] {
            let source = parse(&text);
            assert_eq!((source.to_string(), source.slug().as_str()), (text.clone(), slug));
        }
        let EnvironmentSourceRef::Hf(hf) = parse("hf://org/repo@a:b:c") else { panic!("not hf") };
        assert_eq!((hf.revision.as_deref(), hf.suite.as_deref()), (Some("a:b"), Some("c")));
    }

    #[test]
    fn only_forty_hex_digits_are_a_commit() {
        let commit = |revision: &str| match parse(&format!("hf://a/b@{revision}")) {
            EnvironmentSourceRef::Hf(hf) => hf.commit().map(str::to_owned),
            other => panic!("{other:?}"),
        };
        assert_eq!(commit(COMMIT).as_deref(), Some(COMMIT));
        assert_eq!(commit(&COMMIT.to_uppercase()), Some(COMMIT.to_uppercase()));
        assert_eq!(commit("main"), None);
        assert_eq!(commit(&COMMIT[..39]), None);
    }

    #[test]
    fn images_under_both_names() {
        for text in ["image://ghcr.io/org/env:1.0", "docker://ghcr.io/org/env:1.0"] {
            let source = parse(text);
            assert_eq!(source.to_string(), "image://ghcr.io/org/env:1.0");
            assert_eq!(source.slug(), "env");
        }
    }

    #[test]
    fn folders_are_written_as_paths() {
        for (text, canonical, slug) in [
            ("./my_env", "./my_env", "my-env"),
            (" ../My Env/ ", "../My Env", "my-env"),
            (".", ".", "env"),
            ("..", "..", "env"),
            ("/home/me/a:b@c", "/home/me/a:b@c", "a-b-c"),
            ("/", "/", "env"),
            ("~", "~", "env"),
            ("~/x//", "~/x", "x"),
            ("./hf://x", "./hf://x", "x"),
        ] {
            let source = parse(text);
            assert!(matches!(source, EnvironmentSourceRef::Folder(_)), "{text:?}");
            assert_eq!((source.to_string().as_str(), source.slug().as_str()), (canonical, slug), "{text:?}");
        }
        assert!(matches!(parse("my_env"), EnvironmentSourceRef::Gym(_)), "without a slash, it is an id");
        let error = "file:///home/me/my_env".parse::<EnvironmentSourceRef>().unwrap_err();
        assert_eq!(error.hints().last().unwrap(), "use /home/me/my_env");
    }

    #[test]
    fn invalid_sources_are_refused() {
        for text in [
            "./a\nb",
            "~someone/env",
            "file://host/env",
            "",
            "  \t",
            "gym://",
            "gym://  ",
            "foo://x",
            "GYM://x",
            "://",
            "a\nb",
            "hf://",
            "hf://a",
            "hf://a/b/c",
            "hf:///b",
            "hf://a/",
            "hf://-a/b",
            "hf://a/b.",
            "hf://a--b/c",
            "hf://a/b..c",
            "hf://a/b c",
            "hf://ä/b",
            "hf://a/b@",
            "hf://a/b@:s",
            "hf://a/b@x y",
            "hf://a/b@-x",
            "hf://a/b:",
            "hf://a/b:-s",
            "hf://a/b:s/",
            "hf://a/b:s/t/u",
            "hf://a/b@main:path/to/env.py",
            "image://",
            "docker:// ",
            "image://-v",
            "image://a b",
            "image://UPPER",
        ] {
            assert!(!refusal(text).is_empty(), "{text:?}");
        }
    }

    #[test]
    fn an_error_escapes_control_characters() {
        let message = refusal("a\u{1b}[2Jb");
        assert!(message.contains(r"\u{1b}"), "{message}");
        assert!(!message.contains('\u{1b}'));
    }

    fn hf_part() -> impl Strategy<Value = String> {
        "[a-zA-Z0-9_]([a-zA-Z0-9_]|[-.][a-zA-Z0-9_]){0,12}"
    }

    fn word() -> impl Strategy<Value = String> {
        "[^\\s\\p{Cc}:/@-][^\\s\\p{Cc}:/@]{0,12}"
            .prop_filter("a path to a script", |word| !word.ends_with(".py"))
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_parses_has_a_canonical_form(text in "\\PC*|[ -~\\n\\t]*|(hf|gym|image|docker)://[ -~]*") {
            if let Ok(source) = text.parse::<EnvironmentSourceRef>() {
                let canonical = source.to_string();
                prop_assert_eq!(&parse(&canonical), &source);
                prop_assert_eq!(parse(&canonical).to_string(), canonical);
            }
        }

        #[test]
        fn what_is_put_into_an_hf_source_comes_out_of_it(
            org in hf_part(), repo in hf_part(), revision in proptest::option::of(word()),
            suite in proptest::option::of(word()), task in proptest::option::of(word()),
        ) {
            let task = task.filter(|_| suite.is_some());
            let source = HfSourceRef { repo: format!("{org}/{repo}"), revision, suite, task };
            prop_assert_eq!(parse(&source.to_string()), EnvironmentSourceRef::Hf(source));
        }

        #[test]
        fn a_slug_is_always_fit_for_an_image_name(text in "\\PC+") {
            if let Ok(source) = text.parse::<EnvironmentSourceRef>() {
                let slug = source.slug();
                prop_assert!(!slug.is_empty() && !slug.contains("--"));
                prop_assert!(!slug.starts_with('-') && !slug.ends_with('-'));
                prop_assert!(slug.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'));
            }
        }
    }
}
