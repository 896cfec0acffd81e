"""What a rule must see in a history to find anything: kinds of touchpoints, and fields that hardly any of them has.

A rule whose input is not there is not asked, and not again where nothing came that it looks at. What is said here only
rules out: a rule that is asked may find nothing.
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from services.journey.domain.contacts.contact import CountedUnit
from services.journey.domain.history import RARE_FIELDS
from services.journey.domain.rules.matching import Get, compile_matcher, field_getter
from services.journey.domain.rules.rule import FieldCondition, Matcher, Rule, RuleScope


class InputNeed(msgspec.Struct, frozen=True, gc=False):
    """A touchpoint must be of one of `kinds` (None: of any), and each of `fields` must be there somewhere."""

    kinds: frozenset[str] | None
    fields: frozenset[str]

    def is_met(self, kinds: frozenset[str], fields: frozenset[str]) -> bool:
        """Return whether a history with these kinds and rare fields has what is needed."""
        return (self.kinds is None or not self.kinds.isdisjoint(kinds)) and self.fields <= fields


NOTHING_NEEDED: tuple[InputNeed, ...] = ()


def needs_of(rule: Rule) -> tuple[InputNeed, ...]:
    """Return what must be there, all of it, for `rule` to find anything; a shape says nothing that it does not have."""
    needs = [_of_matcher(matcher) for matcher in _required(rule)]
    named = {getattr(rule, member, None) for member in ("field", "distinct", "changes")}
    fields = frozenset(base for one in named if isinstance(one, str) and (base := _base(one)) in RARE_FIELDS)
    if fields:
        needs.append(InputNeed(None, fields))
    if stages := getattr(rule, "stages", ()):
        needs.append(_any_of(_of_matcher(stage.begins) for stage in stages))
    if carried := getattr(rule, "frictions", ()):
        needs.append(_any_of(_together(needs_of(one)) for one in carried))
    return tuple(need for need in needs if need.kinds is not None or need.fields)


def _required(rule: Rule) -> Iterator[Matcher]:
    """Yield the matchers each of which something must match."""
    for member in ("of", "after"):
        matcher = getattr(rule, member, None)
        if matcher:
            yield matcher
    for step in getattr(rule, "steps", ()):
        yield step.of


class HistoryGrowth(msgspec.Struct, frozen=True, gc=False):
    """What came at the end of a history: `units`, and whether any is part of a contact or makes a journey harder."""

    units: Sequence[CountedUnit]
    contacts: bool
    efforts: bool


class _Sight(msgspec.Struct, frozen=True):
    """Touchpoints that a rule looks at: of `kinds` (None: of any), and where the `value` is known, if there is one."""

    kinds: frozenset[str] | None
    value: Get | None = None

    def has(self, unit: CountedUnit) -> bool:
        return (self.kinds is None or unit.at.kind in self.kinds) and (
            self.value is None or self.value(unit.view) is not None
        )


class RuleReach:
    """Says which touchpoints at the end of a history can change what a rule finds there."""

    __slots__ = ("_contacts", "_efforts", "_sights")

    def __init__(self, rule: Rule) -> None:
        """Gather what `rule` looks at; raise `InvalidRuleError` if that has no meaning."""
        carried = tuple(getattr(rule, "frictions", ()))
        whole = (rule, *carried)
        self._sights = [sight for one in whole for sight in _sights(one)]
        self._contacts = bool(carried) or any(map(_looks_at_contacts, whole))
        self._efforts = rule.__struct_config__.tag == "effort"

    def is_reached(self, came: HistoryGrowth) -> bool:
        """Return whether the rule has to be asked again after `came`."""
        if came.contacts and (self._contacts or self._efforts):
            return True
        return (self._efforts and came.efforts) or any(sight.has(unit) for unit in came.units for sight in self._sights)


def _sights(rule: Rule) -> Iterator[_Sight]:
    """Yield what a rule looks at among touchpoints, not contacts."""
    steps = getattr(rule, "steps", ())
    for step in steps:
        if not step.contacts:
            yield _Sight(compile_matcher(step.of).kinds)
    silent = getattr(rule, "expect", None) is not None
    if hasattr(rule, "of") and not (steps or silent or getattr(rule, "contacts", False)):
        field = getattr(rule, "field", None)
        yield _Sight(compile_matcher(rule.of).kinds, None if field is None else field_getter(field))
    for member in ("after", "expect", "without", "pauses", "resumes", "ends"):
        if (matcher := getattr(rule, member, None)) is not None:
            yield _Sight(compile_matcher(matcher).kinds)
    for stage in getattr(rule, "stages", ()):
        yield _Sight(compile_matcher(stage.begins).kinds)
    for closing in rule.closes_when:
        yield _Sight(compile_matcher({"kind": closing.kind}).kinds)


def _looks_at_contacts(rule: Rule) -> bool:
    return (
        getattr(rule, "contacts", False)
        or any(step.contacts for step in getattr(rule, "steps", ()))
        or getattr(rule, "per", None) is RuleScope.CONTACT
        or hasattr(rule, "reply")
    )


def _of_matcher(matcher: Matcher) -> InputNeed:
    clauses = matcher if isinstance(matcher, tuple) else (matcher,)
    needed = [
        frozenset(
            base
            for name, want in clause.items()
            if (base := _base(name)) in RARE_FIELDS and not (isinstance(want, FieldCondition) and want.exists is False)
        )
        for clause in clauses
    ]
    return InputNeed(compile_matcher(matcher).kinds, frozenset.intersection(*needed) if needed else frozenset())


def _any_of(needs: Iterable[InputNeed]) -> InputNeed:
    """Return what is needed where one of several needs is enough."""
    several = list(needs)
    known = [need.kinds for need in several if need.kinds is not None]
    kinds = frozenset().union(*known) if len(known) == len(several) else None
    return InputNeed(kinds, frozenset.intersection(*(need.fields for need in several)))


def _together(needs: Iterable[InputNeed]) -> InputNeed:
    """Return needs that must all be met as one, which may ask for less."""
    several = list(needs)
    kinds = next((need.kinds for need in several if need.kinds is not None), None)
    return InputNeed(kinds, frozenset().union(*(need.fields for need in several)))


def _base(field: str) -> str:
    return field.partition(".")[0]
