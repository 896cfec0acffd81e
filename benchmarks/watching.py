"""Processor time and memory of processes with all their children, read from the system while they work."""

from collections.abc import Mapping

import psutil


class Watch:
    """Processor time of named process trees, from `start` on."""

    def __init__(self, roots: Mapping[str, int]) -> None:
        self._roots = dict(roots)
        self._before: dict[str, float] = {}

    def start(self) -> None:
        """Remember the present."""
        self._before = {name: cpu_s(pid) for name, pid in self._roots.items()}

    def spent_us(self, units: int) -> dict[str, float]:
        """Return microseconds per unit of work since `start`."""
        return {name: 1e6 * (cpu_s(pid) - self._before[name]) / units for name, pid in self._roots.items()}


def cpu_s(root: int) -> float:
    """Return the processor time that a process and its children have used so far, in seconds."""
    total = 0.0
    for one in _tree(root):
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def memory_mib(root: int) -> float:
    """Return the resident memory of a process and its children, in MiB."""
    total = 0
    for one in _tree(root):
        try:
            total += one.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / 2**20


def _tree(root: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(root)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
