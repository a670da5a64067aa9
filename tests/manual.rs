//! Manual pages from the definition of the command line, as roff that man-db and mandoc accept without a warning.

use clap::{Arg, Command};

/// When the pages last changed in more than their options.
const DATE: &str = "2026-11-25";

/// The widest line that is written in filled text.
const WIDTH: usize = 78;

const ENVIRONMENT: &[(&str, &str)] = &[
    ("RLMESH_SANDBOX_BASE_IMAGE", "The default of `--base-image`."),
    ("RLMESH_SANDBOX_RLMESH_PACKAGE", "The default of `--rlmesh-package`."),
    ("RLMESH_SANDBOX_BUILD_MEMORY", "The default of `--build-memory`."),
    ("RLMESH_SANDBOX_MAX_SOURCE_SIZE", "The default of `--max-source-size`."),
    ("RLMESH_SANDBOX_CA_CERT", "The default of `--ca-cert`."),
    ("RLMESH_SANDBOX_DOCKER", "The default of `--docker`."),
    (
        "RLMESH_SANDBOX_CACHE_LIMIT",
        "The size limit of the cache of files from the Hugging Face Hub. The default is 20g.",
    ),
    ("DOCKER_DEFAULT_PLATFORM", "The default of `--platform`, as for docker."),
    (
        "DOCKER_HOST, DOCKER_CONTEXT, DOCKER_CONFIG",
        "Which engine is used. These and docker's other variables are passed to docker unchanged.",
    ),
    (
        "PIP_INDEX_URL, PIP_EXTRA_INDEX_URL, PIP_TRUSTED_HOST, UV_DEFAULT_INDEX, UV_INDEX_URL, UV_INDEX, UV_EXTRA_INDEX_URL, UV_INDEX_STRATEGY, UV_INSECURE_HOST, UV_HTTP_TIMEOUT, UV_INDEX_*_USERNAME, UV_INDEX_*_PASSWORD",
        "The package indexes that the installers in a build use.",
    ),
    (
        "HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY",
        "The proxies for the installers in a build, and for requests to the Hub. Also in lower case.",
    ),
    ("SSL_CERT_FILE", "The certificates of `--ca-cert auto`."),
    (
        "HF_ENDPOINT, HF_TOKEN, HUGGING_FACE_HUB_TOKEN, HF_TOKEN_PATH, HF_HOME, HF_HUB_OFFLINE, HF_HUB_DISABLE_IMPLICIT_TOKEN, HF_HUB_DOWNLOAD_TIMEOUT",
        "How the Hub is reached, as Hugging Face's own client reads them.",
    ),
    ("TMPDIR, HOME, XDG_CACHE_HOME, XDG_STATE_HOME", "Where files are written."),
    (
        "VIRTUAL_ENV, CONDA_PREFIX, SHELL, XDG_DATA_HOME, XDG_CONFIG_HOME",
        "What `rlmesh-sandbox doctor` looks at: your Python, and completion in your shell.",
    ),
    ("NO_COLOR, TERM", "Whether output has colours and progress bars."),
];

const FILES: &[(&str, &str)] = &[
    (
        "$TMPDIR/rlmesh-sandbox-run-*",
        "The folder of a run. The run removes it, or else `rlmesh-sandbox reap`.",
    ),
    (
        "~/.cache/rlmesh-sandbox/hub",
        "Files from the Hugging Face Hub. `rlmesh-sandbox prune --cache --older-than 0` empties it.",
    ),
    ("~/.local/state/rlmesh-sandbox/logs", "The logs of failed builds and starts, the newest thirty."),
];

