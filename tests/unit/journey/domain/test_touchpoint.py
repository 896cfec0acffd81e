import time
from datetime import timedelta, timezone
from typing import Any

import msgspec
import pytest

from schemas.documents import touchpoint as wire
from services.journey.domain.touchpoint import (
    MonetaryValue,
    SurveyScore,
    Touchpoint,
    fingerprint,
    first_fingerprint,
    is_late,
)
from tests.unit.journey.domain.making import HOURS, SECOND, at, seen


@pytest.mark.parametrize(
    ("after", "replay", "late"),
    [
        pytest.param(72 * HOURS, False, False, id="exactly 72 hours is in time"),
        pytest.param(72 * HOURS + SECOND, False, True, id="a second more is late"),
        pytest.param(900 * HOURS, True, False, id="a replay is never late"),
        pytest.param(-5, False, False, id="a clock ahead is in time"),
    ],
)
def test_lateness(after: float, replay: bool, late: bool) -> None:
    assert is_late(seen("t", received_at=at(after), replay=replay).touchpoint) is late


def test_order_is_time_then_sequence_then_source_then_id() -> None:
    first = seen("b", 1)
    by_sequence = seen("a", 2, sequence=1)
    by_source = seen("z", 2, source="alpha")
    by_id = seen("a", 2)
    in_order = sorted([by_sequence, by_id, by_source, first], key=lambda one: one.touchpoint.order)
    assert in_order == [first, by_source, by_id, by_sequence]


def test_what_transport_adds_does_not_change_the_fingerprint() -> None:
    once = seen("t", text="환불해 주세요").touchpoint
    again = msgspec.structs.replace(once, received_at=at(99), replay=True)
    assert fingerprint(once) == fingerprint(again)


def test_the_order_of_members_does_not_change_the_fingerprint() -> None:
    one = seen("t", refs={"case_id": "1", "order_id": "2"}).touchpoint
    other = seen("t", refs={"order_id": "2", "case_id": "1"}).touchpoint
    assert fingerprint(one) == fingerprint(other)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param({"sent_at": at(1)}, {"sent_at": at(2)}, id="sent again"),
        pytest.param(
            {}, {"occurred_at": at(3), "reported_at": at(0), "time_quality": "corrected"}, id="corrected later"
        ),
        pytest.param(
            {"occurred_at": at(5), "reported_at": at(0), "time_quality": "clamped"},
            {"occurred_at": at(9), "reported_at": at(0), "time_quality": "clamped"},
            id="clamped to another receipt",
        ),
        pytest.param(
            {"occurred_at": at(5), "time_quality": "received"},
            {"occurred_at": at(9), "time_quality": "received"},
            id="without a time of its own",
        ),
        pytest.param({}, {"sentiment": -0.6, "sentiment_by": "lexicon"}, id="a sentiment of ours"),
        pytest.param(
            {"sentiment": 0.1, "sentiment_by": "model"},
            {"sentiment": -0.6, "sentiment_by": "lexicon"},
            id="by other words",
        ),
    ],
)
def test_a_touchpoint_sent_again_by_a_clock_that_is_known_better_is_the_same(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    once = seen("t", 0).touchpoint
    one, other = msgspec.structs.replace(once, **first), msgspec.structs.replace(once, **second)
    assert fingerprint(one) == fingerprint(other)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"duration_s": 1}, {"duration_s": 1.0}),
        ({"duration_s": 0}, {"duration_s": -0.0}),
        ({"wait_s": 100}, {"wait_s": 1e2}),
        ({"sentiment": 1}, {"sentiment": 1.0}),
        (
            {"score": SurveyScore(metric="ces", value=2, scale=7)},
            {"score": SurveyScore(metric="ces", value=2.0, scale=7.0)},
        ),
        (
            {"value": MonetaryValue(amount=129000, currency="KRW")},
            {"value": MonetaryValue(amount=129000.0, currency="KRW")},
        ),
        ({"attributes": {"a": [{"b": 1}, 2]}}, {"attributes": {"a": [{"b": 1.0}, 2e0]}}),
        ({"attributes": {"n": 10**18}}, {"attributes": {"n": 1e18}}),
        ({"due_at": at(9)}, {"due_at": at(9).astimezone(timezone(timedelta(hours=9)))}),
        ({"occurred_at": at(9)}, {"occurred_at": at(9).astimezone(timezone(timedelta(hours=-3, minutes=-30)))}),
        ({"refs": {}, "attributes": {}, "replay": False}, {}),
    ],
)
def test_one_value_in_two_spellings_has_one_fingerprint(first: dict[str, Any], second: dict[str, Any]) -> None:
    once = seen("t", 0).touchpoint
    one, other = msgspec.structs.replace(once, **first), msgspec.structs.replace(once, **second)
    assert fingerprint(one) == fingerprint(other)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"n": 2**53 + 1}, {"n": float(2**53)}),  # the next number, not the nearest float
        ({"n": 1}, {"n": True}),
        ({"n": 1}, {"n": "1"}),
        ({"n": 1.5}, {"n": 1}),
        ({"n": 0}, {"n": None}),
    ],
)
def test_numbers_that_differ_are_other_content(first: dict[str, Any], second: dict[str, Any]) -> None:
    once = seen("t", 0).touchpoint
    one, other = (msgspec.structs.replace(once, attributes=each) for each in (first, second))
    assert fingerprint(one) != fingerprint(other)


