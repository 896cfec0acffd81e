"""The table of dead letters: records that can never be applied, with their place in the log and the reason."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from services.journey.consume.intake import ConsumedRecord
from services.runtime.log.progress import TopicLine
from services.runtime.postgres.pools import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFault:
    """What is wrong with a member of a record, or with the whole if `path` is empty. It never quotes what was sent."""

    path: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A record that is skipped for good; `source` and `touchpoint_id` are given if they could be read."""

    partition: int
    record: ConsumedRecord
    code: str
    faults: Sequence[RecordFault]
    appended_at: datetime
    source: str | None = None
    touchpoint_id: str | None = None

    @property
    def offset(self) -> int:
        """The offset of the record in its partition."""
        return self.record.offset


_ADD = """
INSERT INTO journey.dead_letters (line, topic, partition, "offset", code, errors, source, touchpoint_id,
                                  key, value, headers, appended_at)
SELECT $1, $2, d.partition, d.record_offset, d.code, d.errors, d.source, d.touchpoint_id,
       d.key, d.value, d.headers, d.appended_at
  FROM unnest($3::int[], $4::bigint[], $5::text[], $6::json[], $7::text[], $8::text[],
              $9::bytea[], $10::bytea[], $11::json[], $12::timestamptz[])
       AS d (partition, record_offset, code, errors, source, touchpoint_id, key, value, headers, appended_at)
ON CONFLICT DO NOTHING"""


async def add(connection: Connection, line: TopicLine, letters: Sequence[DeadLetter]) -> None:
    """Keep the letters; each place in the log has at most one."""
    if not letters:
        return
    await connection.execute(
        _ADD,
        line.name,
        line.topic,
        [letter.partition for letter in letters],
        [letter.record.offset for letter in letters],
        [letter.code for letter in letters],
        [_faults_text(letter.faults) for letter in letters],
        [_printable(letter.source) for letter in letters],
        [_printable(letter.touchpoint_id) for letter in letters],
        [letter.record.key for letter in letters],
        [letter.record.value for letter in letters],
        [_headers_text(letter.record.headers) for letter in letters],
        [letter.appended_at for letter in letters],
    )


def _faults_text(faults: Sequence[RecordFault]) -> str:
    return msgspec.json.encode(
        [{"path": _printable(fault.path), "message": fault.message} for fault in faults]
    ).decode()


def _headers_text(headers: Sequence[tuple[str, bytes]]) -> str:
    pairs = [[_printable(name), base64.b64encode(value or b"").decode()] for name, value in headers]
    return msgspec.json.encode(pairs).decode()


def _printable(text: str | None) -> str | None:
    """Text that PostgreSQL takes: without the NUL for which a record may well have been refused."""
    return None if text is None else text.replace("\x00", "\ufffd")
