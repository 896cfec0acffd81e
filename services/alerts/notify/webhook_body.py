"""Renders the body of a webhook: `{type, timestamp, data}` of Standard Webhooks, where `data` is issue v1.

The body also has a `reason` (why people are notified), a `sequence` (1, 2, … within the issue, so that a receiver can
drop 3 after 5), and a `url` if the address of the console is known. It has at most 20 kB. The bytes are rendered once
and then signed and sent as they are. Signing and sending are left to `deliver`.
"""

import msgspec

from schemas.codec import utc_text
from schemas.documents import issue as issue_v1
from schemas.vocabulary import TextDocument
from services.alerts.issues.contract import write_issue
from services.alerts.notify.notification import Notification

MAX_BYTES = 20_000

_CUTS = ((20, 10, 16), (10, 5, 4), (1, 0, 0))
"""How many frictions, timeline steps and references stay, in steps, while a body is too long."""
_TITLE = 200


def render_webhook(notification: Notification, *, public_url: str, document: bytes | None = None) -> bytes:
    """Return the bytes to sign and send; `document` is the issue as issue v1 if the caller has it."""
    body = _body(notification, document or issue_v1.encode(write_issue(notification.issue)), public_url)
    return body if len(body) <= MAX_BYTES else _shorter(notification, public_url)


def _shorter(notification: Notification, public_url: str) -> bytes:
    """Return the body with less and less of the issue, until it is short enough."""
    issue = write_issue(notification.issue)
    body = b""
    for frictions, lines, refs in _CUTS:
        issue = msgspec.structs.replace(
            issue,
            frictions=issue.frictions[-frictions:],
            timeline=issue.timeline[-lines:] if lines else (),
            refs=dict(list(issue.refs.items())[:refs]),
            rules=issue.rules[:10],
            journey=_shorter_journey(issue.journey, lines),
            story=issue.story[-lines:] if lines else (),
            title=TextDocument(en=issue.title.en[:_TITLE], ko=issue.title.ko[:_TITLE]),
        )
        body = _body(notification, issue_v1.encode(issue), public_url)
        if len(body) <= MAX_BYTES:
            break
    return body


def _shorter_journey(
    journey: issue_v1.JourneySituationDocument | None, steps: int
) -> issue_v1.JourneySituationDocument | None:
    if journey is None:
        return None
    return msgspec.structs.replace(journey, since=journey.since[-steps:] if steps else ())


def _body(notification: Notification, document: bytes, public_url: str) -> bytes:
    head: dict[str, object] = {
        "type": notification.type,
        "timestamp": utc_text(notification.created_at),
        "reason": notification.reason,
        "sequence": notification.sequence,
        "data": msgspec.Raw(document),
    }
    if public_url:
        head["url"] = f"{public_url.rstrip('/')}/#{notification.issue.id}"
    return msgspec.json.encode(head)
