"""A log in memory and the real applier on a real database: what the worker does to records, without Kafka or Faust.

`Log.append` puts touchpoints on partitions, `Bench.apply` applies what was appended since, in batches, under claims.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry

from schemas.documents import touchpoint as touchpoint_v1
from schemas.documents.touchpoint import IdentifierValue
from services.journey import policies
from services.journey.apply.applier import Applier
from services.journey.apply.resolution import IdentityResolver
from services.journey.apply.transaction import BatchTransaction
from services.journey.consume.intake import Chunk, Intake
from services.journey.consume.progress import PROGRESS
from services.journey.domain.projection import ProjectionPolicy
from services.journey.domain.rules.book import Rulebook
from services.journey.failpoints import Failpoints
from services.journey.metrics import WorkerMetrics
from services.journey.renew.renewal import CustomerRenewer
from services.journey.renew.writer import CustomerWriter
from services.journey.rulebook import rules_file
from services.journey.timers.timer_loop import TimerDelays, TimerLoop
from services.runtime.clock import SystemClock, new_id
from services.runtime.failpoints import NO_FAILPOINTS
from services.runtime.log.claims import Claim, claim_of
from services.runtime.log.dead_letters import DeadLetterGuard, DeadLetterLimit
from services.runtime.log.progress import TopicLine
from services.runtime.postgres import pools
from services.runtime.postgres.pools import Pool, acquire

LINE = TopicLine(name="line-1", topic="touchpoints")

START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
"""When the stories begin: a little while ago, so that nothing in them is late or stale."""


def at(minutes: float) -> datetime:
    """So many minutes after the story begins."""
    return START + timedelta(minutes=minutes)


def touchpoint(id_: str, minutes: float = 0.0, **members: Any) -> touchpoint_v1.TouchpointDocument:
    """A touchpoint of the customer C-1 unless `customer` (type: value) says otherwise; an inbound call by default."""
    customer = members.pop("customer", {"customer_id": "C-1"})
    facts: dict[str, Any] = {
        "source": "ivr",
        "occurred_at": at(minutes),
        "received_at": at(minutes),
        "channel": "phone",
        "kind": "call_started",
        "direction": "inbound",
        **members,
    }
    identifiers = {kind: IdentifierValue(value=value, verified=True) for kind, value in customer.items()}
    return touchpoint_v1.TouchpointDocument(id=id_, customer=identifiers, **facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRecord:
    """A record as the Kafka client hands it over."""

    offset: int
    timestamp: int
    value: bytes | None
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = ()


@dataclass(slots=True)
class Log:
    """Partitions of records; the broker's time is that of the story unless told otherwise."""

    partitions: int = 2
    records: dict[int, list[LoggedRecord]] = field(default_factory=dict)

    def append(
        self, partition: int, value: touchpoint_v1.TouchpointDocument | bytes | None, appended: datetime | None = None
    ) -> int:
        """Append one record and return its offset."""
        raw = touchpoint_v1.encode(value) if isinstance(value, touchpoint_v1.TouchpointDocument) else value
        when = appended or (value.received_at if isinstance(value, touchpoint_v1.TouchpointDocument) else START)
        run = self.records.setdefault(partition, [])
        run.append(LoggedRecord(offset=len(run), timestamp=int(when.timestamp() * 1000), value=raw))
        return len(run) - 1


