"""Reads the heat map: at which hour of the day, on which channel and about what friction stands."""

from datetime import datetime, tzinfo
from typing import Final

from pydantic import Field

from services.journey.read.aggregates.path_spans import whole_hours
from services.journey.read.snapshots import snapshot
from services.journey.read.views import FrozenView, Instant
from services.runtime.postgres.pools import Pool

_CELLS: Final = """
WITH kept AS (
    SELECT p.since AS hour, s.to_channel, s.reason, p.steps, p.frictions
      FROM journey.path_counts AS p JOIN journey.path_steps AS s USING (step_id)
     WHERE p.span = 'h' AND p.since >= $1 AND p.since < $2 AND s.to_channel <> ''
       AND ($4::text IS NULL OR s.service_level = $4)
    UNION ALL
    SELECT hour, to_channel, reason, steps, frictions
      FROM journey.path_changes
     WHERE hour >= $1 AND hour < $2 AND to_channel <> '' AND ($4::text IS NULL OR service_level = $4)
)
SELECT to_channel AS channel, reason, extract(hour FROM hour AT TIME ZONE $3)::int AS hour,
       sum(steps)::bigint AS touchpoints, sum(frictions)::bigint AS frictions
  FROM kept GROUP BY 1, 2, 3 HAVING sum(steps) > 0
 ORDER BY 1, 2, 3
"""


class HeatCellView(FrozenView):
    """Touchpoints of one channel and reason at one hour of the day."""

    channel: str
    reason: str | None = Field(None, description="What their journeys are about; absent: nothing is known.")
    hour: int = Field(description="Of the day, in the zone that was asked for: 9 is from 9:00 to 10:00.")
    touchpoints: int
    frictions: int = Field(description="At how many of them a friction stands.")


class HeatView(FrozenView):
    """Channel by reason by hour of the day; what never happened is left out."""

    since: Instant = Field(alias="from", serialization_alias="from", description="Included; a whole hour.")
    until: Instant = Field(alias="to", serialization_alias="to", description="Not included; a whole hour.")
    zone: str
    cells: list[HeatCellView]


class HourReader:
    """Reads heat maps from one pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def heat(self, since: datetime, until: datetime, zone: tzinfo, service_level: str | None) -> HeatView:
        """Return the cells of a span, widened to whole hours."""
        first, end = whole_hours(since, until)
        async with snapshot(self._pool) as connection:
            rows = await connection.fetch(_CELLS, first, end, str(zone), service_level)
        cells = [HeatCellView(**{**row, "reason": row["reason"] or None}) for row in map(dict, rows)]
        return HeatView(**{"from": first, "to": end}, zone=str(zone), cells=cells)
