//! Finds the programs and libraries that a package's build misses, and the Debian packages that have them.

use std::collections::BTreeSet;

/// Programs, and the Debian package of each.
const PROGRAMS: &[(&str, &str)] = &[
    ("autoconf", "autoconf"),
    ("automake", "automake"),
    ("autoreconf", "autoconf"),
    ("bison", "bison"),
    ("c++", COMPILER),
    ("cargo", "cargo"),
    ("cc", COMPILER),
    ("clang", "clang"),
    ("clang++", "clang"),
    ("cmake", "cmake"),
    ("curl", "curl"),
    ("cython", "cython3"),
    ("ffmpeg", "ffmpeg"),
    ("flex", "flex"),
    ("freetype-config", "libfreetype-dev"),
    ("g++", COMPILER),
    ("gcc", COMPILER),
    ("gfortran", "gfortran"),
    ("git", "git"),
    ("git-lfs", "git-lfs"),
    ("go", "golang-go"),
    ("java", "default-jdk-headless"),
    ("javac", "default-jdk-headless"),
    ("ld", COMPILER),
    ("libtoolize", "libtool"),
    ("llvm-config", "llvm-dev"),
    ("m4", "m4"),
    ("make", COMPILER),
    ("meson", "meson"),
    ("mysql_config", "default-libmysqlclient-dev"),
    ("nasm", "nasm"),
    ("ninja", "ninja-build"),
    ("node", "nodejs"),
    ("npm", "npm"),
    ("patch", "patch"),
    ("patchelf", "patchelf"),
    ("pg_config", "libpq-dev"),
    ("pkg-config", PKG_CONFIG),
    ("protoc", "protobuf-compiler"),
    ("rustc", "cargo"),
    ("sdl-config", "libsdl1.2-dev"),
    ("sdl2-config", "libsdl2-dev"),
    ("swig", "swig"),
    ("unzip", "unzip"),
    ("wget", "wget"),
    ("yasm", "yasm"),
    ("zip", "zip"),
];

const COMPILER: &str = "build-essential";
const PKG_CONFIG: &str = "pkg-config";

/// The headers of Debian's own Python. Other Pythons, such as those of `python:` images, have theirs.
const PYTHON: &str = "python3-dev";

