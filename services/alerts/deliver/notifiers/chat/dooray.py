"""The notifier `dooray`: an incoming hook of Dooray's messenger, a text with one coloured attachment.

The members are those of Dooray's help (메신저 > 서비스 연동 > Incoming): `botName`, `botIconImage`, `text`, and
`attachments` of `title`, `titleLink`, `text`, `color`. The answer is 200 with `header.isSuccessful`, which decides.
Dooray states no limit of length. It cannot change a message.
"""

from typing import cast

from services.alerts.deliver.notifiers import verdicts
from services.alerts.deliver.notifiers.cutting import cut, last_lines
from services.alerts.deliver.notifiers.encoding import encode
from services.alerts.deliver.notifiers.notifier import (
    AddressUse,
    Language,
    Notifier,
    NotifierTarget,
    NotifierVerdict,
    Outbound,
    OutboundRequest,
    ReaderOptions,
    ReceiverReply,
)
from services.alerts.deliver.notifiers.told_message import ToldMessage
from services.alerts.deliver.notifiers.wording import word_message

_LINE = 500
_TEXT = 3000
_FACT = 200


class DoorayOptions(ReaderOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of Dooray: the name of the bot, and its picture if there is one (https)."""

    language: Language = "ko"
    time_zone: str = "Asia/Seoul"
    bot_name: str = "Waymark"
    bot_icon: str = ""


def render(message: ToldMessage, target: NotifierTarget) -> tuple[Outbound, ...]:
    """Return the request: the line, and an attachment with facts, journey and links."""
    options = cast("DoorayOptions", target.options)
    worded = word_message(message, options)
    facts = [f"{cut(name, _FACT)}: {cut(value, _FACT)}" for name, value in worded.facts]
    lines = [worded.status] if worded.status else []
    lines += [*worded.advice(), *facts]
    if target.acknowledge_url and message.issue is not None and message.issue.state == "open":
        lines.append(f"{worded.label('acknowledge')}: {target.acknowledge_url}")
    head = "\n".join(lines)
    journey = last_lines(worded.steps, max(0, _TEXT - len(head) - 1), worded.earlier) if worded.steps else ""
    attachment = {"title": worded.label("open"), "titleLink": worded.url} if worded.url else {}
    attachment |= {"text": "\n".join(part for part in (head, journey) if part), "color": worded.colour}
    document: dict[str, object] = {"botName": options.bot_name, "text": cut(worded.plain(), _LINE)}
    if attachment["text"] or worded.url:
        document["attachments"] = [attachment]
    if options.bot_icon:
        document["botIconImage"] = options.bot_icon
    return (OutboundRequest(url=target.url, body=encode(document)),)


def judge(reply: ReceiverReply) -> NotifierVerdict:
    """Return what the answer means: Dooray may say in a body of status 200 that it failed."""
    header = reply.document().get("header")
    if reply.answer.status == 200 and isinstance(header, dict) and header.get("isSuccessful") is False:
        return verdicts.AGAIN
    return verdicts.by_status(reply)


NOTIFIER = Notifier(
    kind="dooray",
    title_en="Dooray messenger, incoming hook",
    title_ko="두레이 메신저 Incoming",
    options=DoorayOptions,
    render=render,
    judge=judge,
    address=AddressUse.SECRET,
    coalesces=True,
)
