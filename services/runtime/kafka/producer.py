"""Writes records to Kafka through an idempotent producer that is rebuilt when it wedges.

Leaves consuming to the services: the journey worker has Faust, alerts a loop of its own.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, KafkaError

from services.runtime.addresses.brokers import Brokers, brokers_of
from services.runtime.kafka.access_check import find_problem
from services.runtime.kafka.group_commit import GroupCommit
from services.runtime.kafka.log_ends import CLOSE_S
from services.runtime.kafka.record import ProducerRecord
from services.runtime.telemetry.health import CheckResult
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

CHECK_S = 1.0
"""How long the brokers have to show why they do not answer."""


ABANDON_S = 15.0
"""How long it has to end by force: a request that is under way to a frozen broker runs into its own timeout."""


class PublishError(Exception):
    """At least one record was not acknowledged. It may be written all the same, so send the same id again.

    `failed` holds the positions of the unacknowledged records in the sequence that was given.
    """

    def __init__(self, reason: str, failed: frozenset[int]) -> None:
        super().__init__(reason)
        self.reason = reason
        self.failed = failed


class RecordPublisher(Protocol):
    """Writes records and says when they are safe."""

    async def publish(self, records: Sequence[ProducerRecord]) -> None:
        """Return once every record is acknowledged by all in-sync replicas.

        Raises:
            PublishError: some were not; the rest were.
        """


class KafkaProducer:
    """An `acks=all` producer that replaces aiokafka's own after an error that leaves it unusable.

    aiokafka's idempotent producer ends its sender routine for good on OutOfOrderSequenceNumber and its like; every
    later send then raises the stored exception (aio-libs/aiokafka#1017). Only a new producer, with a new producer id,
    helps. The old one is closed in the background, because its callers have waited long enough.
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
            await running.commits.settle(self._request_timeout_s)
            await running.producer.stop()
        if self._discarded:
            await asyncio.wait(self._discarded, timeout=CLOSE_S)

    async def publish(self, records: Sequence[ProducerRecord]) -> None:
        """Write `records`, in order within each partition, and return once all are acknowledged.

        Raises:
            PublishError: with the positions of those that were not.
        """
        if not records:
            return
        try:
            running = self._running or await self._connected()
        except (KafkaError, OSError, TimeoutError) as error:
            raise PublishError(type(error).__name__, frozenset(range(len(records)))) from error
        outcomes = await running.commits.write(records, self._request_timeout_s * 1.5)
        failures = {at: error for at, error in enumerate(outcomes) if error is not None}
        if failures:
            first = next(iter(failures.values()))
            self._discard(running, first)
            raise PublishError(type(first).__name__, frozenset(failures)) from first

    async def check(self) -> CheckResult:
        """Check that a usable producer is there, for `/readyz`; the detail says why not."""
        try:
            async with asyncio.timeout(2.0):
                await self._current()
        except (KafkaError, OSError, TimeoutError) as error:
            trouble = await find_problem(self._brokers, within_s=CHECK_S)
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
            self._running = _Running(producer, GroupCommit(producer))
            return self._running

    def _discard(self, running: "_Running", error: BaseException) -> None:
        """Put a failed producer away; the next call builds a new one."""
        superseded = self._running is not running
        if superseded:
            return  # another call that failed with it did so already
        self._running = None
        _log.warning("producer discarded", reason=type(error).__name__)
        task = asyncio.create_task(_close_discarded(running.producer), name="discarded producer")
        self._discarded.add(task)
        task.add_done_callback(self._discarded.discard)


@dataclass(frozen=True, slots=True)
class _Running:
    """A producer of aiokafka's and what brings records to it."""

    producer: AIOKafkaProducer
    commits: GroupCommit


async def _close_discarded(producer: AIOKafkaProducer) -> None:
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
        _retrieve_exception(sender)
    try:
        async with asyncio.timeout(CLOSE_S):
            await producer.client.close()
    except (KafkaError, OSError, TimeoutError) as error:
        _log.warning("discarded producer did not close", reason=type(error).__name__)
    _fail_pending(producer)


def _fail_pending(producer: AIOKafkaProducer) -> None:
    """Tell whoever still waits for a record, or for it to be flushed, that nothing will come of it."""
    accumulator = producer._message_accumulator
    # aiokafka expects those that it tries again among the pending when they fail, and has taken them out itself.
    accumulator._pending_batches.update(batch for held in accumulator._batches.values() for batch in held)
    accumulator._batches.clear()
    accumulator.fail_all(KafkaConnectionError("the producer was discarded"))
    for batch in accumulator._pending_batches:
        _retrieve_exception(batch.future)
        _retrieve_exception(batch._drain_waiter)


def _retrieve_exception(future: asyncio.Future[Any]) -> None:
    """Take note of an outcome that nobody waits for any more: asyncio logs an exception that nobody asks for."""
    if future.done() and not future.cancelled():
        future.exception()