/// Libraries: the Debian package, its headers (with a final slash: a folder of headers), and the names by which
/// linkers, pkg-config, CMake and error messages call it, in lower case.
const LIBRARIES: &[(&str, &[&str], &[&str])] = &[
    (PYTHON, &["Python.h", "pyconfig.h"], &["python", "python3", "python3-embed"]),
    ("libgl1-mesa-dev", &["GL/gl.h", "GL/glx.h", "GL/glext.h"], &["gl", "opengl"]),
    ("libegl1-mesa-dev", &["EGL/"], &["egl"]),
    ("libgles2-mesa-dev", &["GLES2/", "GLES3/"], &["glesv2"]),
    ("libgbm-dev", &["gbm.h"], &["gbm"]),
    ("libosmesa6-dev", &["GL/osmesa.h"], &["osmesa"]),
    ("libglu1-mesa-dev", &["GL/glu.h"], &["glu"]),
    ("freeglut3-dev", &["GL/glut.h", "GL/freeglut.h"], &["glut"]),
    ("libglew-dev", &["GL/glew.h"], &["glew"]),
    ("libglfw3-dev", &["GLFW/"], &["glfw", "glfw3"]),
    ("libvulkan-dev", &["vulkan/"], &["vulkan"]),
    ("libx11-dev", &["X11/Xlib.h", "X11/Xutil.h"], &["x11"]),
    ("libxext-dev", &["X11/extensions/"], &["xext"]),
    ("libxrandr-dev", &["X11/extensions/Xrandr.h"], &["xrandr"]),
    ("libxinerama-dev", &["X11/extensions/Xinerama.h"], &["xinerama"]),
    ("libxcursor-dev", &["X11/Xcursor/"], &["xcursor"]),
    ("libxi-dev", &["X11/extensions/XInput.h", "X11/extensions/XInput2.h"], &["xi"]),
    ("libxcb1-dev", &["xcb/"], &["xcb"]),
    ("libxkbcommon-dev", &["xkbcommon/"], &["xkbcommon"]),
    ("libwayland-dev", &["wayland-client.h", "wayland-server.h"], &["wayland-client"]),
    ("libsdl2-dev", &["SDL.h", "SDL2/"], &["sdl2", "sdl2main"]),
    ("libsdl2-image-dev", &["SDL_image.h"], &["sdl2_image"]),
    ("libsdl2-mixer-dev", &["SDL_mixer.h"], &["sdl2_mixer"]),
    ("libsdl2-ttf-dev", &["SDL_ttf.h"], &["sdl2_ttf"]),
    ("libsdl1.2-dev", &["SDL/"], &["sdl"]),
    ("libopenal-dev", &["AL/al.h", "AL/alc.h"], &["openal"]),
    ("libsndfile1-dev", &["sndfile.h"], &["sndfile"]),
    ("portaudio19-dev", &["portaudio.h"], &["portaudio", "portaudio-2.0"]),
    ("libasound2-dev", &["alsa/"], &["asound", "alsa"]),
    ("libpulse-dev", &["pulse/"], &["pulse", "libpulse"]),
    ("libudev-dev", &["libudev.h"], &["udev", "libudev"]),
    ("libusb-1.0-0-dev", &["libusb.h", "libusb-1.0/"], &["usb-1.0", "libusb-1.0"]),
    ("libhidapi-dev", &["hidapi.h", "hidapi/"], &["hidapi-hidraw", "hidapi-libusb"]),
    ("linux-libc-dev", &["linux/", "asm/"], &[]),
    ("libffi-dev", &["ffi.h"], &["ffi", "libffi"]),
    ("libssl-dev", &["openssl/"], &["ssl", "crypto", "openssl", "libssl", "libcrypto"]),
    ("zlib1g-dev", &["zlib.h"], &["z", "zlib"]),
    ("libbz2-dev", &["bzlib.h"], &["bz2", "bzip2"]),
    ("liblzma-dev", &["lzma.h"], &["lzma", "liblzma"]),
    ("liblz4-dev", &["lz4.h"], &["lz4", "liblz4"]),
    ("libzstd-dev", &["zstd.h"], &["zstd", "libzstd"]),
    ("libsnappy-dev", &["snappy.h", "snappy-c.h"], &["snappy"]),
    ("libcurl4-openssl-dev", &["curl/"], &["curl", "libcurl"]),
    ("libncurses-dev", &["curses.h", "ncurses.h", "term.h"], &["curses", "ncurses", "ncursesw", "tinfo"]),
    ("libreadline-dev", &["readline/"], &["readline"]),
    ("libsqlite3-dev", &["sqlite3.h"], &["sqlite3"]),
    ("libgdbm-dev", &["gdbm.h"], &["gdbm"]),
    ("libdb-dev", &["db.h"], &["db"]),
    ("libleveldb-dev", &["leveldb/"], &["leveldb"]),
    ("libpq-dev", &["libpq-fe.h"], &["pq", "libpq"]),
    ("default-libmysqlclient-dev", &["mysql.h", "mysql/"], &["mysqlclient", "mariadb", "libmariadb"]),
    ("libexpat1-dev", &["expat.h"], &["expat"]),
    ("libxml2-dev", &["libxml/", "libxml2/"], &["xml2", "libxml2", "libxml-2.0"]),
    ("libxslt1-dev", &["libxslt/", "libexslt/"], &["xslt", "exslt", "libxslt"]),
    ("libyaml-dev", &["yaml.h"], &["yaml", "yaml-0.1"]),
    ("libjpeg-dev", &["jpeglib.h"], &["jpeg", "libjpeg"]),
    ("libpng-dev", &["png.h"], &["png", "png16", "libpng", "libpng16"]),
    ("libtiff-dev", &["tiff.h", "tiffio.h"], &["tiff", "libtiff-4"]),
    ("libwebp-dev", &["webp/"], &["webp", "libwebp"]),
    ("libgif-dev", &["gif_lib.h"], &["gif"]),
    ("libfreetype-dev", &["ft2build.h", "freetype2/", "freetype/"], &["freetype", "freetype2"]),
    ("libfontconfig1-dev", &["fontconfig/"], &["fontconfig"]),
    ("libcairo2-dev", &["cairo.h", "cairo/"], &["cairo"]),
    ("libpango1.0-dev", &["pango/"], &["pango", "pangocairo"]),
    ("libgtk-3-dev", &["gtk/"], &["gtk-3", "gtk+-3.0"]),
    ("libgirepository1.0-dev", &["girepository.h"], &["gobject-introspection-1.0", "girepository-1.0"]),
    ("libglib2.0-dev", &["glib.h", "glib/", "glib-object.h"], &["glib-2.0", "gobject-2.0", "gio-2.0"]),
    ("libdbus-1-dev", &["dbus/"], &["dbus-1"]),
    ("libgraphviz-dev", &["graphviz/"], &["cgraph", "gvc", "libcgraph", "libgvc"]),
    ("libavcodec-dev", &["libavcodec/"], &["avcodec", "libavcodec"]),
    ("libavdevice-dev", &["libavdevice/"], &["avdevice", "libavdevice"]),
    ("libavfilter-dev", &["libavfilter/"], &["avfilter", "libavfilter"]),
    ("libavformat-dev", &["libavformat/"], &["avformat", "libavformat"]),
    ("libavutil-dev", &["libavutil/"], &["avutil", "libavutil"]),
    ("libswresample-dev", &["libswresample/"], &["swresample", "libswresample"]),
    ("libswscale-dev", &["libswscale/"], &["swscale", "libswscale"]),
    ("libopencv-dev", &["opencv2/"], &["opencv", "opencv4"]),
    ("libeigen3-dev", &["Eigen/", "eigen3/"], &["eigen", "eigen3"]),
    ("libboost-all-dev", &["boost/"], &["boost"]),
    ("liblua5.1-0-dev", &["lua.h", "lua.hpp", "lauxlib.h", "lua5.1/"], &["lua", "lua5.1"]),
    ("liblua5.3-dev", &["lua5.3/"], &["lua5.3"]),
    ("libopenblas-dev", &["cblas.h", "lapacke.h"], &["openblas", "blas", "cblas"]),
    ("liblapack-dev", &["lapack.h"], &["lapack"]),
    ("libhdf5-dev", &["hdf5.h"], &["hdf5"]),
    ("libgmp-dev", &["gmp.h"], &["gmp"]),
    ("libmpfr-dev", &["mpfr.h"], &["mpfr"]),
    ("libfftw3-dev", &["fftw3.h"], &["fftw3"]),
    ("libgsl-dev", &["gsl/"], &["gsl"]),
    ("libglpk-dev", &["glpk.h"], &["glpk"]),
    ("libassimp-dev", &["assimp/"], &["assimp"]),
    ("libode-dev", &["ode/"], &["ode"]),
    ("libbullet-dev", &["bullet/"], &["bullet"]),
    ("libccd-dev", &["ccd/"], &["ccd"]),
    ("libfcl-dev", &["fcl/"], &["fcl"]),
    ("liboctomap-dev", &["octomap/"], &["octomap"]),
    ("libspatialindex-dev", &["spatialindex/"], &["spatialindex", "spatialindex_c"]),
    ("libgeos-dev", &["geos_c.h"], &["geos", "geos_c"]),
    ("libproj-dev", &["proj.h"], &["proj"]),
    ("libprotobuf-dev", &["google/protobuf/"], &["protobuf"]),
    ("libzmq3-dev", &["zmq.h"], &["zmq", "libzmq"]),
    ("libevent-dev", &["event.h", "event2/"], &["event", "libevent"]),
    ("libuv1-dev", &["uv.h"], &["uv", "libuv"]),
    ("libfuse3-dev", &["fuse3/"], &["fuse3"]),
    ("libopenmpi-dev", &["mpi.h"], &["mpi"]),
    ("libnuma-dev", &["numa.h"], &["numa"]),
    ("libacl1-dev", &["sys/acl.h"], &["acl"]),
    ("libcap-dev", &["sys/capability.h"], &["cap", "libcap"]),
    ("libseccomp-dev", &["seccomp.h"], &["seccomp", "libseccomp"]),
    ("libkrb5-dev", &["gssapi/", "gssapi.h", "krb5.h"], &["krb5"]),
    ("libldap2-dev", &["ldap.h", "lber.h"], &["ldap", "lber"]),
    ("libsasl2-dev", &["sasl/"], &["sasl2"]),
    ("uuid-dev", &["uuid/"], &["uuid"]),
    ("tk-dev", &["tk.h"], &["tk"]),
    ("tcl-dev", &["tcl.h"], &["tcl"]),
];

