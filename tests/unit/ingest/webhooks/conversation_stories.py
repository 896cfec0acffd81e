"""Conversations that vendors' webhooks tell piece by piece, and what ingest and the journey worker make of them.

The deliveries are the examples of `examples/sources`, which follow the vendors' documents, told one after the other:
only ids, times and texts are others. The customer of each story is one person.

`python -m tests.unit.ingest.webhooks.conversation_stories` writes `docs/conversations.md` anew; `make
conversations-page` runs it.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch
from urllib.parse import parse_qsl, urlencode

import msgspec

from schemas.documents import touchpoint
from services.ingest.forms.webhooks.signatures import SignatureFinding
from services.journey import policies
from services.journey.domain.contacts.contact import Contact
from services.journey.domain.contacts.contact_summary import ContactSummary, summarize
from services.journey.domain.history import CustomerHistory
from services.journey.domain.projection import project
from services.journey.domain.touchpoint import RecordedTouchpoint, Touchpoint
from services.journey.rulebook import rules_file
from tests.fixtures.clock import SteppingClock
from tests.unit.ingest.webhooks.bench import WebhookBench, settings
from tests.unit.ingest.webhooks.deliveries import NOW, example
from tests.unit.ingest.webhooks.retelling import (
    Edit,
    as_told,
    connect,
    genesys,
    hubspot,
    intercom,
    line,
    mailgun,
    mailgun_first,
    messaging,
    naver,
    slack,
    told_again,
    twilio,
    voice,
    whatsapp,
    zendesk,
)
from tests.unit.ingest.webhooks.test_signatures import VECTORS

PAGE = Path(__file__).parents[4] / "docs" / "conversations.md"

REPEATS = ("repeat_contact_24h", "repeat_contact_7d")
POLICY = policies.projection()
HOUR, DAY = 60, 24 * 60


@dataclass(frozen=True, kw_only=True)
class Story:
    """Deliveries as (minutes after the first, example, what is other), and what they become.

    `contacts` says of each contact `(touchpoints, messages, turns)`; `frictions` are rules, one for each friction.
    """

    told: Sequence[tuple[float, str, Edit]]
    contacts: Sequence[tuple[int, int, int]]
    frictions: Sequence[str] = ()
    handed_over: bool = False


STORIES = {
    "LINE: three lines in 20 seconds": Story(
        told=[(0, "line/messages", line), (9 / 60, "line/messages", line), (20 / 60, "line/messages", line)],
        contacts=[(3, 3, 1)],
    ),
    "LINE: back after an hour": Story(
        told=[(0, "line/messages", line), (1, "line/messages", line), (HOUR, "line/messages", line)],
        contacts=[(2, 2, 1), (1, 1, 1)],
        frictions=REPEATS,
    ),
    "LINE and KakaoTalk at once": Story(
        told=[
            (0, "line/messages", line),
            (1, "kakao_skill/utterance", told_again("배송 조회해 주세요")),
            (2, "line/messages", line),
        ],
        contacts=[(2, 2, 1), (1, 1, 1)],
        frictions=REPEATS,
    ),
    "Twilio SMS: four texts in 40 seconds": Story(
        told=[(13 * number / 60, "twilio_sms/message_received", twilio) for number in range(4)],
        contacts=[(4, 4, 1)],
    ),
    "Twilio SMS: to and fro, our answer delivered": Story(
        told=[
            (0, "twilio_sms/message_received", twilio),
            (20, "twilio_sms/delivered", twilio),
            (45, "twilio_sms/message_received", twilio),
            (46, "twilio_sms/undelivered", twilio),
        ],
        contacts=[(4, 4, 4)],
    ),
    "Twilio SMS: we write first": Story(
        told=[(0, "twilio_sms/delivered", twilio), (10, "twilio_sms/message_received", twilio)],
        contacts=[(2, 2, 2)],
    ),
    "Twilio WhatsApp: beside an SMS": Story(
        told=[
            (0, "twilio_sms/whatsapp_received", twilio),
            (1, "twilio_sms/message_received", twilio),
            (2, "twilio_sms/whatsapp_received", twilio),
        ],
        contacts=[(2, 2, 1), (1, 1, 1)],
        frictions=REPEATS,
    ),
    "Twilio Voice: one call with a queue": Story(
        told=[
            (0, "twilio_voice/call_answered", voice("1")),
            (2, "twilio_voice/queue_bridged", voice("1")),
            (11, "twilio_voice/call_completed", voice("1")),
        ],
        contacts=[(3, 0, 0)],
    ),
    "Twilio Voice: a second call": Story(
        told=[
            (0, "twilio_voice/call_answered", voice("1")),
            (11, "twilio_voice/call_completed", voice("1")),
            (20, "twilio_voice/call_answered", voice("2")),
        ],
        contacts=[(2, 0, 0), (1, 0, 0)],
        frictions=REPEATS,
    ),
    "KakaoTalk: a chatbot that does not understand": Story(
        told=[
            (0, "kakao_skill/utterance", told_again("배송 조회해 주세요")),
            (1, "kakao_skill/fallback", told_again("아까 말한 거 어떻게 됐어요")),
            (2, "kakao_skill/utterance", told_again("상담원 연결해 주세요")),
        ],
        contacts=[(3, 3, 3)],
    ),
    "Naver TalkTalk: to and fro": Story(
        told=[
            (0, "naver_talktalk/message", naver),
            (0.2, "naver_talktalk/message", naver),
            (25, "naver_talktalk/echo", naver),
            (50, "naver_talktalk/message", naver),
        ],
        contacts=[(4, 4, 3)],
    ),
    "Messenger: answered from the inbox": Story(
        told=[
            (0, "meta/messenger_messages", messaging),
            (0.1, "meta/messenger_messages", messaging),
            (5, "meta/messenger_echo", messaging),
            (6, "meta/messenger_messages", messaging),
        ],
        contacts=[(4, 4, 3)],
    ),
    "Messenger: back the next day": Story(
        told=[
            (0, "meta/messenger_messages", messaging),
            (5, "meta/messenger_echo", messaging),
            (DAY + 1, "meta/messenger_messages", messaging),
        ],
        contacts=[(2, 2, 2), (1, 1, 1)],
        frictions=["repeat_contact_7d"],
    ),
    "Instagram: answered": Story(
        told=[
            (0, "meta/instagram_messages", messaging),
            (10, "meta/instagram_echo", messaging),
            (20, "meta/instagram_messages", messaging),
        ],
        contacts=[(3, 3, 3)],
    ),
    "WhatsApp: lines, an answer by the API and one by the app": Story(
        told=[
            (0, "meta/whatsapp_messages", whatsapp("messages")),
            (0.1, "meta/whatsapp_messages", whatsapp("messages")),
            (4, "meta/whatsapp_statuses", whatsapp("statuses", 1)),
            (20, "meta/whatsapp_sent_by_agent", whatsapp("message_echoes")),
            (49, "meta/whatsapp_messages", whatsapp("messages")),
        ],
        contacts=[(5, 5, 3)],
    ),
    "Slack: lines, then in the thread": Story(
        told=[
            (0, "slack/message_of_customer", slack()),
            (0.2, "slack/message_of_customer", slack()),
            (3, "slack/message_of_customer", slack(thread=0)),
        ],
        contacts=[(3, 3, 1)],
    ),
    "Intercom: a bot, then a person, then a rating": Story(
        told=[
            (0, "intercom/conversation_created", intercom()),
            (0.1, "intercom/bot_replied", intercom()),
            (0.1, "intercom/bot_replied", intercom(topic="conversation.admin.replied", again=1)),
            (1, "intercom/user_replied", intercom()),
            (5, "intercom/admin_replied", intercom()),
            (3 * HOUR, "intercom/user_replied", intercom()),
            (4 * HOUR, "intercom/closed", intercom()),
            (DAY, "intercom/rated", intercom()),
        ],
        contacts=[(6, 5, 5)],
        handed_over=True,
    ),
    "Intercom: another conversation": Story(
        told=[
            (0, "intercom/conversation_created", intercom("1")),
            (5, "intercom/user_replied", intercom("1")),
            (10, "intercom/conversation_created", intercom("2")),
        ],
        contacts=[(2, 2, 1), (1, 1, 1)],
        frictions=REPEATS,
    ),
    "Zendesk events: a ticket by mail": Story(
        told=[
            (0, "zendesk/ticket_created", zendesk()),
            (0.1, "zendesk/comment_of_customer", zendesk()),
            (HOUR, "zendesk/comment_of_staff", zendesk()),
            (2 * DAY, "zendesk/comment_of_customer", zendesk()),
            (3 * DAY, "zendesk/ticket_solved", zendesk()),
        ],
        contacts=[(4, 4, 3)],
    ),
    "Zendesk trigger: comments of two tickets": Story(
        told=[
            (0, "zendesk/trigger_commented", zendesk("1")),
            (10, "zendesk/trigger_commented", zendesk("1")),
            (20, "zendesk/trigger_commented", zendesk("2")),
            (2 * DAY, "zendesk/trigger_commented", zendesk("1")),
        ],
        contacts=[(3, 3, 1), (1, 1, 1)],
        frictions=REPEATS,
    ),
    "Genesys Cloud: a message conversation": Story(
        told=[
            (0, "genesys_cloud/message_start", genesys()),
            (HOUR, "genesys_cloud/message_end", genesys()),
        ],
        contacts=[(2, 1, 1)],
    ),
    "Amazon Connect: a chat that is handed on": Story(
        told=[
            (0, "amazon_connect/chat_initiated", connect("3f1c")),
            (5, "amazon_connect/chat_transferred", connect("3f1c")),
            (20, "amazon_connect/chat_disconnected", connect("3f1c")),
        ],
        contacts=[(3, 1, 1)],
    ),
    "KakaoTalk channel: added and blocked": Story(
        told=[(0, "kakao_channel/added", as_told), (1, "kakao_channel/blocked", as_told)], contacts=[]
    ),
    "Shopify: an order that is sent": Story(
        told=[(0, "shopify/order_placed", as_told), (DAY, "shopify/order_shipped", as_told)], contacts=[]
    ),
    "AfterShip: a parcel that is late": Story(
        told=[(0, "aftership/delayed", as_told), (DAY, "aftership/delivered", as_told)], contacts=[]
    ),
    "HubSpot: two tickets from forms": Story(
        told=[(0, "hubspot/contact_to_ticket", hubspot(7001)), (5, "hubspot/contact_to_ticket", hubspot(7002))],
        contacts=[(1, 1, 1), (1, 1, 1)],
        frictions=REPEATS,
    ),
    "Mailgun: a thread": Story(
        told=[
            (0, "mailgun/mail_received", mailgun_first),
            (DAY, "mailgun/reply_received", mailgun),
            (2 * DAY, "mailgun/reply_received", mailgun),
        ],
        contacts=[(3, 3, 1)],
    ),
    "Mailgun: another thread": Story(
        told=[(0, "mailgun/mail_received", mailgun), (HOUR, "mailgun/mail_received", mailgun)],
        contacts=[(1, 1, 1), (1, 1, 1)],
        frictions=REPEATS,
    ),
}


async def _told(story: Story, clock: SteppingClock) -> list[RecordedTouchpoint]:
    """Deliver a story to ingest, and return what it publishes as the journey worker reads it."""
    bench = await WebhookBench(clock=clock, settings=settings()).started()
    for number, (minutes, name, edit) in enumerate(story.told):
        given = example(name)
        at = NOW + timedelta(minutes=minutes)
        clock.set(at)
        form = given.path.suffix == ".form"
        body = dict(parse_qsl(given.body.decode())) if form else json.loads(given.body)
        edit(body, number, at)
        vector = next(one for one in VECTORS if one["system"] == given.system)
        answer = await bench.deliver(
            vector,
            body=urlencode(body).encode() if form else json.dumps(body).encode(),
            headers={**given.headers, **vector["headers"], "x-forwarded-for": "211.249.40.5"},
        )
        assert answer.status == 200
    decoded = (
        msgspec.json.decode(touchpoint.encode(one), type=Touchpoint, strict=False)
        for one in bench.publisher.touchpoints
    )
    return [RecordedTouchpoint(touchpoint=one, appended_at=one.received_at) for one in decoded]


@dataclass(frozen=True, kw_only=True)
class StoryResult:
    """What a story became: how many touchpoints, which contacts, and the rules of its frictions."""

    touchpoints: int
    contacts: Sequence[tuple[Contact, ContactSummary]]
    frictions: Sequence[str]
    counted_in_journeys: int


async def become(story: Story) -> StoryResult:
    """Deliver a story, and return what the worker makes of it. Signatures are taken for right."""
    clock = SteppingClock(NOW)
    with patch("services.ingest.forms.webhooks.post_webhook.verify", lambda *_: SignatureFinding.VERIFIED):
        history = await _told(story, clock)
    projection = project(history, rulebook=rules_file.load(), policy=POLICY)
    return StoryResult(
        touchpoints=len(history),
        contacts=[(one, summarize(one, POLICY.contacts)) for one in CustomerHistory(history, POLICY.contacts).contacts],
        frictions=sorted(one.rule for one in projection.findings),
        counted_in_journeys=sum(journey.contact_count for journey in projection.journeys),
    )


_HEAD = """# What conversations become

