"""Reads points in time out of cells, says which format an unreadable one looks like, and moves times by a span.

Years are judged by the contract, not here.
"""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta

from waymark.imports.mapping.cells import UnreadableCellError

Read = Callable[[str], datetime]

_EXCEL_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - Excel knows no zones; the caller puts one on
_NOON = re.compile(r"(오전|午前|上午|vorm\.?|a\.\s?m\.?|am)|(오후|午後|下午|nachm\.?|p\.\s?m\.?|pm)", re.IGNORECASE)
_YEAR_FIRST = re.compile(
    r"(?P<y>\d{4})\s*[-./년]\s*(?P<mo>\d{1,2})\s*[-./월]\s*(?P<d>\d{1,2})\s*[.일]?"
    r"(?:[T\s,(]*(?:[월화수목금토일]\)|\([월화수목금토일]\))?\s*(?P<noon>오전|오후|午前|午後|AM|PM|am|pm)?\s*"
    r"(?P<h>\d{1,2})\s*[:시時]\s*(?:(?P<mi>\d{1,2})\s*[:분分]?\s*(?:(?P<s>\d{1,2})(?P<f>\.\d{1,6})?\s*초?)?)?"
    r"\s*(?P<after>AM|PM|am|pm)?)?"
)
_RUN_OF_DIGITS = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?(\.\d{1,6})?")
_AFTERNOON = frozenset({"오후", "午後", "PM"})
_ZONE = re.compile(r"\s*(?P<utc>UTC|GMT)$|\s+(?P<offset>[+-]\d{2}:?\d{2})$")
_LONGEST_NUMBER_OF_ISO = 8
"""`20261122` is a date of ISO 8601; a longer run of digits is an epoch or has a form of its own."""


def reader(formats: Sequence[str]) -> Read:
    """Return what reads a time by the first of `formats` that fits: `iso`, `epoch_s`, `epoch_ms`, `excel`, or a form of
    `strptime`, whose `%p` also takes 오전 and 오후. The result has a zone only where the text has one.

    The reader raises Unreadable, ValueError and OverflowError.
    """
    readers = [_READERS.get(form) or _by_format(form) for form in formats]
    named = repr(formats[0]) if len(formats) == 1 else repr(list(formats))

    def read(text: str) -> datetime:
        for one in readers:
            try:
                return one(text)
            except (ValueError, OverflowError, OSError):
                continue
        hint, ko_hint = _hints(text)
        raise UnreadableCellError(
            f"is not a time of the format {named}{hint}", f"값이 {named} 형식의 시각이 아닙니다{ko_hint}"
        )

    return read


def likely_formats(text: str) -> list[str]:
    """Return the formats by which `text` could be read: none, one, or two where day and month may change places."""
    if month := _MONTH.fullmatch(text):
        return [f"%Y{month['sep']}%m{month['end']}"]
    if text.replace(".", "", 1).isdigit():
        return _likely_numbers(text)
    found = _LOOKS.fullmatch(text)
    if found is None:
        return []
    return [form for form in _spelled(found) if _fits(form, text)]


def _hints(text: str) -> tuple[str, str]:
    likely = [f'`format: "{form}"`' for form in likely_formats(text)]
    if not likely:
        return "", ""
    return f"; it looks like {' or '.join(likely)}", f". {' 또는 '.join(likely)}(으)로 보입니다"


def _likely_numbers(text: str) -> list[str]:
    value = float(text)
    bounds = {
        "excel": (36_526, 73_050),
        "epoch_s": (3e8, 4.2e9),
        "epoch_ms": (3e11, 4.2e12),
    }  # 2000 to 2100, and before
    return [name for name, (low, high) in bounds.items() if low <= value < high]


_MONTH = re.compile(r"20\d\d(?P<sep>[-/.]|년 ?|年|)(?:0[1-9]|1[0-2]|(?<!\d)[1-9])(?P<end>월|月|)")
"""A month without a day."""

_LOOKS = re.compile(
    r"(?P<a>\d{1,4}|[A-Za-z]{3,9})(?P<sep>[-./ ]\s?)(?P<b>\d{1,2}|[A-Za-z]{3,9})(?P<sep2>[-./ ]|, |\. )\s?"
    r"(?P<c>\d{2,4})"
    r"(?P<gap>\s+|T|, )?(?P<noon>오전|오후)?(?P<gap2>\s)?(?P<h>\d{1,2})?(?P<m>:\d{2})?(?P<s>:\d{2})?(?P<f>[.,]\d{1,6})?"
    r"(?P<gap3>\s)?(?P<after>[AaPp]\.?[Mm]\.?)?"
)


def _spelled(found: re.Match[str]) -> list[str]:
    year = "%Y" if len(found["c"]) == 4 else "%y"
    first, second = _part(found["a"], "%d"), _part(found["b"], "%m")
    days = [(first, second)] if "%b" in (first, second) or "%B" in (first, second) else [("%d", "%m"), ("%m", "%d")]
    if not found["a"].isdigit():
        days = [(first, "%d")]
    if "." in found["sep"]:
        days = days[:1]  # with dots, the day stands first
    return [f"{a}{found['sep']}{b}{found['sep2']}{year}{_clock_of(found)}" for a, b in days]


