"""When it happened: the plain formula by its known vectors, the estimator by what it promises."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.documents.touchpoint import PostedTouchpoint
from schemas.vocabulary import Channel, TimeQuality
from services.ingest.sources.source import Source, SourceScope
from services.ingest.timing import clock_skew, touchpoint_time
from services.ingest.timing.clock_skew import ClockSkew, ClockSkewRules
from services.ingest.timing.device_clocks import DeviceClocks, TimingRules, device_of
from services.ingest.timing.touchpoint_time import ClockMode, TouchpointTime
from tests.fixtures.clock import SteppingClock
from tests.fixtures.ingest_bench import NOW, IngestBench, a_touchpoint

RULES = ClockSkewRules()
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


def said(at: datetime, sent_at: datetime | None = None, **members: Any) -> PostedTouchpoint:
    """A touchpoint as posted."""
    customer = members.pop("customer", {"device_id": "kiosk-3"})
    return PostedTouchpoint(
        id="1", occurred_at=at, sent_at=sent_at, channel=Channel.KIOSK, kind="page_viewed", customer=customer, **members
    )


def when(text: str) -> datetime:
    """The moment written in ISO 8601; without an offset UTC."""
    read = datetime.fromisoformat(text)
    return read if read.tzinfo is not None else read.replace(tzinfo=UTC)


# --- the plain formula ---------------------------------------------------------------------------------------------

VECTORS = [
    pytest.param("2014-04-29 12:00:54.555", None, "2014-04-29 12:00:54.555", id="without sent_at it stays as said"),
    pytest.param(
        "2014-04-29 09:00:54.001", "2014-04-29 09:00:54.000", "2014-04-29 09:00:54.000", id="sent before it happened"
    ),
    pytest.param(
        "2014-04-29 09:00:54.000", "2014-04-29 09:00:54.001", "2014-04-29 09:00:53.999", id="sent after it happened"
    ),
    pytest.param("2014-04-29 12:00:00", "2014-04-29 12:00:10", "2014-04-29 09:00:44", id="three hours ahead"),
    pytest.param("2014-04-29 06:00:00", "2014-04-29 06:00:10", "2014-04-29 09:00:44", id="three hours behind"),
    pytest.param("2014-02-28 23:59:00", "2014-03-01 00:01:00", "2014-04-29 08:58:54", id="over the end of February"),
    pytest.param("2014-01-31 09:00:54", "2014-03-03 09:00:54", "2014-03-29 09:00:54", id="a month is so many days"),
    pytest.param(
        "2014-03-30 01:59:59+01:00", "2014-03-30 03:00:01+02:00", "2014-04-29 09:00:52", id="over the start of summer"
    ),
    pytest.param(
        "2014-10-26 02:59:59+02:00", "2014-10-26 02:00:01+01:00", "2014-04-29 09:00:52", id="over the end of summer"
    ),
    pytest.param(
        "2014-04-29 18:00:44+09:00", "2014-04-29 09:00:54+00:00", "2014-04-29 09:00:44", id="two offsets, one clock"
    ),
]
"""Seven are known from others who compute by this formula; their collector's time is that of `RECEIVED`."""

RECEIVED = when("2014-04-29 09:00:54")


@pytest.mark.parametrize(("created", "sent", "derived"), VECTORS)
def test_the_formula_gives_the_known_answer(created: str, sent: str | None, derived: str) -> None:
    posted = said(when(created), when(sent) if sent else None)

    timed = DeviceClocks(TimingRules()).time(posted, "app", ClockMode.FORMULA, RECEIVED)

    assert timed.occurred_at == when(derived)
    assert (timed.reported_at is not None) == (sent is not None)


def test_the_formula_as_segment_prints_it() -> None:
    posted = said(when("2015-12-07T22:26:45.060Z"), when("2015-12-07T22:26:45.160Z"))

    timed = DeviceClocks(TimingRules()).time(posted, "web", ClockMode.FORMULA, when("2015-12-07T22:30:00.500Z"))

    assert timed.occurred_at == when("2015-12-07T22:30:00.400Z")
    assert timed.quality is TimeQuality.COMPUTED


def test_a_source_with_a_true_clock_is_taken_at_its_word() -> None:
    posted = said(when("2000-01-01"), when("2014-04-29 09:00:54.000"))

    timed = DeviceClocks(TimingRules()).time(posted, "core", ClockMode.TRUE_TIME, RECEIVED)

    assert timed == TouchpointTime(occurred_at=when("2000-01-01"), quality=TimeQuality.TRUSTED)


def test_the_past_is_not_corrected() -> None:
    timed = DeviceClocks(TimingRules()).time(
        said(NOW - MINUTE, NOW - MINUTE, replay=True), "x", ClockMode.ESTIMATE, NOW
    )

    assert timed == TouchpointTime(occurred_at=NOW - MINUTE)


# --- the estimator -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("off", "shift"),
    [(0, 0), (59, 0), (-59, 0), (-60, -300), (299, 0), (300, 300), (3900, 3900), (-3700, -3900), (93_600, 93_600)],
)
def test_the_shift_goes_by_steps_of_five_minutes(off: int, shift: int) -> None:
    assert clock_skew.quantised(timedelta(seconds=off), RULES) == timedelta(seconds=shift)