/// What a build misses.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Missing {
    /// Programs and headers as the build calls them.
    pub(super) names: BTreeSet<String>,
    /// The Debian packages that have them, and those that a build with a compiler needs as well.
    pub(super) debian: BTreeSet<&'static str>,
    /// Those of the names for which no Debian package is known.
    pub(super) unknown: BTreeSet<String>,
}

impl Missing {
    /// Reads what a build printed. `has_debian_python` says whether the image's Python is Debian's.
    pub(super) fn of(output: &str, has_debian_python: bool) -> Self {
        let mut missing = Self::default();
        output.lines().for_each(|line| missing.read(line));
        if !has_debian_python {
            // It is not Debian's headers that such a Python needs.
            missing.debian.remove(PYTHON);
        }
        let git_alone = missing.debian.iter().all(|package| matches!(*package, "git" | "git-lfs"));
        if !missing.debian.is_empty() && !git_alone {
            // The next things that a build would stop at.
            if missing.debian.contains(COMPILER) || !has_compiled(output) {
                missing.debian.insert(COMPILER);
                if has_debian_python {
                    missing.debian.insert(PYTHON);
                }
            }
        }
        missing
    }

    fn read(&mut self, line: &str) {
        let line = line.trim();
        if let Some(header) = header(line) {
            self.add(header, library_of_header(header));
        } else if let Some(library) = between(line, "cannot find -l", ": ,")
            .or_else(|| between(line, "unable to find library -l", ": ,"))
        {
            self.add(library, library_of(library));
        } else if let Some(program) = program(line) {
            let name = program.rsplit('/').next().unwrap_or_default();
            self.add(plain(name), package_of_program(name));
        } else if let Some(name) = module(line) {
            // CMake looks for much that is not necessary.
            if library_of(name).is_some() || !line.contains("Could NOT find") {
                self.add(name, library_of(name));
                self.debian.insert(PKG_CONFIG);
            }
        } else if line.starts_with("Error: Please make sure the libxml2 and libxslt development packages") {
            self.add("libxml2", Some("libxml2-dev"));
            self.add("libxslt", Some("libxslt1-dev"));
        }
    }

