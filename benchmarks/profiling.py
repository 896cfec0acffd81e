"""Where a worker's processor time goes: stacks sampled by py-spy, shared out to stages by the modules in them.

A sample belongs to the innermost frame that a stage claims, so that time in the database driver counts for whoever
asked, and only what nobody asked for (reading from sockets) for the driver itself.
"""

import re
import signal
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.environments import PROFILER

RATE = 200
LONGEST_S = 600
ENDS_WITHIN_S = 30
OTHER = "everything else"

STAGES: tuple[tuple[str, str], ...] = (
    ("decode", r"consume/decoding\.py|^gather "),
    ("seen before?", r"apply/(duplicate_filter|seen_touchpoints)\.py"),
    ("identity", r"apply/resolution\.py|domain/identity/|store/identifiers\.py|repair/ledger\.py"),
    ("diff", r"domain/comparison/|^diff "),
    ("project", r"domain/(projection|journey|effort|history|timer|friction|touchpoint)\.py|domain/rules/"),
    ("load", r"^_?load\w* .*renewal\.py|^history .*store/touchpoints\.py"),
    ("documents", r"renew/publication\.py"),
    ("write", r"renew/(writer|contested_changes)\.py"),
    ("progress and commit", r"apply/transaction\.py|apply/applier\.py|consume/progress\.py"),
    ("publish (relay)", r"journey/outbox/"),
    ("timers, lag, health", r"journey/timers/|consume/(lag_monitor|watchdog)\.py|runtime/health\.py"),
    ("transport", r"consume/(transport|stream|intake)\.py"),
    ("PostgreSQL driver, reading", r"asyncpg/"),
    ("Kafka client", r"aiokafka/|faust/|mode/"),
)
_COMPILED = [(stage, re.compile(pattern)) for stage, pattern in STAGES]
_DRIVERS = 2
"""So many stages at the end are claimed only where no other in the whole stack is."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Where samples are written; read them after the sampling."""

    path: Path

    def read(self) -> list[str]:
        """Return lines of `frame;frame;… count`, outermost first."""
        return self.path.read_text().splitlines() if self.path.exists() else []


@contextmanager
def sampling(pid: int, path: Path) -> Iterator[Samples]:
    """Sample a process for the length of the block. It must be allowed to look at it: same user, or root."""
    command = [PROFILER.program("py-spy"), "record", "--nonblocking", "--format", "raw", "--rate", str(RATE)]
    command += ["--duration", str(LONGEST_S), "--pid", str(pid), "--output", str(path)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield Samples(path)
    finally:
        process.send_signal(signal.SIGINT)  # it writes what it has
        try:
            process.wait(timeout=ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def shares(lines: Iterable[str]) -> dict[str, float]:
    """Return each stage's share of the samples, the largest first; empty where nothing was sampled."""
    counted: Counter[str] = Counter()
    for line in lines:
        stack, _, count = line.rpartition(" ")
        counted[stage_of(stack.split(";"))] += int(count)
    total = counted.total()
    return {stage: count / total for stage, count in counted.most_common()} if total else {}


def stage_of(frames: list[str]) -> str:
    """Return the stage that a stack belongs to."""
    for claims in (_COMPILED[:-_DRIVERS], _COMPILED[-_DRIVERS:]):
        for frame in reversed(frames):
            for stage, pattern in claims:
                if pattern.search(frame):
                    return stage
    return OTHER
