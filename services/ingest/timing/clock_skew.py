"""The skew of one device's clock, estimated from its requests. Pure: takes a state and a sample, returns a state.

A sample is `received_at - sent_at`: the skew of the clock plus the time in transit. Transit is never negative, so the
smallest sample of a window is the best bound on the skew. The shift that is applied follows it in steps of a quantum,
and only once they are more than a quantum apart, so that a slow request never changes the order of a device's own
touchpoints: all of them are shifted alike.
"""

import dataclasses
from dataclasses import dataclass
from datetime import datetime, timedelta

_ZERO = timedelta(0)

_LONGEST_TRANSIT = timedelta(hours=24)
"""A sample that would mean a longer time on the way means that the clock was set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSkewRules:
    """`window`: how long a sample counts, at least; `least`: the smallest skew worth a shift; `quantum`: its steps.

    `steady`: so many requests in a row that are late by more than a quantum mean that the clock was set, not that the
    network is slow.
    """

    window: timedelta = timedelta(hours=1)
    quantum: timedelta = timedelta(minutes=5)
    least: timedelta = timedelta(seconds=60)
    steady: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSkew:
    """The estimate for one clock. `floor` is the smallest sample since `since`, `before` that of the window before."""

    shift: timedelta
    floor: timedelta
    since: datetime
    sent_at: datetime
    before: timedelta | None = None
    far: int = 0
    far_floor: timedelta = _ZERO

    @property
    def bound(self) -> timedelta:
        """The smallest sample that still counts."""
        return self.floor if self.before is None else min(self.floor, self.before)


def first_skew(sent_at: datetime, received_at: datetime, rules: ClockSkewRules) -> ClockSkew:
    """Return the estimate after the first request of a device."""
    sample = received_at - sent_at
    return ClockSkew(shift=quantised(sample, rules), floor=sample, since=received_at, sent_at=sent_at)


def next_skew(skew: ClockSkew, sent_at: datetime, received_at: datetime, rules: ClockSkewRules) -> ClockSkew:
    """Return the estimate after one more request. The same `sent_at` again is a retry and teaches nothing."""
    if sent_at == skew.sent_at:
        return skew
    sample = received_at - sent_at
    if sample - skew.bound > _LONGEST_TRANSIT:
        return first_skew(sent_at, received_at, rules)
    if sample - skew.bound > rules.quantum:
        far_floor = min(skew.far_floor, sample) if skew.far else sample
        if skew.far + 1 >= rules.steady:
            reset = ClockSkew(shift=skew.shift, floor=far_floor, since=received_at, sent_at=sent_at)
            return _with_shift(reset, rules)
        noted = dataclasses.replace(skew, far=skew.far + 1, far_floor=far_floor, sent_at=sent_at)
    else:
        noted = dataclasses.replace(skew, far=0, sent_at=sent_at)
    return _with_shift(_with_sample(noted, sample, received_at, rules), rules)


def quantised(bound: timedelta, rules: ClockSkewRules) -> timedelta:
    """Return the shift for a skew: the step below it, or none where the skew is too small to matter.

    Below, not nearest: the sample holds the transit as well, so the skew can only be less. So a shift holds for as long
    as requests take less than `quantum - least` on their way, and no touchpoint comes to lie ahead of its receipt.
    """
    if abs(bound) < rules.least:
        return _ZERO
    return bound // rules.quantum * rules.quantum


def _with_sample(skew: ClockSkew, sample: timedelta, now: datetime, rules: ClockSkewRules) -> ClockSkew:
    age = now - skew.since
    if age < rules.window:
        return dataclasses.replace(skew, floor=min(skew.floor, sample))
    before = skew.floor if age < 2 * rules.window else None
    return dataclasses.replace(skew, floor=sample, before=before, since=now)


def _with_shift(skew: ClockSkew, rules: ClockSkewRules) -> ClockSkew:
    if abs(skew.bound - skew.shift) <= rules.quantum:
        return skew
    return dataclasses.replace(skew, shift=quantised(skew.bound, rules))
