"""Compares what rules would have found in stored histories with the frictions that are in force. Pure, but for a timer.

One customer is judged at a time; `BacktestTally` adds customers up, in any order, and across processes. Reading the
histories is left to `stored_histories`.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import TypeVar
from uuid import UUID

import msgspec

from services.journey.domain.friction import RuleFinding
from services.journey.domain.history import CustomerHistory
from services.journey.domain.journey import segment
from services.journey.domain.projection import ProjectionPolicy
from services.journey.domain.rules.book import Rulebook
from services.journey.domain.touchpoint import RecordedTouchpoint, TouchpointKey
from services.journey.trial.evaluation import evaluate_when_due

MOST_LISTED = 1_000
"""Most frictions that a list names, for each rule; the counts are complete."""

Listed = TypeVar("Listed")

Timer = Callable[[], float]
"""Returns seconds of a clock that only goes forward."""


class BacktestWindow(msgspec.Struct, frozen=True, kw_only=True):
    """The time that is looked at: what could first be known from `since` on, and before `until`."""

    since: datetime
    until: datetime
    zone: tzinfo

    def holds(self, at: datetime) -> bool:
        """Return whether a friction that could be known at `at` counts."""
        return self.since <= at < self.until


class FrictionInForce(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A friction that stands today, as it is stored. `at` is when it could first be known."""

    id: UUID
    rule: str
    at: datetime
    anchor: str
    journey: UUID | None
    touchpoints: frozenset[TouchpointKey]


