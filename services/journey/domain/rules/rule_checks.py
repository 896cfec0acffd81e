"""Checks what the schema of a rules file cannot: combinations that parse and yet have no meaning."""

from datetime import timedelta
from itertools import pairwise

from services.journey.domain.rules.count import MOST_COUNTED
from services.journey.domain.rules.matching import InvalidRuleError
from services.journey.domain.rules.shape import (
    AbsenceShape,
    AnyRule,
    CountShape,
    RuleScope,
    SequenceShape,
    ThresholdShape,
)

NOTHING = timedelta(0)
LONGEST = timedelta(days=3653)
"""Ten years. Nobody needs more, and adding centuries to a touchpoint's time would overflow."""


def check_rule(rule: AnyRule) -> None:
    """Raise `InvalidRuleError` if the parts of `rule` do not fit together."""
    _positive("cooldown", rule.cooldown)
    if rule.cap is not None:
        _positive("cap.within", rule.cap.within)
        _demand(rule.cap.max >= 1, "cap.max is at least 1")
    if isinstance(rule, CountShape):
        _check_count(rule)
    elif isinstance(rule, SequenceShape):
        _check_sequence(rule)
    elif isinstance(rule, AbsenceShape):
        _check_absence(rule)
    else:
        _check_threshold(rule)


def _check_count(rule: CountShape) -> None:
    _positive("within", rule.within)
    most = MOST_COUNTED if rule.changes is None else MOST_COUNTED - 1  # so many units have one change less
    _demand(1 <= rule.at_least <= most, f"at_least is 1 to {most}")
    _demand(rule.distinct is None or rule.changes is None, "distinct and changes exclude one another")
    _demand(rule.per is not RuleScope.TOUCHPOINT or rule.at_least == 1, "one touchpoint cannot be counted twice")
    _demand(rule.per is not RuleScope.TOUCHPOINT or rule.changes is None, "in one touchpoint nothing changes")


def _check_sequence(rule: SequenceShape) -> None:
    _positive("within", rule.within)
    _demand(bool(rule.steps) != bool(rule.pattern), "a sequence has either steps or a pattern")
    _demand(rule.per is not RuleScope.TOUCHPOINT, "a sequence is more than one touchpoint")
    if rule.steps:
        _demand(len(rule.steps) >= 2, "a sequence has at least two steps")
        _demand(rule.field is None and not rule.of, "field and of go with a pattern")
        return
    _demand(rule.field is not None, "a pattern needs a field")
    _demand(len(rule.pattern) >= 2, "a pattern has at least two letters")
    _demand(all(one != other for one, other in pairwise(rule.pattern)), "neighbouring letters of a pattern differ")
    _demand(not (rule.same or rule.without or rule.once), "same, without and once go with steps")


def _check_threshold(rule: ThresholdShape) -> None:
    _demand(bool(rule.limits), "limits is empty")
    _demand(not rule.total or rule.per is not RuleScope.TOUCHPOINT, "total needs a scope wider than the touchpoint")


def _check_absence(rule: AbsenceShape) -> None:
    _positive("within", rule.within)
    _demand(rule.grace >= NOTHING, "grace is not negative")
    _demand(rule.grace <= LONGEST, f"grace is at most {LONGEST.days}d")
    _demand(rule.within is None or rule.grace == NOTHING, "grace goes with due_at, not with within")


def _positive(name: str, value: timedelta | None) -> None:
    _demand(value is None or value > NOTHING, f"{name} is more than nothing")
    _demand(value is None or value <= LONGEST, f"{name} is at most {LONGEST.days}d")


def _demand(holds: bool, otherwise: str) -> None:
    if not holds:
        raise InvalidRuleError(otherwise)
