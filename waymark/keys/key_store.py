"""API keys as the operator handles them: makes, lists, rotates and revokes them.

A source's key is one row; a role's key stands in every API. The text of a key leaves this module once, as the answer of
`create_*`; only its hash is stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from services.runtime.credentials.api_keys import KeyKind, MintedKey, mint, parse
from waymark.console import CommandError

API_TABLES = tuple(sql.Identifier(service, "api_keys") for service in ("ingest", "journey", "alerts"))
SOURCE_TABLE = sql.Identifier("ingest", "source_keys")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedKey:
    """A key as it may be shown: never its secret."""

    key_id: str
    kind: str
    subject: str
    channels: list[str]
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    rotated_to: str | None
    requests_per_s: float | None
    touchpoints_per_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSpec:
    """A producer system: its allowed `channels` (none: all), whether it may send old touchpoints, and its rate.

    A limit per second of None keeps the present one; 0 means the one in ingest's settings.
    """

    name: str
    channels: Sequence[str] = ()
    replay: bool = False
    requests_per_s: float | None = None
    touchpoints_per_s: float | None = None

    @property
    def scopes(self) -> list[str]:
        """The scopes as they are stored."""
        return ["write", "inspect", "replay"] if self.replay else ["write", "inspect"]


def create_source_key(
    connection: psycopg.Connection,
    spec: SourceSpec,
    *,
    label: str = "",
    days: int | None = None,
    only: Sequence[str] = (),
) -> MintedKey:
    """Make a key for a source. A new source is created; an existing one takes over channels, scopes and rate.

    `only` are the scopes of this key alone: a key that stands in a web page should only write.
    """
    try:
        connection.execute(_SOURCE, (spec.name, list(spec.channels), spec.scopes))
    except psycopg.errors.CheckViolation as error:
        raise CommandError(
            f"{spec.name!r} is no name for a source: letters, digits, dot, dash, underscore, at most 64", exit_code=2
        ) from error
    for column, limit in (("requests_per_s", spec.requests_per_s), ("touchpoints_per_s", spec.touchpoints_per_s)):
        if limit is not None:
            statement = sql.SQL("UPDATE ingest.sources SET {} = nullif(%s, 0) WHERE name = %s")
            connection.execute(statement.format(sql.Identifier(column)), (limit, spec.name))
    key = mint(KeyKind.SOURCE)
    connection.execute(
        """INSERT INTO ingest.source_keys (key_id, source, secret_hash, label, scopes, expires_at)
           VALUES (%s, %s, %s, %s, %s, now() + %s * interval '1 day')""",
        (key.key_id, spec.name, key.secret_hash, label, list(only) or None, days),
    )
    return key


_SOURCE = """
INSERT INTO ingest.sources (name, channels, scopes) VALUES (%s, %s, %s)
ON CONFLICT (name) DO UPDATE SET channels = excluded.channels, scopes = excluded.scopes"""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRotation:
    """A new key in place of an old one, which remains valid until `old_ends`."""

    key: MintedKey
    subject: str
    old_ends: datetime


def rotate_key(connection: psycopg.Connection, key_id: str, *, overlap_h: float) -> KeyRotation:
    """Make a key with the old one's permissions, and let the old one end after an overlap in which both work.

    Raises:
        CommandError: there is no such key, it is revoked or expired, or it was rotated already.
    """
    with connection.cursor(row_factory=class_row(ListedKey)) as cursor:
        old = cursor.execute(_LISTED + " WHERE key_id = %s", (key_id,)).fetchone()
    if old is None:
        raise CommandError(f"there is no key {key_id}; `waymark keys list` shows them")
    if old.rotated_to is not None:
        raise CommandError(f"{key_id} was rotated already: {old.rotated_to} takes its place")
    usable = sql.SQL("SELECT %s::timestamptz IS NULL AND (%s::timestamptz IS NULL OR %s > now())")
    if connection.execute(usable, (old.revoked_at, old.expires_at, old.expires_at)).fetchone() != (True,):
        raise CommandError(f"{key_id} is revoked or has expired; make a new one with `waymark keys create`")
    kind = KeyKind(old.kind)
    key = mint(kind)
    ends: list[datetime] = []
    for table in (SOURCE_TABLE,) if kind is KeyKind.SOURCE else API_TABLES:
        copied = _COPY_SOURCE_KEY if kind is KeyKind.SOURCE else _COPY_ROLE_KEY
        connection.execute(sql.SQL(copied).format(table, table), (key.key_id, key.secret_hash, key_id))
        row = connection.execute(sql.SQL(_END).format(table), (overlap_h, key_id)).fetchone()
        ends += row if row is not None else []
    if kind is KeyKind.SOURCE:
        connection.execute("UPDATE ingest.source_keys SET rotated_to = %s WHERE key_id = %s", (key.key_id, key_id))
    return KeyRotation(key=key, subject=old.subject, old_ends=min(ends))


_COPY_SOURCE_KEY = """
INSERT INTO {} (key_id, secret_hash, source, label, scopes, requests_per_s, touchpoints_per_s, expires_at)
SELECT %s, %s, source, label, scopes, requests_per_s, touchpoints_per_s, now() + (expires_at - created_at)
  FROM {} WHERE key_id = %s"""
_COPY_ROLE_KEY = """
INSERT INTO {} (key_id, secret_hash, kind, label, expires_at)
SELECT %s, %s, kind, label, now() + (expires_at - created_at) FROM {} WHERE key_id = %s"""
_END = """
UPDATE {} SET expires_at = least(expires_at, now() + %s * interval '1 hour') WHERE key_id = %s RETURNING expires_at"""


def create_role_key(
    connection: psycopg.Connection, role: KeyKind, *, label: str = "", days: int | None = None
) -> MintedKey:
    """Make a key of one role for every API. The label names the actor in the audit of issues."""
    key = mint(role)
    for table in API_TABLES:
        connection.execute(
            sql.SQL(
                "INSERT INTO {} (key_id, kind, secret_hash, label, expires_at)"
                " VALUES (%s, %s, %s, %s, now() + %s * interval '1 day')"
            ).format(table),
            (key.key_id, role.value, key.secret_hash, label, days),
        )
    return key


def lend_key(connection: psycopg.Connection, source: str, scope: str) -> MintedKey:
    """Make a key of a known source for one scope, valid for an hour at most; the caller takes it back.

    Raises:
        CommandError: there is no such source.
    """
    key = mint(KeyKind.SOURCE)
    try:
        connection.execute(
            """INSERT INTO ingest.source_keys (key_id, source, secret_hash, label, scopes, expires_at)
               VALUES (%s, %s, %s, 'lent to waymark dlq', %s, now() + interval '1 hour')""",
            (key.key_id, source, key.secret_hash, [scope]),
        )
    except psycopg.errors.ForeignKeyViolation as error:
        raise CommandError(f"there is no source {source!r} any more") from error
    return key


def take_key_back(connection: psycopg.Connection, key_id: str) -> None:
    """Remove a key that was lent."""
    connection.execute("DELETE FROM ingest.source_keys WHERE key_id = %s", (key_id,))


def list_keys(connection: psycopg.Connection) -> list[ListedKey]:
    """Return every key, newest first; a role's key that stands in several APIs is listed once."""
    with connection.cursor(row_factory=class_row(ListedKey)) as cursor:
        return cursor.execute(_LISTED + " ORDER BY created_at DESC, key_id").fetchall()


