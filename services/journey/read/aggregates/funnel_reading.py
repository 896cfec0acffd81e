"""Reads funnels: sums of the counts and of what is not folded into them yet, in one snapshot."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from services.journey.domain.definitions.definition import JourneyDefinition
from services.journey.domain.definitions.definition_book import DefinitionBook
from services.journey.domain.friction import BilingualText
from services.journey.domain.funnels import FunnelMeasure
from services.journey.domain.paths import NO_GAP, gap_quantile
from services.journey.read.aggregates.funnel_views import (
    DurationView,
    FunnelListView,
    FunnelSegmentView,
    FunnelStageView,
    FunnelSummaryView,
    FunnelView,
)
from services.journey.read.aggregates.path_spans import covering, whole_hours
from services.journey.read.snapshots import snapshot
from services.journey.read.views import TextView
from services.journey.versions.in_force import PolicyCache
from services.runtime.postgres.pools import Connection, Pool, Row


class FunnelBy(StrEnum):
    """What tells the segments of a funnel apart."""

    CHANNEL = "channel"
    REASON = "reason"
    SERVICE_LEVEL = "service_level"


@dataclass(frozen=True, slots=True, kw_only=True)
class FunnelFilter:
    """Which journeys are asked for, by their entry; None does not filter."""

    since: datetime | None = None
    until: datetime | None = None
    channel: str | None = None
    reason: str | None = None
    service_level: str | None = None


_SUMS: Final = """
WITH folded AS (
    SELECT p.step_id, p.bucket, sum(p.journeys) AS journeys, sum(p.took_us) AS took_us
      FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[]) AS r (span, since, until)
      JOIN journey.funnel_counts AS p
        ON p.span = r.span::"char" AND p.since >= coalesce(r.since, '-infinity')
       AND p.since < coalesce(r.until, 'infinity')
     GROUP BY p.step_id, p.bucket
), counted AS (
    SELECT s.definition, s.stage, s.measure, s.channel, s.reason, s.service_level, f.bucket, f.journeys, f.took_us
      FROM folded AS f JOIN journey.funnel_steps AS s USING (step_id)
    UNION ALL
    SELECT definition, stage, measure, channel, reason, service_level, bucket, journeys, took_us
      FROM journey.funnel_changes
     WHERE hour >= coalesce($4::timestamptz, '-infinity') AND hour < coalesce($5::timestamptz, 'infinity')
)
SELECT {group}, measure, bucket, sum(journeys)::bigint AS journeys, sum(took_us)::bigint AS took_us
  FROM counted
 WHERE ($6::text IS NULL OR channel = $6) AND ($7::text IS NULL OR reason = $7)
   AND ($8::text IS NULL OR service_level = $8)
   AND ($9::text IS NULL OR definition = $9)
 GROUP BY {group}, measure, bucket HAVING sum(journeys) <> 0
"""
_BY_STAGE: Final = _SUMS.format(group="definition, stage")
_BY_SEGMENT: Final = {one: _SUMS.format(group=one.value) for one in FunnelBy}


@dataclass(slots=True)
class _MeasureSum:
    """Journeys, or visits, of one measure; `buckets` has the number of each duration."""

    journeys: int = 0
    took_us: int = 0
    buckets: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, row: Row) -> None:
        self.journeys += row["journeys"]
        self.took_us += row["took_us"]
        if row["bucket"] != NO_GAP:
            self.buckets[row["bucket"]] += row["journeys"]

    def duration(self) -> DurationView | None:
        counts = list(self.buckets.items())
        half, most = gap_quantile(counts, 0.5), gap_quantile(counts, 0.95)
        if half is None or most is None:
            return None
        mean = self.took_us / 1_000_000 / self.journeys
        return DurationView(mean_s=round(mean, 4), p50_s=round(half, 4), p95_s=round(most, 4))


_Sums = defaultdict[str, _MeasureSum]
"""What was counted, by measure."""


def _no_sums() -> _Sums:
    return defaultdict(_MeasureSum)


StageCounts = Mapping[tuple[str, str, str], int]
"""Journeys by definition, stage and measure."""


async def stage_counts(connection: Connection, since: datetime) -> StageCounts:
    """Return what was counted of the journeys that were entered since then, of whole hours; zeros are left out."""
    found: Counter[tuple[str, str, str]] = Counter()
    for row in await _rows(connection, _BY_STAGE, FunnelFilter(since=since), None):
        found[row["definition"], row["stage"], row["measure"]] += row["journeys"]
    return found


class FunnelReader:
    """Reads funnels from one pool; the definitions are read once for each version."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._policies = PolicyCache()

    async def funnels(self, wanted: FunnelFilter) -> FunnelListView:
        """Return what became of every kind of journey that is defined, or was."""
        async with snapshot(self._pool) as connection:
            book = await self._policies.definitions(connection)
            rows = await _rows(connection, _BY_STAGE, wanted, None)
        found: defaultdict[str, _Sums] = defaultdict(_no_sums)
        for row in rows:
            found[row["definition"]][row["measure"]].add(row)
        since, until = whole_hours(wanted.since, wanted.until)
        return FunnelListView(
            **{"from": since, "to": until},
            funnels=[
                FunnelSummaryView(journey=id_, title=_title(book.known.get(id_)), **_counted(found[id_]))
                for id_ in _in_order(book, found)
            ],
        )

    async def funnel(self, journey: str, wanted: FunnelFilter, by: FunnelBy | None, limit: int) -> FunnelView | None:
        """Return one funnel with its `limit` largest segments; None for a journey that was never defined."""
        async with snapshot(self._pool) as connection:
            book = await self._policies.definitions(connection)
            definition = book.known.get(journey)
            if definition is None:
                return None
            rows = await _rows(connection, _BY_STAGE, wanted, journey)
            segments = None if by is None else await _rows(connection, _BY_SEGMENT[by], wanted, journey)
        whole = _no_sums()
        stages: defaultdict[str, _Sums] = defaultdict(_no_sums)
        for row in rows:
            whole[row["measure"]].add(row)
            stages[row["stage"]][row["measure"]].add(row)
        entered = whole[FunnelMeasure.ENTERED].journeys
        since, until = whole_hours(wanted.since, wanted.until)
        return FunnelView(
            **{"from": since, "to": until},
            journey=journey,
            title=_title(definition),
            **_counted(whole),
            stages=[_stage(id_, title, stages[id_], entered) for id_, title in _stages(definition, stages)],
            by=by,
            **({} if by is None or segments is None else _segments(segments, by, limit)),
        )


