"""The environment variables of the installers: indexes, proxies, certificates.

They come from three places, and the last one wins: pip's configuration files in the image, the image's
environment, and the user's settings, which are in a secret mount.
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

# The names of one setting: uv's, uv's older ones, pip's.
INDEX = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")
EXTRA_INDEXES = ("UV_INDEX", "UV_EXTRA_INDEX_URL", "PIP_EXTRA_INDEX_URL")
TRUSTED_HOSTS = ("UV_INSECURE_HOST", "PIP_TRUSTED_HOST")


def read(temporary):
    """The environment for uv and pip; files that it needs are written into the folder `temporary`."""
    environment = pip_configuration()
    environment.update(os.environ)
    given = user_settings()
    # The user's setting in pip's words also replaces the image's in uv's words, and the other way round.
    for names in (INDEX, EXTRA_INDEXES, TRUSTED_HOSTS):
        if any(name in given for name in names):
            for name in names:
                environment.pop(name, None)
    environment.update(given)
    translate(environment)
    trust(environment, temporary)
    environment.update(uv_configuration(environment))
    environment.update(
        # Locks and half-built packages are deleted with it.
        TMPDIR=temporary,
        UV_LINK_MODE="copy",
        UV_NO_PROGRESS="1",
        UV_PYTHON_DOWNLOADS="never",
        PIP_BREAK_SYSTEM_PACKAGES="1",
        PIP_ROOT_USER_ACTION="ignore",
        PIP_DISABLE_PIP_VERSION_CHECK="1",
        PIP_NO_INPUT="1",
    )
    return environment


def user_settings():
    try:
        with open(SETTINGS, encoding="utf-8") as file:
            return dict(line.split("=", 1) for line in file.read().splitlines() if "=" in line)
    except FileNotFoundError:
        return {}


def pip_configuration():
    """The settings in pip's configuration files of the image, as variables; uv does not read those files."""
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
    """Makes uv read the image's own uv.toml, and not a repository's, which is for those who develop it."""
    if environment.get("UV_CONFIG_FILE"):
        return {}
    home = environment.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    for path in (home + "/uv/uv.toml", "/etc/uv/uv.toml"):
        if os.path.exists(path):
            return {"UV_CONFIG_FILE": path}
    return {"UV_NO_CONFIG": "1"}


def with_lasting_files(environment, temporary):
    """The environment of a uv that uses the public index, whose files never change under one address.

    Some mirrors of it do not say so: uv would download and compile a package again in each build.
    """
    if "UV_NO_CONFIG" not in environment:
        return environment
    path = os.path.join(temporary, "uv.toml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(
            '[[index]]\nurl = "https://pypi.org/simple"\ndefault = true\n'
            'cache-control = { files = "max-age=365000000, immutable" }\n'
        )
    return {name: value for name, value in environment.items() if name != "UV_NO_CONFIG"} | {
        "UV_CONFIG_FILE": path
    }


def translate(environment):
    """Adds pip's settings under uv's names, and the other way round."""

    def first(names):
        return next((environment[name] for name in names if environment.get(name)), None)

    def put(name, value):
        if value and not environment.get(name):
            environment[name] = value

    index, extra, hosts = first(INDEX), first(EXTRA_INDEXES), first(TRUSTED_HOSTS)
    if not first(INDEX[:2]):
        put("UV_DEFAULT_INDEX", index)
    if not first(EXTRA_INDEXES[:2]):
        put("UV_INDEX", extra)
    put("PIP_INDEX_URL", index and address(index, environment))
    put("PIP_EXTRA_INDEX_URL", extra and " ".join(address(word, environment) for word in extra.split()))
    put("UV_INSECURE_HOST", hosts)
    put("PIP_TRUSTED_HOST", hosts)
    put("SSL_CERT_FILE", environment.get("PIP_CERT"))


def uv_indexes(environment):
    """The indexes as arguments of uv."""
    default = next((environment[name] for name in INDEX[:2] if environment.get(name)), None)
    extra = " ".join(environment.get(name) or "" for name in EXTRA_INDEXES[:2]).split()
    arguments = ["--default-index", address(default, environment)] if default else []
    for index in extra:
        arguments += ["--index", address(index, environment)]
    return arguments


def pip_indexes(environment):
    """The indexes as arguments of pip."""
    arguments = []
    if environment.get("PIP_INDEX_URL"):
        arguments += ["--index-url", environment["PIP_INDEX_URL"]]
    for index in (environment.get("PIP_EXTRA_INDEX_URL") or "").split():
        arguments += ["--extra-index-url", index]
    return arguments


def without_indexes(environment):
    """The environment of an installer that has the indexes as arguments.

    A requirements file may name an index that contains `${NAME}`, or that has the name of one of the user's.
    A variable with a login would be sent there.
    """
    secret = re.compile("|".join([*INDEX, *EXTRA_INDEXES, r"UV_INDEX_\w+_(USERNAME|PASSWORD)"]))
    return {name: value for name, value in environment.items() if not secret.fullmatch(name)}


def address(index, environment):
    """The address of an index that may have a name in front (`name=https://…`), as only uv allows.

    The user and password for such an index may be in variables that have its name.
    """
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
    """Gives all tools one file of certificates: the system's, and the user's after them."""
    paths = ssl.get_default_verify_paths()
    system = [environment.get("SSL_CERT_FILE"), paths.cafile, *BUNDLES]
    bundle = next((path for path in system if path and os.path.isfile(path) and os.path.getsize(path)), None)
    if os.path.exists(CERTIFICATES):
        combined = os.path.join(temporary, "certificates.pem")
        with open(combined, "wb") as out:
            for path in (bundle or pips_certificates(), CERTIFICATES):
                if path:
                    with open(path, "rb") as source:
                        out.write(source.read() + b"\n")
        bundle = combined
        for name in ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO"):
            environment[name] = combined
    if bundle:
        environment["SSL_CERT_FILE"] = bundle


def pips_certificates():
    try:
        from pip._vendor import certifi
    except ImportError:
        return None
    return certifi.where()
