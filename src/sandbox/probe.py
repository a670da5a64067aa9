"""Looks into an image: which system libraries are missing, and which environments its packages register.

Runs in a container without network as `python -I -c SCRIPT QUESTION ARGUMENT…`, and prints one line of JSON.
Only the standard library can be relied on.
"""

import contextlib
import json
import os
import signal
import struct
import sys
import time

DEADLINE = time.monotonic() + 7
SYSTEM_FOLDERS = ["/lib", "/usr/lib", "/lib64", "/usr/lib64", "/usr/local/lib"]


def dynamic(path):
    """The (needed sonames, search paths) of an ELF file; None if it is not one."""
    with open(path, "rb") as file:
        head = file.read(64)
        if head[:4] != b"\x7fELF" or len(head) < 64 or head[5] != 1:
            return None
        is_64 = head[4] == 2
        if is_64:
            offset, size, count = *struct.unpack_from("<Q", head, 32), *struct.unpack_from("<HH", head, 54)
        else:
            offset, size, count = *struct.unpack_from("<I", head, 28), *struct.unpack_from("<HH", head, 42)
        file.seek(offset)
        table = file.read(min(size * count, 65536))
        segments, dynamic_at = [], None
        for at in range(0, len(table) - size + 1, size):
            if is_64:
                kind, _, start, address, _, length = struct.unpack_from("<IIQQQQ", table, at)
            else:
                kind, start, address, _, length = struct.unpack_from("<IIIII", table, at)
            if kind == 1:
                segments.append((address, length, start))
            elif kind == 2:
                dynamic_at = (start, length)
        if dynamic_at is None:
            return None
        file.seek(dynamic_at[0])
        data = file.read(min(dynamic_at[1], 65536))
        entry = struct.Struct("<qQ" if is_64 else "<iI")
        entries = [entry.unpack_from(data, at) for at in range(0, len(data) - entry.size + 1, entry.size)]
        strings_at = next((value for tag, value in entries if tag == 5), None)
        strings_size = next((value for tag, value in entries if tag == 10), 0)
        for address, length, start in segments:
            if strings_at is not None and address <= strings_at < address + length:
                file.seek(start + strings_at - address)
                break
        else:
            return None
        strings = file.read(min(strings_size, 1 << 24))

        def text(at):
            return strings[at : strings.find(b"\0", at)].decode("utf-8", "replace")

        needed = [text(value) for tag, value in entries if tag == 1]
        paths = [path for tag, value in entries if tag in (15, 29) for path in text(value).split(":")]
        return needed, [path for path in paths if path]


def loader_files():
    """The names of the files that the image's loader finds."""
    folders = list(SYSTEM_FOLDERS) + [
        path for path in os.environ.get("LD_LIBRARY_PATH", "").split(":") if path
    ]
    try:
        for name in os.listdir("/etc/ld.so.conf.d"):
            with open(os.path.join("/etc/ld.so.conf.d", name)) as file:
                folders += [line.strip() for line in file if line.startswith("/")]
    except OSError:
        pass
    names = set()
    for folder in folders:
        with contextlib.suppress(OSError):
            names.update(os.listdir(folder))
    return names


def sites():
    """The folders of installed packages."""
    found = [path for path in sys.path if path.endswith("-packages") and os.path.isdir(path)]
    return list(dict.fromkeys(os.path.realpath(path) for path in found))


