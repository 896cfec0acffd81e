"""What vendors send again is the same touchpoint: whatever the delivery adds, under whatever id it comes."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec
import pytest

from schemas.documents import touchpoint
from services.ingest.forms.webhooks.signatures import SignatureFinding
from services.journey.domain.touchpoint import Touchpoint, fingerprint
from tests.fixtures.clock import SteppingClock
from tests.unit.ingest.webhooks.bench import WebhookBench, settings
from tests.unit.ingest.webhooks.deliveries import NOW, example, examples
from tests.unit.ingest.webhooks.test_signatures import VECTORS

ADDED: dict[str, dict[str, Any]] = {
    "intercom": {
        "id": "notif_another",
        "delivery_attempts": 3,
        "first_sent_at": 1795306209,
        "delivered_at": 1795306300,
    },
    "slack": {"event_id": "Ev0PV52K99", "event_time": 1795306299},
    "zendesk": {},
    "shopify": {"updated_at": "2026-11-22T09:14:59+09:00", "tags": "called", "note": "x"},
    "amazon_connect": {"id": "00000000-0000-0000-0000-00000000000b"},
    "genesys_cloud": {"id": "00000000-0000-0000-0000-00000000000b"},
}
"""What a second delivery of the same event says otherwise, by system."""


def again(system: str, body: bytes, form: bool) -> bytes:
    """What the vendor sends when it tells the same once more."""
    if system == "mailgun":
        return body.replace(b"help%40shop", b"billing%40shop").replace(b"help@shop", b"billing@shop")
    if form:
        return urlencode({**dict(parse_qsl(body.decode())), "ApiVersion": "2027-01-01", "RetryCount": "1"}).encode()
    document = json.loads(body)
    change = CHANGED.get(system)
    if change is not None:
        change(document)
    elif isinstance(document, dict):
        document |= ADDED.get(system, {})
    return json.dumps(document).encode()


def redelivered(document: Any) -> None:
    for event in document["events"]:
        event["deliveryContext"] = {"isRedelivery": True}


def attempted(document: Any) -> None:
    for event in document:
        event |= {"attemptNumber": 3, "subscriptionId": 5, "eventId": 999}


def batched_otherwise(document: Any) -> None:
    for entry in document["entry"]:
        entry["time"] = 1795306299000
        for change in entry.get("changes", ()):
            change["value"].get("contacts", [{}])[0]["profile"] = {"name": "another"}


def updated(document: Any) -> None:
    document["is_tracking_first_tag"] = False
    document["msg"] |= {"tag": "Delivered", "updated_at": "2026-11-22T00:15:00+00:00", "shipment_weight": 2}
    for checkpoint in document["msg"]["checkpoints"]:
        checkpoint |= {"message": "put otherwise", "city": "Seoul"}


CHANGED: dict[str, Callable[[Any], None]] = {
    "line": redelivered,
    "hubspot": attempted,
    "meta": batched_otherwise,
    "aftership": updated,
}
"""What it changes inside."""


def contents(bench: WebhookBench) -> set[tuple[str, bytes]]:
    """Ids and fingerprints of what was published, as the journey worker tells duplicates from conflicts."""
    found = (
        msgspec.json.decode(touchpoint.encode(each), type=Touchpoint, strict=False)
        for each in bench.publisher.touchpoints
    )
    return {(each.id, fingerprint(each)) for each in found}


OWN = {"kakao_skill", "naver_talktalk", "standard_webhooks", "static_token"}
"""Systems whose events have no id, or whose bodies are the sender's own."""

REPEATED = [each for each in examples() if each.system not in OWN and isinstance(each.expected, list) and each.expected]


