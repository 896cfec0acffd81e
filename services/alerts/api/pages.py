"""Cursors of lists: the place behind which the next page begins, as text that callers send back unchanged.

A cursor names its list and is checked, not trusted: one of another list, or one that somebody made, is refused.
"""

import base64
import binascii
import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from services.alerts.stores.reading import Place
from services.runtime.http import Problem

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Listed(StrEnum):
    """What a list holds."""

    ISSUES = "issues"
    DELIVERIES = "deliveries"


_IDS = {
    Listed.ISSUES: re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    Listed.DELIVERIES: re.compile(r"[\x21-\x7e]{1,80}"),
}


def cursor_of(listed: Listed, place: Place) -> str:
    """Return the cursor of `place` in a list."""
    text = f"{listed} {(place.at - _EPOCH) // _MICROSECOND} {place.id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def place_of(listed: Listed, cursor: str | None) -> Place | None:
    """Return the place of a cursor that `cursor_of` made for this list.

    Raises:
        Problem: it is none.
    """
    if cursor is None:
        return None
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        name, moment, item = text.split(" ")
        if name != listed or not _IDS[listed].fullmatch(item):
            raise ValueError(name)
        return Place(at=_EPOCH + int(moment) * _MICROSECOND, id=item)
    except (binascii.Error, ValueError, OverflowError):
        raise Problem(422, "cursor_invalid", "Send `next_cursor` back unchanged, or leave the cursor out.") from None
