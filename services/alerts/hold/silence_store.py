"""Silences as the database keeps them; the end of one makes due what it held."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from services.alerts.hold import wait_store
from services.alerts.issues.json_columns import encode_json
from services.alerts.policy.matchers import Matcher
from services.alerts.policy.silences import Silence
from services.runtime.postgres.pools import Connection, Row

SILENCE_COLUMNS = """
    coalesce((SELECT json_agg(json_build_object(
                'id', silence_id, 'matchers', matchers, 'starts_at', starts_at, 'ends_at', ends_at, 'during', during,
                'issue_id', issue_id, 'comment', comment, 'created_by', created_by, 'updated_at', updated_at)
                ORDER BY silence_id)
                FROM alerts.silences WHERE NOT over), '[]')::text AS silences
"""
"""The column that `read_silences` needs: silences that were not over when upkeep last looked."""


def read_silences(document: str) -> tuple[Silence, ...]:
    """Return the silences in the column of `SILENCE_COLUMNS`; when they warn is left out."""
    return tuple(msgspec.json.decode(document, type=list[Silence]))


async def list_silences(connection: Connection, *, ended_after: datetime) -> list[Silence]:
    """Return the silences that had not ended at that time, those that end first before others."""
    rows = await connection.fetch(
        "SELECT * FROM alerts.silences WHERE ends_at > $1 ORDER BY ends_at, silence_id", ended_after
    )
    return [_silence(row) for row in rows]


async def lock_silence(connection: Connection, silence_id: UUID) -> Silence | None:
    """Lock and return a silence for a change."""
    row = await connection.fetchrow("SELECT * FROM alerts.silences WHERE silence_id = $1 FOR UPDATE", silence_id)
    return _silence(row) if row else None


def _silence(row: Row) -> Silence:
    return Silence(
        id=row["silence_id"],
        matchers=msgspec.json.decode(row["matchers"], type=tuple[Matcher, ...]),
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        comment=row["comment"],
        created_by=row["created_by"],
        updated_at=row["updated_at"],
        during=tuple(row["during"]),
        issue_id=row["issue_id"],
        warn_before=row["warn_before"],
        warned_at=row["warned_at"],
    )


async def save_silence(connection: Connection, silence: Silence) -> None:
    """Write a silence, a new one or a changed one."""
    await connection.execute(
        """
        INSERT INTO alerts.silences (silence_id, matchers, starts_at, ends_at, during, issue_id, comment, created_by,
                                     updated_at, warn_before, warned_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        ON CONFLICT (silence_id) DO UPDATE SET
            matchers = excluded.matchers, starts_at = excluded.starts_at, ends_at = excluded.ends_at,
            during = excluded.during, issue_id = excluded.issue_id, comment = excluded.comment,
            updated_at = excluded.updated_at, over = false,
            warn_before = excluded.warn_before, warned_at = excluded.warned_at
        """,
        *(silence.id, encode_json(silence.matchers), silence.starts_at, silence.ends_at, list(silence.during)),
        *(silence.issue_id, silence.comment, silence.created_by, silence.updated_at),
        *(silence.warn_before, silence.warned_at),
    )


async def end_with_issues(connection: Connection, issues: Sequence[UUID], now: datetime) -> list[UUID]:
    """End the silences that end with these issues, make due what they held, and return their ids."""
    if not issues:
        return []
    rows = await connection.fetch(
        """
        UPDATE alerts.silences SET ends_at = $2, starts_at = least(starts_at, $2), updated_at = $2
         WHERE issue_id = ANY($1) AND ends_at > $2 RETURNING silence_id
        """,
        *(list(issues), now),
    )
    ended = [row["silence_id"] for row in rows]
    await wait_store.release(connection, [str(silence_id) for silence_id in ended], now)
    return ended


async def due_warnings(connection: Connection, now: datetime) -> list[tuple[Silence, int]]:
    """Lock and return silences whose end is to be warned of now, with how many notifications each holds."""
    rows = await connection.fetch(
        """
        SELECT s.*, (SELECT count(*) FROM alerts.waits w WHERE w.blocker = s.silence_id::text) AS held
          FROM alerts.silences s
         WHERE s.warn_before IS NOT NULL AND s.warned_at IS NULL AND s.ends_at > $1 AND s.ends_at - s.warn_before <= $1
         ORDER BY s.silence_id LIMIT 100 FOR UPDATE OF s SKIP LOCKED
        """,
        now,
    )
    return [(_silence(row), row["held"]) for row in rows]


async def mark_warned(connection: Connection, silences: Sequence[UUID], now: datetime) -> None:
    """Note that people were warned of the end of these silences."""
    await connection.execute(
        "UPDATE alerts.silences SET warned_at = $2 WHERE silence_id = ANY($1)", list(silences), now
    )


async def mark_over(connection: Connection, before: datetime) -> None:
    """Note that silences which ended before that time are over, so that no decision reads them any more."""
    await connection.execute("UPDATE alerts.silences SET over = true WHERE NOT over AND ends_at < $1", before)
