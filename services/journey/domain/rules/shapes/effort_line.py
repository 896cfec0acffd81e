"""The shape *effort*: a journey has become hard (docs/semantics.md, effort)."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import ClassVar

from services.journey.domain.contacts.contact import Contact, CountedUnit
from services.journey.domain.effort import Effort, measure
from services.journey.domain.history import CustomerHistory
from services.journey.domain.rules.evaluator import FindingCandidate, RuleEvaluator
from services.journey.domain.rules.placeholders import Placeholders, number_of
from services.journey.domain.rules.rule import Rule, RuleScope
from services.journey.domain.rules.rule_checks import demand


class EffortRule(Rule, frozen=True, kw_only=True, tag="effort"):
    """Effort over the line: the touchpoint with which the score of a journey first comes to `at_least`.

    The score is that of the touchpoints of the journey until then, and of the contacts that had begun, without the
    half-life that is applied where it is read.
    """

    at_least: int
    per: ClassVar[RuleScope] = RuleScope.JOURNEY

    placeholders: ClassVar[Placeholders] = {
        "score": number_of("score"),
        "limit": number_of("limit"),
        "count": number_of("count"),
    }

    def check(self) -> None:
        """Raise `InvalidRuleError` if the members of the shape do not fit together."""
        demand(1 <= self.at_least <= 100, "at_least is 1 to 100")

    def evaluator(self) -> RuleEvaluator:
        """Return what evaluates this rule; raise `InvalidRuleError` if it cannot be prepared."""
        return EffortEvaluator(self)


class EffortEvaluator:
    """A prepared effort rule."""

    def __init__(self, rule: EffortRule) -> None:
        """Prepare `rule`."""
        self._at_least = rule.at_least

    def evaluate(self, history: CustomerHistory) -> Iterable[FindingCandidate]:
        """Yield a candidate for each journey whose effort comes to the limit."""
        for number, score in enumerate(history.efforts):
            if score < self._at_least:
                continue
            units = [unit for unit in history.units if history.journey_of[unit.position] == number]
            contacts = [one for one in history.contacts if history.journey_of[one.position] == number]
            limit: float = self._at_least
            reached = bisect_left(units, limit, key=lambda unit: _until(unit, units, contacts).score)  # it only rises
            yield _candidate(units[: reached + 1], _until(units[reached], units, contacts), self._at_least)


def _until(last: CountedUnit, units: Sequence[CountedUnit], contacts: Sequence[Contact]) -> Effort:
    """Return the effort of a journey when `last` had come."""
    touchpoints = [unit.at for unit in units if unit.position <= last.position]
    return measure(touchpoints, [one for one in contacts if one.position <= last.position])


def _candidate(units: Sequence[CountedUnit], effort: Effort, limit: int) -> FindingCandidate:
    numbers: dict[str, int | float | str] = {"score": effort.score, "limit": limit, "count": len(units)}
    return FindingCandidate(units[-1], units, numbers)
