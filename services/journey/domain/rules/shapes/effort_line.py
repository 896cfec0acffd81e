"""The shape *effort*: a journey has become hard (docs/semantics.md, effort)."""

from collections.abc import Iterable
from typing import ClassVar

from services.journey.domain.contacts.contact import CountedUnit
from services.journey.domain.effort import UNRESOLVED, Effort, effort_of, is_weighed, score_of
from services.journey.domain.history import CustomerHistory
from services.journey.domain.rules.evaluator import FindingCandidate, RuleEvaluator
from services.journey.domain.rules.placeholders import Placeholders, number_of
from services.journey.domain.rules.rule import Rule, RuleScope
from services.journey.domain.rules.rule_checks import demand


class EffortRule(Rule, frozen=True, kw_only=True, tag="effort"):
    """Effort over the line: the touchpoint with which the score of a journey first comes to `at_least`.

    The score is that of the touchpoints of the journey until then, without the half-life that is applied where it is
    read.
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
        journeys: dict[int, list[CountedUnit]] = {}
        for unit in history.units:
            journeys.setdefault(history.journey_of[unit.position], []).append(unit)
        for units in journeys.values():
            weighed = [at for at, unit in enumerate(units) if is_weighed(unit.at, history.policy)]
            if not weighed or not self._may_reach(self._effort(units, history), len(weighed)):
                continue
            for at in weighed:
                effort = self._effort(units[: at + 1], history)
                if effort.score >= self._at_least:
                    yield _candidate(units[: at + 1], effort, self._at_least)
                    break

    def _may_reach(self, whole: Effort, most: int) -> bool:
        """Return whether the score may have come to the limit: only what was unresolved and then solved lowers it."""
        points = sum(part.points for part in whole.parts) + UNRESOLVED * most
        return score_of(points) >= self._at_least

    @staticmethod
    def _effort(units: Iterable[CountedUnit], history: CustomerHistory) -> Effort:
        return effort_of((history.recorded[unit.position] for unit in units), history.policy)


def _candidate(units: list[CountedUnit], effort: Effort, limit: int) -> FindingCandidate:
    numbers: dict[str, int | float | str] = {"score": effort.score, "limit": limit, "count": len(units)}
    return FindingCandidate(units[-1], units, numbers)
