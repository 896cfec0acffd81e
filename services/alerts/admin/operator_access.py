"""What the operator's command does with this service's tables: its role keys, its dead letters, and how it fares."""

from dataclasses import dataclass
from datetime import datetime

from services.alerts.live import feed_store
from services.alerts.notify.reachability import ReachabilityReport, report_reachability
from services.alerts.notify.reachability_store import load_survey
from services.runtime.key_tables import RoleKeyTable
from services.runtime.log.letter_table import LetterTable
from services.runtime.postgres.pools import Connection

ROLE_KEYS = RoleKeyTable("alerts.api_keys")
LETTERS = LetterTable(schema="alerts", of_touchpoints=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsHealth:
    """What waits for somebody to look: letters, changes unpublished for longer than was asked, and who is told."""

    dead_letters: int
    unpublished: int
    oldest_unpublished_s: float
    reachability: ReachabilityReport


async def read_health(connection: Connection, now: datetime, *, longer_than_s: float) -> AlertsHealth:
    """Return how the service fares; changes count as unpublished after `longer_than_s` seconds."""
    unpublished, oldest_s = await feed_store.waiting(connection, longer_than_s=longer_than_s)
    return AlertsHealth(
        dead_letters=await LETTERS.count_waiting(connection),
        unpublished=unpublished,
        oldest_unpublished_s=oldest_s,
        reachability=report_reachability(await load_survey(connection), now=now),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsCounts:
    """How many issues there are, and how many deliveries were made."""

    issues: int
    delivered: int


async def count_all(connection: Connection) -> AlertsCounts:
    """Count what the service wrote; it looks at every row."""
    return AlertsCounts(
        issues=await connection.fetchval("SELECT count(*) FROM alerts.issues"),
        delivered=await connection.fetchval("SELECT count(*) FROM alerts.deliveries WHERE state = 'delivered'"),
    )
