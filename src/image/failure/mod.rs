//! Explains why a build failed, from the failed step and its output.

mod apt;
mod known;
mod missing;
mod pip;
mod python;
mod uv;

use crate::engine::docker::build::BuildFailure;
use crate::error::{Change, Problem, SandboxError};
use crate::image::build_context::step_title::{Installs, installs, title};
use crate::image::failure::missing::Missing;
use crate::image::failure::uv::Report;

/// How many lines of a step's output an error quotes.
const QUOTED_LINES: usize = 7;

/// The length of a quoted line, in characters.
const QUOTED_WIDTH: usize = 300;

/// The end of the note that the install script prints when it falls back from uv to pip.
const TAKEN_OVER: &str = "; installing with pip instead";

/// The start and the middle of the note that the install script prints about an old release that could not be
/// built: `note: NAME VERSION is an old release: NEWEST needs Python SPECIFIER`.
const OLD_RELEASE: [&str; 2] = [" is an old release: ", " needs Python "];

/// The most of a tool's error that goes into an error's first line, in characters: resolvers list every
/// version.
const LONGEST_CAUSE: usize = 360;

/// Why a step failed, and what helps.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Explanation {
    /// `None` if the tool's own words say it best.
    message: Option<String>,
    /// Why the changes help, or else what to do.
    hint: String,
    more_hints: Vec<String>,
    changes: Vec<Change>,
}

impl Explanation {
    fn of(message: impl Into<String>, hint: impl Into<String>) -> Self {
        let message = Some(message.into());
        Self { message, hint: hint.into(), more_hints: Vec::new(), changes: Vec::new() }
    }

    fn with(mut self, change: Change) -> Self {
        self.changes.push(change);
        self
    }
}

/// The error for the user.
pub(crate) fn build_error(failed: BuildFailure) -> SandboxError {
    // If BuildKit reported no failed step, docker itself failed.
    let Some(step) = &failed.step else {
        let stderr = &failed.failure.stderr;
        let hint = known::find(known::OF_BASE_IMAGES, stderr)
            .or_else(|| known::find(known::CERTAIN, stderr))
            .or_else(|| known::find(known::LIKELY, stderr))
            .map_or("check that `docker buildx ls` works, and run it again with -v", |(hint, _)| hint);
        return failed.failure.into_error("the image was not built", hint, SandboxError::ImageBuild);
    };
    if let Some(error) = failed.failure.as_docker_error() {
        return error;
    }
    // Ignore what uv printed before the fallback to pip.
    let output = step.output.rsplit_once(TAKEN_OVER).map_or(step.output.as_str(), |(_, output)| output);
    let report = Report::of(output);
    let cause = cause(output, report.as_ref(), &step.error);
    // uv wraps its sentences; the cause has them without line breaks.
    let evidence = format!("{cause}\n{output}\n{}\n{}", step.error, failed.messages.join("\n"));
    let explanation = explain(&step.name, output, report.as_ref(), &evidence);
    let message = explanation.message.unwrap_or_else(|| shortened(&cause, LONGEST_CAUSE));
    let mut telling = telling_lines(output, report.as_ref());
    telling.retain(|line| line.trim_start_matches("error: ") != message);
    let mut problem = Problem::new(format!("the image was not built: {message}"), explanation.hint)
        .changes(explanation.changes)
        .details(format!("failing step: {}", title(&step.name)))
        .details(telling.join("\n"));
    for hint in explanation.more_hints {
        problem = problem.hint(hint);
    }
    SandboxError::ImageBuild(problem)
}

