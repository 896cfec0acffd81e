"""Covers a span of time with whole months, days and hours, as few as possible, so that few rows are read.

Pure: times in, times out, all in UTC.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)


class CoveredSpan(NamedTuple):
    """Rows of one length, `h`, `d` or `m`, from `since` on (None: from the beginning) and before `until`."""

    span: str
    since: datetime | None
    until: datetime | None


def whole_hours(since: datetime | None, until: datetime | None) -> tuple[datetime | None, datetime | None]:
    """Return the span widened to whole hours; the last hour of the calendar has no end, so it is left open."""
    return (
        None if since is None else _floor_hour(since.astimezone(UTC)),
        None if until is None else _ceil(until.astimezone(UTC), _floor_hour, _HOUR),
    )


def covering(since: datetime | None, until: datetime | None) -> list[CoveredSpan]:
    """Return spans that cover whole hours from `since` to `until`, each hour once."""
    return list(_cover(since, until, 0))


def _cover(since: datetime | None, until: datetime | None, level: int) -> Iterator[CoveredSpan]:
    span, floor, longest = _LEVELS[level]
    last = level == len(_LEVELS) - 1
    first = None if since is None else _ceil(since, floor, longest)
    end = None if until is None else floor(until)
    beyond = since is not None and first is None
    if beyond or (first is not None and end is not None and first >= end):
        if not last:
            yield from _cover(since, until, level + 1)
        return
    yield CoveredSpan(span, first, end)
    if since is not None and first is not None and since < first:
        yield from _cover(since, first, level + 1)
    if until is not None and end is not None and end < until:
        yield from _cover(end, until, level + 1)


def _floor_hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _floor_day(at: datetime) -> datetime:
    return _floor_hour(at).replace(hour=0)


def _floor_month(at: datetime) -> datetime:
    return _floor_day(at).replace(day=1)


def _ceil(at: datetime, floor: Callable[[datetime], datetime], longest: timedelta) -> datetime | None:
    """Return the next beginning at or after `at`, None where the calendar ends before it."""
    begun = floor(at)
    if begun == at:
        return at
    try:
        return floor(begun + longest)
    except OverflowError:
        return None


_LEVELS: Final = (("m", _floor_month, 31 * _DAY), ("d", _floor_day, _DAY), ("h", _floor_hour, _HOUR))
