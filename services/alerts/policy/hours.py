"""Hours: named sets of times in a time zone, with weekdays, days, months, years and public holidays.

Pure. A span means what a `time_interval` of Alertmanager means, and adds holidays: times are `[start, end)`, the other
ranges include both ends, days of the month count from its end if they are negative. Whoever is outside the hours is not
forgotten: `next_opening` says when the hours begin, over every change of the clocks.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise, takewhile
from zoneinfo import ZoneInfo

import holidays

LONGEST_WAIT = timedelta(days=400)
"""How far ahead an opening is looked for; hours that do not open until then count as never open."""

_DAY = timedelta(days=1)
Range = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class HourSpan:
    """Times that fulfil all of these conditions; an empty one restricts nothing.

    `times` are minutes of the day, `weekdays` count from Sunday (0), `zone` is a name of the IANA database.
    `except_holidays` and `only_holidays` name a country, with a part of it after a hyphen: `KR`, `DE-BY`.
    """

    times: tuple[Range, ...] = ()
    weekdays: tuple[Range, ...] = ()
    days_of_month: tuple[Range, ...] = ()
    months: tuple[Range, ...] = ()
    years: tuple[Range, ...] = ()
    zone: str = "UTC"
    except_holidays: str | None = None
    only_holidays: str | None = None
    except_dates: tuple[date, ...] = ()
    only_dates: tuple[date, ...] = ()

    def contains(self, now: datetime) -> bool:
        """Return whether `now` is in the span."""
        local = now.astimezone(_zone(self.zone))
        minute = local.hour * 60 + local.minute
        return (
            (not self.times or any(start <= minute < end for start, end in self.times))
            and _within(self.weekdays, local.isoweekday() % 7)
            and _within(self.months, local.month)
            and _within(self.years, local.year)
            and _day_within(self.days_of_month, local.date())
            and self._allows(local.date())
        )

    def _allows(self, day: date) -> bool:
        """Return whether the holidays and single dates allow a day."""
        if day in self.except_dates or (self.except_holidays and is_holiday(self.except_holidays, day)):
            return False
        if self.only_holidays is None and not self.only_dates:
            return True
        return day in self.only_dates or bool(self.only_holidays and is_holiday(self.only_holidays, day))


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedHours:
    """Hours with a name that routes and silences use: the times of any of their spans."""

    name: str
    spans: tuple[HourSpan, ...]

    def contains(self, now: datetime) -> bool:
        """Return whether `now` is within these hours."""
        return any(span.contains(now) for span in self.spans)


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _within(ranges: Sequence[Range], value: int) -> bool:
    return not ranges or any(first <= value <= last for first, last in ranges)


def _day_within(ranges: Sequence[Range], day: date) -> bool:
    if not ranges:
        return True
    length = ((day.replace(day=28) + timedelta(days=4)).replace(day=1) - _DAY).day
    for first, last in ranges:
        begin, end = (length + edge + 1 if edge < 0 else edge for edge in (first, last))
        if begin <= length and max(begin, -length) <= day.day <= min(end, length):
            return True
    return False


class UnknownHolidaysError(ValueError):
    """There is no calendar of this name; the message names it."""


@lru_cache(maxsize=64)
def _calendar(place: str) -> holidays.HolidayBase:
    country, _, part = place.partition("-")
    try:
        return holidays.country_holidays(country, subdiv=part or None)
    except NotImplementedError:
        raise UnknownHolidaysError(place) from None


def check_holidays(place: str) -> None:
    """Raise `UnknownHolidaysError` unless there is a calendar for `place`."""
    _calendar(place)


def holiday_places() -> list[str]:
    """Return the countries that there are calendars for."""
    return sorted(holidays.list_supported_countries())


@lru_cache(maxsize=8192)
def is_holiday(place: str, day: date) -> bool:
    """Return whether a day is a public holiday of `place`."""
    return day in _calendar(place)


def are_open(active: Sequence[NamedHours], muted: Sequence[NamedHours], now: datetime) -> bool:
    """Return whether a route with these hours notifies now: within `active`, if there are any, and not in `muted`."""
    if active and not any(hours.contains(now) for hours in active):
        return False
    return not any(hours.contains(now) for hours in muted)


def next_opening(active: Sequence[NamedHours], muted: Sequence[NamedHours], now: datetime) -> datetime | None:
    """Return `now` if the hours are open, else when they open next (UTC); None if not within `LONGEST_WAIT`."""
    if are_open(active, muted, now):
        return now
    edges = (edge for edge in _edges([*active, *muted], now) if edge > now and are_open(active, muted, edge))
    return next(edges, None)


def next_end(hours: Sequence[NamedHours], now: datetime) -> datetime | None:
    """Return when hours that contain `now` end next (UTC); None if not within `LONGEST_WAIT`."""
    edges = (e for e in _edges(hours, now) if e > now and not any(one.contains(e) for one in hours))
    return next(edges, None)


@lru_cache(maxsize=4096)
def open_times(hours: NamedHours, day: date) -> tuple[tuple[datetime, datetime], ...]:
    """Return from when until when the hours are open on a day in UTC, in order; what touches is not joined."""
    begin = datetime.combine(day, time(), tzinfo=UTC)
    end = begin + _DAY
    inner = takewhile(lambda edge: edge < end, (edge for edge in _edges([hours], begin) if edge > begin))
    return tuple(span for span in pairwise([begin, *inner, end]) if hours.contains(span[0]))


def _edges(hours: Iterable[NamedHours], now: datetime) -> Iterator[datetime]:
    """Yield in order every instant, from a day before `now`, at which hours can begin or end."""
    spans = [span for one in hours for span in one.spans]
    zones = {span.zone for span in spans}
    minutes = {
        name: sorted({0} | {edge for span in spans if span.zone == name for pair in span.times for edge in pair})
        for name in zones
    }
    day = now.astimezone(UTC).date() - _DAY
    last = day + LONGEST_WAIT
    waiting: set[datetime] = set()
    while day < last:
        waiting |= {edge for name in zones for edge in _edges_of_day(day, _zone(name), minutes[name])}
        # the next day begins first in the zone that is 14 hours ahead
        sure = datetime.combine(day, time(10), tzinfo=UTC)
        yield from sorted(edge for edge in waiting if edge < sure)
        waiting = {edge for edge in waiting if edge >= sure}
        day += _DAY


def _edges_of_day(day: date, zone: ZoneInfo, minutes: Sequence[int]) -> Iterator[datetime]:
    """Yield the instants of these minutes of a local day, both of a repeated one, and the changes of the clock."""
    start = datetime.combine(day, time(), tzinfo=zone)
    for minute in minutes:
        wall = (datetime.combine(day, time()) + timedelta(minutes=minute)).replace(tzinfo=zone)
        yield from (wall.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    first = start.astimezone(UTC)
    if zone.utcoffset(start) != zone.utcoffset(start + _DAY):
        yield _clock_change(zone, first)


def _clock_change(zone: ZoneInfo, first: datetime) -> datetime:
    """Return the minute (UTC) within the day and two hours after `first` at which the clock changes."""
    low, high = 0, 26 * 60
    before = first.astimezone(zone).utcoffset()
    while high - low > 1:
        middle = (low + high) // 2
        same = (first + timedelta(minutes=middle)).astimezone(zone).utcoffset() == before
        low, high = (middle, high) if same else (low, middle)
    return first + timedelta(minutes=high)
