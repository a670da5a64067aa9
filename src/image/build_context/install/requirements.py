"""Reads what a folder requires as pip does, where uv reads it differently.

uv does not look for another version of a package in a second index, ignores some options of requirements
files, and refuses others.
"""

import argparse
import codecs
import os
import re
import shlex

PYPI = "https://pypi.org/simple"
# More files than this are not read.
MOST_FILES = 100


class Requirements:
    """The arguments of pip that install something, and the options in the files that they name."""

    def __init__(self, arguments=()):
        self.arguments = list(arguments)
        # Whether packages come from other places too.
        self.names_places = False
        # Whether an index replaces those of the user, as in pip.
        self.replaces_indexes = False
        self.has_pre = False
        self.has_hashes = False
        self.trusted_hosts = []
        # An option that uv does not have, or does not read as pip does.
        self.only_pip = None
        self.files = set()

    def for_uv(self, environment):
        """The options of uv that stand for those in the files."""
        options = []
        if self.names_places and not environment.get("UV_INDEX_STRATEGY"):
            options += ["--index-strategy", "unsafe-best-match"]
        if self.has_pre:
            options += ["--prerelease", "allow"]
        if self.has_hashes:
            options += ["--require-hashes"]
        for host in self.trusted_hosts:
            options += ["--allow-insecure-host", host]
        return options

    def read(self, path):
        """Reads a requirements file and those that it refers to. The installer reports errors in them."""
        path = os.path.normpath(path)
        if path in self.files or len(self.files) == MOST_FILES:
            return
        self.files.add(path)
        try:
            with open(path, "rb") as file:
                text = decoded(file.read())
        except OSError:
            return
        for line in re.sub(r"\\\r?\n", "", text).splitlines():
            line = re.sub(r"(^|\s)#.*", "", line).strip()
            if line.startswith("-"):
                self.add_options(line, os.path.dirname(path))
            # These options follow a requirement.
            for name in re.findall(r"\s--(hash|config-settings?|global-option)[=\s]", line):
                self.only_pip = "--" + name
                self.has_hashes = self.has_hashes or name == "hash"

    def add_options(self, line, folder):
        try:
            options, _ = PARSER.parse_known_args(shlex.split(line))
        except (ValueError, argparse.ArgumentError):
            return
        if options.index_url:
            if self.replaces_indexes:
                # uv refuses a second one; pip uses the last.
                self.only_pip = "--index-url"
            self.names_places = True
            # Without an index, pip uses PyPI, or what the user has instead.
            self.replaces_indexes = options.index_url.rstrip("/") != PYPI
        if options.pypi_url:
            self.only_pip = "--pypi-url"
        self.names_places = self.names_places or bool(options.extra_index_url or options.find_links)
        self.has_pre = self.has_pre or options.pre
        if options.require_hashes:
            self.only_pip, self.has_hashes = "--require-hashes", True
        self.trusted_hosts += options.trusted_host
        for file in options.requirement + options.constraint:
            if "://" not in file:
                self.read(os.path.join(folder, file))


def of_folder():
    """What the current folder requires: its requirements.txt, or else its own package."""
    if os.path.exists("requirements.txt"):
        found = Requirements(["-r", "requirements.txt"])
        found.read("requirements.txt")
        return found
    has_package = os.path.exists("setup.py") or is_package("pyproject.toml")
    return Requirements(["."] if has_package else [])


def is_package(path):
    """Whether a pyproject.toml describes a package: many only have the settings of tools."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return re.search(r"(?m)^\s*\[\s*(project|build-system)\s*\]", file.read()) is not None
    except FileNotFoundError:
        return False


def decoded(content):
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if content.startswith(mark):
            return content.decode(encoding, "replace")
    return content.decode("utf-8", "replace")


def parser():
    options = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    options.add_argument("-i", "--index-url")
    options.add_argument("--pypi-url")
    for names in (
        ("--extra-index-url",),
        ("-f", "--find-links"),
        ("--trusted-host",),
        ("-r", "--requirement"),
        ("-c", "--constraint"),
    ):
        options.add_argument(*names, action="append", default=[])
    for name in ("--pre", "--require-hashes"):
        options.add_argument(name, action="store_true")
    return options


PARSER = parser()
