"""What a notifier is: the values that it takes and returns, and the facts about its kind that the API shows.

Pure values. A module of a kind makes one `Notifier` of them; `registry` lists all.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

import msgspec

from services.alerts.deliver.notifiers.told_message import ToldMessage
from services.alerts.deliver.retry import AttemptVerdict, ReceiverAnswer

Language = Literal["en", "ko"]


class NotifierOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of a kind that an administrator may set; kinds add members. None of them is secret."""


class SignedOptions(NotifierOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of signed kinds: whether messages are signed by `v1a` (Ed25519, public key) beside `v1`."""

    asymmetric: bool = False


class ReaderOptions(NotifierOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of kinds that people read: the language, and the time zone (IANA) in which times are shown."""

    language: Language = "en"
    time_zone: str = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialSpec:
    """A secret of the vendor that a kind needs; it is kept sealed and never shown again."""

    name: str
    description: str
    required: bool = True


class AddressUse(StrEnum):
    """What the address of an endpoint is for a kind."""

    PUBLIC = "public"
    """It is needed, and it is shown to administrators."""

    SECRET = "secret"  # noqa: S105  a word, not one
    """It is needed and holds a token: it is sealed, and only its beginning is shown."""

    DEFAULT = "default"
    """The vendor's own address unless another one is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifierTarget:
    """Where and how one message goes.

    `reference` is what the receiver called the first message about this issue, and `acknowledge_url` a signed link with
    which whoever reads the message takes the issue; both None where there is none. `attempted_at` is the time of the
    attempt, and `signature` makes the headers of Standard Webhooks for a body.
    """

    endpoint_id: UUID
    name: str
    url: str
    options: NotifierOptions
    credentials: Mapping[str, str] = field(repr=False)
    webhook_id: str
    attempted_at: datetime
    signature: Callable[[bytes], Mapping[str, str]] = field(repr=False)
    reference: Mapping[str, str] | None = None
    acknowledge_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundRequest:
    """One HTTP request to make."""

    url: str = field(repr=False)
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    method: Literal["POST", "PUT"] = "POST"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundMail:
    """One e-mail to hand to a mail server; `url` is `smtp://host:port` (STARTTLS) or `smtps://host:port`."""

    url: str
    sender: str
    recipients: tuple[str, ...] = field(repr=False)
    data: bytes = field(repr=False)
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)


Outbound = OutboundRequest | OutboundMail


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverReply:
    """What came back: the answer, and the first 256 KiB of its body."""

    answer: ReceiverAnswer
    body: bytes = field(default=b"", repr=False)

    def document(self) -> dict[str, Any]:
        """Return the body as a JSON object; an empty one if it is none."""
        try:
            found = msgspec.json.decode(self.body)
        except msgspec.DecodeError:
            return {}
        return found if isinstance(found, dict) else {}


class ReferenceChange(StrEnum):
    """What a reply does to the reference of an issue."""

    KEEP = "keep"
    SET = "set"
    FORGET = "forget"
    """The receiver no longer knows it: the next attempt posts anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifierVerdict:
    """What a reply means: the verdict on the attempt, and what becomes of the reference."""

    verdict: AttemptVerdict
    change: ReferenceChange = ReferenceChange.KEEP
    reference: Mapping[str, str] = field(default_factory=dict)


Render = Callable[[ToldMessage, NotifierTarget], tuple[Outbound, ...]]
Check = Callable[[Any], Iterable[tuple[str, str]]]
"""Finds what is wrong with options that have the right types: pairs of path and sentence."""

Judge = Callable[[ReceiverReply], NotifierVerdict]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notifier:
    """One kind of endpoint.

    `render` returns the requests of a message, in their order; each goes only if the one before it was taken. A
    request may be repeated after a crash, so all but the last have no further effect when repeated. `check` finds
    mistakes in options that their types do not show. `render_plain` renders without anything that a receiver could
    refuse as malformed. `coalesces` says that of several waiting messages about an issue only the newest is worth
    sending. `rate_per_minute` is the vendor's limit where it states one.
    """

    kind: str
    title_en: str
    title_ko: str
    options: type[NotifierOptions]
    render: Render
    judge: Judge
    address: AddressUse
    default_url: str = ""
    schemes: frozenset[str] = frozenset({"https", "http"})
    credentials: tuple[CredentialSpec, ...] = ()
    render_plain: Render | None = None
    check: Check | None = None
    signed: bool = False
    coalesces: bool = False
    rate_per_minute: int | None = None


def credential_names(notifier: Notifier) -> frozenset[str]:
    """Return the names of the credentials of a kind; a secret address is one of them."""
    own = {spec.name for spec in notifier.credentials}
    return frozenset(own | {URL} if notifier.address is AddressUse.SECRET else own)


URL = "url"
"""The name under which a secret address is sealed."""
