//! Finds out whether the requirements of a repository refer to its other files.

/// Whether a line may refer to a file or folder of the repository: another requirements file, a package to
/// build, or a wheel. If it is unclear, it returns true.
pub(crate) fn need_the_source(text: &str) -> bool {
    text.replace("\\\r\n", " ").replace("\\\n", " ").lines().any(names_a_file)
}

fn names_a_file(line: &str) -> bool {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return false;
    }
    let line = line.split(" #").next().unwrap_or_default().trim();
    if line.starts_with('-') {
        let file_options =
            ["-r", "--requirement", "-c", "--constraint", "-e", "--editable", "-f", "--find-links"];
        return file_options.iter().any(|option| line.strip_prefix(option).is_some_and(is_local));
    }
    // What follows `;` is a marker, what follows `@` an address.
    let name = line.split(';').next().unwrap_or_default();
    match name.split_once(" @ ") {
        Some((_, address)) => is_local(address),
        None => {
            let is_archive = [".whl", ".tar.gz", ".zip"].iter().any(|end| name.trim_end().ends_with(end));
            (is_archive || name.starts_with('.') || name.contains('/') || name.contains("file:"))
                && is_local(name)
        }
    }
}

/// Whether a name is a local path rather than an address on the network.
fn is_local(name: &str) -> bool {
    !name.contains("://") || name.contains("file:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_that_need_the_repository_are_found() {
        for text in [
            "",
            "numpy\ngymnasium[box2d]>=1.0 # comment\n\n# -r other.txt\n",
            "x @ https://example.com/x.whl\nhttps://example.com/x.whl",
            "numpy==1.26.0 \\\n  --hash=sha256:00\n",
            "--index-url https://example.com/simple\n--pre\npkg; python_version < '3.12'",
            "git+https://github.com/o/r.git@main",
            "-e git+https://github.com/o/r.git#egg=r",
        ] {
            assert!(!need_the_source(text), "{text:?}");
        }
        for text in [
            "-r base.txt",
            "--requirement=base.txt",
            "-c constraints.txt",
            "-e .",
            ".",
            "./pkg",
            "sub/pkg",
            "pkg @ file:///opt/rlmesh/source/pkg",
            "wheels/x-1.0-py3-none-any.whl",
            "x-1.0-py3-none-any.whl",
            "-f wheels",
            "file:./pkg",
        ] {
            assert!(need_the_source(text), "{text:?}");
        }
    }
}
