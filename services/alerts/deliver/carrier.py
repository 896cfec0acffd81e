"""Carries one message to one endpoint: finds its notifier, renders, sends, and judges what came back.

It is the one way out for deliveries and for test messages. What it needs from the database is read beforehand, for a
whole batch (`provisions`); nothing is read while a message is under way. A failure is a result, never an exception.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

import msgspec

from services.alerts.deliver import credential_store, endpoint_store, reference_store
from services.alerts.deliver.action_link import VALID_FOR, ActionLink, ActionLinks
from services.alerts.deliver.http.sender import TOTAL_S, EndpointSender, SendExtent, SendResult
from services.alerts.deliver.notifiers.documents import standard_webhook
from services.alerts.deliver.notifiers.documents.template import TemplateRefusedError
from services.alerts.deliver.notifiers.notifier import (
    URL,
    AddressUse,
    Notifier,
    NotifierTarget,
    NotifierVerdict,
    Outbound,
    OutboundRequest,
    ReceiverReply,
    ReferenceChange,
    Render,
)
from services.alerts.deliver.notifiers.registry import notifiers
from services.alerts.deliver.notifiers.told_message import ToldMessage, read_message
from services.alerts.deliver.retry import AttemptFailure, AttemptOutcome, AttemptVerdict, ReceiverAnswer, judge_answer
from services.alerts.deliver.smtp.mail_sender import MailSender
from services.alerts.deliver.webhook import secret_store
from services.alerts.deliver.webhook.secret_store import SecretMaterial
from services.alerts.deliver.webhook.signing import MissingMasterKeyError, WebhookSigner
from services.runtime.clock import Clock
from services.runtime.credentials.sealing import CannotUnsealError, SealedSecret, SecretSealer
from services.runtime.postgres.pools import Connection
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

READS = 256 * 1024
"""Bytes that are read of a vendor's answer: Slack repeats the message, with six bytes for a Korean syllable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryAddress:
    """To which endpoint a message goes, and about which issue it is; None if it is about the service."""

    endpoint_id: UUID
    kind: str
    url: str
    issue_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Provision:
    """What the database knows about an endpoint that a message needs; the credentials are still sealed."""

    address: DeliveryAddress
    name: str = ""
    options: str = "{}"
    sealed: Mapping[str, SealedSecret] = field(default_factory=dict, repr=False)
    signing: Sequence[SecretMaterial] = field(default=(), repr=False)
    reference: Mapping[str, str] | None = None
    handed_on: Mapping[str, str] = field(default_factory=dict)
    """Headers of the trace, of a standard webhook alone: vendors would do nothing with them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedMessage:
    """The result of carrying a message: what was sent and answered, the verdict, and what becomes of the reference."""

    sent: SendResult
    verdict: AttemptVerdict
    change: ReferenceChange = ReferenceChange.KEEP
    reference: Mapping[str, str] = field(default_factory=dict)


async def provisions(
    connection: Connection, addresses: Collection[DeliveryAddress], now: datetime
) -> dict[DeliveryAddress, Provision]:
    """Return what the messages to these addresses need; standard webhooks need one query, all others four."""
    known = notifiers()
    signed = {one.endpoint_id for one in addresses if one.kind in known and known[one.kind].signed}
    signing = await secret_store.of_endpoints(connection, signed, now) if signed else {}
    plain = [one for one in addresses if one.kind == standard_webhook.KIND]
    found = {one: Provision(address=one, signing=signing.get(one.endpoint_id, ())) for one in plain}
    others = [one for one in addresses if one.kind != standard_webhook.KIND]
    if not others:
        return found
    ids = {one.endpoint_id for one in others}
    details = await endpoint_store.details_of(connection, ids)
    sealed = await credential_store.sealed_of(connection, ids)
    pairs = {(one.endpoint_id, one.issue_id) for one in others if one.issue_id is not None}
    references = await reference_store.of_pairs(connection, pairs)
    for one in others:
        name, options = details.get(one.endpoint_id, ("", "{}"))
        found[one] = Provision(
            address=one,
            name=name,
            options=options,
            sealed=sealed.get(one.endpoint_id, {}),
            signing=signing.get(one.endpoint_id, ()),
            reference=references.get((one.endpoint_id, one.issue_id)) if one.issue_id else None,
        )
    return found


class UnknownKindError(Exception):
    """No installed notifier has the kind of the endpoint; the message is the kind."""


_OBSTACLES: Mapping[type[Exception], tuple[str, AttemptFailure, AttemptOutcome]] = {
    MissingMasterKeyError: ("secret cannot be made", AttemptFailure.SIGNING, AttemptOutcome.RETRY),
    CannotUnsealError: ("credentials cannot be opened", AttemptFailure.UNSEALABLE, AttemptOutcome.RETRY),
    UnknownKindError: ("no notifier of this kind", AttemptFailure.RENDERING, AttemptOutcome.RETRY),
    msgspec.ValidationError: ("options do not fit", AttemptFailure.RENDERING, AttemptOutcome.RETRY),
    TemplateRefusedError: ("message cannot be rendered", AttemptFailure.RENDERING, AttemptOutcome.REFUSED),
}
"""Why nothing was sent. What an operator can mend keeps its message waiting; a template that failed gives it up."""


def _obstructed(error: Exception, endpoint_id: UUID) -> CarriedMessage:
    words, failure, outcome = _OBSTACLES[type(error)]
    _log.error(words, endpoint=str(endpoint_id), reason=str(error))
    return _not_sent(failure, outcome)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageCarrier:
    """Carries messages with the senders, signing keys and master keys of this process."""

    sender: EndpointSender
    mail: MailSender
    signer: WebhookSigner
    seal: SecretSealer
    links: ActionLinks
    clock: Clock

    async def carry(self, webhook_id: str, body: bytes, provision: Provision) -> CarriedMessage:
        """Carry one message and return its result; one attempt lasts at most as long as one request may."""
        try:
            if provision.address.kind == standard_webhook.KIND:
                headers = self.signer.headers(webhook_id, body, provision.signing, self.clock.now())
                sent = await self.sender.send(provision.address.url, body, {**headers, **provision.handed_on})
                return CarriedMessage(sent=sent, verdict=judge_answer(sent.answer))
            return await self._rendered(webhook_id, body, provision)
        except tuple(_OBSTACLES) as error:
            return _obstructed(error, provision.address.endpoint_id)

    async def _rendered(self, webhook_id: str, body: bytes, provision: Provision) -> CarriedMessage:
        notifier = notifiers().get(provision.address.kind)
        if notifier is None:
            raise UnknownKindError(provision.address.kind)
        message = read_message(body)
        target = self._target(notifier, webhook_id, provision, message)
        ends_at = self.clock.monotonic() + TOTAL_S
        carried = await self._send_all(notifier, notifier.render(message, target), ends_at)
        plain: Render | None = notifier.render_plain
        if plain is not None and carried.verdict.failure is AttemptFailure.REFUSED:
            _log.warning("message refused, sent again as text", endpoint=str(provision.address.endpoint_id))
            carried = await self._send_all(notifier, plain(message, target), ends_at)
        return carried

    def _target(
        self, notifier: Notifier, webhook_id: str, provision: Provision, message: ToldMessage
    ) -> NotifierTarget:
        address, now = provision.address, self.clock.now()
        link: str | None = None
        if address.issue_id is not None:
            ends = message.timestamp + VALID_FOR  # by the message, so that a repeated one holds the same link
            claim = ActionLink(issue_id=address.issue_id, endpoint_id=address.endpoint_id, expires_at=ends)
            link = self.links.url(claim)
        credentials = credential_store.opened(address.endpoint_id, provision.sealed, self.seal)
        needed = {spec.name for spec in notifier.credentials if spec.required}
        needed |= {URL} if notifier.address is AddressUse.SECRET else set()
        if needed - credentials.keys():
            raise CannotUnsealError(f"not stored: {', '.join(sorted(needed - credentials.keys()))}")
        return NotifierTarget(
            endpoint_id=address.endpoint_id,
            name=provision.name,
            url=credentials.get(URL) or address.url or notifier.default_url,
            options=msgspec.json.decode(provision.options, type=notifier.options),
            credentials=credentials,
            webhook_id=webhook_id,
            attempted_at=now,
            signature=lambda body: self.signer.headers(webhook_id, body, provision.signing, now),
            reference=provision.reference,
            acknowledge_url=link,
        )

    async def _send_all(self, notifier: Notifier, requests: Sequence[Outbound], ends_at: float) -> CarriedMessage:
        """Send requests in their order up to the first that is not taken; a reference that one sets is kept."""
        carried = _not_sent(AttemptFailure.TIMEOUT)
        for number, request in enumerate(requests):
            left_s = max(0.1, ends_at - self.clock.monotonic())
            sent = await self._send(request, left_s)
            judged: NotifierVerdict = notifier.judge(ReceiverReply(answer=sent.answer, body=sent.body))
            before = carried
            carried = CarriedMessage(
                sent=sent, verdict=judged.verdict, change=judged.change, reference=judged.reference
            )
            if number and carried.change is ReferenceChange.KEEP:
                carried = replace(carried, change=before.change, reference=before.reference)
            if carried.verdict.outcome is not AttemptOutcome.DELIVERED:
                break
        return carried

    async def _send(self, request: Outbound, within_s: float) -> SendResult:
        if isinstance(request, OutboundRequest):
            extent = SendExtent(method=request.method, within_s=within_s, reads=READS)
            return await self.sender.send(request.url, request.body, request.headers, extent=extent)
        return await self.mail.send(request, within_s=within_s)


def _not_sent(failure: AttemptFailure, outcome: AttemptOutcome = AttemptOutcome.RETRY) -> CarriedMessage:
    return CarriedMessage(
        sent=SendResult(answer=ReceiverAnswer(failure=failure), seconds=0.0),
        verdict=AttemptVerdict(outcome=outcome, failure=failure),
    )
