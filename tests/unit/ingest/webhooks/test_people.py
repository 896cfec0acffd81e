"""Who is the customer: never the staff, in any system's events, or all customers of one agent become one person."""

import re
from urllib.parse import urlencode

import pytest

from services.ingest.forms.webhooks.signatures import SignatureFinding
from tests.fixtures.clock import SteppingClock
from tests.unit.ingest.webhooks.bench import WebhookBench, settings
from tests.unit.ingest.webhooks.deliveries import NOW, example
from tests.unit.ingest.webhooks.test_signatures import VECTORS

PHONE = {"821012345678": "821012345679"}
OF_INTERCOM = {"6762f0dd1bb69f9f2193bb83": "6762f0dd1bb69f9f2193bb84", "C-1009": "C-1010"}
OF_ZENDESK = {"8447388090494": "8447388090495"}
PEOPLE: list[tuple[str, dict[str, str], str]] = [
    ("intercom/admin_started", OF_INTERCOM, "215469"),
    ("intercom/closed_after_admin_started", OF_INTERCOM, "215469"),
    ("zendesk/ticket_created_by_staff", OF_ZENDESK, "01KA-CREATED-0002"),
    ("zendesk/comment_of_staff", OF_ZENDESK, "01KA-COMMENT_ADDED-0001"),
    ("hubspot/contact_to_ticket", {"1246965": "1246966"}, ""),
    ("genesys_cloud/outbound_end", {**PHONE, "ec-77": "ec-78"}, "s-1"),
    ("amazon_connect/call_disconnected", {**PHONE, "C-1009": "C-1010"}, "3f1c5a0e"),
    ("twilio_sms/delivered", PHONE, "SM9a8b"),
    ("twilio_voice/outbound_no_answer", PHONE, "CA"),
    ("naver_talktalk/echo", {"al-2eGuGr5WQOnco1_V-FQ": "al-2eGuGr5WQOnco1_V-FR"}, ""),
    ("meta/messenger_echo", {"7300000000000001": "7300000000000002"}, "m_k3Vq0"),
    ("meta/instagram_echo", {"8400000000000001": "8400000000000002"}, "aWdExample"),
    ("meta/whatsapp_sent_by_agent", {**PHONE, "13491208655302741918": "13491208655302741919"}, "wamid"),
    ("aftership/delayed", {**PHONE, "c1009@": "c1010@"}, "parcel"),
]
"""An event that staff has a part in, what the next customer's says otherwise, and a part of the event's own id."""


@pytest.fixture
async def bench(clock: SteppingClock, monkeypatch: pytest.MonkeyPatch) -> WebhookBench:
    clock.set(NOW)
    monkeypatch.setattr("services.ingest.forms.webhooks.post_webhook.verify", lambda *_: SignatureFinding.VERIFIED)
    return await WebhookBench(clock=clock, settings=settings()).started()


async def deliver(bench: WebhookBench, name: str, body: bytes | None = None) -> list[set[tuple[str, str]]]:
    """Deliver an example, or another body of its system; return who the new touchpoints are about."""
    told = example(name)
    vector = next(each for each in VECTORS if each["system"] == told.system)
    headers = {**told.headers, **vector["headers"], "x-forwarded-for": "211.249.40.5"}
    before = len(bench.publisher.touchpoints)
    answer = await bench.deliver(vector, body=told.body if body is None else body, headers=headers)
    assert answer.status == 200
    assert bench.publisher.dead_letters == []
    return [
        {(type_, one.value) for type_, one in found.customer.items()} for found in bench.publisher.touchpoints[before:]
    ]


@pytest.mark.parametrize(("name", "next_customer", "own"), PEOPLE, ids=[name for name, _, _ in PEOPLE])
async def test_two_customers_of_one_agent_have_nothing_in_common(
    bench: WebhookBench, name: str, next_customer: dict[str, str], own: str
) -> None:
    text = example(name).body.decode()
    for this, other in next_customer.items():
        assert this in text
        text = text.replace(this, other)
    text = re.sub(f"(?<![A-Za-z0-9]){re.escape(own)}", own[:-1] + "x", text) if own else text
    first = set().union(*await deliver(bench, name))
    second = set().union(*await deliver(bench, name, text.encode()))

    assert first
    assert second
    assert first & second == set()


@pytest.mark.parametrize(
    "name",
    [
        "slack/message_of_staff",
        "twilio_voice/call_of_softphone",
        "twilio_voice/leg_to_agent",
        "amazon_connect/supervisor_listened",
        "meta/whatsapp_edited_and_deleted",
        "mailgun/mail_of_staff",
        "mailgun/out_of_office",
        "mailgun/bounce",
    ],
)
async def test_what_staff_and_machines_do_among_themselves_is_about_no_customer(bench: WebhookBench, name: str) -> None:
    assert await deliver(bench, name) == []


@pytest.mark.parametrize(("staff", "taken"), [("@partner.example.com", 0), ("c@partner.example.com", 0), ("", 1)])
async def test_mail_of_listed_staff_is_no_contact(bench: WebhookBench, staff: str, taken: int) -> None:
    row = bench.bindings.rows["mailgun"]
    bench.bindings.add(row.source, {"system": "mailgun", "options": {"staff": staff}}, "mailgun-not-a-real-secret")
    await bench.service.bindings.refresh()
    mail = example("mailgun/mail_received").body.replace(b"c1009%40example.com", b"c%40partner.example.com")

    assert len(await deliver(bench, "mailgun/mail_received", mail)) == taken


USER = "KR.13491208655302741918"


def message_of_twilio(sid: str, **fields: str) -> bytes:
    whole = {"MessageSid": sid, "SmsStatus": "received", "To": "whatsapp:+82215880000", "Body": "네", **fields}
    return urlencode(whole).encode()


async def test_a_whatsapp_user_without_a_number_is_the_one_whose_number_is_reported_later(bench: WebhookBench) -> None:
    hidden = message_of_twilio("SM1", From=f"whatsapp:{USER}", ExternalUserId=USER)
    both = message_of_twilio("SM2", From="whatsapp:+821012345678", ExternalUserId=USER)
    [first] = await deliver(bench, "twilio_sms/whatsapp_user_name", hidden)
    [second] = await deliver(bench, "twilio_sms/whatsapp_user_name", both)
    [by_meta] = await deliver(bench, "meta/whatsapp_user_name")
    [numbered, *_] = await deliver(bench, "meta/whatsapp_messages")

    assert first == by_meta == {("social", f"whatsapp:{USER}")}
    assert second == numbered == {("social", f"whatsapp:{USER}"), ("phone", "+821012345678")}


async def test_mail_whose_date_cannot_be_read_came_when_it_came(bench: WebhookBench) -> None:
    mail = example("mailgun/mail_received").body.replace(b"Sun%2C+22+Nov+2026", b"22%2F11%2F2026")

    assert await deliver(bench, "mailgun/mail_received", mail) == [{("email", "c1009@example.com")}]
    assert bench.publisher.touchpoints[0].occurred_at == NOW
