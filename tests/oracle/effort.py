"""The effort score by the oracle, as docs/semantics.md defines it.

Part of the oracle: it imports nothing of Waymark, on purpose.
"""

from collections.abc import Callable
from itertools import pairwise
from math import exp
from typing import Any, Final

from tests.oracle.facts import Fact, Json

TROUBLE: Final = {
    5: ("app_crashed", "complaint_made", "error_shown", "visit_missed"),
    4: ("delivery_attempt_failed", "escalated", "payment_declined", "rage_click"),
    3: ("delivery_delayed",),
    2: ("bot_no_match", "dead_click", "form_error", "login_failed", "otp_failed"),
    1: ("search_no_result",),
}


def score(facts: list[Fact], talks: list[Json]) -> float:
    """The score of a journey that has these touchpoints and contacts, in order."""
    points = 6 * max(0, len(talks) - 1)
    points += 3 * sum(one["channel"] != other["channel"] for one, other in pairwise(talks))
    points += 4 * sum(one["outcome"] in {"unresolved", "abandoned", "failed"} for one in talks)
    points += 5 * int(_largest(facts, "transfers"))
    points += min(15, int(_largest(facts, "wait_s")) // 60) + min(10, int(_largest(facts, "hold_s")) // 60)
    points += 3 * sum(_is(one, "sentiment", lambda mood: mood <= -0.4) for one in facts)
    points += 5 * sum(_is(one, "score", _is_hard) for one in facts)
    points += sum(each for one in facts for each, kinds in TROUBLE.items() if one.get("kind") in kinds)
    return round(100 * (1 - exp(-points / 20)), 1)


def _largest(facts: list[Fact], name: str) -> float:
    """The largest number of each interaction, or touchpoint without one, added up."""
    cells: dict[Any, float] = {}
    for one in facts:
        cell = ("touchpoint", one.key) if one.interaction is None else ("interaction", one.interaction)
        cells[cell] = max(cells.get(cell, 0), one.get(name) or 0)
    return sum(cells.values())


def _is(one: Fact, name: str, holds: Callable[[Any], bool]) -> bool:
    value = one.get(name)
    return value is not None and holds(value)


def _is_hard(score: dict[str, Any]) -> bool:
    hard: bool = score["metric"] == "ces" and score["value"] * 7 <= score["scale"] * 3
    return hard
