//! Explains missing system libraries: sonames → Debian packages.

use crate::error::Change;
use crate::sandbox::failure::{Advice, Case};

/// Sonames and the packages of Debian 12 that contain them.
const PACKAGES: &str = include_str!("libraries.txt");

/// Libraries of GPU drivers, which no Debian package can add to an image.
const DRIVERS: [&str; 4] = ["libcuda.so", "libnvidia-", "libnvoptix.so", "libnvcuvid.so"];

/// Libraries of CUDA, which pip packages contain.
const CUDA: [&str; 13] = [
    "libcudart",
    "libcublas",
    "libcudnn",
    "libcufft",
    "libcurand",
    "libcusolver",
    "libcusparse",
    "libcupti",
    "libnccl",
    "libnvrtc",
    "libnvToolsExt",
    "libnvinfer",
    "libnvJitLink",
];

/// What packages print if they do not find a library, and its soname.
const NAMED: [(&str, &str); 4] = [
    ("PortAudio library not found", "libportaudio.so.2"),
    ("sndfile library not found", "libsndfile.so.1"),
    ("SpatialIndex library", "libspatialindex_c.so.6"),
    ("no libmagic", "libmagic.so.1"),
];

/// What mujoco, dm_control and PyOpenGL print if they find no library to draw with.
const NO_GL: [&str; 8] = [
    "has no attribute 'eglQueryString'",
    "has no attribute 'glGetError'",
    "an OpenGL platform library has not been loaded",
    "Cannot initialize a EGL device display",
    "gladLoadGL error",
    "mjr_makeContext",
    "invalid value for environment variable MUJOCO_GL",
    "Unable to load OpenGL library",
];

/// The package of Debian that contains a library.
fn package(soname: &str) -> Option<&'static str> {
    let lines = PACKAGES.lines().filter_map(|line| line.split_once(' '));
    lines.filter(|(known, _)| *known == soname).map(|(_, package)| package).next()
}

/// The soname of a library that is only known by its name, such as `GL`.
fn soname(name: &str) -> Option<&'static str> {
    let stem = |known: &str| known.split(".so").next().map(str::to_owned);
    let name = name.trim_start_matches("lib");
    let mut sonames = PACKAGES.lines().filter_map(|line| Some(line.split_once(' ')?.0));
    sonames.find(|known| stem(known).is_some_and(|stem| stem.strip_prefix("lib") == Some(name)))
}

/// Whether the log is about a library that is missing, so that a look into the image helps.
pub(super) fn is_missing(log: &super::log::Log) -> bool {
    !named(log).is_empty()
}

/// The sonames that the log names as missing.
fn named(log: &super::log::Log) -> Vec<String> {
    let of_exceptions = log.exceptions().filter_map(named_in);
    let mut found: Vec<String> = of_exceptions.collect();
    // A program that the loader could not start has no traceback.
    found.extend(
        log.lines().filter(|line| line.contains("error while loading shared libraries")).filter_map(named_in),
    );
    found.dedup();
    found
}

fn named_in(line: &str) -> Option<String> {
    if let Some((before, _)) = line.split_once(": cannot open shared object file") {
        let word = before.rsplit([' ', '\'', '"', '/']).next().unwrap_or_default();
        return is_soname(word).then(|| word.to_owned());
    }
    if let Some((_, named)) = NAMED.iter().find(|(text, _)| line.contains(text)) {
        return Some((*named).to_owned());
    }
    let between = |start: &str, end: &[char]| {
        let (_, rest) = line.split_once(start)?;
        rest.trim_start_matches(['"', '\'', ' ', ':']).split(end).next()
    };
    let name = if line.contains("\" not found") {
        between("Library \"", &['"'])
    } else {
        between("Could not find library", &['"', '\'', ' ', '.'])
    };
    soname(name?).map(str::to_owned)
}

/// Whether a text, which may come from an image, is the name of a shared library.
pub(super) fn is_soname(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+');
    text.len() <= 80 && text.contains(".so") && !text.starts_with(['-', '.']) && text.chars().all(is_plain)
}

