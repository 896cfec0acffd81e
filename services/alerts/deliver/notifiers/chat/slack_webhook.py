"""The notifier `slack_webhook`: an incoming webhook of Slack. It can neither change a message nor answer in a thread.

Success is the body `ok`; the other words are those of https://api.slack.com/changelog/2016-05-17-changes-to-errors-for-
incoming-webhooks: a channel that is gone or a webhook that was removed disables the endpoint, a payload that Slack does
not understand is sent once more as text alone. Slack takes one message per second and webhook, in short bursts more
(https://docs.slack.dev/apis/web-api/rate-limits).
"""

from typing import cast

from services.alerts.deliver.notifiers import verdicts
from services.alerts.deliver.notifiers.chat.slack_blocks import SlackOptions, blocks, check_mention, fallback
from services.alerts.deliver.notifiers.encoding import encode
from services.alerts.deliver.notifiers.notifier import (
    AddressUse,
    CredentialSpec,
    Notifier,
    NotifierTarget,
    NotifierVerdict,
    Outbound,
    OutboundRequest,
    ReceiverReply,
)
from services.alerts.deliver.notifiers.told_message import ToldMessage
from services.alerts.deliver.notifiers.wording import word_message

_REVOKED = frozenset({"user_not_found", "channel_not_found", "channel_is_archived", "action_prohibited", "no_service"})
_REVOKED_TOO = frozenset(
    {"no_active_hooks", "no_team", "team_disabled", "invalid_token", "posting_to_general_channel_denied"}
)


def render(message: ToldMessage, target: NotifierTarget) -> tuple[Outbound, ...]:
    """Return the request with text and blocks."""
    options = cast("SlackOptions", target.options)
    worded = word_message(message, options)
    document = {
        "text": fallback(message, worded, options),
        "blocks": blocks(message, worded, target, options),
        "unfurl_links": False,
    }
    return (OutboundRequest(url=target.url, body=encode(document)),)


def render_plain(message: ToldMessage, target: NotifierTarget) -> tuple[Outbound, ...]:
    """Return the request with text alone."""
    options = cast("SlackOptions", target.options)
    text = fallback(message, word_message(message, options), options)
    return (OutboundRequest(url=target.url, body=encode({"text": f"{text}\n{message.url}".strip()})),)


def judge(reply: ReceiverReply) -> NotifierVerdict:
    """Return what Slack's word means: 200 with another body than `ok` is no success."""
    word = reply.body.decode("utf-8", "replace").strip()
    if reply.answer.status == 200:
        return verdicts.DELIVERED if word == "ok" else verdicts.REFUSED
    if word in _REVOKED | _REVOKED_TOO:
        return verdicts.REVOKED
    return verdicts.by_status(reply)


NOTIFIER = Notifier(
    kind="slack_webhook",
    title_en="Slack, incoming webhook",
    title_ko="Slack 수신 웹훅",
    options=SlackOptions,
    render=render,
    render_plain=render_plain,
    judge=judge,
    check=check_mention,
    address=AddressUse.SECRET,
    credentials=(
        CredentialSpec(
            name="signing_secret",
            description="Signing secret of the Slack app; with it, messages have buttons that act.",
            required=False,
        ),
    ),
    coalesces=True,
    rate_per_minute=60,
)
