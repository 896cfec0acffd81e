"""The notifier `slack_bot`: one message per issue that changes with it (`chat.update`), and a thread of what happened.

The first message is posted with `chat.postMessage`; its channel and `ts` are kept as the reference of the issue. Each
later message changes it and, unless it is only about who took it, says in the thread what is new. Slack answers 200
with `ok: false` and a word (https://docs.slack.dev/reference/methods/chat.postMessage, …/chat.update): the word
decides.
"""

import re
from collections.abc import Iterator
from typing import cast

from services.alerts.deliver.notifiers import verdicts
from services.alerts.deliver.notifiers.chat.slack_blocks import SlackOptions, blocks, check_mention, escaped, fallback
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
from services.alerts.deliver.notifiers.told_message import MessageKind, ToldMessage
from services.alerts.deliver.notifiers.wording import word_message

_REVOKED = frozenset(
    {
        *("account_inactive", "access_denied", "channel_not_found", "ekm_access_denied", "invalid_auth", "is_archived"),
        *("missing_scope", "no_permission", "not_allowed_token_type", "not_authed", "not_in_channel", "token_expired"),
        *("org_login_required", "restricted_action", "team_access_not_granted", "team_not_found", "token_revoked"),
        *("restricted_action_read_only_channel", "restricted_action_thread_only_channel", "two_factor_setup_required"),
    }
)
_FORGOTTEN = frozenset({"message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found"})
_THROTTLED = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})
_AGAIN = frozenset({"fatal_error", "internal_error", "request_timeout", "service_unavailable", "team_added_to_org"})


class SlackBotOptions(SlackOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of a bot: the channel's id (`C…`), and whether updates also appear in the thread."""

    channel: str
    thread: bool = True


def render(message: ToldMessage, target: NotifierTarget) -> tuple[Outbound, ...]:
    """Return a new message, or the change of the one there is and its line in the thread."""
    return _requests(message, target, plain=False)


def render_plain(message: ToldMessage, target: NotifierTarget) -> tuple[Outbound, ...]:
    """Return the same with text alone."""
    return _requests(message, target, plain=True)


def _requests(message: ToldMessage, target: NotifierTarget, *, plain: bool) -> tuple[Outbound, ...]:
    options = cast("SlackBotOptions", target.options)
    worded = word_message(message, options)
    # an empty list removes the blocks that the message had before
    laid_out = [] if plain else blocks(message, worded, target, options)
    document: dict[str, object] = {"text": fallback(message, worded, options), "blocks": laid_out}
    known = target.reference or {}
    if not known.get("ts"):
        return (_call(target, "chat.postMessage", {**document, "channel": options.channel, "unfurl_links": False}),)
    place = {"channel": known.get("channel", options.channel)}
    change = _call(target, "chat.update", {**document, **place, "ts": known["ts"]})
    if not options.thread or message.kind is MessageKind.ACKNOWLEDGED:
        return (change,)
    line = {"text": escaped(worded.headline + (f"\n{worded.status}" if worded.status else ""))}
    broadcast = message.kind is MessageKind.REOPENED  # a resolved message is read by nobody any more
    reply = {**line, **place, "thread_ts": known["ts"], "reply_broadcast": broadcast, "unfurl_links": False}
    return (change, _call(target, "chat.postMessage", reply))


def _call(target: NotifierTarget, method: str, document: dict[str, object]) -> OutboundRequest:
    headers = {
        "authorization": f"Bearer {target.credentials['bot_token']}",
        "content-type": "application/json; charset=utf-8",
    }
    return OutboundRequest(url=f"{target.url.rstrip('/')}/{method}", body=encode(document), headers=headers)


def judge(reply: ReceiverReply) -> NotifierVerdict:
    """Return what Slack's word means, and the reference of a message that begins a conversation."""
    answer = reply.document()
    if reply.answer.status != 200:
        return verdicts.by_status(reply, revoked=frozenset({410}), refused=frozenset({413}))
    if answer.get("ok") is True:
        return _taken(answer)
    return _by_word(str(answer.get("error", "fatal_error")), reply)  # no word: something before Slack answered


def _by_word(word: str, reply: ReceiverReply) -> NotifierVerdict:
    if word in _REVOKED:
        return verdicts.REVOKED
    if word in _FORGOTTEN:
        return verdicts.FORGOTTEN
    if word in _THROTTLED:
        return verdicts.throttled(reply)
    return verdicts.AGAIN if word in _AGAIN else verdicts.REFUSED


def check(options: SlackBotOptions) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the channel and the mention."""
    if not re.fullmatch(r"[CDG][A-Z0-9]{5,20}", options.channel):
        yield "options.channel", "Give the channel's id (C…, at the end of its details in Slack), not its name."
    yield from check_mention(options)


def _taken(answer: dict[str, object]) -> NotifierVerdict:
    posted = answer.get("message")
    in_thread = isinstance(posted, dict) and "thread_ts" in posted
    channel, ts = answer.get("channel"), answer.get("ts")
    if in_thread or not isinstance(channel, str) or not isinstance(ts, str):
        return verdicts.DELIVERED
    return verdicts.delivered({"channel": channel, "ts": ts})


NOTIFIER = Notifier(
    kind="slack_bot",
    title_en="Slack, bot (one message per issue, with a thread)",
    title_ko="Slack 봇(이슈마다 메시지 하나, 스레드)",
    options=SlackBotOptions,
    render=render,
    render_plain=render_plain,
    judge=judge,
    check=check,
    address=AddressUse.DEFAULT,
    default_url="https://slack.com/api",
    credentials=(
        CredentialSpec(name="bot_token", description="Bot token (`xoxb-…`) with the scope chat:write."),
        CredentialSpec(
            name="signing_secret",
            description="Signing secret of the Slack app; with it, messages have buttons that act.",
            required=False,
        ),
    ),
    coalesces=True,
    rate_per_minute=60,
)