/// Explains missing libraries: all that the failing packages need, at once.
pub(super) fn advice(case: &Case<'_>) -> Option<Advice> {
    let chain = case.log.chain();
    let mut missing = named(case.log);
    if missing.is_empty() {
        return graphics(case);
    }
    // Those of the packages that the failed import ran through, or else of those that need what is named. Others may
    // never be loaded.
    let mut packages: Vec<&str> = case.facts.missing.values().flatten().map(String::as_str).collect();
    packages.retain(|package| chain.contains(package));
    if packages.is_empty() {
        let needing = missing.iter().filter_map(|soname| case.facts.missing.get(soname));
        packages.extend(needing.flatten().map(String::as_str));
    }
    let looked_up = case.facts.missing.iter();
    missing.extend(
        looked_up
            .filter(|(_, by)| by.iter().any(|by| packages.contains(&by.as_str())))
            .map(|(soname, _)| soname.clone()),
    );
    missing.sort();
    missing.dedup();
    if let Some(driver) =
        missing.iter().find(|soname| DRIVERS.iter().any(|driver| soname.starts_with(driver)))
    {
        return Some(Advice::hint(format!(
            "{driver} is part of the GPU driver, not of the image: use an engine with GPUs, or the CPU variant of the package"
        )));
    }
    if let Some(cuda) = missing.iter().find(|soname| CUDA.iter().any(|cuda| soname.starts_with(cuda))) {
        return Some(Advice::hint(format!(
            "{cuda} is part of CUDA: install the CPU variant of the package, or its variant for the CUDA version of your engine's GPUs"
        )));
    }
    let (known, unknown): (Vec<&String>, Vec<&String>) =
        missing.iter().partition(|soname| package(soname).is_some());
    let mut packages: Vec<&str> = known.iter().filter_map(|soname| package(soname)).collect();
    if missing.iter().any(|soname| soname == "libEGL.so.1") {
        // One is of no use without the other.
        packages.push("libgl1");
    }
    packages.sort_unstable();
    packages.dedup();
    let changes: Vec<Change> = packages.iter().filter_map(|name| case.add("--apt", name)).collect();
    let all = missing.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let mut advice = Advice::hint(match (missing.len(), unknown.is_empty(), changes.is_empty()) {
        (1, true, false) => format!("the image lacks the system library {all}"),
        (_, true, false) => format!("the image lacks the system libraries {all}"),
        (_, true, true) => format!(
            "the loader does not find {all}, although its package is installed: use another base image (--base-image)"
        ),
        (_, false, _) => format!(
            "the image lacks {all}: install the Debian package that contains {} with --apt, or use another base image (--base-image)",
            unknown.iter().map(|soname| soname.as_str()).collect::<Vec<_>>().join(", ")
        ),
    });
    advice.changes = changes;
    Some(advice)
}

/// Explains that nothing can draw: mujoco and others load OpenGL only when they need it.
fn graphics(case: &Case<'_>) -> Option<Advice> {
    case.log.exceptions().find(|text| NO_GL.iter().any(|known| text.contains(known)))?;
    let mut advice = Advice::hint(
        "the environment draws with OpenGL: the image needs its libraries, which also work without a GPU",
    );
    advice.changes = ["libegl1", "libgl1"].iter().filter_map(|name| case.add("--apt", name)).collect();
    advice.changes.extend(case.add("-e", "MUJOCO_GL=egl"));
    if advice.changes.is_empty() {
        return Some(Advice::hint(
            "the environment draws with OpenGL, which does not work here: leave out render_mode, or use MUJOCO_GL=osmesa with --apt libosmesa6",
        ));
    }
    Some(advice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::values::debian_package;

    #[test]
    fn the_table_is_sorted_and_valid() {
        let lines: Vec<&str> = PACKAGES.lines().collect();
        assert!(lines.len() > 200);
        assert!(lines.windows(2).all(|pair| pair[0] < pair[1]));
        for line in lines {
            let (soname, package) = line.split_once(' ').unwrap();
            assert!(is_soname(soname) && debian_package(package).is_ok(), "{line}");
        }
    }

    #[test]
    fn libraries_are_found_in_what_loaders_print() {
        for (text, soname) in [
            (
                "ImportError: libGL.so.1: cannot open shared object file: No such file or directory",
                Some("libGL.so.1"),
            ),
            (
                "OSError: /usr/lib/x/libEGL.so.1: cannot open shared object file: No such file",
                Some("libEGL.so.1"),
            ),
            ("ImportError: Library \"GL\" not found.", Some("libGL.so.1")),
            ("ImportError: Library \"GLU\" not found.", Some("libGLU.so.1")),
            ("OSError: Could not find library 'fontconfig'", Some("libfontconfig.so.1")),
            ("OSError: PortAudio library not found", Some("libportaudio.so.2")),
            ("ImportError: $(x).so.1: cannot open shared object file", None),
            ("ImportError: Library \"x; rm\" not found.", None),
        ] {
            assert_eq!(named_in(text).as_deref(), soname, "{text}");
        }
    }
}
