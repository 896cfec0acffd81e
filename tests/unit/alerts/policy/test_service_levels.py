"""Business time: counted minute by minute, it is what the deadlines say, over nights, holidays and clock changes."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.alerts.policy.hours import HourSpan, NamedHours
from services.alerts.policy.service_levels import OFFICE_HOURS, due_at

MINUTE = timedelta(minutes=1)
NIGHTS = NamedHours(
    name="nights",
    spans=(
        HourSpan(times=((22 * 60, 24 * 60), (0, 5 * 60 + 30)), zone="Europe/Berlin"),
        HourSpan(times=((4 * 60, 8 * 60),), weekdays=((0, 0),), zone="America/New_York"),
    ),
)
ISLAND = NamedHours(name="island", spans=(HourSpan(times=((8 * 60, 20 * 60),), zone="Australia/Lord_Howe"),))


def counted(start: datetime, promised: timedelta, hours: NamedHours) -> datetime:
    """The deadline, found by looking at every minute."""
    left, moment = promised // MINUTE, start
    while left:
        left -= hours.contains(moment)
        moment += MINUTE
    return moment


@settings(deadline=None)  # it looks at every minute
@given(
    st.integers(0, 364 * 24 * 60).map(lambda minute: datetime(2026, 1, 1, tzinfo=UTC) + minute * MINUTE),
    st.integers(1, 24 * 60),
    st.sampled_from([OFFICE_HOURS, NIGHTS, ISLAND]),
)
@example(datetime(2026, 3, 28, 20, tzinfo=UTC), 600, NIGHTS)
@example(datetime(2026, 10, 24, 20, tzinfo=UTC), 600, NIGHTS)
@example(datetime(2026, 4, 4, 10, tzinfo=UTC), 900, ISLAND)
@example(datetime(2026, 9, 23, 7, tzinfo=UTC), 600, OFFICE_HOURS)
def test_a_deadline_is_where_a_count_of_open_minutes_ends(start: datetime, minutes: int, hours: NamedHours) -> None:
    assert due_at(start, minutes * MINUTE, hours) == counted(start, minutes * MINUTE, hours)


@pytest.mark.parametrize("hours", [None, OFFICE_HOURS])
def test_what_is_not_promised_has_no_deadline(hours: NamedHours | None) -> None:
    assert due_at(datetime(2026, 11, 23, tzinfo=UTC), None, hours) is None
