//! Chooses the Python that packages need, as a base image.

use crate::error::Change;

/// The minor versions of Python 3 that rlmesh can run on, and that have an official image.
const VERSIONS: std::ops::RangeInclusive<u8> = 10..=14;

/// The change to the official image of a Python 3.
pub(super) fn base_image(minor: u8) -> Change {
    Change::Add("--base-image", format!("python:3.{minor}-slim"))
}

/// Why a package needs the Python `minor` instead of the one that was used.
pub(super) fn unsuitable(minor: u8, used: Option<u8>) -> String {
    match used {
        Some(used) if used < minor => format!("the base image has Python 3.{used}, which is too old for it"),
        Some(used) => format!("the base image has Python 3.{used}, which is too new for it"),
        None => "the base image's Python is too old or too new for it".to_owned(),
    }
}

/// The Python 3 of an installer's output, by its minor version: `Using Python 3.11.2 environment at: /usr`.
pub(super) fn used(output: &str) -> Option<u8> {
    let signs =
        ["Using Python 3.", "Using CPython 3.", "the current Python version (3.", "You require CPython 3."];
    signs.iter().find_map(|sign| number(output.rsplit_once(sign)?.1))
}

/// Whether that Python is Debian's own, whose headers are a package of their own.
pub(super) fn is_debians(output: &str) -> bool {
    output.contains(" environment at: /usr\n")
        || output.contains("interpreter at: /usr/bin/")
        || output.contains("-I/usr/include/python3")
        || output.contains("/usr/lib/python3/dist-packages/")
}

/// The best of the Pythons: the newest that is not newer than `used`, or else the oldest.
pub(super) fn nearest(minors: impl IntoIterator<Item = u8>, used: Option<u8>) -> Option<u8> {
    let mut minors: Vec<u8> = minors.into_iter().filter(|minor| VERSIONS.contains(minor)).collect();
    minors.sort_unstable();
    minors.dedup();
    minors.retain(|minor| Some(*minor) != used);
    let older = minors.iter().rev().find(|minor| used.is_none_or(|used| **minor < used));
    older.or(minors.first()).copied()
}

/// The best Python for a package's `Requires-Python`, such as `>=3.9,<3.11`. `None` if no Python fits, or if the
/// text is not such a specifier.
pub(super) fn fitting(specifier: &str, used: Option<u8>) -> Option<u8> {
    let clauses: Option<Vec<(&str, u8)>> = specifier.split(',').map(clause).collect();
    let clauses = clauses.filter(|clauses| !clauses.is_empty())?;
    let fits = |minor: &u8| {
        clauses.iter().all(|(operator, wanted)| match *operator {
            ">=" | "~=" => minor >= wanted,
            ">" => minor > wanted,
            "<" => minor < wanted,
            "<=" => minor <= wanted,
            "!=" => minor != wanted,
            _ => minor == wanted,
        })
    };
    nearest(VERSIONS.filter(fits), used)
}

/// A clause of a specifier: its operator, and the minor version of Python 3. Patch versions do not choose a Python.
fn clause(text: &str) -> Option<(&str, u8)> {
    let text = text.trim();
    let operator =
        [">=", "<=", "!=", "~=", "===", "==", ">", "<"].into_iter().find(|o| text.starts_with(o))?;
    let mut numbers = text[operator.len()..].trim().split('.');
    match (numbers.next()?.parse().ok()?, numbers.next().map(|minor| minor.parse().ok())) {
        (3, Some(Some(minor))) => {
            let patch = numbers.next().and_then(|patch| patch.parse::<u8>().ok());
            match (operator, patch) {
                // A version within a minor one: another patch version has it.
                ("<" | "!=" | ">", Some(1..)) => Some((
                    if operator == "<" { "<=" } else { ">=" },
                    if operator == "!=" { 0 } else { minor },
                )),
                _ => Some((operator, minor)),
            }
        }
        (3, None | Some(None)) => Some((">=", 0)),
        (0..=2, _) => Some((">=", 0)),
        (4u8.., _) => Some(("<=", u8::MAX)),
    }
}

/// The number at the start of a text.
fn number(text: &str) -> Option<u8> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

/// The minor version of a tag of wheels for CPython 3: `cp310`. Free-threaded ones (`cp313t`) are another Python.
pub(super) fn of_tag(tag: &str) -> Option<u8> {
    tag.strip_prefix("cp3")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_python_is_chosen() {
        for (minors, used, chosen) in [
            (&[7, 8, 9, 10][..], Some(11), Some(10)),
            (&[7, 8, 9], Some(11), None),
            (&[12, 13, 14], Some(11), Some(12)),
            (&[10, 12], Some(11), Some(10)),
            (&[10, 11, 12], None, Some(12)),
            (&[11], Some(11), None),
        ] {
            assert_eq!(nearest(minors.iter().copied(), used), chosen, "{minors:?} {used:?}");
        }
        assert_eq!(of_tag("cp310"), Some(10));
        assert_eq!((of_tag("cp37m"), of_tag("cp313t"), of_tag("abi3")), (None, None, None));
    }

    #[test]
    fn specifiers_choose_a_python() {
        for (specifier, chosen) in [
            (">=3.12", Some(12)),
            (">=3.7,<3.11", Some(10)),
            (">=3.7, <3.10", None),
            ("~=3.12", Some(12)),
            ("==3.10.*", Some(10)),
            ("!=3.11.*,>=3.8", Some(10)),
            (">=3.12,<4", Some(12)),
            (">3.11", Some(12)),
            (">=2.7", Some(10)),
            ("<3.12.4,>=3.12", Some(12)),
            (">=3.15", None),
            ("nonsense", None),
            ("", None),
            (">=999", None),
        ] {
            assert_eq!(fitting(specifier, Some(11)), chosen, "{specifier}");
        }
    }

    #[test]
    fn the_python_of_an_output_is_found() {
        assert_eq!(used("Using Python 3.11.2 environment at: /usr\nerror: x"), Some(11));
        assert_eq!(used("hint: You require CPython 3.12 (`cp312`), but"), Some(12));
        assert_eq!(used("ERROR: x"), None);
        assert!(is_debians("Using Python 3.11.2 environment at: /usr\nerror: x"));
        assert!(!is_debians("Using Python 3.11.2 environment at: /usr/local\nerror: x"));
    }
}
