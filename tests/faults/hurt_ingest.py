"""An ingest that dies between Kafka's acknowledgement and its answer: `python -m tests.faults.hurt_ingest 20`.

Its producer is wrapped from outside; ingest itself knows no failpoint, so production has none. The argument says after
how many acknowledged requests it dies.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from services.ingest import app
from services.ingest.settings import IngestProcessSettings
from services.runtime.kafka.producer import KafkaProducer
from services.runtime.kafka.record import ProducerRecord
from tests.faults.fleet import Process


def hurt(process: Process, requests: int) -> None:
    """Let the next life of an ingest end so; `heal` takes that back for later lives."""
    process.child.args = [sys.executable, "-m", __name__, str(requests)]


def heal(process: Process) -> None:
    """Let the next life be what an operator starts."""
    process.child.args = [str(Path(sys.executable).with_name("waymark")), "serve", "ingest"]


class DyingProducer(KafkaProducer):
    """Writes like any other, and kills the process once enough was acknowledged."""

    left = 1

    async def publish(self, records: Sequence[ProducerRecord]) -> None:
        await super().publish(records)
        DyingProducer.left -= 1
        if DyingProducer.left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Run ingest until then."""
    DyingProducer.left = int(sys.argv[1])
    vars(app)["KafkaProducer"] = DyingProducer  # of this process alone
    asyncio.run(app.run(IngestProcessSettings.load(os.environ)))


if __name__ == "__main__":
    main()
