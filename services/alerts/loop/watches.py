"""Decides whether a customer came back on the same matter after a resolution.

Pure: a function of the resolutions of one customer and of what is known to have happened since, so the order in which
things are learned does not matter, nor how often; late touchpoints, merges and splits of customers change the facts,
and with them the answer. A recontact belongs to one watch: the one of the same issue, else of the same journey, else
the latest resolution before it.

The matter is the same if the issue or the journey is, if a reference (case, order) is shared, or if the reason is the
same and no reference of one type differs.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from services.alerts.loop.outcomes import Gesture, ResolutionOutcome

ONE_CONTACT = timedelta(hours=2)
"""What happens in one journey within this time is one recontact: a call, and the friction that it completed."""


class WatchState(StrEnum):
    """What became of a watch; a metric label."""

    WATCHING = "watching"
    HELD = "held"
    """The customer did not come back: the resolution worked."""
    RECONTACTED = "recontacted"
    """The customer came back on the same matter."""
    VOID = "void"
    """There is nothing to watch: the friction was none after all, or the resolution was taken back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """What somebody turned to us about, as far as is known."""

    journey_id: str | None = None
    reason: str | None = None
    refs: Mapping[str, str] = field(default_factory=dict)

    def is_same(self, other: "Matter") -> bool:
        """Return whether both are about one thing."""
        if self.journey_id is not None and self.journey_id == other.journey_id:
            return True
        both = self.refs.keys() & other.refs.keys()
        if any(self.refs[name] == other.refs[name] for name in both):
            return True
        return self.reason is not None and self.reason == other.reason and not both


@dataclass(frozen=True, slots=True, kw_only=True)
class Recontact:
    """A customer who turned to us again: by a friction on an issue, or by a contact alone (then `friction_id` is None).

    `contact_count` is how often they had turned to us in this journey by then, None for a friction.
    """

    at: datetime
    matter: Matter
    issue_id: UUID | None = None
    friction_id: str | None = None
    rule: str | None = None
    contact_count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """The time after one resolution of one issue, and what became of it.

    `ended_at` is when the issue was opened again, None while it is resolved. `contacts_before` is how often the
    customer had turned to us in the journey when it was resolved; what only goes on is no new contact.
    """

    id: UUID
    issue_id: UUID
    customer_id: str
    matter: Matter
    resolved_at: datetime
    until: datetime
    outcome: ResolutionOutcome
    resolved_by: str
    rules: tuple[str, ...] = ()
    team: str | None = None
    gesture: Gesture | None = None
    contacts_before: int | None = None
    ended_at: datetime | None = None
    withdrawn: bool = False
    state: WatchState = WatchState.WATCHING
    recontact: Recontact | None = None

    @property
    def worked(self) -> bool | None:
        """Whether the resolution, and the gesture with it, kept the customer from coming back; None: not known."""
        return {WatchState.HELD: True, WatchState.RECONTACTED: False}.get(self.state)

    def covers(self, contact: Recontact) -> bool:
        """Return whether a recontact lies in this watch and is about its matter."""
        if self.withdrawn or not self.resolved_at < contact.at <= min(self.until, self.ended_at or self.until):
            return False
        if contact.issue_id == self.issue_id:
            return True
        if not self.matter.is_same(contact.matter):
            return False
        goes_on = contact.contact_count is not None and contact.matter.journey_id == self.matter.journey_id
        return not goes_on or self.contacts_before is None or (contact.contact_count or 0) > self.contacts_before


def judge_watches(watches: Sequence[Watch], facts: Iterable[Recontact], *, now: datetime) -> list[Watch]:
    """Return the watches of one customer as they stand at `now`, in the same order."""
    first: dict[UUID, Recontact] = {}
    for contact in sorted(_told_once(watches, facts), key=_in_event_order):
        watch = _responsible(watches, contact)
        if watch is not None:
            first.setdefault(watch.id, contact)
    return [_judged(watch, first.get(watch.id), now) for watch in watches]


def _in_event_order(fact: Recontact) -> tuple[datetime, bool, str, str]:
    return (fact.at, fact.friction_id is None, fact.friction_id or "", fact.matter.journey_id or "")


def _told_once(watches: Sequence[Watch], facts: Iterable[Recontact]) -> list[Recontact]:
    """Return the facts without the contacts that completed a friction which counts: both are one recontact."""
    known = list(facts)
    frictions = [fact for fact in known if fact.friction_id is not None and _responsible(watches, fact) is not None]
    return [
        fact
        for fact in known
        if fact.friction_id is not None
        or not any(
            fact.matter.journey_id == friction.matter.journey_id and abs(fact.at - friction.at) <= ONE_CONTACT
            for friction in frictions
        )
    ]


def _responsible(watches: Sequence[Watch], contact: Recontact) -> Watch | None:
    """Return the watch that a recontact counts for, None if there is none."""
    return max(
        (watch for watch in watches if watch.covers(contact)),
        key=lambda watch: (
            watch.issue_id == contact.issue_id,
            watch.matter.journey_id is not None and watch.matter.journey_id == contact.matter.journey_id,
            watch.resolved_at,
            watch.id,
        ),
        default=None,
    )


def _judged(watch: Watch, recontact: Recontact | None, now: datetime) -> Watch:
    if watch.withdrawn:
        return replace(watch, state=WatchState.VOID, recontact=None)
    if recontact is not None:
        return replace(watch, state=WatchState.RECONTACTED, recontact=recontact)
    if watch.ended_at is not None:
        return replace(watch, state=WatchState.VOID, recontact=None)
    state = WatchState.HELD if now >= watch.until else WatchState.WATCHING
    return replace(watch, state=state, recontact=None)
