"""The shape *count*: too many of the same within a time (docs/semantics.md, count)."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import pairwise
from typing import ClassVar

from services.journey.domain.contacts.contact import CountedUnit
from services.journey.domain.history import CustomerHistory
from services.journey.domain.rules.business_time import BusinessTime, clock_of
from services.journey.domain.rules.evaluator import FindingCandidate, RuleEvaluator
from services.journey.domain.rules.matching import field_getter
from services.journey.domain.rules.placeholders import Placeholders, duration_of, number_of
from services.journey.domain.rules.rule import Matcher, Rule, RuleScope
from services.journey.domain.rules.rule_checks import demand, positive
from services.journey.domain.rules.units import FieldAgreement, RuleBarrier, UnitPicker, grouped, key_of

MOST_COUNTED = 200
"""Most units that one anchor counts, itself included: it bounds the work for customers with very many touchpoints."""


class CountRule(Rule, frozen=True, kw_only=True, tag="count"):
    """Too many of the same: `at_least` units that match `of`, `within` a time. The last unit is the anchor.

    `distinct` counts different values of a field instead; `changes` counts how often it changed from one unit to the
    next. A unit counts only if it agrees with the anchor on the fields in `same` and lies after the last touchpoint
    `without`, and outside of the hours `outside_time_interval`.
    """

    at_least: int
    of: Matcher = ()
    contacts: bool = False
    within: timedelta | None = None
    same: tuple[str, ...] = ()
    per: RuleScope = RuleScope.CUSTOMER
    distinct: str | None = None
    changes: str | None = None
    without: Matcher | None = None
    outside_time_interval: BusinessTime | None = None

    placeholders: ClassVar[Placeholders] = {
        "count": number_of("count"),
        "span": duration_of("span_s"),
        "within": duration_of("within_s"),
    }

    def check(self) -> None:
        """Raise `InvalidRuleError` if the members of the shape do not fit together."""
        positive("within", self.within)
        most = MOST_COUNTED if self.changes is None else MOST_COUNTED - 1  # so many units have one change less
        demand(1 <= self.at_least <= most, f"at_least is 1 to {most}")
        demand(self.distinct is None or self.changes is None, "distinct and changes exclude one another")
        demand(self.per is not RuleScope.TOUCHPOINT or self.at_least == 1, "one touchpoint cannot be counted twice")
        demand(self.per is not RuleScope.TOUCHPOINT or self.changes is None, "in one touchpoint nothing changes")

    def evaluator(self) -> RuleEvaluator:
        """Return what evaluates this rule; raise `InvalidRuleError` if it cannot be prepared."""
        return CountEvaluator(self)


class CountEvaluator:
    """A prepared count rule."""

    def __init__(self, rule: CountRule) -> None:
        """Prepare `rule`; raise `InvalidRuleError` if it cannot be prepared."""
        self._at_least = rule.at_least
        self._within = rule.within
        self._picker = UnitPicker(rule.of, contacts=rule.contacts)
        self._key = key_of(rule.per)
        self._agreement = FieldAgreement(rule.same)
        self._barrier = RuleBarrier(rule.without, self._key, self._agreement)
        self._distinct = field_getter(rule.distinct) if rule.distinct else None
        self._changes = field_getter(rule.changes) if rule.changes else None
        self._hours = None if rule.outside_time_interval is None else clock_of(rule.outside_time_interval)
        self._fewest = rule.at_least + (1 if rule.changes else 0)

    def evaluate(self, history: CustomerHistory) -> Iterable[FindingCandidate]:
        """Return a candidate for each unit that completes the count."""
        units = self._picker.pick(history)
        if self._hours is None:
            return self._among(units, history)
        is_plain = self._distinct is None and self._changes is None
        if is_plain and next(iter(self._among(units, history)), None) is None:
            return ()  # hours only leave units out, and so few are counted more quickly than looked up
        return self._among([unit for unit in units if not self._hours.is_open(unit.time)], history)

    def _among(self, units: Sequence[CountedUnit], history: CustomerHistory) -> Iterable[FindingCandidate]:
        if len(units) < self._fewest:
            return
        barriers = self._barrier.pick(history)
        for group in grouped(units, self._key, history):
            for index in range(self._fewest - 1, len(group)):
                if self._within is not None and group[index].time - group[index - self._fewest + 1].time > self._within:
                    continue  # too few, whatever else counts
                window = self._window(group, index, self._barrier.before(group[index], barriers, history))
                count = self._count(window) if len(window) >= self._fewest else 0
                if count >= self._at_least:
                    yield FindingCandidate(group[index], window, self._numbers(window, count))

    def _window(self, group: Sequence[CountedUnit], index: int, barrier: CountedUnit | None) -> list[CountedUnit]:
        """Return the unit at `index` and the units that count with it, oldest first."""
        anchor = group[index]
        agrees = self._agreement.with_(anchor)
        earliest = None if self._within is None else anchor.time - self._within
        window = [anchor]
        for place in range(index - 1, -1, -1):
            unit = group[place]
            if (earliest is not None and unit.time < earliest) or (barrier is not None and unit.order <= barrier.order):
                break
            if agrees is None or agrees(unit):
                window.append(unit)
                if len(window) == MOST_COUNTED:
                    break
        window.reverse()
        return window

    def _count(self, window: Sequence[CountedUnit]) -> int:
        if self._distinct is not None:
            return _count_distinct([value for unit in window if (value := self._distinct(unit.view)) is not None])
        if self._changes is not None:
            return self._count_changes(window)
        return len(window)

    def _count_changes(self, window: Sequence[CountedUnit]) -> int:
        """Return how often the value changed; 0 unless the anchor itself is a change."""
        assert self._changes is not None  # noqa: S101 - asked for only by _count, which has looked
        if self._changes(window[-1].view) is None:
            return 0
        values = [value for unit in window if (value := self._changes(unit.view)) is not None]
        if len(values) < 2 or values[-1] == values[-2]:
            return 0
        return sum(one != other for one, other in pairwise(values))

    def _numbers(self, window: Sequence[CountedUnit], count: int) -> dict[str, int | float | str]:
        numbers: dict[str, int | float | str] = {
            "count": count,
            "span_s": (window[-1].time - window[0].time).total_seconds(),
        }
        if self._within is not None:
            numbers["within_s"] = self._within.total_seconds()
        return numbers


def _count_distinct(values: Sequence[object]) -> int:
    try:
        return len(set(values))
    except TypeError:  # attributes may hold lists and objects, which only compare
        return sum(value not in values[:index] for index, value in enumerate(values))
