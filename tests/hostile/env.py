"""An environment that tries what environments should not do, and prints what works.

It tries everything twice: when it is created, and in its first reset. Each attempt runs in a process of
its own, so that none ends the server. The log gets one line for each:
`attempt PHASE NAME works|refused DETAIL`.

Variables: HOSTILE_HOST_PORT (a port that the engine's machine listens on, on all addresses), HOSTILE_PEERS
(the addresses of other containers, as NAME=IP:PORT, separated by commas).
"""

import ctypes
import glob
import mmap
import multiprocessing
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import gymnasium

LIBC = ctypes.CDLL(None, use_errno=True)
LIMIT = 20
ATTEMPTS = []


class Refused(Exception):
    """The attempt did not work."""


def attempt(name):
    def add(function):
        ATTEMPTS.append((name, function))
        return function

    return add


def call(number, *arguments):
    """A system call by its number on x86-64 or arm64."""
    result = LIBC.syscall(number[os.uname().machine == "aarch64"], *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def connect(host, port, kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as client:
        client.settimeout(3)
        client.connect((host, port))
        return f"{host}:{port}"


def gateway():
    with open("/proc/net/route") as routes:
        for fields in map(str.split, routes):
            if fields[1] == "00000000":
                return socket.inet_ntoa(struct.pack("<I", int(fields[2], 16)))
    raise Refused("there is no gateway")


def peer(name):
    for entry in os.environ.get("HOSTILE_PEERS", "").split(","):
        found, _, address = entry.partition("=")
        if found == name:
            host, port = address.split(":")
            return connect(host, int(port))
    raise Refused("the test named none")


def write(path, text="x"):
    with open(path, "a") as file:
        file.write(text)
    return path


def status(field):
    with open("/proc/self/status") as lines:
        return next(line.split()[1] for line in lines if line.startswith(field + ":"))


# The network


@attempt("resolve names of the internet")
def _():
    return socket.gethostbyname("pypi.org")


@attempt("connect to the internet")
def _():
    return connect("pypi.org", 443)


@attempt("send to any address (UDP)")
def _():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        return client.sendto(b"x", ("192.0.2.1", 9))


@attempt("send to the metadata service of a cloud")
def _():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        return client.sendto(b"x", ("169.254.169.254", 80))


@attempt("connect to services of the engine's machine on all addresses")
def _():
    return connect(gateway(), int(os.environ.get("HOSTILE_HOST_PORT", "0")))


@attempt("connect to services of the engine's machine on its loopback interface")
def _():
    return connect("127.0.0.1", int(os.environ.get("HOSTILE_HOST_PORT", "0")))


@attempt("connect to another sandbox")
def _():
    return peer("sandbox")


@attempt("connect to a container on Docker's default network")
def _():
    return peer("container")


@attempt("open a raw socket")
def _():
    return socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).fileno()


@attempt("open a packet socket")
def _():
    return socket.socket(socket.AF_PACKET, socket.SOCK_RAW).fileno()


# Privileges


@attempt("be root in the container")
def _():
    if os.geteuid():
        raise Refused(f"user {os.geteuid()}")
    return "user 0"


@attempt("have a capability")
def _():
    if int(status("CapEff"), 16) == 0 and int(status("CapBnd"), 16) == 0:
        raise Refused("none")
    return status("CapEff")


@attempt("gain privileges by a setuid program")
def _():
    if status("NoNewPrivs") == "1":
        raise Refused("no-new-privileges")
    return "no-new-privileges is not set"


@attempt("run without a seccomp filter")
def _():
    if status("Seccomp") == "2":
        raise Refused("filtered")
    return status("Seccomp")


@attempt("become another user")
def _():
    os.setuid(1 if os.getuid() != 1 else 2)


@attempt("give a file to another user")
def _():
    write("/tmp/chown")
    os.chown("/tmp/chown", 12345, 12345)


@attempt("create a device")
def _():
    os.mknod("/tmp/device", 0o666 | 0o020000, os.makedev(1, 3))


@attempt("open a disk")
def _():
    disks = [path for path in glob.glob("/dev/[sv]d[a-z]") + glob.glob("/dev/nvme*")]
    return os.open(disks[0] if disks else "/dev/sda", os.O_RDONLY)


@attempt("read the machine's memory")
def _():
    for path in ["/dev/mem", "/proc/kcore"]:
        try:
            with open(path, "rb") as memory:
                if memory.read(1):
                    return path
        except OSError:
            pass
    raise Refused("neither /dev/mem nor /proc/kcore")


@attempt("change the root folder")
def _():
    os.chroot("/tmp")


@attempt("mount a file system")
def _():
    if LIBC.mount(b"none", b"/mnt", b"tmpfs", 0, None):
        raise OSError(ctypes.get_errno(), "mount")


@attempt("remount the root folder writable")
def _():
    if LIBC.mount(None, b"/", None, 32, None):
        raise OSError(ctypes.get_errno(), "mount")


@attempt("unmount /proc")
def _():
    if LIBC.umount2(b"/proc", 2):
        raise OSError(ctypes.get_errno(), "umount2")


def unshare(flag):
    if LIBC.unshare(flag):
        raise OSError(ctypes.get_errno(), "unshare")


@attempt("create a user namespace")
def _():
    unshare(0x10000000)


@attempt("create a network namespace")
def _():
    unshare(0x40000000)


@attempt("create a mount namespace")
def _():
    unshare(0x00020000)


@attempt("create a process namespace")
def _():
    unshare(0x20000000)


@attempt("see processes of the engine's machine")
def _():
    for path in glob.glob("/proc/[0-9]*/comm"):
        try:
            with open(path) as file:
                if file.read().strip() in ("dockerd", "containerd", "systemd"):
                    return path
        except OSError:
            pass
    raise Refused("none")


@attempt("trace the init program of the container")
def _():
    # Without stopping it, as an attached one would be.
    if LIBC.ptrace(0x4206, 1, None, None):
        raise OSError(ctypes.get_errno(), "ptrace")


@attempt("load a BPF program")
def _():
    call((321, 280), 5, ctypes.create_string_buffer(128), 128)


@attempt("watch the processor's events")
def _():
    attributes = ctypes.create_string_buffer(struct.pack("<IIQ", 1, 112, 1), 112)
    call((298, 241), attributes, 0, -1, -1, 0)


@attempt("add a key to the kernel's keyring")
def _():
    call((248, 217), b"user", b"hostile", b"x", 1, -3)


@attempt("use io_uring")
def _():
    call((425, 425), 1, ctypes.create_string_buffer(120))


@attempt("use userfaultfd")
def _():
    call((323, 282), 0)


@attempt("load a kernel module")
def _():
    call((175, 105), b"", 0, b"")


@attempt("load another kernel")
def _():
    call((246, 104), 0, 0, None, None, 0)


@attempt("restart the machine")
def _():
    # Asks for nothing: it only turns Ctrl-Alt-Del off, which takes the same right.
    call((169, 142), 0xFEE1DEAD, 672274793, 0, None)


@attempt("set the clock")
def _():
    time.clock_settime(time.CLOCK_REALTIME, time.time())


@attempt("set the host name")
def _():
    socket.sethostname("hostile")


@attempt("read the kernel's log")
def _():
    buffer = ctypes.create_string_buffer(64)
    if LIBC.klogctl(3, buffer, 64) < 0:
        raise OSError(ctypes.get_errno(), "klogctl")


@attempt("open a file by its handle")
def _():
    handle = ctypes.create_string_buffer(struct.pack("<II", 8, 1) + struct.pack("<II", 2, 0), 16)
    call((304, 265), os.open("/etc/hostname", os.O_RDONLY), handle, 0)


@attempt("raise its priority")
def _():
    os.nice(-5)


@attempt("change a setting of the kernel")
def _():
    return write("/proc/sys/kernel/core_pattern", "")


@attempt("trigger SysRq")
def _():
    return write("/proc/sysrq-trigger", "")


@attempt("write to /sys")
def _():
    for path in ["/sys/kernel/profiling", "/sys/fs/cgroup/x", "/sys/fs/cgroup/memory/x", "/sys/power/state"]:
        try:
            return write(path, "")
        except OSError:
            pass
    raise Refused("nothing is writable")


@attempt("use the docker socket")
def _():
    with socket.socket(socket.AF_UNIX) as client:
        for path in ["/var/run/docker.sock", "/run/docker.sock"]:
            try:
                client.connect(path)
                return path
            except OSError:
                pass
    raise Refused("there is none")


# Files


@attempt("write to /")
def _():
    return write("/hostile")


@attempt("write to /usr")
def _():
    return write("/usr/hostile")


@attempt("change /etc/passwd")
def _():
    return write("/etc/passwd", "")


@attempt("change its own code")
def _():
    return write(__file__, "")


@attempt("change rlmesh's code")
def _():
    import rlmesh

    return write(rlmesh.__file__, "")


@attempt("run a program that it wrote to /tmp")
def _():
    path = f"/tmp/program-{os.getpid()}"
    write(path, "#!/bin/sh\nexit 0\n")
    os.chmod(path, 0o755)
    return subprocess.run([path], check=True).returncode


@attempt("run a program that it wrote to memory")
def _():
    memory = os.memfd_create("program")
    with open("/bin/true", "rb") as program:
        os.write(memory, program.read())
    return subprocess.run([f"/proc/self/fd/{memory}"], pass_fds=[memory], check=True).returncode


@attempt("leave files in the folder of its socket, which is on this machine")
def _():
    return write(f"/run/rlmesh/file-{os.getpid()}")


@attempt("replace its socket")
def _():
    os.rename("/run/rlmesh/env.sock", "/run/rlmesh/other.sock")


@attempt("write 600 MB to the disk or to folders in memory")
def _():
    for folder in ["/var/tmp", "/tmp", "/dev/shm", os.path.expanduser("~")]:
        path = f"{folder}/large-{os.getpid()}"
        try:
            with open(path, "wb") as file:
                for _ in range(600):
                    file.write(bytes(1000 * 1000))
                file.flush()
            return folder
        except OSError:
            pass
        finally:
            if os.path.exists(path):
                os.unlink(path)
    raise Refused("there is no room")


# Resources


@attempt("run 2,000 processes")
def _():
    children = []
    try:
        for _ in range(2000):
            child = os.fork()
            if child == 0:
                time.sleep(60)
                os._exit(0)
            children.append(child)
        return len(children)
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
        for child in children:
            os.waitpid(child, 0)


@attempt("run 2,000 threads")
def _():
    done = threading.Event()
    threading.stack_size(64 * 1024)
    try:
        for _ in range(2000):
            threading.Thread(target=done.wait, daemon=True).start()
        return threading.active_count()
    finally:
        done.set()


@attempt("use more memory than its limit")
def _():
    # A small step over the limit, so that the machine does not feel it where there is none.
    for path in ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]:
        try:
            with open(path) as file:
                limit = file.read().strip()
        except OSError:
            continue
        if limit == "max" or int(limit) > 1 << 50:
            return "there is no limit"
        size = int(limit) + (64 << 20)
        if size > 2 << 30:
            raise Refused(f"limit {limit}, not tried")
        memory = mmap.mmap(-1, size)
        for at in range(0, size, mmap.PAGESIZE):
            memory[at] = 1
        return size
    raise Refused("the limit cannot be read")