def libraries():
    """The sonames that extension modules need and the loader does not find: soname to packages."""
    from importlib.machinery import EXTENSION_SUFFIXES

    files = {}
    for site in sites():
        for folder, _, names in os.walk(site):
            for name in names:
                if ".so" in name:
                    files.setdefault(name, os.path.join(folder, name))
            if len(files) > 20000 or time.monotonic() > DEADLINE:
                break
    system = loader_files()
    missing = {}
    for name, path in sorted(files.items()):
        if name.startswith("lib") or not any(name.endswith(suffix) for suffix in EXTENSION_SUFFIXES):
            continue
        # Everything that this module loads. Plugins that it may load later are not looked at.
        package = next(path[len(site) + 1 :] for site in sites() if path.startswith(site + "/"))
        package = package.split("/")[0].split(".")[0]
        queue, seen = [path], set()
        while queue and time.monotonic() < DEADLINE:
            path = queue.pop()
            seen.add(path)
            try:
                found = dynamic(path)
            except (OSError, struct.error):
                found = None
            for soname in found[0] if found else []:
                origin = os.path.dirname(path)
                folders = [part.replace("$ORIGIN", origin).replace("${ORIGIN}", origin) for part in found[1]]
                inside = next(
                    (os.path.join(at, soname) for at in folders if os.path.exists(os.path.join(at, soname))),
                    None,
                )
                inside = inside or files.get(soname)
                if inside is not None:
                    if inside not in seen:
                        queue.append(inside)
                elif soname not in system:
                    missing.setdefault(soname, set()).add(package)
    return {"missing": {soname: sorted(packages)[:20] for soname, packages in sorted(missing.items())[:100]}}


def modules_of(requirement):
    """The top-level modules of an installed package."""
    import importlib.metadata
    import re

    name = re.match(r"[A-Za-z0-9._-]*", requirement).group()
    try:
        files = importlib.metadata.files(name) or []
    except importlib.metadata.PackageNotFoundError:
        return []
    tops = set()
    for file in files:
        top = file.parts[0]
        if (
            len(file.parts) > 1
            and file.name.endswith((".py", ".so"))
            and not top.endswith((".libs", ".data"))
        ):
            tops.add(top)
        elif len(file.parts) == 1 and top.endswith(".py"):
            tops.add(top[:-3])
    tops = {top for top in tops if top.isidentifier()} - {"tests", "test", "docs", "examples"}
    return sorted(tops)[:20]


def environments(wanted, imports, packages):
    """What the imports register, and, if that is nothing, the other modules of the packages."""
    import difflib
    import importlib

    import gymnasium

    def ids():
        return set(map(str, gymnasium.registry))

    def is_of_the_packages(name):
        point = gymnasium.registry[name].entry_point
        module = point if isinstance(point, str) else getattr(point, "__module__", "")
        return str(module).split(":")[0].split(".")[0] in tops

    def load(module):
        try:
            return importlib.import_module(module)
        except BaseException:
            return None

    def is_own(function):
        """Whether it is defined in the packages: `register` is often imported from gymnasium."""
        return callable(function) and str(getattr(function, "__module__", "")).split(".")[0] in tops

    def nearest(found):
        score = difflib.SequenceMatcher(autojunk=False)
        score.set_seq2(wanted.lower())

        def key(other):
            score.set_seq1(other.lower())
            return -score.ratio(), other

        return sorted(found, key=key)[:40]

    modules = {package: modules_of(package) for package in packages[:20]}
    tops = {module.split(".")[0] for names in [imports, *modules.values()] for module in names}
    before = ids()
    for module in imports:
        load(module)
    # Packages with an entry point register their environments when gymnasium is imported.
    registered = {None: nearest(ids() - before or set(filter(is_of_the_packages, before)))}
    callables = []
    if not registered[None]:
        others = [module for names in modules.values() for module in names]
        # Where packages usually have what registers.
        others += [f"{module}.{name}" for module in others for name in ("envs", "gym", "registration")]
        for module in dict.fromkeys(list(imports) + others):
            before = ids()
            loaded = load(module)
            if ids() - before:
                registered[module] = nearest(ids() - before)
            elif loaded is not None:
                names = [name for name in dir(loaded) if name.startswith("register")]
                callables += [f"{module}:{name}" for name in names if is_own(getattr(loaded, name))]
    return {
        "registered": registered.pop(None),
        "others": registered,
        "modules": modules,
        "callables": callables[:20],
    }


def main():
    """Answers the question. Whatever else is printed meanwhile goes to stderr."""
    signal.alarm(10)
    answer_to = os.dup(1)
    os.dup2(2, 1)
    question, *arguments = sys.argv[1:]
    answer = libraries() if question == "libraries" else environments(*json.loads(arguments[0]))
    os.write(answer_to, json.dumps(answer).encode() + b"\n")
    os._exit(0)


if __name__ == "__main__":
    main()
