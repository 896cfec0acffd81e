"""The shape *consequence*: what comes after frictions of other rules, or does not (docs/semantics.md, consequence)."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import ClassVar, TypeAlias

import msgspec

from services.journey.domain.contacts.contact import CountedUnit
from services.journey.domain.history import CustomerHistory
from services.journey.domain.rules.evaluator import FindingCandidate, LeveledRule, RuleEvaluator
from services.journey.domain.rules.matching import CompiledMatcher, compile_matcher
from services.journey.domain.rules.placeholders import Placeholders, duration_of, number_of, when_due
from services.journey.domain.rules.rule import ClosingCondition, Matcher, Rule, RuleScope
from services.journey.domain.rules.rule_checks import at_level, check_shared, demand, positive
from services.journey.domain.rules.shapes.absence import AbsenceRule
from services.journey.domain.rules.shapes.aggregate import AggregateRule
from services.journey.domain.rules.shapes.count import CountRule
from services.journey.domain.rules.shapes.response import ResponseRule
from services.journey.domain.rules.shapes.sequence import SequenceRule
from services.journey.domain.rules.shapes.threshold import ThresholdRule
from services.journey.domain.rules.shapes.waiting import waiting_numbers
from services.journey.domain.rules.units import FieldAgreement, UnitPicker

CarriedRule: TypeAlias = CountRule | SequenceRule | ThresholdRule | AbsenceRule | ResponseRule | AggregateRule
"""A rule whose frictions another one looks at. None of them looks at frictions itself, so there are no circles."""


class ConsequenceRule(Rule, frozen=True, kw_only=True, tag="consequence"):
    """What comes after a friction of one of the rules `frictions`, which this one carries whole.

    With `expect`, a silence: no touchpoint that matches it comes `within` a time. Otherwise what matches `of`, or with
    `contacts` a contact that does, comes `within` a time. A friction that its rule's `closes_when` has settled has no
    consequence. What comes must agree with the friction's anchor on the fields in `same`.
    """

    frictions: tuple[CarriedRule, ...]
    of: Matcher = ()
    contacts: bool = False
    expect: Matcher | None = None
    within: timedelta | None = None
    same: tuple[str, ...] = ()
    per: ClassVar[RuleScope] = RuleScope.CUSTOMER

    placeholders: ClassVar[Placeholders] = {
        "friction": number_of("friction"),
        "span": duration_of("span_s"),
        "due_at": when_due,
        "waited": duration_of("waited_s"),
    }

    def check(self) -> None:
        """Raise `InvalidRuleError` if the members of the shape do not fit together."""
        demand(bool(self.frictions), "frictions is empty")
        positive("within", self.within)
        follows = bool(self.of) or self.contacts
        demand((self.expect is None) == follows, "give either expect, or of or contacts")
        demand(self.expect is None or self.within is not None, "expect needs within")
        for carried in self.frictions:
            for one in (carried, *(at_level(carried, level) for level in carried.by_service_level)):
                check_shared(one)
                one.check()

    def evaluator(self) -> RuleEvaluator:
        """Return what evaluates this rule; raise `InvalidRuleError` if it cannot be prepared."""
        return ConsequenceEvaluator(self)


class EarlierFriction(msgspec.Struct, frozen=True, gc=False):
    """A friction of a carried rule: from when it can be known, and before which place something settles it, if so."""

    rule: str
    anchor: CountedUnit
    known_at: datetime
    settled_at: int | None


class ConsequenceEvaluator:
    """A prepared consequence rule."""

    def __init__(self, rule: ConsequenceRule) -> None:
        """Prepare `rule` and the rules that it carries; raise `InvalidRuleError` if one cannot be prepared."""
        self._carried = [_PreparedRule(carried) for carried in rule.frictions]
        self._follows = None if rule.expect is not None else UnitPicker(rule.of, contacts=rule.contacts)
        self._expect = None if rule.expect is None else UnitPicker(rule.expect)
        self._within = rule.within
        self._agreement = FieldAgreement(rule.same)

    def evaluate(self, history: CustomerHistory) -> Iterable[FindingCandidate]:
        """Yield a candidate for each unit that follows a friction, or for each friction that nothing follows."""
        followers = () if self._follows is None else self._follows.pick(history)
        if self._follows is not None and not followers:
            return
        frictions = [found for carried in self._carried for found in carried.find(history)]
        frictions.sort(key=_known)
        if self._expect is None:
            for unit in followers:
                yield from self._followed(unit, frictions, history)
        elif frictions:
            expected = self._expect.pick(history)
            armed: set[int] = set()
            for friction in frictions:
                if friction.anchor.position not in armed:
                    armed.add(friction.anchor.position)
                    yield from self._silent(friction, expected, history)

    def _followed(
        self, unit: CountedUnit, frictions: Sequence[EarlierFriction], history: CustomerHistory
    ) -> Iterator[FindingCandidate]:
        """Yield `unit` as the anchor, if it comes after a friction that stands; of several the latest is the reason."""
        for friction in reversed(frictions):
            if (
                friction.known_at <= unit.time
                and (self._within is None or unit.time - friction.known_at <= self._within)
                and (friction.settled_at is None or friction.settled_at >= unit.position)
                and _comes_after(unit, friction.anchor, history)
                and self._agree(friction.anchor, unit)
            ):
                span = (unit.time - friction.known_at).total_seconds()
                yield FindingCandidate(unit, (friction.anchor, unit), {"friction": friction.rule, "span_s": span})
                return

    def _silent(
        self, friction: EarlierFriction, expected: Sequence[CountedUnit], history: CustomerHistory
    ) -> Iterator[FindingCandidate]:
        """Yield the anchor of a friction with the time by which something should have come, if nothing has."""
        anchor = friction.anchor
        due_at = friction.known_at + (self._within or timedelta(0))
        settled_at = friction.settled_at
        if settled_at is not None and history.units[settled_at].time <= due_at:
            return
        for index in range(bisect_left(expected, friction.known_at, key=_time), len(expected)):
            unit = expected[index]
            if unit.time > due_at:
                break
            if _comes_after(unit, anchor, history) and self._agree(anchor, unit):
                return
        numbers = {"friction": friction.rule, **waiting_numbers(friction.known_at, due_at)}
        yield FindingCandidate(anchor, (anchor,), numbers, due_at, due_moves=True)

    def _agree(self, anchor: CountedUnit, unit: CountedUnit) -> bool:
        agrees = self._agreement.with_(anchor)
        return agrees is None or agrees(unit)


class _PreparedRule:
    """A carried rule, prepared for each service level, and what settles its frictions."""

    def __init__(self, rule: CarriedRule) -> None:
        self._id = rule.id
        leveled = {level: at_level(rule, level) for level in rule.by_service_level}
        self._rule = LeveledRule(
            rule, rule.evaluator(), {level: (one, one.evaluator()) for level, one in leveled.items()}
        )
        self._closings = [compile_matcher(_clause(one)) for one in rule.closes_when]

    def find(self, history: CustomerHistory) -> Iterator[EarlierFriction]:
        """Yield the frictions of the rule, without its cool-down and cap."""
        for _, one in self._rule.evaluate(history):
            known_at = one.anchor.time if one.due_at is None else one.due_at
            yield EarlierFriction(self._id, one.anchor, known_at, _settled(one.anchor, self._closings, history))


def _settled(anchor: CountedUnit, closings: Sequence[CompiledMatcher], history: CustomerHistory) -> int | None:
    """Return the place of the first touchpoint after the anchor, in its journey, that settles a friction there."""
    if not closings:
        return None
    journey = history.journey_of[anchor.position]
    for unit in history.units[anchor.position + 1 :]:
        if history.journey_of[unit.position] == journey and any(one.matches(unit.view) for one in closings):
            return unit.position
    return None


def _clause(closing: ClosingCondition) -> Matcher:
    members = {name: getattr(closing, name) for name in ("kind", "direction", "outcome", "channel")}
    return {name: wanted for name, wanted in members.items() if wanted}


def _comes_after(unit: CountedUnit, anchor: CountedUnit, history: CustomerHistory) -> bool:
    """Return whether `unit` comes after the anchor, and not in the same contact."""
    if unit.order <= anchor.order:
        return False
    contact = history.contact_of(anchor.position)
    return contact is None or history.contact_of(unit.position) is not contact


def _known(friction: EarlierFriction) -> tuple[datetime, int, str]:
    return friction.known_at, friction.anchor.position, friction.rule


_time = attrgetter("time")
