"""The table of touchpoints that were ever applied. It guards against producers that send a touchpoint again."""

from collections.abc import Collection, Sequence
from datetime import datetime
from operator import attrgetter

import msgspec

from services.runtime.postgres.pools import Connection

Key = tuple[str, str]
"""`(source, id)` of a touchpoint."""


class SeenTouchpoint(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A touchpoint read from the log: its key, and the fingerprint of its content."""

    source: str
    id: str
    fingerprint: bytes
    occurred_at: datetime


_INSERT = """
WITH new AS (
    INSERT INTO journey.seen (source, id, fingerprint, occurred_at)
    SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[], $4::timestamptz[])
    ON CONFLICT DO NOTHING RETURNING source, id)
SELECT * FROM unnest($1::text[], $2::text[]) EXCEPT ALL SELECT source, id FROM new"""


async def remember(connection: Connection, sightings: Collection[SeenTouchpoint]) -> set[Key]:
    """Insert new touchpoints, and return the keys of known ones; those are fewer, so little is sent back.

    The keys must differ. They are locked in their order.
    """
    ordered = sorted(sightings, key=attrgetter("source", "id"))
    rows = await connection.fetch(
        _INSERT,
        [sighting.source for sighting in ordered],
        [sighting.id for sighting in ordered],
        [sighting.fingerprint for sighting in ordered],
        [sighting.occurred_at for sighting in ordered],
    )
    return {(source, id_) for source, id_ in rows}


_FINGERPRINTS = """
SELECT s.source, s.id, s.fingerprint
  FROM unnest($1::text[], $2::text[]) AS k (source, id) JOIN journey.seen AS s USING (source, id)"""


async def fingerprints(connection: Connection, keys: Sequence[Key]) -> dict[Key, bytes]:
    """Return the fingerprints under which these keys were first applied."""
    rows = await connection.fetch(_FINGERPRINTS, [source for source, _ in keys], [id_ for _, id_ in keys])
    return {(row["source"], row["id"]): row["fingerprint"] for row in rows}
