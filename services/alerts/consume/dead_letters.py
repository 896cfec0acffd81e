"""Frictions that can never be applied, kept with their place in the log and the reason."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

import asyncpg

from services.alerts.consume.progress import Position
from services.alerts.issues.json_columns import encode_json
from services.runtime.postgres import Connection

UNSTORABLE: tuple[type[Exception], ...] = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
    OverflowError,
    RecursionError,
    UnicodeEncodeError,
)
"""Failures that lie in a value: SQLSTATE classes 22, 23 and 54, and what the client cannot encode."""


class UnstorableError(Exception):
    """The database refuses a value for what it is; another try would not help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """One record, as it stood in the log, and what is wrong with it. `headers` are base64."""

    position: Position
    offset: int
    code: str
    at: str
    message: str
    key: bytes | None = field(repr=False)
    value: bytes | None = field(repr=False)
    headers: Sequence[tuple[str, str]] = field(repr=False)


@contextmanager
def recognising() -> Iterator[None]:
    """Tell refusals of a value's content from everything else that can go wrong."""
    try:
        yield
    except UNSTORABLE as error:
        raise UnstorableError from error


async def add(connection: Connection, letters: Sequence[DeadLetter], now: datetime) -> None:
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
                *(letter.position.line, letter.position.topic, letter.position.partition, letter.offset, letter.code),
                encode_json([{"path": letter.at, "message": letter.message}]),
                *(letter.key, letter.value, encode_json(letter.headers), now),
            )
            for letter in letters
        ],
    )
