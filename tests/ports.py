"""Ports for a stack of one's own, beside whatever else runs on this machine."""

import os
import socket

BLOCK = 7
"""Ports in a row that `waymark up` takes from `--port-base` on."""


def free_block() -> int:
    """The first of a row of loopback ports on which nobody listens."""
    for base in range(20_000 + os.getpid() % 10_000, 60_000, BLOCK):
        if not any(_taken(port) for port in range(base, base + BLOCK)):
            return base
    raise AssertionError("no free ports")


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
