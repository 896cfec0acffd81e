"""Compares a projection with what is stored. The worker writes exactly these changes and nothing else.

A projection that was written gives no changes when it is compared again. `revision` compares frictions, `succession`
decides which ids journeys keep.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from services.journey.domain.comparison.journey_ids import JourneyIdAssignment, assign_journey_ids
from services.journey.domain.comparison.passage_changes import PassageChanges, passage_changes
from services.journey.domain.comparison.path_changes import hard_positions, path_changes
from services.journey.domain.comparison.revision import STALE_AFTER, FrictionChange, RevisionContext, revise
from services.journey.domain.comparison.shadow_changes import (
    NO_CHANGES,
    ShadowChanges,
    ShadowContext,
    StoredShadowFriction,
    shadow_changes,
)
from services.journey.domain.friction import StoredFriction
from services.journey.domain.funnels import FunnelPassage
from services.journey.domain.journey import (
    Journey,
    JourneyProgress,
    JourneySegment,
    JourneyState,
    StoredJourney,
    digest,
)
from services.journey.domain.names import CustomerId, JourneyId, TimerId
from services.journey.domain.paths import StepCounts
from services.journey.domain.projection import Projection
from services.journey.domain.rules.book import Rulebook
from services.journey.domain.shadow import NOTHING_TRIED, ShadowBook
from services.journey.domain.timer import StoredTimer, Timer, TimerState
from services.journey.domain.touchpoint import TouchpointKey


class JourneyChange(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A journey to store and to publish: new, or another version of a stored one. `digest` is stored with it."""

    journey: Journey
    digest: bytes


