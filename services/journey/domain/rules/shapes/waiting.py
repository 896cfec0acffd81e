"""When what is waited for is due: in business time where the rule says so, with pauses while we wait for others."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from operator import attrgetter

import msgspec

from services.journey.domain.contacts.contact import CountedUnit
from services.journey.domain.history import CustomerHistory
from services.journey.domain.rules.business_time import BusinessClock, BusinessTime, clock_of
from services.journey.domain.rules.rule import Matcher
from services.journey.domain.rules.units import FieldAgreement, UnitPicker


class ClockStop(msgspec.Struct, frozen=True, gc=False):
    """A touchpoint that stops the clock, or lets it run again."""

    unit: CountedUnit
    runs: bool


class WaitingClock:
    """Says when a time has passed since a unit.

    The clock stands still outside `hours`. It stops at a touchpoint that matches `pauses` and runs again from one that
    matches `resumes`; what matches both lets it run, so that nothing can stop it for ever. Either must agree with the
    unit. Without hours and pauses the clock is that on the wall, at no cost.
    """

    __slots__ = ("_agreement", "_hours", "_pauses", "_resumes")

    def __init__(
        self,
        hours: BusinessTime | None,
        agreement: FieldAgreement,
        pauses: Matcher | None = None,
        resumes: Matcher | None = None,
    ) -> None:
        """Prepare the clock; raise `InvalidRuleError` for hours or matchers that have no meaning."""
        self._hours: BusinessClock | None = None if hours is None else clock_of(hours)
        self._pauses = None if pauses is None else UnitPicker(pauses)
        self._resumes = None if resumes is None else UnitPicker(resumes)
        self._agreement = agreement

    @property
    def is_moved(self) -> bool:
        """Whether other touchpoints can move what is due."""
        return self._pauses is not None

    def stops(self, history: CustomerHistory) -> Sequence[ClockStop]:
        """Return the touchpoints of `history` that stop the clock or let it run, in order."""
        if self._pauses is None:
            return ()
        stops = {unit.position: ClockStop(unit, runs=False) for unit in self._pauses.pick(history)}
        if stops and self._resumes is not None:
            stops |= {unit.position: ClockStop(unit, runs=True) for unit in self._resumes.pick(history)}
        return [stops[position] for position in sorted(stops)]

    def due(self, since: CountedUnit, within: timedelta, stops: Sequence[ClockStop] = ()) -> datetime | None:
        """Return when the clock has run for `within` since the unit; None if it stands still before that, for good."""
        moment, left = since.time, within
        runs = True
        if stops:
            agrees = self._agreement.with_(since)
            for index in range(bisect_left(stops, since.order, key=_order), len(stops)):
                stop = stops[index]
                if stop.runs == runs or stop.unit.position == since.position or not _agree(agrees, stop.unit):
                    continue
                if runs:
                    due = self.after(moment, left)
                    if due is None or due <= stop.unit.time:
                        return due
                    left -= self._passed(moment, stop.unit.time)
                moment, runs = stop.unit.time, stop.runs
        return self.after(moment, left) if runs else None

    def after(self, moment: datetime, length: timedelta) -> datetime | None:
        """Return when `length` has passed since `moment`; None if the hours never come to it."""
        if self._hours is None or not length:
            return moment + length
        return self._hours.due(moment, length)

    def _passed(self, begin: datetime, end: datetime) -> timedelta:
        return end - begin if self._hours is None else self._hours.passed(begin, end)


_order = attrgetter("unit.order")


def _agree(agrees: Callable[[CountedUnit], bool] | None, unit: CountedUnit) -> bool:
    return agrees is None or agrees(unit)


def is_followed(
    arming: CountedUnit,
    due_at: datetime,
    expected: Sequence[CountedUnit],
    agrees: Callable[[CountedUnit], bool] | None,
) -> bool:
    """Return whether one of `expected`, which are in order, comes from the unit's time on until `due_at` and agrees."""
    for index in range(bisect_left(expected, arming.time, key=_time), len(expected)):
        other = expected[index]
        if other.time > due_at:
            return False
        if other is not arming and (agrees is None or agrees(other)):
            return True
    return False


_time = attrgetter("time")


def waiting_numbers(since: datetime, due_at: datetime) -> dict[str, int | float | str]:
    """Return the numbers of something that was due and did not come."""
    text = due_at.isoformat(timespec="microseconds").replace("+00:00", "Z")  # UTC, as every document writes it
    return {"due_at": text, "waited_s": (due_at - since).total_seconds()}
