"""Serves the one environment that the package of a folder registers with Gymnasium.

rlmesh-sandbox adds this file to the image of a package without an env.py of its own.
"""

import importlib
import importlib.metadata
import json

import gymnasium

# Where the package was installed from.
FOLDER = "file:///opt/rlmesh/source"


def make_env(n_envs=1, use_async_envs=False, **kwargs):
    env_id = only_env_id()
    if n_envs == 1:
        return gymnasium.make(env_id, **kwargs)
    mode = "async" if use_async_envs else "sync"
    return gymnasium.make_vec(env_id, num_envs=n_envs, vectorization_mode=mode, **kwargs)


def only_env_id():
    package = installed_package()
    name = package.metadata["Name"]
    modules = sorted(set(modules_of(package)))
    before = set(gymnasium.registry)
    for module in modules:
        importlib.import_module(module)
    env_ids = [env_id for env_id in gymnasium.registry if module_of(env_id) in modules]
    # An environment may be built from the classes of another package.
    env_ids = env_ids or [env_id for env_id in gymnasium.registry if env_id not in before]
    if len(env_ids) == 1:
        return env_ids[0]
    imported = ", ".join(modules) or "no module"
    if env_ids:
        found = f"the package {name} registers several environments: {', '.join(sorted(env_ids))}"
        how = f"rlmesh-sandbox run {sorted(env_ids)[0]} -p FOLDER -i {modules[0]}"
        raise RuntimeError(f"{found}; choose one, for example with: {how}")
    raise RuntimeError(
        f"the package {name} registers no Gymnasium environment when it is imported ({imported}); "
        "add an env.py with a function make_env to its folder, or pass the module that registers it with -i"
    )


def installed_package():
    for package in importlib.metadata.distributions():
        origin = json.loads(package.read_text("direct_url.json") or "{}")
        if origin.get("url", "").rstrip("/") == FOLDER:
            return package
    raise RuntimeError(f"the package from {FOLDER} is not installed")


def modules_of(package):
    """The names of the modules and packages at the top of a distribution."""
    for file in package.files or []:
        first = file.parts[0]
        if len(file.parts) == 1:
            name = first.split(".")[0] if first.endswith((".py", ".so")) else ""
        else:
            name = first if file.suffix in (".py", ".so") else ""
        if name.isidentifier() and name not in ("tests", "test", "docs", "examples", "setup", "conftest"):
            yield name


def module_of(env_id):
    """The top module of the class or function that makes an environment."""
    entry_point = gymnasium.registry[env_id].entry_point
    path = entry_point if isinstance(entry_point, str) else getattr(entry_point, "__module__", "")
    return (path or "").split(":")[0].split(".")[0]
