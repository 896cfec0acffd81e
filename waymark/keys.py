"""Keys as the operator handles them: make, list, revoke. A source's key is one row; a role's key stands in both APIs.

The text of a key leaves this module once, as the answer of `create_*`; only its hash is stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from services.runtime.keys import KeyKind, MintedKey, mint, parse
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


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSpec:
    """A producer system: `channels` it may speak of (none: all) and whether it may send old touchpoints."""

    name: str
    channels: Sequence[str] = ()
    replay: bool = False

    @property
    def scopes(self) -> list[str]:
        """The scopes as they are stored."""
        return ["write", "inspect", "replay"] if self.replay else ["write", "inspect"]


def create_source_key(
    connection: psycopg.Connection, spec: SourceSpec, *, label: str = "", days: int | None = None
) -> MintedKey:
    """Make a key for a source, and the source if it is new; a known one takes over the channels and scopes."""
    try:
        connection.execute(
            """INSERT INTO ingest.sources (name, channels, scopes) VALUES (%s, %s, %s)
               ON CONFLICT (name) DO UPDATE SET channels = excluded.channels, scopes = excluded.scopes""",
            (spec.name, list(spec.channels), spec.scopes),
        )
    except psycopg.errors.CheckViolation as error:
        raise CommandError(
            f"{spec.name!r} is no name for a source: letters, digits, dot, dash, underscore, at most 64", exit_code=2
        ) from error
    key = mint(KeyKind.SOURCE)
    connection.execute(
        """INSERT INTO ingest.source_keys (key_id, source, secret_hash, label, expires_at)
           VALUES (%s, %s, %s, %s, now() + %s * interval '1 day')""",
        (key.key_id, spec.name, key.secret_hash, label, days),
    )
    return key


def create_role_key(
    connection: psycopg.Connection, role: KeyKind, *, label: str = "", days: int | None = None
) -> MintedKey:
    """Make a key of one role for both APIs. The label names the actor in the audit of issues."""
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


def list_keys(connection: psycopg.Connection) -> list[ListedKey]:
    """Every key, newest first; a role's key that stands in both APIs once."""
    with connection.cursor(row_factory=class_row(ListedKey)) as cursor:
        return cursor.execute(
            """SELECT key_id, 'src' AS kind, source AS subject, channels, scopes,
                      k.created_at, expires_at, coalesce(revoked_at, disabled_at) AS revoked_at, last_used_at
                 FROM ingest.source_keys AS k JOIN ingest.sources AS s ON s.name = k.source
               UNION ALL
               SELECT key_id, min(kind), min(label), '{}', '{}', min(created_at), min(expires_at), min(revoked_at),
                      max(last_used_at)
                 FROM (SELECT * FROM ingest.api_keys UNION ALL SELECT * FROM journey.api_keys
                       UNION ALL SELECT * FROM alerts.api_keys) AS of_all
                GROUP BY key_id
               ORDER BY created_at DESC, key_id"""
        ).fetchall()


def revoke_key(connection: psycopg.Connection, key_id: str) -> bool:
    """Revoke a key wherever it stands; says whether there was one. Replicas notice within seconds."""
    found = 0
    for table in (SOURCE_TABLE, *API_TABLES):
        statement = sql.SQL("UPDATE {} SET revoked_at = coalesce(revoked_at, now()) WHERE key_id = %s").format(table)
        found += connection.execute(statement, (key_id,)).rowcount
    return found > 0


def still_valid(connection: psycopg.Connection, text: str) -> bool:
    """Whether a key that was written down earlier is known to this database and opens everything of its kind."""
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
