"""Environments that consist of JAX functions: craftax, gymnax and jumanji."""

import functools

import gymnasium
import numpy


def craftax():
    from craftax.craftax_env import make_craftax_env_from_name as make

    for game in ("Craftax", "Craftax-Classic"):
        for kind in ("Symbolic", "Pixels"):
            name = f"{game}-{kind}-v1"
            register(name, make_craftax, functools.partial(make, name, auto_reset=False))


def gymnax():
    import gymnax as package

    for name in package.registered_envs:
        register(name, make_gymnax, functools.partial(package.make, name))


def jumanji():
    import jumanji as package

    for name in package.registered_environments():
        register(f"jumanji/{name}", make_jumanji, functools.partial(package.make, name))


def register(name, make, create):
    if name not in gymnasium.registry:
        gymnasium.register(name, entry_point=functools.partial(make, create), disable_env_checker=True)


def make_gymnax(create):
    return parameterized(*create())


def make_craftax(create):
    env = create()
    return parameterized(env, env.default_params)


def parameterized(env, parameters):
    """An environment whose functions take its parameters, as gymnax defines them."""

    def step(key, state, action):
        # `step_env` does not start the next episode by itself.
        observation, state, reward, done, _ = env.step_env(key, state, action, parameters)
        return observation, state, reward, done, False

    return FunctionalEnv(
        functools.partial(env.reset_env, params=parameters),
        step,
        converted(env.observation_space(parameters)),
        converted(env.action_space(parameters)),
    )


def make_jumanji(create):
    from jumanji import specs

    env = create()

    def reset(key):
        state, timestep = env.reset(key)
        return timestep.observation, state

    def step(_, state, action):
        state, timestep = env.step(state, action)
        terminated = (timestep.discount == 0).all()
        return timestep.observation, state, timestep.reward.sum(), terminated, timestep.last() & ~terminated

    spaces = [specs.jumanji_specs_to_gym_spaces(spec) for spec in (env.observation_spec, env.action_spec)]
    return FunctionalEnv(reset, step, *map(converted, spaces))


def converted(space):
    """The space as one of Gymnasium, without scalars, which rlmesh cannot send as a Box."""
    kind = type(space).__name__
    if kind == "Box":
        shape = tuple(space.shape) or (1,)
        low, high = (numpy.broadcast_to(numpy.asarray(bound), shape) for bound in (space.low, space.high))
        return gymnasium.spaces.Box(low, high, shape, numpy.dtype(space.dtype).type)
    if kind == "Discrete":
        return gymnasium.spaces.Discrete(int(space.n), start=int(getattr(space, "start", 0)))
    if kind == "Dict":
        return gymnasium.spaces.Dict({key: converted(part) for key, part in space.spaces.items()})
    if kind == "Tuple":
        return gymnasium.spaces.Tuple([converted(part) for part in space.spaces])
    if isinstance(space, gymnasium.Space):
        return space
    raise TypeError(f"the space {kind} has no counterpart in Gymnasium")


class FunctionalEnv(gymnasium.Env):
    """Keeps the state of an environment of functions:

    reset(key) returns observation, state;
    step(key, state, action) returns observation, state, reward, terminated, truncated.
    """

    def __init__(self, reset, step, observation_space, action_space):
        import jax

        self.jax_reset, self.jax_step = jax.jit(reset), jax.jit(step)
        self.random = jax.random
        self.key = jax.random.PRNGKey(0)
        self.state = None
        self.observation_space, self.action_space = observation_space, action_space

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        if seed is not None:
            self.key = self.random.PRNGKey(seed)
        observation, self.state = self.jax_reset(self.next_key())
        return value_in(self.observation_space, observation), {}

    def step(self, action):
        result = self.jax_step(self.next_key(), self.state, action)
        observation, self.state, reward, terminated, truncated = result
        observation = value_in(self.observation_space, observation)
        return observation, float(reward), bool(terminated), bool(truncated), {}

    def next_key(self):
        self.key, key = self.random.split(self.key)
        return key


def value_in(space, value):
    """The value as NumPy data of the space; objects with attributes are dicts there."""
    if isinstance(space, gymnasium.spaces.Dict):
        part = value.get if isinstance(value, dict) else functools.partial(getattr, value)
        return {key: value_in(inner, part(key)) for key, inner in space.spaces.items()}
    if isinstance(space, gymnasium.spaces.Tuple):
        return tuple(value_in(inner, part) for inner, part in zip(space.spaces, value, strict=True))
    if isinstance(space, gymnasium.spaces.Discrete):
        return int(value)
    return numpy.asarray(value, space.dtype).reshape(space.shape)
