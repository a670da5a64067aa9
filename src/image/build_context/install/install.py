"""Installs Python packages into the image that is being built: with uv, or with pip where uv does not work.

usage: install.py [--installer uv|pip] [--as-of DATE] --requirements FOLDER | --lock FILE | REQUIREMENT…
       install.py --write-lock BASE FILE

Runs in a build step, as the user of the base image, with Python 3.10 or newer and its standard library.
uv and all downloads stay in a cache mount. The user's settings (indexes, proxies) come in a secret mount,
so that no layer holds them.
"""

import glob
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile

# Python does not search the folder of its script when it runs isolated (-I).
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import bytecode
import requirements
import settings
from requirements import Requirements

CACHE = "/run/rlmesh-sandbox/cache"
# The cache of all builds, read-only, in steps that have a cache of their own.
SHARED = "/run/rlmesh-sandbox/shared"
# The mount with the packages of the user's machine, each in a folder that is named by its digest.
LOCAL = "/run/rlmesh-sandbox/local"

# The answers of an index that only knows GET: uv also sends HEAD requests and asks for ranges.
REFUSED = re.compile(rb"HTTP status \w+ error \((400|405|501)\b")
# How uv and pip report that a package could not be built.
NOT_BUILT = re.compile(
    rb"^(error:|\s*\xc3\x97) Failed to (download and )?build |The build backend returned an error"
    rb"|subprocess-exited-with-error|legacy-install-failure|failed-wheel-build-for-install"
    rb"|Failed building wheel for "
)
# How uv names a package of the index that could not be built.
PACKAGE_NOT_BUILT = re.compile(
    rb"^(?:error:|\s*\xc3\x97) Failed to (?:download and )?build `([A-Za-z0-9._-]+)==([0-9.]+)`"
)


def say(text):
    print(text, file=sys.stderr, flush=True)


def fail(text, status=1):
    say("error: " + text)
    sys.exit(status)


def main(arguments):
    installer = "uv"
    if arguments[:1] == ["--installer"]:
        installer, arguments = arguments[1], arguments[2:]
    as_of = []
    if arguments[:1] == ["--as-of"]:
        # rlmesh itself may be newer: it serves the environment, and is not part of it.
        as_of = ["--exclude-newer", arguments[1], "--exclude-newer-package", "rlmesh=9000-01-01"]
        arguments = arguments[2:]
    with tempfile.TemporaryDirectory() as temporary:
        environment = settings.read(temporary)
        cache = cache_folder() or temporary
        match arguments:
            case ["--write-lock", base, file]:
                write_lock(base, file, cache, environment)
            case ["--lock", file]:
                wanted = Requirements(["--no-deps", "--require-hashes", "-r", file])
                install(wanted, installer, cache, environment)
            case ["--requirements", folder]:
                os.chdir(folder)
                wanted = requirements.of_folder()
                if wanted.arguments:
                    install(wanted, installer, cache, environment, as_of)
            case _:
                wanted = Requirements(lasting(argument, cache) for argument in arguments)
                install(wanted, installer, cache, environment, as_of)


def install(wanted, installer, cache, environment, as_of=()):
    place = Place()
    before = place.distributions()
    has_pip = importlib.util.find_spec("pip") is not None
    if installer == "uv" and has_pip and wanted.only_pip and not as_of:
        say(f"note: the requirements use {wanted.only_pip}; installing with pip instead")
        installer = "pip"
    uv, reason = find_uv(cache, environment) if installer == "uv" else (None, None)
    if uv is None and not has_pip:
        if reason:
            fail("the base image has no pip, and uv cannot be downloaded: " + reason)
        fail("the base image has no pip to install with")
    if reason:
        say(f"note: {reason}; installing with pip instead")
    status = run_uv(uv, place, cache, environment, wanted, has_pip, as_of) if uv else None
    if status is None and as_of:
        fail("only uv can install the packages of a date, and uv does not work here")
    if status is None:
        command = [sys.executable, "-m", "pip", "install", "--no-compile", "--progress-bar=off"]
        command += settings.pip_indexes(environment) + wanted.arguments
        environment = dict(settings.without_indexes(environment), PIP_CACHE_DIR=os.path.join(cache, "pip"))
        status = run(command, environment)[0]
    if status != 0:
        sys.exit(status if status > 0 else 128 - status)
    after = place.distributions()
    try:
        new = [path for path, time in after.items() if before.get(path) != time]
        bytecode.compile_all(new, place.library)
    except bytecode.Killed as error:
        # The status of a process that was killed: most often, memory ran out.
        fail(str(error), 137)
    except OSError as error:
        fail(f"byte code cannot be written: {error}")


