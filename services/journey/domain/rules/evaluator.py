"""What every shape's evaluator is, the candidates that it yields, and a rule with one for each service level.

What becomes of the candidates is left to the rulebook.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar, cast

import msgspec

from services.journey.domain.contacts.contact import CountedUnit
from services.journey.domain.friction import BilingualText, FrictionSeverity
from services.journey.domain.history import CustomerHistory
from services.journey.domain.rules.rule import Rule

R = TypeVar("R", bound=Rule)


class FindingCandidate(msgspec.Struct, frozen=True, gc=False):
    """What a shape found: the anchor, the evidence (oldest first), the numbers, and the due time of an absence.

    `due_moves` says that other touchpoints than the anchor can move the due time.
    """

    anchor: CountedUnit
    evidence: Sequence[CountedUnit]
    numbers: dict[str, int | float | str]
    due_at: datetime | None = None
    due_moves: bool = False


class RuleEvaluator(Protocol):
    """A rule that is prepared to be evaluated."""

    def evaluate(self, history: CustomerHistory) -> Iterable[FindingCandidate]:
        """Yield the candidates in `history`, in any order of their anchors."""
        ...


def level_of(anchor: CountedUnit, history: CustomerHistory) -> str | None:
    """Return the service level of what an anchor names: its own, else the last known one by then."""
    return anchor.view.service_level or history.service_level_at(anchor.position)


class LeveledRule(Generic[R]):
    """A rule that is prepared as it is, and as it is for each level that has parameters of its own.

    What it finds is remembered with the history: a rule that another one carries is evaluated once for both.
    """

    __slots__ = ("_by_level", "_content", "_evaluator", "_rule")

    def __init__(
        self, rule: R, evaluator: RuleEvaluator, by_level: Mapping[str, tuple[R, RuleEvaluator]] | None = None
    ) -> None:
        """Keep `rule` and its wordings by level, each with what evaluates it."""
        self._rule = rule
        self._evaluator = evaluator
        self._by_level = by_level or {}
        self._content = _CONTENT.encode(msgspec.structs.replace(rule, **_WORDS_ONLY))

    def evaluate(self, history: CustomerHistory) -> Iterable[tuple[R, FindingCandidate]]:
        """Return each candidate with the wording that judges it: that of its anchor's level, else the rule's own."""
        found = history.candidates.get(self._content)
        if found is None:
            found = history.candidates[self._content] = self._found(history)
        by_level, own = self._by_level, self._rule
        judged = cast("Sequence[tuple[str | None, FindingCandidate]]", found)
        return [(own if level is None else by_level[level][0], one) for level, one in judged]

    def _found(self, history: CustomerHistory) -> Sequence[tuple[str | None, FindingCandidate]]:
        """Return each candidate with the level whose wording judges it, None for the rule's own."""
        found = self._evaluator.evaluate(history)
        if not self._by_level:
            return [(None, one) for one in found]
        judged: list[tuple[str | None, FindingCandidate]] = [
            (None, one) for one in found if level_of(one.anchor, history) not in self._by_level
        ]
        levels = {unit.at.service_level for unit in history.units}
        for level, (_, evaluator) in self._by_level.items():
            if level in levels:
                found = evaluator.evaluate(history)
                judged += [(level, one) for one in found if level_of(one.anchor, history) == level]
        return judged


_CONTENT = msgspec.json.Encoder(order="deterministic")

_NO_WORDS = BilingualText(en="", ko="")

_WORDS_ONLY: dict[str, Any] = {
    "id": "",
    "version": 1,
    "title": _NO_WORDS,
    "explanation": _NO_WORDS,
    "playbook": None,
    "severity": FrictionSeverity.LOW,
    "severity_by_service_level": {},
    "implies": (),
    "closes_when": (),
    "cooldown": None,
    "cap": None,
    "expires_after": None,
    "enabled": True,
}
"""Members that say nothing about what a rule finds."""