    fn add(&mut self, name: &str, package: Option<&'static str>) {
        if !is_name(name) {
            return;
        }
        match package {
            Some(package) => _ = self.debian.insert(package),
            None => _ = self.unknown.insert(name.to_owned()),
        }
        self.names.insert(name.to_owned());
    }
}

/// Whether a compiler has run.
fn has_compiled(output: &str) -> bool {
    let is_of_compiler = |line: &str| {
        let mut words = line.split_whitespace();
        let is_compiler = words.next().is_some_and(|word| {
            package_of_program(word.rsplit('/').next().unwrap_or_default()) == Some(COMPILER)
        });
        is_compiler && words.next().is_some_and(|word| word.starts_with('-'))
            || line.contains("fatal error: ")
            || line.contains("cannot find -l")
    };
    output.lines().any(is_of_compiler)
}

/// Only such texts from a build are repeated as names.
fn is_name(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+' | '.' | '/');
    text.len() <= 64 && text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(is_word)
}

/// The header that a compiler does not find: GCC's and Clang's words, and those of numpy and uv.
fn header(line: &str) -> Option<&str> {
    if let Some((_, rest)) = line.split_once("fatal error: ") {
        let name = rest
            .strip_suffix(": No such file or directory")
            .or_else(|| rest.strip_suffix(" file not found").map(|name| name.trim_matches('\'')))?;
        // A source file of the package itself is not a header.
        return (!name.ends_with(".c") && !name.ends_with(".cpp")).then_some(name);
    }
    between(line, "Cannot compile '", "'")
}

