"""Says whether the customer wrote the text of a touchpoint: what the company or a bot wrote does not count. Pure."""

from collections.abc import Mapping
from functools import cache

from schemas import kinds
from schemas.documents.touchpoint import TouchpointDocument
from schemas.kinds import Speaker
from schemas.vocabulary import Direction

_FROM_CUSTOMERS = frozenset({"complaint_made", "survey_answered"})
"""Kinds that only the customer can send, whatever their direction is said to be."""


def is_of_customer(touchpoint: TouchpointDocument) -> bool:
    """Return whether the customer wrote or said the text of `touchpoint`.

    Where a kind has no speaker of its own (a call, a case, a kind of the house), the direction must be inbound.
    """
    if touchpoint.kind in _FROM_CUSTOMERS:
        return touchpoint.direction is not Direction.OUTBOUND
    speaker = _speakers().get(touchpoint.kind, Speaker.CUSTOMER)
    return speaker is Speaker.CUSTOMER and touchpoint.direction is Direction.INBOUND


@cache
def _speakers() -> Mapping[str, Speaker]:
    return kinds.load().speakers
