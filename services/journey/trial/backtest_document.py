"""What a backtest found, as JSON for programs."""

from typing import Any

import msgspec

from services.journey.trial.backtest import BacktestTally, FrictionExample, IssueTally, RuleTally

EXAMPLES = 5


def document(tally: BacktestTally, seconds: float) -> dict[str, Any]:
    """Return the result for programs. `new` and `gone` list at most 1,000 frictions a rule; `counts` are complete."""
    return {
        "rules": [_rule(rule, one, tally.read) for rule, one in tally.rules.items()],
        "issues": {"tried": _issues(tally.issues), "in_force": _issues(tally.issues_in_force)},
        "touchpoints": tally.touchpoints,
        "customers": tally.customers,
        "seconds": round(seconds, 2),
    }


def _rule(rule: str, tally: RuleTally, read: int) -> dict[str, Any]:
    return {
        "id": rule,
        "found": tally.found,
        "customers": tally.customers,
        "in_force": tally.in_force,
        "counts": {"new": tally.new, "gone": tally.gone, "moved": tally.moved, "failures": tally.failures},
        "new": msgspec.to_builtins(tally.new_ones),
        "gone": msgspec.to_builtins(tally.gone_ones),
        "moved": msgspec.to_builtins(tally.moved_ones),
        "examples": msgspec.to_builtins(_examples(tally)),
        "per_day": dict(sorted(tally.per_day.items())),
        "in_force_per_day": dict(sorted(tally.in_force_per_day.items())),
        "overlap": dict(tally.overlap.most_common()),
        "cost_us": round(1e6 * tally.seconds / read, 2) if read else None,
    }


def _issues(tally: IssueTally) -> dict[str, Any]:
    return {
        "per_day": dict(sorted(tally.per_day.items())),
        "per_hour": {f"{hour:02}": tally.per_hour[hour] for hour in range(24)},
    }


def _examples(tally: RuleTally) -> list[FrictionExample]:
    return [*tally.new_ones[:EXAMPLES], *tally.gone_ones[: max(0, EXAMPLES - len(tally.new_ones))]]
