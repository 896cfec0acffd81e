"""Whatever comes, a recipe answers with touchpoints or says that this is none; it never fails otherwise."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.ingest.forms.webhooks.delivery import InboundDelivery, MalformedDeliveryError
from services.ingest.forms.webhooks.mapping import system_files
from services.ingest.forms.webhooks.mapping.delivery_mapper import DeliveryContext, MappedDelivery, TooManyEventsError
from services.ingest.forms.webhooks.signatures import SignatureFinding, WebhookSecret, verify
from tests.unit.ingest.webhooks.deliveries import NOW, Example, examples

FACTS = DeliveryContext(received_at=NOW)
quick = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))
NAMES = sorted(system_files.shipped())
EVENTS = [each for each in examples() if each.path.suffix == ".json"]


def opened(system: str, body: bytes, kind: str = "application/json") -> MappedDelivery | None:
    """Return what a recipe makes of a body, None where it says that this is none."""
    delivery = InboundDelivery(headers={"content-type": kind, "x-shopify-topic": "orders/create"}, body=body)
    recipe = system_files.shipped()[system]
    recipe.handshake(delivery, FACTS, proven=True)
    try:
        return recipe.open(delivery, FACTS, 100)
    except (MalformedDeliveryError, TooManyEventsError):
        return None


@quick
@given(st.sampled_from(NAMES), st.binary())
def test_any_bytes_are_answered_for(system: str, body: bytes) -> None:
    opened(system, body)


@quick
@given(st.sampled_from(NAMES), JSON)
def test_any_json_is_answered_for(system: str, document: Any) -> None:
    opened(system, json.dumps(document).encode())


@quick
@given(st.sampled_from(["twilio_voice", "twilio_sms", "mailgun"]), st.dictionaries(st.text(), st.text()))
def test_any_form_is_answered_for(system: str, fields: dict[str, str]) -> None:
    opened(system, urlencode(fields).encode("utf-8", "surrogatepass"), "application/x-www-form-urlencoded")


@quick
@given(st.lists(st.sampled_from([b"\r\n", b"--b", b"--", b"\r\n\r\n", b"\xff", b"a", b";", b'"',
    b"Content-Disposition: form-data; name=", b"; filename*=utf-8''%ff", b"\xed\x95\x9c"])).map(b"".join),
    st.sampled_from(["multipart/form-data; boundary=b", 'multipart/form-data; boundary="', "multipart/form-data",
    "multipart/form-data; boundary=", "multipart/form-data; boundary*=utf-8''b"]))  # fmt: skip
def test_any_form_in_parts_is_answered_for(body: bytes, kind: str) -> None:
    opened("mailgun", body, kind)
    delivery = InboundDelivery(headers={"content-type": kind}, body=body)

    assert (
        verify(system_files.shipped()["mailgun"].system.signature, delivery, [WebhookSecret(value="s")], NOW)
        is SignatureFinding.MISSING
    )


@quick
@given(st.data())
def test_an_event_with_anything_in_place_of_one_value_is_answered_for(data: st.DataObject) -> None:
    each: Example = data.draw(st.sampled_from(EVENTS))
    document = json.loads(each.body)
    _put(document, data)

    opened(each.system, json.dumps(document).encode())


def _put(node: Any, data: st.DataObject) -> None:
    """Put anything in place of one value somewhere inside."""
    while isinstance(node, dict | list) and node:
        key = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
        inner = node[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()):
            node[key] = data.draw(JSON)
            return
        node = inner


@quick
@given(st.sampled_from(NAMES), st.dictionaries(st.sampled_from(SIGNING := [
    "x-twilio-signature", "x-twilio-webhooks-signature-settings", "x-zendesk-webhook-signature", "authorization",
    "x-zendesk-webhook-signature-timestamp", "x-hub-signature", "x-hubspot-signature-v3", "x-hubspot-request-timestamp",
    "x-shopify-hmac-sha256", "x-slack-signature", "x-slack-request-timestamp", "x-line-signature", "webhook-id",
    "webhook-timestamp", "webhook-signature", "x-api-key", "x-auth-token", "content-type", "x-hub-signature-256",
    "aftership-hmac-sha256",
]), st.text(st.characters(max_codepoint=255))), st.binary(), st.text())  # fmt: skip
def test_no_guess_is_ever_verified_and_none_makes_the_check_fail(
    system: str, headers: dict[str, str], body: bytes, tail: str
) -> None:
    delivery = InboundDelivery(url="https://a.example.com/x", headers=headers, body=body, tail=tail)
    secret = WebhookSecret(value="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

    assert (
        verify(system_files.shipped()[system].system.signature, delivery, [secret], NOW)
        is not SignatureFinding.VERIFIED
    )


@pytest.mark.parametrize("query", ["bodySHA256=", "bodySHA256=%ff", "a=b&bodySHA256=x", "&&&", "%"])
def test_any_query_is_answered_for(query: str) -> None:
    delivery = InboundDelivery(
        url=f"https://a.example.com/x?{query}", query=query, headers={"x-twilio-signature": "x"}, body=b"a=b"
    )

    twilio = system_files.shipped()["twilio_voice"].system.signature

    assert verify(twilio, delivery, [WebhookSecret(value="s")], NOW) is SignatureFinding.WRONG