@pytest.mark.parametrize("each", REPEATED, ids=str)
async def test_what_the_delivery_adds_changes_neither_id_nor_content(
    each: Any, clock: SteppingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.set(NOW)
    monkeypatch.setattr("services.ingest.forms.webhooks.post_webhook.verify", lambda *_: SignatureFinding.VERIFIED)
    bench = await WebhookBench(clock=clock, settings=settings()).started()
    vector = next(one for one in VECTORS if one["system"] == each.system)
    headers = {**each.headers, **{name.lower(): value for name, value in vector["headers"].items()}}
    first = await bench.deliver(vector, body=each.body, headers=headers)
    clock.set(NOW + timedelta(seconds=2))
    retried = {**headers, "x-shopify-event-id": "another", "x-kakao-resource-id": "another", "x-slack-retry-num": "1"}
    body = again(each.system, each.body, each.path.suffix == ".form")
    second = await bench.deliver(vector, body=body, headers=retried)

    assert (first.status, second.status) == (200, 200)
    assert len({id_ for id_, _ in contents(bench)}) == len(each.expected)
    assert len(contents(bench)) == len(each.expected)


@pytest.fixture
async def bench(clock: SteppingClock, monkeypatch: pytest.MonkeyPatch) -> WebhookBench:
    clock.set(NOW)
    monkeypatch.setattr("services.ingest.forms.webhooks.post_webhook.verify", lambda *_: SignatureFinding.VERIFIED)
    return await WebhookBench(clock=clock, settings=settings()).started()


async def deliver(
    bench: WebhookBench, name: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> dict[str, int]:
    """Deliver an example, or another body like it; return the numbers that its vendor hears (none in TwiML)."""
    told = example(name)
    vector = next(one for one in VECTORS if one["system"] == told.system)
    whole = {**told.headers, **vector["headers"], **(headers or {})}
    answer = await bench.deliver(vector, body=told.body if body is None else body, headers=whole)
    assert answer.status == 200
    return answer.json if answer.headers["content-type"] == "application/json" else {}


async def test_a_slack_message_under_three_event_ids_is_one(bench: WebhookBench) -> None:
    name = "slack/message_of_customer"
    message = json.loads(example(name).body)
    heard = []
    for number, event_id in enumerate(("Ev0PV52K21", "Ev0PV52K98", "Ev0PV52K99")):
        body = json.dumps({**message, "event_id": event_id, "event_time": 1795306207 + number}).encode()
        retry = {"x-slack-retry-num": str(number)} if number else {}
        heard.append(await deliver(bench, name, body, retry))

    assert [(one["accepted"], one["duplicate"]) for one in heard] == [(1, 0), (0, 1), (0, 1)]
    assert len(contents(bench)) == 1


async def test_an_sms_that_twilio_sends_again_is_a_duplicate_and_no_conflict(
    bench: WebhookBench, clock: SteppingClock
) -> None:
    name = "twilio_sms/message_received"
    await deliver(bench, name)
    clock.set(NOW + timedelta(seconds=2))
    await deliver(bench, name, headers={"i-twilio-idempotency-token": "another"})
    clock.set(NOW + timedelta(hours=30))  # ingest has forgotten it by then, the journey has not
    await deliver(bench, name)

    assert bench.publisher.dead_letters == []
    assert len(contents(bench)) == 1


async def test_a_shopify_refund_is_one_with_its_value_whatever_else_changes_in_its_order(bench: WebhookBench) -> None:
    name = "shopify/order_refunded"
    order = json.loads(example(name).body)
    await deliver(bench, name)
    for number, tags in enumerate(("called", "called, vip")):
        customer = {**order["customer"], "phone": "+821099990000"}
        later = {**order, "tags": tags, "updated_at": f"2026-11-22T09:1{number + 3}:59+09:00", "customer": customer}
        body = json.dumps(later).encode()
        heard = await deliver(bench, name, body, {"x-shopify-event-id": f"event-{number}"})
        assert (heard["accepted"], heard["duplicate"], heard["rejected"]) == (0, 1, 0)
    [refund] = bench.publisher.touchpoints

    assert (refund.kind, refund.id, refund.refs["refund_id"]) == ("refund_paid", "refund/509562969", "509562969")
    assert refund.value is not None
    assert (refund.value.amount, refund.value.currency) == (30000, "KRW")


async def test_a_parcel_s_checkpoints_come_with_every_update_and_count_once(bench: WebhookBench) -> None:
    heard = [await deliver(bench, f"aftership/{name}") for name in ("out_for_delivery", "attempt_failed", "delivered")]

    assert [(one["accepted"], one["duplicate"]) for one in heard] == [(2, 0), (1, 2), (1, 1)]
    assert [found.kind for found in bench.publisher.touchpoints] == [
        *("parcel_scanned", "parcel_scanned", "delivery_attempt_failed", "parcel_delivered")
    ]


async def test_a_mail_to_two_mailboxes_is_one_contact_and_one_in_each_queue(bench: WebhookBench) -> None:
    name, at = "mailgun/mail_received", "/v1/sources/mailgun/webhook"
    vector = next(one for one in VECTORS if one["system"] == "mailgun")
    again_to_billing = again("mailgun", example(name).body, form=True)
    heard = [await deliver(bench, name), await deliver(bench, name, again_to_billing)]
    for queue in ("help", "billing", "billing"):
        answer = await bench.deliver(vector, body=again_to_billing, at=f"{at}?queue={queue}")
        heard.append(answer.json)

    assert [one["accepted"] for one in heard] == [1, 0, 1, 1, 0]
    assert [found.queue for found in bench.publisher.touchpoints] == [None, "help", "billing"]
