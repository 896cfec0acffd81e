"""Touchpoints: the facts, one row each, and the history of a customer read back as the domain sees it."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from services.journey.domain.touchpoint import Recorded, Touchpoint
from services.runtime.postgres import Connection

Since = Mapping[UUID, datetime | None]
"""Customers, and from when on their past matters: None for all of it."""

_DECODER = msgspec.json.Decoder(Touchpoint)


@dataclass(frozen=True, slots=True, kw_only=True)
class TouchpointRow:
    """A touchpoint to insert; `payload` is touchpoint v1 as published."""

    touchpoint: Touchpoint
    customer_id: UUID
    journey_id: UUID | None
    appended_at: datetime
    late: bool
    payload: str


_INSERT = """
INSERT INTO journey.touchpoints (source, id, customer_id, journey_id, occurred_at, received_at, appended_at,
                                 sequence, channel, kind, late, replay, payload)
SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[], $4::uuid[], $5::timestamptz[], $6::timestamptz[],
                     $7::timestamptz[], $8::bigint[], $9::text[], $10::text[], $11::bool[], $12::bool[], $13::json[])"""


async def insert(connection: Connection, rows: Sequence[TouchpointRow]) -> None:
    """Insert new touchpoints."""
    points = [row.touchpoint for row in rows]
    await connection.execute(
        _INSERT,
        [point.source for point in points],
        [point.id for point in points],
        [row.customer_id for row in rows],
        [row.journey_id for row in rows],
        [point.occurred_at for point in points],
        [point.received_at for point in points],
        [row.appended_at for row in rows],
        [point.sequence or 0 for point in points],
        [point.channel for point in points],
        [point.kind for point in points],
        [row.late for row in rows],
        [point.replay for point in points],
        [row.payload for row in rows],
    )


_HISTORY = """
SELECT h.* FROM unnest($1::uuid[]) AS c (customer_id) CROSS JOIN LATERAL (
    SELECT t.customer_id, t.payload, t.appended_at, t.journey_id FROM journey.touchpoints AS t
     WHERE t.customer_id = c.customer_id AND NOT t.late ORDER BY t.occurred_at DESC LIMIT $2) AS h"""


async def history(connection: Connection, customers: Collection[UUID], latest: int) -> Mapping[UUID, list[Recorded]]:
    """Return the `latest` touchpoints that count of each customer, in no order; none where there is none."""
    found: defaultdict[UUID, list[Recorded]] = defaultdict(list)
    for customer_id, payload, appended_at, journey_id in await connection.fetch(_HISTORY, list(customers), latest):
        touchpoint = _DECODER.decode(payload)
        found[customer_id].append(Recorded(touchpoint=touchpoint, appended_at=appended_at, journey_id=journey_id))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A stored touchpoint that is in another journey now."""

    source: str
    id: str
    occurred_at: datetime
    journey_id: UUID


_PLACE = """
UPDATE journey.touchpoints AS t SET journey_id = p.journey_id
  FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::uuid[]) AS p (source, id, occurred_at, journey_id)
 WHERE t.source = p.source AND t.id = p.id AND t.occurred_at = p.occurred_at"""


async def place(connection: Connection, placed: Sequence[Placed]) -> None:
    """Move stored touchpoints to their journeys."""
    await connection.execute(
        _PLACE,
        [p.source for p in placed],
        [p.id for p in placed],
        [p.occurred_at for p in placed],
        [p.journey_id for p in placed],
    )


async def ensure_months(connection: Connection, behind: int, ahead: int) -> int:
    """Create the monthly partitions around the present; return how many were missing."""
    made: int = await connection.fetchval(
        "SELECT journey.ensure_months((now() - make_interval(months => $1))::date,"
        " (now() + make_interval(months => $2))::date)",
        behind,
        ahead,
    )
    return made
