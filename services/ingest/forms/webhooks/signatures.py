"""Verifies that a delivery comes from its vendor: one function for each signature scheme. Pure.

Signatures cover the unchanged bytes, and comparisons take constant time. Any of the secrets is accepted,
so that a secret can be rotated. The URL in a signature is the configured public one and is never built from `Host`.
Secrets and `now` are arguments.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from urllib.parse import unquote, urlsplit, urlunsplit

from services.ingest.forms.webhooks.delivery import InboundDelivery, fields_of, parameters
from services.ingest.forms.webhooks.mapping.system_schema import (
    HashAlgorithm,
    HmacSignature,
    MailgunSignature,
    SecretEncoding,
    Signature,
    SignatureEncoding,
    SignatureTimestamp,
    StandardWebhooksSignature,
    TimestampUnit,
    TokenCarrier,
    TokenSignature,
    TwilioSignature,
)


class SignatureFinding(StrEnum):
    """The result of verifying a delivery's signature."""

    VERIFIED = "verified"
    NO_SECRET = "no_secret"  # noqa: S105  the name of a finding
    NO_PUBLIC_URL = "no_public_url"
    ADDRESS_NOT_ALLOWED = "address_not_allowed"
    MISSING = "missing"
    WRONG = "wrong"
    STALE = "stale"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSecret:
    """One secret of a source; it is no longer accepted from `expires_at` on."""

    value: str
    expires_at: datetime | None = None


def verify(
    signature: Signature, delivery: InboundDelivery, secrets: Iterable[WebhookSecret], now: datetime
) -> SignatureFinding:
    """Return whether the sender of `delivery` knows one of `secrets`, or why that is not shown."""
    usable = [secret.value for secret in secrets if secret.expires_at is None or now < secret.expires_at]
    if not usable:
        return SignatureFinding.NO_SECRET
    if isinstance(signature, HmacSignature):
        return _hmac(signature, delivery, usable, now)
    if isinstance(signature, TwilioSignature):
        return _twilio(delivery, usable)
    if isinstance(signature, MailgunSignature):
        return _mailgun(signature, delivery, usable, now)
    if isinstance(signature, StandardWebhooksSignature):
        return _standard(signature, delivery, usable, now)
    return _token(signature, delivery, usable)


def is_allowed(address: str, networks: Sequence[str]) -> bool:
    """Return whether an address (for IPv6, a network) is in one of `networks`; no networks allow every address."""
    if not networks:
        return True
    try:
        sender = ip_network(address, strict=False)
    except ValueError:
        return False
    return any(_within(sender, ip_network(network)) for network in networks)


def _within(sender: IPv4Network | IPv6Network, network: IPv4Network | IPv6Network) -> bool:
    if isinstance(sender, IPv4Network) and isinstance(network, IPv4Network):
        return sender.subnet_of(network)
    return isinstance(sender, IPv6Network) and isinstance(network, IPv6Network) and sender.subnet_of(network)


def _hmac(scheme: HmacSignature, delivery: InboundDelivery, secrets: Sequence[str], now: datetime) -> SignatureFinding:
    given = delivery.header(scheme.header)
    if not given.startswith(scheme.prefix) or not given.removeprefix(scheme.prefix):
        return SignatureFinding.MISSING
    stamp = delivery.header(scheme.timestamp.header) if scheme.timestamp is not None else ""
    if scheme.timestamp is not None and (late := _untimely(scheme.timestamp, stamp, now)):
        return late
    urls = _urls(delivery.url) if "{url}" in scheme.signed else ("",)
    if not urls:
        return SignatureFinding.NO_PUBLIC_URL
    messages = [_filled(scheme.signed, delivery, stamp, url) for url in urls]
    signs = _signer(scheme.algorithm, scheme.encoding)
    made = (signs(key, text) for key in _keys(secrets, scheme.secret) for text in messages)
    wanted = given.removeprefix(scheme.prefix).strip()
    return _judged(_any(made, wanted.lower() if scheme.encoding is SignatureEncoding.HEX else wanted))


def _twilio(delivery: InboundDelivery, secrets: Sequence[str]) -> SignatureFinding:
    given = delivery.header("x-twilio-signature")
    if not given:
        return SignatureFinding.MISSING
    if not delivery.url:
        return SignatureFinding.NO_PUBLIC_URL
    algorithm = _twilio_algorithm(delivery.header("x-twilio-webhooks-signature-settings"))
    if algorithm is None:
        return SignatureFinding.WRONG
    said = parameters(delivery.query).get("bodySHA256")
    if said and not _same(hashlib.sha256(delivery.body).hexdigest(), said[0].lower()):
        return SignatureFinding.WRONG
    fields = b"" if said or delivery.method == "GET" else _twilio_fields(delivery)
    signs = _signer(algorithm, SignatureEncoding.BASE64)
    made = (
        signs(key.encode(), url.encode() + fields) for key in secrets for url in _with_and_without_port(delivery.url)
    )
    return _judged(_any(made, given))


def _twilio_algorithm(settings: str) -> HashAlgorithm | None:
    """Return what `key=…,algorithm=…` names: nothing is SHA-1, and what we do not know is None."""
    named = "HMAC_SHA1"
    for part in settings.split(","):
        name, _, value = part.partition("=")
        if name.strip() == "algorithm" and value.strip():
            named = value.strip().upper()
    return {"HMAC_SHA1": HashAlgorithm.SHA1, "HMAC_SHA256": HashAlgorithm.SHA256}.get(named)


def _twilio_fields(delivery: InboundDelivery) -> bytes:
    if not delivery.header("content-type").lower().startswith("application/x-www-form-urlencoded"):
        return b""
    try:
        fields = parameters(delivery.body.decode("utf-8"))
    except (UnicodeDecodeError, ValueError):
        return b""
    return "".join(name + value for name in sorted(fields) for value in sorted(set(fields[name]))).encode()


