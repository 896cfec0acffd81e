"""Signatures: the vendors' own vectors hold, and nothing else does.

`vectors.json` was made by tests/sdks/vendor_signers.py with the vendors' libraries, which `python -m tests.sdks.matrix`
runs live.
"""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

from services.ingest.forms.webhooks.delivery import InboundDelivery
from services.ingest.forms.webhooks.mapping import system_files
from services.ingest.forms.webhooks.mapping.system_schema import (
    HashAlgorithm,
    HmacSignature,
    SecretEncoding,
    SignatureEncoding,
    SignatureTimestamp,
    StandardWebhooksSignature,
    TokenCarrier,
    TokenSignature,
    TwilioSignature,
)
from services.ingest.forms.webhooks.signatures import SignatureFinding, WebhookSecret, is_allowed, verify
from tests.unit.ingest.webhooks.deliveries import NOW, example

VECTORS: list[dict[str, Any]] = json.loads(Path(__file__).with_name("vectors.json").read_text(encoding="utf-8"))
NAMED = [pytest.param(each, id=f"{each['system']} {each['variant']}".strip()) for each in VECTORS]
SIGNED = [each for each in NAMED if str(each.id).partition(" ")[0] not in {
    vector["system"] for vector in VECTORS if vector["made_with"] == "nothing to sign"
} | {"mailgun"}]  # fmt: skip  # Mailgun's signature is not over the body: below
TIMED = {"zendesk", "hubspot", "slack", "standard_webhooks"}


def delivery_of(vector: dict[str, Any]) -> InboundDelivery:
    """Return a vector as a delivery."""
    told = example(vector["example"])
    headers = {**told.headers, **{name.lower(): value for name, value in vector["headers"].items()}}
    if "body" in vector:
        headers["content-type"] = "application/json"
    body = vector["body"].encode() if "body" in vector else told.body
    url = vector["url"]
    return InboundDelivery(
        url=url, query=url.partition("?")[2], headers=headers, body=body, tail=url.partition("/webhook/")[2]
    )


def found(
    vector: dict[str, Any], delivery: InboundDelivery, secret: str | None = None, now: datetime = NOW
) -> SignatureFinding:
    signature = system_files.shipped()[vector["system"]].system.signature
    return verify(signature, delivery, [WebhookSecret(value=vector["secret"] if secret is None else secret)], now)


def test_there_is_a_vector_for_every_system() -> None:
    assert {each["system"] for each in VECTORS} == set(system_files.shipped())


@pytest.mark.parametrize("vector", NAMED)
def test_what_the_vendor_s_own_library_signed_is_verified(vector: dict[str, Any]) -> None:
    assert found(vector, delivery_of(vector)) is SignatureFinding.VERIFIED


@pytest.mark.parametrize("vector", NAMED)
def test_another_secret_proves_nothing(vector: dict[str, Any]) -> None:
    other = "whsec_" + "A" * 32 if vector["system"] == "standard_webhooks" else vector["secret"][:-1] + "?"

    assert found(vector, delivery_of(vector), other) is SignatureFinding.WRONG


@pytest.mark.parametrize("vector", SIGNED)
def test_a_changed_body_proves_nothing(vector: dict[str, Any]) -> None:
    delivery = delivery_of(vector)

    assert (
        found(vector, replace(delivery, body=delivery.body[:-2] + b"0" + delivery.body[-1:])) is SignatureFinding.WRONG
    )


@pytest.mark.parametrize("vector", NAMED)
def test_without_its_header_or_place_a_signature_is_missing(vector: dict[str, Any]) -> None:
    delivery = delivery_of(vector)
    signing = {name.lower() for name in vector["headers"]}
    bare = {name: value for name, value in delivery.headers.items() if name not in signing}
    unsigned = re.sub(rb"&signature=[0-9a-f]+", b"", delivery.body)  # Mailgun's place is a field of the form

    assert found(vector, replace(delivery, headers=bare, tail="", body=unsigned)) is SignatureFinding.MISSING


@pytest.mark.parametrize("vector", [each for each in NAMED if each.values[0]["system"] in TIMED])  # type: ignore[index]  # as above
@pytest.mark.parametrize("off", [timedelta(seconds=301), -timedelta(seconds=301)])
def test_a_signature_from_too_long_ago_or_ahead_is_stale(vector: dict[str, Any], off: timedelta) -> None:
    delivery = delivery_of(vector)

    assert found(vector, delivery, now=NOW + off) is SignatureFinding.STALE
    assert found(vector, delivery, now=NOW + off * (299 / 301)) is SignatureFinding.VERIFIED


