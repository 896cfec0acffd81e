"""Intake and delivery over a real database and real receivers, without Kafka, on a clock that the test moves."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from schemas.documents import friction as friction_v1
from schemas.documents.friction import FrictionDocument
from services.alerts.app import AlertsProcess
from services.alerts.consume.intake import PROGRESS, FrictionRecord
from services.alerts.deliver.endpoint_store import Endpoint
from services.alerts.deliver.retry import EndpointHealth
from services.alerts.failpoints import AlertsFailpoints
from services.alerts.settings import AlertsProcessSettings
from services.runtime.failpoints import NO_FAILPOINTS
from services.runtime.kafka.producer import KafkaProducer
from services.runtime.log.applying import BatchApplier
from services.runtime.log.batch import Batch, Run, gather
from services.runtime.log.claims import Claim, claim_of
from services.runtime.log.progress import TopicLine
from services.runtime.postgres.pools import Pool, acquire, close_pool, create_pool
from services.runtime.process.tasks import TaskOwner
from tests.conftest import SteppingClock


class Engine:
    """The parts of one replica that matter here."""

    def __init__(self, service: AlertsProcess, pool: Pool, clock: SteppingClock, line: TopicLine, claim: Claim) -> None:
        self.service = service
        self.pool = pool
        self.clock = clock
        self.line = line
        self.claim = claim
        self.lost: list[int] = []
        self._applier: BatchApplier[FrictionRecord] = BatchApplier(attempt=self._attempt, lost=self._lose)

    async def take(self, *frictions: FrictionDocument) -> None:
        """Apply frictions as one batch of one partition."""
        await self.take_raw([friction_v1.encode(friction) for friction in frictions])

    async def take_raw(self, values: Sequence[bytes | None]) -> None:
        """Apply values as one batch of one partition."""
        arrivals = [
            FrictionRecord(partition=self.claim.partition, offset=offset, timestamp=0, key=b"key", value=value)
            for offset, value in enumerate(values, self.claim.applied)
        ]
        await self._applier.apply(gather(arrivals, {self.claim.partition: self.claim}))

    async def remember_dead_letters(self) -> None:
        """Do what the consumer does when it joins its group."""
        consumer = self.service._consumer
        consumer._line = self.line
        await consumer._remember_dead_letters()

    async def _attempt(self, batch: Batch[FrictionRecord], *, bury: bool) -> None:
        await self.service.intake.apply(self.line, batch, bury=bury)

    def _lose(self, run: Run[FrictionRecord]) -> None:
        self.lost.append(run.claim.partition)

    async def endpoint(self, url: str, **members: Any) -> tuple[UUID, str]:
        """Add a catch-all endpoint; its id and its secret."""
        now = self.clock.now()
        given: dict[str, Any] = {
            "id": uuid4(),
            "team_id": None,
            "name": "support",
            "kind": "standard_webhook",
            "url": url,
            "catch_all": True,
            "enabled": True,
            "disabled_reason": None,
            "disabled_at": None,
            "max_in_flight": 8,
            "health": EndpointHealth(),
            "last_success_at": None,
            "created_at": now,
            "updated_at": now,
        }
        revealed = await self.service.parts.administration.add_endpoint(Endpoint(**given | members), actor="test")
        return revealed.endpoint.id, revealed.secret

    async def value(self, query: str, *args: object) -> Any:
        """One value from the database."""
        async with acquire(self.pool) as connection:
            return await connection.fetchval(query, *args)

    async def column(self, query: str, *args: object) -> list[Any]:
        """One column from the database."""
        async with acquire(self.pool) as connection:
            return [row[0] for row in await connection.fetch(query, *args)]


@asynccontextmanager
async def an_engine(
    database: str,
    clock: SteppingClock,
    *,
    dispatching: bool = True,
    partition: int = 0,
    line: str = "test",
    failpoints: AlertsFailpoints = NO_FAILPOINTS,
    **settings: str,
) -> AsyncIterator[Engine]:
    """One replica; several may share a database."""
    environ = {"WAYMARK_POSTGRES": database, "WAYMARK_ALERTS_ALLOW_PRIVATE_TARGETS": "true"}
    environ |= {"WAYMARK_ALERTS_POLL_S": "0.05"} | settings
    loaded = AlertsProcessSettings.load(environ)
    pool = await create_pool(database, application_name="test", size=8)
    service = AlertsProcess(
        loaded, pool, KafkaProducer("127.0.0.1:1", client_id="test", idempotent=False), clock, failpoints
    )
    topic_line = TopicLine(name=line, topic="frictions")
    async with acquire(pool) as connection:
        [held] = await PROGRESS.claim(connection, topic_line, {partition: 0}, "test")
    try:
        async with service.sender, TaskOwner() as webhooks, TaskOwner() as owner:
            dispatcher = service.dispatcher(webhooks)
            owner.start("wakeups", service.wakeups.run)
            if dispatching:
                owner.start("dispatcher", dispatcher.run, may_end=True)
            yield Engine(service, pool, clock, topic_line, claim_of(held))
            await dispatcher.drain(timedelta(seconds=5).total_seconds())
    finally:
        await close_pool(pool)
