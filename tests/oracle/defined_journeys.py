"""Defined journeys by the oracle, as docs/semantics.md and docs/journeys.md define them.

Part of the oracle: it imports nothing of Waymark, on purpose. Every touchpoint asks all journeys again what has become
of them, from their beginning, which is slow and leaves no room for cleverness.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.oracle.facts import Fact, Json, Key, agree
from tests.oracle.rule_conditions import duration, matches, read

Fired = Callable[[str, Key], bool]
"""Whether the timer of this name, which waits from the touchpoint with this key on, has fired."""

Told = Json
"""What is said of a journey: `entry members stages end ended_at overdue awaited`, times in microseconds."""


@dataclass(slots=True, kw_only=True, eq=False)
class Course:
    """One journey: the definition that it goes by, and the touchpoints that belong to it, in order."""

    definition: Json
    fired: Fired
    members: list[Fact]
    end: tuple[int, str] | None = None
    ended_by: Fact | None = None

    def key(self) -> list[Any]:
        """The values of the key: of each field the first that was known, journeys take over what they did not know."""
        names = self.definition.get("key", [])
        known = [[read(one.doc, name) for one in self.members] for name in names]
        return [next((value for value in values if value is not None), None) for values in known]

    def belongs(self, one: Fact) -> bool:
        """Of each field the values are equal, or one is unknown."""
        theirs = [read(one.doc, name) for name in self.definition.get("key", [])]
        return all(agree(mine, other) for mine, other in zip(self.key(), theirs, strict=True))

    def visits(self) -> list[tuple[int, Fact]]:
        """The stages it went through, each with the touchpoint at which it began."""
        stages = self.definition["stages"]
        found = [(0, self.members[0])]
        for one in self.members[1:]:
            if one is self.ended_by:
                break
            now = found[-1][0]
            begun = [place for place in range(1, len(stages)) if matches(stages[place]["begins"], one.doc)]
            ahead = [place for place in begun if place > now]
            behind = [place for place in begun if place < now and stages[place].get("again", False)]
            if ahead or behind:
                found.append((min(ahead) if ahead else max(behind), one))
        return found

    def ends_by(self, one: Fact) -> str | None:
        """How a touchpoint of it ends it, if it does."""
        if matches(self.definition["reached"], one.doc):
            return "reached"
        given_up = self.definition.get("abandoned")
        return "abandoned" if given_up is not None and matches(given_up, one.doc) else None

    def due(self, said: Json, since: Fact) -> int | None:
        """The deadline of a stage, or of the whole, that began with the touchpoint `since`."""
        within = said.get("within_by_service_level", {}).get(since.get("service_level"), said.get("within"))
        return None if within is None else since.at + duration(within)

    def deadlines(self) -> list[tuple[str, Fact, int, bool]]:
        """Of the whole and of the present stage: the name of its timer, since when, the time, whether it is an end."""
        place, since = self.visits()[-1]
        stage = self.definition["stages"][place]
        name = self.definition["id"]
        both = [
            (f"{name}.", self.members[0], self.due(self.definition, self.members[0]), True),
            (f"{name}.{stage['id']}.", since, self.due(stage, since), stage.get("when_over") == "timed_out"),
        ]
        return [(timer, from_, at, ends) for timer, from_, at, ends in both if at is not None]

    def silence(self) -> tuple[Fact, int]:
        """The touchpoint from which the timer of its silence waits, and until when."""
        inactivity = duration(self.definition["inactivity"])
        since = self.members[0]
        while self.fired(f"{self.definition['id']}..", since.key):
            latest = [one for one in self.members if one.at <= since.at + inactivity][-1]
            if latest is since:
                break
            since = latest
        return since, since.at + inactivity

    def settle(self, at: int | None) -> None:
        """See whether it has ended before the touchpoint at `at`, or by the end of the history; an end stays."""
        if self.end is not None:
            return
        ends = [
            (due, 0, "timed_out")
            for timer, since, due, is_end in self.deadlines()
            if is_end and self.fired(timer, since.key) and (at is None or at > due)
        ]
        quiet = self.members[-1].at + duration(self.definition["inactivity"])
        waits_from, until = self.silence()
        passed = until == quiet and self.fired(f"{self.definition['id']}..", waits_from.key)
        if passed if at is None else at > quiet:
            ends.append((quiet, 1, "abandoned"))
        if ends:
            ended_at, _, how = min(ends)
            self.end = (ended_at, how)

    def take(self, one: Fact) -> None:
        """A touchpoint that belongs to it, and may end it."""
        self.members.append(one)
        how = self.ends_by(one)
        if how is not None:
            self.end, self.ended_by = (one.at, how), one

    def told(self) -> Told:
        """Everything that is said of it."""
        visits = self.visits()
        ended_at = None if self.end is None else self.end[0]
        left = [since.at for _, since in visits[1:]] + [ended_at]
        stages = [
            (
                self.definition["stages"][place]["id"],
                since.at,
                gone,
                self.due(self.definition["stages"][place], since),
                self._late(place, since, gone, last=number == len(visits) - 1),
            )
            for number, ((place, since), gone) in enumerate(zip(visits, left, strict=True))
        ]
        return {
            "definition": self.definition["id"],
            "version": self.definition.get("version", 1),
            "entry": self.members[0].key,
            "members": [one.key for one in self.members],
            "stages": stages,
            "end": None if self.end is None else self.end[1],
            "ended_at": ended_at,
            "awaited": sorted(self._awaited(visits, left)),
        }

    def _late(self, place: int, since: Fact, left_at: int | None, *, last: bool) -> bool:
        """A deadline counts for a touchpoint later than it, for an end by time at it or later, and when all is read."""
        stage = self.definition["stages"][place]
        due = self.due(stage, since)
        if due is None or not self.fired(f"{self.definition['id']}.{stage['id']}.", since.key):
            return False
        if left_at is None:
            return True
        by_time = last and self.ended_by is None
        return due <= left_at if by_time else due < left_at

    def _awaited(self, visits: Sequence[tuple[int, Fact]], left: Sequence[int | None]) -> list[tuple[str, Key]]:
        """The timers that wait: of deadlines that nothing kept, and of the silence."""
        name = self.definition["id"]
        ended_at = None if self.end is None else self.end[0]
        waiting = [
            (
                f"{name}.{self.definition['stages'][place]['id']}.",
                since,
                self.due(self.definition["stages"][place], since),
                gone,
            )
            for (place, since), gone in zip(visits, left, strict=True)
        ]
        waiting.append((f"{name}.", self.members[0], self.due(self.definition, self.members[0]), ended_at))
        if self.end is None or self.end[1] == "timed_out":
            since, until = self.silence()
            waiting.append((f"{name}..", since, until, ended_at))
        return [
            (timer, since.key)
            for timer, since, due, gone in waiting
            if due is not None and not self.fired(timer, since.key) and (gone is None or gone > due)
        ]


Versions = Sequence[tuple[int, Sequence[Json]]]
"""Definitions, each list with the moment from which on it was in force, oldest first."""


def defined_journeys(versions: Versions, history: Sequence[Fact], fired: Fired) -> list[Told]:
    """What is said of every journey in the ordered `history` of one customer, by definition and entry."""
    level, known = None, []
    for one in history:
        level = one.get("service_level") or level
        known.append(replace(one, doc={**one.doc, "service_level": level}))
    ids = sorted({said["id"] for _, definitions in versions for said in definitions})
    return [told for id_ in ids for told in _of_kind(id_, versions, known, fired)]


def _of_kind(id_: str, versions: Versions, history: Sequence[Fact], fired: Fired) -> list[Told]:
    courses: list[Course] = []
    for one in history:
        for course in courses:
            course.settle(one.at)
        holding = [course for course in courses if course.end is None and course.belongs(one)]
        if holding:
            holding[-1].take(one)
        elif (definition := _in_force(id_, versions, one.received)) is not None:
            fresh = Course(definition=definition, fired=fired, members=[one])
            if matches(definition["entry"], one.doc) and _may_enter(fresh, courses):
                courses.append(fresh)
    for course in courses:
        course.settle(None)
    return [course.told() for course in courses]


def _may_enter(fresh: Course, before: Sequence[Course]) -> bool:
    """Whether the journey of exactly this key that ended last lets another one begin."""
    ends = [course.end[0] for course in before if course.end is not None and course.key() == fresh.key()]
    if not ends:
        return True
    after = fresh.members[0].at - max(ends)
    once = fresh.definition.get("once", False)
    return not once and after >= duration(fresh.definition.get("reentry_after", "0s"))


def _in_force(id_: str, versions: Versions, moment: int) -> Json | None:
    """The definition of this id that was in force when the broker appended something; None without one."""
    latest = [definitions for since, definitions in versions if since <= moment]
    if not latest:
        return None
    return next((one for one in latest[-1] if one["id"] == id_ and one.get("enabled", True)), None)
