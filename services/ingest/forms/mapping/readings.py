"""How one value is read: as text, as a number, as a time. What cannot be read raises `UnreadableValueError`.

These read what JSON says. The cells of an import are text in the habits of a country, grouped numbers and times with
오전 among them: `waymark.imports.mapping` reads those, and shares the zones and the spelling of times.
"""

import html
import math
import re
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.ingest.forms.mapping.faults import MappingRuleError, UnreadableValueError

TIME_FORMS = frozenset({"iso", "s", "ms", "rfc2822"})
"""Forms of a time besides those of `strptime`: ISO 8601, seconds or milliseconds since 1970, a mail's date."""

_TAG = re.compile(r"<[^<>]*>")
_BREAK = re.compile(r"<\s*(?:br|/p|/div|/li)\b[^<>]*>", re.IGNORECASE)


def as_text(value: Any) -> str:
    """Return a value as text: JSON's true is `true`, 2.0 is `2`; null, objects and lists are empty."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, dict | list):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)


def plain_text(value: Any) -> str:
    """Return what HTML says, without its tags."""
    return html.unescape(_TAG.sub("", _BREAK.sub("\n", as_text(value)))).strip()


def read_number(value: Any, times: float = 1.0) -> int | float:
    """Return the number that a value says, with commas between its thousands or not, multiplied by `times`."""
    try:
        number = float(as_text(value).replace(",", "")) * times
    except ValueError:
        raise UnreadableValueError("no number") from None
    if not math.isfinite(number):
        raise UnreadableValueError("no number")
    return int(number) if number.is_integer() else round(number, 6)


def read_total(values: Any) -> Decimal | None:
    """Return the sum of the numbers in a list; None if there are none."""
    try:
        numbers = [Decimal(as_text(one)) for one in values] if isinstance(values, list) else []
    except InvalidOperation:
        raise UnreadableValueError("no numbers to add up") from None
    return sum(numbers, Decimal(0)) if numbers else None


def read_moment(value: Any, form: str) -> datetime:
    """Return the time that a value says in one of `TIME_FORMS` or in a form of `strptime`.

    It has a zone only where the text, or its form, has one.
    """
    if isinstance(value, datetime):
        return value
    try:
        return _moment(as_text(value), form)
    except (ValueError, OverflowError, OSError, TypeError):
        raise UnreadableValueError(f"no time of the form {form}") from None


def _moment(text: str, form: str) -> datetime:
    if form in {"s", "ms"}:
        return datetime.fromtimestamp(float(text) / (1000 if form == "ms" else 1), UTC)
    if form == "rfc2822":
        return parsedate_to_datetime(text)
    return datetime.fromisoformat(text) if form == "iso" else datetime.strptime(text, form)  # noqa: DTZ007  zone follows


def zone_named(name: str) -> ZoneInfo:
    """Return the time zone of an IANA name; raises `MappingRuleError` when there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise MappingRuleError(f"there is no time zone {name!r}; an IANA name like Asia/Seoul is wanted") from None


def time_text(moment: datetime) -> str:
    """Return an aware time as a touchpoint says it, in UTC: `2026-11-22T00:15:00Z`; raises `OverflowError`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