@pytest.mark.parametrize("vector", NAMED)
def test_while_a_secret_is_rotated_both_prove_and_later_only_the_new_one(vector: dict[str, Any]) -> None:
    signature = system_files.shipped()[vector["system"]].system.signature
    new = "whsec_" + "B" * 32 if vector["system"] == "standard_webhooks" else "another one"
    secrets = [WebhookSecret(value=new), WebhookSecret(value=vector["secret"], expires_at=NOW + timedelta(seconds=1))]

    assert verify(signature, delivery_of(vector), secrets, NOW) is SignatureFinding.VERIFIED
    assert verify(signature, delivery_of(vector), secrets, NOW + timedelta(seconds=1)) is SignatureFinding.WRONG
    assert verify(signature, delivery_of(vector), secrets[1:], NOW + timedelta(seconds=1)) is SignatureFinding.NO_SECRET


@pytest.mark.parametrize("system", ["twilio_voice", "hubspot"])
def test_who_signs_the_url_needs_the_configured_one(system: str) -> None:
    vector = next(each for each in VECTORS if each["system"] == system)
    delivery = delivery_of(vector)

    assert found(vector, replace(delivery, url="")) is SignatureFinding.NO_PUBLIC_URL
    assert found(vector, replace(delivery, url="https://elsewhere.example.com/")) is SignatureFinding.WRONG


@pytest.mark.parametrize(
    "url", ["https://mycompany.com:443/myapp.php?foo=1&bar=2", "https://mycompany.com/myapp.php?foo=1&bar=2"]
)
def test_twilio_s_published_vector_holds_with_and_without_the_port(url: str) -> None:
    fields = "From=%2B14158675310&To=%2B18005551212&CallSid=CA1234567890ABCDE&Caller=%2B14158675310&Digits=1234"
    delivery = InboundDelivery(
        url=url,
        query="foo=1&bar=2",
        headers={
            "content-type": "application/x-www-form-urlencoded",
            "x-twilio-signature": "RSOYDt4T1cUTdK1PDd93/VVr8B8=",
        },
        body=fields.replace("%2B14158675310&To", "%2B14158675309&To")
        .replace("Caller=%2B14158675310", "Caller=%2B14158675309")
        .encode(),
    )

    assert verify(TwilioSignature(), delivery, [WebhookSecret(value="12345")], NOW) is SignatureFinding.VERIFIED


def test_twilio_s_published_vector_with_the_hash_of_the_body_holds() -> None:
    hash_ = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"
    query = f"foo=1&bar=2&bodySHA256={hash_}"
    delivery = InboundDelivery(
        url=f"https://mycompany.com/myapp.php?{query}",
        query=query,
        headers={"content-type": "application/json", "x-twilio-signature": "a9nBmqA0ju/hNViExpshrM61xv4="},
        body=b'{"property": "value", "boolean": true}',
    )

    assert verify(TwilioSignature(), delivery, [WebhookSecret(value="12345")], NOW) is SignatureFinding.VERIFIED
    assert (
        verify(TwilioSignature(), replace(delivery, body=b"{}"), [WebhookSecret(value="12345")], NOW)
        is SignatureFinding.WRONG
    )


def test_twilio_naming_an_algorithm_that_nobody_knows_proves_nothing() -> None:
    vector = next(each for each in VECTORS if each["variant"] == "sha256")
    delivery = delivery_of(vector)
    header = {"x-twilio-webhooks-signature-settings": "key=k,algorithm=HMAC_MD5"}

    assert found(vector, replace(delivery, headers={**delivery.headers, **header})) is SignatureFinding.WRONG


def test_slack_s_published_vector_holds() -> None:
    body = (
        "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar"
        "&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        "&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        "&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    delivery = InboundDelivery(
        headers={
            "x-slack-request-timestamp": "1531420618",
            "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
        },
        body=body.encode(),
    )
    slack = system_files.shipped()["slack"].system.signature
    moment = datetime.fromtimestamp(1531420618, UTC)

    assert (
        verify(slack, delivery, [WebhookSecret(value="8f742231b10e8888abcd99yyyzzz85a5")], moment)
        is SignatureFinding.VERIFIED
    )


MAILGUN = next(each for each in VECTORS if each["system"] == "mailgun")


def test_mailgun_s_signature_holds_for_as_long_as_mailgun_repeats_a_delivery_and_no_longer() -> None:
    delivery = delivery_of(MAILGUN)
    last = timedelta(minutes=10 + 15 + 30 + 60 + 120 + 240)  # the documented pauses between its attempts

    assert found(MAILGUN, delivery, now=NOW + last) is SignatureFinding.VERIFIED
    assert found(MAILGUN, delivery, now=NOW + timedelta(hours=9)) is SignatureFinding.STALE
    assert found(MAILGUN, delivery, now=NOW - timedelta(hours=9)) is SignatureFinding.STALE


