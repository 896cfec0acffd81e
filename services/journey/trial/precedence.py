"""What came before a rule's frictions more often than before touchpoints of the same kind that completed none.

A *look* is the time before one touchpoint of one customer. The looks before the anchors of the rule's frictions are
compared with the looks before all other touchpoints of the anchors' kinds, in the same window. What is counted is the
share of looks in which a sign (a kind, with its outcome where it has one) occurred at least once. The touchpoints that
a friction rests on, and all of their calls and chats, are no signs of it: they are what the rule says. Pure.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from math import exp, log, sqrt
from typing import Final

import msgspec

from services.journey.domain.friction import RuleFinding
from services.journey.domain.history import CustomerHistory
from services.journey.domain.journey import segment
from services.journey.domain.projection import ProjectionPolicy
from services.journey.domain.rules.book import Rulebook
from services.journey.domain.touchpoint import Touchpoint, TouchpointKey
from services.journey.trial.backtest import BacktestWindow, StoredHistory
from services.journey.trial.evaluation import evaluate_when_due

FEWEST: Final = 5
"""Fewest looks before frictions in which a sign must occur: below that, a share is chance."""

_Z: Final = 1.96
"""Of the normal distribution: 95 % lie within so many standard errors."""


class PrecedingSign(msgspec.Struct, frozen=True, kw_only=True):
    """One sign: how often it came before frictions and before others, and the lift with its 95 % interval.

    A lift of 3 says that it came three times as often before frictions. It is None where it never came before others.
    """

    sign: str
    before_frictions: int
    before_others: int
    lift: float | None
    low: float | None
    high: float | None


class PrecedenceTally(msgspec.Struct, kw_only=True):
    """The sum over customers: looks before frictions and before others, and in how many of them each sign occurred.

    Looks are counted by the kind of the touchpoint that they end at, because others of a kind that no friction has do
    not count.
    """

    judged: int = 0
    read: int = 0
    frictions: Counter[str] = msgspec.field(default_factory=Counter)
    others: Counter[str] = msgspec.field(default_factory=Counter)
    before_frictions: Counter[tuple[str, str]] = msgspec.field(default_factory=Counter)
    before_others: Counter[tuple[str, str]] = msgspec.field(default_factory=Counter)

    def add(self, other: "PrecedenceTally") -> None:
        """Add what another part of the customers gave."""
        self.judged += other.judged
        self.read += other.read
        for name in ("frictions", "others", "before_frictions", "before_others"):
            getattr(self, name).update(getattr(other, name))

    def looks(self) -> tuple[int, int]:
        """Return how many looks there are before frictions, and before others of the same kinds."""
        return self.frictions.total(), sum(self.others[kind] for kind in self.frictions)

    def signs(self) -> list[PrecedingSign]:
        """Return the signs that occurred often enough before frictions, the highest certain lift first."""
        frictions, others = self.looks()
        before: Counter[str] = Counter()
        elsewhere: Counter[str] = Counter()
        for (_, sign), count in self.before_frictions.items():
            before[sign] += count
        for (kind, sign), count in self.before_others.items():
            if kind in self.frictions:
                elsewhere[sign] += count
        found = [
            _sign(sign, count, elsewhere[sign], frictions, others) for sign, count in before.items() if count >= FEWEST
        ]
        return sorted(found, key=lambda one: (-(one.low or 0.0), -one.before_frictions, one.sign))


def _sign(sign: str, before: int, elsewhere: int, frictions: int, others: int) -> PrecedingSign:
    lift = low = high = None
    if elsewhere and others:
        lift = (before / frictions) / (elsewhere / others)
        error = sqrt(1 / before - 1 / frictions + 1 / elsewhere - 1 / others)  # of the logarithm of a ratio of shares
        low, high = exp(log(lift) - _Z * error), exp(log(lift) + _Z * error)
    return PrecedingSign(sign=sign, before_frictions=before, before_others=elsewhere, lift=lift, low=low, high=high)


class PrecedenceTask(msgspec.Struct, frozen=True):
    """Look back `within` a time from the frictions of one rule."""

    rule: str
    within: timedelta

    def judge(self, rulebook: Rulebook, policy: ProjectionPolicy, window: BacktestWindow) -> "Precedence":
        """Return who looks back from the frictions."""
        return Precedence(rulebook, policy, window, self.rule, self.within)


class Precedence:
    """Looks back `within` a time from the frictions that one rule finds in the window."""

    def __init__(
        self, rulebook: Rulebook, policy: ProjectionPolicy, window: BacktestWindow, rule: str, within: timedelta
    ) -> None:
        """Prepare `rule`, which must be one of `rulebook`."""
        [asked] = [one for one in rulebook.rules if one.id == rule]
        self._book = Rulebook([msgspec.structs.replace(asked, enabled=True)])
        self._policy = policy
        self._window = window
        self._within = within

    def empty(self) -> PrecedenceTally:
        """Return a tally of no customers."""
        return PrecedenceTally()

    def judge(self, histories: Iterable[StoredHistory]) -> PrecedenceTally:
        """Return the tally of some customers."""
        tally = PrecedenceTally()
        for history in histories:
            tally.judged += 1
            tally.read += len(history.touchpoints)
            self._judge(history, tally)
        return tally

    def _judge(self, history: StoredHistory, tally: PrecedenceTally) -> None:
        index = CustomerHistory(history.touchpoints, self._policy.contacts)
        segment(index, self._policy.journeys)
        said = evaluate_when_due(self._book, index, lambda timer: timer.due_at < self._window.until)
        touchpoints = {unit.at.key: unit.at for unit in index.units}
        evidence = {one.at.key: _rests_on(one, touchpoints) for one in said.findings}
        counted = {one.at.key for one in said.findings if self._window.holds(one.stale_from)}
        for position, unit in enumerate(index.units):
            touchpoint = unit.at
            if touchpoint.key in counted:
                tally.frictions[touchpoint.kind] += 1
                for sign in self._before(index, position, evidence[touchpoint.key]):
                    tally.before_frictions[touchpoint.kind, sign] += 1
            elif touchpoint.key not in evidence and self._window.holds(touchpoint.occurred_at):
                tally.others[touchpoint.kind] += 1
                for sign in self._before(index, position, frozenset()):
                    tally.before_others[touchpoint.kind, sign] += 1

    def _before(self, index: CustomerHistory, position: int, besides: frozenset[object]) -> set[str]:
        """Return the signs within the time before a position, but for the touchpoints and interactions `besides`."""
        earliest = index.units[position].time - self._within
        signs: set[str] = set()
        for at in range(position - 1, -1, -1):
            if index.units[at].time < earliest:
                break
            before = index.units[at].at
            if before.key not in besides and _interaction(before) not in besides:
                signs.update(_signs_of(before))
        return signs


def _rests_on(found: RuleFinding, of: Mapping[TouchpointKey, Touchpoint]) -> frozenset[object]:
    """Return the keys of the touchpoints that a finding rests on, and of their interactions."""
    keys: set[object] = set(found.touchpoints)
    keys.update(_interaction(of[key]) for key in found.touchpoints if key in of)
    return frozenset(keys - {None})


def _interaction(touchpoint: Touchpoint) -> object:
    """Return what names an interaction, apart from every touchpoint's key; None where there is none."""
    name = touchpoint.interaction_id
    return None if name is None else ("interaction", touchpoint.source, name)


def _signs_of(touchpoint: Touchpoint) -> Iterator[str]:
    yield touchpoint.kind
    if touchpoint.outcome is not None:
        yield f"{touchpoint.kind} ({touchpoint.outcome})"
