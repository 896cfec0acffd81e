"""The sources and their keys in PostgreSQL (`ingest.sources`, `ingest.source_keys`)."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec

from schemas.vocabulary import Channel
from services.ingest.sources.source import Source, SourcePace, SourceScope
from services.ingest.sources.source_keys import SourceKey
from services.ingest.timing.touchpoint_time import ClockMode
from services.runtime.credentials.api_keys import KeyKind, StoredKey
from services.runtime.key_tables import RoleKeyTable
from services.runtime.postgres.pools import TRANSIENT, Pool, Row, acquire
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

SOURCE_COLUMNS = """s.name, s.channels, s.defaults::text AS defaults, s.dialects::text AS dialects, s.origins, s.clock,
       s.requests_per_s, s.touchpoints_per_s, s.disabled_at IS NOT NULL AS disabled"""
"""What `source_of` reads of `ingest.sources s`, beside `scopes`."""

_ROLE_KEYS = RoleKeyTable("ingest.api_keys")

_KEYS = f"""
SELECT k.key_id, k.secret_hash, k.expires_at, k.revoked_at IS NOT NULL AS revoked,
       k.requests_per_s AS key_requests, k.touchpoints_per_s AS key_touchpoints,
       coalesce(k.scopes, s.scopes) AS scopes, {SOURCE_COLUMNS}
  FROM ingest.source_keys k JOIN ingest.sources s ON s.name = k.source
"""  # noqa: S608  the columns are ours


class SourceStore:
    """Reads keys with their sources. Satisfies `services.ingest.sources.source_keys.SourceKeyStore`."""

    outages = TRANSIENT

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def all_keys(self) -> list[SourceKey]:
        """Return every key that is not revoked."""
        async with acquire(self._pool) as connection:
            rows = await connection.fetch(_KEYS + " WHERE k.revoked_at IS NULL")
        return [_key(row) for row in rows]

    async def one_key(self, key_id: str) -> SourceKey | None:
        """Return the key with that id, revoked or not."""
        async with acquire(self._pool) as connection:
            row = await connection.fetchrow(_KEYS + " WHERE k.key_id = $1", key_id)
        return _key(row) if row is not None else None

    async def one_operator(self, key_id: str) -> StoredKey | None:
        """Return the operator's key with that id, revoked or not."""
        async with acquire(self._pool) as connection:
            return await _ROLE_KEYS.find(connection, key_id)

    async def mark_used(self, key_ids: frozenset[str], at: datetime) -> None:
        """Note when keys were last used."""
        async with acquire(self._pool) as connection:
            for table in ("source_keys", "api_keys"):
                await connection.execute(
                    f"UPDATE ingest.{table} SET last_used_at = $2 WHERE key_id = ANY ($1)",  # noqa: S608  a constant
                    sorted(key_ids),
                    at,
                )


def source_of(row: Row) -> Source:
    """Return the source in a row of `scopes` and `SOURCE_COLUMNS`, without a key."""
    return Source(
        name=row["name"],
        channels=_channels(row),
        scopes=frozenset(SourceScope(scope) for scope in row["scopes"]),
        defaults=_object(row["defaults"]),
        dialects=_object(row["dialects"]),
        origins=frozenset(row["origins"]),
        clock=ClockMode(row["clock"]),
        disabled=row["disabled"],
        pace=SourcePace(requests=row["requests_per_s"], touchpoints=row["touchpoints_per_s"]),
    )


def _key(row: Row) -> SourceKey:
    pace = SourcePace(requests=row["key_requests"], touchpoints=row["key_touchpoints"])
    source = replace(source_of(row), key_id=row["key_id"], key_pace=pace)
    key = StoredKey(
        kind=KeyKind.SOURCE,
        key_id=row["key_id"],
        subject=source.name,
        secret_hash=bytes(row["secret_hash"]),
        expires_at=row["expires_at"],
        revoked=row["revoked"],
    )
    return SourceKey(key=key, source=source)


def _channels(row: Row) -> frozenset[Channel] | None:
    if not row["channels"]:
        return None
    known = frozenset(Channel)
    unknown = sorted(set(row["channels"]) - known)
    if unknown:
        _log.error("source names unknown channels", source=row["name"], channels=unknown)
    return frozenset(Channel(name) for name in row["channels"] if name in known)


def _object(text: str) -> Mapping[str, Any]:
    return msgspec.json.decode(text, type=dict[str, Any])
