"""Intake and delivery over a real database and real receivers, without Kafka, on a clock that the test moves."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from schemas.documents import friction as friction_v1
from schemas.documents.friction import FrictionDocument
from services.alerts.app import Service
from services.alerts.consume import progress
from services.alerts.consume.intake import Applied, Arrival, Owned
from services.alerts.consume.progress import Claim, Position
from services.alerts.deliver.endpoint_store import Endpoint
from services.alerts.deliver.retry import EndpointHealth
from services.alerts.failpoints import AlertsFailpoints
from services.alerts.settings import ProcessSettings
from services.runtime.failpoints import NO_FAILPOINTS
from services.runtime.kafka import Producer
from services.runtime.postgres import Pool, acquire, close_pool, create_pool, transaction
from services.runtime.tasks import TaskOwner
from tests.conftest import SteppingClock


class Engine:
    """The parts of one replica that matter here."""

    def __init__(self, service: Service, pool: Pool, clock: SteppingClock, claim: Claim) -> None:
        self.service = service
        self.pool = pool
        self.clock = clock
        self.claim = claim
        self._next = claim.next_offset

    async def take(self, *frictions: FrictionDocument) -> Applied:
        """Apply frictions as one batch of one partition."""
        return await self.take_raw([friction_v1.encode(friction) for friction in frictions])

    async def take_raw(self, values: Sequence[bytes | None]) -> Applied:
        """Apply values as one batch of one partition."""
        arrivals = [
            Arrival(partition=0, offset=self._next + at, timestamp=0, key=b"key", value=value)
            for at, value in enumerate(values)
        ]
        applied = await self.service.intake.apply({0: Owned(claim=self.claim, applied=self._next)}, arrivals)
        self._next = applied.next_offsets.get(0, self._next)
        return applied

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
        revealed = await self.service.parts.people.add_endpoint(Endpoint(**given | members), actor="test")
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
    failpoints: AlertsFailpoints = NO_FAILPOINTS,
    **settings: str,
) -> AsyncIterator[Engine]:
    """One replica; several may share a database."""
    environ = {"WAYMARK_POSTGRES": database, "WAYMARK_ALERTS_ALLOW_PRIVATE_TARGETS": "true"}
    environ |= {"WAYMARK_ALERTS_POLL_S": "0.05"} | settings
    loaded = ProcessSettings.load(environ)
    pool = await create_pool(database, application_name="test", size=8)
    service = Service(loaded, pool, Producer("127.0.0.1:1", client_id="test", idempotent=False), clock, failpoints)
    position = Position(line="test", topic="frictions", partition=partition)
    async with transaction(pool) as connection:
        claim = await progress.claim(connection, position, owner="test", start=0, now=clock.now())
    try:
        async with service.sender, TaskOwner() as webhooks, TaskOwner() as owner:
            dispatcher = service.dispatcher(webhooks)
            owner.start("wakeups", service.wakeups.run)
            if dispatching:
                owner.start("dispatcher", dispatcher.run, may_end=True)
            yield Engine(service, pool, clock, claim)
            await dispatcher.drain(timedelta(seconds=5).total_seconds())
    finally:
        await close_pool(pool)
