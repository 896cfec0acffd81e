"""Writes a workload to the topic at an even pace, and remembers where each record came to stand.

What the broker acknowledged is accepted: it must be found in the end. A record that was not acknowledged is written
again, as a producer would; the run is told.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from aiokafka import AIOKafkaProducer
from aiokafka.structs import RecordMetadata

from tests.faults.workload import Sending, What

TOPIC = "touchpoints"
BATCH = 50


@dataclass(slots=True, kw_only=True)
class Ledger:
    """What was acknowledged: how many records, and where those stand that must be refused."""

    acknowledged: int = 0
    refusable: set[tuple[int, int]] = field(default_factory=set)
    """`(partition, offset)` of poison and conflicts."""

    def note(self, sending: Sending, at: RecordMetadata) -> None:
        """Keep one acknowledgement."""
        self.acknowledged += 1
        if sending.what in {What.POISON, What.CONFLICT}:
            self.refusable.add((at.partition, at.offset))


async def produce(
    bootstrap: str, sendings: Sequence[Sending], seconds: float, told: Callable[[int], None] = lambda _: None
) -> Ledger:
    """Write all, in order within each partition, spread over about so many seconds; `told` hears how many so far."""
    ledger = Ledger()
    loop = asyncio.get_running_loop()
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, linger_ms=5)
    await producer.start()
    try:
        started = loop.time()
        for first in range(0, len(sendings), BATCH):
            batch = sendings[first : first + BATCH]
            waiting = [await producer.send(TOPIC, key=one.key, value=one.value) for one in batch]
            for one, future in zip(batch, waiting, strict=True):
                ledger.note(one, await future)
            told(ledger.acknowledged)
            due = started + seconds * (first + len(batch)) / len(sendings)
            await asyncio.sleep(max(0.0, due - loop.time()))
    finally:
        await producer.stop()
    return ledger
