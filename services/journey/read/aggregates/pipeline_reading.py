"""How far the worker has come, read from what it keeps with each batch: it need not be asked, so a dead one shows."""

from datetime import datetime
from typing import Final

from pydantic import Field

from services.journey.read.snapshots import snapshot
from services.journey.read.views import FrozenView, Instant
from services.runtime.postgres.pools import Pool

_PROGRESS: Final = """
WITH latest AS (SELECT line FROM journey.progress WHERE topic = 'touchpoints' ORDER BY claimed_at DESC LIMIT 1)
SELECT count(*) AS partitions, now() AS at, max(p.applied_append_time) AS applied_at,
       min(greatest(p.applied_append_time, p.caught_up_at)) AS complete_until,
       bool_and(greatest(p.applied_append_time, p.caught_up_at) IS NOT NULL) AS known
  FROM journey.progress p JOIN latest USING (line) WHERE p.topic = 'touchpoints'
"""
_OUTBOX: Final = "SELECT count(*) AS waiting, min(created_at) AS since FROM journey.outbox WHERE published_at IS NULL"
_LATEST_FRICTION: Final = "SELECT max(detected_at) FROM journey.frictions WHERE detected_at > now() - interval '7 days'"


class PipelineView(FrozenView):
    """How far everything that was accepted is applied, and what waits to be told on."""

    at: Instant = Field(description="Now, by the database.")
    partitions: int = Field(description="Partitions of `touchpoints` that a worker ever claimed; 0: none has run yet.")
    applied_at: Instant | None = Field(None, description="When the last applied touchpoint reached the broker.")
    complete_until: Instant | None = Field(
        None,
        description="Everything that reached the broker before is applied, in the partition that is furthest behind.",
    )
    waiting: int = Field(description="Frictions and journeys that are found and not yet published.")
    waiting_since: Instant | None = Field(None, description="Since when the oldest of them waits.")
    friction_at: Instant | None = Field(None, description="When the latest friction was found, in seven days.")


class PipelineReader:
    """Reads the state of the worker from one pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def pipeline(self) -> PipelineView:
        """Return how things stand now."""
        async with snapshot(self._pool) as connection:
            [row] = await connection.fetch(_PROGRESS)
            [outbox] = await connection.fetch(_OUTBOX)
            found: datetime | None = await connection.fetchval(_LATEST_FRICTION)
        return PipelineView(
            at=row["at"],
            partitions=row["partitions"],
            applied_at=row["applied_at"],
            complete_until=row["complete_until"] if row["known"] else None,
            waiting=outbox["waiting"],
            waiting_since=outbox["since"],
            friction_at=found,
        )
