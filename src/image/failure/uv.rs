//! Reads uv's errors, and explains those about versions of packages.

use crate::error::Change;
use crate::image::build_context::step_title::Installs;
use crate::image::failure::python;
use crate::image::failure::{Explanation, origin, package_name};

/// How many of the statements of a resolver are compared with each other.
const MOST_STATEMENTS: usize = 1000;

/// An error of uv.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) headline: String,
    /// The causes, each on one line, from the outermost to the innermost.
    pub(super) causes: Vec<String>,
    pub(super) hints: Vec<String>,
}

impl Report {
    /// The last error in uv's output.
    pub(super) fn of(output: &str) -> Option<Self> {
        let lines: Vec<&str> = output.lines().collect();
        let at = (0..lines.len()).rev().find(|at| is_headline(&lines[*at..]))?;
        let headline = lines[at].trim_start_matches("error: ").trim_start_matches([' ', '×']);
        let mut report = Self { headline: headline.trim_end_matches(':').to_owned(), ..Self::default() };
        let mut section = Section::Causes;
        for line in &lines[at + 1..] {
            report.read(line, &mut section);
        }
        Some(report)
    }

    fn read(&mut self, line: &str, section: &mut Section) {
        let text = line.trim();
        if text.is_empty() {
            *section = Section::Other;
        } else if let Some(hint) = text.strip_prefix("hint: ") {
            self.hints.push(hint.to_owned());
            *section = Section::Hint;
        } else if *section == Section::Hint {
            append(&mut self.hints, text);
        } else if *section == Section::Causes {
            let arrow = text.trim_start_matches(['├', '╰', '─']);
            let cause = ["cause: ", "Caused by: "].iter().find_map(|start| text.strip_prefix(start));
            match cause.or_else(|| arrow.strip_prefix('▶')) {
                Some(cause) => self.causes.push(cause.trim().to_owned()),
                None => append(&mut self.causes, text.trim_start_matches(['│', ' '])),
            }
        }
    }
}

#[derive(PartialEq, Eq)]
enum Section {
    Causes,
    Hint,
    /// A package's own output.
    Other,
}

/// Whether the first line starts an error. Versions before 0.12 draw a tree of causes, and so does pip, with other
/// arrows.
fn is_headline(lines: &[&str]) -> bool {
    lines[0].strip_prefix("error: ").is_some_and(|headline| headline.contains(' '))
        || lines[0].starts_with("  × ") && lines.get(1).is_some_and(|line| line.contains('▶'))
}

fn append(texts: &mut [String], more: &str) {
    if let Some(last) = texts.last_mut() {
        last.push(' ');
        last.push_str(more);
    }
}

/// Explains an error about versions of packages.
pub(super) fn explain(report: &Report, installs: Option<&Installs>, output: &str) -> Option<Explanation> {
    let used = python::used(output);
    let text = report.causes.join(" ");
    other_platforms(report)
        .or_else(|| other_pythons(report, used))
        .or_else(|| requires_python(&text, used))
        .or_else(|| later_index(report))
        .or_else(|| filtered_by_date(report))
        .or_else(|| pre_release(report, installs))
        .or_else(|| not_found(&text, installs))
        .or_else(|| no_version(&text, installs))
        .or_else(|| conflict(&text, installs))
}

/// The package and version of a hint: "… `tensorflow` (v2.10.0) …".
fn package_of_hint(hint: &str) -> Option<(&str, &str)> {
    let (name, rest) = hint.split_once("for `")?.1.split_once('`')?;
    let version = rest.strip_prefix(" (v")?.split_once(')')?.0;
    (package_name(name).is_some() && package_name(version).is_some()).then_some((name, version))
}

/// The texts in backticks after `start`.
fn tags_after<'a>(hint: &'a str, start: &str) -> Option<Vec<&'a str>> {
    let (_, tags) = hint.split_once(start)?;
    Some(tags.split('`').skip(1).step_by(2).filter(|tag| package_name(tag).is_some()).collect())
}

fn other_platforms(report: &Report) -> Option<Explanation> {
    report.hints.iter().find_map(|hint| {
        let tags = tags_after(hint, " on the following platform")?;
        let (name, version) = package_of_hint(hint)?;
        Some(Explanation::of(
            format!("{name} {version} has no wheel for this platform"),
            format!("its wheels are for {}, and the package index has no source to compile", listed(&tags)),
        ))
    })
}

