"""Business time: hours in which a clock runs, and when so much of it has passed. Pure.

The members are those of `time_intervals` in the policy of alerts. Weekends, public holidays and nights do not count,
over every change of the clocks: an hour that is skipped never was, one that comes twice counts twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from difflib import get_close_matches
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, available_timezones

import msgspec

from services.journey.domain.rules.matching import InvalidRuleError

if TYPE_CHECKING:
    from holidays import HolidayBase

WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
MOST_DAYS = 3653
"""How many days ahead the clock is asked; what takes longer is never due."""

_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)
_TIME_OF_DAY = re.compile(r"(?P<hour>[0-2][0-9]):(?P<minute>[0-5][0-9])")
_ANY_DAY = date(2024, 1, 1)

Span = tuple[datetime, datetime]


class DayTimes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of a day by the clock on the wall, from `09:00` to before `18:00`; the end may be `24:00`."""

    start_time: str
    end_time: str


class BusinessSpan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Times that fulfil all of these conditions; an empty one restricts nothing.

    `weekdays` are names or ranges of them (`monday:friday`), `location` is a zone of the IANA database,
    `except_holidays` a country, with a part of it after a hyphen: `KR`, `DE-BY`.
    """

    times: tuple[DayTimes, ...] = ()
    weekdays: tuple[str, ...] = ()
    location: str = "UTC"
    except_holidays: str | None = None
    except_dates: tuple[date, ...] = ()


class BusinessTime(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hours with a name: the times of any of their spans."""

    name: str
    time_intervals: tuple[BusinessSpan, ...]

    @property
    def has_whole_days(self) -> bool:
        """Whether every day that counts is open from midnight to midnight."""
        return all(not span.times for span in self.time_intervals)


class BusinessClock:
    """Counts the time of some hours. What is open on a day is worked out once."""

    __slots__ = ("_open", "_spans")

    def __init__(self, hours: BusinessTime) -> None:
        """Prepare `hours`; raise `InvalidRuleError` for hours that have no meaning or never come."""
        self._spans = tuple(_PreparedSpan(span) for span in hours.time_intervals)
        self._open: dict[date, tuple[Span, ...]] = {}
        if not any(self._open_on(_ANY_DAY + _DAY * day) for day in range(366)):
            raise InvalidRuleError(f"the hours of {hours.name} never come")

    def due(self, start: datetime, length: timedelta) -> datetime | None:
        """Return when `length` (more than nothing) has passed since `start`, in UTC; None if not in `MOST_DAYS`."""
        left = length
        for opening, end in self._spans_from(start):
            if opening + left <= end:
                return opening + left
            left -= end - opening
        return None

    def is_open(self, moment: datetime) -> bool:
        """Return whether `moment` lies in the hours; their end does not."""
        return any(opening <= moment < end for opening, end in self._open_on(moment.astimezone(UTC).date()))

    def passed(self, start: datetime, end: datetime) -> timedelta:
        """Return how much has passed from `start` to `end`; nothing if `end` is not later."""
        total = timedelta(0)
        for opening, closing in self._spans_from(start):
            if opening >= end:
                break
            total += min(closing, end) - opening
        return total

    def _spans_from(self, start: datetime) -> Iterator[Span]:
        """Yield what is open from `start` on, in order."""
        moment = start.astimezone(UTC)  # in a zone, arithmetic would follow the hands of its clock
        day = moment.date()
        for _ in range(MOST_DAYS):
            yield from ((max(opening, moment), end) for opening, end in self._open_on(day) if end > moment)
            day += _DAY

    def _open_on(self, day: date) -> tuple[Span, ...]:
        """Return what is open on a day in UTC, joined where it overlaps."""
        known = self._open.get(day)
        if known is None:
            joined: list[Span] = []
            for opening, end in sorted(span for one in self._spans for span in one.open_on(day)):
                if joined and opening <= joined[-1][1]:
                    joined[-1] = joined[-1][0], max(joined[-1][1], end)
                else:
                    joined.append((opening, end))
            known = self._open[day] = tuple(joined)
        return known


@lru_cache(maxsize=64)
def clock_of(hours: BusinessTime) -> BusinessClock:
    """Return the clock of `hours`, one for all rules that share them; raise `InvalidRuleError` as its making does."""
    return BusinessClock(hours)


