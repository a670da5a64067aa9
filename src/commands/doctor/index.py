"""Asks the package index for rlmesh, from inside a container, as a build does. Prints one line of JSON."""

import json
import os
import ssl
import subprocess
import sys

# The names of one setting, by precedence: uv's, and pip's.
INDEX = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")
CERTIFICATES = "RLMESH_SANDBOX_CERTIFICATES"


def environment(given):
    found = dict(given, PIP_NO_INPUT="1", PIP_RETRIES="0", PIP_DEFAULT_TIMEOUT="8", PIP_NO_CACHE_DIR="1")
    index = next((given[name] for name in INDEX if given.get(name)), None)
    if index:
        found["PIP_INDEX_URL"] = index
    certificates = found.pop(CERTIFICATES, None)
    if certificates:
        bundle = ssl.get_default_verify_paths().cafile
        with open("/tmp/certificates.pem", "w", encoding="utf-8") as file:
            if bundle:
                with open(bundle, encoding="utf-8") as others:
                    file.write(others.read() + "\n")
            file.write(certificates)
        found["PIP_CERT"] = file.name
    return found


def main():
    command = [sys.executable, "-m", "pip", "index", "versions", "rlmesh", "--disable-pip-version-check"]
    ran = subprocess.run(command, env=environment(os.environ), capture_output=True, text=True)
    lines = (ran.stdout if ran.returncode == 0 else ran.stderr).strip().splitlines()
    errors = [line for line in lines if line.startswith(("ERROR:", "WARNING: Retrying"))]
    telling = lines[0] if ran.returncode == 0 and lines else (errors or lines or ["no output"])[0]
    print(json.dumps({"ok": ran.returncode == 0, "line": telling[:300]}))


if __name__ == "__main__":
    main()