def _part(text: str, numeric: str) -> str:
    if text.isdigit():
        return numeric
    return "%b" if len(text) == 3 else "%B"


def _clock_of(found: re.Match[str]) -> str:
    if not found["h"]:
        return ""
    halves = found["noon"] or found["after"]
    clock = ("%I" if halves else "%H") + (":%M" if found["m"] else "") + (":%S" if found["s"] else "")
    clock += f"{found['f'][0]}%f" if found["f"] else ""
    before = f"%p{found['gap2'] or ''}" if found["noon"] else ""
    after = f"{found['gap3'] or ''}%p" if found["after"] else ""
    return f"{(found['gap'] or '')}{before}{clock}{after}"


def _fits(form: str, text: str) -> bool:
    try:
        _by_format(form)(text)
    except ValueError:
        return False
    return True


def _by_format(form: str) -> Read:
    if "%p" not in form:
        return lambda text: datetime.strptime(text, form)  # noqa: DTZ007 - the caller puts the zone on
    return lambda text: datetime.strptime(_NOON.sub(_half, text), form)  # noqa: DTZ007 - the same


def _half(found: re.Match[str]) -> str:
    return "AM" if found[1] else "PM"


def _iso(text: str) -> datetime:
    """ISO 8601, and what else has one meaning only because its year stands first."""
    digits = len(text) if text.isdigit() else 0
    if digits <= _LONGEST_NUMBER_OF_ISO:
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            pass
    if zone := _ZONE.search(text):
        bare = text[: zone.start()]
        return datetime.fromisoformat(bare + (zone["offset"] or "+00:00"))
    if run := _RUN_OF_DIGITS.fullmatch(text):
        numbers = [int(part or 0) for part in run.groups()[:6]]
        year, month, day, hour, minute, second = numbers
        return datetime(year, month, day, hour, minute, second, _micros(run[7]))  # noqa: DTZ001 - zone: the caller
    found = _YEAR_FIRST.fullmatch(text)
    if found is None:
        raise ValueError(text)
    return _of_parts(found)


def _of_parts(found: re.Match[str]) -> datetime:
    hour = int(found["h"] or 0)
    half = found["noon"] or found["after"]
    if half:
        if not 1 <= hour <= 12:
            raise ValueError(hour)
        hour = hour % 12 + (12 if half.upper() in _AFTERNOON else 0)
    year, month, day = int(found["y"]), int(found["mo"]), int(found["d"])
    minute, second = int(found["mi"] or 0), int(found["s"] or 0)
    return datetime(year, month, day, hour, minute, second, _micros(found["f"]))  # noqa: DTZ001 - zone: the caller


def _micros(fraction: str | None) -> int:
    return int(fraction[1:].ljust(6, "0")) if fraction else 0


def _excel(text: str) -> datetime:
    """Days since the end of 1899; to the millisecond, which is all that its double keeps."""
    return _EXCEL_EPOCH + timedelta(milliseconds=round(float(text) * 86_400_000))


_READERS: dict[str, Read] = {
    "iso": _iso,
    "epoch_s": lambda text: datetime.fromtimestamp(float(text), UTC),
    "epoch_ms": lambda text: datetime.fromtimestamp(float(text) / 1000, UTC),
    "excel": _excel,
}


class TimeShift:
    """Moves every time of a file by one and the same span, so that order and intervals stay as they are.

    Years have no one length: they are counted from the first time that is moved, in whole days, so the hour stays.
    """

    def __init__(self, *, years: int = 0, span: timedelta = timedelta(), latest: date | None = None) -> None:
        self.latest = latest
        """The day on which the latest time of the file shall lie; `settle` says which that is now."""
        self._years = years
        self._by = span
        self._settled = not years and latest is None

    def settle(self, moment: datetime) -> None:
        """Fix the span by a time of the file: its latest where `latest` is wanted, else its first."""
        if self._settled:
            return
        self._settled = True
        day = moment.date()
        self._by += (self.latest or _years_on(day, self._years)) - day

    def __call__(self, moment: datetime) -> datetime:
        """Return the time moved; raises OverflowError."""
        self.settle(moment)
        return moment + self._by


_PART = re.compile(r"\s*([+-]?\d+)\s*([ywdh])", re.IGNORECASE)


def parse_shift(text: str) -> TimeShift:
    """Return the shift that a mapping names: `46y`, `-2w 3h`, or `to 2026-11-22`. Raises ValueError."""
    if text.startswith("to "):
        return TimeShift(latest=date.fromisoformat(text[3:].strip()))
    amounts = {"y": 0, "w": 0, "d": 0, "h": 0}
    at = 0
    while found := _PART.match(text, at):
        amounts[found[2].lower()] += int(found[1])
        at = found.end()
    if not at or text[at:].strip():
        raise ValueError(text)
    span = timedelta(weeks=amounts["w"], days=amounts["d"], hours=amounts["h"])
    return TimeShift(years=amounts["y"], span=span)


def _years_on(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return day.replace(year=day.year + years, day=28)