@dataclass(slots=True)
class Bench:
    """The applier, the timer loop and their database."""

    pool: Pool
    log: Log
    line: TopicLine
    intake: Intake
    limit: DeadLetterGuard
    applier: Applier
    timers: TimerLoop
    renewer: CustomerRenewer
    registry: CollectorRegistry

    async def claim(self) -> dict[int, Claim]:
        """Claim every partition, as a worker does after an assignment."""
        starts = dict.fromkeys(range(self.log.partitions), 0)
        async with acquire(self.pool) as connection:
            held = await PROGRESS.claim(connection, self.line, starts, "bench")
        claims = {one.partition: claim_of(one) for one in held}
        self.intake.grant(claims.values())
        return claims

    async def apply(self, *, batch: int = 1000) -> None:
        """Claim and apply all that was appended and not applied, `batch` records of each partition at a time."""
        claims = await self.claim()
        left = {p: self.log.records.get(p, [])[claims[p].applied :] for p in claims}
        while any(left.values()):
            chunks = [Chunk(claim=claims[p], records=run[:batch]) for p, run in left.items() if run]
            left = {p: run[batch:] for p, run in left.items()}
            await self.applier.apply(chunks)

    async def rows(self, query: str, *arguments: object) -> list[Any]:
        """Read."""
        async with acquire(self.pool) as connection:
            return list(await connection.fetch(query, *arguments))

    async def value(self, query: str, *arguments: object) -> Any:
        """Read one value."""
        async with acquire(self.pool) as connection:
            return await connection.fetchval(query, *arguments)

    async def execute(self, statement: str, *arguments: object) -> None:
        """Change something by hand."""
        async with acquire(self.pool) as connection:
            await connection.execute(statement, *arguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a bench may do otherwise than a worker."""

    partitions: int = 2
    failpoints: Failpoints = NO_FAILPOINTS
    history: int = 2_000
    limit: DeadLetterLimit = field(default_factory=lambda: DeadLetterLimit(ratio=0.5, run=200))
    late_grace: timedelta = timedelta(minutes=5)
    idle_after: timedelta = timedelta(days=30)
    rules: Rulebook = field(default_factory=rules_file.load)


@asynccontextmanager
async def open_bench(database: str, terms: Terms | None = None, **changes: Any) -> AsyncIterator[Bench]:
    """Everything between chunks and tables, with the shipped rules; `changes` are members of `Terms`."""
    pool = await pools.create_pool(database, application_name="bench", size=4)
    try:
        yield _build(pool, terms or Terms(**changes))
    finally:
        await pools.close_pool(pool)


def _build(pool: Pool, terms: Terms) -> Bench:
    registry = CollectorRegistry()
    metrics = WorkerMetrics.register(registry)
    intake = Intake(capacity=10_000)
    keeper = DeadLetterGuard(terms.limit)
    renewer = _renewer(terms)
    attempt = BatchTransaction(
        line=LINE,
        resolver=IdentityResolver(policy=policies.identity(), new_id=new_id),
        renewer=renewer,
        late_after=timedelta(hours=72),
        failpoints=terms.failpoints,
        admit=keeper.admit,
    )
    applier = Applier(
        pool=pool,
        attempt=attempt,
        intake=intake,
        limit=keeper,
        metrics=metrics,
        clock=SystemClock(),
        failpoints=terms.failpoints,
        after_commit=_nothing,
    )
    timers = TimerLoop(
        pool=pool,
        line=LINE,
        renewer=renewer,
        metrics=metrics.friction,
        clock=SystemClock(),
        failpoints=terms.failpoints,
        patience=_patience(terms),
        partitions=_range_of(terms.partitions),
        after_commit=_nothing,
    )
    log = Log(partitions=terms.partitions)
    return Bench(pool, log, LINE, intake, keeper, applier, timers, renewer, registry)


def _renewer(terms: Terms) -> CustomerRenewer:
    return CustomerRenewer(
        rulebook=terms.rules,
        policy=_policy(terms.idle_after),
        new_id=new_id,
        stale_after_s=24 * 3600.0,
        history=terms.history,
        writer=CustomerWriter(publish_journeys=True),
    )


def _patience(terms: Terms) -> TimerDelays:
    return TimerDelays(
        late_grace=terms.late_grace, replay_quiet=timedelta(minutes=1), idle_after=terms.idle_after, every_s=0.05
    )


def _policy(idle_after: timedelta) -> ProjectionPolicy:
    policy = policies.projection()
    return msgspec.structs.replace(policy, journeys=msgspec.structs.replace(policy.journeys, idle_after=idle_after))


def _nothing() -> None:
    return None


def _range_of(partitions: int) -> Any:
    async def of_topic() -> range:
        return range(partitions)

    return of_topic
