"""What the operator may do with sources and their keys: make, list, rotate and revoke keys, set how a source is read.

Every function works in the caller's transaction. The text of a key is in the `MintedKey` that the caller made or is
given; only its hash is stored.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import msgspec

from services.runtime.credentials.api_keys import KeyKind, MintedKey, mint
from services.runtime.key_tables import KeyTable, ListedKey, RoleKeyTable
from services.runtime.postgres.pools import Connection

KEYS = KeyTable("ingest.source_keys")
ROLE_KEYS = RoleKeyTable("ingest.api_keys")


class SourceNameError(Exception):
    """A name that no source can have: it is not of letters, digits, dot, dash and underscore, or too long."""


class UnknownSourceError(Exception):
    """There is no source of this name."""


class ForbiddenChannelError(Exception):
    """A default channel that the source may not use; `allowed` are those that it may."""

    def __init__(self, allowed: Sequence[str]) -> None:
        super().__init__(", ".join(allowed))
        self.allowed = allowed


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


_SOURCE = """
INSERT INTO ingest.sources AS s (name, channels, scopes, requests_per_s, touchpoints_per_s)
VALUES ($1, $2, $3, nullif($4::real, 0), nullif($5::real, 0))
ON CONFLICT (name) DO UPDATE
   SET channels = excluded.channels, scopes = excluded.scopes,
       requests_per_s = CASE WHEN $4 IS NULL THEN s.requests_per_s ELSE excluded.requests_per_s END,
       touchpoints_per_s = CASE WHEN $5 IS NULL THEN s.touchpoints_per_s ELSE excluded.touchpoints_per_s END"""
_KEY = """
INSERT INTO ingest.source_keys (key_id, source, secret_hash, label, scopes, expires_at)
VALUES ($1, $2, $3, $4, $5, now() + $6::interval)"""


async def create_source_key(
    connection: Connection, spec: SourceSpec, *, label: str = "", days: int | None = None, only: Sequence[str] = ()
) -> MintedKey:
    """Make a key for a source. A new source is created; an existing one takes over channels, scopes and rate.

    `only` are the scopes of this key alone: a key that stands in a web page should only write.

    Raises:
        SourceNameError: no source can have this name.
    """
    try:
        await connection.execute(
            _SOURCE, spec.name, list(spec.channels), spec.scopes, spec.requests_per_s, spec.touchpoints_per_s
        )
    except asyncpg.CheckViolationError:
        raise SourceNameError(spec.name) from None
    lasting = None if days is None else timedelta(days=days)
    key = mint(KeyKind.SOURCE)
    await connection.execute(_KEY, key.key_id, spec.name, key.secret_hash, label, list(only) or None, lasting)
    return key


async def lend_source_key(connection: Connection, source: str, scope: str) -> MintedKey:
    """Make a key of a known source for one scope, valid for an hour at most; the caller takes it back.

    Raises:
        UnknownSourceError: there is no such source.
    """
    key = mint(KeyKind.SOURCE)
    try:
        await connection.execute(
            _KEY, key.key_id, source, key.secret_hash, "lent to waymark dlq", [scope], timedelta(hours=1)
        )
    except asyncpg.ForeignKeyViolationError:
        raise UnknownSourceError(source) from None
    return key


async def take_source_key_back(connection: Connection, key_id: str) -> None:
    """Remove a key that was lent."""
    await connection.execute("DELETE FROM ingest.source_keys WHERE key_id = $1", key_id)


_LIST = """
SELECT k.key_id, 'src' AS kind, k.source AS subject, s.channels, coalesce(k.scopes, s.scopes) AS scopes,
       k.created_at, k.expires_at, coalesce(k.revoked_at, s.disabled_at) AS revoked_at, k.last_used_at, k.rotated_to,
       coalesce(k.requests_per_s, s.requests_per_s) AS requests_per_s,
       coalesce(k.touchpoints_per_s, s.touchpoints_per_s) AS touchpoints_per_s
  FROM ingest.source_keys AS k JOIN ingest.sources AS s ON s.name = k.source"""


async def list_source_keys(connection: Connection) -> list[ListedKey]:
    """Return every source's keys, in no order."""
    return [ListedKey(**dict(row)) for row in await connection.fetch(_LIST)]


_COPY = """
INSERT INTO ingest.source_keys (
    key_id, secret_hash, source, label, scopes, requests_per_s, touchpoints_per_s, expires_at)
SELECT $1, $2, k.source, k.label, k.scopes, k.requests_per_s, k.touchpoints_per_s, now() + (k.expires_at - k.created_at)
  FROM ingest.source_keys AS k JOIN ingest.sources AS s ON s.name = k.source
 WHERE k.key_id = $3 AND k.revoked_at IS NULL AND s.disabled_at IS NULL
   AND (k.expires_at IS NULL OR k.expires_at > now())"""
_END = """
UPDATE ingest.source_keys SET expires_at = least(expires_at, now() + $1::float8 * interval '1 hour'), rotated_to = $2
 WHERE key_id = $3 RETURNING expires_at"""


async def replace_source_key(
    connection: Connection, key_id: str, fresh: MintedKey, *, overlap_h: float
) -> datetime | None:
    """Store `fresh` with what the old key has, and return when the old one ends: after the overlap, or sooner.

    Returns None, and stores nothing, if the old key is unknown, revoked or expired, or its source disabled.
    """
    copied = await connection.execute(_COPY, fresh.key_id, fresh.secret_hash, key_id)
    if copied.endswith(" 0"):
        return None
    ends: datetime = await connection.fetchval(_END, overlap_h, fresh.key_id, key_id)
    return ends


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceReading:
    """How a source is read; None leaves a setting as it is. An empty dialect removes the source's own.

    `dialects` holds, by the name of the wire form, what its form has checked.
    """

    dialects: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    origins: Sequence[str] | None = None
    clock: str | None = None
    channel: str | None = None
    """The default channel; an empty one takes the default away."""


_READING = """
UPDATE ingest.sources
   SET dialects = (dialects - $2::text[]) || $3::jsonb,
       origins = coalesce($4::text[], origins),
       clock = coalesce($5, clock),
       defaults = CASE WHEN $6::text IS NULL THEN defaults
                       ELSE (defaults - 'channel') || jsonb_strip_nulls(jsonb_build_object('channel', nullif($6, '')))
                  END
 WHERE name = $1"""


async def set_reading(connection: Connection, source: str, reading: SourceReading) -> None:
    """Set how a source is read. Replicas notice within seconds.

    Raises:
        ForbiddenChannelError: the source may not use the default channel.
        UnknownSourceError: there is no such source.
    """
    if reading.channel:
        allowed = await connection.fetchval("SELECT channels FROM ingest.sources WHERE name = $1", source)
        if allowed and reading.channel not in allowed:
            raise ForbiddenChannelError(sorted(allowed))
    added = {name: dialect for name, dialect in reading.dialects.items() if dialect}
    done = await connection.execute(
        _READING,
        source,
        list(reading.dialects),
        msgspec.json.encode(added).decode(),
        None if reading.origins is None else list(reading.origins),
        reading.clock,
        reading.channel,
    )
    if done.endswith(" 0"):
        raise UnknownSourceError(source)
