"""The notifier `teams_workflow`: an Adaptive Card for the Workflows webhook of Microsoft Teams.

The connectors of Office 365 are gone; a workflow "When a Teams webhook request is received" takes this envelope. Cards
have version 1.4; a webhook allows no `Action.Submit`, so buttons are links. Microsoft refuses messages of more than 28
KB (https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using), and in
practice some of more than 21 KB, so ours stay below 20,000 bytes. A connector that is throttled answers 200 with a
body that says "HTTP error 429": the body decides. Limits of a flow's trigger are four requests a second.
"""

from typing import Any, cast

from services.alerts.deliver.notifiers import verdicts
from services.alerts.deliver.notifiers.cutting import cut, unlinked
from services.alerts.deliver.notifiers.encoding import encode
from services.alerts.deliver.notifiers.notifier import (
    AddressUse,
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

MOST_BYTES = 20_000
_TEXT = 600
_FACT = 300
_COLOURS = {
    AlertSeverity.CRITICAL: "attention",
    AlertSeverity.HIGH: "attention",
    AlertSeverity.MEDIUM: "warning",
    AlertSeverity.LOW: "default",
}
_REVOKED = (
    b"WorkflowNotFound",
    b"WorkflowTriggerIsNotEnabled",
    b"DirectApiAuthorizationRequired",
    b"MissingRequestAuth",
)

Element = dict[str, Any]


def render(message: ToldMessage, target: NotifierTarget) -> tuple[Outbound, ...]:
    """Return the request with one card; the oldest steps of the journey are left out until it is small enough."""
    worded = word_message(message, cast("ReaderOptions", target.options))
    for shown in range(len(worded.steps), -1, -1):
        body = encode(_envelope(_card(message, worded, target, shown)))
        if len(body) <= MOST_BYTES:
            return (OutboundRequest(url=target.url, body=body),)
    return render_plain(message, target)


def render_plain(message: ToldMessage, target: NotifierTarget) -> tuple[Outbound, ...]:
    """Return the request with a card of one text."""
    worded = word_message(message, cast("ReaderOptions", target.options))
    card = _as_card([_text(worded.plain(), weight="bolder")], [])
    return (OutboundRequest(url=target.url, body=encode(_envelope(card))),)


def _envelope(card: Element) -> Element:
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _card(message: ToldMessage, worded: WordedMessage, target: NotifierTarget, shown: int) -> Element:
    body = [_text(worded.headline, size="large", weight="bolder", color=_colour(message))]
    if worded.status:
        body.append(_text(worded.status, isSubtle=True, spacing="none"))
    if worded.why:
        body.append(_text(worded.why))
    if worded.playbook:
        body += [_text(worded.label("playbook"), weight="bolder"), _text(worded.playbook, spacing="none")]
    if worded.facts:
        facts = [
            {"title": unlinked(cut(name, _FACT)), "value": unlinked(cut(value, _FACT))} for name, value in worded.facts
        ]
        body.append({"type": "FactSet", "facts": facts})
    if worded.steps:
        hidden = len(worded.steps) - shown
        lines = [worded.earlier(hidden)] if hidden else []
        lines += worded.steps[hidden:]
        body.append(_text(worded.label("journey"), weight="bolder"))
        body += [_text(line, spacing="none") for line in lines]
    return _as_card(body, _actions(message, worded, target))


def _as_card(body: list[Element], actions: list[Element]) -> Element:
    card: Element = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
        "msteams": {"width": "Full"},
    }
    return {**card, "actions": actions} if actions else card


def _text(text: str, **look: object) -> Element:
    return {"type": "TextBlock", "text": unlinked(cut(text, _TEXT)), "wrap": True, **look}


def _colour(message: ToldMessage) -> str:
    if message.kind is MessageKind.RESOLVED:
        return "good"
    return _COLOURS[message.issue.severity] if message.issue else "accent"


def _actions(message: ToldMessage, worded: WordedMessage, target: NotifierTarget) -> list[Element]:
    found: list[Element] = []
    if target.acknowledge_url and message.issue is not None and message.issue.state == "open":
        title = worded.label("acknowledge")
        found.append({"type": "Action.OpenUrl", "title": title, "url": target.acknowledge_url})
    if worded.url:
        found.append({"type": "Action.OpenUrl", "title": worded.label("open"), "url": worded.url})
    return found


def judge(reply: ReceiverReply) -> NotifierVerdict:
    """Return what the answer means, by its body first: a throttled connector answers 200, a dead flow 400."""
    if b"HTTP error 429" in reply.body:
        return verdicts.throttled(reply)
    status = reply.answer.status
    if status is not None and status >= 400 and any(word in reply.body for word in _REVOKED):
        return verdicts.REVOKED
    return verdicts.by_status(reply)


NOTIFIER = Notifier(
    kind="teams_workflow",
    title_en="Microsoft Teams, Workflows webhook",
    title_ko="Microsoft Teams 워크플로 웹훅",
    options=ReaderOptions,
    render=render,
    render_plain=render_plain,
    judge=judge,
    address=AddressUse.SECRET,
    coalesces=True,
    rate_per_minute=30,
)
