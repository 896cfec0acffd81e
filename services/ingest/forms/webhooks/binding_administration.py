"""What the operator may do with webhooks: bind a source to a channel system, store its secrets, take both away.

Every function works in the caller's transaction. A secret comes here sealed, or as the name of a mounted file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from services.ingest.forms.webhooks.bindings import DIALECT
from services.ingest.sources.source_administration import SourceNameError
from services.runtime.credentials.sealing import SealedSecret
from services.runtime.postgres.pools import Connection


class MountedFileError(Exception):
    """A name that no mounted file can have: it is not of letters, digits, dot, dash and underscore, or too long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceBinding:
    """A source and its channel system. `options` and the rest as in `bindings.WebhookSetup`."""

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


_BIND = """
INSERT INTO ingest.sources (name, channels, dialects) VALUES ($1, $2, $3)
ON CONFLICT (name) DO UPDATE
   SET channels = excluded.channels, dialects = ingest.sources.dialects || excluded.dialects"""


async def bind(connection: Connection, binding: SourceBinding) -> None:
    """Bind a source to a system. A new source is created; an existing one takes over channels and set-up.

    Raises:
        SourceNameError: no source can have this name.
    """
    dialect = msgspec.json.encode({DIALECT: binding.setup}).decode()
    try:
        await connection.execute(_BIND, binding.name, list(binding.channels), dialect)
    except asyncpg.CheckViolationError:
        raise SourceNameError(binding.name) from None


async def add_secret(connection: Connection, source: str, secret: SealedSecret) -> None:
    """Store one more secret of a source."""
    await connection.execute(
        "INSERT INTO ingest.source_secrets (source, material, master_key) VALUES ($1, $2, $3)",
        *(source, secret.material, secret.master_key),
    )


async def add_mounted(connection: Connection, source: str, file: str) -> None:
    """Store the name of a file, mounted by ingest, that holds one more secret.

    Raises:
        MountedFileError: no file can have this name.
    """
    try:
        await connection.execute("INSERT INTO ingest.source_secrets (source, mounted) VALUES ($1, $2)", source, file)
    except asyncpg.CheckViolationError:
        raise MountedFileError(file) from None


_END = """
UPDATE ingest.source_secrets SET expires_at = least(expires_at, now() + $1::float8 * interval '1 hour')
 WHERE source = $2 AND (expires_at IS NULL OR expires_at > now())"""


async def end_secrets(connection: Connection, source: str, *, overlap_h: float) -> int:
    """Let the secrets that a source has end after the overlap; return how many."""
    done = await connection.execute(_END, overlap_h, source)
    return int(done.split()[-1])


async def unbind(connection: Connection, source: str) -> bool:
    """Remove the webhook of a source with its secrets, and return whether there was one."""
    await connection.execute("DELETE FROM ingest.source_secrets WHERE source = $1", source)
    done = await connection.execute(
        "UPDATE ingest.sources SET dialects = dialects - $2 WHERE name = $1 AND dialects ? $2", source, DIALECT
    )
    return not done.endswith(" 0")


_LIST = """
SELECT s.name, (s.dialects -> $1)::text AS setup, s.disabled_at IS NOT NULL AS disabled,
       count(k.id) AS secrets, min(k.expires_at) AS oldest_ends
  FROM ingest.sources s
  LEFT JOIN ingest.source_secrets k ON k.source = s.name AND (k.expires_at IS NULL OR k.expires_at > now())
 WHERE s.dialects ? $1
 GROUP BY s.name ORDER BY s.name"""


async def list_bindings(connection: Connection) -> list[ListedBinding]:
    """Return every source that has a channel system, by name."""
    rows = await connection.fetch(_LIST, DIALECT)
    return [ListedBinding(**{**dict(row), "setup": msgspec.json.decode(row["setup"])}) for row in rows]
