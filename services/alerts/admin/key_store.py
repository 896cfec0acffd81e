"""API keys as the database keeps them."""

from services.runtime.credentials.api_keys import KeyKind, StoredKey
from services.runtime.postgres.pools import Connection


async def find(connection: Connection, key_id: str) -> StoredKey | None:
    """Return a key by its id, revoked or not; None if the id is unknown."""
    row = await connection.fetchrow("SELECT * FROM alerts.api_keys WHERE key_id = $1", key_id)
    if row is None:
        return None
    return StoredKey(
        kind=KeyKind(row["kind"]),
        key_id=row["key_id"],
        subject=row["label"] or f"{row['kind']}:{row['key_id']}",
        secret_hash=row["secret_hash"],
        expires_at=row["expires_at"],
        revoked=row["revoked_at"] is not None,
    )
