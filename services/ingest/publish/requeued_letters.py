"""The table of rejected touchpoints that the operator sent again: when, and with which result."""

from datetime import datetime

from services.runtime.postgres.pools import Connection

_NOTE = """
INSERT INTO ingest.requeued_letters (letter_id, source, outcome, code) VALUES ($1, $2, $3, $4)
ON CONFLICT (letter_id) DO UPDATE SET outcome = excluded.outcome, code = excluded.code"""


async def note_requeued(connection: Connection, letter_id: str, *, source: str, outcome: str, code: str) -> None:
    """Note that a letter was sent again, or what came of it the next time."""
    await connection.execute(_NOTE, letter_id, source, outcome, code)


async def letters_requeued(connection: Connection) -> dict[str, datetime]:
    """Return when each letter was sent again, by the letter's id."""
    rows = await connection.fetch("SELECT letter_id, requeued_at FROM ingest.requeued_letters")
    return {row["letter_id"]: row["requeued_at"] for row in rows}
