"""Segments the touchpoints of one customer into journeys.

`segment` decides from all ordered touchpoints at once and never looks at what is stored, so the result is the same for
any order of arrival. Which stored id a segment keeps is left to `services.journey.domain.comparison.journey_ids`.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import blake2b

import msgspec

from services.journey.domain.contacts.contact import Contact
from services.journey.domain.effort import Effort, measure
from services.journey.domain.history import CustomerHistory
from services.journey.domain.journey_groups import JourneyGroups
from services.journey.domain.names import CustomerId, JourneyId
from services.journey.domain.paths import PathTrack
from services.journey.domain.touchpoint import MonetaryValue, RecordedTouchpoint, Touchpoint

MOST_LATEST = 20
"""How many of its latest touchpoints a journey names: one of each kind, direction and outcome."""


class JourneyPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How touchpoints are segmented into journeys.

    `ignored_refs` are references that name a circumstance or a message, and not a purpose; `ignored_before` are those
    of what the broker appended before `since` (None: nothing was). A journey by reason ends after `reason_gap` without
    a touchpoint. A touchpoint that gives neither a reference nor a reason joins the latest journey within
    `unknown_gap`. A journey without a touchpoint for `idle_after` counts as closed. Touchpoints of `passive_kinds` may
    follow its end.
    """

    ignored_refs: frozenset[str] = frozenset(
        {"account_id", "campaign_id", "message_id", "session_id", "store_id", "thread_id"}
    )
    ignored_before: frozenset[str] = frozenset({"campaign_id", "session_id", "store_id", "thread_id"})
    since: datetime | None = None
    reason_gap: timedelta = timedelta(days=14)
    unknown_gap: timedelta = timedelta(hours=24)
    idle_after: timedelta = timedelta(days=30)
    closing_kinds: frozenset[str] = frozenset({"case_closed", "parcel_delivered"})
    passive_kinds: frozenset[str] = frozenset({"survey_answered"})


class JourneyState(StrEnum):
    """Whether a journey still gathers touchpoints, or has ended."""

    OPEN = "open"
    CLOSED = "closed"


