"""Of whom nothing is taken: the suppression list, before anything is published."""

import asyncio
import json
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from schemas.identifiers.spelling import MAX_IDENTIFIER_LENGTH
from services.ingest.metrics import IngestMetrics
from services.ingest.privacy.policy import PrivacyPolicy
from services.ingest.privacy.policy_applier import PolicyApplier
from services.ingest.privacy.screen import PrivacyScreen
from services.ingest.privacy.suppressions import SuppressionList, Suppressions
from services.ingest.privacy.value_sealing import ValueSealer
from services.runtime.telemetry.health import CheckResult
from tests.fixtures.clock import SteppingClock
from tests.fixtures.ingest_bench import IngestBench, a_touchpoint, bench_with
from tests.ports.suppression_list import SECRET, ListInMemory
from tests.waiting import until

PHONE = "+821012345678"


async def with_suppressed(clock: SteppingClock, *identifiers: tuple[str, str]) -> IngestBench:
    bench = await bench_with(clock, privacy_secret=SECRET).started()
    await bench.service.suppressions.watch(ListInMemory(*identifiers))
    return bench


@pytest.mark.parametrize("customer", [{"phone": "010 1234 5678"}, {"email": "a@b.example", "phone": PHONE}])
async def test_nothing_is_taken_of_who_is_suppressed(clock: SteppingClock, customer: dict[str, str]) -> None:
    bench = await with_suppressed(clock, ("phone", PHONE), ("customer_id", "C-1"))
    answer = await bench.post(
        [a_touchpoint(customer=customer, text="marked"), a_touchpoint(id="2", customer={"phone": "010-9999-8888"})]
    )

    assert answer.outcomes == ["suppressed", "accepted"]
    assert answer.results[0]["field"] == "customer"
    (letter,) = bench.publisher.dead_letters
    assert (letter.code, letter.value) == ("suppressed", b"")
    assert bench.sample("waymark_ingest_suppressions_held") == 2
    for text in ("marked", "1234", "a@b"):
        assert text not in str(answer.body)
        assert all(text.encode() not in (record.value or b"") for record in bench.publisher.records)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(json.dumps(a_touchpoint(channel="pigeon")).encode(), id="a wrong member"),
        pytest.param(json.dumps({"userId": "x", "traits": {"phone": "010 1234 5678"}}).encode(), id="no touchpoint"),
        pytest.param(b'[{"id": "1", "customer": {"phone": "010-1234-5678"}, "x": "\xff"}]', id="no UTF-8"),
        pytest.param(json.dumps({"id": "1", "customer": ["C-1"]}).encode(), id="in a list"),
    ],
)
async def test_of_who_is_suppressed_no_bytes_are_kept_whatever_else_is_wrong(clock: SteppingClock, body: bytes) -> None:
    bench = await with_suppressed(clock, ("phone", PHONE), ("customer_id", "C-1"))
    await bench.post(body)

    assert all(letter.value == b"" for letter in bench.publisher.dead_letters)


async def test_of_anybody_else_the_bytes_are_kept_as_ever(clock: SteppingClock) -> None:
    bench = await with_suppressed(clock, ("phone", PHONE), ("email", "a@b.example"))
    wrong = json.dumps(a_touchpoint(channel="pigeon", customer={"phone": "010-9999-8888"})).encode()
    await bench.post(wrong)

    assert [letter.value for letter in bench.publisher.dead_letters] == [wrong]


async def test_a_change_of_the_list_counts_at_the_next_refresh_and_an_outage_changes_nothing(
    clock: SteppingClock,
) -> None:
    bench = await bench_with(clock, privacy_secret=SECRET).started()
    held = ListInMemory()
    await bench.service.suppressions.watch(held)
    before = await bench.post(a_touchpoint(id="1"))
    held.identifiers, held.version = [("phone", PHONE)], 2
    await bench.service.suppressions.refresh()
    suppressed = await bench.post(a_touchpoint(id="2"))
    held.away = True
    with pytest.raises(ConnectionRefusedError):
        await bench.service.suppressions.refresh()
    still = await bench.post(a_touchpoint(id="3"))
    held.away, held.identifiers, held.version = False, [], 3
    await bench.service.suppressions.refresh()
    lifted = await bench.post(a_touchpoint(id="4"))

    outcomes = [answer.outcomes[0] for answer in (before, suppressed, still, lifted)]
    assert outcomes == ["accepted", "suppressed", "suppressed", "accepted"]


@pytest.mark.logs_error("the suppression list was written with another privacy secret")
async def test_a_list_written_with_another_secret_is_not_ready(clock: SteppingClock) -> None:
    bench = await bench_with(clock, privacy_secret=SECRET).started()
    await bench.service.suppressions.watch(ListInMemory(("phone", PHONE), secret="another-secret-that-is-long-enough"))

    found = await bench.service.suppressions.check()
    assert found == CheckResult(name="suppressions", ok=False, detail="written with another privacy secret")


async def test_an_empty_list_needs_no_secret(clock: SteppingClock) -> None:
    bench = await bench_with(clock).started()
    await bench.service.suppressions.watch(ListInMemory(secret="another"))

    assert (await bench.service.suppressions.check()).ok


