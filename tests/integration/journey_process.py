"""A journey worker as a process of its own, for tests that hurt it: `python -m tests.integration.journey_process`.

Settings come from the environment, as for the real one. `--topic` is the test's own; `--kill-at POINT:N` kills the
process with SIGKILL when it reaches that failpoint for the N-th time, `--freeze-at` stops it there with SIGSTOP;
`--lose N` loses every N-th chunk between the Kafka client and the intake.
"""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from faust import streams
from faust.transport import conductor

from services.journey import worker
from services.journey.consume.intake import ConsumedRecord
from services.journey.consume.transport import ChunkConsumer, ChunkTransport
from services.journey.failpoints import WorkerFailpoint
from services.journey.settings import WorkerProcessSettings
from services.runtime.log.claims import Claim


@dataclass(slots=True)
class Hurt:
    """Sends this process a signal at the N-th arrival at a failpoint."""

    point: WorkerFailpoint
    left: int
    number: signal.Signals

    async def reached(self, point: WorkerFailpoint) -> None:
        """Count, and hit."""
        if point is self.point:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), self.number)


@dataclass(slots=True)
class Hurts:
    """All of them."""

    hurts: list[Hurt]

    async def reached(self, point: WorkerFailpoint) -> None:
        """Tell each."""
        for hurt in self.hurts:
            await hurt.reached(point)


class LosingConsumer(ChunkConsumer):
    """Fetches, and loses every N-th chunk."""

    every: ClassVar[int] = 0
    fetched = 0

    async def _deliver(self, claim: Claim, records: Sequence[ConsumedRecord]) -> None:
        self.fetched += 1
        if self.fetched % self.every:
            await super()._deliver(claim, records)


def _hurt(text: str, number: signal.Signals) -> Hurt:
    point, _, count = text.partition(":")
    return Hurt(point=WorkerFailpoint(point), left=int(count or 1), number=number)


def main() -> None:
    """Run the worker until it is told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--topic", required=True)
    parser.add_argument("--kill-at", action="append", default=[])
    parser.add_argument("--freeze-at", action="append", default=[])
    parser.add_argument("--lose", type=int, default=0)
    told = parser.parse_args()
    if told.lose:
        LosingConsumer.every = told.lose
        ChunkTransport.Consumer = LosingConsumer
    hurts = [_hurt(text, signal.SIGKILL) for text in told.kill_at]
    hurts += [_hurt(text, signal.SIGSTOP) for text in told.freeze_at]
    settings = WorkerProcessSettings.load(os.environ)
    asyncio.run(worker.run(settings, topic=told.topic, failpoints=Hurts(hurts), on_ready=_say))


async def _say(port: int) -> None:
    compiled = vars(streams)["_CStreamIterator"] is not None and vars(conductor)["ConductorHandler"] is not None
    sys.stdout.write(f"faust is {'compiled' if compiled else 'pure Python'}\n")
    sys.stdout.write(f"port {port}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
