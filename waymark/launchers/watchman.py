"""A watchman process: ends the children of a launcher that died without a chance to do it itself (`kill -9`).

It reads `+PID SIGNAL` and `-PID` lines; end of file means that the launcher is gone, and every PID still on the list
gets its signal, and SIGKILL when that was not enough. Standard library only, so that it starts in milliseconds; it
runs as a script.
"""

import os
import signal
import sys
import time
from contextlib import suppress

GRACE_S = 10.0
TICK_S = 0.05


def main() -> None:
    """Keep the list until the launcher is gone, then end what is left on it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    watched: dict[int, int] = {}
    for line in sys.stdin:
        pid, *number = (int(word) for word in line[1:].split())
        if line.startswith("+"):
            watched[pid] = number[0]
        else:
            watched.pop(pid, None)
    _end(watched)


def _end(pids: dict[int, int]) -> None:
    for pid, number in pids.items():
        _signal(pid, number)
    deadline = time.monotonic() + GRACE_S
    while any(_alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(TICK_S)
    for pid in pids:
        _signal(pid, signal.SIGKILL)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def _signal(pid: int, number: int) -> None:
    with suppress(OSError):  # it is gone already
        os.kill(pid, number)


if __name__ == "__main__":
    main()
