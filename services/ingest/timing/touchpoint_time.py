"""The time of one touchpoint and its quality: as reported, shifted, computed, or the time of receipt. Pure."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum

import msgspec

from schemas.documents.touchpoint import PostedTouchpoint
from schemas.vocabulary import TimeQuality

_EARLIEST = datetime(2001, 1, 1, tzinfo=UTC)
"""Published times lie in the years 2000 to 2100; a shift that leaves them is no knowledge."""


class ClockMode(StrEnum):
    """How the clock of a source is interpreted."""

    ESTIMATE = "estimate"
    """Each device's skew is learnt from its requests; a device's touchpoints keep their order."""

    FORMULA = "formula"
    """`received_at - (sent_at - occurred_at)`, as Segment, RudderStack and Snowplow compute it."""

    TRUE_TIME = "true_time"
    """The source keeps its clock right: what it says stands."""


class TouchpointTime(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The time of a touchpoint; `reported_at` is the producer's time if it differs."""

    occurred_at: datetime
    reported_at: datetime | None = None
    quality: TimeQuality | None = None


def time_of_receipt(received_at: datetime) -> TouchpointTime:
    """Return the time of a touchpoint whose producer reported none."""
    return TouchpointTime(occurred_at=received_at, quality=TimeQuality.RECEIVED)


def as_reported(posted: PostedTouchpoint, quality: TimeQuality | None = None) -> TouchpointTime:
    """Return the time that the producer reported."""
    return TouchpointTime(occurred_at=posted.occurred_at.astimezone(UTC), quality=quality)


def shifted(posted: PostedTouchpoint, shift: timedelta, received_at: datetime, ahead: timedelta) -> TouchpointTime:
    """Return the reported time, corrected by `shift`; a time more than `ahead` after its receipt is clamped."""
    said = posted.occurred_at.astimezone(UTC)
    right = said + shift
    if right > received_at + ahead or right < _EARLIEST:
        return TouchpointTime(occurred_at=received_at, reported_at=said, quality=TimeQuality.CLAMPED)
    if not shift:
        return as_reported(posted, TimeQuality.AGREED)
    return TouchpointTime(occurred_at=right, reported_at=said, quality=TimeQuality.CORRECTED)


def computed(posted: PostedTouchpoint, sent_at: datetime, received_at: datetime) -> TouchpointTime:
    """Return `received_at - (sent_at - occurred_at)` in plain time, never ahead of the receipt."""
    said = posted.occurred_at.astimezone(UTC)
    # In UTC on both sides: the same wall clock at two offsets, or across a change of them, is not the same duration.
    right = received_at - (sent_at.astimezone(UTC) - said)
    if right > received_at or right < _EARLIEST:
        return TouchpointTime(occurred_at=received_at, reported_at=said, quality=TimeQuality.CLAMPED)
    return TouchpointTime(occurred_at=right, reported_at=said, quality=TimeQuality.COMPUTED)