def test_a_fingerprint_that_an_earlier_release_stored_still_matches() -> None:
    point = seen("t", 0, wait_s=412, duration_s=2.5, text="환불해 주세요", refs={"case_id": "T-77"}).touchpoint
    assert fingerprint(point) == first_fingerprint(point)
    assert fingerprint(point).hex() == "7700469e5d104c822b8c296f29c3a339"


def test_another_time_said_by_the_producer_is_other_content() -> None:
    once = seen("t", 0).touchpoint
    other = msgspec.structs.replace(once, occurred_at=at(0), reported_at=at(1), time_quality="corrected")
    assert fingerprint(once) != fingerprint(other)


CES = SurveyScore(metric="ces", value=2, scale=7)
WON = MonetaryValue(amount=129000, currency="KRW")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param({"due_at": at(60)}, {"due_at": at(61)}, id="due later"),
        pytest.param({"due_at": at(60)}, {}, id="due or not"),
        pytest.param({"score": CES}, {"score": msgspec.structs.replace(CES, metric="csat")}, id="another metric"),
        pytest.param({"score": CES}, {"score": msgspec.structs.replace(CES, value=3)}, id="another score"),
        pytest.param({"score": CES}, {"score": msgspec.structs.replace(CES, scale=5)}, id="another scale"),
        pytest.param({"score": CES}, {}, id="a score or none"),
        pytest.param({"value": WON}, {"value": msgspec.structs.replace(WON, amount=129001)}, id="another amount"),
        pytest.param({"value": WON}, {"value": msgspec.structs.replace(WON, currency="JPY")}, id="another currency"),
        pytest.param({"value": WON}, {}, id="an amount or none"),
        pytest.param({"wait_s": 1.5}, {"wait_s": 1.25}, id="another wait"),
        pytest.param({"hold_s": 1.5}, {"hold_s": 2}, id="another hold"),
        pytest.param({"sentiment": -0.5}, {"sentiment": 0.5}, id="another sentiment"),
        pytest.param({"attributes": {"a": [1.5]}}, {"attributes": {"a": [1.5, 2]}}, id="one element more"),
        pytest.param({"attributes": {"a": [1.5]}}, {"attributes": {"a": [2.5]}}, id="another element"),
        pytest.param({"attributes": {"a": {"b": 1.5}}}, {"attributes": {"a": {"c": 1.5}}}, id="another name"),
    ],
)
def test_what_was_measured_is_content(first: dict[str, Any], second: dict[str, Any]) -> None:
    once = seen("t", 0).touchpoint
    one, other = msgspec.structs.replace(once, **first), msgspec.structs.replace(once, **second)
    assert fingerprint(one) != fingerprint(other)


def test_a_fingerprint_does_not_depend_on_where_the_machine_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = at(9).astimezone(timezone(timedelta(hours=-3, minutes=-30)))
    point = seen("t", 0, due_at=elsewhere).touchpoint
    here = fingerprint(point)
    monkeypatch.setenv("TZ", "Asia/Seoul")
    time.tzset()
    try:
        assert fingerprint(point) == here
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("field", ["reason", "queue", "text", "interaction_id"])
def test_other_content_has_another_fingerprint(field: str) -> None:
    one = seen("t").touchpoint
    assert fingerprint(one) != fingerprint(msgspec.structs.replace(one, **{field: "x"}))


def test_the_domain_reads_what_the_contract_writes() -> None:
    ours = seen("t", 3, refs={"case_id": "T-1"}, due_at=at(9), wait_s=2.5, text="안녕하세요").touchpoint
    published = msgspec.convert(msgspec.to_builtins(ours, builtin_types=()), wire.TouchpointDocument)
    assert msgspec.json.decode(wire.encode(published), type=Touchpoint) == ours


def test_the_domain_knows_every_field_of_the_contract() -> None:
    assert set(Touchpoint.__struct_fields__) == set(wire.TouchpointDocument.__struct_fields__)
