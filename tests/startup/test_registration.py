import sys
import types
import unittest
from pathlib import Path
from unittest import mock

import gymnasium
import numpy

sys.path.insert(0, str(Path(__file__).parents[2] / "src" / "plan" / "startup"))

from rlmesh_sandbox import functional, registration  # noqa: E402

JAX = types.SimpleNamespace(
    jit=lambda function: function,
    random=types.SimpleNamespace(PRNGKey=lambda seed: seed, split=lambda key: (key + 1, key)),
)


def space(kind, **attributes):
    """A space of a class that is not one of Gymnasium's."""
    return type(kind, (), attributes)()


class Counter:
    """An environment as gymnax defines them: it counts up to its parameter."""

    def reset_env(self, key, params):
        return {"count": numpy.float64(0), "key": numpy.int64(key)}, 0

    def step_env(self, key, state, action, params):
        state = state + action
        done = numpy.bool_(state >= params)
        return {"count": numpy.float64(state), "key": key}, state, numpy.float32(action), done, {}

    def observation_space(self, params):
        return space(
            "Dict",
            spaces={
                "count": space("Box", low=0.0, high=9.0, shape=(), dtype=numpy.float32),
                "key": space("Discrete", n=100),
            },
        )

    def action_space(self, params):
        return space("Discrete", n=numpy.int64(2))


class Registers(unittest.TestCase):
    def setUp(self):
        # gymnasium.make finds what it is given as MODULE:NAME in sys.modules too.
        self.enterContext(mock.patch.dict(sys.modules, jax=JAX))
        self.enterContext(mock.patch.dict(gymnasium.registry))

    def modules(self, **modules):
        self.enterContext(mock.patch.dict(sys.modules, modules))


class Functional(Registers):
    def setUp(self):
        super().setUp()
        package = types.SimpleNamespace(registered_envs=["Count-misc"], make=lambda name: (Counter(), 2))
        self.modules(gymnax=package)

    def test_functions_become_an_environment(self):
        functional.gymnax()
        env = gymnasium.make("Count-misc")
        self.assertEqual(env.observation_space["count"].shape, (1,))
        observation, info = env.reset(seed=7)
        self.assertTrue(env.observation_space.contains(observation))
        self.assertEqual((observation["count"].tolist(), observation["key"], info), ([0], 7, {}))
        observation, *result, info = env.step(1)
        self.assertEqual((observation["count"].tolist(), result, info), ([1], [1.0, False, False], {}))
        self.assertEqual([type(value) for value in result], [float, bool, bool])
        self.assertEqual(env.step(1)[2], True)

    def test_ids_of_gymnasium_stay_its_own(self):
        sys.modules["gymnax"].registered_envs = ["CartPole-v1"]
        own = gymnasium.registry["CartPole-v1"]
        functional.gymnax()
        self.assertIs(gymnasium.registry["CartPole-v1"], own)

    def test_a_space_without_a_counterpart_is_named(self):
        with self.assertRaisesRegex(TypeError, "the space Other has no counterpart"):
            functional.converted(space("Other"))


class Registration(Registers):
    def test_every_game_of_retro_is_registered_without_a_window(self):
        made = []

        def make(*given, **named):
            made.append((given, named))

        data = types.SimpleNamespace(
            Integrations=types.SimpleNamespace(STABLE=1), list_games=lambda kind: ["A-Nes-v0"]
        )
        for name in ("stable_retro", "retro"):
            with self.subTest(name), mock.patch.dict(sys.modules, stable_retro=None, retro=None):
                package = types.SimpleNamespace(data=data, make=make)
                self.modules(**{name: package})
                registration.stable_retro()
                gymnasium.registry["A-Nes-v0"].entry_point(players=1)
                self.assertEqual(made.pop(), (("A-Nes-v0",), {"render_mode": "rgb_array", "players": 1}))

    def test_a_robot_of_evogym_has_a_body(self):
        made = []

        class Robot(gymnasium.Env):
            def __init__(self, body, connections=None):
                made.append((body, connections))

        envs = types.ModuleType("evogym.envs")
        envs.Robot = Robot
        self.modules(evogym=types.ModuleType("evogym"), **{"evogym.envs": envs})
        gymnasium.register("Robot-v0", entry_point="evogym.envs:Robot")
        registration.evogym()
        for given, expected in ((None, registration.WALKER), ([[1, 3]], [[1, 3]])):
            gymnasium.make("Robot-v0", disable_env_checker=True, **({"body": given} if given else {}))
            body, connections = made.pop()
            self.assertEqual((type(body), body.tolist(), connections), (numpy.ndarray, expected, None))

    def test_sumo_has_its_home_and_a_crossing(self):
        package = types.SimpleNamespace(__file__="/packages/sumo_rl/__init__.py")
        self.modules(sumo=types.SimpleNamespace(SUMO_HOME="/packages/sumo"), sumo_rl=package)
        gymnasium.register("sumo-rl-v0", entry_point="sumo_rl:Env", kwargs={"route_file": "mine.xml"})
        with mock.patch.dict("os.environ"):
            registration.sumo_rl()
            self.assertEqual(registration.os.environ["SUMO_HOME"], "/packages/sumo")
        kwargs = gymnasium.spec("sumo-rl-v0").kwargs
        self.assertEqual(kwargs["route_file"], "mine.xml")
        self.assertTrue(kwargs["net_file"].startswith("/packages/sumo_rl/nets/"))


if __name__ == "__main__":
    unittest.main()
