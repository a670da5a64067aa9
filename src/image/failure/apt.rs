//! Explains why Debian packages could not be installed.

use std::collections::BTreeSet;

use crate::error::Change;
use crate::image::failure::Explanation;

/// Packages that newer releases of Debian and Ubuntu no longer have, and what replaced them.
const REPLACED: &[(&str, &str)] = &[
    ("libegl1-mesa", "libegl1"),
    ("libgl1-mesa-glx", "libgl1"),
    ("libglapi-mesa", "libgl1-mesa-dri"),
    ("libgles2-mesa", "libgles2"),
    ("libglib2.0-0", "libglib2.0-0t64"),
    ("libncurses5", "libncurses6"),
    ("libosmesa6", "libosmesa6-dev"),
    ("libpng12-0", "libpng16-16"),
    ("python", "python3"),
    ("python-dev", "python3-dev"),
    ("python-is-python2", "python-is-python3"),
    ("python-opengl", "python3-opengl"),
    ("python-pip", "python3-pip"),
];

/// Explains apt's error; `names` are the packages of the step.
pub(super) fn explain(names: &[String], output: &str) -> Option<Explanation> {
    let is_asked_for =
        |name: &str| names.iter().any(|given| given == name || given.starts_with(&format!("{name}=")));
    let unknown: BTreeSet<&str> = output
        .lines()
        .filter_map(|line| {
            let line = line.strip_prefix("E: ")?;
            line.strip_prefix("Unable to locate package ")
                .or_else(|| line.strip_prefix("Package '")?.strip_suffix("' has no installation candidate"))
                .or_else(|| {
                    line.split_once("' for '")
                        .filter(|_| line.ends_with("' was not found"))?
                        .1
                        .split('\'')
                        .next()
                })
        })
        .filter(|name| is_asked_for(name))
        .collect();
    let first = *unknown.first()?;
    if let Some(versioned) = names.iter().find(|given| given.starts_with(&format!("{first}="))) {
        let message = format!("the base image's Debian or Ubuntu release has no {versioned}");
        let change = Change::Replace { option: "--apt", old: versioned.clone(), new: first.to_owned() };
        return Some(
            Explanation::of(message, "its servers only have the newest version of a package").with(change),
        );
    }
    let listed = unknown.iter().copied().collect::<Vec<_>>().join(", ");
    let message = match unknown.len() {
        1 => format!("{listed} is not a package of the base image's Debian or Ubuntu release"),
        _ => format!("{listed} are not packages of the base image's Debian or Ubuntu release"),
    };
    let replaced: Vec<Change> = unknown
        .iter()
        .filter_map(|name| REPLACED.iter().find(|(old, _)| old == name))
        .map(|(old, new)| Change::Replace { option: "--apt", old: (*old).to_owned(), new: (*new).to_owned() })
        .collect();
    if replaced.len() == unknown.len() {
        let hint = "newer releases have it under another name";
        return Some(Explanation { changes: replaced, ..Explanation::of(message, hint) });
    }
    Some(Explanation::of(
        message,
        "check the spelling of --apt; https://packages.debian.org finds names and files",
    ))
}
