//! Explains how a container ended or hangs: exit codes, the system, and versions.

use crate::error::Change;
use crate::sandbox::failure::log::Frame;
use crate::sandbox::failure::{Advice, Case, ContainerEnd};

/// A container that uses less of a core than this waits for something, in percent.
const WORKING: f64 = 20.0;

/// Programs that environments run, and the packages of Debian that contain them.
const PROGRAMS: &[(&str, &str)] = &[
    ("Xvfb", "xvfb"),
    ("dot", "graphviz"),
    ("espeak", "espeak"),
    ("ffmpeg", "ffmpeg"),
    ("g++", "g++"),
    ("gcc", "gcc"),
    ("git", "git"),
    ("java", "default-jre-headless"),
    ("make", "make"),
    ("swig", "swig"),
    ("unzip", "unzip"),
    ("wget", "wget"),
    ("xvfb-run", "xvfb"),
];

/// What happened, if no exception says it.
pub(super) fn cause(case: &Case<'_>, end: Option<ContainerEnd>) -> Option<String> {
    let place = case.log.place().map(at);
    match end {
        None => place.map(|place| format!("it is at {place}")),
        Some(ContainerEnd { is_out_of_memory: true, .. }) => Some("out of memory".to_owned()),
        Some(ContainerEnd { exit_code, .. }) => {
            let what = signal(exit_code)?;
            let what = case.log.crash_reason().unwrap_or_else(|| what.to_owned());
            Some(match place {
                Some(place) => format!("{what} at {place}"),
                None => what,
            })
        }
    }
}

/// The signal of an exit code, as a shell counts it.
fn signal(exit_code: i64) -> Option<&'static str> {
    Some(match exit_code {
        132 => "illegal instruction",
        134 => "aborted",
        135 => "bus error",
        136 => "arithmetic error",
        139 => "segmentation fault",
        _ => return None,
    })
}

fn at(frame: &Frame) -> String {
    format!("{}:{} in {}", frame.short_file(), frame.line, frame.function)
}

/// Explains a container by its end alone.
pub(super) fn advice(case: &Case<'_>, end: Option<ContainerEnd>) -> Advice {
    const MEMORY: &str = "give Docker more memory, or serve fewer copies (-n)";
    let Some(ContainerEnd { exit_code, is_out_of_memory }) = end else { return hang(case) };
    match exit_code {
        _ if is_out_of_memory => Advice::hint(format!("the container ran out of memory: {MEMORY}")),
        137 => Advice::hint(format!(
            "the container was killed, most likely because it ran out of memory: {MEMORY}"
        )),
        135 => shared_memory(case),
        132 => Advice::hint(
            "a package was compiled for another processor: use another version of it (-p NAME==VERSION), or an engine with a newer processor",
        ),
        134 | 136 | 139 => Advice::hint(
            "compiled code crashed: use another version of its package (-p NAME==VERSION), or another base image (--base-image)",
        ),
        _ if case.log.cause().is_some() => Advice::hint(
            "this is an error of the environment's own code: check its arguments (-k) and packages (-p)",
        ),
        _ if case.log.has("sandbox_env <bootstrap.json>") => Advice::hint(
            "this image was built for an environment: run the source that it was built for instead of image://",
        ),
        127 => Advice::hint("the image's program does not exist: check that the image serves rlmesh"),
        _ if case.plan.build().is_none() => Advice::hint(format!(
            "the image's program ended (exit code {exit_code}): check that the image serves rlmesh"
        )),
        _ => Advice::hint(format!(
            "the environment's code ended Python itself (exit code {exit_code}): look for sys.exit or os._exit in it"
        )),
    }
}

/// Explains a container that does not answer.
fn hang(case: &Case<'_>) -> Advice {
    let Some(inner) = case.log.crash.first() else {
        return longer(case, "it may only need more time");
    };
    match case.facts.cpu {
        Some(cpu) if cpu < WORKING => Advice::hint(match waits_for(inner) {
            Some(what) => format!("it waits for {what}, and more time does not help: change the environment's arguments (-k)"),
            None => "it waits rather than computes: find out what for at that line, or allow more time with --ready-timeout".to_owned(),
        }),
        Some(_) => longer(case, "it is still working: allow more time"),
        None => longer(case, "it may only need more time"),
    }
}

