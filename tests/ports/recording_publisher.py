"""The fake of `services.runtime.kafka.producer.RecordPublisher`."""

import asyncio
from collections.abc import Sequence

from schemas.documents import dead_letter, touchpoint
from schemas.documents.dead_letter import DeadLetterDocument
from schemas.documents.touchpoint import TouchpointDocument
from services.runtime.kafka.producer import PublishError
from services.runtime.kafka.record import ProducerRecord


class RecordingPublisher:
    """A Kafka that remembers what it was given. Satisfies `services.runtime.kafka.producer.RecordPublisher`.

    Not acknowledged are the topics of `refuse`, the values of `refuse_values` and, of touchpoints published together,
    those at `refuse_positions`; `stuck` is a topic that is never answered for until `release`.
    """

    def __init__(self) -> None:
        self.records: list[ProducerRecord] = []
        self.refuse: set[str] = set()
        self.refuse_values: set[bytes] = set()
        self.refuse_positions: frozenset[int] = frozenset()
        self.stuck: str | None = None
        self.waiting = 0
        self._released = asyncio.Event()

    async def publish(self, records: Sequence[ProducerRecord]) -> None:
        """Keep what is acknowledged; raises `PublishError` with the positions of the rest."""
        if any(record.topic == self.stuck for record in records):
            self.waiting += 1
            await self._released.wait()
        failed = frozenset(at for at, record in enumerate(records) if self._refuses(at, record))
        self.records += [record for at, record in enumerate(records) if at not in failed]
        if failed:
            raise PublishError("KafkaTimeoutError", failed)

    def release(self) -> None:
        """Let what is stuck go on."""
        self.stuck = None
        self._released.set()

    @property
    def values(self) -> list[bytes | None]:
        """The values written so far."""
        return [record.value for record in self.records]

    @property
    def touchpoints(self) -> list[TouchpointDocument]:
        """The touchpoints written so far."""
        return [touchpoint.decode(record.value or b"") for record in self.records if record.topic == touchpoint.TOPIC]

    @property
    def dead_letters(self) -> list[DeadLetterDocument]:
        """The dead letters written so far."""
        return [dead_letter.decode(r.value or b"") for r in self.records if r.topic == dead_letter.TOPIC]

    def _refuses(self, at: int, record: ProducerRecord) -> bool:
        if record.topic in self.refuse or record.value in self.refuse_values:
            return True
        return record.topic == touchpoint.TOPIC and at in self.refuse_positions