/// Explains a failure. What is proven comes before what is likely.
fn explain(step: &str, output: &str, report: Option<&Report>, evidence: &str) -> Explanation {
    let for_base_images = if runs_a_process(step) { &[] } else { known::OF_BASE_IMAGES };
    let installs = installs(step);
    let of_packages = || match &installs {
        Some(Installs::Debian(names)) => apt::explain(names, output),
        _ => None,
    };
    let of_versions = || match report {
        Some(report) => uv::explain(report, installs.as_ref(), output),
        None => pip::explain(installs.as_ref(), output),
    };
    let known = |known| {
        known::find(known, evidence).map(|(hint, change)| Explanation {
            message: None,
            hint: hint.to_owned(),
            more_hints: Vec::new(),
            changes: change.into_iter().collect(),
        })
    };
    known(for_base_images)
        .or_else(of_packages)
        .or_else(|| known(known::CERTAIN))
        .or_else(of_versions)
        .or_else(|| version_from_git(output, report))
        .or_else(|| old_release(output))
        .or_else(|| other_python(output, report))
        .or_else(|| missing(output, report))
        .or_else(|| known(known::LIKELY))
        .unwrap_or_else(|| Explanation {
            message: None,
            hint: "read the end of the step's output".to_owned(),
            more_hints: Vec::new(),
            changes: Vec::new(),
        })
}

/// A package whose version comes from git, in the words of setuptools-scm (hatch-vcs uses it) and pbr. The files of git
/// are not in a build.
fn version_from_git(output: &str, report: Option<&Report>) -> Option<Explanation> {
    const SIGNS: &[&str] = &[
        "was unable to detect version for ",
        "Versioning for this project requires either an sdist tarball",
    ];
    SIGNS.iter().find(|sign| output.contains(**sign))?;
    let package = built_package(output, report).unwrap_or_else(|| "a package".to_owned());
    let hint = "write a version into its pyproject.toml: version = \"0.1.0\" in [project] (and no \"version\" in dynamic), or fallback_version = \"0.1.0\" in [tool.setuptools_scm]";
    let message =
        format!("{package} takes its version from git, and the build does not have the files of git");
    Some(Explanation::of(message, hint))
}

/// A release that was chosen because newer ones need another Python, and that could not be built.
fn old_release(output: &str) -> Option<Explanation> {
    let [middle, end] = OLD_RELEASE;
    let line = output.lines().rev().find_map(|line| line.strip_prefix("note: "))?;
    let (old, rest) = line.split_once(middle)?;
    let (newest, specifier) = rest.split_once(end)?;
    let (name, version) = old.split_once(' ')?;
    package_name(name).and(package_name(version)).and(package_name(newest))?;
    let minor = python::fitting(specifier, python::used(output))?;
    Some(
        Explanation::of(
            format!("{name} {version} could not be compiled"),
            format!("it is an old release, because {name} {newest} needs another Python"),
        )
        .with(python::base_image(minor)),
    )
}

/// A package that checks the version of Python itself: numba's and pip's words.
fn other_python(output: &str, report: Option<&Report>) -> Option<Explanation> {
    const CHECKS: &[(&str, &str)] = &[
        ("Cannot install on Python version ", "only versions "),
        (" requires a different Python: ", " not in '"),
    ];
    let specifier = output.lines().rev().find_map(|line| {
        let (_, rest) = CHECKS
            .iter()
            .find(|(start, _)| line.contains(start))
            .and_then(|(_, middle)| line.split_once(middle))?;
        rest.split([' ', '\'']).next()
    })?;
    let minor = python::fitting(specifier, python::used(output))?;
    let package = built_package(output, report).unwrap_or_else(|| "a package".to_owned());
    let message = format!("{package} needs another Python");
    Some(
        Explanation::of(message, format!("it can be built with Python 3.{minor}"))
            .with(python::base_image(minor)),
    )
}

