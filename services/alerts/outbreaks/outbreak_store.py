"""Outbreaks and the counts of frictions as the database keeps them.

Locks come after those on issues: rows of counts, then keys (sorted), then the fingerprint and the issue of an outbreak.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.alerts.issues.contract import read_friction
from services.alerts.issues.model import ReportedFriction
from services.alerts.outbreaks.detection import DAYS_COMPARED, WINDOW, KnownRate
from services.runtime.postgres.pools import Connection, columns

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOutbreak:
    """An outbreak that is not over."""

    id: UUID
    key: str
    started_at: datetime
    opened_at: datetime
    usual: float
    opened_by: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OutbreakCounts:
    """Exact counts of an outbreak; `segments` are the most frequent values by field, `lately` those of a moment ago."""

    frictions: int
    customers: int
    severities: Mapping[str, int]
    segments: Mapping[str, Mapping[str, int]]
    lately: int
    last_minute: datetime | None


async def count(
    connection: Connection, counts: Mapping[tuple[str, datetime], int], held: Mapping[tuple[str, datetime], int]
) -> None:
    """Add to the counts of keys in minutes; `held` says how many of these are not usual."""
    rows = sorted((key, minute, n, held.get((key, minute), 0)) for (key, minute), n in counts.items())
    await connection.execute(
        """
        INSERT INTO alerts.friction_counts AS c (key, minute, n, held)
        SELECT key, minute, n, held FROM unnest($1::text[], $2::timestamptz[], $3::int[], $4::int[])
               WITH ORDINALITY AS g (key, minute, n, held, place) ORDER BY place
        ON CONFLICT (key, minute) DO UPDATE SET n = c.n + excluded.n, held = c.held + excluded.held
        """,
        *columns(rows),
    )


async def open_outbreaks(connection: Connection, keys: Iterable[str]) -> dict[str, OpenOutbreak]:
    """Return the open outbreaks of these keys."""
    rows = await connection.fetch(f"{_SELECT} WHERE key = ANY($1) AND over_at IS NULL", list(keys))
    return {row["key"]: OpenOutbreak(**row) for row in rows}


_SELECT = "SELECT outbreak_id AS id, key, started_at, opened_at, usual, opened_by FROM alerts.outbreaks"


async def all_open(connection: Connection) -> list[OpenOutbreak]:
    """Return every open outbreak, the oldest first."""
    rows = await connection.fetch(f"{_SELECT} WHERE over_at IS NULL ORDER BY opened_at")
    return [OpenOutbreak(**row) for row in rows]


async def largest_windows(
    connection: Connection, places: Iterable[tuple[str, datetime]]
) -> dict[str, tuple[int, datetime]]:
    """Return the largest count of each key in a window that ends at one of its given minutes, and that minute."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT ON (p.key) p.key, p.minute, w.n
          FROM unnest($1::text[], $2::timestamptz[]) AS p (key, minute)
         CROSS JOIN LATERAL (
               SELECT coalesce(sum(c.n), 0)::int AS n FROM alerts.friction_counts c
                WHERE c.key = p.key AND c.minute > p.minute - $3::interval AND c.minute <= p.minute) w
         ORDER BY p.key, w.n DESC, p.minute
        """,
        *columns(places),
        WINDOW,
    )
    return {row["key"]: (row["n"], row["minute"]) for row in rows}


async def lock_keys(connection: Connection, keys: Iterable[str]) -> None:
    """Lock the rows of keys, in their order, and insert missing ones."""
    ordered = sorted(keys)
    await connection.execute(
        "INSERT INTO alerts.outbreak_keys (key) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING", ordered
    )
    await connection.fetch("SELECT FROM alerts.outbreak_keys WHERE key = ANY($1) ORDER BY key FOR UPDATE", ordered)


async def known_since(connection: Connection) -> datetime | None:
    """Return the first minute of which anything is known."""
    found: datetime | None = await connection.fetchval("SELECT min(minute) FROM alerts.friction_counts")
    return found


async def known_rate(connection: Connection, key: str, window_end: datetime, since: datetime) -> KnownRate:
    """Return what is known of a key before the window that ends with the minute `window_end`; known `since`."""
    hour = window_end.replace(minute=0, second=0, microsecond=0)
    days = min((hour - since) // timedelta(days=1), DAYS_COMPARED)
    hours = [hour - timedelta(days=back) for back in range(days, 0, -1)]
    rows = await connection.fetch(
        """
        SELECT h.hour, coalesce(sum(c.n - c.held), 0)::int AS n
          FROM unnest($2::timestamptz[]) AS h (hour)
          LEFT JOIN alerts.friction_counts c
            ON c.key = $1 AND c.minute >= h.hour AND c.minute < h.hour + interval '1 hour'
         GROUP BY h.hour ORDER BY h.hour
        """,
        *(key, hours),
    )
    counts = {row["hour"]: row["n"] for row in rows}
    begin = window_end - WINDOW + _MINUTE
    so_far = await connection.fetchval(
        "SELECT coalesce(sum(n - held), 0)::int FROM alerts.friction_counts WHERE key = $1 AND minute < $2", key, begin
    )
    return KnownRate(
        same_hour=[counts[one] for one in hours],
        same_weekday=[counts[one] for one in hours if (hour - one).days % 7 == 0],
        so_far=so_far,
        so_far_minutes=max((begin - since) // _MINUTE, 0),
    )


async def open_outbreak(connection: Connection, outbreak: OpenOutbreak) -> None:
    """Write an outbreak that opens."""
    await connection.execute(
        """
        INSERT INTO alerts.outbreaks (outbreak_id, key, started_at, opened_at, usual, opened_by)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        *(outbreak.id, outbreak.key, outbreak.started_at, outbreak.opened_at, outbreak.usual, outbreak.opened_by),
    )


