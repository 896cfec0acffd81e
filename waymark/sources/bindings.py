"""Sources that are channel systems, as the operator sets them up: bound to a system, with the secrets it signs with.

What a secret is sealed under is the process's matter (`WAYMARK_INGEST_SECRET_KEYS`); without a master key it is stored
as it is, and `SecretSpec.sealed` says so.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from services.ingest.forms.webhooks.bindings import DIALECT
from services.runtime.credentials.sealing import SecretSealer
from waymark.console import CommandError

_NONCE_BYTES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceBinding:
    """A source and its channel system. `options` and the rest as in `webhooks.bindings.Setup`."""

    name: str
    system: str
    channels: Sequence[str] = ()
    public_url: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    addresses: Sequence[str] | None = None

    @property
    def setup(self) -> dict[str, Any]:
        """The set-up as stored: only what was given."""
        whole = {
            "system": self.system,
            "public_url": self.public_url,
            "options": dict(self.options),
            "addresses": list(self.addresses) if self.addresses is not None else None,
        }
        return {name: value for name, value in whole.items() if value or name == "system"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedBinding:
    """A source with a channel system, as it may be shown: never its secrets."""

    name: str
    setup: dict[str, Any]
    secrets: int
    oldest_ends: datetime | None
    disabled: bool

    @property
    def system(self) -> str:
        """The channel system of this source."""
        return str(self.setup.get("system", ""))


def bind(connection: psycopg.Connection, binding: SourceBinding) -> None:
    """Bind a source to a system. A new source is created; an existing one takes over channels and set-up."""
    try:
        connection.execute(_BIND, (binding.name, list(binding.channels), Jsonb({DIALECT: binding.setup})))
    except psycopg.errors.CheckViolation as error:
        raise CommandError(
            f"{binding.name!r} is no name for a source: letters, digits, dot, dash, underscore, at most 64", exit_code=2
        ) from error


_BIND = """
INSERT INTO ingest.sources (name, channels, dialects) VALUES (%s, %s, %s)
ON CONFLICT (name) DO UPDATE
   SET channels = excluded.channels, dialects = ingest.sources.dialects || excluded.dialects"""


def add_secret(connection: psycopg.Connection, source: str, secret: str, seal: SecretSealer) -> None:
    """Store one more secret of a source, sealed where a master key is set."""
    sealed = seal.seal(secret, owner=source, nonce=secrets.token_bytes(_NONCE_BYTES))
    connection.execute(
        "INSERT INTO ingest.source_secrets (source, material, master_key) VALUES (%s, %s, %s)",
        (source, sealed.material, sealed.master_key),
    )


def add_mounted(connection: psycopg.Connection, source: str, file: str) -> None:
    """Store the name of a file, mounted by ingest, that holds one more secret."""
    try:
        connection.execute("INSERT INTO ingest.source_secrets (source, mounted) VALUES (%s, %s)", (source, file))
    except psycopg.errors.CheckViolation as error:
        raise CommandError(
            f"{file!r} is no file's name: letters, digits, dot, dash, underscore", exit_code=2
        ) from error


def end_secrets(connection: psycopg.Connection, source: str, *, overlap_h: float) -> int:
    """Let the secrets that a source has end after the overlap; return how many."""
    return connection.execute(_END, (overlap_h, source)).rowcount


_END = """
UPDATE ingest.source_secrets SET expires_at = least(expires_at, now() + %s * interval '1 hour')
 WHERE source = %s AND (expires_at IS NULL OR expires_at > now())"""


def unbind(connection: psycopg.Connection, source: str) -> bool:
    """Remove the webhook of a source with its secrets, and return whether there was one."""
    connection.execute("DELETE FROM ingest.source_secrets WHERE source = %s", (source,))
    statement = "UPDATE ingest.sources SET dialects = dialects - %s WHERE name = %s AND dialects ? %s"
    return connection.execute(statement, (DIALECT, source, DIALECT)).rowcount > 0


def list_bindings(connection: psycopg.Connection) -> list[ListedBinding]:
    """Return every source that has a channel system, by name."""
    with connection.cursor(row_factory=class_row(ListedBinding)) as cursor:
        return cursor.execute(_LIST, (DIALECT, DIALECT)).fetchall()


_LIST = """
SELECT s.name, s.dialects -> %s AS setup, s.disabled_at IS NOT NULL AS disabled,
       count(k.id) AS secrets, min(k.expires_at) AS oldest_ends
  FROM ingest.sources s
  LEFT JOIN ingest.source_secrets k ON k.source = s.name AND (k.expires_at IS NULL OR k.expires_at > now())
 WHERE s.dialects ? %s
 GROUP BY s.name ORDER BY s.name"""
