"""Writes the packages that an image has beyond its base as a requirements file with hashes.

python lock.py BASE FILE: BASE is the base image's root folder. It needs no more than Python itself.
"""

import base64
import hashlib
import html.parser
import importlib.metadata
import json
import os
import re
import sys
import urllib.error
import urllib.parse
import urllib.request

ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.1"


def fail(message):
    sys.exit("error: " + message)


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def packages(root):
    """Name -> distribution, as an interpreter with that root folder would find them."""
    found = {}
    for place in sys.path:
        if not place or not os.path.isabs(place):
            continue
        for one in importlib.metadata.distributions(path=[root + place]):
            name = one.metadata["Name"]
            if name:
                found.setdefault(normal(name), one)
    return found


def indexes():
    """The indexes that pip and uv are told of, the main one first."""
    said = [os.environ.get(name, "") for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")]
    main = next((url for url in said if url.strip()), "https://pypi.org/simple")
    more = [os.environ.get(name, "") for name in ("UV_INDEX", "UV_EXTRA_INDEX_URL", "PIP_EXTRA_INDEX_URL")]
    urls = [main] + [url for some in more for url in some.split()]
    # uv lets an index have a name.
    return [re.sub(r"^\w+=(?=https?:)", "", url.strip()).rstrip("/") for url in urls]


class Links(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.files = []

    def handle_starttag(self, tag, attributes):
        link = dict(attributes).get("href") if tag == "a" else None
        if link:
            address, fragment = urllib.parse.urldefrag(link)
            hashes = dict(part.split("=", 1) for part in fragment.split("&") if "=" in part)
            name = urllib.parse.unquote(address.rsplit("/", 1)[-1])
            self.files.append({"filename": name, "hashes": hashes})


def files(index, name):
    parts = urllib.parse.urlsplit(index)
    request = urllib.request.Request("%s/%s/" % (index, name), headers={"Accept": ACCEPT})
    if parts.username is not None:
        host = parts.netloc.rsplit("@", 1)[-1]
        request.full_url = urllib.parse.urlunsplit(parts._replace(netloc=host)) + "/%s/" % name
        pair = "%s:%s" % tuple(urllib.parse.unquote(part or "") for part in (parts.username, parts.password))
        request.add_unredirected_header("Authorization", "Basic " + base64.b64encode(pair.encode()).decode())
    where = urllib.parse.urlsplit(request.full_url).netloc
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            body, kind = answer.read().decode(), answer.headers.get("Content-Type", "")
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return []
        fail("the index at %s answered %d for %s, so the lock was not written" % (where, error.code, name))
    except OSError as error:
        fail("the index at %s cannot be reached (%s), so the lock was not written" % (where, error))
    if "json" in kind:
        return json.loads(body)["files"]
    links = Links()
    links.feed(body)
    return links.files


def version_of(name, filename):
    """The version that a file of a package has, by the file's name."""
    if filename.endswith((".whl", ".egg")):
        parts = filename.split("-")
        return parts[1] if len(parts) > 2 else None
    for end in (".tar.gz", ".zip", ".tar.bz2", ".tar.xz", ".tgz"):
        if filename.endswith(end):
            stem = filename[: -len(end)]
            for cut in [at for at, c in enumerate(stem) if c == "-"]:
                if normal(stem[:cut]) == name:
                    return stem[cut + 1 :]
    return None


def same_version(one, other):
    # A wheel's name has _ where the version has + or -.
    return re.sub(r"[-_+]", ".", one.lower()) == re.sub(r"[-_+]", ".", other.lower())


def hashes_from_index(name, version):
    found = set()
    for index in indexes():
        for file in files(index, name):
            digest = file.get("hashes", {}).get("sha256")
            version_here = version_of(name, file["filename"])
            if digest and version_here and same_version(version_here, version):
                found.add(digest)
        if found:
            return sorted(found)
    fail("no index has a sha256 of %s %s, so the lock was not written" % (name, version))


def digest_of(name, url):
    """Installers do not always note the hash of an archive whose address they were given."""
    digest = hashlib.sha256()
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            for piece in iter(lambda: answer.read(1 << 20), b""):
                digest.update(piece)
    except OSError as error:
        fail("%s cannot be fetched again from %s (%s), so the lock was not written" % (name, url, error))
    return digest.hexdigest()


def entry(name, one):
    direct = json.loads(one.read_text("direct_url.json") or "null")
    if direct is None:
        hashes = hashes_from_index(name, one.version)
        return "%s==%s" % (name, one.version) + "".join(" \\\n    --hash=sha256:" + digest for digest in hashes)
    url = direct["url"]
    if name == "rlmesh" and url.startswith("file:") and "archive_info" in direct:
        return "# %s %s is installed from a wheel file, apart from this list" % (name, one.version)
    archive = direct.get("archive_info", {})
    digest = archive.get("hashes", {}).get("sha256") or archive.get("hash", "").partition("sha256=")[2]
    if not digest and "archive_info" in direct and url.startswith(("https:", "http:")):
        digest = digest_of(name, url)
    if not digest or url.startswith("file:"):
        fail("%s was installed from %s, of which there is no hash to lock" % (name, url))
    return "%s @ %s \\\n    --hash=sha256:%s" % (name, url, digest)


def main():
    base, target = sys.argv[1:]
    had, has = packages(base), packages("")
    added = sorted(name for name in has if name not in had or had[name].version != has[name].version)
    lines = ["# python %d.%d, %s" % (sys.version_info[0], sys.version_info[1], os.uname().machine)]
    lines.append("# the base image has: " + " ".join(sorted(name for name in had if name not in added)))
    lines += [entry(name, has[name]) for name in added]
    with open(target, "w") as file:
        file.write("\n".join(lines) + "\n")


main()
