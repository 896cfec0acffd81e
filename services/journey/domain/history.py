"""The history of one customer, ordered and indexed once so that many rules can look at it.

A `CountedUnit` is what rules count: a touchpoint, or a contact (all inbound touchpoints of one call, chat or visit).
docs/semantics.md defines each field of a contact.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from operator import attrgetter, itemgetter
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from services.journey.domain.friction import TimelineEntry
from services.journey.domain.touchpoint import OrderKey, RecordedTouchpoint, Touchpoint


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
    """One contact of the customer: the inbound touchpoints of one call, chat or visit."""


U = TypeVar("U", bound=CountedUnit)


class CustomerHistory:
    """The touchpoints of one customer that count: in order, each once, without late ones.

    `journey_of` gives the journey of each position; `segment` fills it. `timelines` caches excerpts. `fired` holds the
    ids of the timers that have fired.
    """

    __slots__ = ("by_kind", "contacts", "fired", "interactions", "journey_of", "recorded", "timelines", "units")

    def __init__(
        self, recorded: Iterable[RecordedTouchpoint], contact_kinds: frozenset[str], fired: Collection[UUID] = ()
    ) -> None:
        """Order and index `recorded`, which may come in any order and contain duplicates."""
        self.fired = fired
        self.recorded, self.units = _ordered(recorded)
        self.journey_of: Sequence[int] = ()
        self.timelines: dict[int, tuple[TimelineEntry, ...]] = {}
        self.by_kind: dict[str, list[CountedUnit]] = {}
        self.interactions: dict[tuple[str, str], list[Touchpoint]] = {}
        members: dict[tuple[str, str, bool], list[CountedUnit]] = {}
        for unit in self.units:
            touchpoint = unit.at
            self.by_kind.setdefault(touchpoint.kind, []).append(unit)
            interaction = touchpoint.interaction_id
            if interaction is not None:
                self.interactions.setdefault((touchpoint.source, interaction), []).append(touchpoint)
            if touchpoint.direction == "inbound" and touchpoint.kind in contact_kinds:
                name = touchpoint.id if interaction is None else interaction
                members.setdefault((touchpoint.source, name, interaction is not None), []).append(unit)
        self.contacts = self._contacts(members)

    def _contacts(self, members: dict[tuple[str, str, bool], list[CountedUnit]]) -> list[Contact]:
        """Return the contacts made of `members`, in order."""
        contacts = []
        for (source, name, by_interaction), units in members.items():
            first = units[0]
            everything = self.interactions[source, name] if by_interaction else (first.at,)
            view = (
                first.at if len(everything) == 1 else merge_contact(first.at, [unit.at for unit in units], everything)
            )
            contacts.append(Contact(view, first.at, first.position, first.time, first.order))
        contacts.sort(key=attrgetter("order"))
        return contacts

    def spread_service_levels(self) -> None:
        """Give each view that has no service level the last one known at or before its position.

        Called only where a rule looks at the level. A customer without a level costs no new views.
        """
        level = None
        known: list[str | None] = []
        for position, unit in enumerate(self.units):
            level = unit.at.service_level or level
            known.append(level)
            if level is not None and unit.view.service_level is None:
                self.units[position] = _with_level(unit, level)
        if level is None:
            return
        self.by_kind = {}
        for unit in self.units:
            self.by_kind.setdefault(unit.at.kind, []).append(unit)
        self.contacts = [
            _with_level(contact, found)
            if contact.view.service_level is None and (found := known[contact.position]) is not None
            else contact
            for contact in self.contacts
        ]

    def service_level_at(self, position: int) -> str | None:
        """Return the last service level known at or before `position`."""
        for unit in reversed(self.units[: position + 1]):
            if unit.at.service_level is not None:
                return unit.at.service_level
        return None


def _with_level(unit: U, level: str) -> U:
    view = msgspec.structs.replace(unit.view, service_level=level)
    return msgspec.structs.replace(unit, view=view)


def _ordered(recorded: Iterable[RecordedTouchpoint]) -> tuple[list[RecordedTouchpoint], list[CountedUnit]]:
    keyed = [(one.touchpoint.order, one) for one in recorded if not one.late]
    keyed.sort(key=itemgetter(0))
    kept: list[RecordedTouchpoint] = []
    units: list[CountedUnit] = []
    last: OrderKey | None = None
    for order, one in keyed:
        if order != last:
            last = order
            units.append(CountedUnit(one.touchpoint, one.touchpoint, len(kept), order[0], order))
            kept.append(one)
    return kept, units


_LARGEST = ("wait_s", "duration_s", "hold_s", "transfers")
_FIRST = ("queue", "agent", "text", "sentiment", "score", "value", "service_level", "due_at")
_EACH = ("refs", "attributes", "customer")


def merge_contact(first: Touchpoint, members: Sequence[Touchpoint], everything: Sequence[Touchpoint]) -> Touchpoint:
    """Return the fields of a contact that begins with the touchpoint `first`.

    `members` are its inbound touchpoints; `everything` holds all touchpoints of the same interaction, in order.
    """
    fields: dict[str, Any] = {
        "reason": _known("reason", members),
        "outcome": _known("outcome", tuple(reversed(everything))),
    }
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
