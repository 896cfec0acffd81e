"""The demo hour as a whole: who comes, when, and when the card gateway fails. Pure; one seed, one hour."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from waymark.demo import cast
from waymark.demo.cast import MINUTE, DemoCustomer, PlannedTouchpoint, Script

HOUR_S = 60 * MINUTE
OUTAGE_S = (22 * MINUTE, 31 * MINUTE)
"""When the card gateway is out, in seconds of the hour."""

SOURCES: Mapping[str, Sequence[str]] = {
    "web-shop": ("web",),
    "mobile-app": ("app",),
    "call-centre": ("phone",),
    "chat": ("chat",),
    "messenger": ("messenger",),
    "store-pos": ("store",),
    "crm": ("api",),
}
"""The channel systems of the shop and the channels that each may speak for."""

SHARES: Sequence[tuple[Script, float]] = (
    (cast.browsing, 0.52),
    (cast.buying, 0.26),
    (cast.visiting, 0.08),
    (cast.asking_once, 0.07),
    (cast.calling_again, 0.018),
    (cast.switching, 0.008),
    (cast.sent_between_groups, 0.006),
    (cast.promise_kept, 0.006),
    (cast.promise_broken, 0.004),
    (cast.payment_down, 0.028),
)
"""How often each kind of visit happens; nine in ten are content."""

LATEST_START_S: Mapping[Script, float] = {
    cast.calling_again: 25 * MINUTE,
    cast.switching: 30 * MINUTE,
    cast.sent_between_groups: 28 * MINUTE,
    cast.promise_kept: 20 * MINUTE,
    cast.promise_broken: 20 * MINUTE,
}
"""Stories that take long begin early enough to end within the hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetailHour:
    """What happens: planned touchpoints by time, and how many customers had which kind of visit."""

    moments: Sequence[PlannedTouchpoint]
    people: int
    visits: Mapping[str, int]


def invent(seed: int, people: int) -> RetailHour:
    """Return the hour of `people` customers that `seed` determines, with its touchpoints in order of time."""
    dice = Random(seed)  # noqa: S311  a story, not a secret
    scripts = [script for script, _ in SHARES]
    weights = [share for _, share in SHARES]
    moments: list[PlannedTouchpoint] = []
    visits: dict[str, int] = {}
    for number in range(1, people + 1):
        person = DemoCustomer(number=number, premium=dice.random() < 0.08)
        script = dice.choices(scripts, weights)[0]
        visits[script.__name__] = visits.get(script.__name__, 0) + 1
        moments += script(person, _start(script, dice), dice)
    within = sorted((moment for moment in moments if moment.at_s < HOUR_S), key=lambda moment: moment.at_s)
    return RetailHour(moments=within, people=people, visits=visits)


def _start(script: Script, dice: Random) -> float:
    if script is cast.payment_down:
        return dice.uniform(*OUTAGE_S)
    return dice.uniform(0, LATEST_START_S.get(script, HOUR_S - 10 * MINUTE))


def document(moment: PlannedTouchpoint, ordinal: int, *, run: str, began: datetime) -> dict[str, Any]:
    """Return the touchpoint as its channel system would send it, for an hour that began at `began`."""
    fields = dict(moment.fields)
    occurred_at = began + timedelta(seconds=moment.at_s)
    due_in_s = fields.pop("due_in_s", None)
    if due_in_s is not None:
        fields["due_at"] = (occurred_at + timedelta(seconds=due_in_s)).isoformat(timespec="milliseconds")
    return {"id": f"{run}-{ordinal}", "occurred_at": occurred_at.isoformat(timespec="milliseconds"), **fields}
