"""What keeps producers from one another's way: paces, wrong keys, addresses, and who may hold how much."""

import re
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from services.ingest.metrics import IngestMetrics
from services.ingest.protection.admission import AdmissionControl
from services.ingest.protection.client_address import client_address
from services.ingest.protection.rate_limits import RateLimiter, RateLimits
from services.ingest.protection.token_buckets import BucketQuota, TokenBucket, TokenBuckets
from services.ingest.protection.wrong_keys import WrongKeyLimiter
from services.ingest.reasons import RequestRefusal, RequestRefusedError
from services.ingest.sources.source import Source, SourcePace
from services.runtime.credentials.api_keys import KeyKind, mint
from tests.fixtures.clock import SteppingClock
from tests.fixtures.ingest_bench import IngestBench, Response, a_touchpoint, bench_with

# --- buckets -----------------------------------------------------------------------------------------------------


@given(
    st.floats(0.5, 100.0),
    st.floats(1.0, 200.0),
    st.lists(st.tuples(st.floats(0.0, 3.0), st.integers(1, 300)), max_size=60),
)
def test_what_passes_never_exceeds_the_burst_and_the_average_but_by_one_request(
    per_s: float, burst: float, arrivals: list[tuple[float, int]]
) -> None:
    bucket = TokenBucket(BucketQuota(per_s=per_s, burst=burst), 0.0)
    now, passed, largest = 0.0, 0.0, 0

    for pause, amount in arrivals:
        now += pause
        if bucket.wait(amount, now) <= 0.0:
            bucket.take(amount)
            passed += amount
            largest = max(largest, amount)

    assert passed <= burst + per_s * now + largest + 1e-6


@given(st.floats(0.5, 100.0), st.floats(1.0, 200.0), st.integers(1, 10_000))
def test_who_waits_as_long_as_told_passes_however_much_it_is(per_s: float, burst: float, amount: int) -> None:
    bucket = TokenBucket(BucketQuota(per_s=per_s, burst=burst), 0.0)
    bucket.take(burst)

    wait = bucket.wait(amount, 0.0)

    assert 0.0 < wait <= burst / per_s + 1e-9
    assert bucket.wait(amount, wait + 1e-6) == pytest.approx(0.0, abs=1e-5)


def test_a_clock_that_runs_back_gives_nothing() -> None:
    bucket = TokenBucket(BucketQuota(per_s=1.0, burst=2.0), 10.0)
    bucket.take(2.0)

    assert bucket.level(5.0) == 0.0
    assert bucket.level(11.0) == 1.0


def test_buckets_are_bounded_and_forget_the_one_unused_longest() -> None:
    buckets, quota = TokenBuckets(2), BucketQuota(per_s=1.0, burst=1.0)
    first = buckets.of("a", quota, 0.0)
    buckets.of("b", quota, 0.0)
    buckets.of("a", quota, 0.0)
    buckets.of("c", quota, 0.0)

    assert len(buckets) == 2
    assert buckets.find("a") is first
    assert buckets.find("b") is None


# --- paces -------------------------------------------------------------------------------------------------------


def rates(
    clock: SteppingClock, *, requests: float = 0.0, touchpoints: float = 0.0, burst_s: float = 1.0
) -> RateLimiter:
    return RateLimiter(RateLimits(requests_per_s=requests, touchpoints_per_s=touchpoints, burst_s=burst_s), clock)


def test_keys_of_a_source_share_its_pace_and_each_has_its_own(clock: SteppingClock) -> None:
    paces = rates(clock)
    one = Source(name="ivr", pace=SourcePace(requests=4), key_id="a", key_pace=SourcePace(requests=3))
    other = Source(name="ivr", pace=SourcePace(requests=4), key_id="b")

    for _ in range(3):
        paces.take_request(one)
    with pytest.raises(RequestRefusedError):
        paces.take_request(one)
    paces.take_request(other)
    with pytest.raises(RequestRefusedError):
        paces.take_request(other)


def test_what_is_refused_takes_from_no_bucket(clock: SteppingClock) -> None:
    paces = rates(clock, touchpoints=10)
    source = Source(name="ivr", key_id="a", key_pace=SourcePace(touchpoints=5))
    paces.take_touchpoints(source, 5)

    for _ in range(3):
        with pytest.raises(RequestRefusedError) as refused:
            paces.take_touchpoints(source, 5)

    assert (refused.value.refusal, refused.value.headers["retry-after"]) == (RequestRefusal.TOO_MANY_TOUCHPOINTS, "1")
    assert '"touchpoints";r=5;' in paces.headers(source)["ratelimit"]


