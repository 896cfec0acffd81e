"""The table of moments since when a definition of the domain is in force."""

from datetime import datetime

from services.runtime.postgres.pools import Connection


async def conversations(connection: Connection) -> datetime | None:
    """Return since when contacts are conversations here, None if they always were; it never changes."""
    moment: datetime | None = await connection.fetchval(
        "SELECT moment FROM journey.moments WHERE name = 'conversations'"
    )
    return moment
