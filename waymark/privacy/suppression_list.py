"""The suppression list as the operator handles it: who is put on it, who is taken off, how many there are.

Identifiers are spelt as ingest spells them and leave this module as pseudonyms only; the table holds nobody in clear.
Every change raises the list's version in the same transaction, which is how ingest notices.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import psycopg
from psycopg.rows import class_row

from schemas.identifiers import spelling
from schemas.identifiers.pseudonyms import is_pseudonym, pseudonym
from schemas.identifiers.spelling import SpelledIdentifier
from services.ingest.privacy.suppressions import PROBE
from waymark.console import CommandError


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


@dataclass(frozen=True, slots=True, kw_only=True)
class PseudonymMaker:
    """Turns `type:value` into its pseudonym, with ingest's secret and the region of numbers without a country code."""

    secret: bytes
    region: str

    def subject(self, reference: str) -> SuppressionSubject:
        """Return the subject that `type:value` names.

        Raises:
            CommandError: it is not written so, or ingest would never take it for an identifier; never quotes it.
        """
        type_, colon, value = reference.partition(":")
        if not colon or not type_.strip() or not value.strip():
            raise CommandError("write each identifier as type:value, such as phone:010-1234-5678", exit_code=2)
        type_ = type_.strip()
        if is_pseudonym(value.strip()):
            return SuppressionSubject(type=type_, pseudonym=value.strip())
        found = spelling.identifier(type_, value, self.region)
        if not isinstance(found, SpelledIdentifier):
            raise CommandError(f"this is no {type_} that ingest takes for a customer's ({found})", exit_code=2)
        return SuppressionSubject(type=type_, pseudonym=pseudonym(self.secret, type_, found.value))


def suppress(
    connection: psycopg.Connection, secret: bytes, subjects: Sequence[SuppressionSubject], *, note: str = ""
) -> list[SuppressionChange]:
    """Put `subjects` on the list and return what changed for each.

    Raises:
        CommandError: the list was written with another secret, and would hold nobody that ingest recognises.
    """
    _raise_version(connection, secret)
    return [_suppressed(connection, subject, note) for subject in subjects]


def lift(
    connection: psycopg.Connection, secret: bytes, subjects: Iterable[SuppressionSubject]
) -> list[SuppressionChange]:
    """Take `subjects` off the list; their rows stay, as a record. Raises `CommandError` as `suppress` does."""
    _raise_version(connection, secret)
    changes = []
    for subject in subjects:
        done = connection.execute(
            "UPDATE ingest.suppressions SET lifted_at = now() WHERE pseudonym = %s AND lifted_at IS NULL",
            (subject.pseudonym,),
        )
        changes.append(SuppressionChange.LIFTED if done.rowcount else SuppressionChange.NOT_LISTED)
    return changes


def listed(connection: psycopg.Connection, *, lifted: bool = False, limit: int = 1000) -> list[ListedSuppression]:
    """Return the rows, latest first; with `lifted` also those that are no longer in force."""
    with connection.cursor(row_factory=class_row(ListedSuppression)) as cursor:
        cursor.execute(
            "SELECT pseudonym, type, note, suppressed_at, lifted_at FROM ingest.suppressions"
            " WHERE lifted_at IS NULL OR %s ORDER BY suppressed_at DESC, pseudonym LIMIT %s",
            (lifted, limit),
        )
        return cursor.fetchall()


def _raise_version(connection: psycopg.Connection, secret: bytes) -> None:
    """Lock the list for this transaction, and make sure that ingest will recognise what is written."""
    probe = pseudonym(secret, *PROBE)
    row = connection.execute("SELECT probe FROM ingest.suppression_list FOR UPDATE").fetchone()
    if row is not None and row[0] not in {"", probe}:
        raise CommandError(
            "the list was written with another secret: set WAYMARK_INGEST_PRIVACY_SECRET to the one that ingest has"
        )
    connection.execute("UPDATE ingest.suppression_list SET version = version + 1, probe = %s", (probe,))


def _suppressed(connection: psycopg.Connection, subject: SuppressionSubject, note: str) -> SuppressionChange:
    done = connection.execute(
        """
        INSERT INTO ingest.suppressions AS s (pseudonym, type, note) VALUES (%s, %s, %s)
            ON CONFLICT (pseudonym) DO UPDATE SET note = excluded.note, suppressed_at = now(), lifted_at = NULL
            WHERE s.lifted_at IS NOT NULL
        """,
        (subject.pseudonym, subject.type, note),
    )
    return SuppressionChange.SUPPRESSED if done.rowcount else SuppressionChange.SUPPRESSED_BEFORE
