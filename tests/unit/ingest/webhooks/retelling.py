"""Makes other messages of the examples in `examples/sources`: with ids and times of their own, as their vendors do."""

from collections.abc import Callable
from datetime import datetime
from email.utils import format_datetime
from typing import Any

from tests.unit.ingest.webhooks.deliveries import NOW

Body = Any
"""A decoded example: the members of a form, or a JSON document."""

Edit = Callable[[Body, int, datetime], None]
"""Makes another message of an example in place: with its number in the story, and its time."""


def line(body: Body, number: int, at: datetime) -> None:
    event = body["events"][0] | {"timestamp": _ms(at), "webhookEventId": f"01KB{number:022}"}
    event["message"] = event["message"] | {"id": f"44457384408357{number:04}"}
    body["events"] = [event]


def twilio(body: Body, number: int, at: datetime) -> None:
    sid = f"SM9a8b7c6d5e4f302123456789012345{number:02}"
    body |= dict.fromkeys(("MessageSid", "SmsSid", "SmsMessageSid"), sid)


def as_told(body: Body, number: int, at: datetime) -> None:
    """A delivery that has neither id nor time of its own."""


def told_again(text: str) -> Edit:
    """Another utterance to a chatbot of KakaoTalk."""

    def edit(body: Body, number: int, at: datetime) -> None:
        body["userRequest"]["utterance"] = f"{text} {number}"

    return edit


def naver(body: Body, number: int, at: datetime) -> None:
    body["textContent"]["text"] = f"{body['textContent']['text']} {number}"


def messaging(body: Body, number: int, at: datetime) -> None:
    event = body["entry"][0]["messaging"][0] | {"timestamp": _ms(at)}
    event["message"] = event["message"] | {"mid": f"m_{number}"}
    body["entry"][0]["messaging"] = [event]


def whatsapp(member: str, status: int = 0) -> Edit:
    def edit(body: Body, number: int, at: datetime) -> None:
        changes = body["entry"][0]["changes"]
        del changes[1:]
        value = changes[0]["value"]
        value[member] = [value[member][status] | {"id": f"wamid.{number}", "timestamp": str(_s(at))}]

    return edit


def slack(thread: int | None = None) -> Edit:
    def edit(body: Body, number: int, at: datetime) -> None:
        ts = f"{_s(at)}.{number:06}"
        body["event"] |= {"ts": ts, "event_ts": ts, "client_msg_id": f"0f9d2c1e-5a54-4a7e-9b0a-2f6d7c1b8e{number:02}"}
        body |= {"event_id": f"Ev0PV52K{number:02}", "event_time": _s(at)}
        if thread is not None:
            body["event"]["thread_ts"] = f"{_s(NOW)}.{thread:06}"

    return edit


def intercom(conversation: str = "215469", topic: str | None = None, again: int | None = None) -> Edit:
    def edit(body: Body, number: int, at: datetime) -> None:
        item = body["data"]["item"]
        item["id"] = conversation
        body |= {
            "id": f"notif_{number}",
            "created_at": _s(at),
            "first_sent_at": _s(at),
            "topic": topic or body["topic"],
        }
        for part in item["conversation_parts"]["conversation_parts"]:
            part |= {"id": f"{again or number}", "created_at": _s(at)}

    return edit


def zendesk(ticket: str = "5158") -> Edit:
    def edit(body: Body, number: int, at: datetime) -> None:
        if "ticket" in body:
            body["ticket"] |= {"id": ticket, "updated_at": at.isoformat()}
        else:
            body |= {"id": f"01KA-{number:04}", "time": at.isoformat()}
            body["detail"]["id"] = ticket

    return edit


def genesys(conversation: str = "c3b9d1f0") -> Edit:
    def edit(body: Body, number: int, at: datetime) -> None:
        body["detail"]["eventBody"] |= {"eventTime": _ms(at), "conversationId": conversation, "sessionId": conversation}

    return edit


TIMES_OF_CONNECT = ("initiationTimestamp", "disconnectTimestamp")


def connect(contact: str) -> Edit:
    def edit(body: Body, number: int, at: datetime) -> None:
        times = {
            name: at.isoformat() for name in ("initiationTimestamp", "disconnectTimestamp") if name in body["detail"]
        }
        body["detail"] |= {"contactId": f"{contact}-{number}", "initialContactId": contact, **times}
        body["detail"]["tags"] = {"customer_id": "C-1009"}

    return edit


def hubspot(ticket: int) -> Edit:
    def edit(body: Body, number: int, at: datetime) -> None:
        body[0] |= {"toObjectId": ticket, "occurredAt": _ms(at), "eventId": number, "changeSource": "FORMS"}

    return edit


def mailgun(body: Body, number: int, at: datetime) -> None:
    body |= {
        "Message-Id": f"<CAExample{number}@mail.example.com>",
        "Date": format_datetime(at),
        "token": f"{number:050}",
    }


def mailgun_first(body: Body, number: int, at: datetime) -> None:
    """The first mail of the thread that the example of a reply goes on with."""
    body |= {"Date": format_datetime(at)}


def voice(call: str) -> Edit:
    def edit(body: Body, number: int, at: datetime) -> None:
        body["CallSid"] = f"CA{call:0>32}"
        if "Timestamp" in body:
            body["Timestamp"] = format_datetime(at)

    return edit


def _s(at: datetime) -> int:
    return int(at.timestamp())


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
