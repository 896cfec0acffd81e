"""The alert service with its tables in memory, and a team's receiver that believes nothing unsigned.

Placing, announcing, rendering and signing are the service's own; locks, SQL and sockets are left out.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any
from uuid import UUID

import standardwebhooks

from services.alerts.deliver.delivery_store import delivery_id
from services.alerts.deliver.http.sender import EndpointSender, SenderRequest
from services.alerts.deliver.http.target_guard import TargetGuard, TargetPolicy
from services.alerts.deliver.retry import AttemptOutcome, ReceiverAnswer, judge_answer
from services.alerts.deliver.webhook.signing import WebhookSigner
from services.alerts.issues.contract import read_friction
from services.alerts.issues.model import Issue
from services.alerts.notify.decision import DEFAULT_NOTIFY_ON, NotificationReason
from services.alerts.notify.notification import Notification, NotificationPlan, plan_notification
from services.alerts.notify.routing import RoutedEndpoint, RoutingDirectory
from services.alerts.notify.webhook_body import render_webhook
from services.alerts.policy.tree import Route
from services.runtime.clock import Clock, SystemClock
from services.runtime.kafka.record import ProducerRecord
from tests.unit.alerts.builders import World

BILLING, EVERYBODY = UUID(int=11), UUID(int=12)
TEAM = UUID(int=21)
URL = "https://desk.example/waymark"

DIRECTORY = RoutingDirectory(
    routes=(Route(id=UUID(int=1), name="billing", reasons=("billing",), endpoints=(BILLING,), teams=(TEAM,)),),
    endpoints={
        BILLING: RoutedEndpoint(id=BILLING, team_id=TEAM, catch_all=False),
        EVERYBODY: RoutedEndpoint(id=EVERYBODY, team_id=None, catch_all=True),
    },
    teams={TEAM: "요금상담팀"},
)
"""Billing matters go to the billing team, all others to the endpoint that catches all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """What a receiver got and believed."""

    headers: Mapping[str, str]
    document: dict[str, Any]


class Desk(EndpointSender):
    """A sender whose webhooks end at a receiver in the same process; around the POST it is the service's own.

    The receiver knows the endpoint's secret, verifies with the library of Standard Webhooks, and answers 400 to what it
    does not believe. `busy` makes it answer 503.
    """

    def __init__(self, secret: str) -> None:
        super().__init__(TargetGuard(TargetPolicy()), SystemClock())
        self.received: list[Webhook] = []
        self.busy = False
        self._verifier = standardwebhooks.Webhook(secret)

    async def _send_once_more(self, request: SenderRequest, limit: asyncio.Timeout) -> tuple[ReceiverAnswer, bytes]:
        self._guard.check_url(request.url)
        if self.busy:
            return ReceiverAnswer(status=503), b""
        try:
            document = self._verifier.verify(request.body, dict(request.headers))
        except standardwebhooks.WebhookVerificationError:
            return ReceiverAnswer(status=400), b"who are you?"
        self.received.append(Webhook(headers=request.headers, document=document))
        return ReceiverAnswer(status=204), b""


class AlertTables:
    """Everything that the alert service keeps. `apply` is one of its transactions, `deliver` the dispatcher's work."""

    def __init__(self, clock: Clock) -> None:
        self.board = World()
        self.said: list[NotificationPlan] = []
        self.signer = WebhookSigner(("a master key of thirty-two letters",))
        self.secret = self.signer.new_secret(
            secret_id=UUID(int=31), endpoint_id=BILLING, material=bytes(range(32)), now=clock.now()
        )
        self.desk = Desk(self.signer.reveal(self.secret))
        self._due: list[tuple[str, bytes]] = []
        self._clock = clock
        self._numbers = count(1)

    @property
    def issues(self) -> list[Issue]:
        """All issues, the oldest first."""
        return list(self.board.issues.values())

    @property
    def told(self) -> list[NotificationReason]:
        """Why people were told something, in order."""
        return [one.decision.reason for one in self.said if one.decision.notify]

    def apply(self, records: Sequence[ProducerRecord]) -> list[Notification]:
        """Place the frictions in `records`, decide who is told, and return what is to be told."""
        self.board.now = now = self._clock.now()
        placement = self.board.take(*(read_friction(record.value) for record in records))
        told = []
        for change in placement.changes:
            said = plan_notification(change, DIRECTORY, now=now, notify_on=DEFAULT_NOTIFY_ON, new_id=self._new_id)
            self.board.issues[said.change.after.id] = said.change.after
            self.said.append(said)
            if said.notification is not None:
                told.append(said.notification)
                body = render_webhook(said.notification, public_url="https://waymark.example")
                self._due += [(delivery_id(self._new_id()), body) for _ in said.notification.endpoints]
        return told

    async def deliver(self) -> list[AttemptOutcome]:
        """Sign and send what is due; what was not delivered stays due."""
        outcomes = []
        for webhook_id, body in list(self._due):
            now = SystemClock().now()  # an attempt is dated by the real clock: receivers refuse what is old
            headers = self.signer.headers(webhook_id, body, [self.secret], now)
            sent = await self.desk.send(URL, body, headers)
            outcomes.append(judge_answer(sent.answer).outcome)
            if outcomes[-1] is AttemptOutcome.DELIVERED:
                self._due.remove((webhook_id, body))
        return outcomes

    def _new_id(self) -> UUID:
        return UUID(int=5000 + next(self._numbers))
