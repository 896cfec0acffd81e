"""Dead letters as the database keeps them: records that can never be applied, with their position and the reason."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from services.alerts.issues.json_columns import encode_json
from services.runtime.log.progress import TopicLine
from services.runtime.postgres.pools import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordDeadLetter:
    """A record as it is in the log, and what is wrong with it; the values of `headers` are base64."""

    partition: int
    offset: int
    code: str
    at: str
    message: str
    key: bytes | None = field(repr=False)
    value: bytes | None = field(repr=False)
    headers: Sequence[tuple[str, str]] = field(repr=False)


async def add(connection: Connection, line: TopicLine, letters: Sequence[RecordDeadLetter], now: datetime) -> None:
    """Insert dead letters; existing ones stay as they are."""
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
