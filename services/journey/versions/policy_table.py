"""The table of policies: every version of each kind, never changed and never removed.

A writer of customers holds the versions that it read, by a shared lock until its transaction ends. Whoever stores a
version takes the same lock for itself alone, and puts the version in force later than everything that is applied: so
no record is ever judged by a version that another worker does not know yet.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import blake2b
from typing import Any

from services.runtime.postgres.pools import Connection

LOCK_WAIT_S = 8
"""How long a version may wait for the transactions that are under way."""


class PolicyKind(StrEnum):
    """What is kept in versions."""

    RULES = "rules"
    JOURNEYS = "journeys"
    IDENTITY = "identity"
    SHADOW = "shadow"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPolicy:
    """A version to store: the `document` that workers read, and the text that a person wrote."""

    kind: PolicyKind
    document: bytes
    written: str
    author: str
    note: str = ""

    @property
    def digest(self) -> bytes:
        """Return 16 bytes that are equal for equal documents."""
        return blake2b(self.document, digest_size=16).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyVersion:
    """A stored version, in force from `in_force_from` until the next one is."""

    kind: PolicyKind
    version: int
    in_force_from: datetime
    document: bytes
    written: str
    digest: bytes
    author: str
    note: str
    stored_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldVersions:
    """The latest version of each kind, 0 where there is none, and the time of the database when they were read."""

    at: datetime
    latest: tuple[int, ...]


_HOLD = "SELECT at, latest FROM journey.hold_policies($1::text[])"
_LOOK = """
SELECT clock_timestamp() AS at, ARRAY(
    SELECT (SELECT max(p.version) FROM journey.policies AS p WHERE p.kind = k.kind)
      FROM unnest($1::text[]) AS k (kind)) AS latest"""


async def hold(connection: Connection, kinds: Sequence[PolicyKind]) -> HeldVersions:
    """Return the latest versions, and let no new one come into force before the transaction ends.

    A batch calls it before it locks customers, a timer after it: where each waits for the other and both for whoever
    stores a version, PostgreSQL lets the one go first that only stands in the queue.
    """
    return _held(await connection.fetchrow(_HOLD, list(kinds)))


async def look(connection: Connection, kinds: Sequence[PolicyKind]) -> HeldVersions:
    """Return the latest versions without holding them: for reports, not for judging."""
    return _held(await connection.fetchrow(_LOOK, list(kinds)))


def _held(row: Any) -> HeldVersions:
    return HeldVersions(at=row["at"], latest=tuple(version or 0 for version in row["latest"]))


_LOAD = """
SELECT kind, version, in_force_from, document, written, digest, author, note, stored_at
  FROM journey.policies WHERE kind = $1 AND version > $2 ORDER BY version"""


async def load(connection: Connection, kind: PolicyKind, *, after: int = 0) -> list[PolicyVersion]:
    """Return the versions of a kind later than the version `after`, oldest first."""
    return [_version(row) for row in await connection.fetch(_LOAD, kind, after)]


_LOCK = "SELECT journey.lock_policies()"
_ADD = """
INSERT INTO journey.policies (kind, version, in_force_from, document, written, digest, author, note)
SELECT $1, p.version + 1, CASE WHEN p.version = 0 THEN 'epoch' ELSE p.in_force_from END, $2, $3, $4, $5, $6
  FROM (SELECT coalesce(max(version), 0) AS version,
               greatest(clock_timestamp(), max(in_force_from) + interval '1 ms',
                        (SELECT max(applied_append_time) + interval '1 ms' FROM journey.progress)) AS in_force_from
          FROM journey.policies WHERE kind = $1) AS p
RETURNING kind, version, in_force_from, document, written, digest, author, note, stored_at"""


async def lock(connection: Connection) -> None:
    """Wait until no transaction holds versions, and let none begin to; a lock time-out ends the wait."""
    await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_WAIT_S}s'")
    await connection.execute(_LOCK)


async def add(connection: Connection, new: NewPolicy) -> PolicyVersion:
    """Store the next version of its kind, under `lock`.

    The first is in force since ever, every later one from a moment after all that is applied.
    """
    document = new.document.decode()
    row = await connection.fetchrow(_ADD, new.kind, document, new.written, new.digest, new.author, new.note)
    return _version(row)


def _version(row: Any) -> PolicyVersion:
    members = dict(row)
    members["kind"] = PolicyKind(row["kind"])
    members["document"] = row["document"].encode()
    return PolicyVersion(**members)
