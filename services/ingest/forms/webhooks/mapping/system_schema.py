"""The schema of a channel system's YAML file: how it signs, what it sends, and which touchpoints that becomes.

It defines the shape of a file and nothing else. docs/sources.md explains it, `system_files` checks it, and
`delivery_mapper` applies it. Unknown members are errors everywhere, so that a misspelt one is noticed.
"""

from enum import StrEnum
from typing import Any

import msgspec

from services.ingest.forms.mapping.definitions import EventCondition, ValueSpec, When
from services.ingest.forms.webhooks.delivery import BodyFormat


class HashAlgorithm(StrEnum):
    """The hash function of an HMAC."""

    SHA1 = "sha1"
    SHA256 = "sha256"


class SignatureEncoding(StrEnum):
    """The encoding of a signature in its header."""

    HEX = "hex"
    BASE64 = "base64"


class SecretEncoding(StrEnum):
    """The encoding of a secret; `text` is used unchanged."""

    TEXT = "text"
    BASE64 = "base64"
    HEX = "hex"


class TimestampUnit(StrEnum):
    """The unit or format of a time in a header."""

    S = "s"
    MS = "ms"
    ISO = "iso"


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every part of the file."""


class SignatureTimestamp(_Part, frozen=True):
    """The header with the time of signing, and how far from now it may be, in seconds."""

    header: str
    unit: TimestampUnit = TimestampUnit.S
    tolerance_s: float = 300.0


class HmacSignature(_Part, frozen=True, tag="hmac", tag_field="scheme"):
    """An HMAC over `signed`, in which `{body}`, `{timestamp}`, `{method}` and `{url}` stand for the delivery's."""

    header: str
    algorithm: HashAlgorithm = HashAlgorithm.SHA256
    encoding: SignatureEncoding = SignatureEncoding.BASE64
    prefix: str = ""
    signed: str = "{body}"
    timestamp: SignatureTimestamp | None = None
    secret: SecretEncoding = SecretEncoding.TEXT


class TwilioSignature(_Part, frozen=True, tag="twilio", tag_field="scheme"):
    """Twilio's own: the URL with the sorted fields of the form, or with the hash of the body in its query."""


class StandardWebhooksSignature(_Part, frozen=True, tag="standard_webhooks", tag_field="scheme"):
    """https://www.standardwebhooks.com, symmetric (`v1`); secrets as `whsec_…` or without."""

    tolerance_s: float = 300.0


class MailgunSignature(_Part, frozen=True, tag="mailgun", tag_field="scheme"):
    """Mailgun's own: fields of the form. It proves who sent the form, and not what else stands in it."""

    tolerance_s: float = 300.0


class TokenCarrier(_Part, frozen=True):
    """Where a token may stand: a header after `prefix`, as Basic credentials (`user:password`), or the path's end."""

    header: str = ""
    prefix: str = ""
    basic: bool = False
    path: bool = False


class TokenSignature(_Part, frozen=True, tag="token", tag_field="scheme"):
    """A secret that the vendor repeats, instead of a signature: ours, or the vendor's own with `from_vendor`."""

    carriers: tuple[TokenCarrier, ...]
    from_vendor: bool = False


Signature = HmacSignature | TwilioSignature | MailgunSignature | StandardWebhooksSignature | TokenSignature


class SystemTitle(_Part, frozen=True):
    """A name for people, in both languages."""

    en: str
    ko: str


class TouchpointSpec(_Part, frozen=True):
    """One touchpoint that an event becomes when `when` holds (of a list, any one).

    `fields` are members of the touchpoint; `native` is the path of a touchpoint that the sender wrote itself (`.` is
    the event), under which `fields` lie as defaults. With `each` there is one for each element of the list at that path
    (`refunds`, `value.messages`), which `@each` looks into; lists on the way are gone through.
    """

    fields: dict[str, Any] = {}
    when: When | list[When] = {}
    native: str | None = None
    each: str | None = None


class AnswerSpec(_Part, frozen=True):
    """The response to the vendor. `body` is text in which `{path}` stands for a value, or anything else as JSON."""

    status: int = 200
    content_type: str = ""
    body: Any = None


class HandshakeSpec(_Part, frozen=True):
    """A delivery that is no event: the vendor tries the address. With `signed: false` it need not prove its origin."""

    answer: AnswerSpec
    when: When = {}
    method: str = "POST"
    signed: bool = True


class ChannelSystem(_Part, frozen=True):
    """The definition of one channel system."""

    name: str
    title: SystemTitle
    touchpoints: tuple[TouchpointSpec, ...]
    signature: Signature
    documentation: str = ""
    body: BodyFormat = BodyFormat.JSON
    unwrap: str = ""
    methods: tuple[str, ...] = ("POST",)
    addresses: tuple[str, ...] = ()
    split: str | tuple[str, ...] | None = None
    handshakes: tuple[HandshakeSpec, ...] = ()
    answer: AnswerSpec | None = None
    defaults: dict[str, Any] = {}
    options: dict[str, str] = {}
    made: tuple[str, ...] = ()
    """Options that get a random value if the operator gives none: tokens of ours that the vendor repeats."""


PARTS = (
    SignatureTimestamp,
    HmacSignature,
    MailgunSignature,
    TwilioSignature,
    StandardWebhooksSignature,
    TokenCarrier,
    TokenSignature,
    SystemTitle,
    EventCondition,
    ValueSpec,
    TouchpointSpec,
    AnswerSpec,
    HandshakeSpec,
    ChannelSystem,
)
"""Everything that has members."""
