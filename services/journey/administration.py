"""What the operator's command does with this service's tables: its role keys, its dead letters, and how it fares.

Who is who is compared with the ledger by `services.journey.repair`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from services.journey.consume import progress
from services.journey.outbox import outbox_rows
from services.journey.store import frictions, identity_ledger
from services.runtime.key_tables import RoleKeyTable
from services.runtime.log.letter_table import LetterTable
from services.runtime.log.progress import TopicLine
from services.runtime.postgres.pools import Connection

ROLE_KEYS = RoleKeyTable("journey.api_keys")
LETTERS = LetterTable(schema=progress.SCHEMA, of_touchpoints=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class JourneyHealth:
    """What waits for somebody to look: letters, rules that raise, records unpublished for longer than was asked.

    `shared_identifiers` were recognised as shared by many people.
    """

    dead_letters: int
    shared_identifiers: int
    failing_rules: int
    unpublished: int
    oldest_unpublished_s: float


async def read_health(connection: Connection, *, longer_than_s: float) -> JourneyHealth:
    """Return how the service fares; records count as unpublished after `longer_than_s` seconds."""
    unpublished, oldest_s = await outbox_rows.waiting(connection, longer_than_s=longer_than_s)
    return JourneyHealth(
        dead_letters=await LETTERS.count_waiting(connection),
        shared_identifiers=await identity_ledger.how_many(connection, "shared"),
        failing_rules=len(await frictions.failing_rules(connection)),
        unpublished=unpublished,
        oldest_unpublished_s=oldest_s,
    )


async def partition_ages(connection: Connection, line: TopicLine) -> dict[int, float | None]:
    """Return for how many seconds each partition has no recent mark; None for one that never had any."""
    marks = await progress.marks(connection, line)
    now = await progress.database_time(connection)
    ages: dict[int, float | None] = {}
    for mark in marks:
        known = [at for at in (mark.applied_append_time, mark.caught_up_at) if at is not None]
        ages[mark.partition] = (now - max(known)).total_seconds() if known else None
    return ages


@dataclass(frozen=True, slots=True, kw_only=True)
class JourneyCounts:
    """How much the tables hold: `troubled` customers have a detected friction, which `frictions` counts by rule."""

    customers: int
    touchpoints: int
    contacts: int
    troubled: int
    frictions: Mapping[str, int]


_COUNTS = """
SELECT (SELECT count(*) FROM journey.customers WHERE merged_into IS NULL) AS customers,
       (SELECT count(*) FROM journey.touchpoints) AS touchpoints,
       (SELECT coalesce(sum((payload ->> 'contact_count')::bigint), 0)::bigint FROM journey.journeys) AS contacts,
       (SELECT count(DISTINCT customer_id) FROM journey.frictions WHERE state = 'detected') AS troubled"""
_FRICTIONS = """
SELECT rule, count(*) AS frictions FROM journey.frictions WHERE state = 'detected' GROUP BY rule ORDER BY 2 DESC, 1"""


async def count_all(connection: Connection) -> JourneyCounts:
    """Count what the worker wrote; it looks at every row."""
    [row] = await connection.fetch(_COUNTS)
    rules = {found["rule"]: found["frictions"] for found in await connection.fetch(_FRICTIONS)}
    return JourneyCounts(**dict(row), frictions=rules)


async def check_tables(connection: Connection) -> None:
    """Ask for a table, so that a database without any is found out before the work begins."""
    await connection.execute("SELECT FROM journey.customers LIMIT 0")
