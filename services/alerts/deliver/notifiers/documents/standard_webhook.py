"""The notifier `standard_webhook`: the stored document as it is, signed by Standard Webhooks.

Everything is retried, as the specification says: a bad deployment of a receiver answers 404 for a while.
"""

from services.alerts.deliver.notifiers.notifier import (
    AddressUse,
    Notifier,
    NotifierTarget,
    NotifierVerdict,
    Outbound,
    OutboundRequest,
    ReceiverReply,
    SignedOptions,
)
from services.alerts.deliver.notifiers.told_message import ToldMessage
from services.alerts.deliver.retry import judge_answer

KIND = "standard_webhook"


def render(message: ToldMessage, target: NotifierTarget) -> tuple[Outbound, ...]:
    """Return the signed request; `message.body` goes out byte for byte."""
    body = message.body
    return (OutboundRequest(url=target.url, body=body, headers=target.signature(body)),)


def judge(reply: ReceiverReply) -> NotifierVerdict:
    """Return what the status means."""
    return NotifierVerdict(verdict=judge_answer(reply.answer))


NOTIFIER = Notifier(
    kind=KIND,
    title_en="Standard webhook",
    title_ko="표준 웹훅",
    options=SignedOptions,
    render=render,
    judge=judge,
    address=AddressUse.PUBLIC,
    signed=True,
)
