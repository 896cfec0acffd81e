"""Business time by the oracle, as docs/semantics.md defines it: how much has passed, and when so much has.

Part of the oracle: it imports nothing of Waymark, on purpose. Zones are known by their rule instead of by the
database of zones, and what is due is found by asking how much has passed, over and over.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Any, Final

from tests.oracle.facts import DAY, HOUR, MINUTE

Json = dict[str, Any]

WEEK: Final = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
EPOCH: Final = date(1970, 1, 1)
LONGEST: Final = 3653 * DAY


def due(hours: Json | None, stops: Sequence[tuple[int, bool]], since: int, within: int) -> int | None:
    """The first moment by which the clock has run for `within`; at a moment in `stops` it stops (false) or runs."""

    def ran(until: int) -> int:
        edges = [(since, True), *((at, runs) for at, runs in stops if at < until), (until, True)]
        return sum(passed(hours, begin, end) for (begin, runs), (end, _) in pairwise(edges) if runs)

    last = max([since, *(at for at, _ in stops)])
    if stops and not stops[-1][1] and ran(last) < within:
        return None
    low, high = since, since + within
    while ran(high) < within:
        if high - since > 2 * LONGEST:
            return None
        low, high = high, since + 2 * (high - since)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if ran(middle) >= within else (middle, high)
    return high if low == since or ran(low) < within else low


def is_open(hours: Json, at: int) -> bool:
    """The microsecond that begins at `at` is in the hours."""
    return passed(hours, at, at + 1) > 0


def passed(hours: Json | None, begin: int, end: int) -> int:
    """How much of the time from `begin` to `end` is in the hours, in microseconds; spans that overlap count once."""
    if hours is None:
        return end - begin
    parts = sorted(part for span in hours["time_intervals"] for part in _parts(span, begin, end))
    total, covered = 0, begin
    for first, last in parts:
        total += max(0, last - max(first, covered))
        covered = max(covered, last)
    return total


def _parts(span: Json, begin: int, end: int) -> list[tuple[int, int]]:
    found = []
    changes = [at for at in _changes(span.get("location", "UTC"), begin, end) if begin < at < end]
    for first, last in pairwise([begin, *changes, end]):
        offset = _offset(span.get("location", "UTC"), first)
        for day in range((first + offset) // DAY, (last + offset) // DAY + 1):
            if not _counts(span, day):
                continue
            for times in span.get("times") or [{"start_time": "00:00", "end_time": "24:00"}]:
                opening = max(first, day * DAY + _clock(times["start_time"]) - offset)
                closing = min(last, day * DAY + _clock(times["end_time"]) - offset)
                if opening < closing:
                    found.append((opening, closing))
    return found


def _counts(span: Json, day: int) -> bool:
    named = span.get("weekdays") or ["sunday:saturday"]
    of_week = (day + 4) % 7  # 1970 began on a Thursday
    edges = [[WEEK.index(name) for name in text.split(":")] for text in named]
    is_named = any(first[0] <= of_week <= first[-1] for first in edges)
    return is_named and (EPOCH + timedelta(days=day)).isoformat() not in span.get("except_dates", ())


def _clock(text: str) -> int:
    return int(text[:2]) * HOUR + int(text[3:]) * MINUTE


def _offset(zone: str, at: int) -> int:
    """UTC, Seoul, or Berlin."""
    if zone != "Europe/Berlin":
        return {"UTC": 0, "Asia/Seoul": 9 * HOUR}[zone]
    year = (EPOCH + timedelta(days=at // DAY)).year
    return 2 * HOUR if _last_sunday(year, 3) <= at < _last_sunday(year, 10) else HOUR


def _changes(zone: str, begin: int, end: int) -> list[int]:
    if zone != "Europe/Berlin":
        return []
    first, last = ((EPOCH + timedelta(days=at // DAY)).year for at in (begin, end))
    return [_last_sunday(year, month) for year in range(first, last + 1) for month in (3, 10)]


def _last_sunday(year: int, month: int) -> int:
    """One o'clock in UTC on the last Sunday of a month with 31 days: all clocks of the European Union change then."""
    last = (date(year, month, 31) - EPOCH).days
    return (last - (last + 4) % 7) * DAY + HOUR
