"""Reads the customers of a backtest from the tables: who has touchpoints in the window, and their histories."""

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from services.journey.domain import friction as frictions
from services.journey.domain.touchpoint import RecordedTouchpoint, Touchpoint
from services.journey.read.snapshots import CustomerReference, customer_of
from services.journey.trial.backtest import BacktestWindow, FrictionInForce, StoredHistory
from services.runtime.postgres.pools import Connection

REACH = timedelta(days=31)
"""How long before the window a customer may have been seen last and still count: an absence may be due in it."""

_DECODER = msgspec.json.Decoder(Touchpoint)

_COUNT = """
SELECT count(*) FROM journey.customers WHERE merged_into IS NULL AND last_at >= $1 AND first_at < $2"""


async def count_customers(connection: Connection, window: BacktestWindow) -> int:
    """Return how many customers there are to judge."""
    number: int = await connection.fetchval(_COUNT, window.since - REACH, window.until)
    return number


_PAGE = """
SELECT customer_id FROM journey.customers
 WHERE customer_id > $1 AND merged_into IS NULL AND last_at >= $2 AND first_at < $3
 ORDER BY customer_id LIMIT $4"""


async def pages(connection: Connection, window: BacktestWindow, size: int) -> AsyncIterator[list[UUID]]:
    """Yield the customers to judge, `size` at a time, in the order of their ids."""
    after = UUID(int=0)
    while rows := await connection.fetch(_PAGE, after, window.since - REACH, window.until, size):
        yield [row["customer_id"] for row in rows]
        after = rows[-1]["customer_id"]


_TOUCHPOINTS = """
SELECT h.* FROM unnest($1::uuid[]) AS c (customer_id) CROSS JOIN LATERAL (
    SELECT t.customer_id, t.payload, t.appended_at FROM journey.touchpoints AS t
     WHERE t.customer_id = c.customer_id AND NOT t.late AND t.occurred_at < $2
     ORDER BY t.occurred_at DESC LIMIT $3) AS h"""

_OF_ONE = """
SELECT payload, appended_at FROM journey.touchpoints WHERE customer_id = $1 AND NOT late
 ORDER BY occurred_at DESC LIMIT $2"""

_FRICTIONS = """
SELECT customer_id, payload FROM journey.frictions
 WHERE customer_id = ANY($1::uuid[]) AND state = 'detected'"""


async def read(
    connection: Connection, customers: Sequence[UUID], window: BacktestWindow, latest: int
) -> list[StoredHistory]:
    """Return the histories of customers until the end of the window, at most `latest` touchpoints of each."""
    histories: defaultdict[UUID, list[RecordedTouchpoint]] = defaultdict(list)
    for customer, payload, appended_at in await connection.fetch(_TOUCHPOINTS, customers, window.until, latest):
        histories[customer].append(RecordedTouchpoint(touchpoint=_DECODER.decode(payload), appended_at=appended_at))
    stored: defaultdict[UUID, list[FrictionInForce]] = defaultdict(list)
    for customer, payload in await connection.fetch(_FRICTIONS, customers):
        found = _in_force(payload)
        if window.holds(found.at):
            stored[customer].append(found)
    return [
        StoredHistory(customer_id=customer, touchpoints=histories[customer], in_force=stored[customer])
        for customer in customers
    ]


async def read_customer(connection: Connection, who: CustomerReference, latest: int) -> list[RecordedTouchpoint] | None:
    """Return the `latest` touchpoints of one customer that count, in no order; None if there is no such customer."""
    customer = await customer_of(connection, who)
    if customer is None:
        return None
    rows = await connection.fetch(_OF_ONE, customer, latest)
    return [
        RecordedTouchpoint(touchpoint=_DECODER.decode(row["payload"]), appended_at=row["appended_at"]) for row in rows
    ]


def _in_force(payload: str) -> FrictionInForce:
    friction = frictions.decode(payload.encode())
    due_at = friction.evidence.get("due_at")
    return FrictionInForce(
        id=friction.id,
        rule=friction.rule,
        at=datetime.fromisoformat(due_at) if isinstance(due_at, str) else friction.occurred_at,
        anchor=friction.anchor.interaction_id or friction.anchor.touchpoint_id or "",
        journey=friction.journey_id,
        touchpoints=frozenset((one.source, one.id) for one in friction.touchpoints),
    )