def test_a_new_limit_holds_from_the_next_request_on(clock: SteppingClock) -> None:
    paces = rates(clock, requests=1)
    paces.take_request(Source(name="ivr"))
    paces.take_request(Source(name="ivr", pace=SourcePace(requests=100)))

    assert (
        '"requests";q=100;w=1' in paces.headers(Source(name="ivr", pace=SourcePace(requests=100)))["ratelimit-policy"]
    )


def test_no_wait_is_longer_than_producers_believe(clock: SteppingClock) -> None:
    paces = rates(clock, requests=0.001, burst_s=3600)
    for _ in range(3):
        paces.take_request(Source(name="ivr"))
    with pytest.raises(RequestRefusedError) as refused:
        paces.take_request(Source(name="ivr"))

    assert refused.value.headers["retry-after"] == "300"


def test_without_limits_nothing_is_said(clock: SteppingClock) -> None:
    assert rates(clock).headers(Source(name="ivr")) == {}


# A structured field (RFC 9651): a list of strings with parameters, as draft-ietf-httpapi-ratelimit-headers-10 has it.
_MEMBER = r'"[a-z-]+"(;[a-z]+=(\d+|"[a-z]+"))+'
_FIELD = re.compile(rf"{_MEMBER}(, {_MEMBER})*")


async def test_every_answer_says_what_is_left_and_429_says_when(clock: SteppingClock) -> None:
    bench = bench_with(clock, requests_per_s="1", touchpoints_per_s="100", burst_s="2")
    await bench.started()

    answers = [await bench.post(a_touchpoint(id=str(number))) for number in range(3)]

    assert [answer.status for answer in answers] == [202, 202, 429]
    assert [answer.headers["ratelimit"] for answer in answers] == [
        '"requests";r=1;t=1, "touchpoints";r=199;t=1',
        '"requests";r=0;t=2, "touchpoints";r=198;t=1',
        '"requests";r=0;t=2, "touchpoints";r=198;t=1',
    ]
    assert answers[0].headers["ratelimit-policy"] == '"requests";q=2;w=2, "touchpoints";q=200;w=2;qu="touchpoints"'
    for answer in answers:
        assert _FIELD.fullmatch(answer.headers["ratelimit"])
        assert _FIELD.fullmatch(answer.headers["ratelimit-policy"])
    assert (answers[2].json["code"], answers[2].headers["retry-after"]) == ("too_many_requests", "1")

    clock.advance(seconds=1)
    assert (await bench.post(a_touchpoint(id="4"))).status == 202


async def test_touchpoints_are_counted_one_by_one_and_none_of_a_refused_request_is_written(
    clock: SteppingClock,
) -> None:
    bench = bench_with(clock, touchpoints_per_s="10", burst_s="1")
    await bench.started()
    ten = [a_touchpoint(id=str(number)) for number in range(10)]

    first, second = await bench.post(ten), await bench.post([a_touchpoint(id="11")])

    assert (first.status, second.status, second.json["code"]) == (202, 429, "too_many_touchpoints")
    assert len(bench.publisher.touchpoints) == 10
    assert bench.sample("waymark_ingest_requests_refused_total", reason="too_many_touchpoints") == 1


async def test_a_request_larger_than_the_burst_passes_now_and_is_paid_for_later(clock: SteppingClock) -> None:
    bench = bench_with(clock, touchpoints_per_s="10", burst_s="1")
    await bench.started()

    assert (await bench.post([a_touchpoint(id=str(number)) for number in range(50)])).status == 202
    refused = await bench.post(a_touchpoint(id="next"))
    assert (refused.status, refused.headers["retry-after"]) == (429, "5")

    clock.advance(seconds=5)
    assert (await bench.post(a_touchpoint(id="next"))).status == 202


async def test_one_source_that_is_slowed_down_slows_nobody_else(clock: SteppingClock) -> None:
    bench = bench_with(clock, requests_per_s="1", burst_s="1")
    other = bench.keys.add(Source(name="web"))
    await bench.started()
    await bench.post(a_touchpoint(id="1"))

    assert (await bench.post(a_touchpoint(id="2"))).status == 429
    bench.key = other
    assert (await bench.post(a_touchpoint(id="3"))).status == 202


# --- wrong keys --------------------------------------------------------------------------------------------------


async def guess(bench: IngestBench, **headers: str) -> Response:
    key = mint(KeyKind.SOURCE).text
    return await bench.call("POST", [b"{}"], {"authorization": f"Bearer {key}", **headers})


async def test_an_address_that_guesses_keys_is_put_off_without_asking_the_database(clock: SteppingClock) -> None:
    bench = await bench_with(clock, wrong_keys_per_minute="6").started()
    guesses = [await guess(bench) for _ in range(9)]

    assert [answer.status for answer in guesses] == [401] * 6 + [429] * 3
    assert guesses[-1].json["code"] == "too_many_wrong_keys"
    assert 1 <= int(guesses[-1].headers["retry-after"]) <= 300
    assert bench.keys.lookups == 6


