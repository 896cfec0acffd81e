"""Frictions that can never be applied, kept with their place in the log and the reason."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from services.alerts.issues.json_columns import encode_json
from services.runtime.log.progress import TopicLine
from services.runtime.postgres import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """One record, as it stood in the log, and what is wrong with it. `headers` are base64."""

    partition: int
    offset: int
    code: str
    at: str
    message: str
    key: bytes | None = field(repr=False)
    value: bytes | None = field(repr=False)
    headers: Sequence[tuple[str, str]] = field(repr=False)


async def add(connection: Connection, line: TopicLine, letters: Sequence[DeadLetter], now: datetime) -> None:
    """Write dead letters; one that is there already stays as it is."""
    if not letters:
        return
    await connection.executemany(
        """
        INSERT INTO alerts.dead_letters (
            line, topic, partition, "offset", code, errors, key, value, headers, first_seen)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING
        """,
        [
            (
                *(line.name, line.topic, letter.partition, letter.offset, letter.code),
                encode_json([{"path": letter.at, "message": letter.message}]),
                *(letter.key, letter.value, encode_json(letter.headers), now),
            )
            for letter in letters
        ],
    )
