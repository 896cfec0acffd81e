"""Reads a topic's partitions, ends and records, without a group: what the harness must know of the log itself."""

from dataclasses import dataclass
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Stood:
    """One record, where it stood."""

    partition: int
    offset: int
    value: bytes | None


class LogReader:
    """One topic of one cluster."""

    def __init__(self, bootstrap: str, topic: str, *, group: str | None = None) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False)
        self.partitions: list[TopicPartition] = []

    async def __aenter__(self) -> Self:
        try:
            return await self._opened()
        except BaseException:
            await self._consumer.stop()  # else it complains when it is collected
            raise

    async def _opened(self) -> Self:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
        await admin.start()
        try:
            (described,) = await admin.describe_topics([self._topic])
        finally:
            await admin.close()
        numbers = sorted(one["partition"] for one in described["partitions"])
        assert numbers, f"the topic {self._topic} is not there"
        self.partitions = [TopicPartition(self._topic, number) for number in numbers]
        await self._consumer.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._consumer.stop()

    async def ends(self) -> dict[int, int]:
        """The offset after the last record of each partition."""
        found = await self._consumer.end_offsets(self.partitions)
        return {one.partition: found[one] for one in self.partitions}

    async def committed(self) -> dict[int, int]:
        """What the group says that it has handled, by partition."""
        return {one.partition: await self._consumer.committed(one) or 0 for one in self.partitions}

    async def values(self) -> list[bytes]:
        """Every value up to now, each partition in its order; tombstones are left out."""
        return [one.value for one in await self.records() if one.value is not None]

    async def records(self) -> list[Stood]:
        """Every record up to now, each partition in its order."""
        self._consumer.assign(self.partitions)
        await self._consumer.seek_to_beginning(*self.partitions)
        ends = await self.ends()
        found: list[Stood] = []
        while [one for one in self.partitions if await self._consumer.position(one) < ends[one.partition]]:
            for place, records in (await self._consumer.getmany(timeout_ms=500)).items():
                found += [Stood(partition=place.partition, offset=one.offset, value=one.value) for one in records]
        return found