async def test_a_valid_key_is_never_locked_out_by_its_neighbours(clock: SteppingClock) -> None:
    bench = await bench_with(clock, wrong_keys_per_minute="6").started()
    for _ in range(50):
        await guess(bench)

    assert (await bench.post(a_touchpoint())).status == 202
    fresh = bench.keys.add(Source(name="new"))
    await bench.service.sources.refresh()
    bench.key = fresh
    assert (await bench.post(a_touchpoint())).status == 202


async def test_leaving_off_for_as_long_as_told_is_enough(clock: SteppingClock) -> None:
    bench = await bench_with(clock, wrong_keys_per_minute="6").started()
    last = [await guess(bench) for _ in range(50)][-1]

    clock.advance(seconds=int(last.headers["retry-after"]))

    assert (await guess(bench)).status == 401


async def test_who_stands_behind_a_trusted_proxy_is_told_apart(clock: SteppingClock) -> None:
    bench = await bench_with(clock, wrong_keys_per_minute="2", trusted_proxies="127.0.0.0/8").started()
    for _ in range(5):
        put_off = await guess(bench, x_forwarded_for="198.51.100.7")
    elsewhere = await guess(bench, x_forwarded_for="198.51.100.8")

    assert (put_off.status, elsewhere.status) == (429, 401)


def test_addresses_are_remembered_within_bounds(clock: SteppingClock) -> None:
    wrong = WrongKeyLimiter(clock, per_minute=1, capacity=100)
    for number in range(1_000):
        wrong.count(f"198.51.{number // 256}.{number % 256}")

    assert len(wrong) == 100
    assert wrong.wait_s("198.51.3.231") == 60


def test_no_limit_counts_nothing(clock: SteppingClock) -> None:
    wrong = WrongKeyLimiter(clock, per_minute=0, capacity=100)
    for _ in range(1_000):
        wrong.count("198.51.100.7")

    assert (wrong.wait_s("198.51.100.7"), len(wrong)) == (0, 0)


# --- addresses ---------------------------------------------------------------------------------------------------

PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        (("203.0.113.5", 1), "", "203.0.113.5"),
        (("203.0.113.5", 1), "198.51.100.7", "203.0.113.5"),
        (("10.0.0.1", 1), "198.51.100.7", "198.51.100.7"),
        (("10.0.0.1", 1), "1.2.3.4, 198.51.100.7", "198.51.100.7"),
        (("10.0.0.1", 1), "198.51.100.7, 10.9.9.9", "198.51.100.7"),
        (("10.0.0.1", 1), "10.1.1.1, 10.9.9.9", "10.1.1.1"),
        (("10.0.0.1", 1), "", "10.0.0.1"),
        (("10.0.0.1", 1), "nonsense", "unknown"),
        (("fd00::1", 1), "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        (("::ffff:203.0.113.5", 1), "", "203.0.113.5"),
        (("2001:db8::1", 1), "", "2001:db8::/64"),
        (None, "198.51.100.7", "unknown"),
        (("", 0), "", "unknown"),
    ],
)
def test_an_address_is_believed_as_far_as_trusted_proxies_wrote_it(
    peer: tuple[str, int] | None, forwarded: str, address: str
) -> None:
    assert client_address(peer, forwarded, PROXIES) == address


def test_without_trusted_proxies_the_header_says_nothing() -> None:
    assert client_address(("10.0.0.1", 1), "198.51.100.7", ()) == "10.0.0.1"


# --- strangers ---------------------------------------------------------------------------------------------------


def admission() -> AdmissionControl:
    return AdmissionControl(
        IngestMetrics.register(CollectorRegistry()), most_requests=10, most_bytes=1_000, retry_after_s=5
    )


def test_strangers_never_hold_more_than_their_share() -> None:
    door = admission()
    with door.request() as stranger, door.request() as another, door.request() as known:
        stranger.hold_more(250)
        with pytest.raises(RequestRefusedError):
            another.hold_more(1)
        known.mark_known()
        known.hold_more(750)
        with pytest.raises(RequestRefusedError):
            known.hold_more(1)
    with door.request() as again:
        again.hold_more(250)


def test_who_is_known_now_leaves_the_share_to_others() -> None:
    door = admission()
    with door.request() as one, door.request() as other:
        one.hold_more(250)
        one.mark_known()
        other.hold_more(250)
        one.hold_more(500)
    with door.request() as one, door.request() as other:
        one.mark_known()
        one.hold_more(750)
        other.hold_more(250)
