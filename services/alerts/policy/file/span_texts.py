"""Texts of the policy's file and of the API as values: durations (`1h30m`) and ranges of times, weekdays and months.

Pure. The forms are those of Alertmanager; each error says which forms there are.
"""

import re
from collections.abc import Sequence
from datetime import timedelta

from services.alerts.policy.hours import Range

WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_UNITS = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_DURATION = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?")
_CLOCK = re.compile(r"(\d{2}):(\d{2})")


def parse_duration(text: object) -> timedelta:
    """Return the duration in a text such as `30s`, `5m`, `1h30m`, `2d`; `0` is none at all."""
    found = _DURATION.fullmatch(str(text))
    if str(text) == "0" or (found and any(found.groups())):
        numbers = found.groups() if found else ()
        milliseconds = sum(int(n or 0) * unit for n, unit in zip(numbers, _UNITS.values(), strict=False))
        if milliseconds <= 366 * _UNITS["d"]:
            return timedelta(milliseconds=milliseconds)
    raise ValueError("this is no duration of at most a year; write 30s, 5m, 1h30m or 2d")


def write_duration(duration: timedelta) -> str:
    """Return the shortest text of a duration."""
    left = round(duration.total_seconds() * 1000)
    parts = []
    for unit, size in _UNITS.items():
        number, left = divmod(left, size)
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts) or "0s"


def parse_clock(text: object) -> int:
    """Return the minute of the day in a text from `00:00` to `24:00`."""
    found = _CLOCK.fullmatch(str(text))
    minute = int(found[1]) * 60 + int(found[2]) if found and int(found[2]) < 60 else 1441
    if minute > 1440:
        raise ValueError(f'{text!r} is no time of the day; write it in quotation marks, from "00:00" to "24:00"')
    return minute


def parse_times(start: object, end: object) -> Range:
    """Return the minutes of a day from `start` up to `end`, which must be later."""
    first, last = parse_clock(start), parse_clock(end)
    if first >= last:
        raise ValueError("start_time must be before end_time; for a night, write two ranges that meet at midnight")
    return first, last


def parse_named(text: object, names: Sequence[str], first: int) -> Range:
    """Return a range such as `monday:friday` or `1:3` of names that are numbered from `first`."""
    edges = [_number(part, names, first) for part in str(text).lower().split(":")]
    if len(edges) > 2 or edges[0] > edges[-1]:
        raise ValueError(f"{text!r} is no range; write two of {names[0]} … {names[-1]} in their order, such as a:b")
    return edges[0], edges[-1]


def _number(part: str, names: Sequence[str], first: int) -> int:
    if part in names:
        return names.index(part) + first
    if part.isdigit() and first == 1 and 1 <= int(part) <= len(names):  # months alone may be numbers
        return int(part)
    raise ValueError(f"{part!r} is none of {', '.join(names)}")


def parse_numbers(text: object, least: int, most: int) -> Range:
    """Return a range of whole numbers such as `1:5`, `-3:-1` or `2026`, from `least` to `most` and without 0."""
    try:
        edges = [int(part) for part in str(text).split(":")]
    except ValueError:
        edges = []
    if not 1 <= len(edges) <= 2 or any(edge == 0 or not least <= edge <= most for edge in edges):
        raise ValueError(f"{text!r} is no range of numbers from {least} to {most}; write 5 or 1:5")
    first, last = edges[0], edges[-1]
    if (first > last and (first > 0) == (last > 0)) or (first > 0 > last and 31 + last + 1 < first):
        raise ValueError(f"{text!r} ends before it begins")
    if first < 0 < last:
        raise ValueError(f"{text!r} begins at the end of the month and ends at its start")
    return first, last
