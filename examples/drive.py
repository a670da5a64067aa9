"""Steps one episode of a running environment with random actions, and prints its reward.

Usage: python drive.py ADDRESS
"""

import sys
import warnings

warnings.simplefilter("ignore")

from rlmesh.numpy import RemoteEnv  # noqa: E402

env = RemoteEnv(sys.argv[1])
observation, info = env.reset(seed=0)
total, steps, over = 0.0, 0, False
while not over:
    observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
    total, steps, over = total + reward, steps + 1, terminated or truncated
print(f"one episode: {steps} steps, reward {total}")
