"""Reads one topic as a member of a consumer group and passes batches to its intake.

The group only distributes partitions; the position of each one is in PostgreSQL. After an assignment the loop claims
each partition, compares the log with what was read before (`runtime.log`), seeks, and only then takes its records.
Offsets are also committed to Kafka, but only for tools that show the lag. Applying a batch is left to `intake`.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from services.alerts.consume.backlog import Backlog
from services.alerts.consume.log_health import STALLED_AFTER_S, LogHealth
from services.alerts.consume.progress import PROGRESS, SCHEMA
from services.alerts.consume.record_intake import ExpressIntake, RecordIntake
from services.alerts.consume.records import ConsumedRecord, as_consumed
from services.alerts.metrics import FollowingMetrics
from services.runtime.addresses.brokers import Brokers
from services.runtime.clock import Clock
from services.runtime.kafka.log_ends import close_consumer, cluster_line
from services.runtime.log import identity
from services.runtime.log.applying import BatchApplier
from services.runtime.log.batch import Run
from services.runtime.log.claims import Claim, ExaminedClaim, claim_and_examine
from services.runtime.log.dead_letters import trailing
from services.runtime.log.gaps import Hole, continue_at
from services.runtime.log.identity import LogVerdict
from services.runtime.log.progress import DatabaseLedger, TopicLine
from services.runtime.postgres.pools import Pool, acquire, retrying
from services.runtime.process.outages import tolerated
from services.runtime.telemetry.health import CheckResult
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

PROBE_WITHIN_S = 5.0
"""How long the broker may take to return the last applied records."""

POLL_MS = 200
COMMIT_EVERY_S = 5.0
PAUSE_S = 1.0
LOOK_AHEAD = 20
"""So many batches are read ahead to find what may overtake; without that, one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerSettings:
    """Settings of a consumer, as values. An empty `line` means the id of the cluster; `check` names it in `/readyz`."""

    brokers: Brokers
    line: str
    group: str
    owner: str
    session_timeout_s: float
    batch: int
    topic: str
    check: str = "intake"


