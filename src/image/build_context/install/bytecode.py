"""Compiles installed packages to byte code, so that containers do not do it at every start.

uv could do this, but it compiles the packages' tests as well: it takes three times as long.
"""

import contextlib
import csv
import multiprocessing
import os
import py_compile
import re
import warnings
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool


class Killed(Exception):
    """A worker was killed."""


def compile_all(distributions):
    """Compiles the Python files of the distributions (paths of .dist-info folders)."""
    files = [file for distribution in distributions for file in sources(distribution)]
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


def compile_file(path):
    warnings.simplefilter("ignore")
    # What does not compile is for another Python, or nested too deeply: importing it would report that.
    with contextlib.suppress(py_compile.PyCompileError):
        # It writes the whole file or nothing.
        py_compile.compile(path, doraise=True)
