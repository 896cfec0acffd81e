"""The table of touchpoints that were ever applied. It guards against producers that send a touchpoint again."""

from collections.abc import Mapping, Sequence

from services.journey.consume.decoding import DecodedRecord
from services.journey.domain.touchpoint import TouchpointKey
from services.runtime.postgres.pools import Connection

_INSERT = """
WITH new AS (
    INSERT INTO journey.seen (source, id, fingerprint, occurred_at)
    SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[], $4::timestamptz[])
    ON CONFLICT DO NOTHING RETURNING source, id)
SELECT * FROM unnest($1::text[], $2::text[]) EXCEPT ALL SELECT source, id FROM new"""


async def remember(connection: Connection, given: Mapping[TouchpointKey, DecodedRecord]) -> set[TouchpointKey]:
    """Insert new touchpoints, and return the keys of known ones; those are fewer, so little is sent back.

    The keys are locked in their order.
    """
    if not given:
        return set()
    ordered = sorted(given)
    rows = await connection.fetch(
        _INSERT,
        [source for source, _ in ordered],
        [id_ for _, id_ in ordered],
        [given[key].fingerprint for key in ordered],
        [given[key].touchpoint.occurred_at for key in ordered],
    )
    return {(source, id_) for source, id_ in rows}


_FINGERPRINTS = """
SELECT s.source, s.id, s.fingerprint
  FROM unnest($1::text[], $2::text[]) AS k (source, id) JOIN journey.seen AS s USING (source, id)"""


async def fingerprints(connection: Connection, keys: Sequence[TouchpointKey]) -> dict[TouchpointKey, bytes]:
    """Return the fingerprints under which these keys were first applied."""
    rows = await connection.fetch(_FINGERPRINTS, [source for source, _ in keys], [id_ for _, id_ in keys])
    return {(row["source"], row["id"]): row["fingerprint"] for row in rows}
