"""Checks what the schema of a rules file cannot: combinations that parse and yet have no meaning.

What only one shape has is left to that shape, in its own words of `demand` and `positive`.
"""

from datetime import timedelta

from services.journey.domain.rules.matching import InvalidRuleError
from services.journey.domain.rules.rule import Rule

NOTHING = timedelta(0)
LONGEST = timedelta(days=3653)
"""Ten years. Nobody needs more, and adding centuries to a touchpoint's time would overflow."""


def check_shared(rule: Rule) -> None:
    """Raise `InvalidRuleError` if the members that all shapes share do not fit together."""
    positive("cooldown", rule.cooldown)
    if rule.cap is not None:
        positive("cap.within", rule.cap.within)
        demand(rule.cap.max >= 1, "cap.max is at least 1")


def positive(name: str, value: timedelta | None) -> None:
    """Raise `InvalidRuleError` unless the duration `name` is left out, or more than nothing and not too long."""
    demand(value is None or value > NOTHING, f"{name} is more than nothing")
    demand(value is None or value <= LONGEST, f"{name} is at most {LONGEST.days}d")


def demand(holds: bool, otherwise: str) -> None:
    """Raise `InvalidRuleError` with the message `otherwise` unless it holds."""
    if not holds:
        raise InvalidRuleError(otherwise)
