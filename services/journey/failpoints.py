"""Failpoints of the worker: the places where a test can stop, freeze or fail it."""

from enum import StrEnum
from typing import TypeAlias

from services.runtime import failpoints


class WorkerFailpoint(StrEnum):
    """The places in the worker where a test can interfere."""

    AFTER_FETCH = "after_fetch"
    BEFORE_TRANSACTION = "before_transaction"
    MID_TRANSACTION = "mid_transaction"
    BEFORE_COMMIT = "before_commit"
    AFTER_COMMIT = "after_commit"
    AFTER_PUBLISH = "after_publish"
    TIMERS_FIRED = "timers_fired"


Failpoints: TypeAlias = failpoints.Failpoints[WorkerFailpoint]
