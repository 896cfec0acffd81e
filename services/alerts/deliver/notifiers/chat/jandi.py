"""The notifier `jandi`: an incoming webhook of JANDI, one message with coloured details.

The format is that of https://support.jandi.com/en/articles/6352697-receiving-incoming-webhooks-in-jandi: `body` is the
only needed member, links are Markdown, and the header `Accept` names the version. JANDI states no limit of length; ours
are far below the 5,000 characters that a message of its clients may have. It cannot change a message.
"""

from typing import cast

from services.alerts.deliver.notifiers import verdicts
from services.alerts.deliver.notifiers.cutting import cut, last_lines, unlinked
from services.alerts.deliver.notifiers.encoding import encode
from services.alerts.deliver.notifiers.notifier import (
    AddressUse,
    Language,
    Notifier,
    NotifierTarget,
    Outbound,
    OutboundRequest,
    ReaderOptions,
)
from services.alerts.deliver.notifiers.told_message import ToldMessage
from services.alerts.deliver.notifiers.wording import WordedMessage, word_message

_BODY = 500
_DESCRIPTION = 2000
_FACT = 200
HEADERS = {"accept": "application/vnd.tosslab.jandi-v2+json", "content-type": "application/json"}


class JandiOptions(ReaderOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of JANDI; its readers are Korean unless one says otherwise."""

    language: Language = "ko"
    time_zone: str = "Asia/Seoul"


def render(message: ToldMessage, target: NotifierTarget) -> tuple[Outbound, ...]:
    """Return the request: a line with a link, the facts, the journey."""
    worded = word_message(message, cast("JandiOptions", target.options))
    line = unlinked(cut(worded.plain(), _BODY))
    links = [(worded.label("open"), worded.url)] if worded.url else []
    if target.acknowledge_url and message.issue is not None and message.issue.state == "open":
        links.append((worded.label("acknowledge"), target.acknowledge_url))
    document: dict[str, object] = {
        "body": " ".join([line, *(f"[[{label}]]({url})" for label, url in links)]),
        "connectColor": worded.colour,
    }
    if details := _details(worded):
        document["connectInfo"] = details
    return (OutboundRequest(url=target.url, body=encode(document), headers=HEADERS),)


def render_plain(message: ToldMessage, target: NotifierTarget) -> tuple[Outbound, ...]:
    """Return the request with the one line that JANDI needs."""
    worded = word_message(message, cast("JandiOptions", target.options))
    body = encode({"body": unlinked(cut(worded.plain(), _BODY))})
    return (OutboundRequest(url=target.url, body=body, headers=HEADERS),)


def _details(worded: WordedMessage) -> list[dict[str, str]]:
    found = [{"title": worded.status}] if worded.status else []
    if worded.why:
        found.append({"title": unlinked(cut(worded.why, _DESCRIPTION))})
    if worded.playbook:
        found.append({"title": worded.label("playbook"), "description": unlinked(cut(worded.playbook, _DESCRIPTION))})
    if worded.facts:
        facts = " · ".join(f"{cut(name, _FACT)}: {cut(value, _FACT)}" for name, value in worded.facts)
        found.append({"title": worded.severity, "description": unlinked(cut(facts, _DESCRIPTION))})
    if worded.steps:
        steps = last_lines(worded.steps, _DESCRIPTION, worded.earlier)
        found.append({"title": worded.label("journey"), "description": unlinked(steps)})
    return found


NOTIFIER = Notifier(
    kind="jandi",
    title_en="JANDI, incoming webhook",
    title_ko="잔디 수신 웹훅",
    options=JandiOptions,
    render=render,
    render_plain=render_plain,
    judge=verdicts.by_status,
    address=AddressUse.SECRET,
    coalesces=True,
)
