"""Lays a message out for Slack: a fallback text and blocks of Block Kit, within Slack's limits.

The limits are those of https://docs.slack.dev/reference/block-kit/blocks: 50 blocks, a header of 150 characters, a
section text of 3,000, ten fields of 2,000, 25 buttons of 75. All blocks of a message together may hold about 13,200
characters, which no page says (slackapi/bolt-js#2509), so that ours stay far below. Text of producers stands in plain
text or escaped (`&`, `<`, `>`), so that nobody can mention a channel through it.
"""

import re
from collections.abc import Iterator

from services.alerts.deliver.notifiers.cutting import cut, last_lines
from services.alerts.deliver.notifiers.notifier import NotifierTarget, ReaderOptions
from services.alerts.deliver.notifiers.told_message import MessageKind, ToldMessage
from services.alerts.deliver.notifiers.wording import WordedMessage
from services.alerts.issues.model import AlertSeverity

HEADER = 150
SECTION = 2900
FIELDS = 10
FIELD = 300
FALLBACK = 3000
PARAGRAPH = 1400
BUTTON_VALUE_PARTS = ":"
ACKNOWLEDGE = "waymark_acknowledge"
RESOLVE = "waymark_resolve"

_MARKS = {
    AlertSeverity.CRITICAL: "🔴",
    AlertSeverity.HIGH: "🟠",
    AlertSeverity.MEDIUM: "🟡",
    AlertSeverity.LOW: "⚪",
}

Block = dict[str, object]


class SlackOptions(ReaderOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of both kinds of Slack; `mention` is a user group or user id (`S…`, `U…`) named in critical ones."""

    mention: str = ""


def check_mention(options: SlackOptions) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the mention."""
    if options.mention and not re.fullmatch(r"[SUW][A-Z0-9]{5,20}", options.mention):
        yield "options.mention", "Give the id of a user group (S…) or a user (U…), not its name."


def mark(message: ToldMessage) -> str:
    """Return the coloured sign of a message; green once it is over."""
    if message.kind is MessageKind.RESOLVED:
        return "🟢"
    return _MARKS[message.issue.severity] if message.issue else "🔵"


def fallback(message: ToldMessage, worded: WordedMessage, options: SlackOptions) -> str:
    """Return the text of notifications and of clients without blocks."""
    text = f"{mark(message)} {_shortened(worded.plain(), FALLBACK)}"
    return f"{text} {named}" if (named := _mention(message, options)) else text


def blocks(message: ToldMessage, worded: WordedMessage, target: NotifierTarget, options: SlackOptions) -> list[Block]:
    """Return the blocks of a message, with buttons that work where the endpoint has a signing secret."""
    header = cut(f"{mark(message)} {worded.headline}", HEADER)
    found: list[Block] = [{"type": "header", "text": {"type": "plain_text", "text": header, "emoji": True}}]
    if advice := _advice(worded):
        found.append({"type": "section", "text": {"type": "mrkdwn", "text": advice}})
    if worded.facts:
        found.append({"type": "section", "fields": [_field(*fact) for fact in worded.facts[:FIELDS]]})
    if worded.steps:
        label = f"*{worded.label('journey')}*"
        text = last_lines([escaped(step) for step in worded.steps], SECTION - len(label), worded.earlier)
        found.append({"type": "section", "text": {"type": "mrkdwn", "text": f"{label}\n{text}"}})
    notes = [_shortened(worded.status, FIELD)] if worded.status else []
    notes += [named] if (named := _mention(message, options)) else []
    if notes:
        found.append({"type": "context", "elements": [{"type": "mrkdwn", "text": " · ".join(notes)}]})
    if buttons := _buttons(message, worded, target):
        found.append({"type": "actions", "elements": buttons})
    return found


def _advice(worded: WordedMessage) -> str:
    """Return why it is open, and what to do under a heading."""
    to_do = f"*{worded.label('playbook')}*\n{_shortened(worded.playbook, PARAGRAPH)}" if worded.playbook else ""
    return "\n".join(part for part in (_shortened(worded.why, PARAGRAPH), to_do) if part)


def escaped(text: str) -> str:
    """Return a text in which Slack sees no markup of its own (https://docs.slack.dev/messaging/formatting-message-text)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _shortened(text: str, limit: int) -> str:
    """Return a text cut and escaped; what it is escaped to counts, `&amp;` as five characters."""
    return escaped(cut(text, limit, lambda part: len(escaped(part))))


def _field(label: str, value: str) -> dict[str, str]:
    return {"type": "mrkdwn", "text": f"*{_shortened(label, FIELD)}*\n{_shortened(value, FIELD)}"}


def _mention(message: ToldMessage, options: SlackOptions) -> str:
    urgent = message.issue is not None and message.issue.severity is AlertSeverity.CRITICAL
    if not options.mention or not urgent or message.kind not in {MessageKind.OPENED, MessageKind.REOPENED}:
        return ""
    return f"<!subteam^{options.mention}>" if options.mention.startswith("S") else f"<@{options.mention}>"


def _buttons(message: ToldMessage, worded: WordedMessage, target: NotifierTarget) -> list[Block]:
    issue = message.issue
    if issue is None:
        return []
    found: list[Block] = []
    if target.credentials.get("signing_secret") and message.kind is not MessageKind.RESOLVED:
        value = BUTTON_VALUE_PARTS.join((str(target.endpoint_id), issue.id))
        if issue.state == "open":
            found.append({**_button(worded.label("acknowledge"), ACKNOWLEDGE), "value": value, "style": "primary"})
        found.append({**_button(worded.label("resolve"), RESOLVE), "value": value})
    elif target.acknowledge_url and issue.state == "open":
        found.append({**_button(worded.label("acknowledge"), "waymark_link"), "url": target.acknowledge_url})
    if worded.url:
        found.append({**_button(worded.label("open"), "waymark_open"), "url": worded.url})
    return found


def _button(text: str, action: str) -> Block:
    return {"type": "button", "action_id": action, "text": {"type": "plain_text", "text": text}}