/// The program that cannot be started.
fn program(line: &str) -> Option<&str> {
    if line.contains("Git executable not found") {
        return Some("git");
    }
    if line.contains("can't find Rust compiler") || line.contains("Rust toolchain") && line.contains("not") {
        return Some("cargo");
    }
    if line.starts_with("ERROR: Unknown compiler(s)") || line.contains("ERROR: Unknown compiler(s)") {
        return Some("cc");
    }
    if line.contains("No CMAKE_C_COMPILER could be found")
        || line.contains("No CMAKE_CXX_COMPILER could be found")
        || line.contains("is not able to compile a simple test program")
        || line.contains("Broken toolchain")
    {
        return Some("cc");
    }
    if line.contains("CMake must be installed") {
        return Some("cmake");
    }
    if line.contains("unable to find a build program corresponding to \"Ninja\"") {
        return Some("ninja");
    }
    if line.contains("Pkg-config for machine host machine not found")
        || line.contains("Pkg-config binary for machine")
        || line.contains("Can not find valid pkg-config name")
        || line.contains("Could NOT find PkgConfig")
    {
        return Some("pkg-config");
    }
    if line.contains("pg_config executable not found") {
        return Some("pg_config");
    }
    let found = between(line, "No such file or directory: '", "'")
        .or_else(|| between(line, "unable to execute '", "'"))
        .or_else(|| between(line, "Cannot find command '", "'"))
        .or_else(|| line.strip_suffix(": command not found")?.rsplit(": ").next())
        // A shell's: `/bin/sh: 1: cmake: not found`.
        .or_else(|| line.strip_suffix(": not found")?.rsplit(": ").next())
        .or_else(|| line.strip_suffix(" not found.")?.strip_prefix('\'')?.strip_suffix('\''))
        .or_else(|| {
            line.contains("No such file or directory").then(|| between(line, "command '", "' failed"))?
        })
        .or_else(|| between(line, "Program '", "' not found"))
        .or_else(|| between(line, "Program ", " not found or not executable"))?;
    // Many files can be missing: only what is known as a program is one, apart from a shell's.
    let name = found.rsplit('/').next().unwrap_or_default();
    let is_of_shell = line.ends_with(": not found") || line.ends_with(": command not found");
    (package_of_program(name).is_some() || is_of_shell && line.contains("sh:")).then_some(found)
}

/// The library that pkg-config, Meson, CMake or a package's own check does not find.
fn module(line: &str) -> Option<&str> {
    between(line, "Package '", "', required by")
        .or_else(|| between(line, "Package '", "' not found"))
        .or_else(|| between(line, "No package '", "' found"))
        .or_else(|| between(line, "Package ", " was not found in the pkg-config search path"))
        .or_else(|| between(line, "ERROR: Dependency \"", "\" not found"))
        .or_else(|| between(line, "Dependency lookup for ", " with method"))
        .or_else(|| between(line, "The headers or library files could not be found for ", ","))
        .or_else(|| between(line, "Could NOT find ", " ("))
}

