"""Serves the environment that the package of a folder registers with Gymnasium, or the one that `id` names.

rlmesh-sandbox adds this file to the image of a package without an env.py of its own.
"""

import importlib
import importlib.metadata
import json

import gymnasium

# Where the package was installed from.
FOLDER = "file:///opt/rlmesh/source"


def make_env(n_envs=1, use_async_envs=False, id=None, **kwargs):
    id = chosen(id)
    if n_envs == 1:
        return gymnasium.make(id, **kwargs)
    mode = "async" if use_async_envs else "sync"
    return gymnasium.make_vec(id, num_envs=n_envs, vectorization_mode=mode, **kwargs)


def chosen(id):
    env_ids = registered()
    if id is None and len(env_ids) == 1:
        return env_ids[0]
    if id is not None and (id in gymnasium.registry or ":" in id):
        return id
    package = installed_package()
    name = package.metadata["Name"]
    if env_ids:
        # rlmesh-sandbox reads this sentence.
        raise RuntimeError(f"the package {name} registers these environments: {', '.join(env_ids)}")
    imported = ", ".join(modules_of(package)) or "no module"
    raise RuntimeError(
        f"the package {name} registers no Gymnasium environment when it is imported ({imported}); "
        "add an env.py with a function make_env to its folder, or pass the module that registers it with -i"
    )


def registered():
    """The ids of the package's environments, sorted."""
    before = set(gymnasium.registry)
    modules = modules_of(installed_package())
    for module in modules:
        importlib.import_module(module)
    env_ids = [env_id for env_id in gymnasium.registry if module_of(env_id) in modules]
    # An environment may be built from the classes of another package.
    return sorted(env_ids or set(gymnasium.registry) - before)


def installed_package():
    for package in importlib.metadata.distributions():
        origin = json.loads(package.read_text("direct_url.json") or "{}")
        if origin.get("url", "").rstrip("/") == FOLDER:
            return package
    raise RuntimeError(f"the package from {FOLDER} is not installed")


def modules_of(package):
    """The names of the modules and packages at the top of a distribution, sorted."""
    names = set()
    for file in package.files or []:
        first = file.parts[0]
        is_code = file.suffix in (".py", ".so")
        names.add(first.split(".")[0] if len(file.parts) == 1 and is_code else first if is_code else "")
    others = {"tests", "test", "docs", "examples", "setup", "conftest"}
    return sorted(name for name in names if name.isidentifier() and name not in others)


def module_of(env_id):
    """The top module of the class or function that makes an environment."""
    entry_point = gymnasium.registry[env_id].entry_point
    path = entry_point if isinstance(entry_point, str) else getattr(entry_point, "__module__", "")
    return (path or "").split(":")[0].split(".")[0]