Each row is a conversation as a channel system's webhooks tell it: the deliveries are those of
[`examples/sources`](../examples/sources), which follow the vendors' documents, with other ids and times. All of it
comes from one customer. A *contact* is one conversation, however many touchpoints it takes; a *turn* is what one side
says in a row; a call has none. How contacts are bounded is in [semantics.md](semantics.md#contacts).

`make conversations-page` writes this page from what ingest and the journey worker make of the deliveries; a test fails
when it is out of date.

| what happens | deliveries | touchpoints | contacts | first reply after | frictions |
|---|---|---|---|---|---|
"""


def page(results: Mapping[str, StoryResult]) -> str:
    """Return the page that tells what each story became."""
    return _HEAD + "".join(_row(name, results[name]) for name in STORIES)


def _row(name: str, found: StoryResult) -> str:
    contacts = "<br>".join(_contact(one, summary) for one, summary in found.contacts) or "none"
    replies = "<br>".join(_reply(summary) for _, summary in found.contacts)
    frictions = ", ".join(f"`{rule}`" for rule in found.frictions) or "none"
    deliveries = len(STORIES[name].told)
    return f"| {name} | {deliveries} | {found.touchpoints} | {contacts} | {replies} | {frictions} |\n"


def _contact(contact: Contact, summary: ContactSummary) -> str:
    said = f"{len(contact.everything)} on `{summary.channel}`"
    if summary.turns:
        said += f", {_number(summary.turns, 'turn')}"
    if summary.handed_over_at is not None:
        said += ", bot to person"
    return said + (f", `{summary.outcome}`" if summary.outcome else "")


def _reply(summary: ContactSummary) -> str:
    if summary.first_reply_after is None:
        return "–"
    seconds = summary.first_reply_after.total_seconds()
    return f"{seconds:g} s" if seconds < 60 else f"{seconds / 60:g} min"


def _number(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


async def all_results() -> dict[str, StoryResult]:
    """Return what every story becomes."""
    return {name: await become(story) for name, story in STORIES.items()}


if __name__ == "__main__":
    PAGE.write_text(page(asyncio.run(all_results())), encoding="utf-8")