@pytest.mark.parametrize("field", ["timestamp", "token", "signature"])
def test_mailgun_signs_time_and_token(field: str) -> None:
    delivery = delivery_of(MAILGUN)
    fields = {**dict(parse_qsl(delivery.body.decode())), field: "1795306501" if field == "timestamp" else "0"}

    assert found(MAILGUN, replace(delivery, body=urlencode(fields).encode())) is SignatureFinding.WRONG


def test_mailgun_s_signature_is_found_in_a_form_with_files() -> None:
    told = example("mailgun/mail_with_attachment")
    delivery = InboundDelivery(headers=told.headers, body=told.body)

    assert found(MAILGUN, delivery) is SignatureFinding.VERIFIED
    assert found(MAILGUN, replace(delivery, body=told.body.replace(b"\r\n000", b"\r\n100"))) is SignatureFinding.WRONG


def standard(signature: str) -> InboundDelivery:
    return InboundDelivery(
        headers={
            "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "webhook-timestamp": "1614265330",
            "webhook-signature": signature,
        },
        body=b'{"test": 2432232314}',
    )


@pytest.mark.parametrize("secret", ["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
def test_standard_webhooks_published_vector_holds_among_others(secret: str) -> None:
    moment = datetime.fromtimestamp(1614265330, UTC)
    right = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    scheme = StandardWebhooksSignature()

    assert (
        verify(scheme, standard(f"v1a,none v1,wrong {right}"), [WebhookSecret(value=secret)], moment)
        is SignatureFinding.VERIFIED
    )
    assert (
        verify(scheme, standard(right.replace("v1,", "v2,")), [WebhookSecret(value=secret)], moment)
        is SignatureFinding.WRONG
    )


@pytest.mark.parametrize(
    ("secret", "form"), [("c2VjcmV0", SecretEncoding.BASE64), ("736563726574", SecretEncoding.HEX)]
)
def test_a_secret_may_be_written_in_base64_or_hex(secret: str, form: SecretEncoding) -> None:
    scheme = HmacSignature(header="X-Sig", encoding=SignatureEncoding.HEX, algorithm=HashAlgorithm.SHA256, secret=form)
    signed = InboundDelivery(headers={"x-sig": _hmac_of_secret(b"body").upper()}, body=b"body")

    assert verify(scheme, signed, [WebhookSecret(value=secret)], NOW) is SignatureFinding.VERIFIED
    assert verify(scheme, signed, [WebhookSecret(value="not in that form!")], NOW) is SignatureFinding.WRONG


def _hmac_of_secret(text: bytes) -> str:
    import hmac

    return hmac.new(b"secret", text, "sha256").hexdigest()


@pytest.mark.parametrize("stamp", ["yesterday", "-1", "1.5", "9" * 40, "२०२६"])
def test_a_time_that_is_none_is_wrong(stamp: str) -> None:
    scheme = HmacSignature(header="X-Sig", signed="{timestamp}{body}", timestamp=SignatureTimestamp(header="X-At"))
    delivery = InboundDelivery(headers={"x-sig": "x", "x-at": stamp}, body=b"")

    assert verify(scheme, delivery, [WebhookSecret(value="s")], NOW) is SignatureFinding.WRONG


def test_basic_credentials_are_user_and_password() -> None:
    scheme = TokenSignature(carriers=(TokenCarrier(header="Authorization", prefix="Basic ", basic=True),))
    check: Callable[[str], SignatureFinding] = lambda text: verify(  # noqa: E731  a name for one line
        scheme, InboundDelivery(headers={"authorization": text}, body=b""), [WebhookSecret(value="aws:pass:word")], NOW
    )

    assert check("Basic YXdzOnBhc3M6d29yZA==") is SignatureFinding.VERIFIED
    assert check("basic YXdzOnBhc3M6d29yZA==") is SignatureFinding.VERIFIED
    assert check("Basic YXdzOnBhc3M=") is SignatureFinding.WRONG
    assert check("Basic ===") is SignatureFinding.MISSING


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("211.249.40.1", True),
        ("211.249.40.32", False),
        ("220.230.168.31", True),
        ("127.0.0.1", False),
        ("unknown", False),
        ("2001:db8::/64", False),
    ],
)
def test_naver_s_networks_are_the_only_ones_it_comes_from(address: str, allowed: bool) -> None:
    networks = system_files.shipped()["naver_talktalk"].system.addresses

    assert is_allowed(address, networks) is allowed
    assert is_allowed(address, ())
