"""Publishes changes of issues on the topic `issues`: one relay at a time, in order, marked after the acknowledgement.

A change that was published but not marked is published again; readers keep the highest version. The lock belongs to a
session, and PostgreSQL ends a session that is silent for `SILENT_S`, so a frozen relay does not block the others. A
relay that wakes up without its session may have published an older version after its successor; it queues the latest
versions again. On a new line (a new life of the log) the latest version of every issue is published again. Writing the
outbox is left to `feed_store`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID

from schemas.documents import issue as issue_v1
from services.alerts.failpoints import AlertsFailpoint, AlertsFailpoints
from services.alerts.live import feed_store
from services.runtime.clock import Clock
from services.runtime.kafka.producer import PublishError, RecordPublisher
from services.runtime.kafka.record import ProducerRecord
from services.runtime.postgres.pools import Connection, Pool, acquire, check_writable
from services.runtime.process.outages import tolerated
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

LOCK = 7_294_611  # any constant; it names the relay's lock among the database's advisory locks
BATCH = 500
POLL_S = 0.5
PAUSE_S = 2.0
SILENT_S = 20
"""Longer than the time after which a publication is given up (15 s)."""


@dataclass(slots=True, kw_only=True)
class IssueRelay:
    """Publishes until cancelled; of several replicas only the one with the lock works."""

    pool: Pool
    clock: Clock
    publisher: RecordPublisher
    failpoints: AlertsFailpoints
    line: Callable[[], Awaitable[str | None]]
    """Returns the line to publish on, None while no broker answers."""
    topic: str
    _unsure: set[UUID] = field(default_factory=set, init=False)
    """Issues that were sent to Kafka and not marked as published."""

    async def run(self) -> None:
        """Try to take the lock, and publish while this replica has it."""
        while True:
            with tolerated(_log, "relay interrupted"):
                await self._take_turn()
            await asyncio.sleep(PAUSE_S)

    async def _take_turn(self) -> None:
        line = await self.line()
        if line is None:
            return
        try:
            async with acquire(self.pool) as connection:
                await self._serve(connection, line)
        except PublishError as error:
            _log.warning("issues not published", reason=error.reason)

    async def _serve(self, connection: Connection, line: str) -> None:
        if self._unsure:
            await feed_store.requeue_latest(connection, self._unsure)
            self._unsure.clear()
        if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):
            return
        await connection.execute(f"SET idle_session_timeout = '{SILENT_S}s'")
        try:
            again = await feed_store.requeue_for_line(connection, line)
            if again:
                _log.info("issues queued for a new line", count=again)
            while True:
                if not await self.publish(connection, line):
                    await asyncio.sleep(POLL_S)
        finally:
            if not connection.is_closed():
                await connection.execute("SELECT pg_advisory_unlock($1)", LOCK)
                await connection.execute("RESET idle_session_timeout")

    async def publish(self, connection: Connection, line: str) -> int:
        """Publish one batch of unpublished changes and return how many it had."""
        rows = await feed_store.unpublished(connection, BATCH)
        check_writable(connection)
        if not rows:
            return 0
        issues = [issue_v1.decode(row.value) for row in rows]
        self._unsure |= {row.issue_id for row in rows}
        await self.publisher.publish(
            [
                ProducerRecord(
                    topic=self.topic,
                    key=issue.id.encode(),
                    value=row.value,
                    headers=issue_v1.headers(issue),
                )
                for row, issue in zip(rows, issues, strict=True)
            ]
        )
        await self.failpoints.reached(AlertsFailpoint.ISSUES_PUBLISHED)
        await feed_store.mark_published(connection, [row.id for row in rows], line, self.clock.now())
        self._unsure.clear()
        return len(rows)