/// The page of the program, or of one of its verbs. The command must be built.
pub(crate) fn page(program: &Command, verb: Option<&Command>) -> String {
    let command = verb.unwrap_or(program);
    let name = verb
        .map_or_else(|| "rlmesh-sandbox".to_owned(), |verb| format!("rlmesh-sandbox-{}", verb.get_name()));
    let mut page = Page::default();
    let version = env!("CARGO_PKG_VERSION");
    page.line(&format!(
        ".TH {} 1 {DATE} \"rlmesh-sandbox {version}\" \"User Commands\"",
        escaped(&name.to_uppercase())
    ));
    // Names and commands stay in one piece.
    page.line(".nh");
    page.line(".ad l");
    page.section("NAME");
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    page.text(&format!("{name} - {}", lower_first(&about)));
    page.section("SYNOPSIS");
    page.text(&synopsis(command));
    page.section("DESCRIPTION");
    page.paragraphs(&command.get_long_about().map(ToString::to_string).unwrap_or(about));
    if verb.is_none() {
        page.section("COMMANDS");
        for verb in program.get_subcommands().filter(|verb| verb.get_name() != "help") {
            page.item(&format!("`{}`", verb.get_name()));
            let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
            page.paragraphs(&format!("{about}. See `rlmesh-sandbox-{}`(1).", verb.get_name()));
        }
    }
    options(&mut page, command);
    let own = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
    let general = program.get_after_long_help().map(ToString::to_string).unwrap_or_default();
    let examples = part(&own, "Examples:");
    if !examples.is_empty() {
        page.section("EXAMPLES");
        page.verbatim(&examples);
    }
    page.section("EXIT STATUS");
    for line in part(&general, "Exit codes:") {
        let (codes, meaning) = line.split_once("  ").unwrap();
        page.item(codes);
        page.paragraphs(&upper_first(meaning.trim()));
    }
    page.section("ENVIRONMENT");
    for (names, meaning) in
        ENVIRONMENT.iter().filter(|(names, meaning)| verb.is_none() || concerns(command, names, meaning))
    {
        page.item(&names.split(", ").map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "));
        page.paragraphs(meaning);
    }
    if verb.is_some() {
        page.line(".PP");
        page.text("`rlmesh-sandbox`(1) lists all variables.");
    }
    page.section("FILES");
    for (file, meaning) in FILES {
        page.item(&format!("_{file}_"));
        page.paragraphs(meaning);
    }
    page.line(".PP");
    page.text("`XDG_CACHE_HOME` and `XDG_STATE_HOME` replace _~/.cache_ and _~/.local/state_.");
    page.section("SEE ALSO");
    page.text(&see_also(program, verb));
    page.text
}

/// Whether a variable has to do with a verb: it is the default of one of its options, or about builds.
fn concerns(verb: &Command, names: &str, meaning: &str) -> bool {
    let has = |option: &str| verb.get_arguments().any(|argument| argument.get_long() == Some(option));
    let option = meaning.split("`--").nth(1).and_then(|rest| rest.split(['`', ' ']).next());
    match option {
        Some(option) => has(option),
        None if names.starts_with("PIP") || names.starts_with("HTTP") => has("installer"),
        None if names.starts_with("HF") => has("installer") || verb.get_name() == "ls",
        None => names.starts_with("DOCKER_HOST"),
    }
}

fn synopsis(command: &Command) -> String {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    // `<SOURCE>` is written as in every manual, and what is typed as it is stands in bold.
    let words = usage.split(' ').map(|word| {
        if word.contains('<') || word.contains("[OPTIONS]") || word.contains("...") {
            word.replace("[<", "[_")
                .replace(['<', '>'], "_")
                .replace("[OPTIONS]", "[_OPTIONS_]")
                .replace("[COMMAND]", "_COMMAND_")
        } else if let Some(word) = word.strip_prefix('[') {
            format!("[`{word}`")
        } else {
            format!("`{word}`")
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

fn options(page: &mut Page, command: &Command) {
    let positionals: Vec<&Arg> =
        command.get_positionals().filter(|argument| !argument.is_hide_set()).collect();
    if !positionals.is_empty() {
        page.section("ARGUMENTS");
        for positional in positionals {
            let name = positional.get_value_names().unwrap_or_default()[0].to_string();
            page.item(&format!("_{name}_"));
            help(page, positional);
        }
    }
    page.section("OPTIONS");
    let options: Vec<&Arg> = command
        .get_arguments()
        .filter(|argument| !argument.is_positional() && !argument.is_hide_set())
        .collect();
    let mut headings: Vec<Option<&str>> = Vec::new();
    for option in &options {
        if !headings.contains(&option.get_help_heading()) {
            headings.push(option.get_help_heading());
        }
    }
    headings.sort_by_key(Option::is_some);
    for heading in headings {
        if let Some(heading) = heading {
            page.line(&format!(".SS {}", escaped(heading)));
        }
        for option in options.iter().filter(|option| option.get_help_heading() == heading) {
            let short = option.get_short().map(|short| format!("`-{short}`"));
            let long = option.get_long().map(|long| format!("`--{long}`"));
            let names = [short, long].into_iter().flatten().collect::<Vec<_>>().join(", ");
            let value = match option.get_value_names() {
                Some([name, ..]) if option.get_action().takes_values() => format!(" _{name}_"),
                _ => String::new(),
            };
            page.item(&format!("{names}{value}"));
            help(page, option);
        }
    }
}

fn help(page: &mut Page, argument: &Arg) {
    let help = argument.get_long_help().or(argument.get_help()).map(ToString::to_string).unwrap_or_default();
    let default =
        argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect::<Vec<_>>();
    let takes_value = argument.get_action().takes_values();
    let default = if takes_value && !default.is_empty() {
        format!(" [default: {}]", default.join(" "))
    } else {
        String::new()
    };
    let (first, rest) =
        help.split_once("\n\n").map_or((help.as_str(), None), |(first, rest)| (first, Some(rest)));
    page.paragraphs(&format!(
        "{first}{default}{}",
        rest.map(|rest| format!("\n\n{rest}")).unwrap_or_default()
    ));
    let possible = argument.get_possible_values();
    if possible.is_empty() || !takes_value {
        return;
    }
    page.line(".RS");
    for value in possible.iter().filter(|value| !value.is_hide_set()) {
        page.item(&format!("`{}`", value.get_name()));
        match value.get_help() {
            Some(help) => page.paragraphs(&help.to_string()),
            None => page.line("\\&"),
        }
    }
    page.line(".RE");
}

fn see_also(program: &Command, verb: Option<&Command>) -> String {
    let others = program.get_subcommands().map(Command::get_name).filter(|name| *name != "help");
    let mut pages: Vec<String> = others
        .filter(|name| verb.is_none_or(|verb| verb.get_name() != *name))
        .map(|name| format!("`rlmesh-sandbox-{name}`(1)"))
        .collect();
    if verb.is_some() {
        pages.insert(0, "`rlmesh-sandbox`(1)".to_owned());
    }
    pages.push("`docker`(1)".to_owned());
    pages.join(", ")
}

/// The indented lines below a heading.
fn part(text: &str, heading: &str) -> Vec<String> {
    let mut lines = text.lines().skip_while(|line| *line != heading).skip(1);
    let indented = lines.by_ref().take_while(|line| line.starts_with("  ") || line.is_empty());
    indented.filter(|line| !line.is_empty()).map(|line| line[2..].to_owned()).collect()
}

fn upper_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

/// The page so far.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn line(&mut self, line: &str) {
        assert!(line.is_ascii(), "{line}");
        self.text += line;
        self.text += "\n";
    }

    fn section(&mut self, title: &str) {
        self.line(&format!(".SH {title}"));
    }

    fn item(&mut self, title: &str) {
        self.line(".TP");
        self.line(&formatted(title));
    }

    fn paragraphs(&mut self, text: &str) {
        for (index, paragraph) in text.split("\n\n").enumerate() {
            if index > 0 {
                self.line(if self.is_in_item() { ".IP" } else { ".PP" });
            }
            // clap's texts have no full stop at the end.
            let paragraph = paragraph.trim();
            let stop = if paragraph.ends_with(['.', ':', ')']) { "" } else { "." };
            self.text(&format!("{paragraph}{stop}"));
        }
    }

    /// Whether the text that follows belongs to an item of a list.
    fn is_in_item(&self) -> bool {
        let requests = self.text.lines().rev().filter_map(|line| line.strip_prefix('.'));
        requests
            .map(|request| request.split(' ').next().unwrap_or_default())
            .next()
            .is_some_and(|request| matches!(request, "TP" | "IP"))
    }

    /// Filled text, in lines of at most [`WIDTH`].
    fn text(&mut self, text: &str) {
        let mut line = String::new();
        let text = formatted(&text.split_whitespace().collect::<Vec<_>>().join(" "));
        for word in text.split(' ') {
            if !line.is_empty() && line.len() + 1 + word.len() > WIDTH {
                self.line(&std::mem::take(&mut line));
            }
            if line.is_empty() && word.starts_with(['.', '\'']) {
                line += "\\&";
            } else if !line.is_empty() {
                line.push(' ');
            }
            line += word;
        }
        self.line(&line);
    }

    /// Lines to copy: not filled, and not hyphenated.
    fn verbatim(&mut self, lines: &[String]) {
        self.line(".nf");
        for line in lines {
            self.line(&escaped(line));
        }
        self.line(".fi");
    }
}

/// Text in roff: `code` in bold, _names_ in italics. A word with an underscore in it is not a name.
fn formatted(text: &str) -> String {
    let mut out = String::new();
    for (index, piece) in text.split('`').enumerate() {
        if index % 2 == 1 {
            out += &format!("\\fB{}\\fR", escaped(piece));
            continue;
        }
        let mut rest = piece;
        while let Some((before, name, after)) = italic(rest) {
            out += &format!("{}\\fI{}\\fR", escaped(before), escaped(name));
            rest = after;
        }
        out += &escaped(rest);
    }
    out
}

/// The first `_name_` of a text, with what is before and after it.
fn italic(text: &str) -> Option<(&str, &str, &str)> {
    let is_start = |at: usize| text[..at].chars().next_back().is_none_or(|c| " [(:".contains(c));
    let start = text.match_indices('_').map(|(at, _)| at).find(|at| is_start(*at))?;
    let is_end = |at: usize| text[at + 1..].chars().next().is_none_or(|c| " ].,):".contains(c));
    let end = text.match_indices('_').map(|(at, _)| at).find(|at| *at > start + 1 && is_end(*at))?;
    Some((&text[..start], &text[start + 1..end], &text[end + 1..]))
}

/// Text that roff leaves as it is. Hyphens can be copied.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\\' => out += "\\e",
            '-' => out += "\\-",
            '\'' => out += "\\(aq",
            '`' => out += "\\(ga",
            '^' => out += "\\(ha",
            '~' => out += "\\(ti",
            '"' => out += "\\(dq",
            '…' => out += "...",
            '–' => out += "\\-",
            _ => out.push(c),
        }
    }
    out
}