/// Programs and libraries that a package's build misses.
fn missing(output: &str, report: Option<&Report>) -> Option<Explanation> {
    let missing = Missing::of(output, python::is_debians(output));
    if missing.names.is_empty() {
        return None;
    }
    let names = missing.names.iter().cloned().collect::<Vec<_>>().join(", ");
    let verb = if missing.names.len() == 1 { "is" } else { "are" };
    let package = built_package(output, report).map_or_else(String::new, |name| format!(" to build {name}"));
    let is_git = missing.names.iter().eq(["git"]);
    let message = format!("{names} {verb} missing{package}");
    let mut explanation = if is_git {
        Explanation::of(message, "it is needed to download the package's source")
    } else {
        Explanation::of(message, "the package has no wheel for this Python, so it is compiled")
    };
    if !missing.unknown.is_empty() {
        let unknown = missing.unknown.into_iter().collect::<Vec<_>>().join(", ");
        let hint = format!(
            "find the Debian package that has {unknown} on https://packages.debian.org, and pass it with --apt"
        );
        if missing.debian.is_empty() {
            explanation.hint = hint;
        } else {
            explanation.more_hints.push(hint);
        }
    }
    let add = |name: &str| Change::Add("--apt", name.to_owned());
    explanation.changes = missing.debian.into_iter().map(add).collect();
    Some(explanation)
}

/// The package that is built.
fn built_package(output: &str, report: Option<&Report>) -> Option<String> {
    let name = match report {
        // `NAME @ file:///…` is a package of this machine.
        Some(report) => {
            let requirement = report.headline.split('`').nth(1);
            requirement.map(|text| text.split_once(" @ file:").map_or(text, |(name, _)| name).to_owned())
        }
        None => output
            .lines()
            .rev()
            .filter_map(|line| line.strip_prefix("╰─> "))
            .find(|name| !name.contains(' '))
            .map(str::to_owned),
    };
    name.filter(|name| package_name(name).is_some())
}

/// Where a requirement comes from: the option or file that the user can change.
fn origin(requirement: &str, installs: Option<&Installs>) -> Option<String> {
    let is_given =
        |given: &String| package_name(given).is_some() && package_name(given) == package_name(requirement);
    match installs? {
        Installs::Requirements => Some("requirements.txt".to_owned()),
        Installs::Lock => Some("the lockfile".to_owned()),
        Installs::Rlmesh(rlmesh) if is_given(rlmesh) => Some("--rlmesh-package".to_owned()),
        Installs::Packages(given) => given.iter().any(is_given).then(|| "-p".to_owned()),
        Installs::Rlmesh(_) | Installs::Debian(_) => None,
    }
}

/// The name at the start of a requirement or a version, normalized. `None` for a text that is neither: it must not be
/// repeated as one.
fn package_name(requirement: &str) -> Option<String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let is_plain = |c: char| {
        is_word(c)
            || matches!(c, '[' | ']' | '=' | '<' | '>' | '!' | '~' | ',' | '*' | '+' | ' ' | '@' | ':' | '/')
    };
    let end = requirement.find(|c| !is_word(c)).unwrap_or(requirement.len());
    let name = &requirement[..end];
    let is_name = name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.ends_with(|c: char| c.is_ascii_alphanumeric())
        && requirement.len() <= 200
        && requirement.chars().all(is_plain);
    is_name.then(|| name.to_ascii_lowercase().replace(['_', '.'], "-"))
}

/// The end of a step's output, as far as an error quotes it.
pub(crate) fn last_lines(output: &str) -> String {
    let lines: Vec<&str> = output.lines().collect();
    lines[lines.len().saturating_sub(QUOTED_LINES)..].join("\n")
}

