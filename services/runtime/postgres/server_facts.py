"""What a database server says of itself: its version, whether it takes writes, and how far its clock is from ours."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from services.runtime.postgres.pools import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """`version` is 180001 for 18.1; `ahead_s` is how many seconds its clock is before ours."""

    version: int
    standby: bool
    read_only: bool
    ahead_s: float


async def read_facts(connection: Connection, now: Callable[[], datetime]) -> ServerFacts:
    """Ask the server; `now` is read before and after the question about its time."""
    [state] = await connection.fetch(
        """
        SELECT current_setting('server_version_num')::int AS version, pg_is_in_recovery() AS standby,
               current_setting('transaction_read_only') = 'on' AS read_only
        """
    )
    before = now()
    theirs: datetime = await connection.fetchval("SELECT clock_timestamp()")
    after = now()
    ahead_s = (theirs - before - (after - before) / 2).total_seconds()
    return ServerFacts(**dict(state), ahead_s=ahead_s)
