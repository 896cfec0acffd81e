"""Deliveries as the database keeps them: leased when they are due, with results that are written under a fence.

For each endpoint, deliveries are leased up to its limit of concurrent requests: urgent ones (of critical issues)
first, and of one issue only the oldest that is not delivered, so that the messages about an issue arrive in order.
Endpoints with the fewest deliveries in flight come first, and none may hold more places than remain free, so slow
endpoints always leave room for the others. An endpoint with a rate gets no more than its rate allows, counted by all
replicas together (the generic cell rate algorithm: `rate_full_at` moves on with each delivery). While the breaker of
an endpoint is open, nothing is leased for it; afterwards one probe at a time is. The meaning of an answer is left to
`retry`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.alerts.deliver.retry import BREAKER_OPENS_AFTER
from services.runtime.postgres.pools import Connection, Row, columns

WAKE = "alerts_deliveries"
"""LISTEN channel: a delivery is due. A message can be lost, so the dispatcher also polls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasedDelivery:
    """A delivery that belongs to this process until its lease ends; `attempt` is the fence of its result."""

    id: str
    endpoint_id: UUID
    issue_id: UUID | None
    url: str
    kind: str
    attempt: int
    step: int
    body: bytes
    type: str
    created_at: datetime
    revised_at: datetime | None
    lease_until: datetime
    trace: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryResult:
    """The result of an attempt: delivered, pending until `next_at` on `step`, or exhausted."""

    delivery_id: str
    attempt: int
    at: datetime
    state: str
    step: int
    next_at: datetime
    outcome: str
    reason: str
    status: int | None
    seconds: float
    excerpt: str


def delivery_id(number: UUID) -> str:
    """Return the `webhook-id` for a new UUID; it must not contain a full stop."""
    return f"msg_{number.hex}"


async def wake(connection: Connection) -> None:
    """Wake every dispatcher as soon as this transaction is committed."""
    await connection.execute("SELECT pg_notify($1, '')", WAKE)


# The ORDER BY makes the index `deliveries_line` the only cheap plan. Written as NOT EXISTS, it became a join over
# all pending deliveries of the endpoint whenever a burst of issues came before new statistics did (measured).
FIRST_OF_ITS_ISSUE = """(d.issue_id IS NULL OR d.sequence = (
           SELECT p.sequence FROM alerts.deliveries p
            WHERE p.endpoint_id = d.endpoint_id AND p.issue_id = d.issue_id AND p.state = 'pending'
            ORDER BY p.endpoint_id, p.issue_id, p.sequence LIMIT 1))"""
"""Whether no older message about its issue waits for the endpoint of a pending delivery `d`."""

RATE_BURST = 10
"""A burst may have a tenth of a minute's deliveries, and one at least."""

_HEADS = f"""
    SELECT d.delivery_id FROM alerts.deliveries d
     WHERE d.endpoint_id = e.endpoint_id AND d.state = 'pending' AND d.next_at <= $1 AND {{which}}
       AND (d.lease_until IS NULL OR d.lease_until <= $1)
       AND {FIRST_OF_ITS_ISSUE}
     ORDER BY d.next_at
     LIMIT room.places
       FOR UPDATE SKIP LOCKED
"""  # noqa: S608  made of the constant above alone


