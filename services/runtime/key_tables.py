"""The tables of API keys: what they have in common, and the one shape that every service has for the keys of roles.

A role's key opens every API, so it stands in each of these tables with the same id and hash. Checking a presented key
is left to `services.runtime.credentials.api_keys`, putting the tables together to the operator's command.
"""

from dataclasses import dataclass
from datetime import datetime

from services.runtime.credentials.api_keys import KeyKind, MintedKey, PresentedKey, StoredKey
from services.runtime.postgres.pools import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedKey:
    """A key as it may be shown: never its secret. Channels, scopes and limits per second are those of a source's."""

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


@dataclass(frozen=True, slots=True)
class KeyTable:
    """A table of keys by `name`, with its schema."""

    name: str

    async def revoke(self, connection: Connection, key_id: str) -> bool:
        """Revoke a key unless it is revoked already, and return whether there is one. Processes notice in seconds."""
        done = await connection.execute(self._of(_REVOKE), key_id)
        return not done.endswith(" 0")

    async def admits(self, connection: Connection, key: PresentedKey) -> bool:
        """Return whether a key with this id and secret is stored, and neither revoked nor expired."""
        admitted: bool = await connection.fetchval(self._of(_ADMITS), key.key_id, key.secret_hash)
        return admitted

    def _of(self, statement: str) -> str:
        return statement.format(table=self.name)


class RoleKeyTable(KeyTable):
    """A table of keys of roles."""

    async def find(self, connection: Connection, key_id: str) -> StoredKey | None:
        """Return a key by its id, revoked or not; None if the id is unknown. Its subject is its label."""
        row = await connection.fetchrow(self._of(_FIND), key_id)
        if row is None:
            return None
        return StoredKey(
            kind=KeyKind(row["kind"]),
            key_id=row["key_id"],
            subject=row["label"],
            secret_hash=row["secret_hash"],
            expires_at=row["expires_at"],
            revoked=row["revoked"],
        )

    async def add(self, connection: Connection, key: MintedKey, *, label: str, days: int | None) -> None:
        """Store a new key; it expires after `days`, or never."""
        await connection.execute(self._of(_ADD), key.key_id, key.kind.value, key.secret_hash, label, days)

    async def replace(
        self, connection: Connection, key_id: str, fresh: MintedKey, *, overlap_h: float
    ) -> datetime | None:
        """Store `fresh` with what the old key has, and return when the old one ends: after the overlap, or sooner.

        Returns None, and stores nothing, if the old key is unknown, revoked or expired.
        """
        copied = await connection.execute(self._of(_COPY), fresh.key_id, fresh.secret_hash, key_id)
        if copied.endswith(" 0"):
            return None
        ends: datetime = await connection.fetchval(self._of(_END), overlap_h, key_id)
        return ends

    async def list_all(self, connection: Connection) -> list[ListedKey]:
        """Return every key of the table, in no order."""
        return [ListedKey(**dict(row)) for row in await connection.fetch(self._of(_LIST))]


_FIND = """
SELECT kind, key_id, label, secret_hash, expires_at, revoked_at IS NOT NULL AS revoked FROM {table} WHERE key_id = $1"""
_ADD = """
INSERT INTO {table} (key_id, kind, secret_hash, label, expires_at)
VALUES ($1, $2, $3, $4, now() + $5::integer * interval '1 day')"""
_COPY = """
INSERT INTO {table} (key_id, secret_hash, kind, label, expires_at)
SELECT $1, $2, kind, label, now() + (expires_at - created_at)
  FROM {table} WHERE key_id = $3 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())"""
_END = """
UPDATE {table} SET expires_at = least(expires_at, now() + $1::float8 * interval '1 hour') WHERE key_id = $2
RETURNING expires_at"""
_LIST = """
SELECT key_id, kind, label AS subject, '{{}}'::text[] AS channels, '{{}}'::text[] AS scopes, created_at, expires_at,
       revoked_at, last_used_at, NULL AS rotated_to, NULL AS requests_per_s, NULL AS touchpoints_per_s
  FROM {table}"""
_REVOKE = "UPDATE {table} SET revoked_at = coalesce(revoked_at, now()) WHERE key_id = $1"
_ADMITS = """
SELECT EXISTS (SELECT FROM {table} WHERE key_id = $1 AND secret_hash = $2 AND revoked_at IS NULL
                  AND (expires_at IS NULL OR expires_at > now()))"""
