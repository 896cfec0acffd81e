"""Compares the graph of paths with the touchpoints, in one snapshot, and repairs it while workers go on."""

from services.journey.store import path_rows
from services.journey.store.path_rows import PathDifferences
from services.runtime.postgres.pools import Connection


async def check_paths(connection: Connection, *, repair: bool) -> PathDifferences:
    """Return what differed, outside any transaction of the caller's; with `repair`, what differed before it.

    Every touchpoint is read once, in one statement without a time limit.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=not repair):
        await connection.execute("SET LOCAL statement_timeout = 0")
        found = await path_rows.differences(connection)
        if repair and found.differing:
            await path_rows.mend(connection)
        return found
