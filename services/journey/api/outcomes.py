"""Answers what became of published touchpoints. Ingest asks on behalf of a producer who looks at what it sent.

The answer depends on what is stored alone: a touchpoint that is in no table yet is waiting. Which source may ask about
which touchpoint is left to ingest; the secret that both services share gives access to nothing else.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from services.journey.domain.touchpoint import Touchpoint, TouchpointKey, fingerprint
from services.journey.equivalence import is_repeat
from services.runtime.postgres.pools import ACQUIRE_TIMEOUT_S, Pool

MOST: Final = 200
"""Most touchpoints in one question."""


class TouchpointOutcome(StrEnum):
    """What became of a touchpoint; `unknown` if its traces are gone."""

    APPLIED = "applied"
    LATE = "late"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    DEAD_LETTER = "dead_letter"
    WAITING = "waiting"
    UNKNOWN = "unknown"


class OutcomeEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The outcome of one touchpoint, with the code of a conflict or a dead letter."""

    outcome: TouchpointOutcome
    code: str | None = None


class _Question(msgspec.Struct, frozen=True):
    touchpoints: list[msgspec.Raw]


class OutcomesAnswer(msgspec.Struct, frozen=True):
    """The outcomes, in the order of the question."""

    outcomes: list[OutcomeEntry]


class _Stored(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is stored for a key: a fingerprint, and the touchpoint unless it names nobody or is gone."""

    fingerprint: bytes
    payload: str | None
    late: bool | None


class MalformedQuestionError(ValueError):
    """The question is not a list of at most `MOST` touchpoints."""


_QUESTION: Final = msgspec.json.Decoder(_Question)
_TOUCHPOINT: Final = msgspec.json.Decoder(Touchpoint)
_ENCODER: Final = msgspec.json.Encoder()

_SEEN: Final = """
SELECT s.source, s.id, s.fingerprint, t.payload, t.late
  FROM unnest($1::text[], $2::text[]) AS k (source, id)
  JOIN journey.seen AS s USING (source, id)
  LEFT JOIN journey.touchpoints AS t ON t.source = s.source AND t.id = s.id AND t.occurred_at = s.occurred_at"""

_LETTERS: Final = """
SELECT value, code FROM journey.dead_letters
 WHERE first_seen >= $3::timestamptz - interval '1 minute' AND source = ANY ($1) AND touchpoint_id = ANY ($2)
 ORDER BY first_seen"""


async def answer(pool: Pool, body: bytes) -> bytes:
    """Return the JSON of the outcomes of the touchpoints in `body` (`{"touchpoints": [as published, ...]}`).

    Raises:
        MalformedQuestionError: it is not such a document.
    """
    try:
        asked = [bytes(raw) for raw in _QUESTION.decode(body).touchpoints]
        points = [_TOUCHPOINT.decode(raw) for raw in asked]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedQuestionError from error
    if len(points) > MOST or any("\x00" in point.source + point.id for point in points):
        raise MalformedQuestionError
    return _ENCODER.encode(OutcomesAnswer(outcomes=await _outcomes(pool, points, asked)))


async def _outcomes(pool: Pool, points: Sequence[Touchpoint], asked: Sequence[bytes]) -> list[OutcomeEntry]:
    if not points:
        return []
    keys = [[point.source for point in points], [point.id for point in points]]
    async with (
        pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        stored = {
            (row["source"], row["id"]): _Stored(
                fingerprint=row["fingerprint"], payload=row["payload"], late=row["late"]
            )
            for row in await connection.fetch(_SEEN, *keys)
        }
        letters: dict[bytes, str] = {}
        untold = [point for point in points if point.key not in stored or stored[point.key].payload is None]
        if untold:
            since = min(point.received_at for point in untold)
            found = await connection.fetch(_LETTERS, *keys, since)
            letters = {row["value"]: row["code"] for row in found if row["value"] is not None}
    return [_outcome(point, raw, stored, letters) for point, raw in zip(points, asked, strict=True)]


def _outcome(
    given: Touchpoint, raw: bytes, stored: Mapping[TouchpointKey, _Stored], letters: Mapping[bytes, str]
) -> OutcomeEntry:
    known = stored.get(given.key)
    if known is None or known.payload is None:
        code = letters.get(raw)
        if code is not None:
            return OutcomeEntry(outcome=TouchpointOutcome.DEAD_LETTER, code=code)
        if known is None:
            return OutcomeEntry(outcome=TouchpointOutcome.WAITING)
    there = _TOUCHPOINT.decode(known.payload) if known.payload is not None else None
    if fingerprint(given) != known.fingerprint and not is_repeat(given, known.fingerprint, there):
        return OutcomeEntry(outcome=TouchpointOutcome.CONFLICT, code="id_conflict")
    if there is None:
        return OutcomeEntry(outcome=TouchpointOutcome.UNKNOWN)
    if there.received_at != given.received_at:
        return OutcomeEntry(outcome=TouchpointOutcome.DUPLICATE)
    return OutcomeEntry(outcome=TouchpointOutcome.LATE if known.late else TouchpointOutcome.APPLIED)
