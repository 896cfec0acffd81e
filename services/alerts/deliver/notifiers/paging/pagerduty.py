"""The notifier `pagerduty`: events of PagerDuty's Events API v2, one incident per issue.

The `dedup_key` names the issue, so a message that is sent twice changes nothing, and PagerDuty's webhooks lead back to
it. Limits by https://developer.pagerduty.com/docs/events-api-v2/trigger-events: a summary of 1,024 characters, a key
of 255, an event of 512 KB; about 120 events a minute and integration key
(…/events-api-v2-overview#response-codes--retry-logic). A 400 is permanent. A test opens an incident of its own and
resolves it at once.
"""

from typing import Literal, cast

from services.alerts.deliver.notifiers import verdicts
from services.alerts.deliver.notifiers.cutting import cut
from services.alerts.deliver.notifiers.encoding import encode, moment
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
from services.alerts.deliver.notifiers.wording import WordedMessage, word_message
from services.alerts.issues.model import AlertSeverity

SUMMARY = 1024
MOST_BYTES = 512_000
KEY_PREFIX = "waymark:"
_VALUE = 500
_PARAGRAPH = 1000

Action = Literal["trigger", "acknowledge", "resolve"]

_SEVERITIES = {
    AlertSeverity.CRITICAL: "critical",
    AlertSeverity.HIGH: "error",
    AlertSeverity.MEDIUM: "warning",
    AlertSeverity.LOW: "info",
}
_ACTIONS: dict[MessageKind, Action] = {
    MessageKind.ACKNOWLEDGED: "acknowledge",
    MessageKind.RESOLVED: "resolve",
}


class PagerDutyOptions(ReaderOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of PagerDuty: the component and the class of its incidents, where a service tells them apart."""

    component: str = ""
    event_class: str = ""


def render(message: ToldMessage, target: NotifierTarget) -> tuple[Outbound, ...]:
    """Return one event; two for a test."""
    actions: tuple[Action, ...] = (_ACTIONS.get(message.kind, "trigger"),)
    if message.kind is MessageKind.TEST:
        actions = ("trigger", "resolve")
    return tuple(_event(message, target, action) for action in actions)


def _event(message: ToldMessage, target: NotifierTarget, action: Action) -> OutboundRequest:
    document: dict[str, object] = {
        "routing_key": target.credentials["routing_key"],
        "event_action": action,
        "dedup_key": dedup_key(message, target),
    }
    if action == "trigger":
        document |= _trigger(message, target)
    body = encode(document)
    if len(body) > MOST_BYTES:  # the counts and the link stay
        body = encode({**document, "payload": {**cast("dict[str, object]", document["payload"]), "custom_details": {}}})
    return OutboundRequest(url=target.url, body=body)


def dedup_key(message: ToldMessage, target: NotifierTarget) -> str:
    """Return the key of the incident: the issue, the group, or this endpoint's test."""
    if message.issue is not None or message.group is not None:
        return KEY_PREFIX + message.subject
    return f"{KEY_PREFIX}{message.type}:{target.endpoint_id}"


def _trigger(message: ToldMessage, target: NotifierTarget) -> dict[str, object]:
    options = cast("PagerDutyOptions", target.options)
    worded, issue = word_message(message, options), message.issue
    payload: dict[str, object] = {
        "summary": cut(worded.headline, SUMMARY),
        "source": "waymark",
        "severity": _SEVERITIES[issue.severity] if issue else "info",
        "timestamp": moment(issue.last_at if issue else message.timestamp),
    }
    more = {"component": options.component, "class": options.event_class, "group": (issue and issue.reason) or ""}
    payload |= {name: cut(value, 255) for name, value in more.items() if value}
    if worded.facts or worded.steps or worded.advice():
        payload["custom_details"] = _details(worded)
    links = [{"href": worded.url, "text": worded.label("open")}] if worded.url else []
    if target.acknowledge_url and issue is not None and issue.state == "open":
        links.append({"href": target.acknowledge_url, "text": worded.label("acknowledge")})
    client = {"client": "Waymark", "client_url": worded.url} if worded.url else {"client": "Waymark"}
    return {"payload": payload, "links": links, **client}


def _details(worded: WordedMessage) -> dict[str, object]:
    facts: dict[str, object] = {cut(name, 100): cut(value, _VALUE) for name, value in worded.facts}
    advice = (("why", worded.why), ("playbook", worded.playbook))
    facts |= {worded.label(name): cut(text, _PARAGRAPH) for name, text in advice if text}
    return {**facts, worded.label("journey"): [cut(step, _VALUE) for step in worded.steps]} if worded.steps else facts


def judge(reply: ReceiverReply) -> NotifierVerdict:
    """Return what the answer means; a 400 is about the event, unless it says that the key is wrong."""
    if reply.answer.status == 400 and b"routing_key" in reply.body:
        return verdicts.REVOKED
    return verdicts.by_status(reply, revoked=frozenset({401, 404, 410}))


NOTIFIER = Notifier(
    kind="pagerduty",
    title_en="PagerDuty (Events API v2)",
    title_ko="PagerDuty(Events API v2)",
    options=PagerDutyOptions,
    render=render,
    judge=judge,
    address=AddressUse.DEFAULT,
    default_url="https://events.pagerduty.com/v2/enqueue",
    credentials=(
        CredentialSpec(name="routing_key", description="Integration key of the service, 32 characters."),
        CredentialSpec(
            name="webhook_secret",
            description="Secret of the webhook subscription (v3) that tells Waymark who acknowledged.",
            required=False,
        ),
    ),
    coalesces=True,
    rate_per_minute=120,
)
