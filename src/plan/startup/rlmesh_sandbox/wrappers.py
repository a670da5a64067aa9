"""Wrappers for environments that rlmesh cannot serve unchanged."""

import copy

import gymnasium
import numpy


class SumReward(gymnasium.Wrapper):
    """Adds up the rewards of several agents. The episode ends when it has ended for all of them."""

    def step(self, action):
        observation, reward, terminated, truncated, info = self.env.step(action)
        return observation, float(numpy.sum(values(reward))), all_of(terminated), all_of(truncated), info


class CopyAction(gymnasium.Wrapper):
    """Passes a copy of the action, for environments that write to it: rlmesh's actions are read-only."""

    def step(self, action):
        return self.env.step(copy.deepcopy(action))


class NoInfo(gymnasium.Wrapper):
    """Empties the info, for environments whose info contains values that rlmesh cannot send."""

    def reset(self, **kwargs):
        observation, _ = self.env.reset(**kwargs)
        return observation, {}

    def step(self, action):
        *result, _ = self.env.step(action)
        return *result, {}


class RenderMode(gymnasium.Wrapper):
    """Passes the render mode to render(), for environments that expect it there and not at construction."""

    def render(self):
        return self.env.unwrapped.render(mode=self.render_mode)


class FirstFrame(gymnasium.Wrapper):
    """Returns the first of several frames, for environments with several cameras."""

    def render(self):
        frames = self.env.render()
        return frames[0] if isinstance(frames, (list, tuple)) else frames


class TileFrame(gymnasium.Wrapper):
    """Draws NetHack, whose own frames are text, with the tiles of minihack."""

    def __init__(self, env):
        super().__init__(env)
        modes = self.env.metadata.get("render_modes", [])
        self.metadata = {**self.env.metadata, "render_modes": [*modes, "rgb_array"]}

    def reset(self, **kwargs):
        observation, info = self.env.reset(**kwargs)
        self.glyphs = observation["glyphs"]
        return observation, info

    def step(self, action):
        observation, *result = self.env.step(action)
        self.glyphs = observation["glyphs"]
        return observation, *result

    def render(self):
        from minihack.tiles.glyph_mapper import GlyphMapper

        return GlyphMapper().to_rgb(self.glyphs)


def values(reward):
    return list(reward.values()) if isinstance(reward, dict) else reward


def all_of(ended):
    return bool(numpy.all(values(ended)))
