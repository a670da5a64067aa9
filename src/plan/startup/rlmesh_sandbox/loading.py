"""Reads the bootstrap payload, and loads what it names as MODULE or MODULE:NAME."""

import difflib
import importlib
import json
import os
import sys
from pathlib import Path


def read_payload():
    """The bootstrap payload, from where rlmesh reads it."""
    text = os.environ.get("RLMESH_BOOTSTRAP_JSON")
    return json.loads(text if text is not None else Path(sys.argv[1]).read_text(encoding="utf-8"))


def call_or_import(target):
    """Imports MODULE, or calls MODULE:FUNCTION without arguments."""
    option = f"--import {target}"
    if ":" not in target:
        load_module(target, option)
        return
    function = load(target, option)
    try:
        function()
    except Exception as error:
        raise failed(option, error) from error


def load(target, option):
    """The class or function MODULE:NAME. `option` is what errors call it."""
    module_name, _, name = target.partition(":")
    module = load_module(module_name, option)
    value = getattr(module, name, None)
    if value is None:
        raise failed(option, f"the module {module_name} has no {name}{alternatives(module, name)}")
    if not callable(value):
        raise failed(option, f"{name} is not a class or function, but {type(value).__name__}")
    return value


def load_module(name, option):
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise failed(option, error) from error


def alternatives(module, name):
    """The end of a sentence that lists the names in a module that are similar to a missing one."""
    names = [other for other, value in vars(module).items() if not other.startswith("_") and callable(value)]
    similar = difflib.get_close_matches(name, names, n=3)
    return f"; similar names are {', '.join(similar)}" if similar else ""


def failed(option, reason):
    """The error for an option, on one line: rlmesh-sandbox shows the last line of a traceback."""
    if isinstance(reason, Exception):
        lines = str(reason).strip().splitlines()
        reason = f"{type(reason).__name__}: {lines[0]}" if lines else type(reason).__name__
    return RuntimeError(f"{option} failed: {reason}")
