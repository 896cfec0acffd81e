"""The shape *threshold*: a number over, or under, the line (docs/semantics.md, threshold)."""

from collections.abc import Callable, Iterable, Sequence
from operator import ge, gt, le, lt

from services.journey.domain.history import History, Unit
from services.journey.domain.rules.matching import Selector, SenselessError, compiled, getter, number
from services.journey.domain.rules.scope import Candidate, Picker, grouped, key_of
from services.journey.domain.rules.shape import Limit, Scope, Threshold

Crossed = Callable[[float, float], bool]

_SIDES: dict[str, Crossed] = {"gt": gt, "gte": ge, "lt": lt, "lte": le}


class ThresholdRule:
    """A threshold rule made ready."""

    def __init__(self, rule: Threshold) -> None:
        """Raises `SenselessError`."""
        self._picker = Picker(rule.of, contacts=rule.contacts)
        self._number = number(getter(rule.field))
        self._limits = [_limit(limit) for limit in rule.limits]
        self._key = key_of(rule.per)
        self._alone = rule.per is Scope.TOUCHPOINT
        self._total = rule.total

    def evaluate(self, history: History) -> Iterable[Candidate]:
        """Its candidates."""
        read = self._number
        units = [unit for unit in self._picker.pick(history) if read(unit.view) is not None]
        if not units:
            return
        if self._alone:
            for unit in units:
                yield from self._first((unit,))
            return
        for group in grouped(units, self._key, history):
            yield from self._first(group)

    def _first(self, group: Sequence[Unit]) -> Iterable[Candidate]:
        """The first of `group` over the line, if any."""
        total: float = 0
        for index, unit in enumerate(group):
            value = self._number(unit.view) or 0
            total = total + value if self._total else value
            for selector, crossed, bound in self._limits:
                if not selector.matches(unit.view):
                    continue
                if crossed(total, bound):
                    evidence = group[: index + 1] if self._total else (unit,)
                    yield Candidate(unit, evidence, {"value": total, "limit": bound})
                    return
                break


def _limit(limit: Limit) -> tuple[Selector, Crossed, float]:
    given = [(_SIDES[side], bound) for side in _SIDES if (bound := getattr(limit, side)) is not None]
    if len(given) != 1:
        raise SenselessError("a limit has exactly one of gt, gte, lt, lte")
    return compiled(limit.when), *given[0]
