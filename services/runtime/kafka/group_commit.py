"""Group commit to Kafka: writes of many callers to one partition go in one batch, with one acknowledgement.

aiokafka's own `send` makes and resolves a future for every record, which costs more than writing it; its `send_batch`
waits until nothing else is queued for the partition, so a dozen callers at once starve one another. Here each partition
has a queue: while one batch is in flight, new records wait together and become the next batch. All queues that are
ready are flushed at the same time, so that the broker gets one request for all of them.
"""

import asyncio
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder

from services.runtime.kafka.partitioning import partition_of
from services.runtime.kafka.record import ProducerRecord

_KNOWN_FOR_S = 1.0
"""How long the number of a topic's partitions is believed."""

LINGER_S = 0.002
"""How long the first record that finds everything at rest waits for company."""

WriteOutcome = BaseException | None
"""None: acknowledged by all in-sync replicas. Else why nobody knows."""


class PendingWrite:
    """The records of one caller that are not yet written, with an outcome for each position."""

    def __init__(self, records: int, over: asyncio.Future[None]) -> None:
        self._unsettled = records
        self.outcomes: list[WriteOutcome] = [None] * records
        self._settled = [False] * records
        self.over = over
        self.given_up = False

    def settle(self, at: int, outcome: WriteOutcome) -> None:
        """Record the outcome of one record."""
        if self._settled[at]:
            return
        self._settled[at] = True
        self.outcomes[at] = outcome
        self._unsettled -= 1
        if not self._unsettled and not self.over.done():
            self.over.set_result(None)

    def give_up(self, outcome: BaseException) -> None:
        """Stop waiting: unsettled records get this outcome, and those not in flight are not sent."""
        self.given_up = True
        for at in range(len(self.outcomes)):
            self.settle(at, outcome)


