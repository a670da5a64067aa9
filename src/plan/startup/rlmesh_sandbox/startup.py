"""The module that rlmesh imports before it creates the environment: it does what "startup" in the bootstrap
payload says.
"""

from rlmesh_sandbox.loading import call_or_import, read_payload
from rlmesh_sandbox.wrapping import Wrapping, wrap_next_gymnasium_call


def main():
    payload = read_payload()
    startup = payload["startup"]
    for target in startup["imports"]:
        call_or_import(target)
    # A source's wrappers may be its own modules, so they are loaded with its env.py: see source/env.py.
    if startup["wrap"] and payload["spec"]["kind"] == "gym":
        wrapping = Wrapping(startup["wrap"])
        wrapping.load()
        wrap_next_gymnasium_call(wrapping)


main()
