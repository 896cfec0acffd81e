"""Throughput of a backlog: the same records, one contestant after the other, rounds interleaved, medians of ratios.

A contestant is a process. Its clock runs from the first progress that is seen to the last record, so that starting and
joining a group do not count. Waymark and the plain loop are watched in their progress table, idiomatic Faust counts by
itself.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from benchmarks import ground
from benchmarks.ground import Ground
from benchmarks.traffic import Keyed, crowd
from services.runtime.clock import new_id
from waymark.migrate import migrate

WITHIN_S = 300.0
POLL_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Lap:
    """One contestant in one round: records a second, and processor microseconds a record by process."""

    contestant: str
    records: int
    per_s: float
    cpu_us: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """Who takes part: `records` is how many of the backlog it gets (slow ones get fewer)."""

    name: str
    records: int
    run: Callable[[Ground, "Contestant", str], Lap]


def rounds(contestants: Sequence[Contestant], count: int, tell: Callable[[str], None]) -> list[Lap]:
    """Run every contestant `count` times, interleaved."""
    return asyncio.run(_rounds(contestants, count, tell))


async def _rounds(contestants: Sequence[Contestant], count: int, tell: Callable[[str], None]) -> list[Lap]:
    laps: list[Lap] = []
    records = list(crowd(max(contestant.records for contestant in contestants)))
    async with ground.laid_out() as here:
        for round_number in range(1, count + 1):
            for contestant in contestants:
                topic = f"bench-{new_id().hex[:12]}"
                await _fill(here, topic, records[: contestant.records])
                lap = await asyncio.to_thread(contestant.run, here, contestant, topic)
                tell(f"round {round_number}/{count}: {lap.contestant:<28} {lap.per_s:>9,.0f} records/s")
                laps.append(lap)
    return laps


async def _fill(here: Ground, topic: str, records: list[Keyed]) -> None:
    await ground.topic(here, topic, records)
    await ground.topic(here, f"{topic}-frictions", [])


def real_worker(here: Ground, contestant: Contestant, topic: str) -> Lap:
    """Waymark's worker as it is deployed, exactly once, all rules."""
    return _by_progress(here, contestant, topic, [sys.executable, "-m", "benchmarks.peers.waymark_worker", topic])


def plain_loop(here: Ground, contestant: Contestant, topic: str) -> Lap:
    """The same work in a plain aiokafka loop."""
    return _by_progress(here, contestant, topic, [sys.executable, "-m", "benchmarks.peers.plain_loop", topic])


def idiomatic_faust(here: Ground, contestant: Contestant, topic: str) -> Lap:
    """The reference job the way Faust's guide writes it."""
    datadir = here.folder / topic
    command = [sys.executable, "-m", "benchmarks.peers.idiomatic_faust", here.bootstrap, topic]
    command += [str(contestant.records), str(datadir)]
    first: tuple[float, int] | None = None
    with (
        (here.folder / f"{topic}.log").open("wb") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        assert process.stdout is not None
        deadline = time.monotonic() + WITHIN_S
        watch = Watch(process.pid, here)
        for line in process.stdout:
            if line.startswith("processed "):
                done = int(line.split()[1])
                if first is None:
                    first = (time.monotonic(), done)
                    watch.start()
                if done >= contestant.records:
                    break
            if time.monotonic() > deadline:
                break
        lap = _lap(contestant, first, done, watch)
        process.kill()
    return lap


def _by_progress(here: Ground, contestant: Contestant, topic: str, command: list[str]) -> Lap:
    url = _fresh_database(here, topic.replace("-", "_"))
    environment = dict(os.environ)
    environment |= {"WAYMARK_KAFKA": here.bootstrap, "WAYMARK_POSTGRES": url, "WAYMARK_LOG_LEVEL": "warning"}
    environment |= {"WAYMARK_JOURNEY_PORT": "0", "WAYMARK_JOURNEY_GROUP": topic}
    first: tuple[float, int] | None = None
    done = 0
    with (
        (here.folder / f"{topic}.log").open("wb") as log,
        subprocess.Popen(command, env=environment, stdout=log, stderr=log) as process,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        watch = Watch(process.pid, here)
        deadline = time.monotonic() + WITHIN_S
        while done < contestant.records and time.monotonic() < deadline and process.poll() is None:
            row = connection.execute("SELECT coalesce(sum(next_offset), 0) FROM journey.progress").fetchone()
            done = int(row[0]) if row else 0
            if done and first is None:
                first = (time.monotonic(), done)
                watch.start()
            time.sleep(POLL_S)
        if done < contestant.records:
            process.kill()
            log_text = Path(log.name).read_text(errors="replace")
            raise RuntimeError(f"{contestant.name} applied {done} of {contestant.records}:\n{log_text[-2000:]}")
        lap = _lap(contestant, first, done, watch)
        process.terminate()
    return lap


def _fresh_database(here: Ground, name: str) -> str:
    with psycopg.connect(here.postgres.url(), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    url = here.postgres.url(name)
    migrate(url)
    return url


class Watch:
    """Processor time of the contestant, the broker and PostgreSQL, from `start` to `spent`."""

    def __init__(self, pid: int, here: Ground) -> None:
        self._roots = {"worker": pid, "kafka": here.kafka.nodes[0].pid, "postgres": here.postgres.pid}
        self._before: dict[str, float] = {}

    def start(self) -> None:
        """Remember the present."""
        self._before = {name: _cpu_s(pid) for name, pid in self._roots.items()}

    def spent(self) -> dict[str, float]:
        """Return seconds since `start`."""
        return {name: _cpu_s(pid) - self._before[name] for name, pid in self._roots.items()}


def _cpu_s(root: int) -> float:
    process = psutil.Process(root)
    total = 0.0
    for one in [process, *process.children(recursive=True)]:
        try:
            times = one.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
        except psutil.NoSuchProcess:
            continue
    return total


def _lap(contestant: Contestant, first: tuple[float, int] | None, done: int, watch: Watch) -> Lap:
    if first is None or done < contestant.records:
        raise RuntimeError(f"{contestant.name} processed {done} of {contestant.records}")
    began, at_first = first
    counted = done - at_first
    spent = watch.spent()
    return Lap(
        contestant=contestant.name,
        records=counted,
        per_s=counted / (time.monotonic() - began),
        cpu_us={name: 1e6 * seconds / counted for name, seconds in spent.items()},
    )
