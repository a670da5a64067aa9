//! Whatever a build prints, only what is valid is offered.

use proptest::strategy::Strategy as _;

use super::*;
use crate::settings::values::{debian_package, requirement};

proptest::proptest! {
    #[test]
    fn any_output_is_explained_and_no_text_of_it_becomes_a_change(
        parts in proptest::collection::vec(
            proptest::prop_oneof![
                "\\PC{0,12}",
                proptest::sample::select(vec![
                    "error: ", "  cause: ", "Because ", " depends on ", " depends on Python", "you require ", " and ", "\n", "`", "'", "hint: ",
                    "does not satisfy Python", "we only found wheels for `x` (v1) with the following Python ABI tags: `cp3", " fatal error: ",
                    "No such file or directory", ": not found", "cannot find -l", "Package '", "', required by", "note: a 1 is an old release: 2 needs Python ",
                    ">=3.12", "$(x)", "; rm -rf /", "-", "E: Unable to locate package ", " was not found in the package registry", "No matching distribution found for ",
                    "Ignored the following versions that require a different python version: ", " Requires-Python ", "The conflict is caused by:\n\n", "The user requested ",
                    "  × ", "\n  ╰─▶ ", "re-releases are available for `x` (e.g., ", ")", "we can conclude that", " And because ",
                ]).prop_map(str::to_owned),
            ],
            0..24,
        ),
    ) {
        let output = parts.concat();
        let steps = [packages(&["x", "a b"]), r#"[3/5] RUN ["/bin/sh","/run/rlmesh-sandbox/install/apt.sh","git"]"#.to_owned()];
        for step in steps {
            let error = failed(Some((&step, "exit code: 1", &output)), "");
            for change in changes(&error) {
                match change {
                    Change::Add("--base-image", image) => assert!(image.starts_with("python:3.1"), "{image}"),
                    Change::Add("--apt", name) | Change::Replace { option: "--apt", new: name, .. } => {
                        assert_eq!(debian_package(&name).unwrap(), name);
                    }
                    Change::Replace { option: "-p", new, .. } => {
                        assert!(requirement(&new).is_ok() && new.starts_with("x=="), "{new}");
                    }
                    change => panic!("{change:?}"),
                }
            }
        }
    }
}

/// Texts that must never be typed, many of them, and long lines.
#[test]
fn hostile_texts_and_long_lines_become_neither_changes_nor_long_errors() {
    const HOSTILE: [&str; 12] = [
        "$(touch x)",
        "`id`",
        "'; rm -rf / #",
        "a && b",
        "-p",
        "--privileged",
        "-v /:/host",
        "x\u{202e}txt",
        "\u{1b}[2J",
        "x\0y",
        "../../etc/passwd",
        "evil @ https://evil/x.whl",
    ];
    let templates = [
        "error: Failed to build `{}`\n  cause: {}",
        "error: No solution\n  cause: Because {} depends on {} and you require {}, we can conclude that x.",
        "error: No solution\n  cause: Because {} was not found in the package registry",
        "error: No solution\n  cause: Because there is no version of {}",
        "error: No solution\n  cause: Because {} depends on Python{} and the current Python version (3.{}) does not satisfy Python{}",
        "error: x y\nhint: You require CPython 3.{} (`cp3{}`), but we only found wheels for `{}` (v{}) with the following Python ABI tags: `{}`",
        "error: x y\nhint: re-releases are available for `x` (e.g., {})",
        "ERROR: No matching distribution found for {}",
        "The conflict is caused by:\n    The user requested {}\n    {} depends on {}",
        "fatal error: {}: No such file or directory",
        "/bin/sh: 1: {}: not found",
        "Package '{}', required by 'x', not found",
        "E: Unable to locate package {}",
        "note: {} {} is an old release: {} needs Python {}",
        "LookupError: setuptools-scm was unable to detect version for {}",
        "{}",
    ];
    // As much as is kept of the output of a step.
    let kept = crate::engine::docker::tail::LOG_TAIL;
    let (long, many) = ("A".repeat(kept), "a>1 depends on a<1 ".repeat(kept / 19));
    let texts = HOSTILE.iter().copied().chain([long.as_str(), &many]);
    let steps = [
        packages(&["x", "a b"]),
        r#"[3/5] RUN ["/bin/sh","/run/rlmesh-sandbox/install/apt.sh","git"]"#.to_owned(),
    ];
    for text in texts {
        for template in templates {
            let line = template.replace("{}", text) + "\n";
            let times = (kept / line.len()).max(1);
            for (output, step) in
                [line.clone(), line.repeat(times)].iter().flat_map(|o| steps.iter().map(move |s| (o, s)))
            {
                let error = failed(Some((step, "exit code: 1", output)), "");
                for change in changes(&error) {
                    let Some(typed) = shlex::split(&change.to_string()) else { panic!("{change:?}") };
                    assert!(
                        typed.len() == 2 && !typed.concat().contains(['$', '`', ';', '@', ' ']),
                        "{change:?}"
                    );
                }
                assert!(error.to_string().chars().count() <= 1100 && error.hints().len() < 6, "{error}");
                assert!(error.details().unwrap().lines().all(|line| line.chars().count() < 310));
            }
        }
    }
}