async def end_outbreak(connection: Connection, outbreak: OpenOutbreak, now: datetime) -> None:
    """Write that an outbreak is over."""
    await connection.execute(
        "UPDATE alerts.outbreaks SET over_at = $2 WHERE outbreak_id = $1 AND over_at IS NULL", outbreak.id, now
    )


async def add_frictions(
    connection: Connection, belonging: Sequence[tuple[UUID, ReportedFriction]], now: datetime
) -> None:
    """Write which frictions belong to which outbreak."""
    if not belonging:
        return
    await connection.execute(
        """
        INSERT INTO alerts.outbreak_frictions (
            outbreak_id, friction_id, customer_id, channel, queue, product, service_level, severity, minute, counted_at)
        SELECT g.*, $10 FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                                    $8::text[], $9::timestamptz[]) AS g
        ON CONFLICT DO NOTHING
        """,
        *columns(
            (id_, f.id, f.customer_id, f.channel, f.queue, f.product, f.service_level, f.severity, minute_of(f))
            for id_, f in belonging
        ),
        now,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedBefore:
    """A friction that happened in the time of an outbreak, its issue, and whether that is open and not held."""

    friction: ReportedFriction
    issue_id: UUID
    loose: bool


async def frictions_since(connection: Connection, rule: str, since: datetime) -> list[PlacedBefore]:
    """Return the standing, loud frictions of a rule that happened since."""
    rows = await connection.fetch(
        """
        SELECT f.issue_id, f.document, i.held_by IS NULL AND i.state <> 'resolved' AS loose
          FROM alerts.issues i JOIN alerts.frictions f USING (issue_id)
         WHERE i.last_at >= $2 AND $1 = ANY(i.rules) AND f.state = 'detected'
        """,
        *(rule, since),
    )
    found = [
        PlacedBefore(
            friction=read_friction(row["document"].encode()), issue_id=row["issue_id"], loose=bool(row["loose"])
        )
        for row in rows
    ]
    return [
        one
        for one in found
        if one.friction.rule == rule and not one.friction.quiet and one.friction.occurred_at >= since
    ]


async def remove_frictions(connection: Connection, friction_ids: Sequence[str]) -> None:
    """Take frictions that were retracted out of the counts of their outbreaks."""
    await connection.execute("DELETE FROM alerts.outbreak_frictions WHERE friction_id = ANY($1)", list(friction_ids))


def minute_of(friction: ReportedFriction) -> datetime:
    """Return the minute in which a friction happened."""
    return friction.occurred_at.replace(second=0, microsecond=0)


_SEGMENTS = ("channel", "queue", "product", "service_level")
SEGMENTS_SHOWN = 5


async def counts_of(connection: Connection, outbreak_id: UUID, *, lately_since: datetime) -> OutbreakCounts:
    """Count an outbreak exactly; `lately_since` is when the moment ago began."""
    [total] = await connection.fetch(
        """
        SELECT count(*) AS frictions, count(DISTINCT customer_id) AS customers, max(minute) AS last_minute,
               count(*) FILTER (WHERE counted_at > $2) AS lately
          FROM alerts.outbreak_frictions WHERE outbreak_id = $1
        """,
        *(outbreak_id, lately_since),
    )
    rows = await connection.fetch(
        """
        SELECT s.field, s.value, count(*)::int AS n
          FROM alerts.outbreak_frictions f
         CROSS JOIN LATERAL (VALUES ('channel', channel), ('queue', queue), ('product', product),
                                    ('service_level', service_level), ('severity', severity)) AS s (field, value)
         WHERE f.outbreak_id = $1 AND s.value IS NOT NULL
         GROUP BY s.field, s.value ORDER BY s.field, n DESC, s.value
        """,
        outbreak_id,
    )
    segments = {
        field: {row["value"]: row["n"] for row in [r for r in rows if r["field"] == field][:SEGMENTS_SHOWN]}
        for field in _SEGMENTS
    }
    return OutbreakCounts(
        frictions=total["frictions"],
        customers=total["customers"],
        severities={row["value"]: row["n"] for row in rows if row["field"] == "severity"},
        segments={field: values for field, values in segments.items() if values},
        lately=total["lately"],
        last_minute=total["last_minute"],
    )


async def held_issues(connection: Connection, limit: int) -> list[UUID]:
    """Return open issues that an outbreak holds which is over."""
    rows = await connection.fetch(
        """
        SELECT i.issue_id FROM alerts.issues i
         WHERE i.held_by IS NOT NULL AND i.state <> 'resolved'
           AND NOT EXISTS (SELECT FROM alerts.outbreaks o WHERE o.outbreak_id::text = i.held_by AND o.over_at IS NULL)
         ORDER BY i.issue_id LIMIT $1
        """,
        limit,
    )
    return [row["issue_id"] for row in rows]
