"""Byte code for what was installed, remembered for the next image that installs the same; it imports nothing of it."""

import csv
import hashlib
import importlib.util
import marshal
import os
import re
import struct
import sys
import warnings


def write(distributions, cache):
    """Byte code for what was installed, so that no container has to make it at its start; tests get none."""
    folder = os.path.join(cache, "bytecode")
    os.makedirs(folder, exist_ok=True)
    work = []
    for distribution in distributions:
        try:
            with open(os.path.join(distribution, "RECORD"), encoding="utf-8", newline="") as file:
                record = file.read()
        except OSError:
            continue
        root = os.path.dirname(distribution)
        # The record holds the digest of every file, so that the same record is the same code.
        key = hashlib.sha256("\0".join((sys.version, root, record)).encode()).hexdigest()
        work.append((root, record, os.path.join(folder, key)))
    missing = [item for item in work if not restore(item[0], item[2])]
    # The largest first, dealt out in turns, so that all workers end together.
    batches = [(item, sources(item[1])) for item in missing]
    files = [(item[0], name) for item, names in batches for name in names]
    files.sort(key=lambda file: -size_of(os.path.join(*file)))
    workers = min(len(os.sched_getaffinity(0)), 8, len(files) // 32 + 1)
    children = []
    for number in range(1, workers):
        child = os.fork()
        if child == 0:
            compile_files(files[number::workers])
            os._exit(0)
        children.append(child)
    compile_files(files[0::workers])
    for child in children:
        os.waitpid(child, 0)
    for (root, _, target), names in batches:
        keep(root, names, target)


def sources(record):
    names = (row[0] for row in csv.reader(record.splitlines()) if row)
    return [
        name
        for name in names
        if name.endswith(".py") and not re.search(r"(^|/)tests?/", name) and not name.startswith(("/", ".."))
    ]


def size_of(path):
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def compiled(path):
    return importlib.util.cache_from_source(path, optimization="")


def put_code(path, code):
    """Writes byte code that is good for as long as the source is not changed."""
    stat = os.stat(path)
    times = struct.pack("<LLL", 0, int(stat.st_mtime) & 0xFFFFFFFF, stat.st_size & 0xFFFFFFFF)
    target = compiled(path)
    try:
        out = open(target, "wb")
    except FileNotFoundError:
        os.mkdir(os.path.dirname(target))
        out = open(target, "wb")
    with out:
        out.write(importlib.util.MAGIC_NUMBER + times + code)


def compile_files(files):
    warnings.simplefilter("ignore")
    for root, name in files:
        path = os.path.join(root, name)
        try:
            with open(path, "rb") as file:
                code = compile(file.read(), path, "exec", dont_inherit=True, optimize=0)
            put_code(path, marshal.dumps(code))
        except (OSError, SyntaxError, ValueError, RecursionError):
            # Made for another Python, or not for being imported: Python says so if it ever is.
            continue


def keep(root, names, target):
    """Remembers a distribution's byte code for the next image."""
    codes = {}
    for name in names:
        try:
            with open(compiled(os.path.join(root, name)), "rb") as file:
                codes[name] = file.read()[16:]
        except OSError:
            continue
    temporary = "%s.%d" % (target, os.getpid())
    with open(temporary, "wb") as out:
        marshal.dump(codes, out)
    os.replace(temporary, target)


def restore(root, target):
    try:
        with open(target, "rb") as file:
            codes = marshal.load(file)
    except (OSError, EOFError, ValueError, TypeError):
        return False
    for name, code in codes.items():
        put_code(os.path.join(root, name), code)
    return True
