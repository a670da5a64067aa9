//! Reads pip's errors, and explains those about versions of packages.

use crate::image::build_context::step_title::Installs;
use crate::image::failure::uv::not_found_hint;
use crate::image::failure::{Explanation, origin, package_name, python};

/// The error in pip's tree: the failure after a cross, and the package or a reference below it after an
/// arrow.
pub(super) fn tree(lines: &[&str]) -> Option<String> {
    let mut lines = lines.iter().skip_while(|line| !line.starts_with('×'));
    let failed = lines.next()?.trim_start_matches(['×', ' ']).trim_end_matches('.');
    let arrow = lines.take_while(|line| !line.is_empty()).find_map(|line| line.strip_prefix("╰─> "));
    Some(match arrow.filter(|arrow| !arrow.starts_with("See above")) {
        Some(package) => format!("{failed}: {package}"),
        None => failed.to_owned(),
    })
}

/// Explains an error about versions of packages.
pub(super) fn explain(installs: Option<&Installs>, output: &str) -> Option<Explanation> {
    no_match(installs, output).or_else(|| conflict(installs, output))
}

fn no_match(installs: Option<&Installs>, output: &str) -> Option<Explanation> {
    let (_, wanted) = output.rsplit_once("No matching distribution found for ")?;
    let wanted = wanted.lines().next()?.trim();
    package_name(wanted)?;
    let listed = output
        .rsplit_once(&format!("that satisfies the requirement {wanted} (from versions: "))
        .and_then(|(_, rest)| rest.split_once(')'))
        .map(|(versions, _)| versions);
    // pip only lists the files that fit this Python.
    let needs = output.lines().rev().find_map(|line| {
        let (_, ignored) =
            line.split_once("Ignored the following versions that require a different python version: ")?;
        let is_wanted = |version: &str| match wanted.split_once("==") {
            Some((_, pinned)) => version == pinned,
            None => !wanted.contains(['<', '>', '~', '!']),
        };
        let mut ignored: Vec<(&str, &str)> =
            ignored.split("; ").filter_map(|item| item.split_once(" Requires-Python ")).collect();
        ignored.retain(|(version, _)| is_wanted(version));
        ignored.last().map(|(_, specifier)| specifier.trim())
    });
    if let Some(specifier) = needs {
        let shown: String =
            specifier.chars().filter(|c| c.is_ascii_digit() || "<>=!~.,* ".contains(*c)).take(60).collect();
        let message = format!("{wanted} needs Python {shown}");
        let used = python::used(output);
        return Some(match python::fitting(specifier, used) {
            Some(minor) => {
                Explanation::of(message, python::unsuitable(minor, used)).with(python::base_image(minor))
            }
            None => Explanation::of(
                message,
                "rlmesh needs Python 3.10 or newer: use another version of the package",
            ),
        });
    }
    Some(match listed {
        Some("none") | None => Explanation::of(
            format!("{wanted} is not on the package index, or not for this Python and platform"),
            not_found_hint(wanted, installs),
        ),
        Some(versions) => {
            let ends = [versions.split(", ").next(), versions.rsplit(", ").next()];
            let range = match ends {
                [Some(first), Some(last)]
                    if package_name(first).is_some() && package_name(last).is_some() =>
                {
                    format!("the index has {first} to {last} for it")
                }
                _ => "the index has others".to_owned(),
            };
            let asks =
                origin(wanted, installs).map_or_else(String::new, |origin| format!("; {origin} asks for it"));
            Explanation::of(format!("there is no {wanted} for this Python"), format!("{range}{asks}"))
        }
    })
}

/// "The conflict is caused by:", and below it "A 1.0 depends on B>1" and "The user requested B==1".
fn conflict(installs: Option<&Installs>, output: &str) -> Option<Explanation> {
    let (_, causes) = output.rsplit_once("The conflict is caused by:")?;
    let lines = causes.lines().skip(1).take_while(|line| !line.trim().is_empty());
    let mut said: Vec<String> = Vec::new();
    for line in lines.map(str::trim) {
        let statement = if let Some(requirement) = line.strip_prefix("The user requested ") {
            package_name(requirement)?;
            match origin(requirement, installs) {
                Some(origin) => format!("{origin} asks for {requirement}"),
                None => format!("{requirement} is required"),
            }
        } else {
            let (dependent, needed) = line.split_once(" depends on ")?;
            let (name, version) = dependent.split_once(' ').unwrap_or((dependent, ""));
            package_name(name).and(package_name(needed))?;
            format!("{name} {version} needs {needed}")
        };
        if !said.contains(&statement) {
            said.push(statement);
        }
    }
    let [first, second, ..] = said.as_slice() else { return None };
    Some(Explanation::of(
        format!("the requirements conflict: {first}, and {second}"),
        "change one of the two, or use another version of the package that needs it",
    ))
}
