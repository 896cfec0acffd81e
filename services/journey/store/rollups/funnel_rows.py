"""The sums behind funnels, and how they compare with the defined journeys that are stored."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.journey.domain.funnels import FunnelCounts, FunnelKey
from services.journey.store.rollups.rollup import Rollup
from services.runtime.postgres.pools import Connection

FUNNELS: Final = Rollup(
    table="funnel",
    names=("definition", "stage", "measure", "channel", "reason", "service_level"),
    sums=("journeys", "took_us"),
)

FunnelRow = tuple[FunnelKey, int, int]
"""A key with its journeys and their microseconds."""

_KEPT: Final = FUNNELS.statement(
    "SELECT {key}, {summed} FROM ({kept}) AS k GROUP BY {key} HAVING {differs}", kept=FUNNELS.kept
)


async def note(connection: Connection, rows: Sequence[FunnelRow]) -> None:
    """Append what a batch changed; nobody waits for anybody."""
    await FUNNELS.note(connection, [(*key, journeys, took_us) for key, journeys, took_us in rows])


@dataclass(frozen=True, slots=True, kw_only=True)
class FunnelDifferences:
    """What the sums by hour lack, how many sums by day or month differ from them, and how many journeys there are."""

    hours: Sequence[FunnelRow]
    coarse: int
    journeys: int


async def differences(connection: Connection, counted: FunnelCounts, journeys: int) -> FunnelDifferences:
    """Compare what was `counted` of so many stored journeys with what is kept; the transaction has one snapshot."""
    lacking = FunnelCounts()
    lacking.merge(counted)
    for row in await connection.fetch(_KEPT):
        lacking.take_back(FunnelKey(*row[:8]), row["journeys"], row["took_us"])
    coarse = await FUNNELS.coarse_differences(connection)
    return FunnelDifferences(hours=sorted(lacking.rows()), coarse=coarse, journeys=journeys)


async def mend(connection: Connection, found: FunnelDifferences) -> None:
    """Append what is missing, in the snapshot of `differences`; workers may go on meanwhile."""
    if found.hours:
        await note(connection, found.hours)
    await FUNNELS.mend_coarse(connection)