_LEASE = f"""
WITH rated AS MATERIALIZED (
    SELECT endpoint_id, floor(
               greatest(1, ceil(rate_per_minute::float8 / {RATE_BURST}))
               - greatest(0, extract(epoch FROM coalesce(rate_full_at, $1) - $1)) * rate_per_minute / 60.0
           )::int AS allowed
      FROM alerts.endpoints e
     WHERE rate_per_minute IS NOT NULL AND enabled AND deleted_at IS NULL
       AND EXISTS (SELECT FROM alerts.deliveries d
                    WHERE d.endpoint_id = e.endpoint_id AND d.state = 'pending' AND d.next_at <= $1)
       FOR UPDATE SKIP LOCKED
), heads AS (
    SELECT head.delivery_id, e.endpoint_id, e.url, e.kind, busy.flying + head.place AS held,
           row_number() OVER (ORDER BY busy.flying + head.place) AS turn
      FROM alerts.endpoints e
     CROSS JOIN LATERAL (
            SELECT count(*) AS flying FROM alerts.deliveries f
             WHERE f.endpoint_id = e.endpoint_id AND f.state = 'pending' AND f.lease_until IS NOT NULL
               AND f.lease_until > $1
           ) busy
      LEFT JOIN rated ON rated.endpoint_id = e.endpoint_id
     CROSS JOIN LATERAL (
            SELECT greatest(0, least(
                       (CASE WHEN e.consecutive_failures >= $5 THEN 1 ELSE e.max_in_flight END) - busy.flying,
                       CASE WHEN e.rate_per_minute IS NULL THEN e.max_in_flight ELSE coalesce(rated.allowed, 0) END
                   )) AS places
           ) room
     CROSS JOIN LATERAL (
            SELECT delivery_id, row_number() OVER () AS place FROM (
                SELECT urgent.delivery_id FROM ({_HEADS.format(which="d.urgent")}) urgent
                 UNION ALL
                SELECT other.delivery_id FROM ({_HEADS.format(which="NOT d.urgent")}) other
                 LIMIT room.places
                ) both_sorts
           ) head
     WHERE e.enabled AND e.deleted_at IS NULL AND (e.paused_until IS NULL OR e.paused_until <= $1)
), taken AS (
    SELECT delivery_id, endpoint_id, url, kind FROM heads WHERE held <= $2 - turn + 1
), paid AS (
    UPDATE alerts.endpoints e
       SET rate_full_at = greatest(coalesce(e.rate_full_at, $1), $1)
                          + used.number * interval '60 seconds' / e.rate_per_minute
      FROM (SELECT t.endpoint_id, count(*) AS number FROM taken t JOIN rated r USING (endpoint_id) GROUP BY 1) used
     WHERE e.endpoint_id = used.endpoint_id
)
UPDATE alerts.deliveries d
   SET lease_until = $1::timestamptz + $3::interval, lease_owner = $4, attempt = d.attempt + 1
  FROM taken, alerts.notifications n
 WHERE d.delivery_id = taken.delivery_id AND n.notification_id = d.notification_id
RETURNING d.delivery_id, d.endpoint_id, d.issue_id, taken.url, taken.kind, d.attempt, d.step, n.body, n.type,
          d.created_at, coalesce(n.revised_at, n.detected_at) AS revised_at, d.lease_until,
          n.traceparent
"""  # noqa: S608  made of the constant above alone


async def lease_due(
    connection: Connection, *, owner: str, limit: int, now: datetime, lease: timedelta
) -> list[LeasedDelivery]:
    """Lease up to `limit` deliveries that are due."""
    rows = await connection.fetch(_LEASE, *(now, limit, lease, owner, BREAKER_OPENS_AFTER))
    return [_leased(row) for row in rows]


def _leased(row: Row) -> LeasedDelivery:
    return LeasedDelivery(
        id=row["delivery_id"],
        endpoint_id=row["endpoint_id"],
        issue_id=row["issue_id"],
        url=row["url"],
        kind=row["kind"],
        attempt=row["attempt"],
        step=row["step"],
        body=row["body"],
        type=row["type"],
        created_at=row["created_at"],
        revised_at=row["revised_at"],
        lease_until=row["lease_until"],
        trace=row["traceparent"],
    )


async def write_results(connection: Connection, results: Sequence[DeliveryResult]) -> set[str]:
    """Write the results of attempts and return the ids of the deliveries whose result counts.

    A result does not count if the lease had passed to another process: the result of that process does.
    """
    rows = await connection.fetch(
        """
        WITH given AS MATERIALIZED (
            SELECT * FROM unnest($1::text[], $2::int[], $3::timestamptz[], $4::text[], $5::int[], $6::timestamptz[],
                                 $7::text[], $8::text[], $9::int[], $10::float8[], $11::text[])
                AS g (delivery_id, attempt, at, state, step, next_at, outcome, reason, status, seconds, excerpt)
        ), tried AS (
            INSERT INTO alerts.attempts (delivery_id, attempt, at, outcome, reason, status, seconds, excerpt)
            SELECT delivery_id, attempt, at, outcome, reason, status, seconds, excerpt FROM given
                ON CONFLICT DO NOTHING
        )
        UPDATE alerts.deliveries d
           SET state = g.state, step = g.step, next_at = g.next_at, lease_until = NULL, lease_owner = NULL,
               delivered_at = CASE WHEN g.state = 'delivered' THEN g.at END
          FROM given g
         WHERE d.delivery_id = g.delivery_id AND d.attempt = g.attempt AND d.state = 'pending'
     RETURNING d.delivery_id
        """,
        *columns(
            (
                *(r.delivery_id, r.attempt, r.at, r.state, r.step, r.next_at),
                *(r.outcome, r.reason, r.status, r.seconds, r.excerpt),
            )
            for r in sorted(results, key=lambda r: r.delivery_id)
        ),
    )
    return {row["delivery_id"] for row in rows}


