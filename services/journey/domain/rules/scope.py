"""Which units a rule looks at together: picking them by a matcher, grouping them by a scope, asking if they agree."""

from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import datetime
from operator import attrgetter

import msgspec

from services.journey.domain.history import History, Unit
from services.journey.domain.rules.matching import Get, Selector, compiled, getter
from services.journey.domain.rules.shape import Matcher, Scope

KeyOf = Callable[[Unit, History], Hashable | None]
"""The scope of a unit; None leaves it out."""


class Candidate(msgspec.Struct, frozen=True, gc=False):
    """What a shape found: the anchor, its evidence (oldest first), its numbers, the due time of an absence."""

    anchor: Unit
    evidence: Sequence[Unit]
    numbers: dict[str, int | float | str]
    due_at: datetime | None = None


class Picker:
    """Picks the units of a history that match, in order."""

    __slots__ = ("_contacts", "_only", "_selector")

    def __init__(self, matcher: Matcher, *, contacts: bool = False) -> None:
        """Contacts if `contacts`, else touchpoints; raises `SenselessError`."""
        self._selector: Selector = compiled(matcher)
        self._contacts = contacts
        kinds = self._selector.kinds
        self._only = next(iter(kinds)) if kinds is not None and len(kinds) == 1 else None

    def pick(self, history: History) -> Sequence[Unit]:
        """The units that match; not to be changed."""
        kinds, test = self._selector.kinds, self._selector.test
        if self._contacts:
            if kinds is None and test is None:
                return history.contacts
            return [unit for unit in history.contacts if self._selector.matches(unit.view)]
        units: Sequence[Unit]
        if kinds is None:
            units = history.units
        elif self._only is not None:
            units = history.by_kind.get(self._only, ())
        elif kinds.isdisjoint(history.by_kind):
            return ()
        else:
            units = [unit for unit in history.units if unit.at.kind in kinds]
        return units if test is None else [unit for unit in units if test(unit.view)]


def key_of(scope: Scope) -> KeyOf | None:
    """How to tell scopes apart; None if there is only one, the customer."""
    return _KEYS[scope]


def grouped(units: Sequence[Unit], key: KeyOf | None, history: History) -> Iterable[Sequence[Unit]]:
    """`units` by scope, each group in order."""
    if key is None:
        return (units,) if units else ()
    groups: dict[Hashable, list[Unit]] = {}
    for unit in units:
        if (name := key(unit, history)) is not None:
            groups.setdefault(name, []).append(unit)
    return groups.values()


def _journey(unit: Unit, history: History) -> Hashable:
    return history.journey_of[unit.position]


def _case(unit: Unit, history: History) -> Hashable | None:  # noqa: ARG001 - one signature for all scopes
    return unit.view.refs.get("case_id")


def _matter(unit: Unit, history: History) -> Hashable:
    case = unit.view.refs.get("case_id")
    return history.journey_of[unit.position] if case is None else case


def _interaction(unit: Unit, history: History) -> Hashable:  # noqa: ARG001 - one signature for all scopes
    interaction = unit.at.interaction_id
    return unit.position if interaction is None else (unit.at.source, interaction)


def _touchpoint(unit: Unit, history: History) -> Hashable:  # noqa: ARG001 - one signature for all scopes
    return unit.position


_KEYS: dict[Scope, KeyOf | None] = {
    Scope.CUSTOMER: None,
    Scope.JOURNEY: _journey,
    Scope.CASE: _case,
    Scope.MATTER: _matter,
    Scope.INTERACTION: _interaction,
    Scope.TOUCHPOINT: _touchpoint,
}


class Agreement:
    """Whether units agree with an anchor on some fields: equal, or unknown on either side."""

    __slots__ = ("_gets",)

    def __init__(self, fields: Sequence[str]) -> None:
        """Raises `SenselessError` for a field there is not."""
        self._gets: tuple[Get, ...] = tuple(getter(field) for field in fields)

    def with_(self, anchor: Unit) -> Callable[[Unit], bool] | None:
        """The test of agreeing with `anchor`; None if everything agrees."""
        known = [(get, value) for get in self._gets if (value := get(anchor.view)) is not None]
        if not known:
            return None
        if len(known) == 1:
            only, wanted = known[0]
            return lambda unit: (value := only(unit.view)) is None or value == wanted
        return lambda unit: all((value := get(unit.view)) is None or value == wanted for get, wanted in known)


class Barrier:
    """Touchpoints that cut a rule's view: what lies before the last one of them does not count any more."""

    __slots__ = ("_agreement", "_key", "_picker")

    def __init__(self, matcher: Matcher | None, key: KeyOf | None, agreement: Agreement) -> None:
        """Without a `matcher` there is no barrier."""
        self._picker = None if matcher is None else Picker(matcher)
        self._key = key
        self._agreement = agreement

    def pick(self, history: History) -> Sequence[Unit]:
        """All barriers, in order."""
        return () if self._picker is None else self._picker.pick(history)

    def before(self, anchor: Unit, barriers: Sequence[Unit], history: History) -> Unit | None:
        """The last of `barriers` before `anchor`, in its scope and agreeing with it."""
        if not barriers:
            return None
        agrees = self._agreement.with_(anchor)
        for index in range(bisect_left(barriers, anchor.order, key=attrgetter("order")) - 1, -1, -1):
            unit = barriers[index]
            if self._reaches(unit, anchor, history) and (agrees is None or agrees(unit)):
                return unit
        return None

    def _reaches(self, unit: Unit, anchor: Unit, history: History) -> bool:
        return self._key is None or self._key(unit, history) == self._key(anchor, history)