class StoredHistory(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A customer: its touchpoints, in any order, and its frictions in force."""

    customer_id: UUID
    touchpoints: Sequence[RecordedTouchpoint]
    in_force: Sequence[FrictionInForce]


class FrictionExample(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A friction that only one side has, to open; `anchor` is the id of an interaction or a touchpoint."""

    friction_id: UUID
    customer_id: UUID
    anchor: str
    at: datetime


class MovedFriction(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A friction that stays, for the same touchpoints, at another anchor."""

    was: FrictionExample
    becomes: FrictionExample


class RuleTally(msgspec.Struct, kw_only=True):
    """What one rule would have found, against what is in force. Days and hours are those of the window's zone."""

    found: int = 0
    in_force: int = 0
    customers: int = 0
    new: int = 0
    gone: int = 0
    moved: int = 0
    failures: int = 0
    seconds: float = 0.0
    per_day: Counter[str] = msgspec.field(default_factory=Counter)
    in_force_per_day: Counter[str] = msgspec.field(default_factory=Counter)
    overlap: Counter[str] = msgspec.field(default_factory=Counter)
    new_ones: list[FrictionExample] = msgspec.field(default_factory=list)
    gone_ones: list[FrictionExample] = msgspec.field(default_factory=list)
    moved_ones: list[MovedFriction] = msgspec.field(default_factory=list)

    def add(self, other: "RuleTally") -> None:
        """Add what another part of the customers gave."""
        for name in ("found", "in_force", "customers", "new", "gone", "moved", "failures", "seconds"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("per_day", "in_force_per_day", "overlap"):
            getattr(self, name).update(getattr(other, name))
        for name in ("new_ones", "gone_ones", "moved_ones"):
            listed = getattr(self, name)
            listed += getattr(other, name)[: MOST_LISTED - len(listed)]


class IssueTally(msgspec.Struct, kw_only=True):
    """How many issues a team would have got: one for each journey, when its first friction could be known."""

    per_day: Counter[str] = msgspec.field(default_factory=Counter)
    per_hour: Counter[int] = msgspec.field(default_factory=Counter)

    def add(self, other: "IssueTally") -> None:
        """Add what another part of the customers gave."""
        self.per_day.update(other.per_day)
        self.per_hour.update(other.per_hour)


class BacktestTally(msgspec.Struct, kw_only=True):
    """The sum over customers; `issues` are those of the tried rules, `issues_in_force` those of today.

    Of `customers` and `touchpoints` those in the window count. For them more were `judged`, who were seen shortly
    before, and more touchpoints `read`: what each of them went through earlier.
    """

    rules: dict[str, RuleTally]
    judged: int = 0
    read: int = 0
    customers: int = 0
    touchpoints: int = 0
    issues: IssueTally = msgspec.field(default_factory=IssueTally)
    issues_in_force: IssueTally = msgspec.field(default_factory=IssueTally)

    def add(self, other: "BacktestTally") -> None:
        """Add what another part of the customers gave."""
        for name in ("judged", "read", "customers", "touchpoints"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for rule, tally in other.rules.items():
            self.rules[rule].add(tally)
        self.issues.add(other.issues)
        self.issues_in_force.add(other.issues_in_force)


class BacktestTask(msgspec.Struct, frozen=True):
    """Judge each page with a backtest; `timer` is a plain function, which goes to every process."""

    timer: Timer

    def judge(self, rulebook: Rulebook, policy: ProjectionPolicy, window: BacktestWindow) -> "Backtest":
        """Return the backtest that judges each page."""
        return Backtest(rulebook, policy, window, self.timer)


class Backtest:
    """Rules to try over a window. Each rule has a rulebook of its own, so that its cost is known."""

    def __init__(self, rulebook: Rulebook, policy: ProjectionPolicy, window: BacktestWindow, timer: Timer) -> None:
        """Prepare each rule of `rulebook`; one that is switched off finds nothing."""
        self._rules = [rule.id for rule in rulebook.rules]
        self._books = {rule.id: Rulebook([rule]) for rule in rulebook.rules if rule.enabled}
        self._policy = policy
        self._window = window
        self._timer = timer

    def empty(self) -> BacktestTally:
        """Return a tally of no customers."""
        return BacktestTally(rules={rule: RuleTally() for rule in self._rules})

    def judge(self, histories: Iterable[StoredHistory]) -> BacktestTally:
        """Return the tally of some customers."""
        tally = self.empty()
        for history in histories:
            self._judge(history, tally)
        return tally

    def _judge(self, history: StoredHistory, tally: BacktestTally) -> None:
        window = self._window
        inside = sum(window.holds(one.touchpoint.occurred_at) for one in history.touchpoints)
        tally.judged += 1
        tally.read += len(history.touchpoints)
        tally.customers += bool(inside)
        tally.touchpoints += inside
        found = self._found(history, tally)
        in_force = {rule: [one for one in history.in_force if one.rule == rule] for rule in self._rules}
        for rule in self._rules:
            _compare(history.customer_id, found[rule], in_force[rule], tally.rules[rule], window)
        _count_overlap(found, tally.rules)
        _count_issues(
            ((one.journeys[0], one.stale_from) for findings in found.values() for one in findings),
            tally.issues,
            window,
        )
        _count_issues(
            ((one.journey, one.at) for stored in in_force.values() for one in stored), tally.issues_in_force, window
        )

    def _found(self, history: StoredHistory, tally: BacktestTally) -> dict[str, list[RuleFinding]]:
        """Return what each rule finds in the window, and note what it cost and whether it raised."""
        index = CustomerHistory(history.touchpoints, self._policy.contacts)
        segment(index, self._policy.journeys)
        found: dict[str, list[RuleFinding]] = {rule: [] for rule in self._rules}
        for rule, book in self._books.items():
            began = self._timer()
            said = evaluate_when_due(book, index, lambda timer: timer.due_at < self._window.until)
            of = tally.rules[rule]
            of.seconds += self._timer() - began
            of.failures += len(said.failures)
            found[rule] = [one for one in said.findings if self._window.holds(one.stale_from)]
        return found


def _compare(
    customer: UUID,
    found: Sequence[RuleFinding],
    stored: Sequence[FrictionInForce],
    tally: RuleTally,
    window: BacktestWindow,
) -> None:
    """Add one customer's frictions of one rule: those of both, and those that only one side has."""
    tally.found += len(found)
    tally.in_force += len(stored)
    tally.customers += bool(found)
    tally.per_day.update(_day(one.stale_from, window) for one in found)
    tally.in_force_per_day.update(_day(one.at, window) for one in stored)
    stands = {one.id for one in stored}
    kept = {one.id for one in found}
    new = [one for one in found if one.id not in stands]
    gone = [one for one in stored if one.id not in kept]
    for was in list(gone):
        becomes = next((one for one in new if was.touchpoints.intersection(one.touchpoints)), None)
        if becomes is not None:
            gone.remove(was)
            new.remove(becomes)
            tally.moved += 1
            _list(tally.moved_ones, MovedFriction(was=_stored(customer, was), becomes=_found(customer, becomes)))
    tally.new += len(new)
    tally.gone += len(gone)
    for one in new:
        _list(tally.new_ones, _found(customer, one))
    for other in gone:
        _list(tally.gone_ones, _stored(customer, other))


def _list(into: list[Listed], one: Listed) -> None:
    if len(into) < MOST_LISTED:
        into.append(one)


def _found(customer: UUID, one: RuleFinding) -> FrictionExample:
    anchor = one.anchor.interaction_id or one.anchor.touchpoint_id or one.at.id
    return FrictionExample(friction_id=one.id, customer_id=customer, anchor=anchor, at=one.stale_from)


def _stored(customer: UUID, one: FrictionInForce) -> FrictionExample:
    return FrictionExample(friction_id=one.id, customer_id=customer, anchor=one.anchor, at=one.at)


def _count_overlap(found: Mapping[str, Sequence[RuleFinding]], tallies: Mapping[str, RuleTally]) -> None:
    """Count for each rule how many of its frictions share a touchpoint with one of another rule."""
    touched = {
        rule: {key for one in findings for key in one.touchpoints} for rule, findings in found.items() if findings
    }
    for rule in touched:
        for other, theirs in touched.items():
            if other != rule:
                shared = sum(not theirs.isdisjoint(one.touchpoints) for one in found[rule])
                if shared:
                    tallies[rule].overlap[other] += shared


def _count_issues(frictions: Iterable[tuple[object, datetime]], tally: IssueTally, window: BacktestWindow) -> None:
    """Count one issue for each journey, at the time of its first friction."""
    first: dict[object, datetime] = {}
    for journey, at in frictions:
        first[journey] = min(at, first.get(journey, at))
    for at in first.values():
        tally.per_day[_day(at, window)] += 1
        tally.per_hour[at.astimezone(window.zone).hour] += 1


def _day(at: datetime, window: BacktestWindow) -> str:
    return at.astimezone(window.zone).date().isoformat()
