"""Installs Python packages into the image that is being built, with uv, or with pip where uv cannot be had.

usage: install.py [--installer uv|pip] --requirements FOLDER | --lock FILE | [--no-deps] REQUIREMENT…
       install.py --write-lock SCRIPT BASE FILE

Runs inside a build step as whatever user the base image has, with the standard library of Python 3.10 or
newer. Downloads and uv itself stay in a cache mount. What the user's environment says of indexes and
proxies comes in a secret mount, so that it stands in no layer.
"""

import importlib.util
import os
import re
import subprocess
import sys
import sysconfig
import tempfile

# Isolated, Python does not look for modules beside its script.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import bytecode
import settings

CACHE = "/run/rlmesh-sandbox/cache"
# Everybody's cache, to read from, where a step has one of its own.
SHARED = "/run/rlmesh-sandbox/shared"


def say(text):
    print(text, file=sys.stderr, flush=True)


def fail(text):
    say("error: " + text)
    sys.exit(1)


def is_writable(path):
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return os.access(path, os.W_OK)


class Place:
    """Where packages go: Python's own folder, or, where the image's user may not write there, the user's."""

    def __init__(self):
        paths = sysconfig.get_paths()
        self.folders = sorted({paths["purelib"], paths["platlib"]})
        self.is_user = not all(is_writable(folder) for folder in self.folders)
        if self.is_user:
            self.prefix = sysconfig.get_config_var("userbase")
            self.folders = [sysconfig.get_path("purelib", "posix_user")]

    def distributions(self):
        """What stands there, with a time that a new installation changes."""
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


def install(arguments, installer, temporary):
    place = Place()
    before = place.distributions()
    cache = cache_folder() or temporary
    environment = settings.read(temporary)
    has_pip = importlib.util.find_spec("pip") is not None
    uv = find_uv(cache, environment) if installer == "uv" else None
    if uv is None and not has_pip:
        fail("the base image has no pip" + (", and uv cannot be had" if installer == "uv" else " to install with"))
    status = run_uv(uv, place, cache, environment, arguments, has_pip) if uv else None
    if status is None:
        environment["PIP_CACHE_DIR"] = os.path.join(cache, "pip")
        command = [sys.executable, "-m", "pip", "install", "--no-compile", "--progress-bar=off"]
        status = run(command + arguments, environment)[0]
    if status != 0:
        sys.exit(status if status > 0 else 128 - status)
    after = place.distributions()
    bytecode.write([path for path, time in after.items() if before.get(path) != time], cache)


# What an index that knows only GET answers: uv asks with HEAD and for ranges too.
REFUSED = re.compile(rb"HTTP status \w+ error \((400|405|501)\b")
# How uv and pip say that a package's own build went wrong.
NOT_BUILT = re.compile(
    rb"^(error:|\s*\xc3\x97) Failed to (download and )?build |The build backend returned an error"
    rb"|subprocess-exited-with-error|legacy-install-failure|failed-wheel-build-for-install|Failed building wheel for "
)


def run(command, environment):
    """Runs an installer to its end: its status, and whether an index refused what it asked."""
    refused = not_built = False
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
    for line in process.stderr:
        sys.stderr.buffer.write(line)
        sys.stderr.flush()
        refused = refused or REFUSED.search(line) is not None
        not_built = not_built or NOT_BUILT.search(line) is not None
    status = process.wait()
    if status != 0 and not_built and platform()[1][0] == "musl":
        say("note: this Python is linked against musl, for which few packages have wheels")
    return status, refused


def run_uv(uv, place, cache, environment, arguments, has_pip):
    """How uv ended; None where pip should have a try."""
    command = [uv, "pip", "install", "--python", sys.executable, "--break-system-packages"]
    if place.is_user:
        command += ["--prefix", place.prefix]
    environment = dict(environment, UV_CACHE_DIR=os.path.join(cache, "packages"))
    status, refused = run(command + arguments, environment)
    if status != 0 and refused and has_pip:
        say("note: the package index refuses what uv asks; installing with pip instead")
        return None
    return status


def find_uv(cache, environment):
    """The cache's uv, else one that is fetched; nothing where pip must do."""
    machine, libc = platform()
    shared = os.path.join(SHARED, str(os.getuid()))
    for _ in range(2):
        for folder in filter(os.path.isdir, (shared, cache)):
            for entry in sorted(os.listdir(folder), reverse=True):
                uv = os.path.join(folder, entry, "uv")
                if entry.startswith("uv-") and entry.endswith("-%s-%s" % (machine, libc[0])) and os.path.exists(uv):
                    return uv
        # Only an empty cache needs these.
        import uv as fetcher

        try:
            fetcher.fetch(cache, machine, libc, environment)
        except fetcher.NoUv as reason:
            say("note: %s; installing with pip instead" % reason)
            return None
        except fetcher.Refused as reason:
            fail(str(reason))
    return None


def platform():
    """The processor as wheels spell it, and the libc with its version."""
    machine = os.uname().machine
    if sys.maxsize < 2**32:
        machine = {"x86_64": "i686", "aarch64": "armv7l"}.get(machine, machine)
    try:
        version = os.confstr("CS_GNU_LIBC_VERSION").split()[1]
        return machine, ("glibc", tuple(int(part) for part in version.split(".")[:2]))
    except (ValueError, OSError, AttributeError, IndexError):
        return machine, ("musl", (1, 2))


def cache_folder():
    """This user's part of the cache mount: what another user has written there may not be writable."""
    folder = os.path.join(CACHE, str(os.getuid()))
    try:
        if os.getuid() == 0:
            # The mount is root's; other users may have folders of their own beside this one.
            os.chmod(CACHE, 0o1777)
        os.makedirs(folder, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except OSError:
        pass
    return None


def main(arguments):
    installer = "uv"
    if arguments[:1] == ["--installer"]:
        installer, arguments = arguments[1], arguments[2:]
    with tempfile.TemporaryDirectory() as temporary:
        match arguments[0]:
            case "--write-lock":
                write_lock(arguments[1:], temporary)
            case "--lock":
                install(["--no-deps", "--require-hashes", "-r", arguments[1]], installer, temporary)
            case "--requirements":
                os.chdir(arguments[1])
                if os.path.exists("requirements.txt"):
                    install(["-r", "requirements.txt"], installer, temporary)
            case _:
                install(arguments, installer, temporary)


def write_lock(arguments, temporary):
    """Runs the script that writes a lock with what the installers are told."""
    status = subprocess.run([sys.executable, "-B", *arguments], env=settings.read(temporary)).returncode
    sys.exit(status if status >= 0 else 128 - status)


if __name__ == "__main__":
    main(sys.argv[1:])
