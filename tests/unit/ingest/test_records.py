import base64
import json
from datetime import timedelta
from uuid import UUID

import pytest

from schemas import validation
from schemas.documents.touchpoint import PostedTouchpoint
from services.ingest.publish import records
from services.ingest.sources.source import Source
from services.ingest.timing.touchpoint_time import as_reported
from services.ingest.touchpoint.acceptance import AcceptanceRules, AcceptedTouchpoint, accept
from services.ingest.touchpoint.contract import read
from tests.fixtures.ingest_bench import NOW, IngestBench, a_touchpoint

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
FRESH = UUID("0123456789abcdeffedcba9876543210")


def an_accepted(**members: object) -> AcceptedTouchpoint:
    posted = read(a_touchpoint(**members), {}, composed=True)
    assert isinstance(posted, PostedTouchpoint)
    policy = AcceptanceRules(future_tolerance=timedelta(minutes=5), phone_region="KR")
    found = accept(posted, Source(name="ivr"), as_reported(posted), NOW, policy)
    assert isinstance(found, AcceptedTouchpoint)
    return found


def test_a_record_holds_the_published_form_and_the_cloudevents_headers() -> None:
    record = records.touchpoint_record(an_accepted(text="안녕 \u2028"), b"secret", TRACE)

    value = json.loads(record.value or b"")
    assert validation.errors("touchpoint.v1#published", value) == []
    assert value["customer"] == {"phone": {"value": "+821012345678", "verified": False}}
    assert value["occurred_at"] == "2026-11-22T00:14:00.000000Z"
    assert "안녕".encode() in (record.value or b"")
    assert record.topic == "touchpoints"
    assert dict(record.headers) == {
        "ce_specversion": b"1.0",
        "ce_id": b"call-1",
        "ce_source": b"/waymark/ingest/ivr",
        "ce_type": b"waymark.touchpoint.v1",
        "ce_time": b"2026-11-22T00:14:00.000000Z",
        "content-type": b"application/json",
        "traceparent": TRACE.encode(),
    }


def test_one_identifier_has_one_key_however_it_was_written() -> None:
    spelt = [
        {"phone": "010-1234-5678"},
        {"phone": {"value": "+82 10 1234 5678", "verified": True}},
        {"phone": "821012345678", "cookie": "c"},
    ]

    assert (
        len({records.touchpoint_record(an_accepted(customer=customer), b"secret", TRACE).key for customer in spelt})
        == 1
    )


@pytest.mark.parametrize(
    ("type_", "value", "secret"), [("email", "C-1", b"s"), ("customer_id", "C-2", b"s"), ("customer_id", "C-1", b"t")]
)
def test_another_type_value_or_secret_makes_another_key(type_: str, value: str, secret: bytes) -> None:
    assert records.key_of(type_, value, secret) != records.key_of("customer_id", "C-1", b"s")


def test_a_key_is_fixed_for_ever() -> None:
    """A key that changed with a release would move every customer to another partition."""
    assert records.key_of("customer_id", "C-1009", b"secret") == b"4b322aa9dcebfe27d4f0339f11fc888b"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        pytest.param(TRACE, True, id="valid"),
        pytest.param("", False, id="none"),
        pytest.param(TRACE.upper(), False, id="capitals"),
        pytest.param(TRACE + "-x", False, id="longer"),
        pytest.param("00-" + "0" * 32 + "-b7ad6b7169203331-01", False, id="no trace"),
        pytest.param("00-0af7651916cd43dd8448eb211c80319c-" + "0" * 16 + "-01", False, id="no parent"),
    ],
)
def test_a_valid_trace_context_is_passed_on_and_any_other_replaced(given: str, kept: bool) -> None:
    fresh = "00-0123456789abcdeffedcba9876543210-fedcba9876543210-01"

    assert records.traceparent(given, lambda: FRESH.hex) == (given if kept else fresh)


async def test_a_dead_letter_keeps_the_bytes_that_were_sent(bench: IngestBench) -> None:
    item = b'{"id": "1", "text": "\xff"}'
    await bench.post(item)
    (record,) = bench.publisher.records

    value = json.loads(record.value or b"")
    assert validation.errors("dead_letter.v1", value) == []
    assert base64.b64decode(value["value_base64"]) == item
    assert (record.topic, record.key, value["stage"]) == ("touchpoints-rejected", b"ivr", "ingest")
    assert dict(record.headers)["ce_type"] == b"waymark.dead_letter.v1"