class JourneyAlias(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A stored journey that became part of another: its id leads there for ever. `version` is its next one."""

    id: JourneyId
    merged_into: JourneyId
    version: int


class DissolvedJourney(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A stored journey without any touchpoint left: its id is a tombstone. `version` is its next one."""

    id: JourneyId
    version: int


class TouchpointPlacement(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A touchpoint whose journey is new or differs from the stored one, or at which a friction came or went.

    `rules` are those whose frictions stand at it.
    """

    touchpoint: TouchpointKey
    occurred_at: datetime
    journey_id: JourneyId
    rules: tuple[str, ...]


class StoredCustomer(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored about the customer, and about customers merged into it in this transaction.

    `truncated` says that `project` was not given the whole history. What depends on earlier touchpoints is then left as
    it is.
    """

    frictions: Sequence[StoredFriction] = ()
    journeys: Sequence[StoredJourney] = ()
    timers: Sequence[StoredTimer] = ()
    passages: Sequence[FunnelPassage] = ()
    shadow: Sequence[StoredShadowFriction] = ()
    truncated: bool = False

    @property
    def fired(self) -> frozenset[TimerId]:
        """The timers that have fired."""
        return frozenset(timer.id for timer in self.timers if timer.state is TimerState.FIRED)


class ComparisonContext(msgspec.Struct, frozen=True, kw_only=True):
    """What the worker knows and the touchpoints do not: the customer, the time of the database, and new ids."""

    customer_id: CustomerId
    now: datetime
    new_id: Callable[[], UUID]
    stale_after_s: float = STALE_AFTER.total_seconds()


class CustomerChanges(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What to write about one customer. `journeys` come before `aliased`, because they may be their targets.

    `paths` is what changes in the graph of paths; `passages` are defined journeys, with what changes in their funnels.
    """

    frictions: Sequence[FrictionChange] = ()
    journeys: Sequence[JourneyChange] = ()
    aliased: Sequence[JourneyAlias] = ()
    dissolved: Sequence[DissolvedJourney] = ()
    placements: Sequence[TouchpointPlacement] = ()
    armed: Sequence[Timer] = ()
    cancelled: Sequence[TimerId] = ()
    paths: StepCounts = msgspec.field(default_factory=StepCounts)
    passages: PassageChanges = msgspec.field(default_factory=PassageChanges)
    shadow: ShadowChanges = NO_CHANGES

    def __bool__(self) -> bool:
        """Return whether there is anything to write."""
        return any(getattr(self, name) for name in self.__struct_fields__)


def diff(
    projection: Projection,
    stored: StoredCustomer,
    rulebook: Rulebook,
    moment: ComparisonContext,
    shadow: ShadowBook = NOTHING_TRIED,
) -> CustomerChanges:
    """Return the changes that turn `stored` into `projection`."""
    succession = assign_journey_ids(projection.history, projection.journeys, stored.journeys, moment.new_id)
    armed, cancelled = _timers(projection, stored)
    hard = hard_positions(projection, truncated=stored.truncated)
    circumstances = RevisionContext(
        customer_id=moment.customer_id,
        now=moment.now,
        stale_after_s=moment.stale_after_s,
        journey_ids=succession.ids,
        aliased={journey.id: target for journey, target in succession.aliased},
        truncated=stored.truncated,
    )
    return CustomerChanges(
        frictions=revise(projection, stored.frictions, rulebook, circumstances),
        journeys=_journeys(projection, succession, moment),
        aliased=[
            JourneyAlias(id=journey.id, merged_into=target, version=journey.version + 1)
            for journey, target in succession.aliased
        ],
        dissolved=[
            DissolvedJourney(id=journey.id, version=journey.version + 1)
            for journey in succession.emptied
            if not (stored.truncated and _is_older(journey, projection))
        ],
        placements=_placements(projection, succession.ids, hard),
        armed=armed,
        cancelled=cancelled,
        paths=path_changes(projection, succession.ids, stored.journeys, hard, moment.now),
        passages=passage_changes(projection, stored.passages, truncated=stored.truncated),
        shadow=_shadow_changes(projection, stored, shadow, moment),
    )


def _shadow_changes(
    projection: Projection, stored: StoredCustomer, shadow: ShadowBook, moment: ComparisonContext
) -> ShadowChanges:
    context = ShadowContext(customer_id=moment.customer_id, now=moment.now, truncated=stored.truncated)
    return shadow_changes(projection, stored.shadow, shadow, context)


def _is_older(journey: StoredJourney, projection: Projection) -> bool:
    """Return whether all of `journey` may lie before the history that was looked at."""
    return not projection.history or journey.last_at <= projection.history[0].touchpoint.occurred_at


def _placements(
    projection: Projection, ids: Sequence[JourneyId], hard: Mapping[int, tuple[str, ...]]
) -> list[TouchpointPlacement]:
    placements = []
    history = projection.history
    for segment, journey_id in zip(projection.journeys, ids, strict=True):
        for position in segment.members:
            recorded = history[position]
            rules = hard.get(position, ())
            was = recorded.journey_id
            told = recorded.friction == bool(rules) and recorded.rules == rules
            if (was is not journey_id and was != journey_id) or not told:
                one = recorded.touchpoint
                placements.append(
                    TouchpointPlacement(
                        touchpoint=one.key, occurred_at=one.occurred_at, journey_id=journey_id, rules=rules
                    )
                )
    return placements


def _journeys(
    projection: Projection, succession: JourneyIdAssignment, moment: ComparisonContext
) -> list[JourneyChange]:
    frictions = Counter(found.journeys[0] for found in projection.findings)
    progress = projection.progress()
    changes = []
    for number, (segment, journey_id) in enumerate(zip(projection.journeys, succession.ids, strict=True)):
        kept = succession.kept.get(journey_id)
        journey = _named(segment, journey_id, frictions[number], progress.get(number, ()), moment)
        now_said = digest(journey)
        if kept is None or kept.digest != now_said:
            version = 1 if kept is None else kept.version + 1
            changes.append(JourneyChange(journey=msgspec.structs.replace(journey, version=version), digest=now_said))
    return changes


def _named(
    segment: JourneySegment,
    journey_id: JourneyId,
    friction_count: int,
    progress: tuple[JourneyProgress, ...],
    moment: ComparisonContext,
) -> Journey:
    """Return the journey as it is now, without its version."""
    idle = segment.idle_at <= moment.now
    closed_at = segment.closed_at or (segment.idle_at if idle else None)
    return Journey(
        id=journey_id,
        version=0,
        state=JourneyState.OPEN if closed_at is None else JourneyState.CLOSED,
        customer_id=moment.customer_id,
        opened_at=segment.opened_at,
        last_at=segment.last_at,
        idle_at=segment.idle_at,
        touchpoint_count=len(segment.members),
        contact_count=segment.contact_count,
        friction_count=friction_count,
        effort=segment.effort,
        reason=segment.reason,
        refs=segment.refs,
        channels=segment.channels,
        service_level=segment.service_level,
        outcome=segment.outcome,
        closed_at=closed_at,
        value=segment.value,
        latest=segment.latest,
        progress=progress,
    )


def _timers(projection: Projection, stored: StoredCustomer) -> tuple[list[Timer], list[TimerId]]:
    """Return timers to arm (or to arm again for another time), and waiting timers to cancel."""
    kept = {timer.id: timer for timer in stored.timers}
    armed = [timer for timer in projection.timers if _is_new(timer, kept.get(timer.id))]
    if not kept:
        return armed, []
    wanted = {timer.id for timer in projection.timers}
    failed = {failure.rule for failure in (*projection.failures, *projection.tried.failures)}
    unwanted = [
        timer
        for timer in stored.timers
        if timer.state is TimerState.PENDING and timer.id not in wanted and timer.rule not in failed
    ]
    if unwanted and stored.truncated:
        looked_at = {one.touchpoint.key for one in projection.history}
        unwanted = [timer for timer in unwanted if timer.armed_by in looked_at]
    return armed, [timer.id for timer in unwanted]


def _is_new(timer: Timer, kept: StoredTimer | None) -> bool:
    if kept is None or kept.state is TimerState.CANCELLED:
        return True
    return kept.state is TimerState.PENDING and kept.due_at != timer.due_at
