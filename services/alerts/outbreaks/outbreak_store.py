"""Outbreaks and the counts of frictions as the database keeps them.

Locks come after those on issues: rows of counts, then keys (sorted), then the fingerprint and the issue of an outbreak.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.alerts.issues.contract import read_friction
from services.alerts.issues.model import ReportedFriction
from services.alerts.outbreaks.detection import DAYS_COMPARED, WINDOW, KnownRate, MetOutbreak, key_of_text
from services.runtime.postgres.pools import Connection, columns

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOutbreak:
    """An outbreak that is not over, by one of its keys."""

    id: UUID
    key: str
    started_at: datetime
    opened_at: datetime
    usual: float
    opened_by: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OutbreakCounts:
    """Exact counts of an outbreak; `segments` are the most frequent values by field, `lately` those of a moment ago.

    `rules` and `lately_by_rule` are frictions by rule, `held` the open issues that it holds.
    """

    frictions: int
    customers: int
    rules: Mapping[str, int]
    lately_by_rule: Mapping[str, int]
    held: int
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


async def open_keys(connection: Connection, outbreak_id: UUID) -> list[OpenOutbreak]:
    """Return the keys under which an outbreak goes on, the one that it was opened by first."""
    rows = await connection.fetch(
        f"{_SELECT} WHERE outbreak_id = $1 AND over_at IS NULL ORDER BY opened_at, key", outbreak_id
    )
    return [OpenOutbreak(**row) for row in rows]


async def met_by(connection: Connection, customers: Iterable[str], *, over_since: datetime) -> list[MetOutbreak]:
    """Return the outbreaks that go on or were over since, and how many of these customers met each."""
    rows = await connection.fetch(
        """
        SELECT o.outbreak_id, o.keys, o.opened_at, (
               SELECT count(DISTINCT f.customer_id)::int FROM alerts.outbreak_frictions f
                WHERE f.outbreak_id = o.outbreak_id AND f.customer_id = ANY($1)) AS met
          FROM (SELECT outbreak_id, array_agg(DISTINCT key) AS keys, min(opened_at) AS opened_at
                  FROM alerts.outbreaks WHERE over_at IS NULL OR over_at >= $2 GROUP BY outbreak_id) AS o
        """,
        *(list(customers), over_since),
    )
    return [
        MetOutbreak(
            id=row["outbreak_id"],
            keys=tuple(key_of_text(text) for text in row["keys"]),
            opened_at=row["opened_at"],
            met=row["met"],
        )
        for row in rows
    ]


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


async def end_outbreak(connection: Connection, outbreak_id: UUID, now: datetime) -> None:
    """Write that an outbreak is over under all of its keys."""
    await connection.execute(
        "UPDATE alerts.outbreaks SET over_at = $2 WHERE outbreak_id = $1 AND over_at IS NULL", outbreak_id, now
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
            outbreak_id, friction_id, customer_id, channel, queue, product, service_level, severity, minute, rule,
            counted_at)
        SELECT g.*, $11 FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                                    $8::text[], $9::timestamptz[], $10::text[]) AS g
        ON CONFLICT DO NOTHING
        """,
        *columns(
            (id_, f.id, f.customer_id, f.channel, f.queue, f.product, f.service_level, f.severity, minute_of(f), f.rule)
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


async def counts_of(
    connection: Connection, outbreak_id: UUID, first_rule: str, *, lately_since: datetime
) -> OutbreakCounts:
    """Count an outbreak exactly; `lately_since` is when the moment ago began.

    Frictions that the release before wrote are of `first_rule`.
    """
    [total] = await connection.fetch(
        """
        SELECT count(*) AS frictions, count(DISTINCT customer_id) AS customers, max(minute) AS last_minute,
               count(*) FILTER (WHERE counted_at > $2) AS lately, (
               SELECT count(*) FROM alerts.issues
                WHERE held_by = $1::uuid::text AND state <> 'resolved') AS held
          FROM alerts.outbreak_frictions WHERE outbreak_id = $1::uuid
        """,
        *(outbreak_id, lately_since),
    )
    by_rule = await connection.fetch(
        """
        SELECT coalesce(rule, $3) AS rule, count(*)::int AS n, (count(*) FILTER (WHERE counted_at > $2))::int AS lately
          FROM alerts.outbreak_frictions WHERE outbreak_id = $1 GROUP BY 1 ORDER BY n DESC, 1
        """,
        *(outbreak_id, lately_since, first_rule),
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
        rules={row["rule"]: row["n"] for row in by_rule},
        lately_by_rule={row["rule"]: row["lately"] for row in by_rule},
        held=total["held"],
        severities={row["value"]: row["n"] for row in rows if row["field"] == "severity"},
        segments={field: values for field, values in segments.items() if values},
        lately=total["lately"],
        last_minute=total["last_minute"],
    )


async def over_with_issues(connection: Connection) -> list[str]:
    """Return the ids of outbreaks that are over and still hold open issues."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT i.held_by FROM alerts.issues i
         WHERE i.held_by IS NOT NULL AND i.state <> 'resolved'
           AND NOT EXISTS (SELECT FROM alerts.outbreaks o WHERE o.outbreak_id::text = i.held_by AND o.over_at IS NULL)
         ORDER BY i.held_by
        """
    )
    return [row["held_by"] for row in rows]


async def take_turn(connection: Connection, outbreak_id: str, now: datetime, every: timedelta) -> bool:
    """Return whether it is the caller's turn to hand out issues of an outbreak; nobody's else for `every` then."""
    taken: bool = await connection.fetchval(
        """
        WITH taken AS (
            UPDATE alerts.outbreaks SET handed_out_at = $2
             WHERE outbreak_id = $1::text::uuid
               AND coalesce(handed_out_at, '-infinity') <= $2::timestamptz - $3::interval
            RETURNING 1)
        SELECT EXISTS (SELECT FROM taken)
            OR NOT EXISTS (SELECT FROM alerts.outbreaks WHERE outbreak_id = $1::text::uuid)
        """,
        *(outbreak_id, now, every),
    )
    return taken


async def held_issues(connection: Connection, outbreak_id: str, limit: int) -> list[UUID]:
    """Return open issues that an outbreak holds, the most urgent first."""
    rows = await connection.fetch(
        """
        SELECT issue_id FROM alerts.issues WHERE held_by = $1 AND state <> 'resolved'
         ORDER BY priority DESC, last_at DESC, issue_id LIMIT $2
        """,
        *(outbreak_id, limit),
    )
    return [row["issue_id"] for row in rows]
