"""The shape *absence*: a follow-up that did not come (docs/semantics.md, absence)."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import ClassVar

from services.journey.domain.contacts.contact import CountedUnit
from services.journey.domain.history import CustomerHistory
from services.journey.domain.rules.evaluator import FindingCandidate, RuleEvaluator
from services.journey.domain.rules.placeholders import Placeholders, duration_of, when_due
from services.journey.domain.rules.rule import Matcher, Rule, RuleScope
from services.journey.domain.rules.rule_checks import LONGEST, NOTHING, demand, positive
from services.journey.domain.rules.units import FieldAgreement, UnitPicker


class AbsenceRule(Rule, frozen=True, kw_only=True, tag="absence"):
    """A follow-up that did not come: a touchpoint that matches `after` waits for one that matches `expect`.

    The follow-up counts until `within` after the arming touchpoint; without `within`, until the `due_at` of that
    touchpoint plus `grace`. It must agree with the arming touchpoint on the fields in `same`.
    """

    after: Matcher
    expect: Matcher
    within: timedelta | None = None
    grace: timedelta = timedelta(0)
    same: tuple[str, ...] = ()
    per: ClassVar[RuleScope] = RuleScope.CUSTOMER

    placeholders: ClassVar[Placeholders] = {"due_at": when_due, "waited": duration_of("waited_s")}

    def check(self) -> None:
        """Raise `InvalidRuleError` if the members of the shape do not fit together."""
        positive("within", self.within)
        demand(self.grace >= NOTHING, "grace is not negative")
        demand(self.grace <= LONGEST, f"grace is at most {LONGEST.days}d")
        demand(self.within is None or self.grace == NOTHING, "grace goes with due_at, not with within")

    def evaluator(self) -> RuleEvaluator:
        """Return what evaluates this rule; raise `InvalidRuleError` if it cannot be prepared."""
        return AbsenceEvaluator(self)


class AbsenceEvaluator:
    """A prepared absence rule. Its candidates have a due time; whether it has passed is left to the rulebook."""

    def __init__(self, rule: AbsenceRule) -> None:
        """Prepare `rule`; raise `InvalidRuleError` if it cannot be prepared."""
        self._after = UnitPicker(rule.after)
        self._expect = UnitPicker(rule.expect)
        self._within = rule.within
        self._grace = rule.grace
        self._agreement = FieldAgreement(rule.same)

    def evaluate(self, history: CustomerHistory) -> Iterable[FindingCandidate]:
        """Yield a candidate for each arming touchpoint without a follow-up."""
        arming = self._after.pick(history)
        if not arming:
            return
        expected = self._expect.pick(history)
        for unit in arming:
            due_at = self._due_at(unit)
            if due_at is not None and not self._followed(unit, due_at, expected):
                waited_s = (due_at - unit.time).total_seconds()
                numbers: dict[str, int | float | str] = {"due_at": _text(due_at), "waited_s": waited_s}
                yield FindingCandidate(unit, (unit,), numbers, due_at)

    def _due_at(self, unit: CountedUnit) -> datetime | None:
        """Return the last moment at which a follow-up counts; None if the touchpoint does not arm."""
        if self._within is not None:
            return unit.time + self._within
        promised = unit.at.due_at
        return None if promised is None or promised < unit.time else promised + self._grace

    def _followed(self, arming: CountedUnit, due_at: datetime, expected: Sequence[CountedUnit]) -> bool:
        """Return whether one of `expected`, which are in order, follows in time and agrees."""
        agrees = self._agreement.with_(arming)
        for index in range(bisect_left(expected, arming.time, key=attrgetter("time")), len(expected)):
            other = expected[index]
            if other.time > due_at:
                return False
            if other is not arming and (agrees is None or agrees(other)):
                return True
        return False


def _text(moment: datetime) -> str:
    """Return the moment in UTC as every document writes it."""
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
