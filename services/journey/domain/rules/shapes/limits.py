"""Limits of a number: which of several applies to a unit, and whether the number is over it."""

from collections.abc import Callable, Sequence
from operator import ge, gt, le, lt

import msgspec

from services.journey.domain.rules.matching import CompiledMatcher, InvalidRuleError, compile_matcher
from services.journey.domain.rules.rule import Matcher
from services.journey.domain.touchpoint import Touchpoint

_SIDES: dict[str, Callable[[float, float], bool]] = {"gt": gt, "gte": ge, "lt": lt, "lte": le}


class ThresholdLimit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A limit for units that match `when`. Exactly one of the four bounds is given."""

    when: Matcher = ()
    gt: int | float | None = None
    gte: int | float | None = None
    lt: int | float | None = None
    lte: int | float | None = None


class NumberLimits:
    """The limits of a rule, prepared: the first whose `when` matches a unit is the one that applies to it."""

    __slots__ = ("_limits",)

    def __init__(self, limits: Sequence[ThresholdLimit]) -> None:
        """Prepare `limits`; raise `InvalidRuleError` for one that has not exactly one bound."""
        self._limits = [_prepared(limit) for limit in limits]

    def crossed(self, view: Touchpoint, value: float) -> int | float | None:
        """Return the limit that `value` is over; None if it is over none that applies to a unit with this `view`."""
        for selector, is_over, bound in self._limits:
            if selector.matches(view):
                return bound if is_over(value, bound) else None
        return None


def _prepared(limit: ThresholdLimit) -> tuple[CompiledMatcher, Callable[[float, float], bool], int | float]:
    given = [(_SIDES[side], bound) for side in _SIDES if (bound := getattr(limit, side)) is not None]
    if len(given) != 1:
        raise InvalidRuleError("a limit has exactly one of gt, gte, lt, lte")
    return compile_matcher(limit.when), *given[0]
