"""What rules count: a touchpoint, or a contact with the fields of all its touchpoints.

docs/semantics.md defines each field of a contact.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from services.journey.domain.contacts.contact_policy import ContactPolicy, ContactSpeaker
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
_EACH = ("refs", "attributes", "customer")


def merge_contact(
    first: Touchpoint, members: Sequence[Touchpoint], everything: Sequence[Touchpoint], policy: ContactPolicy
) -> Touchpoint:
    """Return the fields of a contact that begins with the touchpoint `first`.

    `members` are its inbound touchpoints of contact kinds; `everything` holds all its touchpoints, in order.
    """
    fields: dict[str, Any] = {"reason": _known("reason", members), "outcome": _outcome(everything, policy)}
    for name in _LARGEST:
        fields[name] = max((v for one in everything if (v := getattr(one, name)) is not None), default=None)
    for name in _FIRST:
        fields[name] = _known(name, everything)
    for name in _EACH:
        fields[name] = {key: v for one in reversed(everything) for key, v in getattr(one, name).items()}
    return msgspec.structs.replace(first, **fields)


def _known(name: str, touchpoints: Sequence[Touchpoint]) -> Any:
    """Return the first known value of the field `name`."""
    return next((value for one in touchpoints if (value := getattr(one, name)) is not None), None)


def _outcome(everything: Sequence[Touchpoint], policy: ContactPolicy) -> str | None:
    """Return the outcome stated last; that of a message of the company is what became of the message."""
    for one in reversed(everything):
        if one.outcome is not None and policy.speaker_of(one) is not ContactSpeaker.COMPANY:
            return one.outcome
    return None
