//! Recorded failures of real installations: each leads to the change that helps.

use super::*;

macro_rules! recorded {
    ($name:literal) => {
        include_str!(concat!("../../../../tests/fixtures/failed_builds/", $name, ".txt"))
    };
}

/// The outputs of real installations.
#[test]
fn recorded_failures_lead_on() {
    let requirements = r#"[4/5] RUN ["/bin/sh","/run/rlmesh-sandbox/install/install.sh","--requirements","/opt/rlmesh/source"]"#;
    let apt = |names: &str| format!(r#"[3/5] RUN ["/bin/sh","/run/rlmesh-sandbox/install/apt.sh",{names}]"#);
    let rows: &[(String, &str, &str, &str, &str)] = &[
        (
            packages(&["tensorflow==2.10.0"]),
            recorded!("abi"),
            "tensorflow 2.10.0 has no wheel for Python 3.11",
            "it has wheels for Python 3.10",
            "--base-image python:3.10-slim",
        ),
        (
            packages(&["tensorflow==2.7.0"]),
            recorded!("abi_none"),
            "tensorflow 2.7.0 has no wheel for Python 3.11",
            "its wheels are for cp37m, cp38, cp39, and rlmesh needs Python 3.10 or newer: use another version of tensorflow",
            "",
        ),
        (
            packages(&["pywin32"]),
            recorded!("platform"),
            "pywin32 312 has no wheel for this platform",
            "its wheels are for win32, win_amd64, win_arm64, and the package index has no source to compile",
            "",
        ),
        (
            packages(&["x @ git+https://github.com/Farama-Foundation/Minigrid"]),
            recorded!("git"),
            "git is missing to build x @ git+https://github.com/Farama-Foundation/Minigrid",
            "it is needed to download the package's source",
            "--apt git",
        ),
        (
            packages(&["nonexistent-pkg-xyz"]),
            recorded!("notfound"),
            "nonexistent-pkg-xyz is not on the package index",
            "-p names it: check its spelling",
            "",
        ),
        (
            packages(&["six==99"]),
            recorded!("notversion"),
            "the package index has no six==99",
            "-p asks for it: use a version that exists",
            "",
        ),
        (
            packages(&["minigrid==3.0.0", "gymnasium==0.26"]),
            recorded!("conflict"),
            "the requirements conflict: minigrid==3.0.0 needs gymnasium>=0.28.1, and -p asks for gymnasium==0.26",
            "change one of the two, or use another version of the package that needs it",
            "",
        ),
        (
            packages(&["numpy<2", "numpy>2"]),
            recorded!("conflict2"),
            "the requirements conflict: -p asks for numpy<2, and -p asks for numpy>2",
            "change one of the two, or use another version of the package that needs it",
            "",
        ),
        (
            packages(&["gymnasium>1.0.0a1,<1.0.0"]),
            recorded!("prerel2"),
            "the requirements conflict: -p asks for gymnasium>1.0.0a1, and -p asks for gymnasium<1.0.0",
            "change one of the two, or use another version of the package that needs it",
            "",
        ),
        (
            packages(&["gymnasium"]),
            recorded!("asof"),
            "gymnasium had no such version at the date of --as-of",
            "use a later date: its newest version was published on 2026-10-05",
            "",
        ),
        (
            packages(&["numpy==2.5.0"]),
            recorded!("reqpy"),
            "numpy==2.5.0 needs Python >=3.12",
            "the base image has Python 3.11, which is too old for it",
            "--base-image python:3.12-slim",
        ),
        (
            packages(&["scipy>=1.18"]),
            recorded!("reqpy_dep"),
            "scipy>=1.18.0 needs Python >=3.12",
            "the base image has Python 3.11, which is too old for it",
            "--base-image python:3.12-slim",
        ),
        (
            requirements.to_owned(),
            recorded!("req_notfound"),
            "nope-nope-xyz is not on the package index",
            "requirements.txt names it: check its spelling",
            "",
        ),
        (
            packages(&["evdev==1.6.0"]),
            recorded!("evdev2"),
            "Python.h is missing to build evdev==1.6.0",
            "the package has no wheel for this Python, so it is compiled",
            "--apt python3-dev",
        ),
        (
            packages(&["pyaudio==0.2.13"]),
            recorded!("portaudio"),
            "portaudio.h is missing to build pyaudio==0.2.13",
            "the package has no wheel for this Python, so it is compiled",
            "--apt portaudio19-dev",
        ),
        (
            packages(&["cffi==1.14.0"]),
            recorded!("cffi"),
            "ffi.h is missing to build cffi==1.14.0",
            "the package has no wheel for this Python, so it is compiled",
            "--apt libffi-dev",
        ),
        (
            packages(&["pygraphviz==1.11"]),
            recorded!("pygraphviz"),
            "graphviz/cgraph.h is missing to build pygraphviz==1.11",
            "the package has no wheel for this Python, so it is compiled",
            "--apt libgraphviz-dev",
        ),
        (
            packages(&["pillow==8.0.0"]),
            recorded!("pillow"),
            "jpeg is missing to build pillow==8.0.0",
            "the package has no wheel for this Python, so it is compiled",
            "--apt build-essential --apt libjpeg-dev --apt pkg-config --apt python3-dev",
        ),
        (
            packages(&["atari-py==0.2.9"]),
            recorded!("atari"),
            "cmake is missing to build atari-py==0.2.9",
            "the package has no wheel for this Python, so it is compiled",
            "--apt build-essential --apt cmake --apt python3-dev",
        ),
        (
            packages(&["psutil==5.8.0"]),
            recorded!("psutil"),
            "gcc is missing to build psutil==5.8.0",
            "the package has no wheel for this Python, so it is compiled",
            "--apt build-essential --apt python3-dev",
        ),
        (
            packages(&["pygame==2.1.0"]),
            recorded!("pygame"),
            "sdl2-config is missing to build pygame==2.1.0",
            "the package has no wheel for this Python, so it is compiled",
            "--apt build-essential --apt libsdl2-dev --apt python3-dev",
        ),
        (
            packages(&["dbus-python==1.3.2"]),
            recorded!("dbus"),
            "pkg-config is missing to build dbus-python==1.3.2",
            "the package has no wheel for this Python, so it is compiled",
            "--apt build-essential --apt pkg-config --apt python3-dev",
        ),
        (
            packages(&["lxml==4.8.0"]),
            recorded!("lxml"),
            "libxml2, libxslt are missing",
            "the package has no wheel for this Python, so it is compiled",
            "--apt build-essential --apt libxml2-dev --apt libxslt1-dev",
        ),
        (
            packages(&["dm-tree==0.1.7"]),
            recorded!("cmake"),
            "cmake is missing to build dm-tree==0.1.7",
            "the package has no wheel for this Python, so it is compiled",
            "--apt build-essential --apt cmake --apt python3-dev",
        ),
        (
            packages(&["tokenizers==0.10.3"]),
            recorded!("rust"),
            "cargo is missing to build tokenizers==0.10.3",
            "the package has no wheel for this Python, so it is compiled",
            "--apt build-essential --apt cargo --apt python3-dev",
        ),
        (
            packages(&["mysqlclient==2.2.0"]),
            recorded!("mysql"),
            "pkg-config is missing to build mysqlclient==2.2.0",
            "the package has no wheel for this Python, so it is compiled",
            "--apt build-essential --apt pkg-config --apt python3-dev",
        ),
        (
            packages(&["pycairo==1.25.0"]),
            recorded!("pycairo"),
            "pkg-config is missing to build pycairo==1.25.0",
            "the package has no wheel for this Python, so it is compiled",
            "--apt build-essential --apt pkg-config --apt python3-dev",
        ),
        (
            packages(&["box2d-py==2.3.8"]),
            recorded!("nogcc"),
            "swig is missing to build box2d-py==2.3.8",
            "the package has no wheel for this Python, so it is compiled",
            "--apt build-essential --apt python3-dev --apt swig",
        ),
        (
            packages(&["gym==0.21.0"]),
            recorded!("oldgym"),
            "Failed to build `gym==0.21.0`: Call to `setuptools.build_meta:__legacy__.get_requires_for_build_wheel` failed (exit status: 1)",
            "this release is too old for today's setuptools: use a newer release of the package",
            "",
        ),
        (
            packages(&["gfootball"]),
            recorded!("make"),
            "Failed to build `gfootball==2.10.2`: Google Research Football compilation failed",
            "a package has no wheel for this Python, and its build fails: use another version of the package, or a base image with another Python",
            "",
        ),
        (
            packages(&["six=>1"]),
            recorded!("badreq2"),
            "Failed to parse: `six=>1`: no such comparison operator \"=>\", must be one of ~= == != <= >= < > === six=>1 ^^^",
            "use a pip requirement: NAME, NAME==1.2, 'NAME[extra]', a URL or git+https://…",
            "",
        ),
        (
            packages(&["six"]),
            recorded!("nonet"),
            "Failed to fetch: https://pypi.org/simple/six/: failed to lookup address information: Try again",
            "the package index cannot be reached from inside the build: check the engine's network and proxy",
            "",
        ),
        (
            packages(&["six"]),
            recorded!("proxy"),
            "Failed to fetch: https://pypi.org/simple/six/: Connection refused (os error 111)",
            "the package index cannot be reached from inside the build: check the engine's network and proxy",
            "",
        ),
        (
            packages(&["six"]),
            recorded!("refused"),
            "Failed to fetch: http://127.0.0.1:9/simple/six/: Connection refused (os error 111)",
            "the package index cannot be reached from inside the build: check the engine's network and proxy",
            "",
        ),
        (
            packages(&["numpy"]),
            recorded!("disk"),
            "Failed to install: numpy-2.4.6-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl (numpy==2.4.6): failed to copy file from /run/rlmesh-sandbox/cache/0/packages/archive-v0/t8F_SC5iM0abKPJH/numpy.libs/libscipy_openblas64_-32a4b2a6.so to /usr/local/lib/python3.11/dist-packages/numpy.libs/.tmpiZxbGb: No space left on device (os error 28)",
            "the engine's disk is full: free some space, for example with `docker system prune`",
            "",
        ),
        (
            packages(&["six"]),
            recorded!("user"),
            "failed to create directory `/.local/lib/python3.11/site-packages`: Permission denied (os error 13)",
            "the base image's user cannot install packages: use a base image whose user is root",
            "",
        ),
        (
            packages(&["--lock", "/run/rlmesh-sandbox/lock.txt"]),
            recorded!("nohash"),
            "Failed to download `cffi==1.17.0`: Hash mismatch for `cffi==1.17.0`",
            "the package index has a different file than the lockfile lists: find out why, or remove the lockfile; the next build writes a new one",
            "",
        ),
        (
            packages(&["tensorflow==2.10.0"]),
            recorded!("pip_abi"),
            "there is no tensorflow==2.10.0 for this Python",
            "the index has 2.12.0rc0 to 2.22.0rc0 for it; -p asks for it",
            "",
        ),
        (
            packages(&["nonexistent-pkg-xyz"]),
            recorded!("pip_notfound"),
            "nonexistent-pkg-xyz is not on the package index, or not for this Python and platform",
            "-p names it: check its spelling",
            "",
        ),
        (
            packages(&["minigrid==3.0.0", "gymnasium==0.26"]),
            recorded!("pip_conflict"),
            "there is no gymnasium==0.26 for this Python",
            "the index has 0.0.1 to 1.4.0 for it; -p asks for it",
            "",
        ),
        (
            packages(&["minigrid==3.0.0", "gymnasium==0.28.0"]),
            recorded!("pip_conflict2"),
            "the requirements conflict: -p asks for gymnasium==0.28.0, and minigrid 3.0.0 needs gymnasium>=0.28.1",
            "change one of the two, or use another version of the package that needs it",
            "",
        ),
        (
            packages(&["numpy<2", "numpy>2"]),
            recorded!("pip_conflict3"),
            "the requirements conflict: -p asks for numpy<2, and -p asks for numpy>2",
            "change one of the two, or use another version of the package that needs it",
            "",
        ),
        (
            packages(&["x @ git+https://github.com/Farama-Foundation/Minigrid"]),
            recorded!("pip_git"),
            "git is missing",
            "it is needed to download the package's source",
            "--apt git",
        ),
        (
            packages(&["numba==0.55.0"]),
            recorded!("pip_reqpy"),
            "numba==0.55.0 needs Python >=3.7,<3.11",
            "the base image's Python is too old or too new for it",
            "--base-image python:3.10-slim",
        ),
        (
            requirements.to_owned(),
            recorded!("pip_req_notfound"),
            "nope-nope-xyz==1 is not on the package index, or not for this Python and platform",
            "requirements.txt names it: check its spelling",
            "",
        ),
        (
            packages(&["evdev==1.6.0"]),
            recorded!("pip_evdev"),
            "Python.h is missing to build evdev",
            "the package has no wheel for this Python, so it is compiled",
            "--apt python3-dev",
        ),
        (
            packages(&["box2d-py==2.3.8"]),
            recorded!("pip_nogcc"),
            "swig is missing to build box2d-py",
            "the package has no wheel for this Python, so it is compiled",
            "--apt build-essential --apt python3-dev --apt swig",
        ),
        (
            packages(&["six=>1"]),
            recorded!("pip_badreq2"),
            "Invalid requirement: 'six=>1'",
            "use a pip requirement: NAME, NAME==1.2, 'NAME[extra]', a URL or git+https://…",
            "",
        ),
        (
            apt(r#""libgl1","libnope1","libnope2""#),
            recorded!("apt_two"),
            "libnope1, libnope2 are not packages of the base image's Debian or Ubuntu release",
            "check the spelling of --apt; https://packages.debian.org finds names and files",
            "",
        ),
        (
            apt(r#""libgl1=99""#),
            recorded!("apt_virtual"),
            "the base image's Debian or Ubuntu release has no libgl1=99",
            "its servers only have the newest version of a package",
            "--apt libgl1",
        ),
        (
            packages(&["numba==0.55.0"]),
            recorded!("reqpy_lower"),
            "llvmlite==0.38.1 needs another Python",
            "it can be built with Python 3.10",
            "--base-image python:3.10-slim",
        ),
    ];
    for (step, output, message, hint, changes) in rows {
        let error = failed(Some((step, "exit code: 1", output)), "");
        let mut hints = error.hints();
        let pass = if changes.is_empty() { String::new() } else { hints.pop().unwrap() };
        let seen = (error.to_string(), hints.join(" | "), pass);
        let expected = (
            format!("the image was not built: {message}"),
            (*hint).to_owned(),
            if changes.is_empty() { String::new() } else { format!("pass {changes}") },
        );
        assert_eq!(seen, expected, "{step}");
        let details = error.details().unwrap();
        assert!(details.lines().count() <= QUOTED_LINES + 1, "{details}");
    }
}