/// The lines of a step's output that tell why it failed.
fn telling_lines(output: &str, report: Option<&Report>) -> Vec<String> {
    const SIGNS: &[&str] = &[
        "error:",
        "error ",
        "Error",
        "ERROR",
        "E: ",
        "Exception",
        "fatal",
        "not found",
        "No such file",
        "cannot find",
        "conflict",
        "Killed",
        "depends on",
        "requested",
    ];
    const NOISE: &[&str] = &[
        "hint: Build failures usually indicate",
        "note: This error originates from",
        "hint: See above",
        "note: This is an issue with the package",
        "╰─> See above",
        "[end of output]",
        "error: subprocess-exited-with-error",
        "error: legacy-install-failure",
        "error: metadata-generation-failed",
        "× Encountered error while",
        "The build backend returned an error",
    ];
    let mut lines: Vec<String> = Vec::new();
    if let Some(report) = report {
        lines.push(format!("error: {}", report.headline));
        lines.extend(report.causes.iter().cloned());
        lines.extend(report.hints.iter().map(|hint| format!("hint: {hint}")));
        lines.retain(|line| !NOISE.iter().any(|noise| line.starts_with(noise)));
        lines.truncate(QUOTED_LINES);
    }
    let is_new = |line: &&str, lines: &[String]| {
        !line.is_empty()
            && !NOISE.iter().any(|noise| line.contains(noise))
            && !lines
                .iter()
                .any(|known| known.contains(line.trim_start_matches("cause: ").trim_start_matches("error: ")))
    };
    let has_build_output = output.contains("[stderr]") || output.contains("[stdout]");
    if report.is_none() || has_build_output {
        let mut all: Vec<&str> = output.lines().map(str::trim).filter(|line| is_new(line, &lines)).collect();
        all.dedup();
        let signs: Vec<&str> =
            all.iter().copied().filter(|line| SIGNS.iter().any(|sign| line.contains(sign))).collect();
        let chosen = if signs.is_empty() { all } else { signs };
        let room = QUOTED_LINES.saturating_sub(lines.len()).max(4);
        lines.truncate(QUOTED_LINES - room);
        lines.extend(chosen[chosen.len().saturating_sub(room)..].iter().map(ToString::to_string));
    }
    lines.iter().map(|line| shortened(line, QUOTED_WIDTH)).collect()
}

/// Whether a step runs a process, by its name: `[stage-0 3/4] RUN …`, `[1/4] ONBUILD RUN …`.
fn runs_a_process(step: &str) -> bool {
    let instruction = step.split_once("] ").map_or(step, |(_, instruction)| instruction);
    instruction.trim_start_matches("ONBUILD ").starts_with("RUN ")
}

/// The error of pip, uv or the install scripts, or else BuildKit's.
fn cause(output: &str, report: Option<&Report>, error: &str) -> String {
    let found = last_error(output, report);
    found.unwrap_or_else(|| error.to_owned()).trim_end_matches('.').to_owned()
}

/// The last error, with the innermost of the causes that uv lists below it. The errors of a package's own build are
/// indented, and follow uv's error about that package.
fn last_error(output: &str, report: Option<&Report>) -> Option<String> {
    let lines: Vec<&str> = output.lines().collect();
    let error = |line: &&str| {
        let line = line.trim();
        let error = line.strip_prefix("error: ").or_else(|| line.strip_prefix("ERROR: "));
        error.map(str::to_owned)
    };
    let Some(report) = report else {
        let last = lines.iter().rev().find_map(error)?;
        let outer = lines.iter().rposition(|line| line.starts_with("error: "));
        return match outer {
            // pip's short name for the error. The description follows.
            Some(at) if !lines[at].trim_start_matches("error: ").contains(' ') => {
                pip::tree(&lines[at + 1..]).or(Some(last))
            }
            _ => Some(last),
        };
    };
    let mut causes = report.causes.iter();
    let mut headline = &report.headline;
    if headline.starts_with("Request failed after ") {
        // The first cause names the request.
        headline = causes.next().unwrap_or(headline);
    }
    let inner = lines.iter().rev().take_while(|line| !line.starts_with("error: ")).find_map(error);
    Some(match inner.as_ref().or_else(|| causes.next_back()) {
        Some(cause) => format!("{headline}: {cause}"),
        None => headline.clone(),
    })
}

/// Shortens a text between words.
fn shortened(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((end, _)) => {
            format!("{} …", text[..end].rsplit_once(' ').map_or(&text[..end], |(words, _)| words))
        }
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
