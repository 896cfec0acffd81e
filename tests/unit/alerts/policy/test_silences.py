"""Silences: their states, when one is still the same, recurring ones, and what would hold everything."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.alerts.policy.hours import HourSpan, NamedHours
from services.alerts.policy.matchers import parse_matchers
from services.alerts.policy.silences import (
    Silence,
    SilenceError,
    SilenceState,
    check_silence,
    expire,
    find_silence,
    keeps_id,
)

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
NIGHTLY = {"nightly": NamedHours(name="nightly", spans=(HourSpan(times=((720, 780),)),))}  # 12:00 to 13:00


def a_silence(**members: Any) -> Silence:
    given: dict[str, Any] = {
        "id": UUID(int=1),
        "matchers": parse_matchers("reason=billing"),
        "starts_at": NOW - HOUR,
        "ends_at": NOW + HOUR,
        "comment": "",
        "created_by": "kim",
        "updated_at": NOW,
    }
    return Silence(**given | members)


def test_a_silence_is_pending_active_and_expired() -> None:
    silence = a_silence()

    states = [silence.state(NOW + hours * HOUR) for hours in (-2, -1, 0, 1)]

    assert states == [SilenceState.PENDING, SilenceState.ACTIVE, SilenceState.ACTIVE, SilenceState.EXPIRED]


def test_the_silence_that_holds_longest_is_named() -> None:
    longer = a_silence(id=UUID(int=2), ends_at=NOW + 2 * HOUR)
    found = find_silence({"reason": ("billing",)}, [a_silence(), longer], {}, NOW)

    assert found is not None
    assert (found.silence.id, found.until) == (UUID(int=2), NOW + 2 * HOUR)
    assert find_silence({"reason": ("delivery",)}, [longer], {}, NOW) is None


def test_a_recurring_silence_holds_within_its_hours_alone() -> None:
    recurring = a_silence(ends_at=NOW + timedelta(days=3), during=("nightly",))

    assert recurring.silent_until(NIGHTLY, NOW) == NOW + HOUR
    assert recurring.silent_until(NIGHTLY, NOW + HOUR) is None
    assert recurring.silent_until(NIGHTLY, NOW + timedelta(days=1, minutes=30)) == NOW + timedelta(days=1, hours=1)


@pytest.mark.parametrize(
    ("members", "word"),
    [
        ({"matchers": parse_matchers('reason=~".*", channel!="fax"')}, "every issue"),
        ({"ends_at": NOW - 2 * HOUR}, "later"),
        ({"starts_at": NOW - 2 * HOUR, "ends_at": NOW - HOUR}, "past"),
        ({"during": ("weekends",)}, "weekends"),
    ],
)
def test_a_silence_that_makes_no_sense_is_refused(members: dict[str, Any], word: str) -> None:
    with pytest.raises(SilenceError, match=word):
        check_silence(a_silence(**members), ["nightly"], NOW)


@pytest.mark.parametrize(
    ("members", "same"),
    [
        ({"ends_at": NOW + 5 * HOUR}, True),
        ({"comment": "longer"}, True),
        ({"ends_at": NOW - timedelta(seconds=1)}, False),
        ({"starts_at": NOW}, False),
        ({"matchers": parse_matchers("reason=delivery")}, False),
    ],
)
def test_a_changed_silence_keeps_its_id_while_it_says_the_same(members: dict[str, Any], same: bool) -> None:
    assert keeps_id(a_silence(), replace(a_silence(), **members), NOW) is same


def test_expiring_twice_changes_nothing() -> None:
    over = expire(a_silence(), NOW)

    assert over.state(NOW) is SilenceState.EXPIRED
    assert expire(over, NOW + HOUR) == over
    assert expire(a_silence(starts_at=NOW + HOUR, ends_at=NOW + 2 * HOUR), NOW).state(NOW) is SilenceState.EXPIRED
