"""Applies the wrappers of --wrap to environments."""

import functools
from collections.abc import Mapping

from rlmesh_sandbox.loading import failed, load


class Wrapping:
    """Applies wrappers (MODULE:CLASS), the first one innermost.

    An AsyncVectorEnv may pickle it for its processes, so it only has names.
    """

    def __init__(self, names):
        self.names = names

    def load(self):
        """Loads all wrappers, so that a wrong name fails before the environment is created."""
        return [(f"--wrap {name}", load(name, f"--wrap {name}")) for name in self.names]

    def __call__(self, env):
        for option, wrapper in self.load():
            env = wrap(env, wrapper, option)
        return env


def wrap(env, wrapper, option):
    # Only vector environments have this attribute.
    if hasattr(env, "single_action_space"):
        raise failed(
            option,
            f"make_env returns a vector environment ({type(env).__name__}), whose copies it cannot wrap; "
            "apply the wrapper in env.py",
        )
    try:
        wrapped = wrapper(env)
    except Exception as error:
        raise failed(option, error) from error
    if not is_env(wrapped):
        raise failed(option, f"it returned {type(wrapped).__name__}, not an environment")
    return wrapped


def is_env(value):
    """What rlmesh takes as an environment."""
    return hasattr(value, "reset") and hasattr(value, "step")


def wrap_next_gymnasium_call(wrapping):
    """Makes the next call of gymnasium.make or gymnasium.make_vec, which is rlmesh's, wrap the environment.

    Later calls, such as those of an environment that contains other environments, do not wrap.
    """
    import gymnasium

    make, make_vec = gymnasium.make, gymnasium.make_vec

    def restore():
        gymnasium.make, gymnasium.make_vec = make, make_vec

    @functools.wraps(make)
    def make_wrapped(*args, **kwargs):
        restore()
        return wrapping(make(*args, **kwargs))

    @functools.wraps(make_vec)
    def make_vec_wrapped(*args, wrappers=None, **kwargs):
        restore()
        return make_vec(*args, wrappers=[wrapping, *(wrappers or [])], **kwargs)

    gymnasium.make, gymnasium.make_vec = make_wrapped, make_vec_wrapped


def wrap_result(make_env, wrapping):
    """A make_env with the same signature that wraps every environment in its result: an environment, or
    {suite: environment or {task: environment}}.
    """

    def wrap_all(value):
        if is_env(value):
            return wrapping(value)
        if isinstance(value, Mapping):
            return {key: wrap_all(item) for key, item in value.items()}
        # rlmesh reports it.
        return value

    @functools.wraps(make_env)
    def make_wrapped(*args, **kwargs):
        return wrap_all(make_env(*args, **kwargs))

    return make_wrapped
