"""A small environment: move a dot along a line until it reaches the goal.

rlmesh-sandbox calls make_env. Replace LineEnv with your own environment.
"""

import gymnasium
import numpy as np
from gymnasium import spaces


class LineEnv(gymnasium.Env):
    """The dot starts in the middle of a line of `size` cells; the goal is the last cell."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}

    def __init__(self, size=11, render_mode=None):
        self.size = size
        self.render_mode = render_mode
        self.observation_space = spaces.Box(0.0, 1.0, shape=(1,), dtype=np.float32)
        self.action_space = spaces.Discrete(2)  # 0: left, 1: right

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.position = self.size // 2
        return self._observation(), {}

    def step(self, action):
        move = 1 if action == 1 else -1
        self.position = int(np.clip(self.position + move, 0, self.size - 1))
        terminated = self.position == self.size - 1
        reward = 1.0 if terminated else -0.01
        return self._observation(), reward, terminated, False, {}

    def render(self):
        cell = 16
        frame = np.full((cell, cell * self.size, 3), 255, dtype=np.uint8)
        frame[:, -cell:] = (120, 200, 120)
        start = self.position * cell
        frame[2:-2, start + 2 : start + cell - 2] = (200, 60, 60)
        return frame

    def _observation(self):
        return np.array([self.position / (self.size - 1)], dtype=np.float32)


gymnasium.register("Line-v0", entry_point=LineEnv, max_episode_steps=100)


def make_env(n_envs=1, use_async_envs=False, render_mode="rgb_array", **kwargs):
    """Return the environment, or n_envs copies of it as one vector environment.

    Each `-k NAME=VALUE` of rlmesh-sandbox is passed as an argument.
    """
    if n_envs == 1:
        return gymnasium.make("Line-v0", render_mode=render_mode, **kwargs)
    mode = "async" if use_async_envs else "sync"
    return gymnasium.make_vec(
        "Line-v0", num_envs=n_envs, vectorization_mode=mode, render_mode=render_mode, **kwargs
    )