@attempt("leave ended processes behind")
def _():
    for _ in range(20):
        if os.fork() == 0:
            if os.fork() == 0:
                os._exit(0)
            os._exit(0)
        os.wait()
    time.sleep(0.5)
    zombies = 0
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path) as file:
                zombies += file.read().rsplit(")", 1)[1].split()[:2] == ["Z", "1"]
        except OSError:
            pass
    if not zombies:
        raise Refused("none is left")
    return zombies


@attempt("dump its memory to a file")
def _():
    resource.setrlimit(resource.RLIMIT_CORE, (1 << 20, 1 << 20))


@attempt("use all processors")
def _():
    return len(os.sched_getaffinity(0))


def child(function, pipe):
    # Many attempts print what they think of it.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    try:
        pipe.send(("works", str(function())))
    except Exception as error:
        pipe.send(("refused", f"{type(error).__name__}: {error}"))


def tried(function):
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("fork")
    process = context.Process(target=child, args=(function, theirs), daemon=False)
    try:
        process.start()
    except OSError as error:
        return "refused", str(error)
    theirs.close()
    try:
        result = ours.recv() if ours.poll(LIMIT) else ("refused", "it took too long")
    except EOFError:
        result = ("refused", "it was killed")
    process.kill()
    process.join()
    return result


def try_all(phase):
    for name, function in ATTEMPTS:
        result, detail = tried(function)
        print("attempt", phase, name.replace(" ", "+"), result, detail.replace("\n", " ")[:100], flush=True)


class Hostile(gymnasium.Env):
    observation_space = gymnasium.spaces.Discrete(2)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        try_all("reset")
        return 0, {}

    def step(self, action):
        return 0, 0.0, True, False, {}


def make_env(**_):
    # The log has a limit; the test looks at its size.
    for _ in range(60):
        sys.stdout.write(("x" * 999 + "\n") * 1000)
    sys.stdout.flush()
    try_all("creation")
    return Hostile()
