"""Counts what became of resolutions: by team, rule, outcome or gesture, how many customers came back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from services.alerts.loop.watch_store import read_watch
from services.alerts.loop.watches import Watch
from services.runtime.postgres.pools import Connection


class RecontactGrouping(StrEnum):
    """What resolutions are counted by."""

    TEAM = "team"
    RULE = "rule"
    OUTCOME = "outcome"
    GESTURE = "gesture"


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchFilter:
    """Which watches; a member that is None does not restrict them. `until` is exclusive."""

    since: datetime | None = None
    until: datetime | None = None
    team: str | None = None
    rule: str | None = None
    outcome: str | None = None
    gesture: str | None = None
    state: str | None = None
    customer_id: str | None = None
    issue_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecontactCount:
    """How the resolutions of one team, rule, outcome or gesture turned out; `name` is None where there is none."""

    name: str | None
    held: int
    recontacted: int
    watching: int

    @property
    def decided(self) -> int:
        """The number of resolutions of which it is known whether the customer came back."""
        return self.held + self.recontacted


_FILTER = """
       ($1::timestamptz IS NULL OR w.resolved_at >= $1) AND ($2::timestamptz IS NULL OR w.resolved_at < $2)
   AND ($3::text IS NULL OR w.team = $3) AND ($4::text IS NULL OR $4 = ANY(w.rules))
   AND ($5::text IS NULL OR w.outcome = $5) AND ($6::text IS NULL OR w.gesture = $6)
   AND ($7::text IS NULL OR w.state = $7) AND ($8::text IS NULL OR w.customer_id = $8)
   AND ($9::uuid IS NULL OR w.issue_id = $9)
"""
_NAMES = {
    RecontactGrouping.TEAM: ("w.team", ""),
    RecontactGrouping.OUTCOME: ("w.outcome", ""),
    RecontactGrouping.GESTURE: ("w.gesture", ""),
    RecontactGrouping.RULE: ("r.rule", "LEFT JOIN LATERAL unnest(w.rules) AS r (rule) ON true"),
}


def _arguments(wanted: WatchFilter) -> tuple[object, ...]:
    return (
        *(wanted.since, wanted.until, wanted.team, wanted.rule, wanted.outcome, wanted.gesture, wanted.state),
        *(wanted.customer_id, wanted.issue_id),
    )


async def count_recontacts(connection: Connection, wanted: WatchFilter, by: RecontactGrouping) -> list[RecontactCount]:
    """Count by name; an issue with several rules counts for each. Watches without anything to watch are left out."""
    name, join = _NAMES[by]
    rows = await connection.fetch(
        f"""
        SELECT {name} AS name, count(*) FILTER (WHERE w.state = 'held') AS held,
               count(*) FILTER (WHERE w.state = 'recontacted') AS recontacted,
               count(*) FILTER (WHERE w.state = 'watching') AS watching
          FROM alerts.watches w {join}
         WHERE w.state <> 'void' AND {_FILTER} GROUP BY 1 ORDER BY count(*) DESC, 1
        """,  # noqa: S608  made of constants of ours alone
        *_arguments(wanted),
    )
    return [RecontactCount(**dict(row)) for row in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchPageStart:
    """The page begins behind the watch of this resolution."""

    at: datetime
    id: UUID


async def list_watches(
    connection: Connection, wanted: WatchFilter, start: WatchPageStart | None, limit: int
) -> tuple[list[Watch], WatchPageStart | None]:
    """Return watches, those of the latest resolutions first, and where the next page begins."""
    rows = await connection.fetch(
        f"""
        SELECT document FROM alerts.watches w
         WHERE {_FILTER} AND ($10::timestamptz IS NULL OR (w.resolved_at, w.watch_id) < ($10, $11::uuid))
         ORDER BY w.resolved_at DESC, w.watch_id DESC LIMIT $12
        """,  # noqa: S608  made of constants of ours alone
        *(*_arguments(wanted), start.at if start else None, start.id if start else None, limit + 1),
    )
    watches = [read_watch(row) for row in rows[:limit]]
    more = len(rows) > limit
    return watches, WatchPageStart(at=watches[-1].resolved_at, id=watches[-1].id) if more else None


async def watches_by_state(connection: Connection, since: datetime) -> dict[tuple[str, str], int]:
    """Count the watches of resolutions since a time, by outcome and state; for gauges."""
    rows: Sequence[object] = await connection.fetch(
        "SELECT outcome, state, count(*) AS n FROM alerts.watches WHERE resolved_at >= $1 GROUP BY 1, 2", since
    )
    return {(row["outcome"], row["state"]): row["n"] for row in rows}  # type: ignore[index]  # rows of the driver
