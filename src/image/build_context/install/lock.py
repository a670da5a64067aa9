"""Writes the packages that an image has beyond its base image as a requirements file with hashes."""

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import sysconfig

import settings


class Failed(Exception):
    """Why there is no lock."""


def write(base, target, uv, environment):
    """Writes the lock into the file `target`; `base` is the root folder of the base image."""
    had, has = packages(base), packages("")
    added = sorted(name for name in has if name not in had or had[name].version != has[name].version)
    lines = [f"# python {sys.version_info[0]}.{sys.version_info[1]}, {os.uname().machine}"]
    lines.append("# the base image has: " + " ".join(sorted(name for name in had if name not in added)))
    wanted = []
    for name in added:
        direct = json.loads(has[name].read_text("direct_url.json") or "null")
        if name == "rlmesh" and direct and direct["url"].startswith("file:") and "archive_info" in direct:
            lines.append(f"# rlmesh {has[name].version} is installed from a wheel file, apart from this list")
        else:
            wanted.append(requirement(name, has[name].version, direct))
    command = [uv, "pip", "compile", "--quiet", "--python", sys.executable]
    command += ["--generate-hashes", "--no-deps", "--no-header", "--no-annotate"]
    command += [*settings.uv_indexes(environment), "-"]
    environment = settings.without_indexes(environment)
    done = subprocess.run(
        command, input="\n".join(wanted), env=environment, stdout=subprocess.PIPE, text=True
    )
    if done.returncode != 0:
        raise Failed("uv did not get the hashes of all packages, so the lock was not written")
    with open(target, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n" + done.stdout)


def packages(root):
    """Name -> distribution, as a Python with that root folder would find them."""
    found = {}
    # Isolated, Python does not search the user's folder, where packages may be.
    for folder in dict.fromkeys([*sys.path, sysconfig.get_path("purelib", "posix_user")]):
        if not os.path.isabs(folder):
            continue
        for distribution in importlib.metadata.distributions(path=[root + folder]):
            name = distribution.metadata["Name"]
            if name:
                found.setdefault(re.sub(r"[-_.]+", "-", name).lower(), distribution)
    return found


def requirement(name, version, direct):
    """What pins a package: its version, or the address that it was installed from (direct_url.json)."""
    if direct is None:
        return f"{name}=={version}"
    url = direct["url"]
    if "archive_info" not in direct or not url.startswith(("https:", "http:")):
        raise Failed(f"{name} was installed from {url}, of which there is no hash to lock")
    if direct.get("subdirectory"):
        url += "#subdirectory=" + direct["subdirectory"]
    return f"{name} @ {url}"
