"""What several numbers come to, by the oracle, as docs/semantics.md defines it: exactly, in fractions.

Part of the oracle: it imports nothing of Waymark, on purpose.
"""

from collections.abc import Sequence
from fractions import Fraction

from tests.oracle.facts import Json
from tests.oracle.rule_conditions import is_over, matches
from tests.oracle.rule_units import Unit, number_of


def is_crossed(rule: Json, window: Sequence[Unit]) -> bool:
    """The value of the last unit is over the limit that applies to it."""
    function, last = rule["function"], window[-1]
    if len(window) < 2 and function in {"trend", "since"}:
        return False
    if function == "since":
        value = Fraction(last.at - window[-2].at, 1_000_000)
    else:
        value = _made(function, [Fraction(number_of(one, rule["field"])) for one in window])
    limit = next((one for one in rule["limits"] if matches(one.get("when", {}), last.doc)), None)
    return limit is not None and is_over(round(float(value), 9), limit)


def _made(function: str, numbers: Sequence[Fraction]) -> Fraction:
    """What a function makes of some numbers, exactly."""
    half = len(numbers) // 2
    weighted = [number for place, number in enumerate(numbers, 1) for _ in range(place)]
    return {
        "sum": lambda: sum(numbers, Fraction(0)),
        "min": lambda: min(numbers),
        "max": lambda: max(numbers),
        "mean": lambda: _mean(numbers),
        "late_mean": lambda: _mean(weighted),
        "first": lambda: numbers[0],
        "last": lambda: numbers[-1],
        "trend": lambda: _mean(numbers[len(numbers) - half :]) - _mean(numbers[:half]),
    }[function]()


def _mean(numbers: Sequence[Fraction]) -> Fraction:
    return sum(numbers, Fraction(0)) / len(numbers)
