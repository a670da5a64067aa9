"""What rlmesh loads instead of the source's env.py for --wrap: its make_env, with wrapped environments."""

import importlib.util
import sys
from pathlib import Path

from rlmesh_sandbox.loading import read_payload
from rlmesh_sandbox.wrapping import Wrapping, wrap_result

NAME = "rlmesh_sandbox_source_env"

here = Path(__file__).parent
startup = read_payload()["startup"]
folder = here.parents[1] / startup["source_subdir"]
if not (folder / "env.py").exists():
    raise FileNotFoundError(f"missing env.py in {folder}")

# rlmesh puts the folder of the env.py that it loads first.
sys.path[:] = [str(folder), *(entry for entry in sys.path if entry not in (str(here), str(folder)))]
spec = importlib.util.spec_from_file_location(NAME, folder / "env.py")
module = sys.modules[NAME] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)

wrapping = Wrapping(startup["wrap"])
wrapping.load()
# If it is missing, rlmesh reports it.
if callable(getattr(module, "make_env", None)):
    make_env = wrap_result(module.make_env, wrapping)