SKEWS = st.integers(min_value=-400_000, max_value=400_000)
TRANSITS = st.lists(st.floats(min_value=0, max_value=239), min_size=2, max_size=30)


@settings(max_examples=200, deadline=None)
@given(skew_s=SKEWS, transits=TRANSITS, data=st.data())
def test_a_device_s_own_order_never_changes(skew_s: int, transits: list[float], data: st.DataObject) -> None:
    """Whatever its clock is off, and however long each request takes, up to four minutes."""
    clocks = DeviceClocks(TimingRules())
    gaps = data.draw(st.lists(st.floats(min_value=0.001, max_value=2000), min_size=len(transits)))
    device_now = NOW + timedelta(seconds=skew_s)
    times = []
    for transit, gap in zip(transits, gaps, strict=False):
        device_now += timedelta(seconds=gap)
        received = device_now - timedelta(seconds=skew_s) + timedelta(seconds=transit)
        timed = clocks.time(said(device_now, device_now), "app", ClockMode.ESTIMATE, received)
        assert timed.quality is not TimeQuality.CLAMPED
        times.append(timed.occurred_at)
    assert times == sorted(times)


@settings(max_examples=300, deadline=None)
@given(skew_s=SKEWS, transit=st.floats(min_value=0, max_value=20))
def test_what_remains_of_a_skew_is_at_most_a_step(skew_s: int, transit: float) -> None:
    happened = NOW - timedelta(seconds=transit)
    by_device = happened + timedelta(seconds=skew_s)

    timed = DeviceClocks(TimingRules()).time(said(by_device, by_device), "app", ClockMode.ESTIMATE, NOW)

    assert -RULES.quantum <= timed.occurred_at - happened <= RULES.least + timedelta(seconds=transit)


def test_the_formula_would_have_changed_the_order() -> None:
    """What the estimator is for: a stalled request moves its touchpoints behind those of the next one."""
    first, second = said(NOW, NOW), said(NOW + SECOND, NOW + SECOND)
    stalled, quick = NOW + 90 * SECOND, NOW + SECOND

    def order(mode: ClockMode) -> bool:
        clocks = DeviceClocks(TimingRules())
        times = [clocks.time(p, "app", mode, at).occurred_at for p, at in ((second, quick), (first, stalled))]
        return times[1] < times[0]

    assert not order(ClockMode.FORMULA)
    assert order(ClockMode.ESTIMATE)


def samples(*offsets: float, every: timedelta = MINUTE) -> ClockSkew:
    """What is known after requests whose `received_at - sent_at` are these, in seconds."""
    known: ClockSkew | None = None
    for at, offset in enumerate(offsets):
        received = NOW + at * every
        sent = received - timedelta(seconds=offset)
        known = (
            clock_skew.first_skew(sent, received, RULES)
            if known is None
            else clock_skew.next_skew(known, sent, received, RULES)
        )
    assert known is not None
    return known


@pytest.mark.parametrize(
    ("offsets", "shift"),
    [
        pytest.param([600, 600, 600], 600, id="steady"),
        pytest.param([910, 610, 620], 900, id="within a step nothing moves"),
        pytest.param([1300, 600], 600, id="a quicker request says more"),
        pytest.param([600, 2000, 600], 600, id="one slow request says nothing"),
        pytest.param([600, 2000, 2000], 600, id="nor do two"),
        pytest.param([600, 2000, 2050, 2010], 1800, id="three mean that the clock was set"),
        pytest.param([-600, 100_000], 99_900, id="a day on the way means it at once"),
        pytest.param([0, -7200], -7200, id="a clock that was put forward is noticed at once"),
    ],
)
def test_what_requests_teach(offsets: list[float], shift: int) -> None:
    assert samples(*offsets).shift == timedelta(seconds=shift)


def test_an_old_sample_is_forgotten() -> None:
    assert samples(0, 400, every=timedelta(hours=1)).bound == timedelta(0)
    assert samples(0, 290, 290, 290, every=timedelta(hours=1)).bound == timedelta(seconds=290)


def test_a_retry_of_the_same_request_teaches_nothing() -> None:
    known = clock_skew.first_skew(NOW, NOW, RULES)

    for again in range(1, 10):
        known = clock_skew.next_skew(known, NOW, NOW + again * 10 * MINUTE, RULES)

    assert (known.shift, known.far) == (timedelta(0), 0)


def test_a_time_far_ahead_of_its_receipt_is_clamped() -> None:
    timed = touchpoint_time.shifted(said(NOW + 6 * MINUTE), timedelta(0), NOW, 5 * MINUTE)

    assert timed == TouchpointTime(occurred_at=NOW, reported_at=NOW + 6 * MINUTE, quality=TimeQuality.CLAMPED)


