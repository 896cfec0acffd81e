"""Where one judgement about time turns into another: the bounds themselves, and what is kept of each request."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from schemas.documents.touchpoint import PostedTouchpoint
from schemas.vocabulary import TimeQuality
from services.ingest.timing import clock_skew, touchpoint_time
from services.ingest.timing.device_clocks import DeviceClocks, TimingRules
from services.ingest.timing.touchpoint_time import ClockMode, TouchpointTime
from tests.fixtures.ingest_bench import NOW
from tests.unit.ingest.test_timing import MINUTE, RULES, SECOND, said, samples

HOUR = timedelta(hours=1)
EARLIEST = datetime(2001, 1, 1, tzinfo=UTC)
SEOUL = timezone(timedelta(hours=9))


def test_without_a_time_it_happened_when_it_was_received() -> None:
    assert touchpoint_time.time_of_receipt(NOW) == TouchpointTime(occurred_at=NOW, quality=TimeQuality.RECEIVED)


@pytest.mark.parametrize(
    ("said_at", "shift", "quality"),
    [
        pytest.param(NOW, timedelta(0), TimeQuality.AGREED, id="a clock that is right"),
        pytest.param(NOW + 5 * MINUTE, timedelta(0), TimeQuality.AGREED, id="as far ahead as is allowed"),
        pytest.param(NOW, 5 * MINUTE, TimeQuality.CORRECTED, id="put there by the shift"),
        pytest.param(NOW + 5 * MINUTE + SECOND / 1000, timedelta(0), TimeQuality.CLAMPED, id="further"),
        pytest.param(EARLIEST + HOUR, -HOUR, TimeQuality.CORRECTED, id="the earliest time there is"),
        pytest.param(EARLIEST + HOUR, -HOUR - SECOND, TimeQuality.CLAMPED, id="before it"),
    ],
)
def test_a_shifted_time_is_kept_up_to_its_bounds(said_at: datetime, shift: timedelta, quality: TimeQuality) -> None:
    timed = touchpoint_time.shifted(said(said_at), shift, NOW, 5 * MINUTE)

    assert timed.quality is quality
    assert timed.occurred_at == (NOW if quality is TimeQuality.CLAMPED else said_at + shift)
    assert timed.reported_at == (None if quality is TimeQuality.AGREED else said_at)


@pytest.mark.parametrize(
    ("sent_after", "quality"),
    [
        pytest.param(timedelta(0), TimeQuality.COMPUTED, id="sent as it happened"),
        pytest.param(-SECOND, TimeQuality.CLAMPED, id="sent before"),
        pytest.param(NOW - EARLIEST, TimeQuality.COMPUTED, id="the earliest time there is"),
        pytest.param(NOW - EARLIEST + SECOND, TimeQuality.CLAMPED, id="before it"),
    ],
)
def test_a_computed_time_is_kept_up_to_its_bounds(sent_after: timedelta, quality: TimeQuality) -> None:
    said_at = datetime(2024, 2, 29, 12, tzinfo=UTC)

    timed = touchpoint_time.computed(said(said_at), said_at + sent_after, NOW)

    clamped = quality is TimeQuality.CLAMPED
    assert timed == TouchpointTime(
        occurred_at=NOW if clamped else NOW - sent_after, reported_at=said_at, quality=quality
    )


def test_every_time_is_published_in_utc_whatever_the_machine_s_own_is() -> None:
    local = NOW.astimezone(SEOUL)

    shifted = touchpoint_time.shifted(said(local), -HOUR, NOW, MINUTE)
    computed = touchpoint_time.computed(said(local), local + SECOND, NOW)
    assert shifted.reported_at is not None
    assert computed.reported_at is not None
    as_said = touchpoint_time.as_reported(said(local)).occurred_at
    published = (as_said, shifted.occurred_at, shifted.reported_at, computed.occurred_at, computed.reported_at)
    assert [moment.tzinfo is UTC for moment in published] == [True] * 5  # equal is not enough: a local zone may be UTC


@pytest.mark.parametrize(
    "happened",
    [
        pytest.param(
            datetime(2026, 11, 1, 1, 30, tzinfo=ZoneInfo("America/New_York")), id="New York, the hour that comes twice"
        ),
        pytest.param(
            datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin")), id="Berlin, the hour that comes twice"
        ),
        pytest.param(
            datetime(2026, 3, 29, 1, 59, tzinfo=ZoneInfo("Europe/Berlin")),
            id="Berlin, before the hour that is left out",
        ),
        pytest.param(
            datetime(2028, 2, 29, 23, 59, tzinfo=ZoneInfo("Asia/Seoul")), id="Seoul, the last minute of a leap day"
        ),
    ],
)
def test_a_night_with_a_change_of_clocks_is_as_long_as_it_was(happened: datetime) -> None:
    """Both moments are in one zone: subtracting their wall clocks would be wrong by an hour."""
    sent = (happened.astimezone(UTC) + HOUR).astimezone(happened.tzinfo)

    timed = touchpoint_time.computed(said(happened), sent, sent.astimezone(UTC) + SECOND)

    assert timed.occurred_at == happened.astimezone(UTC) + SECOND
    assert touchpoint_time.as_reported(said(happened)).occurred_at == happened.astimezone(UTC)


def test_a_steady_clock_that_is_off_is_never_taken_for_a_slow_network() -> None:
    assert samples(600, 600, 900).far == 0


def test_a_day_on_the_way_is_still_a_slow_request() -> None:
    assert (samples(0, 86_400).shift, samples(0, 86_400).far) == (timedelta(0), 1)
    assert samples(0, 86_401).shift == timedelta(seconds=86_400)


def test_a_clock_that_was_set_is_known_by_the_quickest_request_since() -> None:
    known = samples(600, 2000, 2050, 2010)

    assert (known.bound, known.far, known.since) == (2000 * SECOND, 0, NOW + 3 * MINUTE)
    assert samples(600, 2000, 2050, 2010, 2005).bound == 2000 * SECOND


def test_slow_requests_count_only_in_a_row_and_each_once() -> None:
    assert samples(600, 2000, 2000, 600, 2000).far == 1

    known = samples(600, 2000)
    retried = clock_skew.next_skew(known, known.sent_at, NOW + HOUR, RULES)
    assert retried is known


@pytest.mark.parametrize("offsets", [(0,), (0, 10), (600, 2000), (600, 2000, 2000, 2000)])
def test_the_request_that_was_seen_last_teaches_nothing_again(offsets: tuple[float, ...]) -> None:
    known = samples(*offsets)

    assert known.sent_at == NOW + (len(offsets) - 1) * MINUTE - offsets[-1] * SECOND
    assert clock_skew.next_skew(known, known.sent_at, NOW + HOUR, RULES) is known


def test_a_sample_counts_for_its_window_and_the_next_one() -> None:
    turned = samples(0, 290, every=HOUR)
    assert (turned.floor, turned.before, turned.since) == (290 * SECOND, timedelta(0), NOW + HOUR)

    assert samples(0, 290, every=2 * HOUR - MINUTE).bound == timedelta(0)
    assert samples(0, 290, every=2 * HOUR).bound == 290 * SECOND


def test_the_shift_stays_while_it_is_a_step_off_and_no_more() -> None:
    assert samples(0, 300, every=2 * HOUR).shift == timedelta(0)
    assert samples(0, 0, 299, 301, every=2 * HOUR).shift == 5 * MINUTE


def test_the_clock_that_is_forgotten_is_the_one_used_longest_ago() -> None:
    clocks = DeviceClocks(TimingRules(remembered=2))
    for device in "abac":
        clocks.time(_sent_late(device, 20 * MINUTE), "app", ClockMode.ESTIMATE, NOW)

    slower = {d: clocks.time(_sent_late(d, 25 * MINUTE), "app", ClockMode.ESTIMATE, NOW).occurred_at for d in "acb"}

    assert slower == {"a": NOW - 5 * MINUTE, "c": NOW - 5 * MINUTE, "b": NOW}


def _sent_late(device: str, off: timedelta) -> PostedTouchpoint:
    return said(NOW - off, NOW - off, customer={"device_id": device})
