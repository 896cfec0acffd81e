"""Evaluates rules as they will stand once the timers that are due have fired. Pure."""

from collections.abc import Callable

from services.journey.domain.history import CustomerHistory
from services.journey.domain.rules.book import Rulebook, RuleEvaluation
from services.journey.domain.timer import Timer


def evaluate_when_due(rulebook: Rulebook, history: CustomerHistory, is_due: Callable[[Timer], bool]) -> RuleEvaluation:
    """Return what `rulebook` says about `history` once the timers that `is_due` accepts have fired, and no others."""
    history.fired = frozenset()
    said = rulebook.evaluate(history)
    if due := frozenset(timer.id for timer in said.timers if is_due(timer)):
        history.fired = due
        said = rulebook.evaluate(history)
    return said
