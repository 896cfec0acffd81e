"""What came before a rule's frictions, as JSON for programs."""

from typing import Any

from services.journey.trial.precedence import PrecedenceTally, PrecedingSign


def document(rule: str, tally: PrecedenceTally, seconds: float) -> dict[str, Any]:
    """Return the result: looks, and each sign with its lift and 95 % interval, the highest certain lift first."""
    frictions, others = tally.looks()
    return {
        "rule": rule,
        "frictions": frictions,
        "others": others,
        "signs": [_sign(one) for one in tally.signs()],
        "customers": tally.judged,
        "touchpoints": tally.read,
        "seconds": round(seconds, 2),
    }


def _sign(one: PrecedingSign) -> dict[str, Any]:
    return {
        "sign": one.sign,
        "before_frictions": one.before_frictions,
        "before_others": one.before_others,
        "lift": one.lift,
        "low": one.low,
        "high": one.high,
    }
