"""The body of a webhook: its shape, and that it stays below the limit whatever an issue holds."""

import json
from datetime import timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.alerts.issues.model import Issue, LocalizedTitle, TimelineStep
from services.alerts.notify.decision import NotificationReason
from services.alerts.notify.notification import Notification
from services.alerts.notify.webhook_body import MAX_BYTES, render_webhook
from tests.unit.alerts.builders import NOW, an_issue


def a_notification(issue: Issue) -> Notification:
    return Notification(
        id=UUID(int=1),
        issue=issue,
        sequence=3,
        type="issue.updated",
        reason=NotificationReason.SEVERITY_RAISED,
        endpoints=(),
        revised_at=NOW,
        created_at=NOW,
    )


def test_it_is_type_timestamp_and_the_issue() -> None:
    document = json.loads(render_webhook(a_notification(an_issue()), public_url="https://waymark.example/"))

    assert document.pop("data")["id"] == str(UUID(int=7))
    assert document == {
        "type": "issue.updated",
        "timestamp": "2026-11-22T09:00:00.000000Z",
        "reason": "severity_raised",
        "sequence": 3,
        "url": f"https://waymark.example/#{UUID(int=7)}",
    }


def test_korean_stands_as_it_is() -> None:
    assert "두 번 전화".encode() in render_webhook(a_notification(an_issue()), public_url="")


@given(title=st.integers(0, 4000), refs=st.integers(0, 20), steps=st.integers(0, 10), frictions=st.integers(1, 100))
def test_it_never_grows_beyond_the_limit(title: int, refs: int, steps: int, frictions: int) -> None:
    issue = an_issue(
        title=LocalizedTitle(en="a" * title, ko="요" * title),
        refs={f"ref_{n}": "값" * 200 for n in range(refs)},
        timeline=tuple(
            TimelineStep(occurred_at=NOW + timedelta(minutes=n), channel="phone", kind="k" * 100, reason="이" * 200)
            for n in range(steps)
        ),
        frictions=tuple(str(UUID(int=n)) for n in range(frictions)),
    )

    body = render_webhook(a_notification(issue), public_url="https://waymark.example")

    assert len(body) <= MAX_BYTES
    assert json.loads(body)["data"]["id"] == str(issue.id)