fn longer(case: &Case<'_>, why: &str) -> Advice {
    let seconds = case.facts.limit.map_or(0, |limit| limit.as_secs().saturating_mul(2)).max(60);
    Advice::with(why, Some(Change::Add("--ready-timeout", seconds.to_string())))
}

/// What a function of Python's standard library waits for.
fn waits_for(frame: &Frame) -> Option<&'static str> {
    let file = frame.file.rsplit('/').next().unwrap_or_default();
    Some(match (file, frame.function.as_str()) {
        ("socket.py" | "ssl.py" | "selectors.py" | "client.py" | "connection.py", _) => {
            "a network connection"
        }
        ("threading.py" | "queue.py" | "synchronize.py", _) => "another thread",
        ("subprocess.py" | "popen_fork.py", _) => "another program",
        ("filelock.py" | "_api.py" | "_unix.py", _) => "a lock",
        _ => return None,
    })
}

fn shared_memory(case: &Case<'_>) -> Advice {
    Advice::with(
        "/dev/shm is too small for the environment: Docker's default is 64 MiB",
        case.add("--shm-size", "1g"),
    )
}

/// Explains what the system refused.
pub(super) fn system(case: &Case<'_>) -> Option<Advice> {
    let log = case.log;
    if log.has("out of shared memory") || log.has("insufficient shared memory") {
        return Some(shared_memory(case));
    }
    log.exceptions().find_map(|text| {
        let has = |signs: &[&str]| signs.iter().any(|sign| text.contains(sign));
        let program = text
            .split_once("No such file or directory: '")
            .and_then(|(_, rest)| PROGRAMS.iter().find(|(name, _)| rest.strip_suffix('\'') == Some(name)));
        if let Some((name, package)) = program {
            return Some(Advice::with(format!("the image lacks the program {name}"), case.add("--apt", package)));
        }
        let hint = if text.starts_with("EOFError") {
            "the environment asks for input, and a container has none: find an argument (-k) that answers it"
        } else if text.starts_with("MemoryError") || has(&["Cannot allocate memory", "Unable to allocate"]) {
            "there is not enough memory: give Docker more, or serve fewer copies (-n)"
        } else if has(&["No space left on device"]) {
            "the engine's disk, or a folder of limited size in the container, is full: free some space, for example with `docker system prune`"
        } else if has(&["Read-only file system"]) {
            "the environment writes to a folder that is read-only: give it another one, such as /tmp, by an argument (-k) or a variable (-e)"
        } else if has(&["Permission denied", "Operation not permitted"]) {
            "the container may not do this: give the environment a folder that it can use, such as /tmp, by an argument (-k) or a variable (-e)"
        } else if has(&["Address already in use"]) {
            "the environment itself opens a port twice, or the port of rlmesh (50051): give it another one with -k"
        } else if has(&[
            "Name or service not known",
            "Temporary failure in name resolution",
            "Network is unreachable",
            "Max retries exceeded",
            "urlopen error",
            "ConnectTimeout",
        ]) {
            "the environment downloads something when it starts, and that failed: check the engine's network, or use a package or image that contains the files"
        } else {
            return None;
        };
        Some(Advice::hint(hint))
    })
}

/// Explains errors of packages that do not fit together: most appear when a new version of one is released.
pub(super) fn versions(case: &Case<'_>) -> Option<Advice> {
    const SIGNS: [&str; 7] = [
        "cannot import name",
        "has no attribute",
        "numpy.dtype size changed",
        "numpy.core.multiarray failed to import",
        "A module that was compiled using NumPy 1.x",
        "Descriptors cannot be created directly",
        "undefined symbol",
    ];
    let text = case.log.cause()?;
    let is_break = SIGNS.iter().any(|sign| text.contains(sign));
    (is_break && case.plan.build().is_some()).then(|| {
        let packages: Vec<&str> = case.log.chain().into_iter().filter(|name| *name != "rlmesh").take(3).collect();
        let whose = if packages.is_empty() { "the packages".to_owned() } else { packages.join(", ") };
        Advice::hint(format!(
            "the versions of {whose} may not fit each other: install what was newest when it worked with --as-of YYYY-MM-DD, or pin a version with -p 'NAME<VERSION'"
        ))
    })
}