async def _rows(connection: Connection, statement: str, wanted: FunnelFilter, journey: str | None) -> Sequence[Row]:
    since, until = whole_hours(wanted.since, wanted.until)
    spans = covering(since, until)
    columns = [one.span for one in spans], [one.since for one in spans], [one.until for one in spans]
    narrowed = wanted.channel, wanted.reason, wanted.service_level
    return await connection.fetch(statement, *columns, since, until, *narrowed, journey)


def _in_order(book: DefinitionBook, found: Iterable[str]) -> list[str]:
    """Return the ids in force in the order of their file, then those that once were and have journeys."""
    in_force = [one.id for one in book.definitions]
    return in_force + sorted(set(found) - set(in_force))


def _stages(definition: JourneyDefinition, found: Iterable[str]) -> list[tuple[str, BilingualText | None]]:
    """Return the stages of the definition, then those that only an earlier wording had."""
    stages: list[tuple[str, BilingualText | None]] = [(one.id, one.title) for one in definition.stages]
    named = {id_ for id_, _ in stages}
    return stages + [(id_, None) for id_ in sorted(set(found) - named - {""})]


def _title(definition: JourneyDefinition | None) -> TextView | None:
    return None if definition is None else _text(definition.title)


def _text(text: BilingualText) -> TextView:
    return TextView(en=text.en, ko=text.ko)


def _counted(sums: _Sums) -> dict[str, Any]:
    """Return the members of `FunnelCountsView`."""
    entered = sums[FunnelMeasure.ENTERED].journeys
    reached = sums[FunnelMeasure.REACHED]
    return {
        "entered": entered,
        "reached": reached.journeys,
        "reached_rate": _rate(reached.journeys, entered),
        "abandoned": sums[FunnelMeasure.ABANDONED].journeys,
        "timed_out": sums[FunnelMeasure.TIMED_OUT].journeys,
        "open": sums[FunnelMeasure.THERE].journeys,
        "time_to_reach": reached.duration(),
    }


def _stage(id_: str, title: BilingualText | None, sums: _Sums, entered: int) -> FunnelStageView:
    there = {measure: sums[measure].journeys for measure in FunnelMeasure}
    came, reached = there[FunnelMeasure.CAME], there[FunnelMeasure.REACHED]
    lost = there[FunnelMeasure.ABANDONED] + there[FunnelMeasure.TIMED_OUT]
    return FunnelStageView(
        stage=id_,
        title=None if title is None else _text(title),
        journeys=came,
        share=_rate(came, entered),
        went_on=came - reached - lost - there[FunnelMeasure.THERE],
        reached=reached,
        abandoned=there[FunnelMeasure.ABANDONED],
        timed_out=there[FunnelMeasure.TIMED_OUT],
        open=there[FunnelMeasure.THERE],
        drop_off_rate=_rate(lost, came),
        overdue=there[FunnelMeasure.OVERDUE],
        time=sums[FunnelMeasure.LEFT].duration(),
    )


def _segments(rows: Iterable[Row], by: FunnelBy, limit: int) -> Mapping[str, Any]:
    found: defaultdict[str, _Sums] = defaultdict(_no_sums)
    for row in rows:
        found[row[by.value]][row["measure"]].add(row)
    ranked = sorted(found.items(), key=lambda item: (-item[1][FunnelMeasure.ENTERED].journeys, item[0]))
    return {
        "segments": [FunnelSegmentView(value=name or None, **_counted(sums)) for name, sums in ranked[:limit]],
        "segments_left_out": max(0, len(ranked) - limit),
    }


def _rate(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0
