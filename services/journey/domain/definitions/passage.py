"""Follows one customer through a defined journey: when it was entered, through which stages, and how it ended.

`follow` is a pure function of the ordered touchpoints and of the timers that have fired, so the result is the same for
any order of arrival. A deadline counts only once its timer has fired, which is when the stream has passed it.
"""

from bisect import bisect_right
from collections.abc import Callable, Collection, Hashable, Sequence
from datetime import datetime, timedelta

import msgspec

from services.journey.domain.contacts.contact import CountedUnit
from services.journey.domain.definitions.definition import JourneyDefinition, OverdueEffect, StageDefinition
from services.journey.domain.history import CustomerHistory
from services.journey.domain.journey import JourneyEnd, JourneyProgress, StageVisit
from services.journey.domain.names import TimerId, timer_id
from services.journey.domain.rules.matching import CompiledMatcher, compile_matcher, field_getter
from services.journey.domain.timer import Timer

JourneyKey = tuple[Hashable, ...]
"""Values of the fields that tell journeys of one kind apart, None where one is unknown."""


MOST_VISITS = 50
"""How many visits of stages a journey tells of: the latest ones."""


class Passage(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One journey of one customer. `members` are positions in the history; `waiting` are timers of its deadlines."""

    key: JourneyKey
    members: tuple[int, ...]
    progress: JourneyProgress
    waiting: tuple[Timer, ...]


class JourneyFollower:
    """A definition that is prepared. It is built once and shared, because it holds no state of any customer."""

    def __init__(self, definition: JourneyDefinition) -> None:
        """Prepare `definition`; raise `DefinitionRefusedError` if it cannot be used."""
        definition.check()
        self.definition = definition
        self.entry = compile_matcher(definition.entry)
        self.reached = compile_matcher(definition.reached)
        self.abandoned = None if definition.abandoned is None else compile_matcher(definition.abandoned)
        self.begins = [None if one.begins is None else compile_matcher(one.begins) for one in definition.stages]
        self._key = [field_getter(name) for name in definition.key]

    def key_of(self, unit: CountedUnit) -> JourneyKey:
        """Return the values of the fields that tell journeys of this kind apart."""
        return tuple(get(unit.view) for get in self._key)


FollowerAt = Callable[[datetime], JourneyFollower | None]
"""Returns what was in force of one definition when the broker appended something; None if nothing was."""


def follow(in_force_at: FollowerAt, history: CustomerHistory, fired: Collection[TimerId] = ()) -> list[Passage]:
    """Return the journeys of one kind in `history`, in the order of their entries.

    A journey goes by the definition that was in force when the touchpoint that entered it was appended.
    """
    open_: list[_Walk] = []
    ended: list[_Walk] = []
    walks: list[_Walk] = []
    for unit in history.units:
        for walk in open_:
            walk.settle(unit.time, fired)
        ended += [walk for walk in open_ if walk.end is not None]
        open_ = [walk for walk in open_ if walk.end is None]
        holder = next((walk for walk in reversed(open_) if walk.holds(unit)), None)
        if holder is not None:
            holder.take(unit, history)
            continue
        follower = in_force_at(history.recorded[unit.position].appended_at)
        if follower is not None and _may_enter(follower, unit, ended):
            walk = _Walk(follower, unit, history)
            open_.append(walk)
            walks.append(walk)
    for walk in open_:
        walk.settle(None, fired)
    return [walk.passage(fired, history) for walk in walks]


def _may_enter(follower: JourneyFollower, unit: CountedUnit, ended: "Sequence[_Walk]") -> bool:
    if not follower.entry.matches(unit.view):
        return False
    key = follower.key_of(unit)
    before = next((walk for walk in reversed(ended) if walk.key == key), None)
    if before is None or before.ended_at is None:
        return True
    return not follower.definition.once and unit.time - before.ended_at >= follower.definition.reentry_after


class _Walk:
    """One journey, while its touchpoints are taken in order."""

    def __init__(self, follower: JourneyFollower, unit: CountedUnit, history: CustomerHistory) -> None:
        self.key = follower.key_of(unit)
        self.end: JourneyEnd | None = None
        self.ended_at: datetime | None = None
        self._follower = follower
        self._entry = unit
        self._units = [unit]
        self._visits: list[_Visit] = []
        definition = follower.definition
        within = definition.deadline(_level(unit, history))
        self._whole = _Deadline(definition.id, unit, within)
        self._go_to(0, unit, history)

    def holds(self, unit: CountedUnit) -> bool:
        """Return whether a touchpoint belongs to this journey: the values of the key agree, and unknown ones do."""
        theirs = self._follower.key_of(unit)
        return all(one is None or other is None or one == other for one, other in zip(self.key, theirs, strict=True))

    def take(self, unit: CountedUnit, history: CustomerHistory) -> None:
        """Take the next touchpoint."""
        follower = self._follower
        self._units.append(unit)
        theirs = follower.key_of(unit)
        self.key = tuple(other if one is None else one for one, other in zip(self.key, theirs, strict=True))
        if follower.reached.matches(unit.view):
            self._finish(JourneyEnd.REACHED, unit.time)
        elif follower.abandoned is not None and follower.abandoned.matches(unit.view):
            self._finish(JourneyEnd.ABANDONED, unit.time)
        elif (place := self._next(unit)) is not None:
            self._go_to(place, unit, history)

    def settle(self, now: datetime | None, fired: Collection[TimerId]) -> None:
        """Apply what passed before the touchpoint at `now`: a deadline whose timer has fired, or a long silence.

        None stands for the end of the history: then a silence counts once the stream has passed it too. A journey that
        has ended stays as it ended.
        """
        if self.end is not None:
            return
        ends: list[tuple[datetime, JourneyEnd]] = []
        visit = self._visits[-1]
        passed_at = visit.deadline.passed(now, fired)
        if passed_at is not None:
            visit.overdue = True
            if visit.stage.when_over is OverdueEffect.TIMED_OUT:
                ends.append((passed_at, JourneyEnd.TIMED_OUT))
        passed_at = self._whole.passed(now, fired)
        if passed_at is not None:
            ends.append((passed_at, JourneyEnd.TIMED_OUT))
        quiet_at = self._units[-1].time + self._follower.definition.inactivity
        if now > quiet_at if now is not None else self._silence(fired).passed(None, fired):
            ends.append((quiet_at, JourneyEnd.ABANDONED))
        if ends:
            at, end = min(ends, key=lambda one: (one[0], one[1] is JourneyEnd.ABANDONED))
            visit.overdue = visit.overdue and visit.deadline.due_at is not None and visit.deadline.due_at <= at
            self._finish(end, at)

    def passage(self, fired: Collection[TimerId], history: CustomerHistory) -> Passage:
        """Return what the walk came to."""
        definition = self._follower.definition
        stages = tuple(visit.told() for visit in self._visits)
        last = stages[-1]
        deadlines = [visit.deadline for visit in self._visits if visit.deadline.is_awaited(visit.left_at, fired)]
        if self._whole.is_awaited(self.ended_at, fired):
            deadlines.append(self._whole)
        if self.end in {None, JourneyEnd.TIMED_OUT} and (silence := self._silence(fired)).is_awaited(
            self.ended_at, fired
        ):
            deadlines.append(silence)
        return Passage(
            key=self.key,
            members=tuple(unit.position for unit in self._units),
            progress=JourneyProgress(
                definition=definition.id,
                version=definition.version,
                entered_at=self._entry.time,
                stage=last.stage,
                stage_since=last.entered_at,
                stages=stages[-MOST_VISITS:],
                due_at=None if self.end is not None else last.due_at,
                overdue=any(visit.overdue for visit in stages),
                end=self.end,
                ended_at=self.ended_at,
            ),
            waiting=tuple(deadline.timer(history) for deadline in deadlines),
        )

    def _silence(self, fired: Collection[TimerId]) -> "_Deadline":
        """Return when the journey counts as given up unless another touchpoint comes, or when to look again.

        A timer for each touchpoint would cost much where there are many. So the first one waits from the entry on; once
        it has fired, the next waits from the latest touchpoint that came by then; and so on.
        """
        definition, units = self._follower.definition, self._units
        at = 0
        while True:
            silence = _Deadline(f"{definition.id}.", units[at], definition.inactivity)
            if silence.due_at is None or silence.timer_id not in fired:
                return silence
            latest = bisect_right(units, silence.due_at, lo=at, key=_time_of) - 1
            if latest == at:
                return silence
            at = latest

    def _next(self, unit: CountedUnit) -> int | None:
        """Return the stage that begins with this touchpoint: the nearest one ahead, else one that may come again."""
        begins: Sequence[CompiledMatcher | None] = self._follower.begins
        now = self._visits[-1].place
        for place in range(now + 1, len(begins)):
            if _matches(begins[place], unit):
                return place
        stages = self._follower.definition.stages
        for place in range(now - 1, 0, -1):
            if stages[place].again and _matches(begins[place], unit):
                return place
        return None

    def _go_to(self, place: int, unit: CountedUnit, history: CustomerHistory) -> None:
        if self._visits:
            self._visits[-1].left_at = unit.time
        self._visits.append(_Visit(self._follower.definition, place, unit, _level(unit, history)))

    def _finish(self, end: JourneyEnd, at: datetime) -> None:
        self.end, self.ended_at = end, at
        self._visits[-1].left_at = at


class _Visit:
    """A stage that a journey is in, or was in."""

    __slots__ = ("_entered_at", "deadline", "left_at", "overdue", "place", "stage")

    def __init__(self, definition: JourneyDefinition, place: int, anchor: CountedUnit, level: str | None) -> None:
        self.place = place
        self.stage: StageDefinition = definition.stages[place]
        self.left_at: datetime | None = None
        self.overdue = False
        self._entered_at = anchor.time
        self.deadline = _Deadline(f"{definition.id}.{self.stage.id}", anchor, self.stage.deadline(level))

    def told(self) -> StageVisit:
        """Return the visit as the progress has it."""
        return StageVisit(
            stage=self.stage.id,
            entered_at=self._entered_at,
            left_at=self.left_at,
            due_at=self.deadline.due_at,
            overdue=self.overdue,
        )


class _Deadline:
    """By when a stage is to be left, or a journey is to end. It passes once its timer has fired."""

    __slots__ = ("_anchor", "_name", "due_at", "timer_id")

    def __init__(self, name: str, anchor: CountedUnit, within: timedelta | None) -> None:
        self._name = name
        self._anchor = anchor
        self.due_at = None if within is None else anchor.time + within
        self.timer_id = timer_id(f"{name}.", anchor.at.source, anchor.at.id)  # no rule's name ends in a dot

    def passed(self, now: datetime | None, fired: Collection[TimerId]) -> datetime | None:
        """Return when the deadline passed, if it has before the touchpoint at `now`; None if not."""
        if self.due_at is None or self.timer_id not in fired or (now is not None and now <= self.due_at):
            return None
        return self.due_at

    def is_awaited(self, left_at: datetime | None, fired: Collection[TimerId]) -> bool:
        """Return whether the deadline is still to pass: nothing known so far kept it."""
        if self.due_at is None or self.timer_id in fired:
            return False
        return left_at is None or left_at > self.due_at

    def timer(self, history: CustomerHistory) -> Timer:
        """Return the timer of a deadline that is awaited."""
        return Timer(
            id=self.timer_id,
            rule=f"{self._name}.",
            armed_by=self._anchor.at.key,
            due_at=self.due_at or self._anchor.time,
            appended_at=history.recorded[self._anchor.position].appended_at,
            replay=self._anchor.at.replay,
        )


def _time_of(unit: CountedUnit) -> datetime:
    return unit.time


def _level(unit: CountedUnit, history: CustomerHistory) -> str | None:
    return unit.view.service_level or history.service_level_at(unit.position)


def _matches(matcher: CompiledMatcher | None, unit: CountedUnit) -> bool:
    return matcher is not None and matcher.matches(unit.view)