_LISTED = """
SELECT * FROM (
    SELECT k.key_id, 'src' AS kind, k.source AS subject, s.channels, coalesce(k.scopes, s.scopes) AS scopes,
           k.created_at, k.expires_at, coalesce(k.revoked_at, s.disabled_at) AS revoked_at, k.last_used_at,
           k.rotated_to,
           coalesce(k.requests_per_s, s.requests_per_s) AS requests_per_s,
           coalesce(k.touchpoints_per_s, s.touchpoints_per_s) AS touchpoints_per_s
      FROM ingest.source_keys AS k JOIN ingest.sources AS s ON s.name = k.source
    UNION ALL
    SELECT key_id, min(kind), min(label), '{}', '{}', min(created_at), min(expires_at), min(revoked_at),
           max(last_used_at), NULL, NULL, NULL
      FROM (SELECT * FROM ingest.api_keys UNION ALL SELECT * FROM journey.api_keys
            UNION ALL SELECT * FROM alerts.api_keys) AS of_all
     GROUP BY key_id
) AS listed"""


def revoke_key(connection: psycopg.Connection, key_id: str) -> bool:
    """Revoke a key wherever it stands, and return whether there was one. Replicas notice within seconds."""
    found = 0
    for table in (SOURCE_TABLE, *API_TABLES):
        statement = sql.SQL("UPDATE {} SET revoked_at = coalesce(revoked_at, now()) WHERE key_id = %s").format(table)
        found += connection.execute(statement, (key_id,)).rowcount
    return found > 0


def still_valid(connection: psycopg.Connection, text: str) -> bool:
    """Return whether a key that was written down earlier is known to this database and opens everything of its kind."""
    presented = parse(text)
    if presented is None:
        return False
    tables = (SOURCE_TABLE,) if presented.kind is KeyKind.SOURCE else API_TABLES
    usable = sql.SQL(
        "SELECT 1 FROM {} WHERE key_id = %s AND secret_hash = %s AND revoked_at IS NULL"
        " AND (expires_at IS NULL OR expires_at > now())"
    )
    question = (presented.key_id, presented.secret_hash)
    return all(connection.execute(usable.format(table), question).fetchone() for table in tables)
