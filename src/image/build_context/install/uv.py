"""Downloads uv from the package index into the cache that builds share.

Without pip: not every base image has it, and it takes half a second longer.
"""

import hashlib
import html
import http.client
import io
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from base64 import b64encode

# The version to download where the index has it. Any other from OLDEST on will do.
VERSION = (0, 13, 9)
OLDEST = (0, 8, 0)

PYPI = "https://pypi.org/simple"

# No page and no wheel is larger, in bytes.
LARGEST = 256 * 1024 * 1024


class NotFetched(Exception):
    """Why there is no uv."""


class Unreachable(NotFetched):
    """The index does not answer, or not to this user: pip would fail as well."""


def fetch(cache, machine, environment):
    """Downloads a uv that runs here, and returns its path in the cache."""
    version, url, digest = choose(files(environment), machine)
    print(f"fetching uv {version}", file=sys.stderr, flush=True)
    content = get(url, environment)[0]
    if digest and hashlib.sha256(content).hexdigest() != digest:
        raise Unreachable("the package index sent a uv with another SHA-256 than it lists")
    handle, new = tempfile.mkstemp(dir=cache)
    try:
        with open(handle, "wb") as out, zipfile.ZipFile(io.BytesIO(content)) as wheel:
            name = next(name for name in wheel.namelist() if name.endswith(".data/scripts/uv"))
            with wheel.open(name) as source:
                shutil.copyfileobj(source, out, 1 << 20)
        os.chmod(new, 0o755)
        try:
            subprocess.run([new, "--version"], capture_output=True, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise NotFetched(f"uv {version} does not run here: {error}") from None
        # In one step, as another build may do the same at this moment.
        target = os.path.join(cache, f"uv-{version}-{machine}")
        os.replace(new, target)
        return target
    finally:
        if os.path.exists(new):
            os.remove(new)


def choose(wheels, machine):
    """The best of the wheels (name, address, digest) for this machine: its version, address and digest."""
    best = None
    for name, url, digest in wheels:
        match = re.fullmatch(r"uv-(\d+)\.(\d+)\.(\d+)-py3-none-(.+)\.whl", name)
        if not match:
            continue
        version = tuple(int(number) for number in match.groups()[:3])
        # A wheel has several tags: `manylinux_2_17_x86_64.manylinux2014_x86_64`.
        tags = re.findall(r"(many|musl)linux_\d+_\d+_(\w+)", match[4])
        libcs = [libc for libc, processor in tags if processor == machine]
        if version < OLDEST or not libcs:
            continue
        # The build for musl is static, and so runs with any libc.
        rank = (version == VERSION, version, "musl" in libcs)
        if best is None or rank > best[0]:
            best = (rank, (".".join(match.groups()[:3]), url, digest))
    if best is None:
        raise NotFetched(f"the package index has no uv for {machine}")
    return best[1]


def indexes(environment):
    """The addresses of the package indexes, the main one first."""
    main = environment.get("PIP_INDEX_URL") or PYPI
    return [main, *environment.get("PIP_EXTRA_INDEX_URL", "").split()]


def files(environment):
    """The files of uv on the first index that has any: name, address and SHA-256 (if known) of each."""
    reason = None
    for index in indexes(environment):
        try:
            content, kind, found_at = get(index.rstrip("/") + "/uv/", environment)
        except Unreachable:
            raise
        except NotFetched as error:
            reason = error
            continue
        listed = in_json(content) if "json" in kind else in_html(content)
        if listed:
            return [(name, urllib.parse.urljoin(found_at, url), digest) for name, url, digest in listed]
    raise reason or NotFetched("the package index has no uv")


def in_json(content):
    return [
        (file["filename"], file["url"], file.get("hashes", {}).get("sha256"))
        for file in json.loads(content)["files"]
        if not file.get("yanked")
    ]


def in_html(content):
    """The older form of an index page, which every index has."""
    found = []
    for link in re.findall(r"""<a\s[^>]*href=["']([^"']+)""", content.decode("utf-8", "replace")):
        url, _, fragment = html.unescape(link).partition("#")
        name = urllib.parse.unquote(urllib.parse.urlsplit(url).path.rsplit("/", 1)[-1])
        digest = re.fullmatch("sha256=([0-9a-f]{64})", fragment)
        found.append((name, url, digest and digest[1]))
    return found


def get(url, environment):
    """Downloads a file: its content, its type, and the address that it had in the end."""
    url, host, login = without_login(url)
    for index in indexes(environment):
        # The files of an index need the same login where they are on the same host.
        _, index_host, index_login = without_login(index)
        if not login and index_host == host:
            login = index_login
    accept = "application/vnd.pypi.simple.v1+json, text/html;q=0.1, */*;q=0.1"
    request = urllib.request.Request(url, headers={"Accept": accept})
    if login:
        # Not sent to where a redirect leads.
        request.add_unredirected_header("Authorization", "Basic " + b64encode(login.encode()).decode())
    context = ssl.create_default_context(cafile=environment.get("SSL_CERT_FILE"))
    trusted = environment.get("PIP_TRUSTED_HOST", "").replace(",", " ").split()
    if {host, host.rsplit(":", 1)[0]} & set(trusted):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    # urllib reads proxies from the process's own environment.
    os.environ.update({name: value for name, value in environment.items() if name.lower().endswith("_proxy")})
    for last_try in (False, False, True):
        try:
            with urllib.request.urlopen(request, timeout=60, context=context) as answer:
                content = answer.read(LARGEST + 1)
                if len(content) > LARGEST:
                    raise NotFetched(f"{host} sent more than {LARGEST >> 20} MiB")
                return content, answer.headers.get("Content-Type", ""), answer.geturl()
        except urllib.error.HTTPError as error:
            if error.code == 401:
                raise Unreachable("the package index refuses the user or password: HTTP status 401") from None
            if error.code < 500 or last_try:
                raise NotFetched(f"uv cannot be downloaded from {host}: HTTP status {error.code}") from None
        except (OSError, EOFError, http.client.HTTPException) as error:
            if last_try:
                reason = getattr(error, "reason", error)
                raise Unreachable(
                    f"the package index {host} cannot be reached from inside the build: {reason}"
                ) from None


def without_login(url):
    """An address without the user and password in it, its host, and `user:password` if there is one."""
    parts = urllib.parse.urlsplit(url)
    login, _, host = parts.netloc.rpartition("@")
    return urllib.parse.urlunsplit(parts._replace(netloc=host)), host, urllib.parse.unquote(login)
