"""What vendors send again is the same touchpoint: whatever the delivery adds, under whatever id it comes."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec
import pytest

from schemas import touchpoint
from services.ingest.channels.signatures import Finding
from services.journey.domain.touchpoint import Touchpoint, fingerprint
from tests.conftest import SteppingClock
from tests.unit.ingest.channels.bench import WebhookBench, settings
from tests.unit.ingest.channels.deliveries import NOW, examples
from tests.unit.ingest.channels.test_signatures import VECTORS

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
    monkeypatch.setattr("services.ingest.channels.webhook.verify", lambda *_: Finding.VERIFIED)
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
