"""What the installers are told of indexes, proxies and certificates; it installs nothing.

Three speak: pip's configuration files in the image, the image's environment, and the user, whose settings
come in a secret mount. The last wins.
"""

import configparser
import os
import re
import ssl
import sys
import urllib.parse

SETTINGS = "/run/rlmesh-sandbox/settings"
CERTIFICATES = "/run/rlmesh-sandbox/certificates"

BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


def read(temporary):
    """The environment of the installers: the image's, pip's configuration, and the user's settings, the last wins."""
    environment = pip_configuration()
    environment.update(os.environ)
    given = {}
    try:
        with open(SETTINGS, encoding="utf-8") as file:
            given = dict(line.split("=", 1) for line in file.read().splitlines() if "=" in line)
    except FileNotFoundError:
        pass
    # What the user says in one installer's words must not lose against the image's in the other's.
    for names in (
        ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"),
        ("UV_INDEX", "UV_EXTRA_INDEX_URL", "PIP_EXTRA_INDEX_URL"),
        ("UV_INSECURE_HOST", "PIP_TRUSTED_HOST"),
    ):
        if any(name in given for name in names):
            for name in names:
                environment.pop(name, None)
    environment.update(given)
    translate(environment)
    trust(environment, temporary)
    # A uv.toml beside a repository's requirements is for whoever develops it, and pip knows none.
    environment.update(uv_configuration(environment))
    # Locks and half-built packages go with it.
    environment["TMPDIR"] = temporary
    environment["UV_LINK_MODE"] = "copy"
    environment["UV_NO_PROGRESS"] = "1"
    environment["UV_PYTHON_DOWNLOADS"] = "never"
    environment["PIP_BREAK_SYSTEM_PACKAGES"] = "1"
    environment["PIP_ROOT_USER_ACTION"] = "ignore"
    environment["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    environment["PIP_NO_INPUT"] = "1"
    return environment


def pip_configuration():
    """What the base image tells pip in files; uv does not read those."""
    home = os.path.expanduser("~")
    found = {}
    for path in (
        "/etc/pip.conf",
        home + "/.pip/pip.conf",
        home + "/.config/pip/pip.conf",
        sys.prefix + "/pip.conf",
        os.environ.get("PIP_CONFIG_FILE", ""),
    ):
        parser = configparser.RawConfigParser()
        try:
            parser.read(path)
        except (configparser.Error, UnicodeDecodeError):
            continue
        for section in ("global", "install"):
            for key in ("index-url", "extra-index-url", "trusted-host", "cert"):
                if parser.has_option(section, key):
                    found["PIP_" + key.upper().replace("-", "_")] = " ".join(parser.get(section, key).split())
    return found


def uv_configuration(environment):
    """Has uv read the base image's own configuration, and none that is in the current folder."""
    if environment.get("UV_CONFIG_FILE"):
        return {}
    home = environment.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    for path in (home + "/uv/uv.toml", "/etc/uv/uv.toml"):
        if os.path.exists(path):
            return {"UV_CONFIG_FILE": path}
    return {"UV_NO_CONFIG": "1"}


def translate(environment):
    """Says in uv's words what is said in pip's, and the other way round."""

    def first(*names):
        return next((environment[name] for name in names if environment.get(name)), None)

    def put(name, value):
        if value and not environment.get(name):
            environment[name] = value

    index = first("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")
    extra = first("UV_INDEX", "UV_EXTRA_INDEX_URL", "PIP_EXTRA_INDEX_URL")
    hosts = first("UV_INSECURE_HOST", "PIP_TRUSTED_HOST")
    if not first("UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        put("UV_DEFAULT_INDEX", index)
    if not first("UV_INDEX", "UV_EXTRA_INDEX_URL"):
        put("UV_INDEX", extra)
    # uv allows a name before the address, which pip does not know; its password may come by that name.
    put("PIP_INDEX_URL", index and address(index, environment))
    put("PIP_EXTRA_INDEX_URL", extra and " ".join(address(word, environment) for word in extra.split()))
    put("UV_INSECURE_HOST", hosts)
    put("PIP_TRUSTED_HOST", hosts)
    put("SSL_CERT_FILE", environment.get("PIP_CERT"))


def address(index, environment):
    match = re.match(r"([A-Za-z0-9_.-]+)=(\w+://.*)", index)
    if not match:
        return index
    name, url = match.groups()
    start = "UV_INDEX_" + re.sub(r"[^A-Z0-9]", "_", name.upper())
    user, password = environment.get(start + "_USERNAME"), environment.get(start + "_PASSWORD")
    if (user or password) and "@" not in urllib.parse.urlsplit(url).netloc:
        quoted = [urllib.parse.quote(word or "", safe="") for word in (user, password)]
        url = url.replace("://", "://" + ":".join(quoted) + "@", 1)
    return url


def trust(environment, temporary):
    """One bundle for every tool: the system's certificates, and those that the user has added."""
    paths = ssl.get_default_verify_paths()
    system = [environment.get("SSL_CERT_FILE"), paths.cafile, *BUNDLES]
    bundle = next((path for path in system if path and os.path.isfile(path) and os.path.getsize(path)), None)
    if os.path.exists(CERTIFICATES):
        if bundle is None:
            bundle = bundled_certificates()
        combined = os.path.join(temporary, "certificates.pem")
        with open(combined, "wb") as out:
            for path in (bundle, CERTIFICATES):
                if path:
                    with open(path, "rb") as source:
                        out.write(source.read() + b"\n")
        bundle = combined
        for name in ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO"):
            environment[name] = combined
    if bundle:
        environment["SSL_CERT_FILE"] = bundle


def bundled_certificates():
    try:
        from pip._vendor import certifi
    except ImportError:
        return None
    return certifi.where()
