"""Decides what frictions have in common, when there are far more of them than usual, and when that is over.

Pure. What is usual is what was counted in the same hour of earlier days, the latest days counting most; what came in an
outbreak is left out, so that a long one does not become usual while it lasts. On the first day it is the mean so far.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil, sqrt
from uuid import UUID

from services.alerts.issues.model import ReportedFriction

WINDOW = timedelta(minutes=5)
"""Frictions are compared with the usual over windows of this length."""
WARM_UP = timedelta(minutes=15)
"""Nothing is called unusual before so much has been seen at all: on a first day everything is new."""
QUIET_FOR = timedelta(minutes=15)
"""An outbreak is over when so long no more than half of what opened it has come in a window."""
LEARNED_AFTER = timedelta(days=1)
"""What comes later in an outbreak counts as usual on the following days: a new normal ends it."""
DAYS_COMPARED = 14
SMOOTHING = 0.3
NOISE = 3
"""A count is no surge within so many standard deviations of the usual, whatever the factor."""

SEPARATOR = "\x1f"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class OutbreakKey:
    """What the frictions of an outbreak have in common: rule and reason, and maybe one thing more.

    `field` is `channel`, `queue`, `product`, or empty for all of them.
    """

    rule: str
    reason: str
    field: str = ""
    value: str = ""

    @property
    def text(self) -> str:
        """The key as one text."""
        return SEPARATOR.join((self.rule, self.reason, self.field, self.value))

    @property
    def broad(self) -> "OutbreakKey":
        """The key of all frictions of the rule and reason."""
        return OutbreakKey(rule=self.rule, reason=self.reason)

    def contradicts(self, other: "OutbreakKey") -> bool:
        """Return whether no friction can be at both places: their reasons or values of one field differ."""
        return bool(
            (self.reason and other.reason and self.reason != other.reason)
            or (self.field and self.field == other.field and self.value != other.value)
        )


def key_of_text(text: str) -> OutbreakKey:
    """Return the key in a text that `OutbreakKey.text` made."""
    rule, reason, field, value = text.split(SEPARATOR)
    return OutbreakKey(rule=rule, reason=reason, field=field, value=value)


def keys_of(friction: ReportedFriction) -> tuple[OutbreakKey, ...]:
    """Return the keys under which a friction is counted, the broadest first."""
    broad = OutbreakKey(rule=friction.rule, reason=_plain(friction.reason))
    narrow = (("channel", friction.channel), ("queue", friction.queue), ("product", friction.product))
    return (
        broad,
        *(
            OutbreakKey(rule=broad.rule, reason=broad.reason, field=field, value=_plain(value))
            for field, value in narrow
            if value
        ),
    )


def _plain(text: str | None) -> str:
    return (text or "").replace(SEPARATOR, " ")


def counted(frictions: Iterable[ReportedFriction]) -> list[ReportedFriction]:
    """Return the frictions of one issue that count: those that no other one of them speaks for."""
    given = list(frictions)
    implied = {rule for friction in given for rule in friction.implies}
    return [friction for friction in given if friction.rule not in implied]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutbreakLimit:
    """What makes a surge: at least `floor` frictions in a window, and `factor` times as many as usual."""

    floor: int
    factor: float


_LIMIT = re.compile(
    r"(?P<rule>\*|[a-z][a-z0-9_]{0,62})="
    r"(?:(?P<floor>[0-9]{1,6})x(?P<factor>[0-9]{1,3}(?:\.[0-9]+)?)|off)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutbreakLimits:
    """The limits of all rules; without one, a rule has no outbreaks."""

    default: OutbreakLimit | None
    by_rule: Mapping[str, OutbreakLimit | None]

    def of(self, rule: str) -> OutbreakLimit | None:
        """Return the limit of a rule, None if it has no outbreaks."""
        return self.by_rule.get(rule, self.default)


def parse_limits(text: str) -> OutbreakLimits:
    """Return the limits in a text such as `*=10x4, long_wait=50x6, low_ces=off`.

    Raises:
        ValueError: a word is no limit; the message shows how to write one.
    """
    limits: dict[str, OutbreakLimit | None] = {}
    for number, word in enumerate((word.strip() for word in text.split(",") if word.strip()), start=1):
        match = _LIMIT.fullmatch(word)
        limit = _limit(match) if match else None
        if match is None or (limit is not None and (limit.floor < 2 or limit.factor < 1)):
            msg = (
                f"word {number} is no limit; write RULE=FLOORxFACTOR, such as *=10x4 (at least 10 in five minutes, "
                "4 times the usual; a floor of 2 and a factor of 1 at least), or RULE=off"
            )
            raise ValueError(msg)
        limits[match["rule"]] = limit
    return OutbreakLimits(default=limits.pop("*", None), by_rule=limits)


def _limit(match: re.Match[str]) -> OutbreakLimit | None:
    return OutbreakLimit(floor=int(match["floor"]), factor=float(match["factor"])) if match["floor"] else None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRate:
    """What was counted of a key before: in the same hour of the days before and weeks before, and so far today.

    `same_hour` and `same_weekday` are counts of whole hours, the oldest first, with zeros for hours in which nothing
    came. `so_far` is the count of the `so_far_minutes` before the window; it matters only on the first day.
    """

    same_hour: Sequence[int]
    same_weekday: Sequence[int]
    so_far: int
    so_far_minutes: int


def usual_in_window(rate: KnownRate) -> float:
    """Return how many frictions are usual in one window."""
    windows = timedelta(hours=1) / WINDOW
    if not rate.same_hour:
        return rate.so_far / max(rate.so_far_minutes, 1) * (WINDOW / timedelta(minutes=1))
    weekly = sum(rate.same_weekday) / len(rate.same_weekday) if rate.same_weekday else 0.0
    return max(_smoothed(rate.same_hour), weekly) / windows


def _smoothed(counts: Sequence[int]) -> float:
    value = float(counts[0])
    for count in counts[1:]:
        value += SMOOTHING * (count - value)
    return value


def threshold(usual: float, limit: OutbreakLimit) -> int:
    """Return how many frictions in one window are a surge."""
    return ceil(max(limit.floor, limit.factor * usual, usual + NOISE * sqrt(usual)))


@dataclass(frozen=True, slots=True, kw_only=True)
class MetOutbreak:
    """An outbreak that goes on or was over a moment ago, and how many of certain customers met it."""

    id: UUID
    keys: tuple[OutbreakKey, ...]
    opened_at: datetime
    met: int


def outbreak_to_join(key: OutbreakKey, customers: int, known: Iterable[MetOutbreak]) -> MetOutbreak | None:
    """Return the outbreak that a surge of `key` belongs to, None if it is one of its own.

    One cause makes the same customers meet several rules: it is the outbreak that half of its customers or more met
    already, the one that most of them met, unless it is elsewhere.
    """
    fitting = [
        one for one in known if 2 * one.met >= customers and not any(key.contradicts(other) for other in one.keys)
    ]
    return min(fitting, key=lambda one: (-one.met, one.opened_at, one.id), default=None)


def is_over(lately: int, opened_by: int) -> bool:
    """Return whether an outbreak is over: `lately` came in `QUIET_FOR`, `opened_by` in a window was a surge."""
    return lately < max(1.0, opened_by / 2 * (QUIET_FOR / WINDOW))
