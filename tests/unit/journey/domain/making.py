"""Touchpoints for tests of the domain: sensible defaults, override what matters. Time counts in minutes from `DAY`."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import msgspec

from services.journey import policies
from services.journey.domain import friction
from services.journey.domain.comparison.changes import ComparisonContext, CustomerChanges, StoredCustomer, diff
from services.journey.domain.comparison.revision import FrictionEvent
from services.journey.domain.definitions.definition_book import DefinitionBook
from services.journey.domain.friction import RuleFinding, StoredFriction
from services.journey.domain.funnels import FunnelCounts, FunnelPassage, PassageKey
from services.journey.domain.journey import StoredJourney
from services.journey.domain.names import CustomerId, TimerId
from services.journey.domain.paths import StepCounts, stored_track
from services.journey.domain.projection import NO_DEFINITIONS, Projection, ProjectionPolicy, project
from services.journey.domain.rules.book import Rulebook
from services.journey.domain.timer import StoredTimer, TimerState
from services.journey.domain.touchpoint import Identifier, RecordedTouchpoint, Touchpoint, TouchpointKey
from services.journey.rulebook import rules_file

DAY = datetime(2026, 11, 22, tzinfo=UTC)
POLICY = policies.projection()
SHIPPED = rules_file.load()

HOURS = 60
DAYS = 24 * HOURS
SECOND = 1 / 60


def at(minutes: float) -> datetime:
    """The moment `minutes` after the start of the day."""
    return DAY + timedelta(minutes=minutes)


def seen(id_: str, minutes: float = 0, kind: str = "page_viewed", **fields: Any) -> RecordedTouchpoint:
    """A touchpoint as it is kept; `late` and `journey_id` go to the record, everything else to the touchpoint."""
    noted = {name: fields.pop(name) for name in ("late", "journey_id") if name in fields}
    given: dict[str, Any] = {
        "source": "test",
        "id": id_,
        "occurred_at": at(minutes),
        "received_at": at(minutes),
        "channel": "web",
        "kind": kind,
        "customer": {"customer_id": Identifier(value="C-1")},
        **fields,
    }
    return RecordedTouchpoint(touchpoint=Touchpoint(**given), appended_at=at(minutes), **noted)


def call(id_: str, minutes: float = 0, **fields: Any) -> RecordedTouchpoint:
    """An inbound call: a contact."""
    given: dict[str, Any] = {"kind": "call_ended", "channel": "phone", "direction": "inbound", **fields}
    return seen(id_, minutes, **given)


def note(id_: str, minutes: float = 0, kind: str = "message_received", **fields: Any) -> RecordedTouchpoint:
    """A message of the customer in a messenger, without an interaction id."""
    given: dict[str, Any] = {"channel": "messenger", "direction": "inbound", **fields}
    return seen(id_, minutes, kind, **given)


def mail(id_: str, minutes: float = 0, **fields: Any) -> RecordedTouchpoint:
    """A mail of the customer, without an interaction id."""
    return note(id_, minutes, "email_received", channel="email", **fields)


def told(*history: RecordedTouchpoint, rules: Rulebook = SHIPPED, fired: Sequence[TimerId] = ()) -> Projection:
    """The projection of `history`; a rule that failed fails the test."""
    projection = project(history, fired=fired, rulebook=rules, policy=POLICY)
    assert not projection.failures, projection.failures
    return projection


def found(rule: str, *history: RecordedTouchpoint, rules: Rulebook = SHIPPED) -> list[RuleFinding]:
    """What `rule` finds when every timer has fired."""
    waiting = [timer.id for timer in told(*history, rules=rules).timers]
    return [finding for finding in told(*history, rules=rules, fired=waiting).findings if finding.rule == rule]


def anchors(rule: str, *history: RecordedTouchpoint, rules: Rulebook = SHIPPED) -> list[str]:
    """The touchpoint ids at which `rule` finds something."""
    return [finding.at.id for finding in found(rule, *history, rules=rules)]


def a_rule(**members: Any) -> Rulebook:
    """A rulebook of one rule called `mine`, as a file would say it; texts and severity are filled in."""
    words = {"en": "a title", "ko": "제목"}
    whole = {"id": "mine", "severity": "low", "title": words, "explanation": words, **members}
    return rules_file.read(msgspec.json.encode({"rules": [whole]}).decode(), name="mine.yaml")


class Shelf:
    """What the worker would have stored about one customer, kept by doing exactly what `Changes` say."""

    def __init__(self, customer: int = 1) -> None:
        self.customer = CustomerId(UUID(int=customer))
        self.frictions: dict[UUID, StoredFriction] = {}
        self.journeys: dict[UUID, StoredJourney] = {}
        self.timers: dict[UUID, StoredTimer] = {}
        self.placed: dict[TouchpointKey, UUID] = {}
        self.hard: dict[TouchpointKey, tuple[str, ...]] = {}
        self.paths = StepCounts()
        self.passages: dict[PassageKey, FunnelPassage] = {}
        self.funnels = FunnelCounts()
        self.gone: dict[UUID, UUID | None] = {}
        self.ids: Iterator[UUID] = (UUID(int=number) for number in count(customer * 1_000_000))

    def stored(self, *, truncated: bool = False) -> StoredCustomer:
        """As `diff` wants it."""
        return StoredCustomer(
            frictions=tuple(self.frictions.values()),
            journeys=tuple(self.journeys.values()),
            timers=tuple(self.timers.values()),
            passages=tuple(self.passages.values()),
            truncated=truncated,
        )

    def moment(self, now: datetime) -> ComparisonContext:
        """The circumstances of a comparison at `now`."""
        return ComparisonContext(customer_id=self.customer, now=now, new_id=lambda: next(self.ids))

    def placed_history(self, history: Sequence[RecordedTouchpoint]) -> list[RecordedTouchpoint]:
        """`history` with what was stored of it: journeys, and where frictions stand."""
        return [
            msgspec.structs.replace(
                one,
                journey_id=self.placed.get(one.touchpoint.key),
                friction=one.touchpoint.key in self.hard,
                rules=self.hard.get(one.touchpoint.key, ()),
            )
            for one in history
        ]

    def fired(self) -> list[TimerId]:
        """Timers that have fired."""
        return [timer.id for timer in self.timers.values() if timer.state is TimerState.FIRED]

    def fire(self, now: datetime) -> None:
        """Fires what is due: in these tests the stream has passed everything."""
        for timer in list(self.timers.values()):
            if timer.state is TimerState.PENDING and timer.due_at <= now:
                self.timers[timer.id] = msgspec.structs.replace(timer, state=TimerState.FIRED)

    def absorb(self, other: "Shelf") -> None:
        """A merge: the other's rows are loaded with ours."""
        self.frictions |= other.frictions
        self.journeys |= other.journeys
        self.timers |= other.timers
        self.placed |= other.placed
        self.hard |= other.hard
        self.paths.merge(other.paths)
        self.passages |= other.passages
        self.funnels.merge(other.funnels)

    def write(self, changes: CustomerChanges, now: datetime) -> None:
        """Does what `changes` say."""
        for change in changes.frictions:
            one = change.friction
            self.frictions[one.id] = StoredFriction(
                id=one.id,
                rule=one.rule,
                customer_id=one.customer_id,
                state=one.state,
                revision=one.revision,
                quiet=one.quiet,
                detected_at=one.detected_at,
                digest=change.digest,
                payload=friction.encode(one),
            )
        for row in changes.journeys:
            journey = row.journey
            old = self.journeys.get(journey.id)
            self.journeys[journey.id] = StoredJourney(
                id=journey.id,
                customer_id=journey.customer_id,
                version=journey.version,
                created_at=now if old is None else old.created_at,
                last_at=journey.last_at,
                digest=row.digest,
                track=stored_track(journey.reason, journey.service_level, journey.last_at, journey.closed_at),
            )
        for alias in changes.aliased:
            del self.journeys[alias.id]
            self.gone[alias.id] = alias.merged_into
        for tombstone in changes.dissolved:
            del self.journeys[tombstone.id]
            self.gone[tombstone.id] = None
        self._place(changes)
        for timer in changes.armed:
            self.timers[timer.id] = StoredTimer(
                id=timer.id,
                rule=timer.rule,
                armed_by=timer.armed_by,
                state=TimerState.PENDING,
                due_at=timer.due_at,
            )
        for timer_id in changes.cancelled:
            self.timers[timer_id] = msgspec.structs.replace(self.timers[timer_id], state=TimerState.CANCELLED)

    def _place(self, changes: CustomerChanges) -> None:
        for placement in changes.placements:
            self.placed[placement.touchpoint] = placement.journey_id
            self.hard.pop(placement.touchpoint, None)
            if placement.rules:
                self.hard[placement.touchpoint] = placement.rules
        self.paths.merge(changes.paths)
        self.passages |= {one.key: one for one in changes.passages.written}
        for key in changes.passages.gone:
            del self.passages[key]
        self.funnels.merge(changes.passages.counts)


REPEAT = a_rule(shape="count", contacts=True, at_least=2, within="24h", same=["reason"])
ABSENT = a_rule(shape="absence", after={"kind": "callback_promised"}, expect={"kind": "callback_made"})


def step(
    shelf: Shelf,
    *history: RecordedTouchpoint,
    minutes: float = HOURS,
    rules: Rulebook = REPEAT,
    truncated: bool = False,
    policy: ProjectionPolicy = POLICY,
    definitions: DefinitionBook = NO_DEFINITIONS,
) -> CustomerChanges:
    """Projects `history` at `minutes`, writes what is new, and tells it."""
    projection = project(
        shelf.placed_history(history), fired=shelf.fired(), rulebook=rules, policy=policy, definitions=definitions
    )
    changes = diff(projection, shelf.stored(truncated=truncated), rules, shelf.moment(at(minutes)))
    shelf.write(changes, at(minutes))
    return changes


def events(changes: CustomerChanges) -> list[tuple[FrictionEvent, int]]:
    """What is published, in order."""
    return [(change.event, change.friction.revision) for change in changes.frictions]
