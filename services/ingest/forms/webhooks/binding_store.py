"""The webhooks of sources in PostgreSQL: set-ups in `ingest.sources.dialects`, secrets in `ingest.source_secrets`."""

from collections import defaultdict

from services.ingest.forms.webhooks.bindings import DIALECT, StoredBinding, StoredWebhookSecret
from services.ingest.sources.source_store import SOURCE_COLUMNS, source_of
from services.runtime.credentials.sealing import SealedSecret
from services.runtime.postgres.pools import TRANSIENT, Pool, Row, acquire

_SOURCES = f"SELECT s.scopes, {SOURCE_COLUMNS} FROM ingest.sources s WHERE s.dialects ? $1"  # noqa: S608  columns are ours
_SECRETS = """
SELECT source, material, master_key, mounted, expires_at
  FROM ingest.source_secrets
 WHERE expires_at IS NULL OR expires_at > now()
 ORDER BY id DESC
"""


class PostgresBindingStore:
    """Reads bindings. Satisfies `services.ingest.forms.webhooks.bindings.BindingStore`."""

    outages = TRANSIENT

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def all_bindings(self) -> list[StoredBinding]:
        """Return every source that has a channel system, with its secrets that have not expired."""
        async with acquire(self._pool) as connection:
            sources = await connection.fetch(_SOURCES, DIALECT)
            rows = await connection.fetch(_SECRETS) if sources else []
        secrets: defaultdict[str, list[StoredWebhookSecret]] = defaultdict(list)
        for row in rows:
            secrets[row["source"]].append(_secret(row))
        found = [source_of(row) for row in sources]
        return [
            StoredBinding(source=source, setup=source.dialects[DIALECT], secrets=secrets[source.name])
            for source in found
        ]


def _secret(row: Row) -> StoredWebhookSecret:
    material = row["material"]
    sealed = SealedSecret(material=bytes(material), master_key=row["master_key"]) if material is not None else None
    return StoredWebhookSecret(sealed=sealed, mounted=row["mounted"], expires_at=row["expires_at"])
