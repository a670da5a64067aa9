import importlib
import inspect
import json
import os
import runpy
import sys
import tempfile
import textwrap
import types
import unittest
from pathlib import Path
from unittest import mock

import gymnasium
import numpy

PACKAGES = Path(__file__).resolve().parents[2] / "src/plan/startup"

sys.dont_write_bytecode = True
sys.path.insert(0, str(PACKAGES))

from rlmesh_sandbox import openai_gym, wrappers  # noqa: E402
from rlmesh_sandbox.loading import load  # noqa: E402
from rlmesh_sandbox.wrapping import Wrapping, wrap_result  # noqa: E402

MODULE = """
    import gymnasium

    calls = []
    number = 1

    def register():
        calls.append("register")
        gymnasium.register("Own-v0", Own)

    def fail():
        raise KeyError("one", "two")

    class Own(gymnasium.Env):
        observation_space = gymnasium.spaces.Discrete(2)
        action_space = gymnasium.spaces.Discrete(2)

        def __init__(self):
            self.inner = gymnasium.make("CartPole-v1")

        def reset(self, seed=None, options=None):
            super().reset(seed=seed)
            return 0, {}

        def step(self, action):
            return 0, 1.0, False, False, {}

    class Add(gymnasium.RewardWrapper):
        def reward(self, reward):
            return reward + 1

    class Double(gymnasium.RewardWrapper):
        def reward(self, reward):
            return reward * 2

    class Needs(gymnasium.Wrapper):
        def __init__(self, env, length):
            super().__init__(env)

    def nothing(env):
        return None
"""

ENV = """
    import own
    import sibling

    def make_env(n_envs, *, use_async_envs=False, kind="one"):
        if kind == "one":
            return own.Own()
        if kind == "tasks":
            return {"suite": {0: own.Own(), 1: own.Own()}, "other": own.Own()}
        return own.gymnasium.vector.SyncVectorEnv([own.Own])
"""