/// The text after `start`, up to the first of the characters, or the text, `end`.
fn between<'a>(line: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(start)?;
    let at = if end == ": ," { rest.find([':', ' ', ',']) } else { rest.find(end) };
    match at {
        Some(at) => Some(&rest[..at]),
        None => (end == ": ,").then_some(rest),
    }
}

fn package_of_program(name: &str) -> Option<&'static str> {
    PROGRAMS.iter().find(|(program, _)| *program == plain(name)).map(|(_, package)| *package)
}

/// A program's name without its target and version: `x86_64-linux-gnu-gcc-12` is gcc.
fn plain(name: &str) -> &str {
    let name = name.rsplit_once("-gnu-").map_or(name, |(_, name)| name);
    match name.rsplit_once('-') {
        Some((name, version)) if version.starts_with(|c: char| c.is_ascii_digit()) => name,
        _ => name,
    }
}

fn library_of_header(header: &str) -> Option<&'static str> {
    let is_exact = |known: &str| known == header;
    let is_below = |known: &str| known.ends_with('/') && header.starts_with(known);
    let find = |matches: &dyn Fn(&str) -> bool| {
        let has = |headers: &[&str]| headers.iter().any(|known| matches(known));
        LIBRARIES.iter().find(|(_, headers, _)| has(headers)).map(|(package, ..)| *package)
    };
    find(&is_exact).or_else(|| find(&is_below))
}

