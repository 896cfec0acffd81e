"""What rules count: a touchpoint, or a contact with the fields of all its touchpoints.

docs/semantics.md defines each field of a contact.
"""

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, TypeVar

import msgspec

from services.journey.domain.touchpoint import OrderKey, Touchpoint


class CountedUnit(msgspec.Struct, frozen=True, gc=False):
    """What rules count: a touchpoint, or a `Contact`.

    `view` holds the fields that rules look at, including the service level of the customer where a rule asks for it.
    `at` is the touchpoint that represents the unit, at `position` in the history.
    """

    view: Touchpoint
    at: Touchpoint
    position: int
    time: datetime
    order: OrderKey


class Contact(CountedUnit, frozen=True, gc=False):
    """One conversation of the customer with the company: a call, a visit, a chat, messages to and fro.

    `at` is its first inbound touchpoint of a contact kind. `everything` holds all its touchpoints in order, also those
    of the company and those before `at`.
    """

    everything: Sequence[Touchpoint]


_LARGEST = ("wait_s", "duration_s", "hold_s", "transfers")
_FIRST = ("queue", "agent", "text", "sentiment", "score", "value", "service_level", "due_at")

T = TypeVar("T")

_read = attrgetter(*_LARGEST, *_FIRST)
_UNKNOWN = (None,) * (len(_LARGEST) + len(_FIRST))
_BORDER = len(_LARGEST)


def merge_contact(
    first: Touchpoint, members: Sequence[Touchpoint], everything: Sequence[Touchpoint], outcome: str | None
) -> Touchpoint:
    """Return the fields of a contact that begins with the touchpoint `first` and has the `outcome`.

    `members` are its inbound touchpoints of contact kinds; `everything` holds all its touchpoints, in order. One pass:
    this is done anew for each touchpoint that a customer gets.
    """
    values = _values(everything)
    changes = {} if values == _read(first) else dict(zip(_LARGEST + _FIRST, values, strict=True))
    return msgspec.structs.replace(
        first,
        reason=next((one.reason for one in members if one.reason is not None), None),
        outcome=outcome,
        refs=_gathered([one.refs for one in everything]),
        attributes=_gathered([one.attributes for one in everything]),
        customer=_gathered([one.customer for one in everything]),
        **changes,
    )


def _values(everything: Sequence[Touchpoint]) -> tuple[Any, ...]:
    """Return the largest of each of `_LARGEST`, and the first of each of `_FIRST`, that is known."""
    values: tuple[Any, ...] = _UNKNOWN
    for one in everything:
        said = _read(one)
        if values is _UNKNOWN:
            values = said
        elif said not in (_UNKNOWN, values):
            merged = list(values)
            for index, value in enumerate(said):
                if value is not None and (merged[index] is None or (index < _BORDER and value > merged[index])):
                    merged[index] = value
            values = tuple(merged)
    return values


def _gathered(dictionaries: Sequence[dict[str, T]]) -> dict[str, T]:
    """Return the dictionaries as one; of each key the first value."""
    gathered = dictionaries[0]
    for more in dictionaries:
        if more and not more.keys() <= gathered.keys():
            gathered = {**more, **gathered}
    return gathered