def lasting(requirement, cache):
    """The requirement with a package of the user's machine as a file in the cache instead of in its mount.

    uv keeps what it builds of a file by its path and time, and nothing of a folder. The path contains the
    digest of the content, and only in the cache the time stays the same.
    """
    match = re.search(re.escape(LOCAL) + r"/([0-9a-f]+)/([\w.+!-]+)", requirement)
    if not match:
        return requirement
    (given, digest, name), is_folder = match.group(0, 1, 2), os.path.isdir(match[0])
    folder = os.path.join(cache, "local", digest)
    place = os.path.join(folder, name + ".tar.gz" if is_folder else name)
    if not os.path.exists(place):
        os.makedirs(folder, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            copy = os.path.join(temporary, name)
            if is_folder:
                copy = shutil.make_archive(copy, "gztar", os.path.dirname(given), name)
            else:
                shutil.copyfile(given, copy)
            # Another build may have been faster; its content is the same.
            os.replace(copy, place)
    return requirement.replace(given, place)


def write_lock(base, file, cache, environment):
    import lock

    uv, reason = find_uv(cache, environment)
    environment["UV_CACHE_DIR"] = os.path.join(cache, "packages")
    try:
        if reason:
            raise lock.Failed(reason + ", so the lock was not written")
        lock.write(base, file, uv, environment)
    except lock.Failed as error:
        fail(str(error))


class Place:
    """Where packages go: Python's own folder, or the user's if the image's user may not write to that."""

    def __init__(self):
        paths = sysconfig.get_paths()
        self.library = paths["stdlib"]
        self.folders = sorted({paths["purelib"], paths["platlib"]})
        self.is_user = not all(is_writable(folder) for folder in self.folders)
        if self.is_user:
            self.prefix = sysconfig.get_config_var("userbase")
            self.folders = [sysconfig.get_path("purelib", "posix_user")]

    def distributions(self):
        """The distributions there, each with a time that changes when it is installed again."""
        found = {}
        for folder in self.folders:
            try:
                entries = os.scandir(folder)
            except FileNotFoundError:
                continue
            for entry in entries:
                if entry.name.endswith(".dist-info"):
                    found[entry.path] = entry.stat(follow_symlinks=False).st_ctime_ns
        return found


def is_writable(path):
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return os.access(path, os.W_OK)


def run(command, environment):
    """Runs an installer: its status, whether an index refused it, and what uv could not build."""
    refused = not_built = False
    packages = []
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
    for line in process.stderr:
        sys.stderr.buffer.write(line)
        sys.stderr.flush()
        refused = refused or REFUSED.search(line) is not None
        not_built = not_built or NOT_BUILT.search(line) is not None
        package = PACKAGE_NOT_BUILT.search(line)
        if package:
            packages.append((package[1].decode(), package[2].decode()))
    status = process.wait()
    if status != 0 and not_built and is_musl():
        say("note: this Python is linked against musl, for which few packages have wheels")
    return status, refused, packages


def run_uv(uv, place, cache, environment, wanted, has_pip, as_of=()):
    """Installs with uv; returns its status, or None if pip has to try."""
    command = [uv, "pip", "install", "--python", sys.executable, "--break-system-packages"]
    if place.is_user:
        command += ["--prefix", place.prefix]
    of_uv = dict(settings.without_indexes(environment), UV_CACHE_DIR=os.path.join(cache, "packages"))
    if not wanted.replaces_indexes:
        indexes = settings.uv_indexes(environment)
        command += indexes
        if not indexes:
            of_uv = settings.with_lasting_files(of_uv, environment["TMPDIR"])
    command += [*as_of, *wanted.for_uv(environment), *wanted.arguments]
    status, refused, not_built = run(command, of_uv)
    if status != 0 and refused and has_pip:
        say("note: the package index refuses what uv asks; installing with pip instead")
        return None
    if status != 0 and not_built:
        # Only a failure needs it.
        import release

        for note in filter(None, (release.note(*package, environment) for package in not_built)):
            say("note: " + note)
    return status


def find_uv(cache, environment):
    """The path of uv in a cache, where it is downloaded to if it is missing; or None, and the reason."""
    machine = processor()
    for folder in (os.path.join(SHARED, str(os.getuid())), cache):
        found = glob.glob(os.path.join(glob.escape(folder), "uv-*-" + machine))
        if found:
            return max(found), None
    # Slow to import, and only an empty cache needs it.
    import uv

    try:
        return uv.fetch(cache, machine, environment), None
    except uv.Unreachable as error:
        fail(str(error))
    except uv.NotFetched as error:
        return None, str(error)
    except Exception as error:
        # An index can answer anything.
        return None, f"uv cannot be downloaded: {error!r}"


def processor():
    """The processor, as the names of wheels spell it."""
    machine = os.uname().machine
    if sys.maxsize < 2**32:
        return {"x86_64": "i686", "aarch64": "armv7l"}.get(machine, machine)
    return machine


def is_musl():
    try:
        return not os.confstr("CS_GNU_LIBC_VERSION")
    except (ValueError, OSError):
        return True


def cache_folder():
    """This user's folder in the cache mount; None if the user may not write there."""
    folder = os.path.join(CACHE, str(os.getuid()))
    try:
        if os.getuid() == 0:
            # The mount belongs to root; other users may have folders beside root's.
            os.chmod(CACHE, 0o1777)
        os.makedirs(folder, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None


if __name__ == "__main__":
    main(sys.argv[1:])
