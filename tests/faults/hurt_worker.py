"""A journey worker that can be hurt from the inside: `python -m tests.faults.hurt_worker --kill-at before_commit:3`.

Everything else is the worker's own, settings included. Failpoints are an object that only a caller in Python can hand
to the worker: neither the environment nor the command `waymark serve journey` reaches them, so production cannot
(`tests/architecture/test_failpoints.py` holds that). What is switched by a file happens while that file is there.
"""

import argparse
import asyncio
import os
import signal
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar

from services.journey import worker
from services.journey.apply import applier
from services.journey.consume.dead_letters import DeadLetter
from services.journey.consume.decoding import PoisonCode, appended_at
from services.journey.consume.intake import ConsumedRecord
from services.journey.consume.transport import ChunkConsumer, ChunkTransport
from services.journey.failpoints import WorkerFailpoint
from services.journey.settings import WorkerProcessSettings
from services.runtime import clock
from tests.faults.fleet import Process
from tests.fixtures.journey_process import Hurt, Hurts

EVERY_S = 0.2


def hurt(process: Process, *arguments: str | Path) -> None:
    """Let the next life of a worker be a hurt one; `heal` takes it back for the lives after that."""
    process.child.args = [sys.executable, "-m", __name__, *(str(one) for one in arguments)]


def heal(process: Process) -> None:
    """Let the next life be what an operator starts."""
    process.child.args = [str(Path(sys.executable).with_name("waymark")), "serve", "journey"]


class StallingConsumer(ChunkConsumer):
    """Fetches nothing while one file is there, and holds up the whole event loop while another is."""

    stall: ClassVar[Path | None] = None
    block: ClassVar[Path | None] = None

    async def _fetch_chunks(self) -> None:
        while self.block is not None and self.block.exists():
            time.sleep(EVERY_S)  # noqa: ASYNC251 - to block is what it is for
        if self.stall is not None and self.stall.exists():
            await asyncio.sleep(EVERY_S)
            return
        await super()._fetch_chunks()


def _misread(partition: int, record: ConsumedRecord, _late_after: timedelta) -> DeadLetter:
    """What a release does whose reader is broken."""
    code = PoisonCode.NOT_A_TOUCHPOINT
    return DeadLetter(partition=partition, record=record, code=code, faults=(), appended_at=appended_at(record))


def _shift_clock(by: Path) -> None:
    """Let the process's wall clock go wrong by the seconds in a file, from the moment they are written there."""
    right = clock.SystemClock.now

    def now(self: clock.SystemClock) -> datetime:
        seconds = float(by.read_text() or 0) if by.exists() else 0.0
        return right(self) + timedelta(seconds=seconds)

    clock.SystemClock.now = now  # type: ignore[method-assign]  # the clock of this process goes wrong on purpose


def _hurts(options: argparse.Namespace) -> Hurts:
    found = [(text, signal.SIGKILL) for text in options.kill_at] + [
        (text, signal.SIGSTOP) for text in options.freeze_at
    ]
    made = []
    for text, number in found:
        point, _, count = text.partition(":")
        made.append(Hurt(point=WorkerFailpoint(point), left=int(count or 1), number=number))
    return Hurts(made)


def main() -> None:
    """Run the worker until it is told to stop, or until what it was told to suffer."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.hurt_worker")
    parser.add_argument("--kill-at", action="append", default=[])
    parser.add_argument("--freeze-at", action="append", default=[])
    parser.add_argument("--stall", type=Path)
    parser.add_argument("--block", type=Path)
    parser.add_argument("--clock", type=Path)
    parser.add_argument("--misread", action="store_true")
    options = parser.parse_args()
    if options.stall or options.block:
        StallingConsumer.stall, StallingConsumer.block = options.stall, options.block
        ChunkTransport.Consumer = StallingConsumer
    if options.misread:
        vars(applier)["decode_record"] = _misread
    if options.clock:
        _shift_clock(options.clock)
    asyncio.run(worker.run(WorkerProcessSettings.load(os.environ), failpoints=_hurts(options)))


if __name__ == "__main__":
    main()
