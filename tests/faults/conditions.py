"""When a run is over: everything applied, nothing pending, nothing unsaid. Waits with a deadline.

Asked of the database and the broker, never of the processes under fault.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import asyncpg

from tests.faults.log_reading import LogReader

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

POLL_S = 0.25


class UnsettledError(AssertionError):
    """The deadline passed; the text says what was still missing."""


async def settled(database: str, bootstrap: str, *, within_s: float) -> None:
    """Wait until both services have done all there is to do.

    Raises:
        UnsettledError: they had not within `within_s` seconds.
    """
    connection = await asyncpg.connect(database)
    try:
        async with LogReader(bootstrap, "touchpoints") as touchpoints, LogReader(bootstrap, "frictions") as frictions:
            await until(lambda: _missing(connection, touchpoints, frictions), within_s=within_s)
    finally:
        await connection.close()


async def until(missing: Callable[[], Awaitable[list[str]]], *, within_s: float) -> None:
    """Ask what is missing until nothing is."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_s
    while left := await missing():
        if loop.time() > deadline:
            raise UnsettledError(f"after {within_s:.0f} s: {'; '.join(left)}")
        await asyncio.sleep(POLL_S)


async def _missing(connection: Connection, touchpoints: LogReader, frictions: LogReader) -> list[str]:
    """What is still to be done; each stage only once the one before is through, since it can make work for the next."""
    behind = await _behind(connection, _JOURNEY_PROGRESS, touchpoints)
    if behind:
        return [f"{behind} touchpoints not applied"]
    for what, statement in _LEFT.items():
        if count := await connection.fetchval(statement):
            return [f"{count} {what}"]
    behind = await _behind(connection, _ALERTS_PROGRESS, frictions)
    if behind:
        return [f"{behind} frictions not placed"]
    for what, statement in _LEFT_OF_ALERTS.items():
        if count := await connection.fetchval(statement):
            return [f"{count} {what}"]
    return []


_JOURNEY_PROGRESS = "SELECT partition, next_offset FROM journey.progress WHERE topic = 'touchpoints'"
_ALERTS_PROGRESS = "SELECT partition, next_offset FROM alerts.progress WHERE topic = 'frictions'"
_LEFT = {
    "timers pending": "SELECT count(*) FROM journey.timers WHERE state = 'pending'",
    "records not published": "SELECT count(*) FROM journey.outbox WHERE published_at IS NULL",
}

_LEFT_OF_ALERTS = {
    "webhooks not delivered": "SELECT count(*) FROM alerts.deliveries WHERE state = 'pending'",
    "issues not published": "SELECT count(*) FROM alerts.issue_outbox WHERE published_at IS NULL",
}


async def _behind(connection: Connection, statement: str, log: LogReader) -> int:
    """How many records of a topic a service has not applied."""
    applied = {row["partition"]: row["next_offset"] for row in await connection.fetch(statement)}
    return sum(max(0, end - applied.get(partition, 0)) for partition, end in (await log.ends()).items())
