"""Cursors of lists: the place behind which the next page begins, as text that callers send back unchanged."""

import base64
import binascii
from datetime import UTC, datetime, timedelta

from services.alerts.stores.reading import Place
from services.runtime.http import Problem

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def cursor_of(place: Place) -> str:
    """Return the cursor of `place`."""
    text = f"{(place.at - _EPOCH) // _MICROSECOND} {place.id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def place_of(cursor: str | None) -> Place | None:
    """Return the place of a cursor that `cursor_of` made.

    Raises:
        Problem: it is none.
    """
    if cursor is None:
        return None
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        moment, _, item = text.partition(" ")
        return Place(at=_EPOCH + int(moment) * _MICROSECOND, id=item)
    except (binascii.Error, ValueError, OverflowError):
        raise Problem(422, "cursor_invalid", "Send `next_cursor` back unchanged, or leave the cursor out.") from None
