"""What a stored touchpoint led to: its customer, its journey, and the frictions that it is evidence of."""

from typing import Final
from uuid import UUID

from pydantic import Field

from schemas.documents.friction import FrictionDocumentState as FrictionState
from schemas.vocabulary import Severity
from services.journey.read.snapshots import snapshot
from services.journey.read.views import FrozenView, Instant, TextView
from services.runtime.postgres.pools import Pool

MOST_FRICTIONS: Final = 20

_STORED: Final = """
SELECT customer_id, journey_id, occurred_at, late FROM journey.touchpoints
 WHERE source = $1 AND id = $2 ORDER BY occurred_at DESC LIMIT 1"""
_FRICTIONS: Final = """
SELECT f.friction_id, f.rule, f.state, f.severity,
       f.payload -> 'title' ->> 'en' AS en, f.payload -> 'title' ->> 'ko' AS ko
  FROM journey.frictions AS f
 WHERE f.customer_id = $1
   AND EXISTS (SELECT FROM json_array_elements(f.payload -> 'touchpoints') AS ref
                WHERE ref ->> 'source' = $2 AND ref ->> 'id' = $3)
 ORDER BY f.occurred_at DESC, f.friction_id LIMIT $4"""


class LedToView(FrozenView):
    """A friction that a touchpoint is evidence of."""

    id: UUID
    rule: str
    state: FrictionState
    severity: Severity
    title: TextView


class TouchpointFateView(FrozenView):
    """Where a touchpoint stands now, without what it says."""

    customer_id: UUID
    journey_id: UUID | None = Field(None, description="Absent: it belongs to none.")
    occurred_at: Instant
    late: bool = Field(description="Kept as history: it came too long after it happened to count.")
    frictions: list[LedToView] = Field(description="The latest first, at most twenty.")


class FateReader:
    """Reads what became of touchpoints, from one pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def fate(self, source: str, id_: str) -> TouchpointFateView | None:
        """Return where a touchpoint stands; None if it is not stored."""
        async with snapshot(self._pool) as connection:
            rows = await connection.fetch(_STORED, source, id_)
            if not rows:
                return None
            stored = rows[0]
            found = await connection.fetch(_FRICTIONS, stored["customer_id"], source, id_, MOST_FRICTIONS)
        return TouchpointFateView(
            customer_id=stored["customer_id"],
            journey_id=stored["journey_id"],
            occurred_at=stored["occurred_at"],
            late=stored["late"],
            frictions=[
                LedToView(
                    id=row["friction_id"],
                    rule=row["rule"],
                    state=row["state"],
                    severity=row["severity"],
                    title=TextView(en=row["en"], ko=row["ko"]),
                )
                for row in found
            ],
        )
