"""The notifier `zendesk`: one ticket per issue, with internal comments for what happens later.

`POST /api/v2/tickets.json` with an `Idempotency-Key` (at most 255 characters; Zendesk remembers it for two hours) makes
the ticket once, however often it is sent; `external_id` is the issue's id. Later messages are `PUT
/api/v2/tickets/{id}.json`; comments are never public. A ticket that was closed or deleted is followed by a new one. By
https://developer.zendesk.com/api-reference/ticketing/tickets/tickets; a comment has at most 65,535 bytes.
"""

from base64 import b64encode
from typing import cast

from services.alerts.deliver.notifiers import verdicts
from services.alerts.deliver.notifiers.cutting import cut, utf8_bytes
from services.alerts.deliver.notifiers.encoding import encode
from services.alerts.deliver.notifiers.notifier import (
    AddressUse,
    CredentialSpec,
    Notifier,
    NotifierTarget,
    NotifierVerdict,
    Outbound,
    OutboundRequest,
    ReaderOptions,
    ReceiverReply,
)
from services.alerts.deliver.notifiers.told_message import MessageKind, ToldMessage
from services.alerts.deliver.notifiers.wording import word_message
from services.alerts.issues.model import AlertSeverity

SUBJECT = 150
COMMENT_BYTES = 60_000
_PRIORITIES = {
    AlertSeverity.CRITICAL: "urgent",
    AlertSeverity.HIGH: "high",
    AlertSeverity.MEDIUM: "normal",
    AlertSeverity.LOW: "low",
}


class ZendeskOptions(ReaderOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of Zendesk: the e-mail address of the agent whose API token it is, and a group for new tickets."""

    email: str
    group_id: int | None = None


def render(message: ToldMessage, target: NotifierTarget) -> tuple[Outbound, ...]:
    """Return the request that makes the ticket, or the one that adds to it."""
    options = cast("ZendeskOptions", target.options)
    token = b64encode(f"{options.email}/token:{target.credentials['api_token']}".encode()).decode()
    headers = {"authorization": f"Basic {token}", "accept": "application/json"}
    base, known = target.url.rstrip("/"), (target.reference or {}).get("ticket")
    document = encode({"ticket": _ticket(message, options, new=not known)})
    if known:
        return (
            OutboundRequest(url=f"{base}/api/v2/tickets/{known}.json", body=document, headers=headers, method="PUT"),
        )
    key = message.issue.id if message.issue else target.webhook_id
    headers["idempotency-key"] = f"waymark-{target.endpoint_id}-{key}-{message.sequence}"
    return (OutboundRequest(url=f"{base}/api/v2/tickets.json", body=document, headers=headers),)


def _ticket(message: ToldMessage, options: ZendeskOptions, *, new: bool) -> dict[str, object]:
    worded, issue = word_message(message, options), message.issue
    lines = [
        worded.plain(),
        worded.status,
        *worded.advice(),
        *(f"{name}: {value}" for name, value in worded.facts),
        *worded.steps,
    ]
    text = "\n".join(line for line in [*lines, worded.url] if line)
    ticket: dict[str, object] = {"comment": {"body": cut(text, COMMENT_BYTES, utf8_bytes), "public": False}}
    if issue is not None:
        ticket["priority"] = _PRIORITIES[issue.severity]
    if message.kind in {MessageKind.RESOLVED, MessageKind.TEST}:
        ticket["status"] = "solved"
    elif message.kind is MessageKind.REOPENED:
        ticket["status"] = "open"
    if new:
        ticket |= {"subject": cut(worded.headline, SUBJECT), "type": "incident", "tags": ["waymark"]}
        ticket |= {"external_id": issue.id} if issue else {}
        ticket |= {"group_id": options.group_id} if options.group_id is not None else {}
    return ticket


def judge(reply: ReceiverReply) -> NotifierVerdict:
    """Return what the answer means, and the number of a ticket; 404 and 422 say that the ticket cannot be changed."""
    status, ticket = reply.answer.status or 0, reply.document().get("ticket")
    if 200 <= status < 300:
        number = ticket.get("id") if isinstance(ticket, dict) else None
        return verdicts.delivered({"ticket": str(number)}) if isinstance(number, int) else verdicts.AGAIN
    if status == 404:
        return verdicts.FORGOTTEN
    if status == 422 and b"closed" in reply.body.lower():
        return verdicts.FORGOTTEN
    return verdicts.by_status(reply, revoked=frozenset({401, 403}))


NOTIFIER = Notifier(
    kind="zendesk",
    title_en="Zendesk, tickets",
    title_ko="Zendesk 티켓",
    options=ZendeskOptions,
    render=render,
    judge=judge,
    address=AddressUse.PUBLIC,
    credentials=(CredentialSpec(name="api_token", description="API token of the agent in `email`."),),
    rate_per_minute=100,
)
