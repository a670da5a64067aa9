"""Registers environments that their packages only create with functions of their own."""

import functools
import os
from pathlib import Path

import gymnasium
import numpy


def stable_retro():
    try:
        import stable_retro as package
    except ImportError:
        import retro as package
    for game in package.data.list_games(package.data.Integrations.STABLE):
        register(game, functools.partial(make_retro, package.make, game))


def make_retro(make, game, render_mode="rgb_array", **kwargs):
    # Its own default opens a window.
    return make(game, render_mode=render_mode, **kwargs)


def robosuite():
    import robosuite as package

    for name in package.ALL_ENVIRONMENTS:
        register(f"robosuite/{name}", functools.partial(make_robosuite, name))


def make_robosuite(name, render_mode=None, camera="frontview", **kwargs):
    import robosuite as package
    from robosuite.wrappers.gym_wrapper import GymWrapper

    kwargs.setdefault("robots", ["Panda", "Panda"] if name.startswith("TwoArm") else "Panda")
    kwargs = {"has_renderer": False, "use_camera_obs": False, **kwargs}
    kwargs.setdefault("has_offscreen_renderer", render_mode is not None or kwargs["use_camera_obs"])
    env = package.make(name, **kwargs)

    class Robosuite(GymWrapper):
        # Gymnasium keeps the spec there. GymWrapper's own answer is an environment without one.
        @property
        def unwrapped(self):
            return self

        def render(self):
            # MuJoCo's images are upside down.
            return env.sim.render(height=480, width=640, camera_name=camera)[::-1].copy()

        def step(self, action):
            observation, reward, terminated, truncated, info = super().step(action)
            return observation, float(reward), bool(terminated), bool(truncated), info

    wrapped = Robosuite(env)
    wrapped.render_mode = render_mode
    wrapped.metadata = {"render_modes": ["rgb_array"]}
    return wrapped


# A walker: 0 is empty, 3 a horizontal muscle. The number of muscles decides the size of an action.
WALKER = [[3, 3, 3, 3, 3], [3, 3, 3, 3, 3], [3, 3, 0, 3, 3], [3, 3, 0, 3, 3], [3, 3, 0, 3, 3]]


def evogym():
    """Lets the body of a robot be a list, as JSON has it, and gives it a value."""
    import evogym.envs  # noqa: F401

    for spec in list(gymnasium.registry.values()):
        if str(spec.entry_point).startswith("evogym."):
            create = gymnasium.envs.registration.load_env_creator(spec.entry_point)
            spec.entry_point = functools.partial(make_evogym, create)


def make_evogym(create, body=WALKER, connections=None, **kwargs):
    connections = None if connections is None else numpy.array(connections)
    return create(body=numpy.array(body), connections=connections, **kwargs)


def sumo_rl():
    """Sets SUMO_HOME, which the import needs, and gives sumo-rl-v0 one of the package's crossings."""
    import sumo

    os.environ.setdefault("SUMO_HOME", sumo.SUMO_HOME)
    import sumo_rl as package

    folder = Path(package.__file__).parent / "nets" / "single-intersection"
    arguments = gymnasium.spec("sumo-rl-v0").kwargs
    arguments.setdefault("net_file", str(folder / "single-intersection.net.xml"))
    arguments.setdefault("route_file", str(folder / "single-intersection.rou.xml"))
    arguments.setdefault("single_agent", True)


def register(name, entry_point):
    if name not in gymnasium.registry:
        gymnasium.register(name, entry_point=entry_point, disable_env_checker=True)
