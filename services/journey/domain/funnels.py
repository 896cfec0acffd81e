"""What funnels count of defined journeys: how many entered, how far they came, how long it took, and how they ended.

A funnel is the sum over all journeys of one kind. It is kept by differences, as the graph of paths is: `FunnelCounts`
adds and subtracts journeys, and what comes to nothing leaves no trace.
"""

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

import msgspec

from services.journey.domain.journey import JourneyEnd, JourneyProgress
from services.journey.domain.paths import GAP_BOUNDS_US, NO_GAP
from services.journey.domain.touchpoint import TouchpointKey

_MICROSECOND = timedelta(microseconds=1)


class FunnelMeasure(StrEnum):
    """What is counted. `ENTERED` has no stage, an end has that in which it happened.

    `LEFT` counts visits, each by itself, that were left for another stage or for the aim. How long somebody was in the
    stage in which they were lost says nothing of it.
    """

    ENTERED = "entered"
    CAME = "came"
    LEFT = "left"
    OVERDUE = "overdue"
    THERE = "there"
    REACHED = "reached"
    ABANDONED = "abandoned"
    TIMED_OUT = "timed_out"


ENDS = {
    JourneyEnd.REACHED: FunnelMeasure.REACHED,
    JourneyEnd.ABANDONED: FunnelMeasure.ABANDONED,
    JourneyEnd.TIMED_OUT: FunnelMeasure.TIMED_OUT,
}


class FunnelKey(NamedTuple):
    """What journeys are counted by. `hour` and `channel` are those of the entry; `bucket` is that of a duration."""

    hour: datetime
    definition: str
    stage: str
    measure: str
    channel: str
    reason: str
    service_level: str
    bucket: int


PassageKey = tuple[str, str, str]
"""A defined journey: its definition, and the source and id of the touchpoint that entered it."""


class FunnelPassage(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A defined journey as funnels count it; reason and service level are those of the journey it was entered in."""

    entry: TouchpointKey
    channel: str
    reason: str | None
    service_level: str | None
    progress: JourneyProgress

    @property
    def key(self) -> PassageKey:
        """What tells it from every other one."""
        return (self.progress.definition, *self.entry)


class FunnelCounts:
    """Sums of journeys by key: how many, and how long they took in microseconds."""

    __slots__ = ("_sums",)

    def __init__(self) -> None:
        self._sums: dict[FunnelKey, list[int]] = {}

    def add(self, passage: FunnelPassage, sign: int = 1) -> None:
        """Add a journey, or subtract it with `sign` -1."""
        progress = passage.progress
        self._count(passage, "", FunnelMeasure.ENTERED, sign)
        for stage in dict.fromkeys(visit.stage for visit in progress.stages):
            self._count(passage, stage, FunnelMeasure.CAME, sign)
        for stage in dict.fromkeys(visit.stage for visit in progress.stages if visit.overdue):
            self._count(passage, stage, FunnelMeasure.OVERDUE, sign)
        lost = progress.end in {JourneyEnd.ABANDONED, JourneyEnd.TIMED_OUT}
        for visit in progress.stages[:-1] if lost else progress.stages:
            if visit.left_at is not None:
                self._count(passage, visit.stage, FunnelMeasure.LEFT, sign, visit.left_at - visit.entered_at)
        if progress.end is None or progress.ended_at is None:
            self._count(passage, progress.stage, FunnelMeasure.THERE, sign)
        else:
            took = progress.ended_at - progress.entered_at
            self._count(passage, progress.stage, ENDS[progress.end], sign, took)

    def merge(self, other: "FunnelCounts") -> None:
        """Add the sums of `other`."""
        for key, (journeys, took_us) in other._sums.items():
            self._add(key, journeys, took_us)

    def take_back(self, key: FunnelKey, journeys: int, took_us: int) -> None:
        """Subtract what is kept for a key."""
        self._add(key, -journeys, -took_us)

    def rows(self) -> list[tuple[FunnelKey, int, int]]:
        """Return each key with its journeys and microseconds; sums that came to nothing are left out."""
        return [(key, sums[0], sums[1]) for key, sums in self._sums.items() if any(sums)]

    def __bool__(self) -> bool:
        """Return whether anything was added, even if it came to nothing."""
        return bool(self._sums)

    def _count(
        self, passage: FunnelPassage, stage: str, measure: FunnelMeasure, sign: int, took: timedelta | None = None
    ) -> None:
        took_us = 0 if took is None else took // _MICROSECOND
        hour = passage.progress.entered_at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        key = FunnelKey(
            hour=hour,
            definition=passage.progress.definition,
            stage=stage,
            measure=measure.value,
            channel=passage.channel,
            reason=passage.reason or "",
            service_level=passage.service_level or "",
            bucket=NO_GAP if took is None else bisect_right(GAP_BOUNDS_US, took_us),
        )
        self._add(key, sign, sign * took_us)

    def _add(self, key: FunnelKey, journeys: int, took_us: int) -> None:
        sums = self._sums.get(key)
        if sums is None:
            self._sums[key] = [journeys, took_us]
        else:
            sums[0] += journeys
            sums[1] += took_us
