"""What the operator may do with the suppression list: put pseudonyms on it, take them off, list them.

Every function works in the caller's transaction. A change raises the list's version, which is how ingest notices.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from schemas.identifiers.pseudonyms import pseudonym
from services.ingest.privacy.suppressions import PROBE
from services.runtime.postgres.pools import Connection


class ForeignSecretError(Exception):
    """The list was written with another secret, and would hold nobody that ingest recognises."""


class SuppressionChange(StrEnum):
    """What a command changed about one identifier."""

    SUPPRESSED = "suppressed"
    SUPPRESSED_BEFORE = "suppressed_before"
    LIFTED = "lifted"
    NOT_LISTED = "not_listed"


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressionSubject:
    """An identifier as the suppression list stores it."""

    type: str
    pseudonym: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSuppression:
    """A row of the list, without anything that must not be shown."""

    pseudonym: str
    type: str
    note: str
    suppressed_at: datetime
    lifted_at: datetime | None


_SUPPRESS = """
INSERT INTO ingest.suppressions AS s (pseudonym, type, note) VALUES ($1, $2, $3)
    ON CONFLICT (pseudonym) DO UPDATE SET note = excluded.note, suppressed_at = now(), lifted_at = NULL
    WHERE s.lifted_at IS NOT NULL"""


async def suppress(
    connection: Connection, secret: bytes, subjects: Sequence[SuppressionSubject], *, note: str = ""
) -> list[SuppressionChange]:
    """Put `subjects` on the list and return what changed for each.

    Raises:
        ForeignSecretError: the list was written with another secret.
    """
    await _raise_version(connection, secret)
    changes = []
    for subject in subjects:
        done = await connection.execute(_SUPPRESS, subject.pseudonym, subject.type, note)
        before = done.endswith(" 0")
        changes.append(SuppressionChange.SUPPRESSED_BEFORE if before else SuppressionChange.SUPPRESSED)
    return changes


_LIFT = "UPDATE ingest.suppressions SET lifted_at = now() WHERE pseudonym = $1 AND lifted_at IS NULL"


async def lift(
    connection: Connection, secret: bytes, subjects: Iterable[SuppressionSubject]
) -> list[SuppressionChange]:
    """Take `subjects` off the list; their rows stay, as a record. Raises `ForeignSecretError` as `suppress` does."""
    await _raise_version(connection, secret)
    changes = []
    for subject in subjects:
        done = await connection.execute(_LIFT, subject.pseudonym)
        changes.append(SuppressionChange.NOT_LISTED if done.endswith(" 0") else SuppressionChange.LIFTED)
    return changes


_LIST = """
SELECT pseudonym, type, note, suppressed_at, lifted_at FROM ingest.suppressions
 WHERE lifted_at IS NULL OR $1 ORDER BY suppressed_at DESC, pseudonym LIMIT $2"""


async def list_suppressions(
    connection: Connection, *, lifted: bool = False, limit: int = 1000
) -> list[ListedSuppression]:
    """Return the rows, latest first; with `lifted` also those that are no longer in force."""
    return [ListedSuppression(**dict(row)) for row in await connection.fetch(_LIST, lifted, limit)]


async def _raise_version(connection: Connection, secret: bytes) -> None:
    """Lock the list for this transaction, and make sure that ingest will recognise what is written."""
    probe = pseudonym(secret, *PROBE)
    written = await connection.fetchval("SELECT probe FROM ingest.suppression_list FOR UPDATE")
    if written not in {None, "", probe}:
        raise ForeignSecretError
    await connection.execute("UPDATE ingest.suppression_list SET version = version + 1, probe = $1", probe)
