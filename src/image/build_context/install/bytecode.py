"""Compiles installed packages and the standard library, so that containers do not do it at every start.

uv could do this, but it compiles the packages' tests as well: it takes three times as long.
"""

import contextlib
import csv
import importlib.util
import multiprocessing
import os
import py_compile
import re
import warnings
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

# Folders of the standard library that hold tests, development tools or installed packages.
SKIPPED = {"dist-packages", "ensurepip", "idlelib", "lib2to3", "site-packages", "test", "tests", "turtledemo"}


class Killed(Exception):
    """A worker was killed."""


def compile_all(distributions, library):
    """Compiles the distributions (paths of .dist-info folders) and what the library (a folder) lacks."""
    files = [file for distribution in distributions for file in sources(distribution)]
    files += missing(library)
    # More processes are only worth their start with many files; each may need much memory.
    workers = min(len(os.sched_getaffinity(0)), 8, len(files) // 32 + 1)
    try:
        with ProcessPoolExecutor(workers, multiprocessing.get_context("fork")) as pool:
            # Only the results raise what was raised in a worker.
            list(pool.map(compile_file, files, chunksize=8))
    except BrokenProcessPool:
        raise Killed("a process that compiles Python files was killed") from None


def sources(distribution):
    """The Python files that its RECORD lists, apart from tests, which few containers run."""
    root = os.path.dirname(distribution)
    try:
        with open(os.path.join(distribution, "RECORD"), encoding="utf-8", newline="") as file:
            names = [row[0] for row in csv.reader(file) if row]
    except OSError:
        return []
    names = [name for name in names if name.endswith(".py") and not re.search(r"(^|/)tests?/", name)]
    files = [os.path.join(root, name) for name in names if not name.startswith(("/", "../"))]
    return [file for file in files if os.path.isfile(file)]


def missing(library):
    """The files of the standard library without byte code: in the official images, all of them."""
    files = []
    for folder, folders, names in os.walk(library):
        folders[:] = [name for name in folders if name not in SKIPPED]
        # The image's user may not be allowed to write there.
        if os.access(folder, os.W_OK):
            files += [os.path.join(folder, name) for name in names if name.endswith(".py")]
    return [file for file in files if not os.path.exists(importlib.util.cache_from_source(file))]


def compile_file(path):
    warnings.simplefilter("ignore")
    # What does not compile is for another Python, or nested too deeply: importing it would report that.
    with contextlib.suppress(py_compile.PyCompileError):
        # It writes the whole file or nothing.
        py_compile.compile(path, doraise=True)
