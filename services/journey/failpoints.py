"""The places where a test may hurt the worker."""

from enum import StrEnum
from typing import TypeAlias

from services.runtime import failpoints


class WorkerFailpoint(StrEnum):
    """The places."""

    AFTER_FETCH = "after_fetch"
    BEFORE_TRANSACTION = "before_transaction"
    MID_TRANSACTION = "mid_transaction"
    BEFORE_COMMIT = "before_commit"
    AFTER_COMMIT = "after_commit"
    AFTER_PUBLISH = "after_publish"
    TIMERS_FIRED = "timers_fired"


Failpoints: TypeAlias = failpoints.Failpoints[WorkerFailpoint]
