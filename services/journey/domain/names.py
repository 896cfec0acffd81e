"""Deterministic ids: made from content alone, never from a clock or an offset, so that they are the same everywhere."""

from functools import lru_cache
from typing import NewType
from uuid import UUID, uuid5

CustomerId = NewType("CustomerId", UUID)
JourneyId = NewType("JourneyId", UUID)
FrictionId = NewType("FrictionId", UUID)
TimerId = NewType("TimerId", UUID)

WAYMARK = UUID("c2f7dece-e263-50d8-ba81-6db6433833df")
"""`uuid5(NAMESPACE_DNS, "waymark")`: the namespace of every deterministic id. It never changes, so that a
friction found again is the same friction."""

_SEPARATOR = "\x1f"  # a control character, so that no two names run into one another


@lru_cache(maxsize=4096)
def friction_id(rule: str, source: str, *, interaction_id: str | None, touchpoint_id: str) -> FrictionId:
    """Return the id of what `rule` found at an anchor: an interaction where there is one, otherwise a touchpoint.

    Cached, because each new touchpoint projects its customer anew and finds the same frictions again.
    """
    kind, local = ("t", touchpoint_id) if interaction_id is None else ("i", interaction_id)
    return FrictionId(uuid5(WAYMARK, _SEPARATOR.join((rule, source, kind, local))))


def timer_id(rule: str, source: str, touchpoint_id: str) -> TimerId:
    """Return the id of the timer that `rule` arms at a touchpoint."""
    return TimerId(uuid5(WAYMARK, _SEPARATOR.join(("timer", rule, source, touchpoint_id))))
