"""The shape *sequence*: steps in order, or a pattern of values (docs/semantics.md, sequence)."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from operator import attrgetter
from typing import ClassVar

import msgspec

from services.journey.domain.contacts.contact import CountedUnit
from services.journey.domain.history import CustomerHistory
from services.journey.domain.rules.evaluator import FindingCandidate, RuleEvaluator
from services.journey.domain.rules.matching import field_getter
from services.journey.domain.rules.placeholders import Placeholders, duration_of, number_of
from services.journey.domain.rules.rule import Matcher, Rule, RuleScope
from services.journey.domain.rules.rule_checks import demand, positive
from services.journey.domain.rules.units import FieldAgreement, KeyOf, RuleBarrier, UnitPicker, grouped, key_of


class SequenceStep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step of a sequence: a touchpoint, or with `contacts` a contact, that matches `of`."""

    of: Matcher = ()
    contacts: bool = False


class SequenceRule(Rule, frozen=True, kw_only=True, tag="sequence"):
    """`steps` in order, or a `pattern` in the values of `field`. The last unit is the anchor.

    In a pattern, equal letters are equal values and different letters different ones; repeated values count as one:
    `[a, b, a]` is there and back again. With `once`, only the first completion after the step before it counts.
    """

    steps: tuple[SequenceStep, ...] = ()
    field: str | None = None
    pattern: tuple[str, ...] = ()
    of: Matcher = ()
    within: timedelta | None = None
    same: tuple[str, ...] = ()
    per: RuleScope = RuleScope.CUSTOMER
    without: Matcher | None = None
    once: bool = False

    placeholders: ClassVar[Placeholders] = {"span": duration_of("span_s"), "values": number_of("values")}

    def check(self) -> None:
        """Raise `InvalidRuleError` if the members of the shape do not fit together."""
        positive("within", self.within)
        demand(bool(self.steps) != bool(self.pattern), "a sequence has either steps or a pattern")
        demand(self.per is not RuleScope.TOUCHPOINT, "a sequence is more than one touchpoint")
        if self.steps:
            demand(len(self.steps) >= 2, "a sequence has at least two steps")
            demand(self.field is None and not self.of, "field and of go with a pattern")
            return
        demand(self.field is not None, "a pattern needs a field")
        demand(len(self.pattern) >= 2, "a pattern has at least two letters")
        demand(all(one != other for one, other in pairwise(self.pattern)), "neighbouring letters of a pattern differ")
        demand(not (self.same or self.without or self.once), "same, without and once go with steps")

    def evaluator(self) -> RuleEvaluator:
        """Return what evaluates this rule; raise `InvalidRuleError` if it cannot be prepared."""
        return PatternEvaluator(self) if self.pattern else StepsEvaluator(self)


class StepsEvaluator:
    """A prepared sequence rule with steps."""

    def __init__(self, rule: SequenceRule) -> None:
        """Prepare `rule`; raise `InvalidRuleError` if it cannot be prepared."""
        self._steps = tuple(UnitPicker(step.of, contacts=step.contacts) for step in rule.steps)
        self._within = rule.within
        self._once = rule.once
        self._key = key_of(rule.per)
        self._agreement = FieldAgreement(rule.same)
        self._barrier = RuleBarrier(rule.without, self._key, self._agreement)

    def evaluate(self, history: CustomerHistory) -> Iterable[FindingCandidate]:
        """Yield a candidate for each completion of the steps."""
        picked: list[dict[object, Sequence[CountedUnit]]] = []
        for step in self._steps:
            units = step.pick(history)
            if not units:
                return
            picked.append(_by_scope(units, self._key, history))
        barriers = self._barrier.pick(history)
        for name, anchors in picked[-1].items():
            steps = [units.get(name, ()) for units in picked]
            for anchor in anchors:
                chain = self._chain(anchor, steps)
                if chain is not None and self._unbroken(chain, barriers, history):
                    yield FindingCandidate(anchor, chain, _numbers(chain))

    def _chain(self, anchor: CountedUnit, steps: Sequence[Sequence[CountedUnit]]) -> list[CountedUnit] | None:
        """Return the latest unit for each step, ending in `anchor`; None if one is missing."""
        agrees = self._agreement.with_(anchor)
        earliest = None if self._within is None else anchor.time - self._within
        chain = [anchor]
        for units in reversed(steps[:-1]):
            unit = next((one for one in _before(chain[-1], units, earliest) if agrees is None or agrees(one)), None)
            if unit is None:
                return None
            chain.append(unit)
        chain.reverse()
        return None if self._once and self._came_before(anchor, chain[-2], steps[-1]) else chain

    def _came_before(self, anchor: CountedUnit, after: CountedUnit, completions: Sequence[CountedUnit]) -> bool:
        """Return whether another completion lies between the step before and `anchor`."""
        agrees = self._agreement.with_(anchor)
        for other in _before(anchor, completions):
            if other.order <= after.order:
                return False
            if agrees is None or agrees(other):
                return True
        return False

    def _unbroken(
        self, chain: Sequence[CountedUnit], barriers: Sequence[CountedUnit], history: CustomerHistory
    ) -> bool:
        """Return whether no barrier lies between the first of `chain` and the anchor; the first may be one itself."""
        barrier = self._barrier.before(chain[-1], barriers, history)
        return barrier is None or barrier.order <= chain[0].order


