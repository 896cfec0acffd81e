"""Field types of every API, which refuse what a database cannot store: NUL, and times that have no form in UTC."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, AwareDatetime, StringConstraints

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z_-]{0,29}")


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("this time lies outside the years 1 to 9999 in UTC") from None


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A time with its offset, turned into UTC; the first and last hours of the calendar have none there."""

PlainText = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]
"""Text without NUL, which PostgreSQL takes in no text."""


def path_of(error: Mapping[str, Any]) -> str:
    """Return where a pydantic error is, `body.matchers.rules.3`, without repeating a name that no program gave.

    The names of fields that nobody asked for are the caller's, and so is what they say.
    """
    location: Iterable[Any] = error["loc"]
    return ".".join(_shown(part) for part in location)


def _shown(part: object) -> str:
    return (
        part if isinstance(part, str) and _PLAIN_NAME.fullmatch(part) else str(part) if isinstance(part, int) else "?"
    )


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError("no zone of the IANA database") from None
    return name


Zone = Annotated[PlainText, StringConstraints(max_length=64), AfterValidator(_known_zone)]
"""The name of a time zone: `Asia/Seoul`."""
