"""Aborts the main program of this container: the first child of process 1, or process 1 itself.

A program that only limits the time of another one is not the main program.
"""

import os
import signal


def stat(pid):
    """The name of a process and its parent's id."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            name, rest = file.read().split("(", 1)[1].rsplit(")", 1)
            return name, int(rest.split()[1])
    except OSError:
        return None, None


processes = {int(pid): stat(pid) for pid in os.listdir("/proc") if pid.isdigit()}
main = 1
while processes[main][0] in ("docker-init", "tini", "timeout"):
    children = [pid for pid, (_, parent) in processes.items() if parent == main]
    if not children:
        break
    main = min(children)
os.kill(main, signal.SIGABRT)
