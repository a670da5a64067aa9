//! Reads the name of a build step: what it installs, and a short title for users.

use crate::contract::{IMAGE_FOLDER, SOURCE_FOLDER};
use crate::image::build_context::LOCAL_FOLDER;
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

/// What a step of the Dockerfile installs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Installs {
    /// Debian packages.
    Debian(Vec<String>),
    /// What a repository's own files require.
    Requirements,
    /// The packages of a lockfile.
    Lock,
    /// rlmesh (a requirement or a wheel's path), and gymnasium.
    Rlmesh(String),
    /// Requirements of the user.
    Packages(Vec<String>),
}

/// What a step installs, by its name; `None` if it does not install anything.
pub(crate) fn installs(name: &str) -> Option<Installs> {
    let (_, array) = name.split_once(" [\"")?;
    let words: Vec<String> = serde_json::from_str(&format!("[\"{array}")).ok()?;
    script_call(&words).and_then(|call| call.installs)
}

/// A call of one of the install scripts.
struct ScriptCall<'a> {
    /// `None` for the script that writes a lockfile.
    installs: Option<Installs>,
    arguments: &'a [String],
    /// How it installs, in parentheses: the installer or the date, if one was chosen.
    how: String,
}

fn script_call(words: &[String]) -> Option<ScriptCall<'_>> {
    let [_, script, rest @ ..] = words else { return None };
    let script = script.strip_prefix(&format!("{MOUNTS}/{FOLDER}/"))?;
    let (arguments, how) = match rest {
        [option, how, rest @ ..] if option == "--installer" => (rest, format!(" ({how})")),
        [option, date, rest @ ..] if option == "--as-of" => (rest, format!(" (as of {date})")),
        rest => (rest, String::new()),
    };
    let installs = match arguments {
        names if script == APT_SCRIPT => Some(Installs::Debian(names.to_vec())),
        [option, ..] if option == "--requirements" => Some(Installs::Requirements),
        [option, ..] if option == "--lock" => Some(Installs::Lock),
        [option, ..] if option == "--write-lock" => None,
        [option, rlmesh] if option == "--no-deps" => Some(Installs::Rlmesh(rlmesh.clone())),
        [rlmesh, gymnasium] if gymnasium == "gymnasium" => Some(Installs::Rlmesh(rlmesh.clone())),
        packages => Some(Installs::Packages(packages.to_vec())),
    };
    Some(ScriptCall { installs, arguments, how })
}

/// A step's command without its options. For the install scripts, it is what they install, and the installer
/// if one was chosen.
fn command_line(words: &[String]) -> String {
    let shown = |words: &[String]| -> String {
        let words = words.iter().filter(|word| !word.starts_with("--"));
        words.map(|word| readable(word)).collect::<Vec<_>>().join(" ")
    };
    let Some(call) = script_call(words) else { return shown(words) };
    match call.installs {
        None => "write the lockfile".to_owned(),
        Some(Installs::Debian(names)) => format!("apt install {}", shown(&names)),
        Some(Installs::Requirements) => format!("install requirements.txt{}", call.how),
        Some(_) => format!("install {}{}", shown(call.arguments), call.how),
    }
}

/// A word of a step's command without the folders of the build.
fn readable(word: &str) -> String {
    if word == format!("{IMAGE_FOLDER}/{SOURCE_FOLDER}") {
        return "the folder's package".to_owned();
    }
    // A package of this machine: `[NAME @ file://]MOUNTS/local/DIGEST/FILE`.
    let local = word.split_once(&format!("{MOUNTS}/{LOCAL_FOLDER}/"));
    match local.and_then(|(start, rest)| Some((start, rest.split_once('/')?.1))) {
        Some((start, file)) => format!("{}./{file}", start.trim_end_matches("file://")),
        None => word.trim_start_matches(&format!("{MOUNTS}/")).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steps_name_says_what_it_installs() {
        let step = |arguments: &str| {
            installs(&format!(r#"[3/4] RUN --mount=x ["/bin/sh","/run/rlmesh-sandbox/install/{arguments}]"#))
        };
        let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        for (arguments, expected) in [
            (r#"apt.sh","git""#, Some(Installs::Debian(words(&["git"])))),
            (r#"install.sh","--requirements","/opt/rlmesh/source""#, Some(Installs::Requirements)),
            (r#"install.sh","--lock","/run/rlmesh-sandbox/lock.txt""#, Some(Installs::Lock)),
            (
                r#"install.sh","rlmesh==0.1.0","gymnasium""#,
                Some(Installs::Rlmesh("rlmesh==0.1.0".to_owned())),
            ),
            (r#"install.sh","--no-deps","/x.whl""#, Some(Installs::Rlmesh("/x.whl".to_owned()))),
            (
                r#"install.sh","--installer","pip","six [a]","b""#,
                Some(Installs::Packages(words(&["six [a]", "b"]))),
            ),
            (r#"install.sh","--as-of","2024-01-01","six""#, Some(Installs::Packages(words(&["six"])))),
            (r#"install.sh","--write-lock","/base","/x""#, None),
        ] {
            assert_eq!(step(arguments), expected, "{arguments}");
        }
        assert_eq!(installs(r#"[2/2] RUN ["pip","install","six"]"#), None);
        assert_eq!(installs("[1/4] FROM python"), None);
    }

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
            (
                r#"[4/5] RUN --mount=x ["/bin/sh","/run/rlmesh-sandbox/install/install.sh","/opt/rlmesh/source"]"#,
                "[4/5] RUN install the folder's package",
            ),
            (
                r#"[4/5] RUN ["/bin/sh","/run/rlmesh-sandbox/install/install.sh","/run/rlmesh-sandbox/local/0123456789ab/my-pkg[dev]","x @ file:///run/rlmesh-sandbox/local/0123456789ab/x-1.whl ; python_version > '3'"]"#,
                "[4/5] RUN install ./my-pkg[dev] x @ ./x-1.whl ; python_version > '3'",
            ),
            ("[2/3] RUN echo [a] --x", "[2/3] RUN echo [a]"),
            ("exporting to image", "exporting to image"),
        ] {
            assert_eq!(title(name), shown);
        }
    }
}