@dataclass(frozen=True, slots=True)
class _ConsumerBounds:
    """The first and last offsets of partitions, read over the consumer's own connection."""

    consumer: AIOKafkaConsumer

    async def beginnings(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        """Return the first offset that each partition still holds."""
        found = await self.consumer.beginning_offsets([TopicPartition(topic, partition) for partition in partitions])
        return {tp.partition: offset for tp, offset in found.items()}

    async def ends(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        """Return the offset after the last record of each partition."""
        found = await self.consumer.end_offsets([TopicPartition(topic, partition) for partition in partitions])
        return {tp.partition: offset for tp, offset in found.items()}


class TopicConsumer(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Reads and applies the records of a topic until it is cancelled."""

    def __init__(
        self,
        settings: ConsumerSettings,
        intake: RecordIntake,
        *,
        pool: Pool,
        clock: Clock,
        metrics: FollowingMetrics,
        express: ExpressIntake | None = None,
    ) -> None:
        self._settings = settings
        self._intake = intake
        self._express = express
        self._backlog = Backlog(settings.batch * (LOOK_AHEAD if express else 1))
        self._pool = pool
        self._clock = clock
        self._metrics = metrics
        self._use_line("")
        self._kafka: AIOKafkaConsumer | None = None
        self._claims: dict[int, Claim] = {}
        self._unclaimed: dict[int, float] = {}
        self._health = LogHealth()
        self._refused: dict[int, LogVerdict] = {}
        self._holes: dict[int, int] = {}
        self._remembers = False
        self._joined = False
        self._alive_at = clock.monotonic()
        self._committed_at = clock.monotonic()
        metrics.followed.set(clock.now().timestamp())

    async def run(self) -> None:
        """Join the group and apply its records; join again after an outage of Kafka."""
        while True:
            try:
                await self._member()
            except (KafkaError, OSError, TimeoutError) as error:
                _log.warning("kafka is away", reason=type(error).__name__)
            finally:
                self._joined = False
            await asyncio.sleep(PAUSE_S)

    async def check(self) -> CheckResult:
        """Check for `/readyz` that the loop runs, and that all our partitions are claimed and answered for by Kafka."""
        now = self._clock.monotonic()
        if self._refused:
            named = ", ".join(f"{partition}: {verdict}" for partition, verdict in sorted(self._refused.items()))
            return CheckResult(name=self._settings.check, ok=False, detail=f"partitions refused ({named})")
        if not self._joined:
            return CheckResult(name=self._settings.check, ok=False, detail="not a member of the group yet")
        if trouble := self._health.trouble(now):
            return CheckResult(name=self._settings.check, ok=False, detail=trouble)
        ok = now - self._alive_at < STALLED_AFTER_S
        return CheckResult(name=self._settings.check, ok=ok, detail=f"{len(self._claims)} partitions")

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Forget partitions; a batch in progress notices it by the epoch."""
        for tp in revoked:
            self._claims.pop(tp.partition, None)
            self._unclaimed.pop(tp.partition, None)
            self._health.leave(tp.partition)
            self._refused.pop(tp.partition, None)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Remember which partitions to claim; the loop claims them."""
        self._metrics.rebalances.inc()
        self._joined = True
        for tp in assigned:
            self._claims.pop(tp.partition, None)
            self._unclaimed[tp.partition] = 0.0
            self._health.wait(tp.partition, self._clock.monotonic())
            self._pause(tp.partition)

    async def _member(self) -> None:
        self._use_line(await cluster_line(self._settings.brokers, self._settings.line))
        await self._remember_dead_letters()
        session_ms = int(self._settings.session_timeout_s * 1000)
        consumer = AIOKafkaConsumer(
            **self._settings.brokers.options,
            group_id=self._settings.group,
            client_id=self._settings.owner,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=session_ms,
            heartbeat_interval_ms=session_ms // 4,
            max_poll_interval_ms=3_600_000,  # an outage of PostgreSQL must not empty the group
            metadata_max_age_ms=10_000,
            fetch_max_wait_ms=POLL_MS,
        )
        self._kafka = consumer
        self._claims.clear()
        self._unclaimed.clear()
        self._health.clear()
        consumer.subscribe([self._settings.topic], listener=self)
        try:
            await consumer.start()
            while True:
                await self._poll_once(consumer)
        finally:
            await close_consumer(consumer)

    def _use_line(self, name: str) -> None:
        self._line = line = TopicLine(name=name, topic=self._settings.topic)
        self._applier = BatchApplier(attempt=partial(self._intake.apply, line), lost=self._lose)

    async def _poll_once(self, consumer: AIOKafkaConsumer) -> None:
        self._alive_at = self._clock.monotonic()
        await self._claim_new(consumer)
        arrivals: list[ConsumedRecord] = []
        if room := self._backlog.room:
            wait_ms = 0 if self._backlog else POLL_MS
            for tp, records in (await consumer.getmany(timeout_ms=wait_ms, max_records=room)).items():
                arrivals += self._continue(consumer, tp, records)
        self._backlog.add(arrivals, self._claims)
        self._update_gauges(consumer)  # before applying, which waits for as long as the database is away
        if self._backlog:
            with self._metrics.processing_seconds.time():
                await self._apply_next()
            self._update_gauges(consumer)
        await self._commit(consumer)

    async def _apply_next(self) -> None:
        """Apply what is urgent, then what is next; meanwhile the consumer fetches more."""
        if self._express is not None:
            urgent = self._backlog.overtaking(self._express.urgent, self._settings.batch)
            if urgent.runs:
                await self._express.overtake(self._line, urgent)
                self._backlog.add((), self._claims)  # partitions may have been lost meanwhile
        await self._applier.apply(self._backlog.take(self._settings.batch))

    def _update_gauges(self, consumer: AIOKafkaConsumer) -> None:
        """Record for which partitions Kafka has answered, and set the gauges."""
        now = self._clock.monotonic()
        for partition in self._claims:
            stamp = consumer.last_poll_timestamp(TopicPartition(self._settings.topic, partition))
            self._health.note(partition, stamp, now)
        self._metrics.lag.set(self._lag(consumer))
        self._metrics.refused_partitions.set(len(self._refused))
        self._metrics.unclaimed_partitions.set(len(self._unclaimed.keys() - self._refused.keys()))
        if self._joined and not self._health.trouble(now):
            self._metrics.followed.set(self._clock.now().timestamp())

    async def _claim_new(self, consumer: AIOKafkaConsumer) -> None:
        """Claim assigned partitions, one by one if claiming them together fails: one may have no leader."""
        now = self._clock.monotonic()
        wanted = [partition for partition, at in self._unclaimed.items() if at <= now]
        if wanted and not await self._claim(consumer, wanted) and len(wanted) > 1:
            for partition in wanted:
                if partition in self._unclaimed:  # otherwise another member has it by now, which must not be fenced
                    await self._claim(consumer, [partition])

    async def _claim(self, consumer: AIOKafkaConsumer, wanted: Sequence[int]) -> bool:
        """Claim partitions and read on where the log is the same; return false if Kafka or the database is away."""
        ledger = DatabaseLedger(
            pool=self._pool, table=PROGRESS, line=self._line, owner=self._settings.owner, patient=False
        )
        with tolerated(_log, "partitions not claimed", also=(KafkaError,), partitions=wanted) as outage:
            for examined in await claim_and_examine(
                self._settings.topic,
                wanted,
                bounds=_ConsumerBounds(consumer),
                ledger=ledger,
                read=partial(self._read_at, consumer),
            ):
                self._begin(consumer, examined)
        if outage:
            again = self._clock.monotonic() + PAUSE_S
            self._unclaimed |= dict.fromkeys(self._unclaimed.keys() & set(wanted), again)
        return not outage

    async def _read_at(self, consumer: AIOKafkaConsumer, offsets: Mapping[int, int]) -> dict[int, ConsumedRecord]:
        """Return the first record at or after an offset, by partition; only what arrives in time is returned."""
        missing = {TopicPartition(self._settings.topic, partition): offset for partition, offset in offsets.items()}
        for tp, offset in missing.items():
            consumer.seek(tp, offset)
            consumer.resume(tp)
        found: dict[int, ConsumedRecord] = {}
        deadline = self._clock.monotonic() + PROBE_WITHIN_S
        while missing and self._clock.monotonic() < deadline:
            for tp, records in (await consumer.getmany(*missing, timeout_ms=POLL_MS, max_records=1)).items():
                found[tp.partition] = as_consumed(records[0])
                del missing[tp]
        for partition in offsets:
            self._pause(partition)
        return found

    def _begin(self, consumer: AIOKafkaConsumer, examined: ExaminedClaim) -> None:
        """Read on behind the last applied record, unless it is another log or the assignment has changed."""
        claim, verdict = examined.claim, examined.verdict
        partition = claim.partition
        if partition not in self._unclaimed:
            return
        if verdict.refused:
            self._refuse(partition, verdict)
            return
        if verdict is LogVerdict.UNPROVEN:
            _log.warning("last applied record not returned, will ask again", partition=partition)
            self._let_go(partition, for_s=PROBE_WITHIN_S)  # for as long as it delayed the others
            return
        tp = TopicPartition(self._settings.topic, partition)
        consumer.seek(tp, claim.cursor)
        consumer.resume(tp)
        claim.examined = self._holes.pop(partition, None) == claim.cursor
        del self._unclaimed[partition]
        self._health.take_up(partition, self._clock.monotonic())
        self._refused.pop(partition, None)
        self._claims[partition] = claim
        _log.info("partition claimed", partition=partition, epoch=claim.epoch, next_offset=claim.cursor)

    def _refuse(self, partition: int, verdict: LogVerdict) -> None:
        """Refuse a partition, log it, and check again later: an operator may have decided by then."""
        self._refused[partition] = verdict
        self._let_go(partition, for_s=STALLED_AFTER_S)
        _log.error(
            "partition refused",
            topic=self._settings.topic,
            partition=partition,
            reason=verdict,
            detail=identity.explain(verdict),
        )

    def _let_go(self, partition: int, *, for_s: float) -> None:
        """Stop reading a partition until it is claimed again, in `for_s` seconds at the earliest."""
        self._claims.pop(partition, None)
        self._unclaimed[partition] = self._clock.monotonic() + for_s
        self._health.wait(partition, self._clock.monotonic())
        self._pause(partition)

    def _pause(self, partition: int) -> None:
        """Fetch nothing from a partition until it is claimed."""
        tp = TopicPartition(self._settings.topic, partition)
        if self._kafka is not None and tp in self._kafka.assignment():
            self._kafka.pause(tp)

    def _continue(self, consumer: AIOKafkaConsumer, tp: TopicPartition, records: Sequence[Any]) -> list[ConsumedRecord]:
        """Return the records that continue the log: drop repeats, and ask again for missing ones."""
        claim = self._claims.get(tp.partition)
        if claim is None:
            return []
        fresh: Sequence[Any] | Hole = continue_at(claim.cursor, records)
        if isinstance(fresh, Hole) and not claim.examined:
            self._ask_again(consumer, claim)
            return []
        if isinstance(fresh, Hole):  # the log is the same: the hole is a marker of a transaction and no record
            fresh = records
        if fresh:
            claim.deliver(fresh[-1].offset)
        return [as_consumed(record) for record in fresh]

    def _ask_again(self, consumer: AIOKafkaConsumer, claim: Claim) -> None:
        """Seek back to a hole; if it stays, examine whether retention deleted unread records."""
        if claim.rewinds == 0:
            _log.warning("offsets missing, asking again", partition=claim.partition, expected=claim.cursor)
            claim.rewinds += 1
            consumer.seek(TopicPartition(self._settings.topic, claim.partition), claim.cursor)
        else:
            _log.warning("offsets missing, examining the log", partition=claim.partition, expected=claim.cursor)
            self._holes[claim.partition] = claim.cursor
            self._let_go(claim.partition, for_s=0.0)

    def _lose(self, run: Run[ConsumedRecord]) -> None:
        if self._claims.get(run.claim.partition) is run.claim:
            self._let_go(run.claim.partition, for_s=PAUSE_S)

    async def _remember_dead_letters(self) -> None:
        """Read once how many dead letters in a row the process left before its restart."""
        if self._remembers:
            return

        async def ask() -> int:
            async with acquire(self._pool) as connection:
                return await trailing(connection, SCHEMA, self._line, most=self._intake.limit.most)

        self._intake.limit.remember(await retrying(ask))
        self._remembers = True

    def _lag(self, consumer: AIOKafkaConsumer) -> int:
        lag = 0
        for partition, claim in self._claims.items():
            highwater = consumer.highwater(TopicPartition(self._settings.topic, partition))
            lag += max(0, (highwater or 0) - claim.applied)
        return lag

    async def _commit(self, consumer: AIOKafkaConsumer) -> None:
        now = self._clock.monotonic()
        if now - self._committed_at < COMMIT_EVERY_S or not self._claims:
            return
        self._committed_at = now
        offsets = {TopicPartition(self._settings.topic, p): claim.applied for p, claim in self._claims.items()}
        try:
            await consumer.commit(offsets)
        except KafkaError as error:
            _log.info("lag indicator not committed", reason=type(error).__name__)


async def current_line(brokers: Brokers, override: str) -> str | None:
    """Return the name of the present line of the log, None while no broker answers."""
    try:
        return await cluster_line(brokers, override)
    except (KafkaError, OSError, TimeoutError) as error:
        _log.warning("kafka is away", reason=type(error).__name__)
        return None
