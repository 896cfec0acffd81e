"""The history of one customer, ordered and indexed once so that many rules can look at it.

Rules count its touchpoints, or its contacts; which touchpoints are one contact is left to
`services.journey.domain.contacts`.
"""

from collections.abc import Collection, Iterable, Sequence
from operator import attrgetter, itemgetter
from typing import TypeVar
from uuid import UUID

import msgspec

from services.journey.domain.contacts.contact import Contact, CountedUnit
from services.journey.domain.contacts.contact_policy import ContactPolicy
from services.journey.domain.contacts.conversation import ConversationWalk
from services.journey.domain.friction import TimelineEntry
from services.journey.domain.touchpoint import OrderKey, RecordedTouchpoint

U = TypeVar("U", bound=CountedUnit)

RARE_FIELDS = ("agent", "hold_s", "queue", "score", "sentiment", "transfers", "wait_s")
"""Fields that most touchpoints do not have, and that rules without a kind look at."""

_rare = attrgetter(*RARE_FIELDS)
_NONE_OF_THEM = (None,) * len(RARE_FIELDS)


class CustomerHistory:
    """The touchpoints of one customer that count: in order, each once, without late ones.

    `journey_of` gives the journey of each position, `efforts` the score of each; `segment` fills them. `timelines`
    caches excerpts, `candidates` what each rule found. `fired` holds the ids of the timers that have fired.
    """

    __slots__ = (
        "_contact_of",
        "_fields",
        "_levels",
        "by_kind",
        "candidates",
        "contacts",
        "efforts",
        "fired",
        "journey_of",
        "recorded",
        "timelines",
        "units",
    )

    def __init__(
        self, recorded: Iterable[RecordedTouchpoint], policy: ContactPolicy, fired: Collection[UUID] = ()
    ) -> None:
        """Order and index `recorded`, which may come in any order and contain duplicates."""
        self.fired = fired
        self.efforts: Sequence[float] = ()
        self.recorded, self.units = _ordered(recorded)
        self.journey_of: Sequence[int] = ()
        self.timelines: dict[int, tuple[TimelineEntry, ...]] = {}
        self._levels: list[str | None] | None = None
        self._contact_of: dict[int, Contact] | None = None
        self._fields: frozenset[str] | None = None
        self.candidates: dict[bytes, Sequence[object]] = {}
        self.by_kind: dict[str, list[CountedUnit]] = {}
        walk = ConversationWalk(policy)
        roles, by_kind = policy.roles, self.by_kind
        for unit in self.units:
            touchpoint = unit.at
            kind = touchpoint.kind
            if (units := by_kind.get(kind)) is None:
                by_kind[kind] = [unit]
            else:
                units.append(unit)
            if kind in roles or touchpoint.interaction_id is not None:  # nothing else can be part of a contact
                walk.take(unit, self.recorded[unit.position].appended_at)
        self.contacts: list[Contact] = walk.contacts()

    def spread_service_levels(self) -> None:
        """Give each view that has no service level the last one known at or before its position.

        Called only where a rule looks at the level. A customer without a level costs no new views.
        """
        known = self._known_levels()
        if not known or known[-1] is None:
            return
        for position, unit in enumerate(self.units):
            level = known[position]
            if level is not None and unit.view.service_level is None:
                self.units[position] = _with_level(unit, level)
        self.by_kind = {}
        for unit in self.units:
            self.by_kind.setdefault(unit.at.kind, []).append(unit)
        self.contacts = [
            _with_level(contact, found)
            if contact.view.service_level is None and (found := known[contact.position]) is not None
            else contact
            for contact in self.contacts
        ]
        self._contact_of = None
        self.candidates = {}

    def contact_of(self, position: int) -> Contact | None:
        """Return the contact that the touchpoint at `position` is part of; None if it is part of none."""
        if self._contact_of is None:
            known = self._contact_of = {}
            several = [contact for contact in self.contacts if len(contact.everything) > 1]
            # a contact holds the very touchpoints of the units
            places = {id(unit.at): unit.position for unit in self.units} if several else {}
            for contact in self.contacts:
                known[contact.position] = contact
            for contact in several:
                for one in contact.everything:
                    known[places[id(one)]] = contact
        return self._contact_of.get(position)

    def rare_fields(self) -> frozenset[str]:
        """Return which of `RARE_FIELDS` any touchpoint has: gathered once, since many rules look at one of them."""
        if self._fields is None:
            found: set[str] = set()
            for said in map(_rare, (unit.at for unit in self.units)):
                if said != _NONE_OF_THEM:
                    found.update(name for name, value in zip(RARE_FIELDS, said, strict=True) if value is not None)
            self._fields = frozenset(found)
        return self._fields

    def service_level_at(self, position: int) -> str | None:
        """Return the last service level known at or before `position`."""
        return self._known_levels()[position]

    def _known_levels(self) -> list[str | None]:
        """Return the last level known at or before each position: gathered once, for a history may find very much."""
        if self._levels is None:
            level = None
            self._levels = known = []
            for unit in self.units:
                level = unit.at.service_level or level
                known.append(level)
        return self._levels


def _with_level(unit: U, level: str) -> U:
    view = msgspec.structs.replace(unit.view, service_level=level)
    return msgspec.structs.replace(unit, view=view)


def _ordered(recorded: Iterable[RecordedTouchpoint]) -> tuple[list[RecordedTouchpoint], list[CountedUnit]]:
    keyed = [  # `Touchpoint.order`, without a call for each
        ((at.occurred_at, at.sequence or 0, at.source, at.id), one)
        for one in recorded
        if not one.late
        for at in (one.touchpoint,)
    ]
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
