"""Tries a webhook without a server: what its signature proves, which touchpoints it becomes, and what is wrong.

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
class TrialRequest:
    """A payload with its headers, and how the source would be set up. Without a secret nothing is verified."""

    body: bytes
    headers: Mapping[str, str]
    now: datetime
    method: str = "POST"
    secret: str = ""
    url: str = ""
    tail: str = ""
    options: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberProblem:
    """Something wrong with one member of a touchpoint."""

    path: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialTouchpoint:
    """A touchpoint, what is wrong with it, and the entry of the file that made it."""

    entry: int
    document: dict[str, Any]
    complaints: tuple[MemberProblem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialOutcome:
    """What came of the trial. `verification` is empty without a secret; `answer` is what the vendor would get."""

    verification: str
    handshake: str | None
    events: int
    ignored: int
    made: tuple[TrialTouchpoint, ...]

    @property
    def good(self) -> bool:
        """Whether nothing is wrong with it."""
        return self.verification in {"", "verified"} and not any(made.complaints for made in self.made)


def run_trial(recipe: DeliveryMapper, tried: TrialRequest) -> TrialOutcome:
    """Return what ingest would make of the request."""
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
        return TrialOutcome(verification=found, handshake=greeting.body.decode(), events=0, ignored=0, made=())
    try:
        opened = recipe.open(delivery, facts, MOST_EVENTS)
    except MalformedDeliveryError as error:
        raise CommandError(f"the payload is not what {recipe.system.name} sends: it is no {error}") from error
    except TooManyEventsError as error:
        raise CommandError(f"the payload holds more than {error.most} events") from error
    return TrialOutcome(
        verification=found,
        handshake=None,
        events=opened.events,
        ignored=opened.ignored,
        made=tuple(_judged(mapped, tried.now) for mapped in opened.mapped),
    )


def _judged(mapped: MappedTouchpoint, now: datetime) -> TrialTouchpoint:
    told = {"occurred_at": now.isoformat()} if mapped.untimed else {}
    unread = [MemberProblem(path=one.member, message=one.message) for one in mapped.unread]
    wrong = [
        MemberProblem(path=error.path, message=say(error.message, error.message_ko))
        for error in validation.errors("touchpoint.v1", {**told, **mapped.document})
    ]
    return TrialTouchpoint(entry=mapped.entry, document=mapped.document, complaints=(*unread, *wrong))
