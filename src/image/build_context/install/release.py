"""Finds out whether an old release of a package was chosen because newer ones need another Python."""

import json
import re
import sys

import uv


def note(name, version, environment):
    """A note about a release that could not be built, or None."""
    try:
        found = newest(files(name, environment))
    except Exception:
        # An index can answer anything, and the installer has already printed why it failed.
        return None
    if not found or key(found[0]) <= key(version) or fits(found[1], sys.version_info[:3]):
        return None
    return f"{name} {version} is an old release: {found[0]} needs Python {found[1]}"


def files(name, environment):
    """The files of the first index that has the package, as its JSON page lists them."""
    page = re.sub(r"[-_.]+", "-", name).lower()
    for index in uv.indexes(environment):
        try:
            content, kind, _ = uv.get(index.rstrip("/") + "/" + page + "/", environment)
        except uv.NotFetched:
            continue
        return json.loads(content)["files"] if "json" in kind else []
    return []


def newest(listed):
    """The newest final version, and the Python that it needs."""
    versions = {}
    for file in listed:
        # A wheel, or a source archive: NAME-VERSION-…whl, NAME-VERSION.tar.gz.
        match = re.fullmatch(r".+?-(\d+(?:\.\d+)*)(-.+\.whl|\.tar\.gz|\.zip)", file["filename"])
        python = re.sub(r"\s", "", file.get("requires-python") or "")
        if match and not file.get("yanked") and re.fullmatch(r"[0-9<>=!~.,*]*", python):
            versions[match[1]] = python
    return max(versions.items(), key=lambda item: key(item[0]), default=None)


def fits(specifier, python):
    """Whether a Python has one of the versions of `>=3.10,<4`; clauses with other operators are left out."""
    python = key(".".join(map(str, python)))
    for operator, version in re.findall(r"(>=|<=|>|<)([0-9.]+)", specifier):
        wanted = key(version)
        fit = {">=": python >= wanted, "<=": python <= wanted, ">": python > wanted, "<": python < wanted}
        if not fit[operator]:
            return False
    return True


def key(version):
    """A version as numbers, without zeros at its end."""
    numbers = [int(number) for number in version.strip(".").split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
