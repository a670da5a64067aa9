"""Aborts the main program of this container: the first child of process 1, or process 1 itself."""

import os
import signal


def parent(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[1]
    except OSError:
        return None


children = [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and parent(pid) == "1"]
os.kill(min(children, default=1), signal.SIGABRT)
