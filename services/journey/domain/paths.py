"""The steps of journeys: from one touchpoint to the next, from nothing to the first, from the last to the end.

A journey of three touchpoints has the steps start → a, a → b, b → c, and c → `closed` or `dropped` once it has ended.
The graph of paths is the sum of all steps (a directly-follows graph, with journeys as its cases). It is kept by
differences: `StepCounts` adds and subtracts steps, and what comes to nothing leaves no trace.
"""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import msgspec

from services.journey.domain.touchpoint import Touchpoint

START: Final = "start"
CLOSED: Final = "closed"
DROPPED: Final = "dropped"
"""Kinds of what is no touchpoint; they have no channel. `dropped`: the journey went quiet before it reached an end."""

UNTOLD: Final = ""
"""The rule of a friction that stood before rules were noted; it is in no count by rule."""

NO_GAP: Final = -1
"""The bucket of steps from the start and to the end, which take no time."""

GAP_RATIO: Final = 1.2
GAP_BOUNDS_US: Final = [int(1_000_000 * GAP_RATIO**exponent) for exponent in range(113)]
"""Lower bounds of the buckets from the second on, in microseconds: 1 s to 23 years, each a fifth above the last."""

_MICROSECOND = timedelta(microseconds=1)


class StepKey(NamedTuple):
    """What steps are counted by. `hour` is that of the touchpoint that a step leads to; of an end, of the last one."""

    hour: datetime
    from_channel: str
    from_kind: str
    to_channel: str
    to_kind: str
    reason: str
    service_level: str
    bucket: int


class PassedTouchpoint(NamedTuple):
    """A touchpoint on a path: whether a friction stands at it, and of which rules, as far as that was noted."""

    touchpoint: Touchpoint
    hard: bool = False
    rules: Sequence[str] = ()


RuleStep = tuple[StepKey, str]
"""A step that leads to a friction, of any gap (its bucket is `NO_GAP`), and the rule."""


class PathTrack(msgspec.Struct, frozen=True, gc=False):
    """What the steps of a journey have in common; `end` is `closed` or `dropped`, None while it is open."""

    reason: str | None = None
    service_level: str | None = None
    end: str | None = None


def stored_track(
    reason: str | None, service_level: str | None, last_at: datetime, closed_at: datetime | None
) -> PathTrack:
    """Return the track of a stored journey; one that went quiet was closed after its last touchpoint."""
    end = None if closed_at is None else DROPPED if closed_at > last_at else CLOSED
    return PathTrack(reason, service_level, end)


class StepCounts:
    """Sums of steps by key: how many, how many of them led into friction, and how long they took in microseconds.

    Beside them, how many led to a friction of each rule.
    """

    __slots__ = ("_by_rule", "_sums")

    def __init__(self) -> None:
        self._sums: dict[StepKey, list[int]] = {}
        self._by_rule: dict[RuleStep, int] = {}

    def add(self, passed: Sequence[PassedTouchpoint], track: PathTrack, *, first: int = 0, sign: int = 1) -> None:
        """Add the steps into `passed[first:]`; subtract them with `sign` -1. Those to the end are left to `add_end`."""
        for place in range(first, len(passed)):
            to, hard, rules = passed[place]
            from_channel, from_kind, gap_us, bucket = "", START, 0, NO_GAP
            if place:
                came = passed[place - 1].touchpoint
                from_channel, from_kind = came.channel, came.kind
                gap_us = (to.occurred_at - came.occurred_at) // _MICROSECOND
                bucket = bisect_right(GAP_BOUNDS_US, gap_us)
            key = _key(to.occurred_at, (from_channel, from_kind, to.channel, to.kind), track, bucket)
            self._count(key, sign, sign if hard else 0, sign * gap_us)
            for rule in rules:
                self._count_rule((key._replace(bucket=NO_GAP), rule), sign)

    def add_end(self, last: Touchpoint, track: PathTrack, *, sign: int = 1) -> None:
        """Add the step from `last` to the end of its journey, if it has ended."""
        if track.end is not None:
            key = _key(last.occurred_at, (last.channel, last.kind, "", track.end), track, NO_GAP)
            self._count(key, sign, 0, 0)

    def merge(self, other: "StepCounts") -> None:
        """Add the sums of `other`."""
        for key, (steps, frictions, gap_us) in other._sums.items():
            self._count(key, steps, frictions, gap_us)
        for step, frictions in other._by_rule.items():
            self._count_rule(step, frictions)

    def rows(self) -> list[tuple[StepKey, int, int, int]]:
        """Return each key with its steps, frictions and microseconds; sums that came to nothing are left out."""
        return [(key, sums[0], sums[1], sums[2]) for key, sums in self._sums.items() if any(sums)]

    def rule_rows(self) -> list[tuple[RuleStep, int]]:
        """Return each step with the rule of a friction to which it led, and how often; what came to nothing is not."""
        return [(step, frictions) for step, frictions in self._by_rule.items() if frictions]

    def __bool__(self) -> bool:
        """Return whether anything was added, even if it came to nothing."""
        return bool(self._sums)

    def _count_rule(self, step: RuleStep, frictions: int) -> None:
        if step[1] != UNTOLD:
            self._by_rule[step] = self._by_rule.get(step, 0) + frictions

    def _count(self, key: StepKey, steps: int, frictions: int, gap_us: int) -> None:
        sums = self._sums.get(key)
        if sums is None:
            self._sums[key] = [steps, frictions, gap_us]
        else:
            sums[0] += steps
            sums[1] += frictions
            sums[2] += gap_us


_Ends = tuple[str, str, str, str]
"""From which channel and kind, to which channel and kind."""


def _key(at: datetime, ends: _Ends, track: PathTrack, bucket: int) -> StepKey:
    moment = at if at.tzinfo is UTC else at.astimezone(UTC)
    hour = moment.replace(minute=0, second=0, microsecond=0)
    return StepKey(hour, *ends, track.reason or "", track.service_level or "", bucket)


def gap_quantile(counts: Sequence[tuple[int, int]], share: float) -> float | None:
    """Return the gap in seconds below which `share` of the steps lie; None if no step has a gap.

    `counts` are buckets with their numbers of steps. The value is the middle of the bucket that holds the step of that
    rank, so it is less than 10 % off; below 1 s it is half a second off at most.
    """
    timed = sorted((bucket, steps) for bucket, steps in counts if bucket != NO_GAP and steps > 0)
    whole = sum(steps for _, steps in timed)
    if not whole:
        return None
    wanted, passed = max(1.0, share * whole), 0
    for bucket, steps in timed:
        passed += steps
        if passed >= wanted:
            return _middle_s(bucket)
    return _middle_s(timed[-1][0])


def _middle_s(bucket: int) -> float:
    if bucket == 0:
        return 0.5
    lower = GAP_BOUNDS_US[bucket - 1]
    upper = GAP_BOUNDS_US[bucket] if bucket < len(GAP_BOUNDS_US) else lower * GAP_RATIO
    return float((lower * upper) ** 0.5 / 1_000_000)
