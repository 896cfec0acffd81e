"""What is new: a projection compared with what is stored. The worker writes exactly what stands here, and nothing else.

Written and compared again, a projection gives no changes.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import msgspec

from services.journey.domain.friction import Friction, StoredFriction
from services.journey.domain.journeys import Journey, StoredJourney
from services.journey.domain.names import CustomerId, JourneyId, TimerId
from services.journey.domain.projection import Projection
from services.journey.domain.rules.book import Rulebook
from services.journey.domain.timers import StoredTimer, Timer
from services.journey.domain.touchpoint import TouchpointKey

STALE_AFTER = timedelta(hours=24)
"""A friction found longer than this after it could first be known is kept quiet (design 3.2)."""


class FrictionEvent(StrEnum):
    """Why a friction is published."""

    DETECTED = "detected"
    UPDATED = "updated"
    MOVED = "moved"
    RETRACTED = "retracted"
    RESTORED = "restored"


class FrictionChange(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A friction to store and to publish; `digest` goes with it."""

    event: FrictionEvent
    friction: Friction
    digest: bytes


class JourneyChange(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A journey to store and to publish: new, or another version of a stored one."""

    journey: Journey
    digest: bytes


class Alias(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A stored journey that is part of another now: its id leads there for ever."""

    id: JourneyId
    merged_into: JourneyId
    version: int


class Dissolved(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A stored journey that has no touchpoint left: its id is a tombstone."""

    id: JourneyId
    version: int


class Placement(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A touchpoint whose journey is new or another than the stored one."""

    touchpoint: TouchpointKey
    occurred_at: datetime
    journey_id: JourneyId


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept about the customer, and about customers merged into it in this transaction.

    `truncated` says that the history given to `project` was not the whole: what rests on touchpoints before its first
    one is then left as it is.
    """

    frictions: Sequence[StoredFriction] = ()
    journeys: Sequence[StoredJourney] = ()
    timers: Sequence[StoredTimer] = ()
    truncated: bool = False


class Changes(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What to write. Write `journeys` before `aliased`, whose targets they may be."""

    frictions: tuple[FrictionChange, ...] = ()
    journeys: tuple[JourneyChange, ...] = ()
    aliased: tuple[Alias, ...] = ()
    dissolved: tuple[Dissolved, ...] = ()
    placements: tuple[Placement, ...] = ()
    armed: tuple[Timer, ...] = ()
    cancelled: tuple[TimerId, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is anything to write."""
        return any(getattr(self, name) for name in self.__struct_fields__)


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """What the worker knows and the touchpoints do not: whose they are, what time the database has, fresh ids."""

    customer_id: CustomerId
    now: datetime
    new_id: Callable[[], UUID]
    stale_after: timedelta = STALE_AFTER


def diff(projection: Projection, stored: Stored, rulebook: Rulebook, moment: Moment) -> Changes:
    """The changes that turn `stored` into `projection`."""
    raise NotImplementedError
