"""Which failures a loop passes over, and what it says of them."""

import asyncpg
import pytest
from structlog.testing import capture_logs

from services.runtime.process.outages import tolerated
from services.runtime.telemetry.logs import get_logger

LOG = get_logger("test")


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(ConnectionResetError(), id="a lost connection"),
        pytest.param(asyncpg.DeadlockDetectedError("deadlock"), id="a deadlock"),
        pytest.param(LookupError(), id="one that the caller names"),
    ],
)
def test_what_will_pass_is_noted_and_passed_over(failure: Exception) -> None:
    with capture_logs() as said, tolerated(LOG, "not done", also=(LookupError,), partition=3) as outage:
        raise failure
    assert outage
    assert said == [{"event": "not done", "reason": type(failure).__name__, "partition": 3, "log_level": "warning"}]


def test_a_bug_is_raised() -> None:
    with pytest.raises(ZeroDivisionError), tolerated(LOG, "not done"):
        raise ZeroDivisionError


def test_nothing_is_said_of_a_round_that_ends_well() -> None:
    with capture_logs() as said, tolerated(LOG, "not done") as outage:
        pass
    assert (bool(outage), said) == (False, [])
