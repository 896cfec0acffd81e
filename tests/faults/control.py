"""Runs the control: the same engines, workload, pace and kills, but stock Faust workers. Returns what they lost."""

import asyncio
import os
import signal
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import asyncpg

from tests.faults.fleet import Engines, Process
from tests.faults.log_reading import LogReader
from tests.faults.producing import TOPIC, produce
from tests.faults.stock import TABLE
from tests.faults.workload import make

QUIET_S = 15.0
"""How long nothing may change before the control counts as finished."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """What was accepted, and what of it was never handled though the workers had come to the end of the log."""

    accepted: int
    lost: int
    committed_to_the_end: bool
    polite: int
    killed: int


async def run_control(engines: Engines, folder: Path, *, seed: int, touchpoints: int, seconds: float) -> Loss:
    """Two stock workers under SIGTERM, SIGKILL and exceptions of their own; then one last calm stretch."""
    workload = make(seed, touchpoints, datetime.now(UTC))
    workers = [_worker(engines, folder, number) for number in (1, 2)]
    database = await asyncpg.connect(engines.database)
    try:
        await database.execute(TABLE)
        for worker in workers:
            worker.start()
        ledger, (polite, killed) = await asyncio.gather(
            produce(engines.kafka.bootstrap, workload.sendings, seconds), _restart(workers, seconds, Random(seed))
        )
        for worker in workers:
            worker.keep()
        handled = await _finished(database, ledger.acknowledged)
        at_end = await _committed_to_the_end(engines.kafka.bootstrap)
        return Loss(
            accepted=ledger.acknowledged,
            lost=ledger.acknowledged - handled,
            committed_to_the_end=at_end,
            polite=polite,
            killed=killed,
        )
    finally:
        for worker in workers:
            worker.child.kill()
        await database.close()


def _worker(engines: Engines, folder: Path, number: int) -> Process:
    from waymark.launchers.child_process import ChildProcess

    environment = {
        **os.environ,
        "CONTROL_KAFKA": engines.kafka.bootstrap,
        "CONTROL_POSTGRES": engines.database,
        "CONTROL_FOLDER": str(folder / f"control-{number}"),
    }
    command: list[str | Path] = [sys.executable, "-m", "tests.faults.stock"]
    child = ChildProcess(f"control-{number}", command, log=folder / f"control-{number}.log", env=environment)
    return Process(name=f"control-{number}", child=child, port=0)


async def _restart(workers: list[Process], seconds: float, rng: Random) -> tuple[int, int]:
    """Polite and impolite ends in turn, as deploys and crashes bring them; how many of each."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    ends = 0
    while loop.time() < end:
        await asyncio.sleep(rng.uniform(4.0, 8.0))
        victim = rng.choice(workers)
        if ends % 2 == 0:
            await asyncio.to_thread(victim.child.stop, signal.SIGTERM, within_s=20.0)
        else:
            victim.child.kill()
        ends += 1
        victim.start()
    return (ends + 1) // 2, ends // 2


async def _finished(database: "asyncpg.Connection[asyncpg.Record]", accepted: int) -> int:
    """How many records were handled once nothing has changed for a while, or all were."""
    loop = asyncio.get_running_loop()
    handled, since = -1, loop.time()
    while loop.time() - since < QUIET_S:
        now = int(await database.fetchval("SELECT count(*) FROM control_seen"))
        if now != handled:
            handled, since = now, loop.time()
        if handled >= accepted:
            break
        await asyncio.sleep(0.5)
    return handled


async def _committed_to_the_end(bootstrap: str) -> bool:
    """Whether the group says that it has handled everything: what is missing then is gone for good."""
    async with LogReader(bootstrap, TOPIC, group="waymark-control") as log:
        ends, committed = await log.ends(), await log.committed()
    return all(committed[partition] >= end for partition, end in ends.items())
