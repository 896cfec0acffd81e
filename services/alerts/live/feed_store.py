"""The feed of changes and the outbox of the topic `issues`, as the database keeps them.

Sequence numbers become visible out of order, so a reader of `id > last` would lose rows. Each row of the feed carries
the id of its transaction. Rows are read in the order (xid, id), and only those of transactions older than every running
one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.runtime.postgres.pools import Connection, columns

_XIDS, _IDS = 2**64, 2**63
"""PostgreSQL's `xid8` has 64 bits; its `bigint` has 63 and a sign."""

WAKE = "alerts_feed"
"""LISTEN channel: the feed has new rows."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class FeedCursor:
    """A position in the feed: everything up to it was read."""

    xid: int
    id: int

    def __str__(self) -> str:
        """Return the text of an SSE `id:`."""
        return f"{self.xid}-{self.id}"


def parse_cursor(text: str) -> FeedCursor | None:
    """Return the cursor in `text`, or None if it is not one of ours."""
    xid, dash, number = text.partition("-")
    if not dash or not (xid.isascii() and xid.isdigit() and number.isascii() and number.isdigit()) or len(text) > 40:
        return None
    cursor = FeedCursor(xid=int(xid), id=int(number))
    return cursor if cursor.xid < _XIDS and cursor.id < _IDS else None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedEntry:
    """One change of an issue in the feed; `document` is issue v1, `was` how the issue was before (`feed_filter`)."""

    cursor: FeedCursor
    type: str
    document: str
    was: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuePublication:
    """One version of an issue for the feed and the topic; `was` is how it was before, None for a first version."""

    issue_id: UUID
    version: int
    type: str
    document: bytes
    was: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRow:
    """A row of the outbox that is not on the topic yet."""

    id: int
    issue_id: UUID
    value: bytes


async def add(connection: Connection, publications: Sequence[IssuePublication], now: datetime) -> None:
    """Write changes to the feed and the outbox, and wake their readers."""
    await connection.execute(
        """
        WITH given AS MATERIALIZED (
            SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[])
                   WITH ORDINALITY AS g (issue_id, version, type, document, was, place)
        ), fed AS (
            INSERT INTO alerts.feed (at, issue_id, type, document, was)
            SELECT $6, issue_id, type, document, was::json FROM given ORDER BY place
        ), queued AS (
            INSERT INTO alerts.issue_outbox (issue_id, version, value, created_at)
            SELECT issue_id, version, convert_to(document, 'UTF8'), $6 FROM given ORDER BY place
        )
        SELECT pg_notify($7, '')
        """,
        *columns((p.issue_id, p.version, p.type, p.document.decode(), p.was) for p in publications),
        *(now, WAKE),
    )


async def end_cursor(connection: Connection) -> FeedCursor:
    """Return the cursor behind everything that is committed and readable in order."""
    horizon: str = await connection.fetchval("SELECT pg_snapshot_xmin(pg_current_snapshot())::text")
    return FeedCursor(xid=int(horizon) - 1, id=2**62)


async def read_after(connection: Connection, cursor: FeedCursor, limit: int) -> list[FeedEntry]:
    """Return up to `limit` entries behind `cursor`, in order.

    They are ordered by the column `f.xid`: a bare `xid` would be the returned text, which sorts 1000 before 999.
    """
    rows = await connection.fetch(
        """
        SELECT f.xid::text AS xid, f.id, f.type, f.document, f.was::text AS was FROM alerts.feed AS f
         WHERE (f.xid, f.id) > ($1::text::xid8, $2) AND f.xid < pg_snapshot_xmin(pg_current_snapshot())
         ORDER BY f.xid, f.id LIMIT $3
        """,
        *(str(cursor.xid), cursor.id, limit),
    )
    return [
        FeedEntry(
            cursor=FeedCursor(xid=int(row["xid"]), id=row["id"]),
            type=row["type"],
            document=row["document"],
            was=row["was"],
        )
        for row in rows
    ]


async def can_resume(connection: Connection, cursor: FeedCursor) -> bool:
    """Return whether everything behind `cursor` is still there and the cursor is of this life of the database."""
    found: bool = await connection.fetchval(
        """
        SELECT ($1::text::xid8, $2) >= (h.xid, h.id) AND $1::text::xid8 < pg_snapshot_xmax(pg_current_snapshot())
          FROM alerts.feed_horizon h
        """,
        *(str(cursor.xid), cursor.id),
    )
    return found


async def running_transactions(connection: Connection) -> tuple[int, int]:
    """Return the oldest transaction that may still run, and the first one after this snapshot."""
    [row] = await connection.fetch(
        """
        SELECT pg_snapshot_xmin(now)::text AS oldest, pg_snapshot_xmax(now)::text AS latest
          FROM pg_current_snapshot() AS now
        """
    )
    return int(row["oldest"]), int(row["latest"])


async def keeps_changes_since(connection: Connection, xid: int) -> bool:
    """Return whether all changes since `xid` are still there and `xid` is of this life of the database."""
    found: bool = await connection.fetchval(
        """
        SELECT $1::text::xid8 > h.xid AND $1::text::xid8 <= pg_snapshot_xmax(pg_current_snapshot())
          FROM alerts.feed_horizon h
        """,
        str(xid),
    )
    return found


async def prune(connection: Connection, before: datetime, limit: int) -> int:
    """Delete at most `limit` of the oldest entries written before a time, and record up to where."""
    rows = await connection.fetch(
        """
        DELETE FROM alerts.feed WHERE (xid, id) IN (
            SELECT xid, id FROM alerts.feed WHERE at < $1 ORDER BY xid, id LIMIT $2)
        RETURNING xid::text AS xid, id
        """,
        *(before, limit),
    )
    if rows:
        last = max(FeedCursor(xid=int(row["xid"]), id=row["id"]) for row in rows)
        await connection.execute(
            "UPDATE alerts.feed_horizon SET xid = $1::text::xid8, id = $2 WHERE (xid, id) < ($1::text::xid8, $2)",
            *(str(last.xid), last.id),
        )
    return len(rows)


async def unpublished(connection: Connection, limit: int) -> list[OutboxRow]:
    """Return the oldest changes that are not on the topic yet."""
    rows = await connection.fetch(
        "SELECT id, issue_id, value FROM alerts.issue_outbox WHERE published_at IS NULL ORDER BY id LIMIT $1", limit
    )
    return [OutboxRow(id=row["id"], issue_id=row["issue_id"], value=row["value"]) for row in rows]


async def waiting(connection: Connection, *, longer_than_s: float) -> tuple[int, float]:
    """Return how many changes wait for so long already to be published, and for how many seconds the oldest has."""
    row = await connection.fetchrow(
        """
        SELECT count(*) FILTER (WHERE created_at <= clock_timestamp() - make_interval(secs => $1)) AS changes,
               coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8 AS age_s
          FROM alerts.issue_outbox WHERE published_at IS NULL
        """,
        longer_than_s,
    )
    return (row["changes"], row["age_s"]) if row is not None else (0, 0.0)


async def mark_published(connection: Connection, ids: Sequence[int], line: str, now: datetime) -> None:
    """Record that rows are on the topic of `line`."""
    await connection.execute(
        "UPDATE alerts.issue_outbox SET published_at = $3, published_line = $2 WHERE id = ANY($1)", list(ids), line, now
    )


async def requeue_latest(connection: Connection, issue_ids: Iterable[UUID]) -> None:
    """Queue the latest version of these issues again, published or not."""
    await connection.execute(
        """
        UPDATE alerts.issue_outbox SET published_at = NULL, published_line = NULL
         WHERE id IN (SELECT DISTINCT ON (issue_id) id FROM alerts.issue_outbox
                       WHERE issue_id = ANY($1) ORDER BY issue_id, version DESC)
        """,
        list(issue_ids),
    )


async def requeue_for_line(connection: Connection, line: str) -> int:
    """Queue the latest version of every issue that was published on an older line than `line`."""
    status = await connection.execute(
        """
        UPDATE alerts.issue_outbox SET published_at = NULL, published_line = NULL
         WHERE id IN (SELECT DISTINCT ON (issue_id) id FROM alerts.issue_outbox ORDER BY issue_id, version DESC)
           AND published_line <> $1
        """,
        line,
    )
    return int(status.rpartition(" ")[2])
