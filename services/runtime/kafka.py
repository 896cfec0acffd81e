"""Kafka: an idempotent producer that is rebuilt when it wedges, topics as declared, and the end of a log.

Leaves consuming to the services: the journey worker has Faust, alerts a loop of its own.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaConnectionError, KafkaError, TopicAlreadyExistsError

from services.runtime.health import CheckResult
from services.runtime.lanes import Lanes
from services.runtime.logs import get_logger
from services.runtime.reach.brokers import Brokers, brokers_of
from services.runtime.reach.kafka_access import find_trouble
from services.runtime.record import Record

_log = get_logger(__name__)

CHECK_S = 1.0
"""How long the brokers have to show why they do not answer."""

CLOSE_S = 2.0
"""How long a discarded producer has to end in good order."""

ABANDON_S = 15.0
"""How long it has to end by force: a request that is under way to a frozen broker runs into its own timeout."""


class PublishFailed(Exception):  # noqa: N818  the event's name, as the callers say it
    """At least one record was not acknowledged. It may have been written all the same: send the same id again.

    `failed` holds the positions of the unacknowledged records in the sequence that was given.
    """

    def __init__(self, reason: str, failed: frozenset[int]) -> None:
        super().__init__(reason)
        self.reason = reason
        self.failed = failed


class Publisher(Protocol):
    """Whatever can write records and say that they are safe."""

    async def publish(self, records: Sequence[Record]) -> None:
        """Return once every record is acknowledged by all in-sync replicas.

        Raises:
            PublishFailed: some were not; the rest were.
        """


class Producer:
    """An `acks=all` producer. After an error that leaves aiokafka's own unusable, a new one takes its place.

    aiokafka's idempotent producer ends its sender routine for good on OutOfOrderSequenceNumber and its like; every
    later send then raises the stored exception (aio-libs/aiokafka#1017). Only a new producer, with a new producer id,
    helps. The old one is put away beside the work, since whoever waits for an answer has waited long enough.
    """

    def __init__(
        self,
        brokers: Brokers | str,
        *,
        client_id: str,
        idempotent: bool = True,
        request_timeout_s: float = 10.0,
        max_request_bytes: int = 4 * 1024 * 1024,
    ) -> None:
        self._brokers = brokers_of(brokers)
        self._options: dict[str, Any] = {
            **self._brokers.options,
            "client_id": client_id,
            "acks": "all",
            "enable_idempotence": idempotent,
            "request_timeout_ms": int(request_timeout_s * 1000),
            "linger_ms": 0,  # what comes in while a batch is on its way is the next one
            "max_request_size": max_request_bytes,
            "max_batch_size": 128 * 1024,
        }
        self._request_timeout_s = request_timeout_s
        self._running: _Running | None = None
        self._building = asyncio.Lock()
        self._discarded: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Connect.

        Raises:
            aiokafka.errors.KafkaConnectionError: no broker answers.
        """
        await self._current()

    async def stop(self) -> None:
        """Send what is waiting and close."""
        running = self._running
        self._running = None
        if running is not None:
            await running.lanes.settle(self._request_timeout_s)
            await running.producer.stop()
        if self._discarded:
            await asyncio.wait(self._discarded, timeout=CLOSE_S)

    async def publish(self, records: Sequence[Record]) -> None:
        """Write `records`, in order within each partition, and return once all are acknowledged.

        Raises:
            PublishFailed: with the positions of those that were not.
        """
        if not records:
            return
        try:
            running = self._running or await self._connected()
        except (KafkaError, OSError, TimeoutError) as error:
            raise PublishFailed(type(error).__name__, frozenset(range(len(records)))) from error
        outcomes = await running.lanes.write(records, self._request_timeout_s * 1.5)
        failures = {at: error for at, error in enumerate(outcomes) if error is not None}
        if failures:
            first = next(iter(failures.values()))
            self._discard(running, first)
            raise PublishFailed(type(first).__name__, frozenset(failures)) from first

    async def check(self) -> CheckResult:
        """Check that a usable producer stands; for `/readyz`. Where none does, the detail says why."""
        try:
            async with asyncio.timeout(2.0):
                await self._current()
        except (KafkaError, OSError, TimeoutError) as error:
            trouble = await find_trouble(self._brokers, within_s=CHECK_S)
            return CheckResult(name="kafka", ok=False, detail=trouble.text if trouble else type(error).__name__)
        return CheckResult(name="kafka", ok=True)

    async def _connected(self) -> "_Running":
        async with asyncio.timeout(self._request_timeout_s):
            return await self._current()

    async def _current(self) -> "_Running":
        if self._running is not None:
            return self._running
        async with self._building:
            if self._running is not None:
                return self._running
            producer: AIOKafkaProducer = AIOKafkaProducer(**self._options)
            try:
                await producer.start()
            except BaseException:
                await producer.stop()
                raise
            self._running = _Running(producer, Lanes(producer))
            return self._running

    def _discard(self, running: "_Running", error: BaseException) -> None:
        """Put a failed producer away; the next call builds a new one."""
        superseded = self._running is not running
        if superseded:
            return  # another call that failed with it did so already
        self._running = None
        _log.warning("producer discarded", reason=type(error).__name__)
        task = asyncio.create_task(_put_away(running.producer), name="discarded producer")
        self._discarded.add(task)
        task.add_done_callback(self._discarded.discard)


@dataclass(frozen=True, slots=True)
class _Running:
    """A producer of aiokafka's and what brings records to it."""

    producer: AIOKafkaProducer
    lanes: Lanes


async def close_consumer(consumer: AIOKafkaConsumer) -> None:
    """Leave the group and close, by force where no broker answers: the client would look for one for ever."""
    try:
        async with asyncio.timeout(CLOSE_S):
            await consumer.stop()
    except TimeoutError:
        await consumer._client.close()  # aiokafka 0.14: `stop` does nothing when it is called again
    except asyncio.CancelledError:  # a task of the group's that was cancelled without a broker ends `stop` half-way
        await consumer._client.close()
        raise


async def _put_away(producer: AIOKafkaProducer) -> None:
    """Close a producer, by force where it cannot: `stop` waits until all is written, which may be never."""
    try:
        async with asyncio.timeout(CLOSE_S):
            await producer.stop()
    except (KafkaError, OSError, TimeoutError) as error:
        _log.info("discarded producer is closed by force", reason=type(error).__name__)
        await _abandon(producer)


async def _abandon(producer: AIOKafkaProducer) -> None:
    """End what a producer still does. Left alone it would reconnect for ever, and write what was given up long ago.

    Only its private parts can be told so (aiokafka 0.14): `stop` does nothing when it is called again.
    """
    sender: asyncio.Task[None] | None = producer._sender.sender_task
    if sender is not None:
        sender.remove_done_callback(producer._sender._fail_all)  # it fails itself where there are no transactions
        sender.cancel()
        await asyncio.wait([sender], timeout=ABANDON_S)  # before the client, on whose metadata it may wait
        _hear(sender)
    try:
        async with asyncio.timeout(CLOSE_S):
            await producer.client.close()
    except (KafkaError, OSError, TimeoutError) as error:
        _log.warning("discarded producer did not close", reason=type(error).__name__)
    _fail_what_waits(producer)


def _fail_what_waits(producer: AIOKafkaProducer) -> None:
    """Tell whoever still waits for a record, or for it to be flushed, that nothing will come of it."""
    accumulator = producer._message_accumulator
    # aiokafka expects those that it tries again among the pending when they fail, and has taken them out itself.
    accumulator._pending_batches.update(batch for held in accumulator._batches.values() for batch in held)
    accumulator._batches.clear()
    accumulator.fail_all(KafkaConnectionError("the producer was discarded"))
    for batch in accumulator._pending_batches:
        _hear(batch.future)
        _hear(batch._drain_waiter)


def _hear(future: asyncio.Future[Any]) -> None:
    """Take note of an outcome that nobody waits for any more: asyncio logs an exception that nobody asks for."""
    if future.done() and not future.cancelled():
        future.exception()


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicSpec:
    """A topic as it is to be. `config` holds Kafka's own names and values."""

    name: str
    partitions: int
    replication: int
    config: Mapping[str, str]


async def ensure_topics(brokers: Brokers | str, specs: Sequence[TopicSpec], *, configure: bool = True) -> list[str]:
    """Create the topics that are missing and return the problems of those that are there, one line each.

    `configure=False` leaves the configuration out: the embedded broker knows none.
    """
    admin = AIOKafkaAdminClient(**brokers_of(brokers).options)
    await admin.start()
    try:
        wanted = [
            NewTopic(
                name=spec.name,
                num_partitions=spec.partitions,
                replication_factor=spec.replication,
                topic_configs=dict(spec.config) if configure else {},
            )
            for spec in specs
        ]
        existing = set(await admin.list_topics())
        missing = [topic for topic in wanted if topic.name not in existing]
        if missing:
            try:
                response = await admin.create_topics(missing)
            except TopicAlreadyExistsError:
                response = None  # another process was quicker
            _raise_for(response)
        # What was just made is as declared, and a broker may take a moment to tell of it.
        there = [spec for spec in specs if spec.name in existing]
        described = await admin.describe_topics([spec.name for spec in there]) if there else []
    finally:
        await admin.close()
    found = {topic["topic"]: len(topic["partitions"]) for topic in described}
    return [
        f"topic {spec.name} has {found.get(spec.name, 0)} partitions, {spec.partitions} are declared"
        for spec in there
        if found.get(spec.name, 0) != spec.partitions
    ]


def _raise_for(response: Any) -> None:
    for name, code, *rest in getattr(response, "topic_errors", ()):
        if code not in {0, TopicAlreadyExistsError.errno}:
            raise KafkaError(f"topic {name} could not be created: error {code} {rest}")


async def cluster_line(brokers: Brokers | str, override: str = "") -> str:
    """Return the name of the life of the log: `override`, else the cluster's id.

    Raises:
        aiokafka.errors.KafkaConnectionError: no broker answers, or it names no cluster.
    """
    if override:
        return override
    admin = AIOKafkaAdminClient(**brokers_of(brokers).options)
    await admin.start()
    try:
        cluster = await admin.describe_cluster()
    finally:
        await admin.close()
    name = cluster.get("cluster_id") if isinstance(cluster, dict) else None
    if not name:
        raise KafkaConnectionError("the broker names no cluster id; set WAYMARK_KAFKA_LINE")
    return str(name)


class LogEnds:
    """Asks the beginnings and ends of partitions, over a consumer of its own that joins no group."""

    def __init__(self, brokers: Brokers | str, *, client_id: str) -> None:
        options = brokers_of(brokers).options
        self._consumer = AIOKafkaConsumer(**options, client_id=client_id, enable_auto_commit=False)

    async def start(self) -> None:
        """Connect."""
        await self._consumer.start()

    async def stop(self) -> None:
        """Close."""
        await close_consumer(self._consumer)

    async def ends(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        """Return the offset after the last record of each partition."""
        found = await self._consumer.end_offsets([TopicPartition(topic, partition) for partition in partitions])
        return {tp.partition: offset for tp, offset in found.items()}

    async def beginnings(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        """Return the offset of the first record that each partition still keeps."""
        found = await self._consumer.beginning_offsets([TopicPartition(topic, partition) for partition in partitions])
        return {tp.partition: offset for tp, offset in found.items()}
