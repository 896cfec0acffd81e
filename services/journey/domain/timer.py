"""Timers: the follow-ups that absence rules wait for.

A timer fires once the stream has passed its due time; only then is the absence a friction. When that is, is left to
`services.journey.timers`; the rows are left to `services.journey.store.timer_rows`.
"""

from datetime import datetime
from enum import StrEnum

import msgspec

from services.journey.domain.names import TimerId
from services.journey.domain.touchpoint import TouchpointKey


class TimerState(StrEnum):
    """Whether a timer waits, has fired for good, or was cancelled because the follow-up came."""

    PENDING = "pending"
    FIRED = "fired"
    CANCELLED = "cancelled"


class Timer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A follow-up that is still missing.

    `due_at` is the last moment at which the follow-up counts. `appended_at` is the broker's time of the record that
    armed the timer, and `replay` whether that was a replay: both affect when the stream has passed it.
    """

    id: TimerId
    rule: str
    armed_by: TouchpointKey
    due_at: datetime
    appended_at: datetime
    replay: bool


class StoredTimer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A timer as it is stored."""

    id: TimerId
    rule: str
    armed_by: TouchpointKey
    state: TimerState
    due_at: datetime
