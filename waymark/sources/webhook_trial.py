"""A webhook tried out without a server: what its signature proves, which touchpoints it becomes, what is wrong with it.

The same code as in ingest does the work; nothing is written anywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schemas import validation
from services.ingest.forms.webhooks.delivery import InboundDelivery, MalformedDeliveryError
from services.ingest.forms.webhooks.mapping.delivery_mapper import (
    DeliveryContext,
    DeliveryMapper,
    MappedTouchpoint,
    TooManyEventsError,
)
from services.ingest.forms.webhooks.signatures import WebhookSecret, verify
from waymark.console import CommandError, say

MOST_EVENTS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """What is tried: a payload with its headers, and what the source would be set up with. No secret: not verified."""

    body: bytes
    headers: Mapping[str, str]
    now: datetime
    method: str = "POST"
    secret: str = ""
    url: str = ""
    tail: str = ""
    options: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """Something wrong with one member of a touchpoint."""

    path: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A touchpoint with what is wrong with it, and the entry of the file that made it."""

    entry: int
    document: dict[str, Any]
    complaints: tuple[Complaint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it. `verification` is empty without a secret; `answer` is what the vendor would hear first."""

    verification: str
    handshake: str | None
    events: int
    ignored: int
    made: tuple[Made, ...]

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return self.verification in {"", "verified"} and not any(made.complaints for made in self.made)


def carry_out(recipe: DeliveryMapper, tried: Try) -> Outcome:
    """Return what ingest would make of it.

    Raises:
        CommandError: the payload is not what the system sends.
    """
    delivery = InboundDelivery(
        method=tried.method,
        url=tried.url,
        query=tried.url.partition("?")[2],
        headers=tried.headers,
        body=tried.body,
        tail=tried.tail,
    )
    found = ""
    if tried.secret:
        found = str(verify(recipe.system.signature, delivery, [WebhookSecret(value=tried.secret)], tried.now))
    facts = DeliveryContext(received_at=tried.now, options=tried.options)
    greeting = recipe.handshake(delivery, facts, proven=True)
    if greeting is not None:
        return Outcome(verification=found, handshake=greeting.body.decode(), events=0, ignored=0, made=())
    try:
        opened = recipe.open(delivery, facts, MOST_EVENTS)
    except MalformedDeliveryError as error:
        raise CommandError(f"the payload is not what {recipe.system.name} sends: it is no {error}") from error
    except TooManyEventsError as error:
        raise CommandError(f"the payload holds more than {error.most} events") from error
    return Outcome(
        verification=found,
        handshake=None,
        events=opened.events,
        ignored=opened.ignored,
        made=tuple(_judged(mapped, tried.now) for mapped in opened.mapped),
    )


def _judged(mapped: MappedTouchpoint, now: datetime) -> Made:
    told = {"occurred_at": now.isoformat()} if mapped.untimed else {}
    unread = [Complaint(path=one.member, message=one.message) for one in mapped.unread]
    wrong = [
        Complaint(path=error.path, message=say(error.message, error.message_ko))
        for error in validation.errors("touchpoint.v1", {**told, **mapped.document})
    ]
    return Made(entry=mapped.entry, document=mapped.document, complaints=(*unread, *wrong))