async def test_readiness_says_how_many_are_held_and_that_none_were_read_yet(clock: SteppingClock) -> None:
    suppressions = Suppressions(IngestMetrics.register(CollectorRegistry()), SECRET.encode(), refresh_s=1)
    unread = await suppressions.check()
    await suppressions.watch(ListInMemory(("phone", PHONE), ("customer_id", "C-1")))

    assert unread == CheckResult(name="suppressions", ok=False, detail="not read yet")
    assert await suppressions.check() == CheckResult(name="suppressions", ok=True, detail="2 held")


@pytest.mark.parametrize(
    ("document", "named"),
    [
        pytest.param("a@b.example", True, id="an e-mail address"),
        pytest.param("a＠b.example", True, id="with a full-width sign"),
        pytest.param("C-1", True, id="a number of a customer"),
        pytest.param("c", False, id="a text that is none of them"),
        pytest.param({"a": {"b": [{"c": "C-1"}]}}, True, id="four levels down"),
        pytest.param({"a": {"b": [{"c": ["C-1"]}]}}, False, id="deeper than is looked"),
        pytest.param([*"x" * 31, "C-1"], True, id="the last text that is looked at"),
        pytest.param([*"x" * 32, "C-1"], False, id="beyond the texts that are looked at"),
        pytest.param(["l" * MAX_IDENTIFIER_LENGTH], True, id="the longest identifier"),
        pytest.param(["l" * (MAX_IDENTIFIER_LENGTH + 1)], False, id="longer than an identifier can be"),
        pytest.param([7, None, True, 0.5, "C-1"], True, id="beside what is no text"),
    ],
)
async def test_an_identifier_is_found_wherever_it_stands_within_bounds(document: Any, named: bool) -> None:
    held = ListInMemory(("email", "a@b.example"), ("customer_id", "C-1"), ("customer_id", "l" * MAX_IDENTIFIER_LENGTH))
    suppressions = Suppressions(IngestMetrics.register(CollectorRegistry()), SECRET.encode(), refresh_s=1)
    await suppressions.watch(held)

    assert suppressions.may_include(document, "KR") is named


@pytest.mark.parametrize("customer", [{"phone": "02-7135-0410 ext. 12"}, {"email": "q@straße.example"}])
async def test_who_was_suppressed_under_an_earlier_spelling_stays_so(
    clock: SteppingClock, customer: dict[str, str]
) -> None:
    bench = await with_suppressed(clock, ("phone", "+82271350410"), ("email", "q@strasse.example"))

    answer = await bench.post(a_touchpoint(id="1", customer=customer))

    assert answer.outcomes == ["suppressed"]


async def test_where_nobody_is_suppressed_nobody_is_named_before_and_after_it_is_read() -> None:
    suppressions = Suppressions(IngestMetrics.register(CollectorRegistry()), SECRET.encode(), refresh_s=1)
    assert not suppressions.name([("phone", PHONE)])

    await suppressions.refresh()

    assert await suppressions.check() == CheckResult(name="suppressions", ok=True, detail="0 held")


async def test_the_list_is_read_whole_only_when_it_changed() -> None:
    asked: list[int] = []

    class Asked(ListInMemory):
        async def read(self, known: int) -> SuppressionList | None:
            asked.append(known)
            return await super().read(known)

    suppressions = Suppressions(IngestMetrics.register(CollectorRegistry()), SECRET.encode(), refresh_s=0.001)
    await suppressions.watch(Asked(("phone", PHONE)))
    running = asyncio.create_task(suppressions.run())
    await until(lambda: len(asked) > 2)
    running.cancel()

    assert asked[0] < 0
    assert set(asked[1:]) == {1}


async def test_the_shortest_telephone_number_that_a_country_has_is_recognised() -> None:
    suppressions = Suppressions(IngestMetrics.register(CollectorRegistry()), SECRET.encode(), refresh_s=1)
    await suppressions.watch(ListInMemory(("phone", "+3545812345")))

    assert suppressions.may_include(["581 2345"], "IS")
    assert not suppressions.may_include(["581 234"], "IS")


@pytest.mark.parametrize(
    ("original", "kept"),
    [
        pytest.param(
            b'{"id": "\xff\xfe\xfd\xfc", "customer": {"customer_id": "C-17"}', False, id="of who is suppressed"
        ),
        pytest.param(b'{"id": "\xff\xfe\xfd\xfc", "customer": {"customer_id": "C-18"}', True, id="of anybody else"),
    ],
)
async def test_bytes_that_are_no_text_are_looked_at_all_the_same(original: bytes, kept: bool) -> None:
    suppressions = Suppressions(IngestMetrics.register(CollectorRegistry()), SECRET.encode(), refresh_s=1)
    treating = PolicyApplier(SECRET.encode(), ValueSealer((SECRET,)))
    screen = PrivacyScreen(PrivacyPolicy(), suppressions, treating, phone_region="KR")
    await suppressions.watch(ListInMemory(("customer_id", "C-17")))

    assert screen.keepable_bytes(original, None, "crm") == (original if kept else b"")
