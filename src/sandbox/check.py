"""Resets, steps and renders the environment that this container serves, as a client does.

rlmesh-sandbox runs it inside the container, with the client that the image contains. It prints lines of
JSON: the name of each call before it is made, and at the end what was seen, or the error.

Arguments: the address, the number of copies, the number of steps, and `render` to render a frame.
"""

import json
import math
import sys
import time

MOST_KEYS = 50
LONGEST_KEY = 100
LONGEST_ERROR = 4000


def say(**line):
    print(json.dumps(line), flush=True)


def timed(call, function, *arguments, **keywords):
    """Names the call and makes it. Returns its result and its time in seconds."""
    say(call=call)
    began = time.perf_counter()
    result = function(*arguments, **keywords)
    return result, time.perf_counter() - began


def batch(numpy, actions):
    """The actions of several copies as one action of Gymnasium's batched space."""
    first = actions[0]
    if isinstance(first, dict):
        return {key: batch(numpy, [action[key] for action in actions]) for key in first}
    if isinstance(first, (tuple, list)):
        return tuple(batch(numpy, list(parts)) for parts in zip(*actions, strict=True))
    if isinstance(first, str):
        return tuple(actions)
    return numpy.stack([numpy.asarray(action) for action in actions])


def description(numpy, frame):
    if frame is None:
        return None
    if not hasattr(frame, "shape") or not hasattr(frame, "dtype"):
        frame = numpy.asarray(frame)
    return {"shape": list(frame.shape), "dtype": str(frame.dtype)}


def check(address, num_envs, steps, render):
    say(call="import")
    import numpy
    from rlmesh.numpy import RemoteEnv, RemoteVectorEnv

    is_vector = num_envs > 1
    env, _ = timed("connect", RemoteVectorEnv if is_vector else RemoteEnv, address)
    env.action_space.seed(0)
    (_, info), reset = timed("reset", env.reset, seed=0)
    keys, rewards, times = set(info), [], []
    is_terminated = is_truncated = is_over = False
    for _ in range(steps):
        if is_over and not is_vector:
            timed("reset", env.reset)
        actions = [env.action_space.sample() for _ in range(num_envs)]
        action = batch(numpy, actions) if is_vector else actions[0]
        (_, reward, terminated, truncated, info), took = timed("step", env.step, action)
        times.append(took)
        keys.update(info)
        rewards.extend(float(one) for one in numpy.ravel(reward))
        is_terminated |= bool(numpy.any(terminated))
        is_truncated |= bool(numpy.any(truncated))
        is_over = bool(numpy.any(terminated) or numpy.any(truncated))
    frame, took = timed("render", env.render) if render else (None, None)
    say(call="close")
    env.close()
    # JSON has no infinity and no NaN.
    least, greatest = (math.nan, math.nan) if any(map(math.isnan, rewards)) else (min(rewards), max(rewards))
    return {
        "reset_seconds": reset,
        "step_seconds": sum(times) / len(times),
        "render_seconds": took,
        "steps": len(times),
        "rewards": [str(least), str(greatest)],
        "terminated": is_terminated,
        "truncated": is_truncated,
        "info_keys": sorted(str(key)[:LONGEST_KEY] for key in keys)[:MOST_KEYS],
        "frame": description(numpy, frame),
    }


def main(address, num_envs, steps, *render):
    try:
        report = check(address, int(num_envs), int(steps), bool(render))
    except BaseException as error:
        say(failure=f"{type(error).__name__}: {error}"[:LONGEST_ERROR])
    else:
        say(report=report)


if __name__ == "__main__":
    main(*sys.argv[1:])
