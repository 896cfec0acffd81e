"""Journeys: the stories that one customer's touchpoints fall into, decided from all of them at once.

`segment` looks at ordered touchpoints and never at what was stored, so the partition is the same for any order of
arrival. Which stored id a segment keeps is `services.journey.domain.changes`'s.
"""

from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from services.journey.domain.effort import Effort
from services.journey.domain.names import CustomerId, JourneyId


class JourneyPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How touchpoints fall into journeys.

    `ignored_refs` are references that name a circumstance and not an end. A journey by reason ends with `reason_gap`
    without a touchpoint; a touchpoint that gives neither reference nor reason joins the latest one within
    `unknown_gap`. `idle_after` is when a journey counts as closed without a word.
    """

    ignored_refs: frozenset[str] = frozenset({"campaign_id", "session_id", "store_id"})
    reason_gap: timedelta = timedelta(days=14)
    unknown_gap: timedelta = timedelta(hours=24)
    idle_after: timedelta = timedelta(days=30)
    closing_kinds: frozenset[str] = frozenset({"case_closed", "order_delivered"})
    passive_kinds: frozenset[str] = frozenset({"survey_answered"})


class JourneyState(StrEnum):
    """Still gathering touchpoints, or at its end."""

    OPEN = "open"
    CLOSED = "closed"


class Segment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One journey as the touchpoints tell it; `members` are positions in the projection's ordered history.

    `closed_at` is when a closing touchpoint ended it, None if none did; `idle_at` is when silence will have ended it.
    """

    members: tuple[int, ...]
    opened_at: datetime
    last_at: datetime
    closed_at: datetime | None
    idle_at: datetime
    contact_count: int
    friction_count: int
    effort: Effort
    channels: tuple[str, ...]
    reason: str | None = None
    refs: dict[str, str] = {}
    service_level: str | None = None
    outcome: str | None = None


class Journey(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A journey with its name: the members of journey v1, and beside them `idle_at` and the parts of the effort."""

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


class StoredJourney(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A journey as it is kept. `created_at` is when its id was given out: the oldest id stays."""

    id: JourneyId
    customer_id: CustomerId
    version: int
    state: JourneyState
    created_at: datetime
    last_at: datetime
    digest: bytes