class PatternEvaluator:
    """A prepared sequence rule with a pattern of values."""

    def __init__(self, rule: SequenceRule) -> None:
        """Prepare `rule`, which must have a `field`; raise `InvalidRuleError` if it cannot be prepared."""
        self._picker = UnitPicker(rule.of)
        self._value = field_getter(rule.field or "")
        self._pattern = rule.pattern
        self._within = rule.within
        self._key = key_of(rule.per)

    def evaluate(self, history: CustomerHistory) -> Iterable[FindingCandidate]:
        """Yield a candidate for each run of values that fits the pattern."""
        value = self._value
        units = [unit for unit in self._picker.pick(history) if value(unit.view) is not None]
        if len(units) < len(self._pattern):
            return
        for group in grouped(units, self._key, history):
            if len(group) >= len(self._pattern):
                yield from self._in_group(group)

    def _in_group(self, group: Sequence[CountedUnit]) -> Iterable[FindingCandidate]:
        runs: list[tuple[CountedUnit, CountedUnit]] = []  # first and last unit of each
        for unit in group:
            if runs and self._value(runs[-1][1].view) == self._value(unit.view):
                runs[-1] = (runs[-1][0], unit)
            else:
                runs.append((unit, unit))
        length = len(self._pattern)
        for end in range(length, len(runs) + 1):
            chain = [*(last for _, last in runs[end - length : end - 1]), runs[end - 1][0]]
            values = [self._value(unit.view) for unit in chain]
            if self._fits(values) and _is_within(chain, self._within):
                yield FindingCandidate(chain[-1], chain, {**_numbers(chain), "values": " > ".join(map(str, values))})

    def _fits(self, values: Sequence[object]) -> bool:
        """Return whether equal letters stand for equal values and different letters for different ones."""
        letters = self._pattern
        return all(
            (values[i] == values[j]) == (letters[i] == letters[j]) for j in range(len(letters)) for i in range(j)
        )


def _before(unit: CountedUnit, units: Sequence[CountedUnit], earliest: datetime | None = None) -> Iterable[CountedUnit]:
    """Yield those of `units` that come before `unit`, latest first, down to `earliest`."""
    for index in range(bisect_left(units, unit.order, key=attrgetter("order")) - 1, -1, -1):
        if earliest is not None and units[index].time < earliest:
            return
        yield units[index]


def _by_scope(
    units: Sequence[CountedUnit], key: KeyOf | None, history: CustomerHistory
) -> dict[object, Sequence[CountedUnit]]:
    if key is None:
        return {None: units}
    return {key(group[0], history): group for group in grouped(units, key, history)}


def _is_within(chain: Sequence[CountedUnit], within: timedelta | None) -> bool:
    return within is None or chain[-1].time - chain[0].time <= within


def _numbers(chain: Sequence[CountedUnit]) -> dict[str, int | float | str]:
    return {"span_s": (chain[-1].time - chain[0].time).total_seconds()}
