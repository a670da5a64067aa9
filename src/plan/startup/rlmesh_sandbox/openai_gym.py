"""Environments of OpenAI's gym as Gymnasium environments: `--import rlmesh_sandbox.openai_gym:register`."""

import functools
import importlib
import inspect

import gymnasium
import numpy

# How gym's spaces are called, and what they become. A space's own class may be derived from one of these.
SPACES = {
    "Box": lambda space: gymnasium.spaces.Box(space.low, space.high, space.shape, space.dtype),
    "Discrete": lambda space: gymnasium.spaces.Discrete(int(space.n), start=int(getattr(space, "start", 0))),
    "MultiBinary": lambda space: gymnasium.spaces.MultiBinary(space.n),
    "MultiDiscrete": lambda space: gymnasium.spaces.MultiDiscrete(space.nvec),
    "Tuple": lambda space: gymnasium.spaces.Tuple([converted(part) for part in space.spaces]),
    "Dict": lambda space: gymnasium.spaces.Dict({key: converted(part) for key, part in space.spaces.items()}),
}


def register():
    """Registers with Gymnasium what was registered with gym."""
    try:
        import gym
    except ImportError:
        raise RuntimeError("OpenAI's gym is not installed, so no environment is registered with it") from None
    registry = gym.envs.registration.registry
    specs = registry.values() if isinstance(registry, dict) else registry.all()
    for spec in list(specs):
        if spec.id not in gymnasium.registry and spec.entry_point is not None:
            gymnasium.register(
                spec.id,
                entry_point=functools.partial(Adapted.of_spec, spec),
                max_episode_steps=spec.max_episode_steps,
                disable_env_checker=True,
            )


def adapt(env):
    """Wraps an environment that has the older interface: `--wrap rlmesh_sandbox.openai_gym:adapt`."""
    # Gymnasium's own wrappers around it expect the newer interface.
    adapted = Adapted(env.unwrapped, getattr(env, "render_mode", None))
    limit = getattr(getattr(env, "spec", None), "max_episode_steps", None)
    return gymnasium.wrappers.TimeLimit(adapted, limit) if limit else adapted


def converted(space):
    """A gym space as one of Gymnasium."""
    if isinstance(space, gymnasium.Space):
        return space
    for kind in type(space).__mro__:
        if kind.__name__ in SPACES and kind.__module__.split(".")[0] == "gym":
            return SPACES[kind.__name__](space)
    raise TypeError(f"the space {type(space).__name__} of OpenAI's gym has no counterpart in Gymnasium")


class Adapted(gymnasium.Env):
    """Gives an environment of gym, or with its older interface, the interface of Gymnasium."""

    def __init__(self, env, render_mode=None):
        self.env = env
        self.action_space = converted(env.action_space)
        self.observation_space = converted(env.observation_space)
        self.render_mode = render_mode
        metadata = dict(getattr(env, "metadata", None) or {})
        modes = metadata.pop("render.modes", [])
        metadata.setdefault("render_modes", [*modes, *([render_mode] if render_mode else [])])
        self.metadata = metadata

    @classmethod
    def of_spec(cls, spec, render_mode=None, **kwargs):
        """Creates the environment of a gym spec, without gym's own wrappers."""
        create = spec.entry_point
        if isinstance(create, str):
            module, _, name = create.partition(":")
            create = functools.reduce(getattr, name.split("."), importlib.import_module(module))
        kwargs = {**(getattr(spec, "kwargs", None) or getattr(spec, "_kwargs", None) or {}), **kwargs}
        if render_mode is not None and takes(create, "render_mode"):
            kwargs["render_mode"] = render_mode
        return cls(create(**kwargs), render_mode)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        arguments = {"seed": seed, "options": options}
        arguments = {name: value for name, value in arguments.items() if takes(self.env.reset, name)}
        if seed is not None and "seed" not in arguments:
            self.action_space.seed(seed)
            numpy.random.seed(seed % 2**32)
            if hasattr(self.env, "seed"):
                self.env.seed(seed)
        result = self.env.reset(**arguments)
        is_pair = isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], dict)
        if is_pair and not isinstance(self.observation_space, gymnasium.spaces.Tuple):
            return self.observation(result[0]), result[1]
        return self.observation(result), {}

    def step(self, action):
        observation, reward, *ended, info = self.env.step(action)
        if len(ended) == 1:
            truncated = bool(info.get("TimeLimit.truncated", False))
            ended = [ended[0] and not truncated, truncated]
        terminated, truncated = ended
        return self.observation(observation), float(reward), bool(terminated), bool(truncated), info

    def render(self):
        if takes(self.env.render, "mode") and self.render_mode is not None:
            return self.env.render(mode=self.render_mode)
        return self.env.render()

    def close(self):
        if hasattr(self.env, "close"):
            self.env.close()

    def observation(self, value):
        space = self.observation_space
        return numpy.asarray(value, space.dtype) if isinstance(space, gymnasium.spaces.Box) else value


def takes(function, name):
    """Whether a function has a parameter with this name, and not only **kwargs."""
    try:
        return name in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False
