"""The history of one customer, ordered and indexed once so that many rules can look at it.

Rules count its touchpoints, or its contacts; which touchpoints are one contact is left to
`services.journey.domain.contacts`.
"""

from collections.abc import Collection, Iterable, Sequence
from operator import attrgetter, itemgetter
from typing import TypeVar
from weakref import WeakKeyDictionary
from zlib import crc32

import msgspec

from services.journey.domain.contacts.contact import Contact, CountedUnit
from services.journey.domain.contacts.contact_policy import ContactPolicy
from services.journey.domain.contacts.conversation import ConversationWalk
from services.journey.domain.friction import TimelineEntry
from services.journey.domain.names import TimerId
from services.journey.domain.touchpoint import OrderKey, RecordedTouchpoint, Touchpoint

U = TypeVar("U", bound=CountedUnit)

RARE_FIELDS = ("agent", "hold_s", "queue", "score", "sentiment", "transfers", "wait_s")
"""Fields that most touchpoints do not have, and that rules without a kind look at."""

_rare = attrgetter(*RARE_FIELDS)
_NONE_OF_THEM = (None,) * len(RARE_FIELDS)


LOOSE_SHARE = 10
"""One in so many of the touchpoints that are looked at may be missing, so that the first one seldom changes."""


def latest_of(
    ordered: Sequence[RecordedTouchpoint], most: int, *, is_cut: bool = False
) -> Sequence[RecordedTouchpoint]:
    """Return the touchpoints of an `ordered` history that are looked at: all, or the latest if they are more than
    `most`, and then at least nine tenths of `most`.

    Which one comes first is said by the touchpoints alone: of those that may, the one whose name has the smallest
    checksum. So it changes once in some hundred touchpoints, and is the same for everybody. With `is_cut`, `ordered` is
    what was looked at before, and what came after its first.
    """
    if len(ordered) <= most and not is_cut:
        return ordered
    beyond = len(ordered) - most
    first = min(range(max(beyond, 0), beyond + most // LOOSE_SHARE + 1), key=lambda place: _checksum(ordered[place]))
    return ordered[first:]


def _checksum(one: RecordedTouchpoint) -> int:
    return crc32("\n".join(one.touchpoint.key).encode())


class CustomerHistory:
    """The touchpoints of one customer that count: in order, each once, without late ones.

    `journey_of` gives the journey of each position, `efforts` the score of each; who segments fills them. `timelines`
    caches excerpts, `candidates` what each rule found; `answers` has what each rulebook has answered, for it to go on
    from. `fired` holds the ids of the timers that have fired. Touchpoints
    that come after all others can be added at little cost.
    """

    __slots__ = (
        "_contact_of",
        "_fields",
        "_knows_levels",
        "_levels",
        "_roles",
        "_walk",
        "answers",
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
        self, recorded: Iterable[RecordedTouchpoint], policy: ContactPolicy, fired: Collection[TimerId] = ()
    ) -> None:
        """Order and index `recorded`, which may come in any order and contain duplicates."""
        self.fired = frozenset(fired)
        self.efforts: Sequence[float] = ()
        self.recorded, self.units = _ordered(recorded)
        self.journey_of: list[int] = []
        self.timelines: dict[int, tuple[TimelineEntry, ...]] = {}
        self._levels: list[str | None] | None = None
        self._knows_levels = False
        self._contact_of: dict[int, Contact] | None = None
        self._fields: set[str] | None = None
        self.candidates: dict[bytes, Sequence[object]] = {}
        self.answers: WeakKeyDictionary[object, object] = WeakKeyDictionary()
        self.by_kind: dict[str, list[CountedUnit]] = {}
        self._walk = ConversationWalk(policy)
        self._roles = policy.roles
        self._index(self.units)
        self.contacts: list[Contact] = self._walk.contacts()

    def extend(self, recorded: Sequence[RecordedTouchpoint], fired: Collection[TimerId]) -> set[int]:
        """Take `recorded` as the history: what is here, and then later touchpoints, in order and each once.

        Return the numbers of the contacts that they changed or began. The journeys are left to who segments.
        """
        known = len(self.units)
        self.fired = frozenset(fired)
        self.recorded = list(recorded)
        self.candidates = {}
        units = [_unit(one.touchpoint, known + place) for place, one in enumerate(self.recorded[known:])]
        if self._levels is not None:
            self._levels += _levels_from(units, self._levels[-1] if self._levels else None)
        if self._knows_levels:
            units = [self._leveled(unit) for unit in units]
        if self._fields is not None:
            self._fields |= _rare_fields(units)
        self.units += units
        changed = self._index(units)
        for number in sorted(changed):
            self._renew_contact(number)
        return changed

    def _index(self, units: Iterable[CountedUnit]) -> set[int]:
        """Index units that follow the others, and return the numbers of the contacts that they changed or began."""
        roles, by_kind, walk, recorded = self._roles, self.by_kind, self._walk, self.recorded
        changed: set[int] = set()
        for unit in units:
            touchpoint = unit.at
            kind = touchpoint.kind
            if (same := by_kind.get(kind)) is None:
                by_kind[kind] = [unit]
            else:
                same.append(unit)
            if kind in roles or touchpoint.interaction_id is not None:  # nothing else can be part of a contact
                number = walk.take(unit, recorded[unit.position].appended_at)
                if number is not None:
                    changed.add(number)
        return changed

    def _renew_contact(self, number: int) -> None:
        contact = self._walk.contact(number)
        if self._knows_levels:
            contact = self._leveled(contact)
        self.contacts[number : number + 1] = [contact]
        if self._contact_of is not None:
            self._contact_of.update(dict.fromkeys(self._walk.positions(number), contact))

    def spread_service_levels(self) -> None:
        """Give each view that has no service level the last one known at or before its position.

        Called only where something looks at the level. A customer without a level costs no new views.
        """
        if self._knows_levels:
            return
        self._knows_levels = True
        known = self._known_levels()
        if not known or known[-1] is None:
            return
        self.units[:] = [self._leveled(unit) for unit in self.units]
        self.by_kind = {}
        for unit in self.units:
            self.by_kind.setdefault(unit.at.kind, []).append(unit)
        self.contacts = [self._leveled(contact) for contact in self.contacts]
        self._contact_of = None
        self.candidates = {}

    def _leveled(self, unit: U) -> U:
        """Return `unit` with the service level that was known by then, if it has none."""
        if unit.view.service_level is not None or (level := self.service_level_at(unit.position)) is None:
            return unit
        return msgspec.structs.replace(unit, view=msgspec.structs.replace(unit.view, service_level=level))

    def contact_of(self, position: int) -> Contact | None:
        """Return the contact that the touchpoint at `position` is part of; None if it is part of none."""
        if self._contact_of is None:
            self._contact_of = {
                place: contact for number, contact in enumerate(self.contacts) for place in self._walk.positions(number)
            }
        return self._contact_of.get(position)

    def rare_fields(self) -> frozenset[str]:
        """Return which of `RARE_FIELDS` any touchpoint has: gathered once, since many rules look at one of them."""
        if self._fields is None:
            self._fields = _rare_fields(self.units)
        return frozenset(self._fields)

    def service_level_at(self, position: int) -> str | None:
        """Return the last service level known at or before `position`."""
        return self._known_levels()[position]

    def _known_levels(self) -> list[str | None]:
        """Return the last level known at or before each position: gathered once, for a history may find very much."""
        if self._levels is None:
            self._levels = _levels_from(self.units, None)
        return self._levels


def _levels_from(units: Iterable[CountedUnit], level: str | None) -> list[str | None]:
    """Return the last level known at each of `units`, before which `level` was known."""
    known = []
    for unit in units:
        level = unit.at.service_level or level
        known.append(level)
    return known


def _rare_fields(units: Iterable[CountedUnit]) -> set[str]:
    found: set[str] = set()
    for said in map(_rare, (unit.at for unit in units)):
        if said != _NONE_OF_THEM:
            found.update(name for name, value in zip(RARE_FIELDS, said, strict=True) if value is not None)
    return found


def _unit(touchpoint: Touchpoint, position: int) -> CountedUnit:
    order = touchpoint.order
    return CountedUnit(touchpoint, touchpoint, position, order[0], order)


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
