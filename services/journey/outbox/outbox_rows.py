"""The outbox: records to publish, written with the effects they tell of.

Whole customers are claimed at a time, so that the records of one customer leave in the order of their ids. Never read
by `id > last`: ids become visible out of order.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

import msgspec

from services.runtime.kafka.record import Headers, Record
from services.runtime.postgres.pools import Connection

_CLAIM_LOCK = 7_215_309  # any number that nothing else in this database uses


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingRecord:
    """A record to publish, and whose it is."""

    customer_id: UUID
    record: Record


_COLUMNS = ("topic", "key", "customer_id", "headers", "value")


async def add(connection: Connection, outgoing: Iterable[OutgoingRecord]) -> None:
    """Append records, in this order."""
    await connection.copy_records_to_table(
        "outbox", schema_name="journey", columns=_COLUMNS, records=map(_row, outgoing)
    )


def _row(one: OutgoingRecord) -> tuple[object, ...]:
    record = one.record
    return record.topic, record.key, one.customer_id, _headers_text(record.headers), record.value


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasedRecord:
    """A record that is ours to publish until the lease ends."""

    id: int
    record: Record


_LOOK_AT = 2_000
"""Of how many waiting records the customers to claim are picked, the oldest first."""

# Statistics from a quiet hour say that nothing waits; by them, all that waits may be compared with all who are claimed.
# Two conditions leave the planner no such choice: `id > 0` opens the index in the order of ids, which lookups by
# customer cannot use, and `OFFSET 0` keeps those lookups one for each customer.
_CLAIM = """
WITH waiting AS (
    SELECT customer_id, id FROM journey.outbox
     WHERE published_at IS NULL AND id > 0 AND (lease_until IS NULL OR lease_until < clock_timestamp())
     ORDER BY id LIMIT $3
), free AS (
    SELECT w.customer_id FROM waiting AS w GROUP BY w.customer_id
    HAVING NOT EXISTS (
        SELECT FROM journey.outbox AS o
         WHERE o.customer_id = w.customer_id AND o.published_at IS NULL AND o.lease_until >= clock_timestamp())
     ORDER BY min(w.id) LIMIT $1
)
UPDATE journey.outbox SET lease_until = clock_timestamp() + make_interval(secs => $2)
 WHERE published_at IS NULL AND id = ANY(ARRAY(
    SELECT theirs.id FROM free CROSS JOIN LATERAL (
        SELECT o.id FROM journey.outbox AS o
         WHERE o.customer_id = free.customer_id AND o.published_at IS NULL OFFSET 0) AS theirs))
RETURNING id, topic, key, headers, value"""


async def lease(connection: Connection, customers: int, lease_s: float) -> list[LeasedRecord]:
    """Lease what waits for up to `customers` customers, oldest first, in the order of the ids.

    Claims take turns (the statement after the lock sees what the others leased), publishing does not.
    """
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _CLAIM_LOCK)
    rows = await connection.fetch(_CLAIM, customers, lease_s, _LOOK_AT)
    return [
        LeasedRecord(
            id=row["id"],
            record=Record(topic=row["topic"], key=row["key"], value=row["value"], headers=_headers(row["headers"])),
        )
        for row in sorted(rows, key=lambda row: row["id"])
    ]


_MARK = """
UPDATE journey.outbox SET published_at = clock_timestamp(), published_line = $2, lease_until = NULL
 WHERE id = ANY($1::bigint[])"""


async def mark(connection: Connection, ids: Sequence[int], line: str) -> None:
    """Note that records are acknowledged on `line`; they are kept for the next one."""
    await connection.execute(_MARK, ids, line)


_DROP = "DELETE FROM journey.outbox WHERE id = ANY($1::bigint[])"


async def drop(connection: Connection, ids: Sequence[int]) -> None:
    """Take out records that are acknowledged and not needed any more."""
    await connection.execute(_DROP, ids)


_RELEASE = "UPDATE journey.outbox SET lease_until = NULL WHERE id = ANY($1::bigint[]) AND published_at IS NULL"


async def release(connection: Connection, ids: Sequence[int]) -> None:
    """Give leases back, so that the records are tried again soon."""
    await connection.execute(_RELEASE, ids)


_AGAIN = """
UPDATE journey.outbox SET published_at = NULL, published_line = NULL, lease_until = NULL
 WHERE published_line <> $1 AND id = ANY(
    ARRAY(SELECT id FROM journey.outbox WHERE published_at IS NOT NULL AND published_line < $1
           ORDER BY published_line, published_at LIMIT $2)
 || ARRAY(SELECT id FROM journey.outbox WHERE published_at IS NOT NULL AND published_line > $1
           ORDER BY published_line, published_at LIMIT $2))"""


async def publish_again(connection: Connection, line: str, most: int) -> int:
    """Queue again some of what was published on another line, whose log is gone; return how much, 0 at the end.

    In pieces, the oldest first: a month of it takes longer than one statement may.
    """
    return int((await connection.execute(_AGAIN, line, most)).split()[-1])


_FORGET = """
DELETE FROM journey.outbox WHERE id = ANY(ARRAY(
    SELECT id FROM journey.outbox
     WHERE published_line = $1 AND published_at < now() - make_interval(days => $2) LIMIT $3))"""


async def forget(connection: Connection, line: str, days: int, most: int) -> int:
    """Delete some of what was published on `line` longer ago; return how much, 0 at the end."""
    return int((await connection.execute(_FORGET, line, days, most)).split()[-1])


_WAITING = """
SELECT count(*) AS records, coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8 AS age_s
  FROM journey.outbox WHERE published_at IS NULL"""


async def waiting(connection: Connection) -> tuple[int, float]:
    """Return how many records wait, and for how many seconds the oldest has."""
    row = await connection.fetchrow(_WAITING)
    return (row["records"], row["age_s"]) if row is not None else (0, 0.0)


def _headers_text(headers: Headers) -> str:
    return msgspec.json.encode([[name, value.decode()] for name, value in headers]).decode()


def _headers(text: str) -> Headers:
    pairs = msgspec.json.decode(text, type=list[tuple[str, str]])
    return tuple((name, value.encode()) for name, value in pairs)
