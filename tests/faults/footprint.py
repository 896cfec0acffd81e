"""What the processes of a fleet weigh, and what they wrote to their logs. Reads /proc and files; decides nothing."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import orjson
import psutil

from tests.faults.fleet import Fleet, Process

EVERY_S = 1.0
MIB = 1024 * 1024
SERIOUS = frozenset({"error", "critical"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """One process at one moment: resident memory in bytes, open files and sockets."""

    pid: int
    at: float
    rss: int
    files: int


@dataclass(slots=True, kw_only=True)
class Scales:
    """Weighs every process of a fleet, second by second, until cancelled."""

    fleet: Fleet
    weights: defaultdict[str, list[Weight]] = field(default_factory=lambda: defaultdict(list))

    async def run(self) -> None:
        """For ever."""
        loop = asyncio.get_running_loop()
        while True:
            for process in self.fleet.all:
                weight = _weigh(process, loop.time())
                if weight is not None:
                    self.weights[process.name].append(weight)
            await asyncio.sleep(EVERY_S)

    def lives(self) -> Iterator[tuple[str, list[Weight]]]:
        """The weights of each life of each process, its first seconds of loading left out."""
        for name, weights in self.weights.items():
            by_pid: defaultdict[int, list[Weight]] = defaultdict(list)
            for one in weights:
                by_pid[one.pid].append(one)
            for life in by_pid.values():
                grown_up = [one for one in life if one.at - life[0].at > 5.0]
                if grown_up:
                    yield name, grown_up


def _weigh(process: Process, at: float) -> Weight | None:
    try:
        seen = psutil.Process(process.child.pid)
        return Weight(pid=seen.pid, at=at, rss=seen.memory_info().rss, files=seen.num_fds())
    except (psutil.Error, OSError):
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """What the logs of a fleet say: how often each event, and every line that is an error."""

    events: Counter[str]
    serious: list[tuple[str, str, str]]
    """Process, `logger: event` and the line."""


def read_logs(fleet: Fleet) -> Logged:
    """All lives of all processes. A line that is no JSON, as of an interpreter that would not start, is serious."""
    events: Counter[str] = Counter()
    serious: list[tuple[str, str, str]] = []
    for process in fleet.all:
        if not process.child.log.exists():
            continue
        for line in process.child.log.read_text(errors="replace").splitlines():
            event, level = _read(line)
            events[event.partition(": ")[2]] += 1
            if level in SERIOUS:
                serious.append((process.name, event, line[:600]))
    return Logged(events=events, serious=serious)


def _read(line: str) -> tuple[str, str]:
    try:
        entry = orjson.loads(line)
        return f"{entry['logger']}: {entry['event']}", str(entry["level"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return line[:80], "error" if line.strip() else "info"
