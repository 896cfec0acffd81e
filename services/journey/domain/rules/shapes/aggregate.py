"""The shape *aggregate*: what several numbers come to crosses a limit (docs/semantics.md, aggregate)."""

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from enum import StrEnum
from math import fsum
from statistics import fmean
from typing import ClassVar

from services.journey.domain.contacts.contact import CountedUnit
from services.journey.domain.history import CustomerHistory
from services.journey.domain.rules.evaluator import FindingCandidate, RuleEvaluator
from services.journey.domain.rules.matching import field_getter, number
from services.journey.domain.rules.placeholders import Placeholders, duration_of, number_of
from services.journey.domain.rules.rule import Matcher, Rule, RuleScope
from services.journey.domain.rules.rule_checks import demand, positive
from services.journey.domain.rules.shapes.limits import NumberLimits, ThresholdLimit
from services.journey.domain.rules.units import FieldAgreement, UnitPicker, grouped, key_of

MOST_AGGREGATED = 200
"""Most units that one number is made of: it bounds the work for customers with very many touchpoints."""

DIGITS = 9
"""Digits after the point that count."""


class AggregateFunction(StrEnum):
    """What is made of the numbers of some units, in order.

    `late_mean` weighs the last of n units n times, the one before n - 1 times, and so on. `trend` is the mean of the
    second half less that of the first; of an odd number the one in the middle is left out. `since` is the time in
    seconds from the unit before to the last one, and looks at no field.
    """

    SUM = "sum"
    MIN = "min"
    MAX = "max"
    MEAN = "mean"
    LATE_MEAN = "late_mean"
    FIRST = "first"
    LAST = "last"
    TREND = "trend"
    SINCE = "since"


class AggregateRule(Rule, frozen=True, kw_only=True, tag="aggregate"):
    """What several numbers come to: the `function` of `field` over units that match `of`, against `limits`.

    The numbers are those of the units of one scope, `within` a time before the last one, that agree with it on the
    fields in `same`; there must be `at_least` so many. The unit with which the limit is crossed is the anchor.
    """

    function: AggregateFunction
    limits: tuple[ThresholdLimit, ...]
    field: str | None = None
    of: Matcher = ()
    contacts: bool = False
    at_least: int = 1
    within: timedelta | None = None
    same: tuple[str, ...] = ()
    per: RuleScope = RuleScope.CUSTOMER

    placeholders: ClassVar[Placeholders] = {
        "value": number_of("value"),
        "limit": number_of("limit"),
        "value_time": duration_of("value"),
        "limit_time": duration_of("limit"),
        "count": number_of("count"),
        "span": duration_of("span_s"),
    }

    def check(self) -> None:
        """Raise `InvalidRuleError` if the members of the shape do not fit together."""
        demand(bool(self.limits), "limits is empty")
        positive("within", self.within)
        demand(1 <= self.at_least <= MOST_AGGREGATED, f"at_least is 1 to {MOST_AGGREGATED}")
        is_since = self.function is AggregateFunction.SINCE
        demand((self.field is None) == is_since, "field goes with every function but since")
        demand(self.per is not RuleScope.TOUCHPOINT, "an aggregate is of more than one touchpoint")

    def evaluator(self) -> RuleEvaluator:
        """Return what evaluates this rule; raise `InvalidRuleError` if it cannot be prepared."""
        return AggregateEvaluator(self)


class AggregateEvaluator:
    """A prepared aggregate rule."""

    def __init__(self, rule: AggregateRule) -> None:
        """Prepare `rule`; raise `InvalidRuleError` if it cannot be prepared."""
        self._picker = UnitPicker(rule.of, contacts=rule.contacts)
        self._number = None if rule.field is None else number(field_getter(rule.field))
        self._function = _FUNCTIONS.get(rule.function)
        self._limits = NumberLimits(rule.limits)
        self._fewest = max(rule.at_least, _FEWEST.get(rule.function, 1))
        self._within = rule.within
        self._agreement = FieldAgreement(rule.same)
        self._key = key_of(rule.per)

    def evaluate(self, history: CustomerHistory) -> Iterable[FindingCandidate]:
        """Yield a candidate for each unit with which a limit is crossed that was not crossed before it."""
        read = self._number
        units = [unit for unit in self._picker.pick(history) if read is None or read(unit.view) is not None]
        if len(units) < self._fewest:
            return
        for group in grouped(units, self._key, history):
            was_over = False
            for index in range(len(group)):
                found = self._at(group, index)
                if found is not None and not was_over:
                    yield found
                was_over = found is not None

    def _at(self, group: Sequence[CountedUnit], index: int) -> FindingCandidate | None:
        """Return the candidate of the unit at `index`; None if the limit that applies to it is not crossed."""
        window = self._window(group, index)
        if len(window) < self._fewest:
            return None
        value = self._value_of(window)
        bound = self._limits.crossed(group[index].view, value)
        if bound is None:
            return None
        numbers: dict[str, int | float | str] = {
            "value": value,
            "limit": bound,
            "count": len(window),
            "span_s": (window[-1].time - window[0].time).total_seconds(),
        }
        return FindingCandidate(group[index], window, numbers)

    def _window(self, group: Sequence[CountedUnit], index: int) -> list[CountedUnit]:
        """Return the unit at `index` and the units that count with it, oldest first."""
        last = group[index]
        agrees = self._agreement.with_(last)
        earliest = None if self._within is None else last.time - self._within
        window = [last]
        for unit in (group[i] for i in range(index - 1, -1, -1)):
            if len(window) == MOST_AGGREGATED or (earliest is not None and unit.time < earliest):
                break
            if agrees is None or agrees(unit):
                window.append(unit)
        window.reverse()
        return window

    def _value_of(self, window: Sequence[CountedUnit]) -> int | float:
        """Return what the numbers come to, rounded, so that 0.1 + 0.2 is not over 0.3."""
        read, make = self._number, self._function
        if read is None or make is None:
            return (window[-1].time - window[-2].time).total_seconds()
        return round(make([value for unit in window if (value := read(unit.view)) is not None]), DIGITS)


def _sum(values: Sequence[int | float]) -> int | float:
    return sum(values) if all(isinstance(value, int) for value in values) else fsum(values)


def _late_mean(values: Sequence[float]) -> float:
    weights = range(1, len(values) + 1)
    return fsum(value * weight for value, weight in zip(values, weights, strict=True)) / sum(weights)


def _trend(values: Sequence[float]) -> float:
    half = len(values) // 2
    return fmean(values[-half:]) - fmean(values[:half])


_FUNCTIONS: dict[AggregateFunction, Callable[[Sequence[float]], float]] = {
    AggregateFunction.SUM: _sum,
    AggregateFunction.MIN: min,
    AggregateFunction.MAX: max,
    AggregateFunction.MEAN: fmean,
    AggregateFunction.LATE_MEAN: _late_mean,
    AggregateFunction.FIRST: lambda values: values[0],
    AggregateFunction.LAST: lambda values: values[-1],
    AggregateFunction.TREND: _trend,
}

_FEWEST = {AggregateFunction.TREND: 2, AggregateFunction.SINCE: 2}
"""How many units a function needs where one is not enough."""
