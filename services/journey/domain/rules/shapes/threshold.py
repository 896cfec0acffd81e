"""The shape *threshold*: a number over or under a limit (docs/semantics.md, threshold)."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from services.journey.domain.contacts.contact import CountedUnit
from services.journey.domain.history import CustomerHistory
from services.journey.domain.rules.evaluator import FindingCandidate, RuleEvaluator
from services.journey.domain.rules.matching import field_getter, number
from services.journey.domain.rules.placeholders import Placeholders, duration_of, number_of
from services.journey.domain.rules.rule import Matcher, Rule, RuleScope
from services.journey.domain.rules.rule_checks import demand
from services.journey.domain.rules.shapes.limits import NumberLimits, ThresholdLimit
from services.journey.domain.rules.units import UnitPicker, grouped, key_of


class ThresholdRule(Rule, frozen=True, kw_only=True, tag="threshold"):
    """A number over or under a limit: `field` against the first of `limits` that applies to the unit.

    With `total`, the numbers of all units in the scope are added up, in order. In a scope wider than the touchpoint,
    only the first unit that crosses the limit counts.
    """

    field: str
    limits: tuple[ThresholdLimit, ...]
    of: Matcher = ()
    contacts: bool = False
    per: RuleScope = RuleScope.TOUCHPOINT
    total: bool = False

    placeholders: ClassVar[Placeholders] = {
        "value": number_of("value"),
        "limit": number_of("limit"),
        "value_time": duration_of("value"),
        "limit_time": duration_of("limit"),
    }

    def check(self) -> None:
        """Raise `InvalidRuleError` if the members of the shape do not fit together."""
        demand(bool(self.limits), "limits is empty")
        demand(not self.total or self.per is not RuleScope.TOUCHPOINT, "total needs a scope wider than the touchpoint")

    def evaluator(self) -> RuleEvaluator:
        """Return what evaluates this rule; raise `InvalidRuleError` if it cannot be prepared."""
        return ThresholdEvaluator(self)


class ThresholdEvaluator:
    """A prepared threshold rule."""

    def __init__(self, rule: ThresholdRule) -> None:
        """Prepare `rule`; raise `InvalidRuleError` if it cannot be prepared."""
        self._picker = UnitPicker(rule.of, contacts=rule.contacts)
        self._number = number(field_getter(rule.field))
        self._limits = NumberLimits(rule.limits)
        self._key = key_of(rule.per)
        self._alone = rule.per is RuleScope.TOUCHPOINT
        self._total = rule.total

    def evaluate(self, history: CustomerHistory) -> Iterable[FindingCandidate]:
        """Yield a candidate for each unit, or each scope, that crosses a limit."""
        read = self._number
        units = [unit for unit in self._picker.pick(history) if read(unit.view) is not None]
        if not units:
            return
        if self._alone:
            for unit in units:
                yield from self._first((unit,))
            return
        for group in grouped(units, self._key, history):
            yield from self._first(group)

    def _first(self, group: Sequence[CountedUnit]) -> Iterable[FindingCandidate]:
        """Yield the first of `group` that crosses a limit, if any."""
        total: float = 0
        for index, unit in enumerate(group):
            value = self._number(unit.view) or 0
            total = total + value if self._total else value
            bound = self._limits.crossed(unit.view, total)
            if bound is not None:
                evidence = group[: index + 1] if self._total else (unit,)
                yield FindingCandidate(unit, evidence, {"value": total, "limit": bound})
                return
