"""API keys as the database keeps them."""

from dataclasses import replace

from services.runtime.credentials.api_keys import StoredKey
from services.runtime.key_tables import RoleKeyTable
from services.runtime.postgres.pools import Connection

_ROLE_KEYS = RoleKeyTable("alerts.api_keys")


async def find(connection: Connection, key_id: str) -> StoredKey | None:
    """Return a key by its id, revoked or not; None if the id is unknown. One without a label has a subject too."""
    key = await _ROLE_KEYS.find(connection, key_id)
    return key if key is None or key.subject else replace(key, subject=f"{key.kind}:{key.key_id}")
