"""What the operator's command does with this service's tables: its role keys, its dead letters, and how it fares."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.alerts.live import feed_store
from services.alerts.notify.reachability import ReachabilityReport, report_reachability
from services.alerts.notify.reachability_store import load_survey
from services.alerts.outbreaks.outbreak_list import ListedOutbreak, list_outbreaks
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
class OutbreakCount:
    """An outbreak in numbers; `held` counts the issues of customers that were told of with it and not one by one."""

    en: str
    ko: str
    customers: int
    frictions: int
    held: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsCounts:
    """How many issues there are, how many deliveries were made, and what people did.

    `told` counts notifications by reason; `came_back` resolutions after which the customer came back.
    """

    issues: int
    delivered: int
    acknowledged: int
    resolved: int
    came_back: int
    told: Mapping[str, int]
    outbreaks: Sequence[OutbreakCount]


async def count_all(connection: Connection) -> AlertsCounts:
    """Count what the service wrote; it looks at every row."""
    told = await connection.fetch(
        "SELECT reason, count(*) AS n FROM alerts.notifications GROUP BY reason ORDER BY 2 DESC"
    )
    [done] = await connection.fetch(
        """
        SELECT count(DISTINCT issue_id) FILTER (WHERE kind = 'acknowledged') AS acknowledged,
               count(DISTINCT issue_id) FILTER (WHERE kind = 'resolved' AND actor <> 'waymark') AS resolved
          FROM alerts.issue_events
        """
    )
    return AlertsCounts(
        issues=await connection.fetchval("SELECT count(*) FROM alerts.issues WHERE customer_id <> ''"),
        delivered=await connection.fetchval("SELECT count(*) FROM alerts.deliveries WHERE state = 'delivered'"),
        acknowledged=done["acknowledged"],
        resolved=done["resolved"],
        came_back=await connection.fetchval("SELECT count(*) FROM alerts.watches WHERE state = 'recontacted'"),
        told={row["reason"]: row["n"] for row in told},
        outbreaks=[await _counted(connection, one) for one in await list_outbreaks(connection, running=None, limit=20)],
    )


async def _counted(connection: Connection, listed: ListedOutbreak) -> OutbreakCount:
    facts, title = listed.issue.outbreak, listed.issue.title
    ever = "SELECT count(*) FROM alerts.issues WHERE held_by = $1"
    return OutbreakCount(
        en=title.en,
        ko=title.ko,
        customers=facts.customers if facts else 0,
        frictions=facts.frictions if facts else 0,
        held=await connection.fetchval(ever, str(listed.issue.id)),
    )
