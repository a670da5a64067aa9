"""The module that rlmesh imports before it creates the environment: it does what "startup" in the bootstrap
payload says.
"""

import sys
from pathlib import Path

from rlmesh_sandbox.loading import call_or_import, read_payload
from rlmesh_sandbox.wrapping import Wrapping, wrap_next_gymnasium_call


def main():
    payload = read_payload()
    startup = payload["startup"]
    folder = startup.get("source_subdir") or payload["spec"].get("source_subdir")
    if folder:
        # Imports may be the source's own modules. rlmesh adds the folder of env.py later.
        sys.path.insert(0, str(Path(__file__).resolve().parents[1] / folder))
    for target in startup["imports"]:
        call_or_import(target)
    # A source's wrappers may be its own modules, so they are loaded with its env.py: see source/env.py.
    if startup["wrap"] and payload["spec"]["kind"] == "gym":
        wrapping = Wrapping(startup["wrap"])
        wrapping.load()
        wrap_next_gymnasium_call(wrapping)


main()