def test_a_shift_out_of_all_time_is_clamped() -> None:
    timed = touchpoint_time.shifted(said(NOW), timedelta(days=-80 * 365), NOW, 5 * MINUTE)

    assert timed == TouchpointTime(occurred_at=NOW, reported_at=NOW, quality=TimeQuality.CLAMPED)


@pytest.mark.parametrize(
    ("customer", "device"),
    [
        ({"phone": "010-1234-5678"}, ("", "")),
        ({"anonymous_id": "a", "cookie": "c", "email": "x@example.com"}, ("anonymous_id", "a")),
        ({"anonymous_id": "a", "device_id": {"value": "d"}}, ("device_id", "d")),
    ],
)
def test_a_clock_belongs_to_the_device(customer: dict[str, Any], device: tuple[str, str]) -> None:
    posted = msgspec.convert(a_touchpoint(customer=customer), PostedTouchpoint)
    assert device_of(posted) == device


def test_devices_are_told_apart_and_the_oldest_is_forgotten() -> None:
    clocks = DeviceClocks(TimingRules(remembered=2))
    for device in "abc":
        clocks.time(said(NOW, NOW - 20 * MINUTE, customer={"device_id": device}), "app", ClockMode.ESTIMATE, NOW)

    assert len(clocks) == 2
    assert clocks.time(said(NOW, NOW, customer={"device_id": "a"}), "app", ClockMode.ESTIMATE, NOW).reported_at is None
    late = clocks.time(said(NOW - MINUTE, NOW, customer={"device_id": "c"}), "app", ClockMode.ESTIMATE, NOW)
    assert late.occurred_at == NOW - MINUTE  # 20 minutes off, said the request before; this one is quicker


# --- in the service ------------------------------------------------------------------------------------------------


async def test_a_device_ten_minutes_ahead_is_put_right_and_all_four_times_are_kept(bench: IngestBench) -> None:
    await bench.post(
        a_touchpoint(occurred_at="2026-11-22T00:24:00Z", sent_at="2026-11-22T00:25:00Z", customer={"device_id": "d"})
    )

    (found,) = bench.publisher.touchpoints
    assert found.occurred_at == when("2026-11-22T00:14:00Z")
    assert found.reported_at == when("2026-11-22T00:24:00Z")
    assert found.sent_at == when("2026-11-22T00:25:00Z")
    assert found.received_at == NOW
    assert found.time_quality is TimeQuality.CORRECTED
    assert bench.sample("waymark_ingest_times_total", quality="corrected") == 1


async def test_what_ingest_sets_is_ignored_when_sent(bench: IngestBench) -> None:
    await bench.post(a_touchpoint(reported_at="2020-01-01T00:00:00Z", time_quality="trusted"))

    (found,) = bench.publisher.touchpoints
    assert (found.reported_at, found.time_quality) == (None, None)


async def test_the_same_touchpoint_sent_again_at_another_time_is_a_duplicate(bench: IngestBench) -> None:
    first = await bench.post(a_touchpoint(sent_at="2026-11-22T00:14:10Z"))
    again = await bench.post(a_touchpoint(sent_at="2026-11-22T00:14:50Z"))
    other = await bench.post(a_touchpoint(sent_at="2026-11-22T00:14:50Z", reason="billing"))

    assert [first.outcomes, again.outcomes, other.outcomes] == [["accepted"], ["duplicate"], ["accepted"]]


async def test_an_event_may_say_when_it_was_sent(bench: IngestBench) -> None:
    event = {
        "specversion": "1.0",
        "id": "e-1",
        "source": "/kiosk",
        "type": "waymark.touchpoint.v1",
        "sentat": "2026-11-22T00:25:00Z",
        "data": a_touchpoint(occurred_at="2026-11-22T00:24:00Z"),
    }
    first = await bench.post(event, content_type="application/cloudevents+json")
    again = await bench.post({**event, "sentat": "2026-11-22T00:25:09Z"}, content_type="application/cloudevents+json")

    (found,) = bench.publisher.touchpoints
    assert (found.occurred_at, found.time_quality) == (when("2026-11-22T00:14:00Z"), TimeQuality.CORRECTED)
    assert [first.outcomes, again.outcomes] == [["accepted"], ["duplicate"]]


@pytest.mark.parametrize(
    ("mode", "quality", "status"),
    [
        (ClockMode.ESTIMATE, TimeQuality.CORRECTED, 202),
        (ClockMode.FORMULA, TimeQuality.COMPUTED, 202),
        (ClockMode.TRUE_TIME, None, 422),
    ],
)
async def test_the_source_says_how_its_clock_is_taken(
    clock: SteppingClock, mode: ClockMode, quality: TimeQuality | None, status: int
) -> None:
    bench = IngestBench(clock=clock)
    bench.key = bench.keys.add(Source(name="app", clock=mode, scopes=frozenset({SourceScope.WRITE})))
    await bench.started()

    answer = await bench.post(a_touchpoint(occurred_at="2026-11-22T00:24:00Z", sent_at="2026-11-22T00:25:00Z"))

    assert answer.status == status
    assert [found.time_quality for found in bench.publisher.touchpoints] == ([quality] if quality else [])
