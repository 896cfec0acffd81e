"""What every shape's evaluator is, and the candidates that it yields. What becomes of them is left to the rulebook."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from services.journey.domain.contacts.contact import CountedUnit
from services.journey.domain.history import CustomerHistory


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
