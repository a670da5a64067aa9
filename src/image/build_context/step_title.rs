//! Shortens the name of a build step for users.

use crate::image::build_context::dockerfile::MOUNTS;
use crate::image::build_context::install::{APT_SCRIPT, FOLDER};

/// A step's name without mounts and other options, and without the quotes of the exec form.
pub(crate) fn title(name: &str) -> String {
    let (position, instruction) = match name.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        Some((position, instruction)) => (position.rsplit(' ').next(), instruction),
        None => (None, name),
    };
    let words = instruction.split(' ').filter(|word| !word.starts_with("--"));
    let mut text = words.collect::<Vec<_>>().join(" ");
    if let Some((verb, array)) = text.split_once(" [")
        && let Ok(words) = serde_json::from_str::<Vec<String>>(&format!("[{array}"))
    {
        text = format!("{verb} {}", command_line(&words));
    }
    match position {
        Some(position) => format!("[{position}] {text}"),
        None => text,
    }
}

/// A step's command without its options. For the install scripts, it is what they install, and the installer
/// if one was chosen.
fn command_line(words: &[String]) -> String {
    let shown = |words: &[String]| -> String {
        let mounted = format!("{MOUNTS}/");
        let words = words.iter().filter(|word| !word.starts_with("--"));
        words.map(|word| word.trim_start_matches(&mounted)).collect::<Vec<_>>().join(" ")
    };
    let scripts = format!("{MOUNTS}/{FOLDER}/");
    let [_, script, rest @ ..] = words else { return shown(words) };
    let (rest, installer) = match rest {
        [option, how, rest @ ..] if option == "--installer" => (rest, format!(" ({how})")),
        [option, date, rest @ ..] if option == "--as-of" => (rest, format!(" (as of {date})")),
        rest => (rest, String::new()),
    };
    match (script.strip_prefix(&scripts), rest) {
        (None, _) => shown(words),
        (Some(APT_SCRIPT), names) => format!("apt install {}", shown(names)),
        (Some(_), [option, _]) if option == "--requirements" => {
            format!("install requirements.txt{installer}")
        }
        (Some(_), [option, ..]) if option == "--write-lock" => "write the lockfile".to_owned(),
        (Some(_), packages) => format!("install {}{installer}", shown(packages)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_show_what_a_step_does() {
        for (name, shown) in [
            (
                "[1/4] FROM docker.io/library/python:3.11-slim",
                "[1/4] FROM docker.io/library/python:3.11-slim",
            ),
            (
                r#"[stage-0 3/4] RUN --mount=type=cache,target=/root/.cache/pip ["python","-m","pip","install","six"]"#,
                "[3/4] RUN python -m pip install six",
            ),
            (
                r#"[2/2] RUN ["pip","install","--require-hashes","-r","lock.txt"]"#,
                "[2/2] RUN pip install -r lock.txt",
            ),
            (
                r#"[3/4] RUN --mount=x ["/bin/sh","/run/rlmesh-sandbox/install/install.sh","--requirements","/opt/rlmesh/source"]"#,
                "[3/4] RUN install requirements.txt",
            ),
            (
                r#"[3/4] RUN --mount=x ["/bin/sh","/run/rlmesh-sandbox/install/install.sh","--installer","pip","six","attrs"]"#,
                "[3/4] RUN install six attrs (pip)",
            ),
            (
                r#"[3/4] RUN --mount=x ["/bin/sh","/run/rlmesh-sandbox/install/install.sh","--lock","/run/rlmesh-sandbox/lock.txt"]"#,
                "[3/4] RUN install lock.txt",
            ),
            (
                r#"[3/4] RUN --mount=x ["/bin/sh","/run/rlmesh-sandbox/install/install.sh","--write-lock","/rlmesh-base","/tmp/rlmesh-lock.txt"]"#,
                "[3/4] RUN write the lockfile",
            ),
            (
                r#"[4/4] RUN ["/bin/sh","/run/rlmesh-sandbox/install/apt.sh","libgl1"]"#,
                "[4/4] RUN apt install libgl1",
            ),
            ("[2/3] RUN echo [a] --x", "[2/3] RUN echo [a]"),
            ("exporting to image", "exporting to image"),
        ] {
            assert_eq!(title(name), shown);
        }
    }
}
