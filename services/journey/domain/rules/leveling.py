"""A rule with its wordings for service levels: each anchor is judged by that of its own level."""

from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

from services.journey.domain.contacts.contact import CountedUnit
from services.journey.domain.history import CustomerHistory
from services.journey.domain.rules.evaluator import FindingCandidate, RuleEvaluator
from services.journey.domain.rules.rule import Rule

R = TypeVar("R", bound=Rule)


def level_of(anchor: CountedUnit, history: CustomerHistory) -> str | None:
    """Return the service level of what an anchor names: its own, else the last known one by then."""
    return anchor.view.service_level or history.service_level_at(anchor.position)


class LeveledRule(Generic[R]):
    """A rule that is prepared as it is, and as it is for each level that has parameters of its own."""

    __slots__ = ("_by_level", "_evaluator", "_rule")

    def __init__(
        self, rule: R, evaluator: RuleEvaluator, by_level: Mapping[str, tuple[R, RuleEvaluator]] | None = None
    ) -> None:
        """Keep `rule` and its wordings by level, each with what evaluates it."""
        self._rule = rule
        self._evaluator = evaluator
        self._by_level = by_level or {}

    def evaluate(self, history: CustomerHistory) -> Iterable[tuple[R, FindingCandidate]]:
        """Yield each candidate with the wording that judges it: that of its anchor's level, else the rule's own."""
        found = self._evaluator.evaluate(history)
        if not self._by_level:
            yield from ((self._rule, one) for one in found)
            return
        yield from ((self._rule, one) for one in found if level_of(one.anchor, history) not in self._by_level)
        levels = {unit.at.service_level for unit in history.units}
        for level, (rule, evaluator) in self._by_level.items():
            if level in levels:
                found = evaluator.evaluate(history)
                yield from ((rule, one) for one in found if level_of(one.anchor, history) == level)