def check_span(span: BusinessSpan) -> None:
    """Raise `InvalidRuleError` if a member of `span` has no meaning; the message begins with the member."""
    _PreparedSpan(span)


class _PreparedSpan:
    """A span whose texts are read."""

    __slots__ = ("_days", "_except", "_holidays", "_times", "_zone")

    def __init__(self, span: BusinessSpan) -> None:
        self._zone = _zone(span.location)
        self._days = frozenset(day for text in span.weekdays for day in _weekdays(text)) or frozenset(range(7))
        self._times = tuple(_times(one) for one in span.times) or ((timedelta(0), _DAY),)
        self._holidays = span.except_holidays
        self._except = frozenset(span.except_dates)
        if span.except_holidays is not None:
            _calendar(span.except_holidays)

    def open_on(self, day: date) -> Iterator[Span]:
        """Yield what is open on a day in UTC."""
        for begin, end in self._steady(day):
            offset = _offset(begin, self._zone)
            local = (begin + offset).date()
            while datetime.combine(local, time(), tzinfo=UTC) - offset < end:
                if self._counts(local):
                    midnight = datetime.combine(local, time(), tzinfo=UTC) - offset
                    for first, last in self._times:
                        opening, closing = max(midnight + first, begin), min(midnight + last, end)
                        if opening < closing:
                            yield opening, closing
                local += _DAY

    def _steady(self, day: date) -> Iterator[Span]:
        """Yield the parts of a day in UTC in each of which the clock of the zone does not change."""
        begin = datetime.combine(day, time(), tzinfo=UTC)
        edges = [begin, begin + _DAY]
        if _offset(begin, self._zone) != _offset(begin + _DAY, self._zone):
            edges.insert(1, self._change(begin))
        yield from (pair for pair in pairwise(edges) if pair[0] < pair[1])

    def _change(self, begin: datetime) -> datetime:
        """Return the minute within a day after `begin` from which on the zone has another offset."""
        before = _offset(begin, self._zone)
        low, high = 0, _DAY // _MINUTE
        while high - low > 1:
            middle = (low + high) // 2
            same = _offset(begin + middle * _MINUTE, self._zone) == before
            low, high = (middle, high) if same else (low, middle)
        return begin + high * _MINUTE

    def _counts(self, local: date) -> bool:
        return (
            local.isoweekday() % 7 in self._days
            and local not in self._except
            and (self._holidays is None or not _is_holiday(self._holidays, local))
        )


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta(0)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        raise InvalidRuleError(f"location: {name} is no time zone{_nearest(name, available_timezones())}") from None


def _weekdays(text: str) -> range:
    edges = text.lower().split(":")
    for edge in edges:
        if edge not in WEEKDAYS:
            raise InvalidRuleError(f"weekdays: {edge} is no day of the week{_nearest(edge, WEEKDAYS)}")
    first, last = WEEKDAYS.index(edges[0]), WEEKDAYS.index(edges[-1])
    if len(edges) > 2 or first > last:
        raise InvalidRuleError(f"weekdays: {text} is no range; the week begins on sunday")
    return range(first, last + 1)


def _times(one: DayTimes) -> tuple[timedelta, timedelta]:
    first, last = _minute("start_time", one.start_time), _minute("end_time", one.end_time)
    if first >= last:
        raise InvalidRuleError("times: start_time is before end_time; for a night, write two that meet at midnight")
    return first, last


def _minute(member: str, text: str) -> timedelta:
    if found := _TIME_OF_DAY.fullmatch(text):
        minute = timedelta(hours=int(found["hour"]), minutes=int(found["minute"]))
        if minute <= _DAY:
            return minute
    raise InvalidRuleError(f"times: {member}: {text} is no time of the day; write 00:00 to 24:00, in quotation marks")


def _nearest(text: str, known: Iterable[str]) -> str:
    near = get_close_matches(text, list(known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else ""


@lru_cache(maxsize=64)
def _calendar(place: str) -> HolidayBase:
    import holidays  # takes half a second: only for those who have hours with holidays

    country, _, part = place.partition("-")
    try:
        return holidays.country_holidays(country, subdiv=part or None)
    except NotImplementedError:
        known = set(holidays.list_supported_countries())
        raise InvalidRuleError(f"except_holidays: there are none for {place}{_nearest(place, known)}") from None


@lru_cache(maxsize=8192)
def _is_holiday(place: str, day: date) -> bool:
    return day in _calendar(place)
