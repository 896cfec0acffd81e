"""The table of touchpoints, one row for each, and the history of a customer in the form of the domain."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from services.journey.domain.definitions.definition import ACCOUNT_REF
from services.journey.domain.touchpoint import RecordedTouchpoint, Touchpoint, TouchpointKey
from services.runtime.postgres.pools import Connection

Since = Mapping[UUID, datetime | None]
"""Customers, each with the time since when stored rows matter: None for all of them."""

_DECODER = msgspec.json.Decoder(Touchpoint)


class TouchpointRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A touchpoint to insert; `payload` is touchpoint v1 as published."""

    touchpoint: Touchpoint
    customer_id: UUID
    journey_id: UUID | None
    appended_at: datetime
    late: bool
    rules: Sequence[str]
    payload: str


_COLUMNS = (
    *("source", "id", "customer_id", "journey_id", "occurred_at", "received_at", "appended_at"),
    *("sequence", "channel", "kind", "late", "replay", "friction", "rules", "payload"),
)


async def insert(connection: Connection, rows: Iterable[TouchpointRow]) -> None:
    """Insert new touchpoints by COPY, which costs the server an eighth less than arrays (measured)."""
    await connection.copy_records_to_table(
        "touchpoints", schema_name="journey", columns=_COLUMNS, records=map(_record, rows)
    )


_ACCOUNT_COLUMNS = ("account_id", "occurred_at", "source", "touchpoint_id")


async def name_accounts(connection: Connection, rows: Iterable[TouchpointRow]) -> None:
    """Note which of the new touchpoints that count name an account, for whoever projects accounts."""
    named = [
        (account, row.touchpoint.occurred_at, row.touchpoint.source, row.touchpoint.id)
        for row in rows
        if row.touchpoint.refs and not row.late and (account := row.touchpoint.refs.get(ACCOUNT_REF)) is not None
    ]
    if named:
        await connection.copy_records_to_table(
            "account_touchpoints", schema_name="journey", columns=_ACCOUNT_COLUMNS, records=named
        )


def _record(row: TouchpointRow) -> tuple[object, ...]:
    point = row.touchpoint
    return (
        point.source,
        point.id,
        row.customer_id,
        row.journey_id,
        point.occurred_at,
        point.received_at,
        row.appended_at,
        point.sequence or 0,
        point.channel,
        point.kind,
        row.late,
        point.replay,
        bool(row.rules),
        row.rules,
        row.payload,
    )


_HISTORY = """
SELECT h.* FROM unnest($1::uuid[]) AS c (customer_id) CROSS JOIN LATERAL (
    SELECT t.customer_id, t.payload, t.appended_at, t.journey_id, t.friction, t.rules FROM journey.touchpoints AS t
     WHERE t.customer_id = c.customer_id AND NOT t.late ORDER BY t.occurred_at DESC LIMIT $2) AS h"""


async def history(
    connection: Connection, customers: Collection[UUID], latest: int
) -> Mapping[UUID, list[RecordedTouchpoint]]:
    """Return the `latest` touchpoints that count for each customer, in no order."""
    found: defaultdict[UUID, list[RecordedTouchpoint]] = defaultdict(list)
    rows = await connection.fetch(_HISTORY, list(customers), latest)
    for customer_id, payload, appended_at, journey_id, friction, rules in rows:
        touchpoint = _DECODER.decode(payload)
        found[customer_id].append(
            RecordedTouchpoint(
                touchpoint=touchpoint,
                appended_at=appended_at,
                journey_id=journey_id,
                friction=friction,
                rules=tuple(rules),
            )
        )
    return found


_STORED = """
SELECT t.source, t.id, t.payload
  FROM unnest($1::text[], $2::text[]) AS k (source, id)
  JOIN journey.seen AS s USING (source, id)
  JOIN journey.touchpoints AS t ON t.source = s.source AND t.id = s.id AND t.occurred_at = s.occurred_at"""


async def stored(connection: Connection, keys: Sequence[TouchpointKey]) -> dict[TouchpointKey, Touchpoint]:
    """Return those of these touchpoints that are stored."""
    rows = await connection.fetch(_STORED, [source for source, _ in keys], [id_ for _, id_ in keys])
    return {(source, id_): _DECODER.decode(payload) for source, id_, payload in rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementRow:
    """A stored touchpoint that belongs to another journey now, or at which a friction came or went."""

    source: str
    id: str
    occurred_at: datetime
    journey_id: UUID
    rules: Sequence[str]


_PLACE = """
UPDATE journey.touchpoints AS t
   SET journey_id = p.journey_id, friction = p.friction, rules = ARRAY(SELECT json_array_elements_text(p.rules))
  FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::uuid[], $5::boolean[], $6::json[])
       AS p (source, id, occurred_at, journey_id, friction, rules)
 WHERE t.source = p.source AND t.id = p.id AND t.occurred_at = p.occurred_at"""


async def place(connection: Connection, placed: Sequence[PlacementRow]) -> None:
    """Move stored touchpoints to their journeys, and note where frictions stand."""
    await connection.execute(
        _PLACE,
        [p.source for p in placed],
        [p.id for p in placed],
        [p.occurred_at for p in placed],
        [p.journey_id for p in placed],
        [bool(p.rules) for p in placed],
        [msgspec.json.encode(p.rules).decode() for p in placed],
    )


async def ensure_months(connection: Connection, behind: int, ahead: int) -> int:
    """Create the monthly partitions around the present month; return how many were missing."""
    made: int = await connection.fetchval(
        "SELECT journey.ensure_months((now() - make_interval(months => $1))::date,"
        " (now() + make_interval(months => $2))::date)",
        behind,
        ahead,
    )
    return made
