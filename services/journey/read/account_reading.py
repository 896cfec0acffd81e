"""Reads the journeys of accounts, and which customers take part in them now."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from schemas.documents import journey as journey_v1
from services.journey.read.account_views import AccountJourneyView, AccountView
from services.journey.read.snapshots import roots, snapshot
from services.journey.read.view_rows import progress
from services.runtime.postgres.pools import Pool, Row

MOST_CUSTOMERS: Final = 100
LATEST: Final = 2_000
"""Latest touchpoints of an account whose customers are told."""

_JOURNEYS: Final = """
SELECT journey_id, state, version, payload, merged_into FROM journey.account_journeys
 WHERE account_id = $1 AND ($2::text IS NULL AND state IN ('open', 'closed') OR state = $2)
 ORDER BY entered_at DESC, journey_id DESC LIMIT $3"""
_JOURNEY: Final = """
WITH RECURSIVE way AS (
    SELECT journey_id, merged_into FROM journey.account_journeys WHERE account_id = $1 AND journey_id = $2
    UNION
    SELECT j.journey_id, j.merged_into FROM way JOIN journey.account_journeys AS j ON j.journey_id = way.merged_into
)
SELECT j.journey_id, j.state, j.version, j.payload, nullif(j.journey_id, $2) AS merged_into
  FROM way JOIN journey.account_journeys AS j USING (journey_id) WHERE j.state <> 'merged'"""
_CUSTOMERS: Final = """
SELECT t.customer_id, max(t.occurred_at) AS last_at
  FROM (SELECT occurred_at, source, touchpoint_id FROM journey.account_touchpoints
         WHERE account_id = $1 ORDER BY occurred_at DESC LIMIT $2) AS a
  JOIN journey.touchpoints AS t
    ON t.source = a.source AND t.id = a.touchpoint_id AND t.occurred_at = a.occurred_at
 GROUP BY t.customer_id ORDER BY last_at DESC, t.customer_id"""


@dataclass(frozen=True, slots=True)
class AccountReader:
    """Reads accounts from one pool."""

    pool: Pool

    async def account(self, account_id: str, state: str | None, limit: int) -> AccountView | None:
        """Return the journeys of an account, latest entered first; None if no touchpoint that counts names it."""
        async with snapshot(self.pool) as connection:
            members = await connection.fetch(_CUSTOMERS, account_id, LATEST)
            if not members:
                return None
            owners = await roots(connection, [row["customer_id"] for row in members])
            rows = await connection.fetch(_JOURNEYS, account_id, state, limit)
        customers = dict.fromkeys(owners.get(row["customer_id"], row["customer_id"]) for row in members)
        return AccountView(
            account_id=account_id, customers=list(customers)[:MOST_CUSTOMERS], journeys=[_journey(row) for row in rows]
        )

    async def journey(self, account_id: str, journey_id: UUID) -> AccountJourneyView | None:
        """Return one journey of the account, through any merge: then `merged_into` says what it is part of."""
        async with snapshot(self.pool) as connection:
            row = await connection.fetchrow(_JOURNEY, account_id, journey_id)
        return None if row is None else _journey(row)


def _journey(row: Row) -> AccountJourneyView:
    said = journey_v1.decode(row["payload"].encode())
    return AccountJourneyView(
        id=row["journey_id"],
        state=row["state"],
        version=row["version"],
        refs=said.refs,
        channels=list(said.channels),
        service_level=said.service_level,
        reason=said.reason,
        outcome=said.outcome,
        touchpoint_count=said.touchpoint_count,
        contact_count=said.contact_count,
        effort=said.effort,
        opened_at=said.opened_at,
        last_at=said.last_at,
        closed_at=said.closed_at,
        updated_at=said.updated_at,
        merged_into=row["merged_into"],
        progress=progress(said.progress)[0],
    )
