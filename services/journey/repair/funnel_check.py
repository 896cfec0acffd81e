"""Compares the sums behind funnels with the stored journeys, in one snapshot, and repairs them while workers go on."""

from services.journey.domain.funnels import FunnelCounts
from services.journey.store import passages
from services.journey.store.rollups import funnel_rows
from services.journey.store.rollups.funnel_rows import FunnelDifferences
from services.runtime.postgres.pools import Connection


async def check_funnels(connection: Connection, *, repair: bool) -> FunnelDifferences:
    """Return what differed, outside any transaction of the caller's; with `repair`, what differed before it.

    Every defined journey is read once, without a time limit.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=not repair):
        await connection.execute("SET LOCAL statement_timeout = 0")
        counted, journeys = FunnelCounts(), 0
        async for passage in passages.every(connection):
            counted.add(passage)
            journeys += 1
        found = await funnel_rows.differences(connection, counted, journeys)
        if repair and (found.hours or found.coarse):
            await funnel_rows.mend(connection, found)
        return found
