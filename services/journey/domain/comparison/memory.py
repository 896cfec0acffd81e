"""Estimates how many bytes of memory touchpoints and what is stored of a customer take."""

from collections.abc import Iterable
from sys import getsizeof
from typing import Any, Final

from services.journey.domain.comparison.changes import StoredCustomer
from services.journey.domain.touchpoint import RecordedTouchpoint

_TOUCHPOINT: Final = 1_300
"""Bytes of a touchpoint with its times and names, but without what differs most in length."""

_SEGMENTED: Final = 500
"""Bytes of its place in the history, among those of its kind, in its contact and its journey."""

_IDENTIFIER: Final = 180
_FRICTION, _JOURNEY, _TIMER, _PASSAGE, _SHADOW = 800, 700, 500, 1_500, 900


def touchpoint_bytes(recorded: RecordedTouchpoint) -> int:
    """Return about how many bytes a touchpoint takes."""
    point = recorded.touchpoint
    return (
        _TOUCHPOINT
        + _SEGMENTED
        + _IDENTIFIER * len(point.customer)
        + (0 if point.text is None else getsizeof(point.text))
        + (_deep(point.refs) if point.refs else 0)
        + (_deep(point.attributes) if point.attributes else 0)
    )


def history_bytes(history: Iterable[RecordedTouchpoint]) -> int:
    """Return about how many bytes these touchpoints take."""
    return sum(map(touchpoint_bytes, history))


def stored_bytes(stored: StoredCustomer) -> int:
    """Return about how many bytes the rows of a customer take."""
    return (
        sum(_FRICTION + len(one.payload) for one in stored.frictions)
        + _JOURNEY * len(stored.journeys)
        + _TIMER * len(stored.timers)
        + _PASSAGE * len(stored.passages)
        + _SHADOW * len(stored.shadow)
    )


def _deep(node: Any) -> int:
    size = getsizeof(node)
    if isinstance(node, dict):
        size += sum(_deep(name) + _deep(member) for name, member in node.items())
    elif isinstance(node, list):
        size += sum(map(_deep, node))
    return size
