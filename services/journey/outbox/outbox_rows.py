"""The table of the outbox: records to publish, written in the transaction of the effects that they report.

All records of a customer are leased together, so they are published in the order of their ids. Rows are never read by
`id > last`, because ids become visible out of order.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

import msgspec

from services.runtime.kafka.record import Headers, ProducerRecord
from services.runtime.postgres.pools import Connection

_CLAIM_LOCK = 7_215_309  # any number that nothing else in this database uses


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingRecord:
    """A document to publish; the records of one customer are published in their order."""

    customer_id: UUID
    record: ProducerRecord

    @property
    def document(self) -> str:
        """The document as text, for a json column."""
        return (self.record.value or b"").decode()


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
    """A record that this relay may publish until the lease ends."""

    id: int
    record: ProducerRecord


_LOOK_AT = 2_000
"""The number of oldest waiting records among which the customers to lease are picked."""

# Statistics from a quiet hour say that nothing waits; by them, all that waits may be compared with all that is leased.
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
    """Lease the waiting records of up to `customers` customers, oldest first; return them in the order of their ids.

    Leases take turns, so that each sees what the others leased; publishing does not.
    """
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _CLAIM_LOCK)
    rows = await connection.fetch(_CLAIM, customers, lease_s, _LOOK_AT)
    return [
        LeasedRecord(
            id=row["id"],
            record=ProducerRecord(
                topic=row["topic"], key=row["key"], value=row["value"], headers=_headers(row["headers"])
            ),
        )
        for row in sorted(rows, key=lambda row: row["id"])
    ]


_MARK = """
UPDATE journey.outbox SET published_at = clock_timestamp(), published_line = $2, lease_until = NULL
 WHERE id = ANY($1::bigint[])"""


async def mark(connection: Connection, ids: Sequence[int], line: str) -> None:
    """Mark records as acknowledged on `line`; they are kept for the next line."""
    await connection.execute(_MARK, ids, line)


_DROP = "DELETE FROM journey.outbox WHERE id = ANY($1::bigint[])"


async def drop(connection: Connection, ids: Sequence[int]) -> None:
    """Delete records that are acknowledged and no longer needed."""
    await connection.execute(_DROP, ids)


_RELEASE = "UPDATE journey.outbox SET lease_until = NULL WHERE id = ANY($1::bigint[]) AND published_at IS NULL"


async def release(connection: Connection, ids: Sequence[int]) -> None:
    """End leases early, so that the records are tried again soon."""
    await connection.execute(_RELEASE, ids)


_AGAIN = """
UPDATE journey.outbox SET published_at = NULL, published_line = NULL, lease_until = NULL
 WHERE published_line <> $1 AND id = ANY(
    ARRAY(SELECT id FROM journey.outbox WHERE published_at IS NOT NULL AND published_line < $1
           ORDER BY published_line, published_at LIMIT $2)
 || ARRAY(SELECT id FROM journey.outbox WHERE published_at IS NOT NULL AND published_line > $1
           ORDER BY published_line, published_at LIMIT $2))"""


async def publish_again(connection: Connection, line: str, most: int) -> int:
    """Publish again up to `most` records of another line, whose log is gone; return how many, 0 at the end.

    The oldest records come first, in portions: a month of them takes longer than one statement may.
    """
    return int((await connection.execute(_AGAIN, line, most)).split()[-1])


_FORGET = """
DELETE FROM journey.outbox WHERE id = ANY(ARRAY(
    SELECT id FROM journey.outbox
     WHERE published_line = $1 AND published_at < now() - make_interval(days => $2) LIMIT $3))"""


async def forget(connection: Connection, line: str, days: int, most: int) -> int:
    """Delete up to `most` records published on `line` more than `days` ago; return how many, 0 at the end."""
    return int((await connection.execute(_FORGET, line, days, most)).split()[-1])


_WAITING = """
SELECT count(*) FILTER (WHERE created_at <= clock_timestamp() - make_interval(secs => $1)) AS records,
       coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8 AS age_s
  FROM journey.outbox WHERE published_at IS NULL"""


async def waiting(connection: Connection, *, longer_than_s: float = 0.0) -> tuple[int, float]:
    """Return how many records wait for so long already, and for how many seconds the oldest has waited."""
    row = await connection.fetchrow(_WAITING, longer_than_s)
    return (row["records"], row["age_s"]) if row is not None else (0, 0.0)


def _headers_text(headers: Headers) -> str:
    return msgspec.json.encode([[name, value.decode()] for name, value in headers]).decode()


def _headers(text: str) -> Headers:
    pairs = msgspec.json.decode(text, type=list[tuple[str, str]])
    return tuple((name, value.encode()) for name, value in pairs)
