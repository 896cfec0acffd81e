"""The suppression list in PostgreSQL (`ingest.suppressions`, `ingest.suppression_list`)."""

from services.ingest.privacy.suppressions import SuppressionList
from services.runtime.postgres.pools import TRANSIENT, Pool, acquire


class PostgresSuppressionStore:
    """Reads the list. Satisfies `services.ingest.privacy.suppressions.SuppressionListStore`."""

    outages = TRANSIENT

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def read(self, known: int) -> SuppressionList | None:
        """Return the list, or None when it is still at version `known`."""
        async with (
            acquire(self._pool) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            head = await connection.fetchrow("SELECT version, probe FROM ingest.suppression_list")
            if head is None or head["version"] == known:
                return None
            rows = await connection.fetch("SELECT pseudonym, type FROM ingest.suppressions WHERE lifted_at IS NULL")
        return SuppressionList(
            version=head["version"],
            pseudonyms=frozenset(row["pseudonym"] for row in rows),
            types=frozenset(row["type"] for row in rows),
            probe=head["probe"],
        )
