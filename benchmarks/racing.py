"""One race: start a contestant's processes, watch how far they are, and take the time from first to last record.

The clock runs from the first progress that is seen, so that starting and joining a group do not count. Where a
contestant keeps its progress in PostgreSQL that table is asked, and what counts is durable; others say `processed N` in
their log, which is what they hold in memory: it favours them by whatever they have not stored yet.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from benchmarks.environments import ROOT
from benchmarks.watching import Watch, memory_mib
from waymark.launchers.child_process import ChildProcess

WITHIN_S = 300.0
POLL_S = 0.01
STOP_WITHIN_S = 8.0
TAIL_BYTES = 4096

Progress = Callable[[], int]


class RaceError(Exception):
    """A contestant ended or did not arrive; the text has the end of its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """A course: how many records, how progress is seen, and what else is watched besides the contestant."""

    records: int
    progress: Progress
    others: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """What a race took: records counted, their rate, processor time a record by process, memory of the contestant."""

    records: int
    per_s: float
    cpu_us: Mapping[str, float]
    memory_mib: float


def child(name: str, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> ChildProcess:
    """Return a process of the race, not started: in the repository's root, its log in `folder`."""
    return ChildProcess(name, list(command), log=folder / f"{name}.log", env=surroundings(environment), cwd=ROOT)


def surroundings(own: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a process: ours without what would set Waymark's processes, and `own` over it."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("WAYMARK_")}
    return {**ours, "PYTHONPATH": str(ROOT), **own}


@contextmanager
def running(*children: ChildProcess) -> Iterator[None]:
    """Run processes for the length of the block; what does not stop when asked is killed."""
    with ExitStack() as stack:
        for one in children:
            stack.callback(one.stop, within_s=STOP_WITHIN_S)
            one.start()
        yield


def run(race: Race, children: Sequence[ChildProcess]) -> Finish:
    """Wait for the end of a race whose contestants are running.

    Raises:
        RaceError: one of them ended, or time is up.
    """
    watch = Watch({**{one.name: one.pid for one in children}, **race.others})
    first = _await(race, children, lambda done: done > 0)
    began = time.monotonic()
    watch.start()
    last = _await(race, children, lambda done: done >= race.records)
    took = time.monotonic() - began
    counted = last - first
    if counted <= 0:
        raise RaceError("the race was over before it was looked at: give it more records")
    memory = sum(memory_mib(one.pid) for one in children)
    return Finish(records=counted, per_s=counted / took, cpu_us=watch.spent_us(counted), memory_mib=memory)


def await_start(progress: Progress, contestant: ChildProcess) -> None:
    """Wait until a contestant is under way. Raises RaceError."""
    _await(Race(records=0, progress=progress, others={}), [contestant], lambda done: done > 0)


def await_all(progress: Progress, contestant: ChildProcess, records: int) -> None:
    """Wait until a contestant has done `records`. Raises RaceError."""
    _await(Race(records=records, progress=progress, others={}), [contestant], lambda done: done >= records)


def _await(race: Race, children: Sequence[ChildProcess], enough: Callable[[int], bool]) -> int:
    deadline = time.monotonic() + WITHIN_S
    while not enough(done := race.progress()):
        for one in children:
            if not one.alive:
                raise RaceError(f"{one.name} ended with code {one.exit_code}:\n{one.log_tail(30)}")
        if time.monotonic() > deadline:
            tails = "\n".join(one.log_tail(30) for one in children)
            raise RaceError(f"{children[0].name} did {done} of {race.records} records:\n{tails}")
        time.sleep(POLL_S)
    return done


@contextmanager
def stored_progress(url: str, query: str) -> Iterator[Progress]:
    """Progress as a table has it: `query` returns the number of records."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET statement_timeout = '5s'")

        def ask() -> int:
            row = connection.execute(query).fetchone()
            return int(row[0] or 0) if row else 0

        yield ask


def told_progress(log: Path) -> Progress:
    """Progress as a log tells: the last line `processed N`."""

    def read() -> int:
        if not log.exists():
            return 0
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL_BYTES))
            lines = file.read().split(b"\n")[:-1]
        told = [line for line in lines if line.startswith(b"processed ")]
        return int(told[-1].split()[1]) if told else 0

    return read
