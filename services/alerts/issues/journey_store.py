"""Journeys as the database keeps them: rows under lock, at their highest version, found through merges.

Locks on journeys come before those on frictions. Whoever puts an issue on a journey locks its row, and so does whoever
writes a newer version of it: neither misses the other, whichever comes first.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from services.alerts.issues.model import JourneyNow
from services.runtime.postgres.pools import Connection, columns

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(JourneyNow)

MOST_MERGES = 10
"""How many merges of journeys are followed; a longer chain is a circle."""


async def await_journeys(connection: Connection, ids: Iterable[str], now: datetime) -> None:
    """Insert a row for each journey that has none, and lock them all, in the order of their ids."""
    ordered = sorted(set(ids))
    if not ordered:
        return
    await connection.execute(
        """
        INSERT INTO alerts.journeys (journey_id, version, updated_at)
        SELECT journey_id, 0, $2 FROM unnest($1::text[]) AS journey_id ON CONFLICT DO NOTHING
        """,
        ordered,
        now,
    )
    await known_versions(connection, ordered)


async def known_versions(connection: Connection, ids: Iterable[str]) -> dict[str, int]:
    """Lock the rows of these journeys, in the order of their ids, and return the versions of those that have one."""
    rows = await connection.fetch(
        "SELECT journey_id, version FROM alerts.journeys WHERE journey_id = ANY($1) ORDER BY journey_id FOR UPDATE",
        sorted(set(ids)),
    )
    return {row["journey_id"]: row["version"] for row in rows}


async def save(connection: Connection, journeys: Sequence[JourneyNow], now: datetime) -> None:
    """Write journeys whose rows are locked."""
    if not journeys:
        return
    await connection.execute(
        """
        UPDATE alerts.journeys j
           SET version = g.version, merged_into = g.merged_into, document = g.document::json, updated_at = $5
          FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[])
               AS g (journey_id, version, merged_into, document)
         WHERE j.journey_id = g.journey_id
        """,
        *columns((j.id, j.version, j.merged_into, _encoder.encode(j).decode()) for j in journeys),
        now,
    )


async def find(connection: Connection, ids: Iterable[str]) -> dict[str, JourneyNow | None]:
    """Return what is known of these journeys, by the id that was asked for; merged ones lead to what holds them now.

    None stands for a journey that is gone. Journeys that nothing is known of yet are left out.
    """
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    rows = await connection.fetch(
        """
        WITH RECURSIVE path AS (
            SELECT journey_id AS asked, journey_id, merged_into, document, 1 AS step
              FROM alerts.journeys WHERE journey_id = ANY($1)
             UNION ALL
            SELECT p.asked, j.journey_id, j.merged_into, j.document, p.step + 1
              FROM path p JOIN alerts.journeys j ON j.journey_id = p.merged_into
             WHERE p.step < $2
        )
        SELECT DISTINCT ON (asked) asked, document FROM path ORDER BY asked, step DESC
        """,
        wanted,
        MOST_MERGES,
    )
    found = {row["asked"]: _decoder.decode(row["document"]) for row in rows if row["document"] is not None}
    return {asked: None if journey.gone else journey for asked, journey in found.items()}


async def names_of(connection: Connection, ids: Iterable[str]) -> list[str]:
    """Return these journeys and all that were merged into them."""
    rows = await connection.fetch(
        """
        WITH RECURSIVE name AS (
            SELECT journey_id, 1 AS step FROM unnest($1::text[]) AS journey_id
             UNION
            SELECT j.journey_id, n.step + 1
              FROM name n JOIN alerts.journeys j ON j.merged_into = n.journey_id
             WHERE n.step < $2
        )
        SELECT DISTINCT journey_id FROM name
        """,
        sorted(set(ids)),
        MOST_MERGES,
    )
    return [row["journey_id"] for row in rows]