class JourneyStep(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What readers of the topic may know of one touchpoint of a journey; nothing in it points to a person."""

    occurred_at: datetime
    channel: str
    kind: str
    direction: str | None = None
    outcome: str | None = None
    reason: str | None = None


class JourneyEnd(StrEnum):
    """How a defined journey ended."""

    REACHED = "reached"
    ABANDONED = "abandoned"
    TIMED_OUT = "timed_out"


class StageVisit(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A stage that a journey was in: by when it was to be left, and whether that has passed."""

    stage: str
    entered_at: datetime
    left_at: datetime | None = None
    due_at: datetime | None = None
    overdue: bool = False


class JourneyProgress(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """How far a customer has come in one journey that is defined (docs/journeys.md); `stages` in the order of visits.

    The last visit is the present stage, or the one in which the journey ended.
    """

    definition: str
    version: int
    entered_at: datetime
    stage: str
    stage_since: datetime
    stages: tuple[StageVisit, ...]
    due_at: datetime | None = None
    overdue: bool = False
    end: JourneyEnd | None = None
    ended_at: datetime | None = None


class JourneySegment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One journey as the touchpoints show it; `members` are positions in the ordered history of the projection.

    `closed_at` is when a closing touchpoint ended the journey, None if none did. `idle_at` is when it counts as closed
    unless another touchpoint comes.
    """

    members: tuple[int, ...]
    opened_at: datetime
    last_at: datetime
    closed_at: datetime | None
    idle_at: datetime
    contact_count: int
    effort: Effort
    channels: tuple[str, ...]
    reason: str | None
    refs: dict[str, str]
    service_level: str | None
    outcome: str | None
    value: MonetaryValue | None
    latest: tuple[JourneyStep, ...]


class Journey(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A journey with its id: the members of journey v1, and also `idle_at` and the parts of the effort."""

    id: JourneyId
    version: int
    state: JourneyState
    customer_id: CustomerId
    opened_at: datetime
    last_at: datetime
    idle_at: datetime
    touchpoint_count: int
    contact_count: int
    friction_count: int
    effort: Effort
    reason: str | None = None
    refs: dict[str, str] = {}
    channels: tuple[str, ...] = ()
    service_level: str | None = None
    outcome: str | None = None
    closed_at: datetime | None = None
    value: MonetaryValue | None = None
    latest: tuple[JourneyStep, ...] = ()
    progress: tuple[JourneyProgress, ...] = ()


_ENCODER = msgspec.json.Encoder(order="deterministic")


def digest(journey: Journey) -> bytes:
    """Return 16 bytes that change exactly when the content of the journey changes; `journey` has no version yet.

    `value` and `latest` do not count: they change only with the touchpoints, whose number and times do, and journeys
    that earlier releases stored have none.
    """
    said = msgspec.structs.replace(journey, value=None, latest=())
    return blake2b(_ENCODER.encode(said), digest_size=16).digest()


class StoredJourney(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A journey as it is stored. `created_at` is when its id was given out; the oldest id is kept.

    `track` is what the graph of paths has of it.
    """

    id: JourneyId
    customer_id: CustomerId
    version: int
    created_at: datetime
    last_at: datetime
    digest: bytes
    track: PathTrack = PathTrack()


class Segmentation:
    """The journeys of a history, in the order of their first touchpoints; touchpoints at its end cost little to add.

    It says in the history which journey each position is in (`journey_of`), and the `efforts`.
    """

    __slots__ = ("_groups", "_history", "_ignored", "_policy", "journeys")

    def __init__(self, history: CustomerHistory, policy: JourneyPolicy) -> None:
        """Segment all of `history`."""
        self._history = history
        self._policy = policy
        self._ignored = [_ignored(one, policy) for one in history.recorded]
        self._groups = JourneyGroups(history.units, self._ignored, policy.reason_gap, policy.unknown_gap)
        members = self._groups.journeys
        journey_of = history.journey_of = [0] * len(history.units)
        for number, positions in enumerate(members):
            for position in positions:
                journey_of[position] = number
        contacts: list[list[Contact]] = [[] for _ in members]
        for contact in history.contacts:
            contacts[journey_of[contact.position]].append(contact)
        self.journeys = [self._segment(number, spoken) for number, spoken in enumerate(contacts)]
        history.efforts = [one.effort.score for one in self.journeys]

    def extend(self, contacts: Iterable[int]) -> bool:
        """Add the touchpoints that the history has got, which changed or began `contacts`, given by number.

        Return False if one of them joins journeys, or moves touchpoints to another one: then all is to be segmented.
        """
        history = self._history
        journey_of = history.journey_of
        changed: set[int] = set()
        for unit in history.units[len(journey_of) :]:
            ignored = _ignored(history.recorded[unit.position], self._policy)
            number = self._groups.take(unit.at, ignored)
            if number is None:
                return False
            self._ignored.append(ignored)
            journey_of.append(number)
            changed.add(number)
        changed.update(journey_of[history.contacts[number].position] for number in contacts)
        for number in sorted(changed):  # new ones come last
            spoken = [one for one in history.contacts if journey_of[one.position] == number]
            self.journeys[number : number + 1] = [self._segment(number, spoken)]
        history.efforts = [one.effort.score for one in self.journeys]
        return True

    def _segment(self, number: int, contacts: Sequence[Contact]) -> JourneySegment:
        members, units = self._groups.journeys[number], self._history.units
        return _described(members, [units[position].at for position in members], contacts, self._ignored, self._policy)


def segment(history: CustomerHistory, policy: JourneyPolicy) -> tuple[JourneySegment, ...]:
    """Return the journeys of `history` in the order of their first touchpoints, and set `journey_of` and `efforts`."""
    return tuple(Segmentation(history, policy).journeys)


def _ignored(one: RecordedTouchpoint, policy: JourneyPolicy) -> frozenset[str]:
    """Return the types of references of a touchpoint that join nothing."""
    since = policy.since
    return policy.ignored_refs if since is None or one.appended_at >= since else policy.ignored_before


def _described(
    members: list[int],
    touchpoints: Sequence[Touchpoint],
    contacts: Sequence[Contact],
    ignored: Sequence[frozenset[str]],
    policy: JourneyPolicy,
) -> JourneySegment:
    """Return the journey that these ordered touchpoints describe."""
    reason = service_level = outcome = None
    referring = False
    value: MonetaryValue | None = None
    refs: dict[str, str] = {}
    last_of: dict[tuple[str, str | None, str | None], Touchpoint] = {}
    for one in touchpoints:
        if reason is None:
            reason = one.reason
        service_level = one.service_level or service_level
        outcome = one.outcome or outcome
        value = one.value or value
        last_of[one.kind, one.direction, one.outcome] = one
        referring = referring or bool(one.refs)
    if referring:
        refs = _shown_refs(zip(touchpoints, (ignored[position] for position in members), strict=True))
    last_at = touchpoints[-1].occurred_at
    return JourneySegment(
        members=tuple(members),
        opened_at=touchpoints[0].occurred_at,
        last_at=last_at,
        closed_at=_closed_at(touchpoints, policy),
        idle_at=last_at + policy.idle_after,
        contact_count=len(contacts),
        effort=measure(touchpoints, contacts),
        channels=tuple(dict.fromkeys(one.channel for one in touchpoints)),
        reason=reason,
        refs=refs,
        service_level=service_level,
        outcome=outcome,
        value=value,
        latest=_latest(last_of.values()),
    )


def described(touchpoints: Sequence[Touchpoint], contacts: Sequence[Contact], policy: JourneyPolicy) -> JourneySegment:
    """Return what ordered touchpoints, and the contacts among them, come to if they are one journey.

    Its members are positions among these touchpoints.
    """
    members = list(range(len(touchpoints)))
    return _described(members, touchpoints, contacts, [policy.ignored_refs] * len(members), policy)


def _latest(touchpoints: Iterable[Touchpoint]) -> tuple[JourneyStep, ...]:
    """Return the latest of `touchpoints` as steps, oldest first."""
    ordered = sorted(touchpoints, key=lambda one: one.order)[-MOST_LATEST:]
    return tuple(
        JourneyStep(
            occurred_at=one.occurred_at,
            channel=one.channel,
            kind=one.kind,
            direction=one.direction,
            outcome=one.outcome,
            reason=one.reason,
        )
        for one in ordered
    )


def _shown_refs(touchpoints: Iterable[tuple[Touchpoint, frozenset[str]]]) -> dict[str, str]:
    """Return the first reference of each type that is not among the ignored ones of its touchpoint."""
    refs: dict[str, str] = {}
    for one, ignored in touchpoints:
        for type_, value in one.refs.items():
            if type_ not in ignored:
                refs.setdefault(type_, value)
    return refs


def _closed_at(touchpoints: Sequence[Touchpoint], policy: JourneyPolicy) -> datetime | None:
    """Return when a closing touchpoint ended the journey; only passive touchpoints may follow it."""
    closed_at = None
    for one in reversed(touchpoints):
        if one.kind in policy.closing_kinds:
            closed_at = one.occurred_at
        elif one.kind not in policy.passive_kinds:
            break
    return closed_at