class TestCase(unittest.TestCase):
    """Each test has its own folder, on the search path of modules."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        state = sys.path[:], dict(os.environ), set(sys.modules), gymnasium.make, gymnasium.make_vec
        self.addCleanup(self.restore, *state)
        sys.path.insert(0, str(self.folder))
        self.write("own.py", MODULE)

    def restore(self, path, environment, modules, make, make_vec):
        sys.path[:] = path
        os.environ.clear()
        os.environ.update(environment)
        for name in set(sys.modules) - modules:
            del sys.modules[name]
        gymnasium.make, gymnasium.make_vec = make, make_vec
        gymnasium.registry.pop("Own-v0", None)
        importlib.invalidate_caches()

    def write(self, name, text):
        file = self.folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(textwrap.dedent(text), encoding="utf-8")

    def start(self, imports=(), wrap=(), **spec):
        startup = {"imports": list(imports), "wrap": list(wrap), "source_subdir": str(self.folder / "source")}
        payload = json.dumps({"spec": {"kind": "gym", **spec}, "startup": startup})
        os.environ["RLMESH_BOOTSTRAP_JSON"] = payload
        importlib.import_module("rlmesh_sandbox.startup")


class Startup(TestCase):
    def fails(self, **options):
        with self.assertRaises(RuntimeError) as caught:
            self.start(**options)
        return str(caught.exception)

    def test_modules_are_imported_and_functions_called(self):
        self.start(imports=["own", "own:register"])
        self.assertEqual(sys.modules["own"].calls, ["register"])
        self.assertIn("Own-v0", gymnasium.registry)

    def test_a_large_payload_is_in_a_file(self):
        self.write("bootstrap.json", '{"spec": {"kind": "gym"}, "startup": {"imports": ["own"], "wrap": []}}')
        arguments = sys.argv
        self.addCleanup(lambda: setattr(sys, "argv", arguments))
        sys.argv = ["sandbox_env.py", str(self.folder / "bootstrap.json")]
        importlib.import_module("rlmesh_sandbox.startup")
        self.assertIn("own", sys.modules)

    def test_the_first_wrapper_is_the_innermost(self):
        self.start(imports=["own:register"], wrap=["own:Add", "own:Double"])
        env = gymnasium.make("Own-v0")
        env.reset()
        self.assertEqual(env.step(0)[1], 4.0)

    def test_only_the_outermost_environment_is_wrapped(self):
        self.start(imports=["own:register"], wrap=["own:Add"])
        env = gymnasium.make("Own-v0")
        self.assertEqual(type(env).__name__, "Add")
        self.assertNotEqual(type(env.unwrapped.inner).__name__, "Add")
        self.assertNotEqual(type(gymnasium.make("Own-v0")).__name__, "Add", "a call of the environment's own")

    def test_every_copy_of_a_vector_environment_is_wrapped_before_other_wrappers(self):
        for mode in ["sync", "async"]:
            with self.subTest(mode):
                sys.modules.pop("rlmesh_sandbox.startup", None)
                self.start(imports=["own:register"], wrap=["own:Add"])
                double = sys.modules["own"].Double
                env = gymnasium.make_vec("Own-v0", num_envs=2, vectorization_mode=mode, wrappers=[double])
                env.reset(seed=0)
                self.assertEqual(env.step(env.action_space.sample())[1].tolist(), [4.0, 4.0])
                env.close()

    def test_wrappers_reach_processes_that_are_not_forked(self):
        self.start(imports=["own:register"], wrap=["own:Add"])
        env = gymnasium.make_vec(
            "Own-v0", num_envs=2, vectorization_mode="async", vector_kwargs={"context": "spawn"}
        )
        env.reset(seed=0)
        self.assertEqual(env.step(env.action_space.sample())[1].tolist(), [2.0, 2.0])
        env.close()

    def test_an_unknown_environment_is_gymnasiums_own_error(self):
        self.start(wrap=["own:Add"])
        with self.assertRaises(gymnasium.error.NameNotFound):
            gymnasium.make("Missing-v0")

    def test_errors_name_the_option_on_one_line(self):
        for options, error in [
            ({"imports": ["none"]}, "--import none failed: ModuleNotFoundError: No module named 'none'"),
            (
                {"imports": ["own:regster"]},
                "--import own:regster failed: the module own has no regster; similar names are register",
            ),
            ({"imports": ["own:fail"]}, "--import own:fail failed: KeyError: ('one', 'two')"),
            (
                {"imports": ["own:number"]},
                "--import own:number failed: number is not a class or function, but int",
            ),
            ({"wrap": ["none.x:Y"]}, "--wrap none.x:Y failed: ModuleNotFoundError: No module named 'none'"),
            ({"wrap": ["own:Zebra"]}, "--wrap own:Zebra failed: the module own has no Zebra"),
        ]:
            sys.modules.pop("rlmesh_sandbox.startup", None)
            self.assertEqual(self.fails(**options), error)

    def test_wrappers_that_fail_name_themselves(self):
        self.start(imports=["own:register"])
        env = gymnasium.make("Own-v0")
        for name, error in [
            ("own:Needs", "Needs.__init__() missing 1 required positional argument: 'length'"),
            ("own:nothing", "it returned NoneType, not an environment"),
        ]:
            with self.assertRaises(RuntimeError) as caught:
                Wrapping([name])(env)
            self.assertTrue(str(caught.exception).startswith(f"--wrap {name} failed: "))
            self.assertTrue(str(caught.exception).endswith(error), caught.exception)


class Source(TestCase):
    """Sources with an env.py."""

    def make_env(self, wrap=("own:Add",)):
        self.write("source/env.py", ENV)
        self.write("source/sibling.py", "")
        self.start(imports=["own"], wrap=wrap, kind="hf")
        folder = PACKAGES / "rlmesh_sandbox/source"
        # As rlmesh does.
        sys.path.insert(0, str(folder))
        return runpy.run_path(str(folder / "env.py"))["make_env"]

    def test_a_make_env_is_the_sources_with_wrapped_environments(self):
        make_env = self.make_env()
        self.assertEqual(list(inspect.signature(make_env).parameters), ["n_envs", "use_async_envs", "kind"])
        self.assertEqual(type(make_env(n_envs=1)).__name__, "Add")
        made = make_env(1, kind="tasks")
        found = [type(env).__name__ for env in [*made["suite"].values(), made["other"]]]
        self.assertEqual(found, ["Add"] * 3)
        self.assertEqual(sys.path[0], str(self.folder / "source"))
        self.assertNotIn(str(PACKAGES / "rlmesh_sandbox/source"), sys.path)

    def test_a_vector_environment_is_an_error(self):
        make_env = self.make_env()
        with self.assertRaisesRegex(RuntimeError, r"^--wrap own:Add failed: .*\(SyncVectorEnv\)"):
            make_env(1, kind="vector")

    def test_a_wrapper_may_be_a_module_of_the_source(self):
        self.write("source/mine.py", "from own import Add\n")
        self.assertEqual(type(self.make_env(["mine:Add"])(1)).__name__, "Add")

    def test_an_import_may_be_a_module_of_the_source(self):
        for number, options in enumerate([{"wrap": ["own:Add"]}, {}]):
            self.write(f"source/mine{number}.py", "from own import register\n")
            self.start(imports=[f"mine{number}:register"], kind="hf", **options)
            self.assertEqual(sys.modules["own"].calls, ["register"] * (number + 1))
            sys.modules.pop("rlmesh_sandbox.startup", None)
            gymnasium.registry.pop("Own-v0", None)

    def test_a_source_without_an_env_py_is_an_error(self):
        self.start(wrap=["own:Add"], kind="hf")
        with self.assertRaisesRegex(FileNotFoundError, "missing env.py in .*source"):
            runpy.run_path(str(PACKAGES / "rlmesh_sandbox/source/env.py"))

    def test_other_results_are_left_to_rlmesh(self):
        self.assertEqual(wrap_result(lambda: {"suite": 1}, Wrapping([]))(), {"suite": 1})


class Several(gymnasium.Env):
    """Rewards and ends of several agents, and an info that cannot be sent."""

    observation_space = action_space = gymnasium.spaces.Box(0, 1, (2,))

    def reset(self, seed=None, options=None):
        return numpy.zeros(2), {"object": self}

    def step(self, action):
        action[0] = 1
        return action, [1, 2.5], [True, False], (True, True), {"object": self}


class Wrappers(unittest.TestCase):
    def setUp(self):
        self.action = numpy.zeros(2)
        self.action.flags.writeable = False

    def step(self, *names):
        env = Wrapping([f"rlmesh_sandbox.wrappers:{name}" for name in names])(Several())
        return env.reset(seed=1), env.step(self.action)

    def test_rewards_are_added_up(self):
        _, result = self.step("CopyAction", "SumReward")
        self.assertEqual(result[1:4], (3.5, False, True))
        self.assertEqual([type(value) for value in result[1:4]], [float, bool, bool])

    def test_rewards_may_be_a_mapping_or_a_number(self):
        for reward, expected in [({"a": 1, "b": 2}, 3.0), (numpy.array([1, 2]), 3.0), (4, 4.0)]:
            env = wrappers.SumReward(Several())
            env.env.step = lambda action, reward=reward: (0, reward, {"a": True}, False, {})
            self.assertEqual(env.step(0)[1:4], (expected, True, False))

    def test_the_environment_may_write_to_a_copy_of_the_action(self):
        _, result = self.step("CopyAction")
        self.assertEqual((result[0].tolist(), self.action.tolist()), ([1.0, 0.0], [0.0, 0.0]))
        with self.assertRaises(ValueError):
            self.step("NoInfo")

    def test_the_info_is_empty(self):
        reset, step = self.step("CopyAction", "NoInfo")
        self.assertEqual((reset[1], step[4], len(step)), ({}, {}, 5))

    def test_the_render_mode_is_passed_to_render(self):
        env = Several()
        env.render_mode = "rgb_array"
        env.render = lambda mode="human": mode
        self.assertEqual(wrappers.RenderMode(gymnasium.Wrapper(env)).render(), "rgb_array")

    def test_one_of_several_frames_is_returned(self):
        env = Several()
        for frames, expected in [([1, 2], 1), ((3,), 3), (4, 4)]:
            env.render = lambda frames=frames: frames
            self.assertEqual(wrappers.FirstFrame(env).render(), expected)

    def test_nethack_is_drawn_with_tiles(self):
        env = Several()
        env.metadata = {"render_modes": ["ansi"]}
        env.reset = lambda: ({"glyphs": 1}, {})
        env.step = lambda action: ({"glyphs": action}, 0, False, False, {})
        mapper = types.SimpleNamespace(
            GlyphMapper=lambda: types.SimpleNamespace(to_rgb=lambda glyphs: [glyphs])
        )
        modules = {name: types.ModuleType(name) for name in ("minihack", "minihack.tiles")}
        with mock.patch.dict(sys.modules, {**modules, "minihack.tiles.glyph_mapper": mapper}):
            drawn = wrappers.TileFrame(env)
            drawn.reset()
            self.assertEqual((drawn.render(), drawn.metadata["render_modes"]), ([1], ["ansi", "rgb_array"]))
            drawn.step(5)
            self.assertEqual(drawn.render(), [5])

    def test_all_are_found(self):
        for name in ["SumReward", "CopyAction", "NoInfo", "RenderMode", "FirstFrame", "TileFrame"]:
            self.assertTrue(issubclass(load(f"rlmesh_sandbox.wrappers:{name}", ""), gymnasium.Wrapper))


class FakeSpace:
    """A space as OpenAI's gym defines it; its module makes it one of gym's."""

    def __init__(self, **fields):
        vars(self).update(fields)


Box = type("Box", (FakeSpace,), {"__module__": "gym.spaces.box"})
Discrete = type("Discrete", (FakeSpace,), {"__module__": "gym.spaces.discrete"})


class OldEnv:
    """The older interface: no seed for reset(), four results of step(), a mode for render()."""

    metadata = {"render.modes": ["rgb_array"]}
    observation_space = Box(low=0, high=1, shape=(2,), dtype="float32")
    action_space = Discrete(n=3)

    def __init__(self, size=1):
        self.size = size
        self.seeds = []

    def seed(self, seed):
        self.seeds.append(seed)

    def reset(self):
        return [0, self.size]

    def step(self, action):
        return [1, 0], numpy.float32(2), action == 2, {"TimeLimit.truncated": action == 1}

    def render(self, mode):
        return mode


class OpenAIGym(unittest.TestCase):
    def setUp(self):
        spec = types.SimpleNamespace(
            id="Old-v0", entry_point=f"{__name__}:OldEnv", kwargs={"size": 5}, max_episode_steps=3
        )
        registration = types.SimpleNamespace(registry={"Old-v0": spec})
        self.enterContext(
            mock.patch.dict(
                sys.modules, gym=types.SimpleNamespace(envs=types.SimpleNamespace(registration=registration))
            )
        )
        self.addCleanup(gymnasium.registry.pop, "Old-v0", None)

    def test_what_is_registered_with_gym_is_registered_with_gymnasium(self):
        openai_gym.register()
        env = gymnasium.make("Old-v0", render_mode="rgb_array")
        self.assertEqual((env.observation_space.shape, int(env.action_space.n)), ((2,), 3))
        observation, info = env.reset(seed=7)
        self.assertEqual((observation.tolist(), observation.dtype, info), ([0, 5], numpy.float32, {}))
        self.assertEqual(env.unwrapped.env.seeds, [7])
        self.assertEqual([type(value) for value in env.step(0)[1:4]], [float, bool, bool])
        self.assertEqual(env.step(1)[2:4], (False, True))
        # The limit of the spec.
        self.assertEqual(env.step(0)[2:4], (False, True))
        env.reset()
        self.assertEqual(env.step(2)[2:4], (True, False))
        self.assertEqual(env.render(), "rgb_array")

    def test_without_gym_the_error_says_so(self):
        with mock.patch.dict(sys.modules, gym=None), self.assertRaisesRegex(RuntimeError, "is not installed"):
            openai_gym.register()

    def test_a_space_without_a_counterpart_is_named(self):
        with self.assertRaisesRegex(TypeError, "the space FakeSpace of OpenAI's gym"):
            openai_gym.converted(FakeSpace())


if __name__ == "__main__":
    unittest.main()
