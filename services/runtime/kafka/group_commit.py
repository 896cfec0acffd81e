"""Group commit to Kafka: what many callers want to write to one partition goes in one batch, with one answer for it.

aiokafka's own `send` makes and resolves a future for every record, which costs more than writing it; its `send_batch`
waits until nothing else is queued for the partition, so a dozen callers at once starve one another. Here each partition
has a lane: while one batch is on its way, what comes in waits together, and is the next batch. All lanes that are ready
leave at one time, so that the broker gets one request for all of them.
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
from services.runtime.kafka.record import Record

_KNOWN_FOR_S = 1.0
"""How long the number of a topic's partitions is believed."""

LINGER_S = 0.002
"""How long the first record that finds everything at rest waits for company."""

Outcome = BaseException | None
"""None: acknowledged by all in-sync replicas. Else why nobody knows."""


class Ticket:
    """What becomes of the records of one caller, by their positions."""

    def __init__(self, records: int, over: asyncio.Future[None]) -> None:
        self._unsettled = records
        self.outcomes: list[Outcome] = [None] * records
        self._settled = [False] * records
        self.over = over
        self.given_up = False

    def settle(self, at: int, outcome: Outcome) -> None:
        """Note the outcome of one record."""
        if self._settled[at]:
            return
        self._settled[at] = True
        self.outcomes[at] = outcome
        self._unsettled -= 1
        if not self._unsettled and not self.over.done():
            self.over.set_result(None)

    def give_up(self, outcome: BaseException) -> None:
        """Wait no longer: what is not settled has this outcome, and what is not on its way need not go."""
        self.given_up = True
        for at in range(len(self.outcomes)):
            self.settle(at, outcome)


class _Deadlines:
    """Gives tickets up in time. One timer looks after all of them: next to none runs out of its time."""

    def __init__(self) -> None:
        self._open: dict[Ticket, float] = {}
        self._next = math.inf
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, ticket: Ticket, until: float, loop: asyncio.AbstractEventLoop) -> None:
        """Give `ticket` up at `until`, a time of the loop, unless it is forgotten before."""
        self._open[ticket] = until
        if until < self._next:
            self._look_at(until, loop)

    def forget(self, ticket: Ticket) -> None:
        """Leave a ticket alone: nobody waits for it any more."""
        self._open.pop(ticket, None)

    def _look_at(self, at: float, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next = at
        self._timer = loop.call_at(at, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer, self._next = None, math.inf
        now = loop.time()
        for ticket in [ticket for ticket, until in self._open.items() if until <= now]:
            del self._open[ticket]
            ticket.give_up(TimeoutError())
        if self._open:
            self._look_at(min(self._open.values()), loop)


Seat = tuple[Record, Ticket, int]
"""A record, whose it is, and its position there."""


@dataclass(slots=True, eq=False)
class _Lane:
    """What waits for one partition."""

    topic: str
    partition: int
    waiting: deque[Seat] = field(default_factory=deque)
    on_its_way: bool = False

    def board(self, batch: BatchBuilder) -> list[Seat]:
        """Fill a batch, which takes a first record of any size, and refuses what does not fit after that."""
        aboard: list[Seat] = []
        while self.waiting:
            record, ticket, _ = seat = self.waiting[0]
            if not ticket.given_up:
                headers = list(record.headers)
                if batch.append(timestamp=None, key=record.key, value=record.value, headers=headers) is None:
                    break
                aboard.append(seat)
            self.waiting.popleft()
        return aboard


class Lanes:
    """The lanes of one producer."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self._partitions: dict[str, int] = {}
        self._known_until: dict[str, float] = {}
        self._lanes: dict[tuple[str, int], _Lane] = {}
        self._ready: dict[_Lane, None] = {}
        self._departure: asyncio.TimerHandle | None = None
        self._deadlines = _Deadlines()
        self._tasks: set[asyncio.Task[None]] = set()

    async def write(self, records: Sequence[Record], within_s: float) -> Sequence[Outcome]:
        """Write `records`, in order within each partition; return, after `within_s` at most, what became of each."""
        loop = asyncio.get_running_loop()
        ticket = Ticket(len(records), loop.create_future())
        self._deadlines.watch(ticket, loop.time() + within_s, loop)
        try:
            for topic in {record.topic for record in records}:
                if self._known_until.get(topic, 0.0) <= loop.time():
                    await self._learn_partitions(topic, loop, within_s)
            for lane in self._queue(records, ticket):
                self._get_ready(lane)
            await ticket.over
        except (KafkaError, OSError, TimeoutError) as error:
            ticket.give_up(error)
        except asyncio.CancelledError:
            ticket.given_up = True
            raise
        finally:
            self._deadlines.forget(ticket)
        return ticket.outcomes

    async def settle(self, within_s: float) -> None:
        """Wait until nothing waits or is on its way, but no longer than that."""
        try:
            async with asyncio.timeout(within_s):
                while self._departure is not None or self._tasks:
                    self._depart()
                    if self._tasks:
                        await asyncio.wait(self._tasks)
        except TimeoutError:
            return

    async def _learn_partitions(self, topic: str, loop: asyncio.AbstractEventLoop, within_s: float) -> None:
        async with asyncio.timeout(within_s):
            self._partitions[topic] = len(await self._producer.partitions_for(topic))
        self._known_until[topic] = loop.time() + _KNOWN_FOR_S

    def _queue(self, records: Sequence[Record], ticket: Ticket) -> list[_Lane]:
        touched: dict[tuple[str, int], _Lane] = {}
        for at, record in enumerate(records):
            place = record.topic, partition_of(record.key or b"", self._partitions[record.topic])
            lane = touched.get(place) or self._lane(touched, place)
            lane.waiting.append((record, ticket, at))
        return list(touched.values())

    def _lane(self, touched: dict[tuple[str, int], _Lane], place: tuple[str, int]) -> _Lane:
        lane = touched[place] = self._lanes.setdefault(place, _Lane(*place))
        return lane

    def _get_ready(self, lane: _Lane) -> None:
        if lane.on_its_way:
            return
        self._ready[lane] = None
        if self._departure is None:
            self._departure = asyncio.get_running_loop().call_later(LINGER_S, self._depart)

    def _depart(self) -> None:
        """Send one batch of every lane that is ready."""
        if self._departure is not None:
            self._departure.cancel()
            self._departure = None
        ready, self._ready = self._ready, {}
        for lane in ready:
            batch = self._producer.create_batch()
            aboard = lane.board(batch)
            if aboard:
                lane.on_its_way = True
                task = asyncio.create_task(self._carry(lane, batch, aboard), name=f"{lane.topic}:{lane.partition}")
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _carry(self, lane: _Lane, batch: BatchBuilder, aboard: Sequence[Seat]) -> None:
        outcome: Outcome = RuntimeError("the batch was not sent")
        try:
            outcome = await self._send(lane, batch)
        finally:  # whatever happens, nobody waits for ever and the lane is free again
            lane.on_its_way = False
            for _, ticket, at in aboard:
                ticket.settle(at, outcome)
            if lane.waiting:
                self._get_ready(lane)

    async def _send(self, lane: _Lane, batch: BatchBuilder) -> Outcome:
        batch.close()
        try:
            acknowledged = await self._producer.send_batch(batch, lane.topic, partition=lane.partition)
            await acknowledged
        except (KafkaError, OSError, TimeoutError) as error:
            return error
        return None
