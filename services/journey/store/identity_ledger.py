"""Reads the ledger around identifiers: links at them, what operators said, and who they point to.

Writing links is left to `identifiers`, which is what every batch does.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from services.journey.domain.identity.facts import IdentifierKey, LinkKey, OperatorFact, OperatorWord
from services.journey.domain.touchpoint import OrderKey
from services.runtime.postgres.pools import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRecord:
    """A link as it stands in the ledger, whatever its state."""

    key: LinkKey
    state: str
    reason: str
    verified: bool
    first: OrderKey
    judge: int = 1


_LINKS = """
SELECT l.left_type, l.left_value, l.right_type, l.right_value, l.state, l.reason, l.verified, l.judged_by,
       l.occurred_at, l.sequence, l.source, l.touchpoint_id
  FROM unnest($1::text[], $2::text[]) AS k (type, value)
  JOIN journey.links AS l ON l.{side}_type = k.type AND l.{side}_value = k.value"""
_BOTH_SIDES = f"{_LINKS.format(side='left')} UNION {_LINKS.format(side='right')}"


async def links_at(connection: Connection, keys: Collection[IdentifierKey]) -> dict[LinkKey, LinkRecord]:
    """Return the links that have one of these identifiers at either end."""
    found = {}
    for row in await connection.fetch(_BOTH_SIDES, *_columns(keys)):
        key = (row[0], row[1]), (row[2], row[3])
        state, reason, verified, judge = row[4:8]
        found[key] = LinkRecord(
            key=key, state=state, reason=reason, verified=verified, first=tuple(row[8:]), judge=judge
        )
    return found


_PROVED = """
SELECT type, value FROM unnest($1::text[], $2::text[]) AS k (type, value)
 WHERE EXISTS (SELECT FROM journey.links AS l WHERE l.left_type = k.type AND l.left_value = k.value AND l.verified)
    OR EXISTS (SELECT FROM journey.links AS l WHERE l.right_type = k.type AND l.right_value = k.value AND l.verified)"""


async def with_verified_links(connection: Connection, keys: Collection[IdentifierKey]) -> set[IdentifierKey]:
    """Return those of these identifiers that have a verified link."""
    return {(row[0], row[1]) for row in await connection.fetch(_PROVED, *_columns(keys))}


_WORDS = """
SELECT w.word, w.left_type, w.left_value, w.right_type, w.right_value, w.said_at
  FROM unnest($1::text[], $2::text[]) AS k (type, value)
  JOIN journey.identity_words AS w ON w.{side}_type = k.type AND w.{side}_value = k.value"""
_WORDS_BOTH = f"{_WORDS.format(side='left')} UNION {_WORDS.format(side='right')}"


async def words_at(connection: Connection, keys: Collection[IdentifierKey]) -> set[OperatorFact]:
    """Return what operators said of these identifiers, but for links that they retracted."""
    return {
        OperatorFact(word=OperatorWord(row[0]), key=((row[1], row[2]), (row[3], row[4])), said_at=row[5])
        for row in await connection.fetch(_WORDS_BOTH, *_columns(keys))
    }


_ADD_WORD = """
INSERT INTO journey.identity_words (word, left_type, left_value, right_type, right_value, said_by, note, said_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, clock_timestamp())"""


_EXPECT = """
INSERT INTO journey.identifiers (type, value, first_seen, last_seen)
SELECT k.type, k.value, now(), now() FROM unnest($1::text[], $2::text[]) AS k (type, value) ON CONFLICT DO NOTHING"""


async def add_word(connection: Connection, word: OperatorWord, key: LinkKey, said_by: str, note: str) -> None:
    """Add to the ledger what somebody says of two identifiers now, and these themselves if nobody carried them yet."""
    (left_type, left_value), (right_type, right_value) = key
    await connection.execute(_EXPECT, *_columns(key))
    await connection.execute(_ADD_WORD, str(word), left_type, left_value, right_type, right_value, said_by, note)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenWord:
    """What somebody said of two identifiers, and when; `word` is `merge`, `separate` or `unmerge`."""

    word: str
    key: LinkKey
    said_by: str
    note: str
    said_at: datetime


_SPOKEN = """
SELECT word, left_type, left_value, right_type, right_value, said_by, note, said_at FROM (
    (SELECT word, left_type, left_value, right_type, right_value, said_by, note, said_at
       FROM journey.identity_words ORDER BY said_at DESC LIMIT $1)
    UNION ALL
    (SELECT 'unmerge', left_type, left_value, right_type, right_value, changed_by, '', changed_at
       FROM journey.links WHERE state = 'retracted' AND changed_by IS NOT NULL ORDER BY changed_at DESC LIMIT $1)
) AS spoken ORDER BY said_at DESC, left_type, left_value LIMIT $1"""


async def spoken(connection: Connection, most: int) -> list[SpokenWord]:
    """Return what operators said last, the newest first; links that they took back are words as well."""
    return [
        SpokenWord(word=row[0], key=((row[1], row[2]), (row[3], row[4])), said_by=row[5], note=row[6], said_at=row[7])
        for row in await connection.fetch(_SPOKEN, most)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifierRecord:
    """An identifier: what it points to and the survivor of that, whether it is verified, and since when it is known."""

    key: IdentifierKey
    pointed: UUID | None
    root: UUID | None
    standing: str
    verified: bool
    first_seen: datetime


_IDENTIFIERS = """
SELECT i.type, i.value, i.customer_id, coalesce(c.merged_into, c.customer_id), i.standing, i.verified, i.first_seen
  FROM {keys} JOIN journey.identifiers AS i {using} LEFT JOIN journey.customers AS c ON c.customer_id = i.customer_id"""
_BY_KEY = _IDENTIFIERS.format(keys="unnest($1::text[], $2::text[]) AS k (type, value)", using="USING (type, value)")


async def identifiers(connection: Connection, keys: Collection[IdentifierKey]) -> dict[IdentifierKey, IdentifierRecord]:
    """Return those of these identifiers that are known."""
    return _records(await connection.fetch(_BY_KEY, *_columns(keys)))


_OF_CUSTOMERS = """
SELECT i.type, i.value, i.customer_id, coalesce(o.merged_into, o.customer_id), i.standing, i.verified, i.first_seen
  FROM journey.customers AS o JOIN journey.identifiers AS i ON i.customer_id = o.customer_id
 WHERE o.customer_id = ANY($1) OR o.merged_into = ANY($1)"""


async def identifiers_of(connection: Connection, customers: Collection[UUID]) -> dict[IdentifierKey, IdentifierRecord]:
    """Return the identifiers of surviving customers and of those that they absorbed."""
    return _records(await connection.fetch(_OF_CUSTOMERS, list(customers)))


def _records(rows: Collection[Any]) -> dict[IdentifierKey, IdentifierRecord]:
    return {
        (row[0], row[1]): IdentifierRecord(
            key=(row[0], row[1]),
            pointed=row[2],
            root=row[3],
            standing=row[4],
            verified=row[5],
            first_seen=row[6],
        )
        for row in rows
    }


_HOW_MANY = "SELECT count(*) FROM journey.identifiers WHERE standing <> 'owned' AND standing = $1"
_LATEST = """
SELECT type, value FROM journey.identifiers WHERE standing <> 'owned' AND standing = $1
 ORDER BY last_seen DESC LIMIT $2"""


async def how_many(connection: Connection, standing: str) -> int:
    """Return how many identifiers are `between` customers, or `shared`."""
    found: int = await connection.fetchval(_HOW_MANY, standing)
    return found


async def latest(connection: Connection, standing: str, most: int) -> list[IdentifierKey]:
    """Return the identifiers that are `between` customers, or `shared`, those first that were seen last."""
    return [(row["type"], row["value"]) for row in await connection.fetch(_LATEST, standing, most)]


_STAND = """
UPDATE journey.identifiers AS i SET customer_id = s.customer_id, standing = s.standing, proof_is_new = false
  FROM unnest($1::text[], $2::text[], $3::uuid[], $4::text[]) AS s (type, value, customer_id, standing)
 WHERE i.type = s.type AND i.value = s.value"""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifierStanding:
    """Where an identifier points to, and whether it is `owned`, `between` customers, or `shared`."""

    customer_id: UUID | None
    standing: str


async def stand(connection: Connection, standings: dict[IdentifierKey, IdentifierStanding]) -> None:
    """Write where identifiers that this transaction has locked point to, and how they stand."""
    keys = sorted(standings)
    await connection.execute(
        _STAND,
        *_columns(keys),
        [standings[key].customer_id for key in keys],
        [standings[key].standing for key in keys],
    )


def _columns(keys: Collection[IdentifierKey]) -> tuple[list[str], list[str]]:
    return [type_ for type_, _ in keys], [value for _, value in keys]