def _with_and_without_port(url: str) -> tuple[str, ...]:
    """Twilio signs sometimes with the port and sometimes without, and its own libraries take both."""
    parts = urlsplit(url)
    host = parts.netloc.rsplit(":", 1)[0] if parts.port else parts.netloc
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return urlunsplit(parts._replace(netloc=host)), urlunsplit(parts._replace(netloc=f"{host}:{port}"))


def _mailgun(
    scheme: MailgunSignature, delivery: InboundDelivery, secrets: Sequence[str], now: datetime
) -> SignatureFinding:
    try:
        fields = fields_of(delivery)
    except ValueError:
        return SignatureFinding.MISSING
    stamp, token, given = (fields.get(name, [""])[0] for name in ("timestamp", "token", "signature"))
    if not (token and given):
        return SignatureFinding.MISSING
    if late := _untimely(SignatureTimestamp(header="", tolerance_s=scheme.tolerance_s), stamp, now):
        return late
    signs = _signer(HashAlgorithm.SHA256, SignatureEncoding.HEX)
    return _judged(_any((signs(key.encode(), (stamp + token).encode()) for key in secrets), given.lower()))


def _standard(
    scheme: StandardWebhooksSignature, delivery: InboundDelivery, secrets: Sequence[str], now: datetime
) -> SignatureFinding:
    id_, stamp, given = (delivery.header(f"webhook-{name}") for name in ("id", "timestamp", "signature"))
    if not (id_ and given):
        return SignatureFinding.MISSING
    clock = SignatureTimestamp(header="webhook-timestamp", tolerance_s=scheme.tolerance_s)
    if late := _untimely(clock, stamp, now):
        return late
    text = f"{id_}.{stamp}.".encode() + delivery.body
    signs = _signer(HashAlgorithm.SHA256, SignatureEncoding.BASE64)
    made = [signs(key, text) for key in _keys((s.removeprefix("whsec_") for s in secrets), SecretEncoding.BASE64)]
    versions = (part.partition(",") for part in given.split())
    return _judged(any(_any(made, value) for version, _, value in versions if version == "v1"))


def _token(scheme: TokenSignature, delivery: InboundDelivery, secrets: Sequence[str]) -> SignatureFinding:
    given = [found for carrier in scheme.carriers if (found := _carried(carrier, delivery))]
    if not given:
        return SignatureFinding.MISSING
    return _judged(any(_any((secret,), one) for secret in secrets for one in given))


def _carried(carrier: TokenCarrier, delivery: InboundDelivery) -> str:
    if carrier.path:
        return delivery.tail
    text = delivery.header(carrier.header)
    if not text.lower().startswith(carrier.prefix.lower()):
        return ""
    text = text[len(carrier.prefix) :].strip()
    return _basic(text) if carrier.basic else text


def _basic(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""


def _untimely(clock: SignatureTimestamp, stamp: str, now: datetime) -> SignatureFinding | None:
    if not stamp:
        return SignatureFinding.MISSING
    try:
        sent = moment(stamp, clock.unit)
    except (ValueError, OverflowError):
        return SignatureFinding.WRONG
    return SignatureFinding.STALE if abs((now - sent).total_seconds()) > clock.tolerance_s else None


def moment(stamp: str, unit: TimestampUnit) -> datetime:
    """Return the time in a header; raises ValueError or OverflowError."""
    if unit is TimestampUnit.ISO:
        found = datetime.fromisoformat(stamp)
        return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    if not re.fullmatch(r"[0-9]{1,15}", stamp):
        raise ValueError("not a whole number")
    return datetime.fromtimestamp(int(stamp) / (1000 if unit is TimestampUnit.MS else 1), UTC)


_PLACE = re.compile(r"\{(body|timestamp|method|url)\}")


def _filled(signed: str, delivery: InboundDelivery, stamp: str, url: str) -> bytes:
    facts = {
        "body": delivery.body,
        "timestamp": stamp.encode(),
        "method": delivery.method.encode(),
        "url": url.encode(),
    }
    pieces = _PLACE.split(signed)
    return b"".join(facts[piece] if at % 2 else piece.encode() for at, piece in enumerate(pieces))


def _urls(url: str) -> tuple[str, ...]:
    """The URL as configured, and with its percent-encoding taken off, as some vendors sign it."""
    return (url, unquote(url)) if url else ()


def _keys(secrets: Iterable[str], form: SecretEncoding) -> Iterable[bytes]:
    for secret in secrets:
        if form is SecretEncoding.TEXT:
            yield secret.encode()
            continue
        try:
            yield bytes.fromhex(secret) if form is SecretEncoding.HEX else base64.b64decode(secret, validate=True)
        except (binascii.Error, ValueError):
            continue  # a secret that is not written as the system says proves nothing


def _signer(algorithm: HashAlgorithm, encoding: SignatureEncoding) -> Callable[[bytes, bytes], str]:
    def sign(key: bytes, text: bytes) -> str:
        made = hmac.digest(key, text, algorithm.value)
        return made.hex() if encoding is SignatureEncoding.HEX else base64.b64encode(made).decode()

    return sign


def _same(made: str, given: str) -> bool:
    return hmac.compare_digest(made.encode(), given.encode())


def _any(made: Iterable[str], given: str) -> bool:
    """Look at all of them, so that the time says nothing about which one was right."""
    found = False
    for one in made:
        found |= _same(one, given)
    return found


def _judged(right: bool) -> SignatureFinding:
    return SignatureFinding.VERIFIED if right else SignatureFinding.WRONG