fn library_of(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    // `boost_system` and `python3.11` have many spellings.
    let name = match name.as_str() {
        name if name.starts_with("boost_") => "boost",
        name if name.starts_with("python3") => "python3",
        name => name,
    };
    LIBRARIES.iter().find(|(_, _, names)| names.contains(&name)).map(|(package, ..)| *package)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::values::debian_package;

    fn missing(output: &str, has_debian_python: bool) -> Vec<&'static str> {
        Missing::of(output, has_debian_python).debian.into_iter().collect()
    }

    /// As the tools print them, in the order: the line, and the Debian packages for a Python of its own.
    #[test]
    fn what_is_missing_has_its_debian_package() {
        for (line, packages) in [
            ("  cause: Git executable not found. Ensure that Git is installed and available.", &["git"][..]),
            ("ERROR: Cannot find command 'git' - do you have 'git' installed and in your PATH?", &["git"]),
            (
                "  ERROR: Error [Errno 2] No such file or directory: 'git' while executing command git version",
                &["git"],
            ),
            ("error: command 'swig' failed: No such file or directory", &["build-essential", "swig"]),
            ("error: [Errno 2] No such file or directory: 'x86_64-linux-gnu-gcc'", &["build-essential"]),
            (
                "error: command 'x86_64-linux-gnu-g++-12' failed: No such file or directory",
                &["build-essential"],
            ),
            ("error: [Errno 2] No such file or directory: 'cmake'", &["build-essential", "cmake"]),
            (
                "RuntimeError: CMake must be installed to build the following extensions: _tree",
                &["build-essential", "cmake"],
            ),
            ("/bin/sh: 1: sdl2-config: not found", &["build-essential", "libsdl2-dev"]),
            ("bash: line 1: ninja: command not found", &["build-essential", "ninja-build"]),
            ("error: can't find Rust compiler", &["build-essential", "cargo"]),
            (
                "../meson.build:1:0: ERROR: Unknown compiler(s): [['cc'], ['gcc'], ['clang']]",
                &["build-essential"],
            ),
            ("'pkg-config' not found.", &["build-essential", "pkg-config"]),
            ("Exception: Can not find valid pkg-config name.", &["build-essential", "pkg-config"]),
            (
                "swig -python -c++ x.i\nerror: command 'swig' failed: No such file or directory",
                &["build-essential", "swig"],
            ),
            ("gcc -c x.c\nerror: command 'swig' failed: No such file or directory", &["swig"]),
            (
                "src/pyaudio/device_api.c:9:10: fatal error: portaudio.h: No such file or directory",
                &["portaudio19-dev"],
            ),
            (
                "graphviz_wrap.c:3020:10: fatal error: graphviz/cgraph.h: No such file or directory",
                &["libgraphviz-dev"],
            ),
            ("x.c:1:10: fatal error: 'X11/extensions/Xrandr.h' file not found", &["libxrandr-dev"]),
            ("x.c:1:10: fatal error: X11/extensions/XTest.h: No such file or directory", &["libxext-dev"]),
            ("/usr/bin/ld: cannot find -lGL: No such file or directory", &["libgl1-mesa-dev"]),
            ("/usr/bin/ld: cannot find -lboost_system", &["libboost-all-dev"]),
            (
                "Package cairo was not found in the pkg-config search path.",
                &["build-essential", "libcairo2-dev", "pkg-config"],
            ),
            (
                "Package 'x11', required by 'virtual:world', not found",
                &["build-essential", "libx11-dev", "pkg-config"],
            ),
            (
                "meson.build:31:12: ERROR: Dependency \"dbus-1\" not found, tried pkgconfig",
                &["build-essential", "libdbus-1-dev", "pkg-config"],
            ),
            (
                "The headers or library files could not be found for jpeg,",
                &["build-essential", "libjpeg-dev", "pkg-config"],
            ),
            (
                "CMake Error: Could NOT find ZLIB (missing: ZLIB_LIBRARY ZLIB_INCLUDE_DIR)",
                &["build-essential", "pkg-config", "zlib1g-dev"],
            ),
            (
                "Error: Please make sure the libxml2 and libxslt development packages are installed.",
                &["build-essential", "libxml2-dev", "libxslt1-dev"],
            ),
            ("x.c:1:10: fatal error: Python.h: No such file or directory", &[]),
            ("-- Could NOT find Doxygen (missing: DOXYGEN_EXECUTABLE)", &[]),
            ("FileNotFoundError: [Errno 2] No such file or directory: 'README.md'", &[]),
            ("#error not found", &[]),
        ] {
            assert_eq!(missing(line, false), packages, "{line}");
        }
    }

    #[test]
    fn debians_python_also_needs_its_headers() {
        let header = "evdev/input.c:10:10: fatal error: Python.h: No such file or directory";
        assert_eq!(missing(header, true), ["python3-dev"]);
        let swig = "error: command 'swig' failed: No such file or directory";
        assert_eq!(missing(swig, true), ["build-essential", "python3-dev", "swig"]);
        assert_eq!(missing("Cannot find command 'git'", true), ["git"]);
    }

    #[test]
    fn all_that_a_log_misses_is_found_at_once() {
        let log = "-- Could NOT find BZip2 (missing: BZIP2_LIBRARIES)\n/bin/sh: 1: flex: not found\nx.c:1: fatal error: nope/nope.h: No such file or directory\n";
        let found = Missing::of(log, false);
        let debian: Vec<&str> = found.debian.into_iter().collect();
        assert_eq!(debian, ["flex", "libbz2-dev", "pkg-config"]);
        assert_eq!(found.unknown.into_iter().collect::<Vec<_>>(), ["nope/nope.h"]);
    }

    #[test]
    fn the_table_has_only_debian_packages_and_each_name_once() {
        let packages = PROGRAMS.iter().map(|(_, package)| *package);
        for package in packages.chain(LIBRARIES.iter().map(|(package, ..)| *package)) {
            assert!(debian_package(package).is_ok(), "{package}");
        }
        let names: Vec<&str> =
            LIBRARIES.iter().flat_map(|(_, headers, names)| headers.iter().chain(*names)).copied().collect();
        let unique: BTreeSet<&str> = names.iter().copied().collect();
        assert_eq!(names.len(), unique.len());
    }
}
