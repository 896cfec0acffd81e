"""Selects the units that a rule looks at together: picks and groups them, compares fields, finds barriers."""

from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Sequence
from operator import attrgetter

from services.journey.domain.contacts.contact import CountedUnit
from services.journey.domain.history import CustomerHistory
from services.journey.domain.rules.matching import CompiledMatcher, Get, compile_matcher, field_getter
from services.journey.domain.rules.rule import Matcher, RuleScope

KeyOf = Callable[[CountedUnit, CustomerHistory], Hashable | None]
"""Returns the key of a unit's scope; None leaves the unit out."""


class UnitPicker:
    """Picks the units of a history that match, in order."""

    __slots__ = ("_contacts", "_only", "_selector")

    def __init__(self, matcher: Matcher, *, contacts: bool = False) -> None:
        """Pick contacts if `contacts`, otherwise touchpoints; raise `InvalidRuleError` for an invalid matcher."""
        self._selector: CompiledMatcher = compile_matcher(matcher)
        self._contacts = contacts
        kinds = self._selector.kinds
        self._only = next(iter(kinds)) if kinds is not None and len(kinds) == 1 else None

    def pick(self, history: CustomerHistory) -> Sequence[CountedUnit]:
        """Return the units that match. The caller must not change the list."""
        kinds, test = self._selector.kinds, self._selector.test
        if self._contacts:
            if kinds is None and test is None:
                return history.contacts
            return [unit for unit in history.contacts if self._selector.matches(unit.view)]
        units: Sequence[CountedUnit]
        if kinds is None:
            units = history.units
        elif self._only is not None:
            units = history.by_kind.get(self._only, ())
        elif kinds.isdisjoint(history.by_kind):
            return ()
        else:
            units = [unit for unit in history.units if unit.at.kind in kinds]
        return units if test is None else [unit for unit in units if test(unit.view)]


def key_of(scope: RuleScope) -> KeyOf | None:
    """Return the function that keys units by scope; None if the scope is the whole customer."""
    return _KEYS[scope]


def grouped(
    units: Sequence[CountedUnit], key: KeyOf | None, history: CustomerHistory
) -> Iterable[Sequence[CountedUnit]]:
    """Group `units` by scope, keeping their order."""
    if key is None:
        return (units,) if units else ()
    groups: dict[Hashable, list[CountedUnit]] = {}
    for unit in units:
        if (name := key(unit, history)) is not None:
            groups.setdefault(name, []).append(unit)
    return groups.values()


def _journey(unit: CountedUnit, history: CustomerHistory) -> Hashable:
    return history.journey_of[unit.position]


def _case(unit: CountedUnit, history: CustomerHistory) -> Hashable | None:  # noqa: ARG001 - one signature for all scopes
    return unit.view.refs.get("case_id")


def _matter(unit: CountedUnit, history: CustomerHistory) -> Hashable:
    case = unit.view.refs.get("case_id")
    return history.journey_of[unit.position] if case is None else case


def _contact(unit: CountedUnit, history: CustomerHistory) -> Hashable | None:
    contact = history.contact_of(unit.position)
    return None if contact is None else contact.position


def _interaction(unit: CountedUnit, history: CustomerHistory) -> Hashable:  # noqa: ARG001 - one signature for all scopes
    interaction = unit.at.interaction_id
    return unit.position if interaction is None else (unit.at.source, interaction)


def _touchpoint(unit: CountedUnit, history: CustomerHistory) -> Hashable:  # noqa: ARG001 - one signature for all scopes
    return unit.position


_KEYS: dict[RuleScope, KeyOf | None] = {
    RuleScope.CUSTOMER: None,
    RuleScope.JOURNEY: _journey,
    RuleScope.CASE: _case,
    RuleScope.MATTER: _matter,
    RuleScope.CONTACT: _contact,
    RuleScope.INTERACTION: _interaction,
    RuleScope.TOUCHPOINT: _touchpoint,
}


class FieldAgreement:
    """Tests whether units agree with an anchor on some fields: equal, or unknown on either side."""

    __slots__ = ("_gets",)

    def __init__(self, fields: Sequence[str]) -> None:
        """Compare these fields; raise `InvalidRuleError` for an unknown one."""
        self._gets: tuple[Get, ...] = tuple(field_getter(field) for field in fields)

    def with_(self, anchor: CountedUnit) -> Callable[[CountedUnit], bool] | None:
        """Return the test whether a unit agrees with `anchor`; None if every unit does."""
        known = [(get, value) for get in self._gets if (value := get(anchor.view)) is not None]
        if not known:
            return None
        if len(known) == 1:
            only, wanted = known[0]
            return lambda unit: (value := only(unit.view)) is None or value == wanted
        return lambda unit: all((value := get(unit.view)) is None or value == wanted for get, wanted in known)


class RuleBarrier:
    """Touchpoints that end what a rule looks at: units before the last barrier no longer count."""

    __slots__ = ("_agreement", "_key", "_picker")

    def __init__(self, matcher: Matcher | None, key: KeyOf | None, agreement: FieldAgreement) -> None:
        """Find barriers by `matcher`; without one there are none."""
        self._picker = None if matcher is None else UnitPicker(matcher)
        self._key = key
        self._agreement = agreement

    def pick(self, history: CustomerHistory) -> Sequence[CountedUnit]:
        """Return all barriers of `history`, in order."""
        return () if self._picker is None else self._picker.pick(history)

    def before(
        self, anchor: CountedUnit, barriers: Sequence[CountedUnit], history: CustomerHistory
    ) -> CountedUnit | None:
        """Return the last of `barriers` before `anchor` that is in its scope and agrees with it."""
        if not barriers:
            return None
        agrees = self._agreement.with_(anchor)
        for index in range(bisect_left(barriers, anchor.order, key=attrgetter("order")) - 1, -1, -1):
            unit = barriers[index]
            if self._reaches(unit, anchor, history) and (agrees is None or agrees(unit)):
                return unit
        return None

    def _reaches(self, unit: CountedUnit, anchor: CountedUnit, history: CustomerHistory) -> bool:
        return self._key is None or self._key(unit, history) == self._key(anchor, history)