fn other_pythons(report: &Report, used: Option<u8>) -> Option<Explanation> {
    report.hints.iter().find_map(|hint| {
        let tags = tags_after(hint, " with the following Python ")?;
        let (name, version) = package_of_hint(hint)?;
        let this = used.map_or_else(|| "this Python".to_owned(), |minor| format!("Python 3.{minor}"));
        let message = format!("{name} {version} has no wheel for {this}");
        let Some(minor) = python::nearest(tags.iter().filter_map(|tag| python::of_tag(tag)), used) else {
            let hint = format!(
                "its wheels are for {}, and rlmesh needs Python 3.10 or newer: use another version of {name}",
                listed(&tags)
            );
            return Some(Explanation::of(message, hint));
        };
        let hint = format!("it has wheels for Python 3.{minor}");
        Some(Explanation::of(message, hint).with(python::base_image(minor)))
    })
}

fn requires_python(text: &str, used: Option<u8>) -> Option<Explanation> {
    let (_, rest) = text.split_once("does not satisfy Python")?;
    let specifier = rest.split_whitespace().next()?.trim_end_matches([',', '.']);
    let (before, _) = text.split_once(" depends on Python")?;
    let package = before.split_whitespace().next_back()?;
    let package = package_name(package).map_or("a package", |_| package);
    let chosen = python::fitting(specifier, used);
    let specifier: String =
        specifier.chars().take_while(|c| c.is_ascii_digit() || "<>=!~.,*".contains(*c)).take(60).collect();
    let message = format!("{package} needs Python {specifier}");
    Some(match chosen {
        Some(minor) => {
            Explanation::of(message, python::unsuitable(minor, used)).with(python::base_image(minor))
        }
        None => {
            Explanation::of(message, "rlmesh needs Python 3.10 or newer: use another version of the package")
        }
    })
}

/// A version that only an index after the first one has.
fn later_index(report: &Report) -> Option<Explanation> {
    let hint = report.hints.iter().find(|hint| hint.contains("may be available on a subsequent index"))?;
    let name = hint.split('`').nth(1).filter(|name| package_name(name).is_some())?;
    Some(Explanation::of(
        format!("the first package index that has {name} does not have the version"),
        "to look for versions on all package indexes, set UV_INDEX_STRATEGY=unsafe-best-match",
    ))
}

/// All versions are newer than the date of `--as-of`.
fn filtered_by_date(report: &Report) -> Option<Explanation> {
    let hint = report.hints.iter().find(|hint| hint.contains(" was filtered by `exclude-newer`"))?;
    let name = hint.split('`').nth(1).filter(|name| package_name(name).is_some())?;
    let date = hint.split_once("published at ").and_then(|(_, rest)| rest.get(..10));
    let date = date.filter(|date| date.chars().all(|c| c.is_ascii_digit() || c == '-'));
    Some(Explanation::of(
        format!("{name} had no such version at the date of --as-of"),
        match date {
            Some(date) => format!("use a later date: its newest version was published on {date}"),
            None => "use a later date".to_owned(),
        },
    ))
}

fn pre_release(report: &Report, installs: Option<&Installs>) -> Option<Explanation> {
    let hint = report.hints.iter().find(|hint| hint.contains("re-releases are available for"))?;
    let name = hint.split('`').nth(1).filter(|name| package_name(name).is_some())?;
    let version = hint.split_once("(e.g., ")?.1.split_once(')')?.0;
    let is_version = version.starts_with(|c: char| c.is_ascii_digit()) && package_name(version).is_some();
    let message = format!("{name} only has pre-releases in the requested range");
    if !is_version {
        return Some(Explanation::of(message, "require a pre-release: NAME==VERSION"));
    }
    let wanted = format!("{name}=={version}");
    let given = installs.and_then(|installs| requirement_of(installs, name));
    Some(match given {
        Some(old) => Explanation::of(message, "require one of them").with(Change::Replace {
            option: "-p",
            old,
            new: wanted,
        }),
        None => Explanation::of(message, format!("require one of them, such as {wanted}")),
    })
}

/// The requirement of the user for a package, as it was given.
fn requirement_of(installs: &Installs, name: &str) -> Option<String> {
    let Installs::Packages(requirements) = installs else { return None };
    requirements.iter().find(|requirement| package_name(requirement) == package_name(name)).cloned()
}

fn not_found(text: &str, installs: Option<&Installs>) -> Option<Explanation> {
    let (before, _) = text.split_once(" was not found in the package registry")?;
    let name = before.split_whitespace().next_back().filter(|name| package_name(name).is_some())?;
    let message = format!("{name} is not on the package index");
    let dependents = dependencies(text);
    let dependent = dependents.iter().find(|(_, needed)| package_name(needed) == package_name(name));
    Some(match dependent {
        Some((dependent, _)) => Explanation::of(
            message,
            format!(
                "{dependent} needs it: use another version of {dependent}, or a package index that has it"
            ),
        ),
        None => Explanation::of(message, not_found_hint(name, installs)),
    })
}