async def release_dead(connection: Connection, owner: str) -> int:
    """End the leases of other processes that show no sign of life (see `wakeups`) and return how many ended."""
    status = await connection.execute(
        """
        WITH others AS MATERIALIZED (
            SELECT DISTINCT lease_owner FROM alerts.deliveries
             WHERE state = 'pending' AND lease_until IS NOT NULL AND lease_owner <> $1
        ), dead AS MATERIALIZED (
            SELECT lease_owner FROM others WHERE pg_try_advisory_xact_lock(hashtextextended(lease_owner, 0))
        )
        UPDATE alerts.deliveries d SET lease_until = NULL, lease_owner = NULL
          FROM dead WHERE d.lease_owner = dead.lease_owner AND d.state = 'pending'
        """,
        owner,
    )
    return int(status.rpartition(" ")[2])


async def supersede_older(connection: Connection, newer: Sequence[tuple[UUID, UUID, int, str]], now: datetime) -> None:
    """Mark what waits for endpoints that coalesce as superseded by newer messages about the same issues.

    `newer` are endpoint, issue, sequence and webhook-id. What is under way just now is left alone.
    """
    if newer:
        await connection.execute(
            """
            UPDATE alerts.deliveries d SET state = 'superseded', superseded_by = n.delivery_id
              FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[])
                   AS n (endpoint_id, issue_id, sequence, delivery_id)
              JOIN alerts.endpoints e ON e.endpoint_id = n.endpoint_id AND e.coalesces
             WHERE d.endpoint_id = n.endpoint_id AND d.issue_id = n.issue_id AND d.sequence < n.sequence
               AND d.state = 'pending' AND (d.lease_until IS NULL OR d.lease_until <= $5)
            """,
            *(*columns(newer), now),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayRange:
    """Which deliveries of an endpoint are sent again; members that are None or empty leave nothing out."""

    endpoint_id: UUID
    states: tuple[str, ...]
    since: datetime | None = None
    until: datetime | None = None
    issue_id: UUID | None = None
    types: tuple[str, ...] = ()


_IN_RANGE = """
    FROM alerts.deliveries d JOIN alerts.notifications n USING (notification_id)
   WHERE d.endpoint_id = $1 AND d.state = ANY($2) AND ($3::timestamptz IS NULL OR d.created_at >= $3)
     AND ($4::timestamptz IS NULL OR d.created_at < $4) AND ($5::uuid IS NULL OR d.issue_id = $5)
     AND ($6::text[] = '{}' OR n.type = ANY($6))
"""


def _arguments(wanted: ReplayRange) -> tuple[object, ...]:
    types = list(wanted.types)
    return (wanted.endpoint_id, list(wanted.states), wanted.since, wanted.until, wanted.issue_id, types)


async def count_range(connection: Connection, wanted: ReplayRange) -> int:
    """Count the deliveries in a range."""
    return int(await connection.fetchval(f"SELECT count(*) {_IN_RANGE}", *_arguments(wanted)))


async def replay_range(connection: Connection, wanted: ReplayRange, now: datetime, limit: int) -> int:
    """Make up to `limit` deliveries of a range due again under their old ids, the oldest first; return how many."""
    status = await connection.execute(
        f"""
        UPDATE alerts.deliveries
           SET state = 'pending', step = 0, next_at = $7, delivered_at = NULL, superseded_by = NULL
         WHERE delivery_id IN (SELECT d.delivery_id {_IN_RANGE} ORDER BY d.created_at, d.delivery_id LIMIT $8
                                  FOR UPDATE OF d SKIP LOCKED)
        """,  # noqa: S608  made of a constant of ours alone
        *(*_arguments(wanted), now, limit),
    )
    return int(status.rpartition(" ")[2])


async def replay(connection: Connection, webhook_id: str, now: datetime) -> bool:
    """Make a delivery due again under its old id; return false if there is none or it is leased."""
    status = await connection.execute(
        """
        UPDATE alerts.deliveries
           SET state = 'pending', step = 0, next_at = $2, delivered_at = NULL, superseded_by = NULL
         WHERE delivery_id = $1 AND (lease_until IS NULL OR lease_until <= $2)
        """,
        *(webhook_id, now),
    )
    return status == "UPDATE 1"


async def add_operational(
    connection: Connection, *, type_: str, reason: str, body: bytes, ids: Mapping[UUID, str], now: datetime
) -> None:
    """Write a message about the service itself for some endpoints; `ids` maps endpoints to webhook-ids."""
    notification_id: UUID = await connection.fetchval(
        """
        INSERT INTO alerts.notifications (notification_id, sequence, type, reason, body, created_at)
        VALUES (gen_random_uuid(), 0, $1, $2, $3, $4) RETURNING notification_id
        """,
        *(type_, reason, body, now),
    )
    await connection.executemany(
        """
        INSERT INTO alerts.deliveries (
            delivery_id, notification_id, endpoint_id, sequence, state, next_at, created_at)
        VALUES ($1, $2, $3, 0, 'pending', $4, $4)
        """,
        [(webhook_id, notification_id, endpoint_id, now) for endpoint_id, webhook_id in ids.items()],
    )
    await wake(connection)
