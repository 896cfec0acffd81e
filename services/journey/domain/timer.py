"""Timers: what an absence rule waits for. They are rows elsewhere; here it is only said which ones there ought to be.

A timer fires when the stream has passed its due time, which the worker decides; only then is the absence a friction.
"""

from datetime import datetime
from enum import StrEnum

import msgspec

from services.journey.domain.names import TimerId
from services.journey.domain.touchpoint import TouchpointKey


class TimerState(StrEnum):
    """Waiting, fired (for good), or no longer wanted because the follow-up came."""

    PENDING = "pending"
    FIRED = "fired"
    CANCELLED = "cancelled"


class Timer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A follow-up that is still missing.

    `due_at` is the last moment at which it counts; `appended_at` is the broker's time of the arming touchpoint's
    record, `replay` whether that was a replay: both bear on when the stream has passed it.
    """

    id: TimerId
    rule: str
    armed_by: TouchpointKey
    due_at: datetime
    appended_at: datetime
    replay: bool


class StoredTimer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A timer as it is kept."""

    id: TimerId
    rule: str
    armed_by: TouchpointKey
    state: TimerState
    due_at: datetime