/// The hint for a package that the index does not have, from where it was named.
pub(super) fn not_found_hint(requirement: &str, installs: Option<&Installs>) -> String {
    match origin(requirement, installs) {
        Some(origin) => format!("{origin} names it: check its spelling"),
        None => "check its spelling".to_owned(),
    }
}

fn no_version(text: &str, installs: Option<&Installs>) -> Option<Explanation> {
    let (_, rest) = text
        .split_once("there is no version of ")
        .or_else(|| text.split_once("there are no versions of "))?;
    let wanted = rest.split_whitespace().next()?.trim_end_matches([',', '.']);
    package_name(wanted)?;
    let message = format!("the package index has no {wanted}");
    let dependents = dependencies(text);
    let dependent = dependents.iter().find(|(_, needed)| package_name(needed) == package_name(wanted));
    let hint = match (dependent, origin(wanted, installs)) {
        (Some((dependent, _)), _) => format!("{dependent} needs it: use another version of {dependent}"),
        (None, Some(origin)) => format!("{origin} asks for it: use a version that exists"),
        (None, None) => "use a version that exists".to_owned(),
    };
    Some(Explanation::of(message, hint))
}

fn conflict(text: &str, installs: Option<&Installs>) -> Option<Explanation> {
    let needed = dependencies(text).into_iter().map(|(dependent, needed)| (Some(dependent), needed));
    let required = required(text).into_iter().map(|requirement| (None, requirement));
    // Each with the name of the package.
    let statements: Vec<(Option<&str>, &str, Option<String>)> = needed
        .chain(required)
        .map(|(dependent, requirement)| (dependent, requirement, package_name(requirement)))
        .take(MOST_STATEMENTS)
        .collect();
    let (first, second) = statements.iter().enumerate().find_map(|(at, first)| {
        let is_rival = |other: &&(Option<&str>, &str, _)| other.2 == first.2 && other.1 != first.1;
        Some((first, statements[at + 1..].iter().find(is_rival)?))
    })?;
    let said = |(dependent, requirement, _): &(Option<&str>, &str, _)| match dependent {
        Some(dependent) => format!("{dependent} needs {requirement}"),
        None => match origin(requirement, installs) {
            Some(origin) => format!("{origin} asks for {requirement}"),
            None => format!("{requirement} is required"),
        },
    };
    Some(Explanation::of(
        format!("the requirements conflict: {}, and {}", said(first), said(second)),
        "change one of the two, or use another version of the package that needs it",
    ))
}

/// The packages and what they depend on, as uv says it: "A depends on B". Conclusions are left out.
fn dependencies(text: &str) -> Vec<(&str, &str)> {
    let words: Vec<&str> = reasons(text).collect();
    let mut found = Vec::new();
    for (at, pair) in words.windows(2).enumerate() {
        if pair != ["depends", "on"] || at == 0 {
            continue;
        }
        let dependent = words[at - 1].trim_end_matches(',');
        let needed = words.get(at + 2).map(|word| word.trim_end_matches([',', '.']));
        if let Some(needed) = needed
            && package_name(needed).is_some_and(|name| name != "python" && name != "one")
            && package_name(dependent).is_some()
        {
            found.push((dependent, needed));
        }
    }
    found
}

/// What the user requires, as uv says it: "you require A", "you require A and B".
fn required(text: &str) -> Vec<&str> {
    let words: Vec<&str> = reasons(text).collect();
    let mut found = Vec::new();
    for (at, pair) in words.windows(2).enumerate() {
        if pair != ["you", "require"] {
            continue;
        }
        let mut add = |at: usize| {
            let requirement = words.get(at).map(|word| word.trim_end_matches([',', '.']));
            found.extend(requirement.filter(|requirement| package_name(requirement).is_some()));
        };
        add(at + 2);
        // Another clause can follow as well: "… and you require C".
        let is_requirement = |word: &&str| word.contains(['<', '>', '=', '~']);
        if words.get(at + 3) == Some(&"and") && words.get(at + 4).is_some_and(is_requirement) {
            add(at + 4);
        }
    }
    found
}

/// The words of a chain of conclusions, without the conclusions.
fn reasons(text: &str) -> impl Iterator<Item = &str> {
    text.split("we can conclude that").enumerate().flat_map(|(number, part)| {
        let part = match (number, part.find(" And because ")) {
            (0, _) => part,
            (_, Some(next)) => &part[next..],
            (_, None) => "",
        };
        part.split_whitespace()
    })
}

fn listed(tags: &[&str]) -> String {
    const MOST: usize = 8;
    let mut text = tags[tags.len().saturating_sub(MOST)..].join(", ");
    if text.is_empty() {
        text.push_str("other Pythons");
    }
    text
}
