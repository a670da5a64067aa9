"""Fetches uv from the package index into a cache that builds share; it runs nothing but `uv --version`."""

import hashlib
import html.parser
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

# What is fetched into an empty cache, where the index has it; any other from LEAST on is as good.
UV = (0, 13, 9)
LEAST = (0, 8, 0)


class NoUv(Exception):
    """uv cannot be had here, and pip may do."""


class Refused(Exception):
    """The index does not answer, or not to us: pip would meet the same."""


def fetch(cache, machine, libc, environment):
    """Puts a uv that runs here into the cache, in a folder of its own that has its name in one step."""
    version, url, digest = choose(pages(environment), machine, libc)
    print("fetching uv %s" % version, file=sys.stderr, flush=True)
    content = download(url, environment)
    if digest and hashlib.sha256(content).hexdigest() != digest:
        raise Refused("the package index sent a uv that is not the one it promised")
    work = tempfile.mkdtemp(dir=cache)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as wheel:
            name = next(name for name in wheel.namelist() if name.endswith(".data/scripts/uv"))
            with wheel.open(name) as source, open(os.path.join(work, "uv"), "wb") as out:
                shutil.copyfileobj(source, out, 1 << 20)
        os.chmod(os.path.join(work, "uv"), 0o755)
        os.chmod(work, 0o755)
        try:
            ran = subprocess.run([os.path.join(work, "uv"), "--version"], capture_output=True)
        except OSError as error:
            raise NoUv("uv %s does not run here: %s" % (version, error)) from None
        if ran.returncode != 0:
            raise NoUv("uv %s does not run here" % version)
        target = os.path.join(cache, "uv-%s-%s-%s" % (version, machine, libc[0]))
        try:
            os.rename(work, target)
        except OSError:
            # Another build was faster.
            if not os.path.exists(os.path.join(target, "uv")):
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)


def fits(tag, machine, libc):
    match = re.fullmatch(r"(many|musl)linux_(\d+)_(\d+)_(.+)", tag)
    if not match or match[4] != machine:
        return False
    # The build for musl is static, and so runs everywhere.
    return match[1] == "musl" or (libc[0] == "glibc" and (int(match[2]), int(match[3])) <= libc[1])


def choose(files, machine, libc):
    best = None
    for name, url, digest in files:
        match = re.fullmatch(r"uv-(\d+)\.(\d+)\.(\d+)-py3-none-(.+)\.whl", name)
        if not match:
            continue
        version = tuple(int(match[group]) for group in (1, 2, 3))
        tags = [tag for tag in match[4].split(".") if fits(tag, machine, libc)]
        if version < LEAST or not tags:
            continue
        rank = (version == UV, version, any(tag.startswith("many") for tag in tags))
        if best is None or rank > best[0]:
            best = (rank, (".".join(match.group(1, 2, 3)), url, digest))
    if best is None:
        raise NoUv("the package index has no uv for %s with %s" % (machine, libc[0]))
    return best[1]


class Links(html.parser.HTMLParser):
    """The files of an index page in its older form."""

    def __init__(self, base):
        super().__init__()
        self.base, self.files, self.href = base, [], None

    def handle_starttag(self, tag, attributes):
        if tag == "a":
            self.href = dict(attributes).get("href")

    def handle_data(self, data):
        if self.href and data.strip().endswith(".whl"):
            url, _, fragment = urllib.parse.urljoin(self.base, self.href).partition("#")
            digest = fragment[7:] if fragment.startswith("sha256=") else None
            self.files.append((data.strip(), url, digest))
            self.href = None


def pages(environment):
    """What the indexes have of uv: each file's name, address and SHA-256."""
    indexes = [environment.get("PIP_INDEX_URL") or "https://pypi.org/simple"]
    indexes += environment.get("PIP_EXTRA_INDEX_URL", "").split()
    problem = NoUv("the package index has no uv")
    for index in indexes:
        try:
            files = page(index, environment)
        except NoUv as error:
            problem = error
            continue
        if files:
            return files
    raise problem


def page(index, environment):
    accept = "application/vnd.pypi.simple.v1+json, text/html;q=0.1"
    try:
        content, kind, base = request(index.rstrip("/") + "/uv/", environment, {"Accept": accept})
    except urllib.error.HTTPError as error:
        if error.code == 401:
            raise Refused("the package index refuses the user or password: HTTP status 401") from None
        raise NoUv("the package index has no uv (HTTP status %d)" % error.code) from None
    if "json" in kind:
        return [
            (file["filename"], urllib.parse.urljoin(base, file["url"]), file.get("hashes", {}).get("sha256"))
            for file in json.loads(content)["files"]
        ]
    links = Links(base)
    links.feed(content.decode("utf-8", "replace"))
    return links.files


def download(url, environment):
    try:
        return request(url, environment, {})[0]
    except urllib.error.HTTPError as error:
        raise NoUv("uv cannot be downloaded: HTTP status %d" % error.code) from None


def request(url, environment, headers):
    """Fetches an address: its content, its type, and where it was found in the end (without a password)."""
    plain, login = without_login(url)
    for index in (environment.get("PIP_INDEX_URL", "") + " " + environment.get("PIP_EXTRA_INDEX_URL", "")).split():
        # The files of an index need the same login, where they are on the same host.
        bare, index_login = without_login(index)
        if not login and urllib.parse.urlsplit(bare).netloc == urllib.parse.urlsplit(plain).netloc:
            login = index_login
    if login:
        headers["Authorization"] = "Basic " + b64encode(login.encode()).decode()
    context = None
    if plain.startswith("https:"):
        context = ssl.create_default_context(cafile=environment.get("SSL_CERT_FILE"))
        if urllib.parse.urlsplit(plain).hostname in hostnames(environment.get("PIP_TRUSTED_HOST", "")):
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    # urllib reads proxies from the process's own environment.
    os.environ.update({name: value for name, value in environment.items() if name.lower().endswith("_proxy")})
    handlers = [urllib.request.HTTPSHandler(context=context)] if context else []
    opener = urllib.request.build_opener(*handlers)
    made = urllib.request.Request(plain)
    for name, value in headers.items():
        # Not passed on to where a redirect leads, as a login must not be.
        (made.add_unredirected_header if name == "Authorization" else made.add_header)(name, value)
    for attempt in (1, 2, 3):
        try:
            with opener.open(made, timeout=60) as answer:
                return answer.read(), answer.headers.get("Content-Type", ""), answer.geturl()
        except urllib.error.HTTPError as error:
            if error.code < 500 or attempt == 3:
                raise
        except (OSError, EOFError) as error:
            if attempt == 3:
                reason = getattr(error, "reason", error)
                host = urllib.parse.urlsplit(plain).netloc
                raise Refused(
                    "the package index %s cannot be reached from inside the build: %s" % (host, reason)
                ) from None


def hostnames(text):
    return [word.rsplit(":", 1)[0] for word in text.replace(",", " ").split()]


def without_login(url):
    parts = urllib.parse.urlsplit(url)
    login, at, host = parts.netloc.rpartition("@")
    return urllib.parse.urlunsplit(parts._replace(netloc=host)), urllib.parse.unquote(login) if at else None