class _Deadlines:
    """Gives writes up at their deadline. One timer serves all of them, because hardly any reaches it."""

    def __init__(self) -> None:
        self._open: dict[PendingWrite, float] = {}
        self._next = math.inf
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, write: PendingWrite, until: float, loop: asyncio.AbstractEventLoop) -> None:
        """Give `write` up at `until`, a time of the loop, unless it is forgotten before."""
        self._open[write] = until
        if until < self._next:
            self._look_at(until, loop)

    def forget(self, write: PendingWrite) -> None:
        """Drop a write that nobody waits for any more."""
        self._open.pop(write, None)

    def _look_at(self, at: float, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next = at
        self._timer = loop.call_at(at, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer, self._next = None, math.inf
        now = loop.time()
        for write in [write for write, until in self._open.items() if until <= now]:
            del self._open[write]
            write.give_up(TimeoutError())
        if self._open:
            self._look_at(min(self._open.values()), loop)


QueuedRecord = tuple[ProducerRecord, PendingWrite, int]
"""A record, whose it is, and its position there."""


@dataclass(slots=True, eq=False)
class _PartitionQueue:
    """The records that wait for one partition."""

    topic: str
    partition: int
    waiting: deque[QueuedRecord] = field(default_factory=deque)
    on_its_way: bool = False

    def fill(self, batch: BatchBuilder) -> list[QueuedRecord]:
        """Fill a batch; it takes a first record of any size, and after that refuses what does not fit."""
        sent: list[QueuedRecord] = []
        while self.waiting:
            record, write, _ = queued = self.waiting[0]
            if not write.given_up:
                headers = list(record.headers)
                if batch.append(timestamp=None, key=record.key, value=record.value, headers=headers) is None:
                    break
                sent.append(queued)
            self.waiting.popleft()
        return sent


class GroupCommit:
    """Collects the writes of many callers into batches, one queue for each partition of a producer."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self._partitions: dict[str, int] = {}
        self._known_until: dict[str, float] = {}
        self._queues: dict[tuple[str, int], _PartitionQueue] = {}
        self._ready: dict[_PartitionQueue, None] = {}
        self._flush_timer: asyncio.TimerHandle | None = None
        self._deadlines = _Deadlines()
        self._tasks: set[asyncio.Task[None]] = set()

    async def write(self, records: Sequence[ProducerRecord], within_s: float) -> Sequence[WriteOutcome]:
        """Write `records`, in order within each partition; return the outcome of each after `within_s` at most."""
        loop = asyncio.get_running_loop()
        write = PendingWrite(len(records), loop.create_future())
        self._deadlines.watch(write, loop.time() + within_s, loop)
        try:
            for topic in {record.topic for record in records}:
                if self._known_until.get(topic, 0.0) <= loop.time():
                    await self._learn_partitions(topic, loop, within_s)
            for queue in self._queue(records, write):
                self._schedule(queue)
            await write.over
        except (KafkaError, OSError, TimeoutError) as error:
            write.give_up(error)
        except asyncio.CancelledError:
            write.given_up = True
            raise
        finally:
            self._deadlines.forget(write)
        return write.outcomes

    async def settle(self, within_s: float) -> None:
        """Wait until nothing is queued or in flight, but no longer than `within_s`."""
        try:
            async with asyncio.timeout(within_s):
                while self._flush_timer is not None or self._tasks:
                    self._flush()
                    if self._tasks:
                        await asyncio.wait(self._tasks)
        except TimeoutError:
            return

    async def _learn_partitions(self, topic: str, loop: asyncio.AbstractEventLoop, within_s: float) -> None:
        async with asyncio.timeout(within_s):
            self._partitions[topic] = len(await self._producer.partitions_for(topic))
        self._known_until[topic] = loop.time() + _KNOWN_FOR_S

    def _queue(self, records: Sequence[ProducerRecord], write: PendingWrite) -> list[_PartitionQueue]:
        touched: dict[tuple[str, int], _PartitionQueue] = {}
        for at, record in enumerate(records):
            place = record.topic, partition_of(record.key or b"", self._partitions[record.topic])
            queue = touched.get(place) or self._find_queue(touched, place)
            queue.waiting.append((record, write, at))
        return list(touched.values())

    def _find_queue(self, touched: dict[tuple[str, int], _PartitionQueue], place: tuple[str, int]) -> _PartitionQueue:
        queue = touched[place] = self._queues.setdefault(place, _PartitionQueue(*place))
        return queue

    def _schedule(self, queue: _PartitionQueue) -> None:
        if queue.on_its_way:
            return
        self._ready[queue] = None
        if self._flush_timer is None:
            self._flush_timer = asyncio.get_running_loop().call_later(LINGER_S, self._flush)

    def _flush(self) -> None:
        """Send one batch of every queue that is ready."""
        if self._flush_timer is not None:
            self._flush_timer.cancel()
            self._flush_timer = None
        ready, self._ready = self._ready, {}
        for queue in ready:
            batch = self._producer.create_batch()
            sent = queue.fill(batch)
            if sent:
                queue.on_its_way = True
                task = asyncio.create_task(
                    self._send_batch(queue, batch, sent), name=f"{queue.topic}:{queue.partition}"
                )
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _send_batch(self, queue: _PartitionQueue, batch: BatchBuilder, sent: Sequence[QueuedRecord]) -> None:
        outcome: WriteOutcome = RuntimeError("the batch was not sent")
        try:
            outcome = await self._send(queue, batch)
        finally:  # whatever happens, nobody waits for ever and the queue is free again
            queue.on_its_way = False
            for _, write, at in sent:
                write.settle(at, outcome)
            if queue.waiting:
                self._schedule(queue)

    async def _send(self, queue: _PartitionQueue, batch: BatchBuilder) -> WriteOutcome:
        batch.close()
        try:
            acknowledged = await self._producer.send_batch(batch, queue.topic, partition=queue.partition)
            await acknowledged
        except (KafkaError, OSError, TimeoutError) as error:
            return error
        return None
