"""The shape *absence*: a follow-up that did not come (docs/semantics.md, absence)."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from services.journey.domain.contacts.contact import CountedUnit
from services.journey.domain.history import CustomerHistory
from services.journey.domain.rules.business_time import BusinessTime
from services.journey.domain.rules.evaluator import FindingCandidate, RuleEvaluator
from services.journey.domain.rules.placeholders import Placeholders, duration_of, when_due
from services.journey.domain.rules.rule import Matcher, Rule, RuleScope
from services.journey.domain.rules.rule_checks import LONGEST, NOTHING, demand, positive
from services.journey.domain.rules.shapes.waiting import ClockStop, WaitingClock, is_followed, waiting_numbers
from services.journey.domain.rules.units import FieldAgreement, UnitPicker


class AbsenceRule(Rule, frozen=True, kw_only=True, tag="absence"):
    """A follow-up that did not come: a touchpoint that matches `after` waits for one that matches `expect`.

    The follow-up counts until `within` after the arming touchpoint; without `within`, until the `due_at` of that
    touchpoint plus `grace`. It must agree with the arming touchpoint on the fields in `same`. The time runs in
    `active_time_interval` only, and stands still from a touchpoint that matches `pauses` to one that matches `resumes`.
    """

    after: Matcher
    expect: Matcher
    within: timedelta | None = None
    grace: timedelta = timedelta(0)
    same: tuple[str, ...] = ()
    active_time_interval: BusinessTime | None = None
    pauses: Matcher | None = None
    resumes: Matcher | None = None
    per: ClassVar[RuleScope] = RuleScope.CUSTOMER

    placeholders: ClassVar[Placeholders] = {"due_at": when_due, "waited": duration_of("waited_s")}

    def check(self) -> None:
        """Raise `InvalidRuleError` if the members of the shape do not fit together."""
        positive("within", self.within)
        demand(self.grace >= NOTHING, "grace is not negative")
        demand(self.grace <= LONGEST, f"grace is at most {LONGEST.days}d")
        demand(self.within is None or self.grace == NOTHING, "grace goes with due_at, not with within")
        demand((self.pauses is None) == (self.resumes is None), "pauses and resumes go together")
        demand(self.pauses is None or self.within is not None, "pauses go with within: a promise keeps its time")
        timed = self.within is not None or self.grace != NOTHING
        demand(self.active_time_interval is None or timed, "active_time_interval goes with within or grace")

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
        self._clock = WaitingClock(rule.active_time_interval, self._agreement, rule.pauses, rule.resumes)

    def evaluate(self, history: CustomerHistory) -> Iterable[FindingCandidate]:
        """Yield a candidate for each arming touchpoint without a follow-up."""
        arming = self._after.pick(history)
        if not arming:
            return
        expected = self._expect.pick(history)
        stops = self._clock.stops(history)
        for unit in arming:
            due_at = self._due_at(unit, stops)
            if due_at is not None and not is_followed(unit, due_at, expected, self._agreement.with_(unit)):
                numbers = waiting_numbers(unit.time, due_at)
                yield FindingCandidate(unit, (unit,), numbers, due_at, due_moves=self._clock.is_moved)

    def _due_at(self, unit: CountedUnit, stops: Sequence[ClockStop]) -> datetime | None:
        """Return the last moment at which a follow-up counts; None if nothing is due."""
        if self._within is not None:
            return self._clock.due(unit, self._within, stops)
        promised = unit.at.due_at
        return None if promised is None or promised < unit.time else self._clock.after(promised, self._grace)
