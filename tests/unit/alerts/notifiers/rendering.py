"""Renders sample messages for the tests of notifiers, and the goldens: what each kind sends for each sample.

`python -m tests.unit.alerts.notifiers.rendering` writes the goldens anew; read the difference before it is committed.
"""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email import policy
from email.parser import BytesParser
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from services.alerts.deliver.notifiers.notifier import NotifierTarget, Outbound, OutboundMail, OutboundRequest
from services.alerts.deliver.notifiers.registry import OURS, notifiers
from services.alerts.deliver.notifiers.samples import sample_messages
from services.alerts.deliver.notifiers.told_message import ToldMessage

GOLDENS = Path(__file__).parent / "goldens"
ENDPOINT = UUID(int=0xE1)
AT = datetime(2026, 11, 22, 1, 0, 2, tzinfo=UTC)
ACKNOWLEDGE = "https://waymark.example/a/signed"

OPTIONS: Mapping[str, dict[str, Any]] = {
    "slack_bot": {"channel": "C0123456789", "mention": "S0123456789"},
    "email": {"sender": "waymark@example.com", "recipients": ["care@example.com"], "language": "ko"},
    "zendesk": {"email": "agent@example.com", "group_id": 7},
    "servicenow": {"username": "waymark"},
    "template": {
        "body": {
            "text": '{{ issue.title.ko if issue else reason }}: "{{ type }}"',
            "count": "{{ issue.count if issue else 0 }}",
            "fields": ["{{ reason | upper }}", 7, None],
        }
    },
}
REFERENCES: Mapping[str, dict[str, str]] = {
    "slack_bot": {"channel": "C0123456789", "ts": "1795305600.000100"},
    "zendesk": {"ticket": "35436"},
}


def a_target(kind: str, *, reference: Mapping[str, str] | None = None, **options: object) -> NotifierTarget:
    """An endpoint of a kind with all its credentials; `options` override."""
    notifier = notifiers()[kind]
    given = {**OPTIONS.get(kind, {}), **options}
    return NotifierTarget(
        endpoint_id=ENDPOINT,
        name="support desk",
        url=notifier.default_url
        or ("smtp://mail.example.com:587" if kind == "email" else "https://hooks.example.com/x"),
        options=msgspec.convert(given, notifier.options),
        credentials={spec.name: f"{spec.name}-of-the-vendor".ljust(32, "0")[:32] for spec in notifier.credentials},
        webhook_id="msg_5a1d0000000000000000000000000001",
        attempted_at=AT,
        signature=lambda body: {"webhook-signature": f"v1,of {len(body)} bytes"},
        reference=reference,
        acknowledge_url=ACKNOWLEDGE,
    )


def render(kind: str, sample: str, *, reference: Mapping[str, str] | None = None, **options: object) -> list[Outbound]:
    """What a kind sends for a sample."""
    return rendered(kind, sample_messages()[sample], reference=reference, **options)


def rendered(
    kind: str, message: ToldMessage, *, reference: Mapping[str, str] | None = None, **options: object
) -> list[Outbound]:
    """What a kind sends for a message."""
    return list(notifiers()[kind].render(message, a_target(kind, reference=reference, **options)))


def requests(kind: str, sample: str, **given: Any) -> list[OutboundRequest]:
    """What a kind that speaks HTTP sends for a sample."""
    found = render(kind, sample, **given)
    assert all(isinstance(one, OutboundRequest) for one in found)
    return [one for one in found if isinstance(one, OutboundRequest)]


def document(request: Outbound) -> dict[str, Any]:
    """The JSON body of a request."""
    assert isinstance(request, OutboundRequest)
    return dict(json.loads(request.body))


def golden_of(kind: str) -> dict[str, Any]:
    """Everything that a kind sends, as it stands in its golden."""
    found: dict[str, Any] = {}
    for sample in sample_messages():
        reference = REFERENCES.get(kind) if sample not in {"opened", "outbreak", "group", "test", "disabled"} else None
        found[sample] = [_shown(one) for one in render(kind, sample, reference=reference)]
    return found


def _shown(one: Outbound) -> dict[str, Any]:
    if isinstance(one, OutboundMail):
        mail = BytesParser(policy=policy.default).parsebytes(one.data)
        parts = [part for part in mail.walk() if not part.is_multipart()]
        headers = {name: value for name, value in mail.items() if name.lower() != "content-type"}
        return {
            "url": one.url,
            "from": one.sender,
            "to": list(one.recipients),
            "headers": headers,
            "parts": {part.get_content_type(): part.get_content() for part in parts},
        }
    headers = dict(one.headers)
    if headers.get("authorization", "").startswith("Basic "):
        headers["authorization"] = "Basic of " + base64.b64decode(headers["authorization"][6:]).decode()
    return {"method": one.method, "url": one.url, "headers": headers, "body": json.loads(one.body)}


def golden_text(kind: str) -> str:
    """The text of a golden."""
    return json.dumps(golden_of(kind), ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    for one in OURS:
        (GOLDENS / f"{one.kind}.json").write_text(golden_text(one.kind), encoding="utf-8")
