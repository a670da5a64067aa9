//! Requirements that name a file or folder of this machine: `./folder[extra]`, `dist/x.whl`, `name @ file:./x`.

use percent_encoding::percent_decode_str;

use crate::source::is_path;

/// The ends of the names of files that can be installed.
pub(crate) const ARCHIVES: [&str; 3] = [".whl", ".tar.gz", ".zip"];

/// The parts of a requirement that names a file or folder. Nothing is looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LocalRequirement {
    /// What is before `@`, if there is one: the name of the package, and extras in brackets.
    pub(crate) name: Option<String>,
    /// The path, which may start with `~`.
    pub(crate) path: String,
    /// The extras with their brackets after a path without a name; or empty.
    pub(crate) extras: String,
    /// What is after `;`; or empty.
    pub(crate) marker: String,
}

impl LocalRequirement {
    /// `None` if the requirement names a package of an index, or an address on the network.
    pub(crate) fn parse(requirement: &str) -> Option<Self> {
        let (requirement, marker) = requirement.split_once(" ;").unwrap_or((requirement, ""));
        let (requirement, marker) = (requirement.trim(), marker.trim().to_owned());
        if let Some((name, address)) = requirement.split_once('@')
            && let Some(path) = path_of_url(address.trim())
            && is_name(name.trim())
        {
            return Some(Self { name: Some(name.trim().to_owned()), path, extras: String::new(), marker });
        }
        let (path, extras) = match requirement.strip_suffix(']').and_then(|start| start.rsplit_once('[')) {
            Some((path, extras)) => (path.trim_end(), format!("[{extras}]")),
            None => (requirement, String::new()),
        };
        let path = match path_of_url(path) {
            Some(path) => path,
            None if is_path(path) || path.starts_with('.') || is_relative_path(path) => path.to_owned(),
            None => return None,
        };
        Some(Self { name: None, path, extras, marker })
    }
}

/// Whether this is the name of a package, perhaps with extras.
fn is_name(text: &str) -> bool {
    let name = text.split('[').next().unwrap_or_default();
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_. ".contains(c))
}

/// Whether a text without a leading dot is a path: no name of a package has a slash.
fn is_relative_path(text: &str) -> bool {
    let is_archive = ARCHIVES.iter().any(|end| text.ends_with(end));
    (is_archive || text.contains('/')) && !text.contains(['@', ':', '<', '>', '='])
}

/// The path that a `file:` address names.
fn path_of_url(address: &str) -> Option<String> {
    let rest = address.strip_prefix("file:")?;
    let Some(path) = rest.strip_prefix("//") else { return Some(rest.to_owned()) };
    let path = path.strip_prefix("localhost").unwrap_or(path);
    Some(percent_decode_str(path).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_a_file_or_folder() {
        for (text, name, path, extras, marker) in [
            (".", None, ".", "", ""),
            ("./x", None, "./x", "", ""),
            ("../x[dev,test]", None, "../x", "[dev,test]", ""),
            (".[dev]", None, ".", "[dev]", ""),
            ("~/x", None, "~/x", "", ""),
            ("/abs/x", None, "/abs/x", "", ""),
            ("dist/x-1-py3-none-any.whl[a]", None, "dist/x-1-py3-none-any.whl", "[a]", ""),
            ("x.tar.gz", None, "x.tar.gz", "", ""),
            ("envs/my_pkg[dev]", None, "envs/my_pkg", "[dev]", ""),
            ("file:///abs/a%20b", None, "/abs/a b", "", ""),
            ("file:./x", None, "./x", "", ""),
            ("file://localhost/x.whl", None, "/x.whl", "", ""),
            ("name @ file:./x", Some("name"), "./x", "", ""),
            (
                "name[a]@file:///x.whl ; python_version>'3'",
                Some("name[a]"),
                "/x.whl",
                "",
                "python_version>'3'",
            ),
        ] {
            let found = LocalRequirement::parse(text).unwrap_or_else(|| panic!("{text}"));
            let expected = LocalRequirement {
                name: name.map(str::to_owned),
                path: path.to_owned(),
                extras: extras.to_owned(),
                marker: marker.to_owned(),
            };
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn what_an_index_or_an_address_has() {
        for text in [
            "my_pkg",
            "my.pkg[extra]==1.0",
            "x @ https://host/x.whl",
            "https://host/x.zip",
            "git+https://host/r.git@main",
            "git+file:///r",
            "pkg ; python_version < '3.12'",
        ] {
            assert_eq!(LocalRequirement::parse(text), None, "{text}");
        }
    }
}
